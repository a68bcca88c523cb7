/** Connections that come together are accepted in several turns of the event loop, and the others have theirs between. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { accept, WebSocketServer, type ServerOptions, type ServerService } from '../../src/index.js'
import { handleKit } from '../../src/native/socket-handle.js'
import { MAX_TURN_MS } from '../../src/server/first-turns.js'
import { frame, KEY, OP } from '../helpers/frame-builder.js'
import { until } from '../helpers/liveness.js'
import { openRaw, requestHead, type RawPeer } from '../helpers/raw-peer.js'

const masked = (text: string): Buffer => frame({ opcode: OP.TEXT, payload: text, key: KEY })

const COUNT = 40
/** By the stream node:http takes all connections, and none waits. */
const isPaced = handleKit() !== null

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A server at which each upgrade takes the processor for the time of a whole turn. */
async function serve(
  service: ServerService = {},
  options: ServerOptions = {},
): Promise<{ server: WebSocketServer; peers: RawPeer[]; perTurn: () => number[] }> {
  const server = new WebSocketServer(options)
  const turnOf: number[] = []
  let turn = 0
  const count = (): void => {
    turn++
    counting = setImmediate(count)
  }
  let counting = setImmediate(count)
  server.route('/', {
    onUpgrade: () => {
      turnOf.push(turn)
      const until = performance.now() + MAX_TURN_MS
      while (performance.now() < until);
      return accept()
    },
    ...service,
  })
  cleanups.push(() => {
    clearImmediate(counting)
    server.terminate()
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const peers = await Promise.all(Array.from({ length: COUNT }, () => openRaw(port)))
  cleanups.push(() => {
    for (const { socket } of peers) socket.destroy()
  })
  // All have been accepted, and are silent.
  for (let i = 0; i < 2 * COUNT; i++) await nextTurn()
  const perTurn = (): number[] => [...new Set(turnOf)].map((one) => turnOf.filter((of) => of === one).length)
  return { server, peers, perTurn }
}

it('opens them two in a turn at most where each takes all of its time', async () => {
  const { server, peers, perTurn } = await serve()
  for (const peer of peers) peer.write(requestHead())
  for (const peer of peers) expect((await peer.readHead()).status).toBe(101)
  expect(server.connectionCount).toBe(COUNT)
  // One when its bytes arrive, and one of those that waited.
  if (isPaced) expect(Math.max(...perTurn())).toBeLessThanOrEqual(2)
})

it('loses nothing of what came with a head, and after it, while it waited', async () => {
  const { server, peers } = await serve({ onMessage: (_, message) => message })
  for (const [i, peer] of peers.entries()) {
    peer.write(Buffer.concat([Buffer.from(requestHead()), masked(`first of ${String(i)}`)]))
  }
  // Some are open, and the others wait.
  await until('the first are open', () => server.connectionCount > 2)
  for (const [i, peer] of peers.entries()) peer.write(masked(`second of ${String(i)}`))
  for (const [i, peer] of peers.entries()) {
    expect((await peer.readHead()).status).toBe(101)
    expect((await peer.readFrame()).text).toBe(`first of ${String(i)}`)
    expect((await peer.readFrame()).text).toBe(`second of ${String(i)}`)
  }
  for (const [i, peer] of peers.entries()) peer.write(masked(`third of ${String(i)}`))
  for (const [i, peer] of peers.entries()) expect((await peer.readFrame()).text).toBe(`third of ${String(i)}`)
})

it('answers what is not an upgrade, or only a part of one, as ever', async () => {
  const { server, peers } = await serve()
  const head = requestHead()
  const [plain, half, wrong, reset, ended] = peers.splice(-5) as [RawPeer, RawPeer, RawPeer, RawPeer, RawPeer]
  for (const peer of peers) peer.write(head)
  plain.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  half.write(head.slice(0, 30))
  wrong.write('no request\r\n\r\n')
  reset.write(head)
  reset.reset()
  ended.write(head)
  ended.end()
  for (const peer of peers) expect((await peer.readHead()).status).toBe(101)
  expect((await plain.readHead()).status).toBe(426)
  expect((await wrong.readHead()).status).toBe(400)
  half.write(head.slice(30))
  expect((await half.readHead()).status).toBe(101)
  expect((await ended.readHead()).status).toBe(101)
  // The plain request is no upgrade.
  await until('the reset is noticed', () => server.stats().rejectedUpgrades + server.stats().closed >= 2)
})

it.each([
  ['close', 0],
  ['close with a spread', 1],
])('at a %s those that wait get an answer', async (_, spreadMs) => {
  let closing = null as Promise<void> | null
  let opened = 0
  const { server, peers } = await serve({
    onOpen: () => {
      // The second is the first of those that waited.
      if (++opened === 2) closing = server.close({ spreadMs, timeoutMs: 500 })
    },
  })
  for (const peer of peers) peer.write(requestHead())
  const statuses = await Promise.all(peers.map(async (peer) => (await peer.readHead()).status))
  expect(statuses[0]).toBe(101)
  expect(new Set(statuses)).toEqual(new Set([101, 503]))
  for (const peer of peers) peer.end()
  await closing
})
