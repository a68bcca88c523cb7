/** Floods over many connections at once: a connection waits behind a chunk that comes late in a turn of the event loop, and nothing is lost. */
import type { ServerSocket } from '../../../src/index.js'
import { inputTurns, MAX_TURN_BYTES, UNMEASURED_BYTES } from '../../../src/socket/input-turns.js'
import { frame, KEY } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { endOfTurn, nextTurn, nextTurns } from '../../helpers/memory-duplex.js'
import { openLine } from '../../helpers/model-line.js'

const MESSAGE = frame({ opcode: 0x1, payload: 'x'.repeat(100), key: KEY })
const MESSAGES = Math.ceil(UNMEASURED_BYTES / MESSAGE.length)
/** The first of them is not measured. */
const chunk = (): Buffer => Buffer.concat(Array<Buffer>(MESSAGES).fill(MESSAGE))
const CONNECTIONS = 16
/** So many of them have their turn together. */
const TOGETHER = Math.floor(MAX_TURN_BYTES / (MESSAGES * MESSAGE.length))

/** Keeps the event loop: what a handler does. */
function work(milliseconds: number): void {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
}

type Peer = ReturnType<typeof openPeer>

/** A connection whose handlers take a millisecond for each chunk. */
function openPeer(onMessage: () => unknown = () => undefined) {
  const line = openLine('handle', 1_000_000)
  const peer = {
    line,
    messages: 0,
    socket: undefined as ServerSocket | undefined,
    end: () => server.terminate(),
  }
  const server = serveLine(line, () => ({
    onOpen: (socket) => {
      peer.socket = socket
    },
    onMessage: () => {
      if (++peer.messages % MESSAGES === 1) work(1)
      return onMessage() as undefined
    },
  }))
  return peer
}

/** As many as wait after a chunk of each, at least four: the last ones. */
async function flood(onMessage?: () => unknown): Promise<{ peers: Peer[]; last: [Peer, Peer, Peer, Peer] }> {
  const peers = Array.from({ length: CONNECTIONS }, () => openPeer(onMessage))
  await nextTurns(10)
  for (const { line } of peers) line.deliver(chunk())
  return { peers, last: peers.slice(-4) as [Peer, Peer, Peer, Peer] }
}

const areReading = (peers: readonly Peer[]): boolean[] => peers.map(({ line }) => line.isReading)
const waitingOf = (peers: readonly Peer[]): number => peers.filter(({ line }) => !line.isReading).length

it('connections wait behind their chunks once the time of a turn is over, and are read on by turns', async () => {
  const { peers } = await flood()
  // Each chunk is handled when it comes. The first are not measured.
  expect(peers.map(({ messages }) => messages)).toEqual(peers.map(() => MESSAGES))
  let waiting = waitingOf(peers)
  expect(waiting).toBeGreaterThanOrEqual(4)
  expect(waiting).toBeLessThan(CONNECTIONS)
  // The last ones are those that wait.
  expect(areReading(peers)).toEqual(peers.map((_, i) => i < CONNECTIONS - waiting))
  while (waiting > 0) {
    await nextTurn()
    const now = waitingOf(peers)
    expect(waiting - now).toBeLessThanOrEqual(TOGETHER)
    expect(now).toBeLessThan(waiting)
    waiting = now
  }
  for (const { line } of peers) line.deliver(chunk())
  expect(peers.map(({ messages }) => messages)).toEqual(peers.map(() => 2 * MESSAGES))
  for (const { end } of peers) end()
})

it('a connection that waits is not read before its turn, whatever else would read on', async () => {
  const { peers, last } = await flood()
  for (const { socket } of last) {
    socket!.pause()
    socket!.resume()
    socket!.send('x')
  }
  await endOfTurn()
  expect(areReading(last)).toEqual([false, false, false, false])
  await nextTurns(CONNECTIONS)
  expect(areReading(last)).toEqual([true, true, true, true])
  for (const { end } of peers) end()
})

it('a full inbox that empties does not read a connection on before its turn', async () => {
  const { peers, last } = await flood(() => Promise.resolve())
  // Each chunk has more messages than an inbox.
  await endOfTurn()
  expect(areReading(last)).toEqual([false, false, false, false])
  for (let i = 0; i < 10 * MESSAGES && peers.some(({ messages }) => messages < MESSAGES); i++)
    await nextTurn()
  await nextTurns(CONNECTIONS)
  expect(peers.map(({ messages }) => messages)).toEqual(peers.map(() => MESSAGES))
  expect(areReading(peers)).toEqual(peers.map(() => true))
  for (const { end } of peers) end()
})

it('a connection that is paused while it waits is not read on, and one that is over is forgotten', async () => {
  const { peers, last } = await flood()
  const [over, paused, open] = last
  const before = inputTurns.count
  over.end()
  await endOfTurn()
  expect(inputTurns.count).toBe(before - 1)
  paused.socket!.pause()
  await nextTurns(CONNECTIONS)
  expect([paused.line.isReading, open.line.isReading]).toEqual([false, true])
  paused.socket!.resume()
  await nextTurn()
  expect(paused.line.isReading).toBe(true)
  for (const { end } of peers) end()
})

it('a connection that is closed while it waits is read on in its turn', async () => {
  const { peers, last } = await flood()
  for (const { socket } of last) void socket!.close(4000)
  expect(areReading(last)).toEqual([false, false, false, false])
  await nextTurns(CONNECTIONS)
  expect(areReading(last)).toEqual([true, true, true, true])
  for (const { end } of peers) end()
})
