/** What peers send after their connections have failed: it is discarded, a chunk of each and few of all in one turn of the event loop. */
import { MAX_TURN_BYTES } from '../../../src/socket/input-turns.js'
import { frame, KEY } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { openLine, type LineKind } from '../../helpers/model-line.js'

const KINDS: readonly LineKind[] = ['handle', 'stream', 'tls']
const CHUNK = Buffer.alloc(64 * 1024)
const MAX_READS = MAX_TURN_BYTES / CHUNK.length

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

  it('is read on by turns where many end together, so that they do not take the turn of others', async () => {
    const peers = Array.from({ length: MAX_READS * 3 }, () => {
      const line = openLine(kind, 1_000_000)
      const server = serveLine(line, () => ({ onError: () => undefined, onMessage: () => undefined }))
      return { line, server, chunks: 0 }
    })
    for (let i = 0; i < 10; i++) await nextTurn()
    // A reserved opcode.
    for (const { line } of peers) line.deliver(frame({ opcode: 0x3, payload: '', key: KEY }))
    await nextTurn()
    let most = 0
    for (let i = 0; i < 50; i++) {
      const reading = peers.filter(({ line }) => line.isReading)
      // By then all have failed, and wait for their turns.
      if (i >= 10) most = Math.max(most, reading.length)
      for (const peer of reading) {
        peer.line.deliver(CHUNK)
        peer.chunks++
      }
      await nextTurn()
    }
    // A stream goes on in a turn behind the one in which it is told to.
    expect(most).toBeLessThanOrEqual(kind === 'handle' ? MAX_READS : 2 * MAX_READS)
    expect(most).toBeGreaterThan(0)
    // In their order: none is read much more often than another.
    const counts = peers.map(({ chunks }) => chunks)
    expect(Math.min(...counts)).toBeGreaterThan(5)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3)
    for (const { server } of peers) server.terminate()
  })
})
