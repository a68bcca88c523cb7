/** What a peer sends after the connection has failed: it is discarded, a chunk in each turn of the event loop. */
import { frame, KEY } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { openLine, type LineKind } from '../../helpers/model-line.js'

const KINDS: readonly LineKind[] = ['handle', 'stream', 'tls']
const CHUNK = Buffer.alloc(64 * 1024)

describe.each(KINDS)('%s: a flood after a failure', (kind) => {
  it('is read on in the next turn, so that one peer does not take the turn of others', async () => {
    const line = openLine(kind, 1_000_000)
    const server = serveLine(line, () => ({ onError: () => undefined, onMessage: () => undefined }))
    for (let i = 0; i < 10; i++) await nextTurn()
    // A reserved opcode.
    line.deliver(frame({ opcode: 0x3, payload: '', key: KEY }))
    await nextTurn()
    let chunks = 0
    for (let i = 0; i < 20; i++) {
      if (line.isReading) {
        line.deliver(CHUNK)
        chunks++
        expect(line.isReading).toBe(false)
      }
      await nextTurn()
    }
    expect(chunks).toBeGreaterThan(5)
    server.terminate()
  })
})
