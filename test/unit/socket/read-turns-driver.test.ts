/** Floods over many connections at once: what comes after the time of a turn of the event loop waits for a later one, and nothing is lost. */
import { frame, KEY } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { openLine } from '../../helpers/model-line.js'
import type { ServerSocket } from '../../../src/index.js'
import { LARGE_CHUNK_BYTES, MAX_READS, UNMEASURED_BYTES } from '../../../src/socket/read-turns.js'

const MESSAGE = frame({ opcode: 0x1, payload: 'x', key: KEY })
const MESSAGES = Math.ceil(LARGE_CHUNK_BYTES / MESSAGE.length)
const chunk = (): Buffer => Buffer.concat(Array<Buffer>(MESSAGES).fill(MESSAGE))
/** As many chunks pass unmeasured, and as many again. */
const CONNECTIONS = Math.ceil(UNMEASURED_BYTES / LARGE_CHUNK_BYTES) * 2

/** Keeps the event loop: what a handler does. */
function work(milliseconds: number): void {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
}

describe('a flood over many connections', () => {
  it('waits after each of its chunks once the time of a turn is over, and is read on by turns', async () => {
    const peers = Array.from({ length: CONNECTIONS }, () => {
      const peer = { messages: 0, line: openLine('handle', 1_000_000) }
      const server = serveLine(peer.line, () => ({
        onMessage: () => {
          if (++peer.messages % MESSAGES === 1) work(1)
        },
      }))
      return { peer, server }
    })
    for (let i = 0; i < 10; i++) await nextTurn()
    for (const { peer } of peers) peer.line.deliver(chunk())
    const waiting = (): number => peers.filter(({ peer }) => !peer.line.isReading).length
    // Each chunk is handled when it comes. The first are not measured.
    expect(peers.map(({ peer }) => peer.messages)).toEqual(peers.map(() => MESSAGES))
    const most = waiting()
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(CONNECTIONS / 2)
    // The last ones are those that wait.
    expect(peers.map(({ peer }) => peer.line.isReading)).toEqual(peers.map((_, i) => i < CONNECTIONS - most))
    let before = most
    while (before > 0) {
      await nextTurn()
      const now = waiting()
      expect(before - now).toBeLessThanOrEqual(MAX_READS)
      expect(now).toBeLessThan(before)
      before = now
    }
    for (const { peer } of peers) peer.line.deliver(chunk())
    expect(peers.map(({ peer }) => peer.messages)).toEqual(peers.map(() => 2 * MESSAGES))
    for (const { server } of peers) server.terminate()
  })

  it('that is paused, or is over, while it waits is not read on', async () => {
    const messages: number[] = []
    const peers = Array.from({ length: CONNECTIONS }, (_, number) => {
      const line = openLine('handle', 1_000_000)
      messages.push(0)
      let socket: ServerSocket | undefined
      const server = serveLine(line, () => ({
        onOpen: (opened) => {
          socket = opened
        },
        onMessage: () => {
          messages[number]! += 1
          if (messages[number]! % MESSAGES === 1) work(1)
        },
      }))
      return { line, server, pause: () => socket?.pause(), resume: () => socket?.resume() }
    })
    for (let i = 0; i < 10; i++) await nextTurn()
    for (const { line } of peers) line.deliver(chunk())
    const [over, paused, open] = peers.slice(-3) as [(typeof peers)[0], (typeof peers)[0], (typeof peers)[0]]
    expect([over, paused, open].map(({ line }) => line.isReading)).toEqual([false, false, false])
    over.server.terminate()
    paused.pause()
    for (let i = 0; i < CONNECTIONS; i++) await nextTurn()
    expect([over, paused, open].map(({ line }) => line.isReading)).toEqual([false, false, true])
    paused.resume()
    await nextTurn()
    expect(paused.line.isReading).toBe(true)
    for (const { server } of peers) server.terminate()
  })
})
