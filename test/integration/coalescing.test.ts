/**
 * What is sent in one go leaves in one write: seen as the chunks and the TLS records that a real peer reads. Loopback hands
 * over each write as one chunk when the reader waits for it, and a TLS record is one write of the sender's stream.
 */
import {
  connect,
  WebSocketServer,
  type ClientSocket,
  type ServerSocket,
  type Socket,
} from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { closeFrame, frame, KEY, OP, readFrames } from '../helpers/frame-builder.js'
import { acceptRaw, openRaw, RawServer, requestHead, type RawPeer } from '../helpers/raw-peer.js'
import { listenRawTls, openRawTls, RawTlsPeer } from '../helpers/raw-tls.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** An open connection of one role, and the raw peer at its other end. */
interface Pair {
  readonly socket: Socket
  readonly peer: RawPeer
  /** The masking key of what the peer sends. */
  readonly key?: typeof KEY
}

async function serverPair(secure: boolean, directIo: boolean, reply?: boolean): Promise<Pair> {
  const server = new WebSocketServer(secure ? { tls: SERVER_TLS } : { directIo })
  let opened: (socket: ServerSocket) => void = () => undefined
  const open = new Promise<ServerSocket>((resolve) => (opened = resolve))
  server.route('/', {
    onOpen: (socket) => opened(socket),
    ...(reply === true && { onMessage: (_: unknown, message: string | Buffer) => message }),
  })
  cleanups.push(() => server.terminate())
  const { port } = await server.listen(0, '127.0.0.1')
  const peer = await (secure ? openRawTls(port) : openRaw(port))
  cleanups.push(() => peer.socket.destroy())
  peer.write(requestHead())
  await peer.readHead()
  return { socket: await open, peer, key: KEY }
}

async function clientPair(secure: boolean, directIo: boolean, reply?: boolean): Promise<Pair> {
  let got: (peer: RawPeer) => void = () => undefined
  const accepted = new Promise<RawPeer>((resolve) => (got = resolve))
  const listen = secure ? listenRawTls : (serve: (peer: RawPeer) => unknown) => RawServer.start(serve)
  const server = await listen(async (peer) => {
    await acceptRaw(peer)
    got(peer)
  })
  cleanups.push(() => server.close())
  const socket: ClientSocket = await connect(server.url, {
    ...(secure ? { tls: TRUST_SERVER } : { directIo }),
    ...(reply === true && { handlers: { onMessage: (_: unknown, message: string | Buffer) => message } }),
  })
  cleanups.push(() => socket.terminate())
  return { socket, peer: await accepted }
}

type Open = (secure: boolean, directIo: boolean, reply?: boolean) => Promise<Pair>
const ROLES: readonly (readonly [name: string, open: Open])[] = [
  ['the server', serverPair],
  ['the client', clientPair],
]
const WAYS: readonly (readonly [name: string, secure: boolean, directIo: boolean])[] = [
  ['by handle', false, true],
  ['by stream', false, false],
  ['over TLS', true, false],
]
const CASES = ROLES.flatMap(([role, open]) =>
  WAYS.map(([way, secure, directIo]) => [role, way, open, secure, directIo] as const),
)

/** Begins to count: from now on `chunks` of the peer are those of the test. */
async function settled({ peer }: Pair): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20))
  peer.chunks.length = 0
}

/** How many TLS records came on the TCP connection below: each write of the stream above makes at least one. */
function countRecords(peer: RawPeer): () => number {
  if (!(peer instanceof RawTlsPeer)) throw new TypeError('records are those of TLS')
  const { below } = peer
  const chunks: Buffer[] = []
  below.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => {
    const bytes = Buffer.concat(chunks)
    let records = 0
    for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) records++
    return records
  }
}

const framesOf = (peer: RawPeer): number => readFrames(Buffer.concat(peer.chunks)).frames.length
const untilFrames = (peer: RawPeer, count: number): Promise<true> =>
  peer.until(() => (framesOf(peer) >= count ? true : null))

describe.each(CASES)('a socket, %s, %s', (_role, _way, open, secure, directIo) => {
  it('writes once for 100 messages, a ping and a Close frame that are sent in one turn', async () => {
    const pair = await open(secure, directIo)
    const { socket, peer } = pair
    await settled(pair)
    const records = secure ? countRecords(peer) : null
    for (let i = 0; i < 100; i++) socket.send(`message ${i}`)
    socket.ping('and a ping')
    void socket.close(1000, 'and an end')
    expect(peer.chunks).toEqual([])
    await untilFrames(peer, 102)
    expect(peer.chunks).toHaveLength(1)
    const { frames } = readFrames(Buffer.concat(peer.chunks))
    expect(frames.map(({ opcode }) => opcode)).toEqual([
      ...Array<number>(100).fill(OP.TEXT),
      OP.PING,
      OP.CLOSE,
    ])
    expect(frames[99]?.text).toBe('message 99')
    // Two kilobytes fit into one record.
    if (records !== null) expect(records()).toBe(1)
  })

  it('writes again for a message that is sent in the next turn', async () => {
    const pair = await open(secure, directIo)
    const { socket, peer } = pair
    await settled(pair)
    for (let turn = 0; turn < 5; turn++) {
      for (let i = 0; i < 10; i++) socket.send(`${turn} ${i}`)
      await untilFrames(peer, (turn + 1) * 10)
    }
    expect(peer.chunks).toHaveLength(5)
  })

  it('writes once for messages that are sent in microtasks and promises of one turn', async () => {
    const pair = await open(secure, directIo)
    const { socket, peer } = pair
    await settled(pair)
    socket.send('first')
    queueMicrotask(() => void socket.send('in a microtask'))
    void Promise.resolve()
      .then(() => socket.send('in a promise'))
      .then(() => socket.send('in the next one'))
    await untilFrames(peer, 4)
    // The code of the turn, and what it put off: never one write for each.
    expect(peer.chunks.length).toBeLessThanOrEqual(2)
  })

  it('answers the messages of one chunk in one write', async () => {
    const pair = await open(secure, directIo, true)
    const { peer, key } = pair
    await settled(pair)
    const records = secure ? countRecords(peer) : null
    const keyed = key === undefined ? {} : { key }
    peer.write(
      ...Array.from({ length: 50 }, (_, i) => frame({ opcode: OP.TEXT, payload: `message ${i}`, ...keyed })),
      frame({ opcode: OP.PING, payload: 'ping', ...keyed }),
      closeFrame(1000, '', keyed),
    )
    await untilFrames(peer, 52)
    const { frames } = readFrames(Buffer.concat(peer.chunks))
    expect(frames.filter(({ opcode }) => opcode === OP.TEXT).map(({ text }) => text)).toEqual(
      Array.from({ length: 50 }, (_, i) => `message ${i}`),
    )
    // One for the replies; at most one more for what ends the connection.
    expect(peer.chunks.length).toBeLessThanOrEqual(2)
    // The third record is the close_notify of TLS.
    if (records !== null) expect(records()).toBeLessThanOrEqual(3)
  })
})

describe('one write for each connection', () => {
  it.each(WAYS)(
    'holds a broadcast and the messages to that connection alone: %s',
    async (_name, secure, directIo) => {
      const server = new WebSocketServer(secure ? { tls: SERVER_TLS } : { directIo })
      const sockets: ServerSocket[] = []
      server.route('/', { onOpen: (socket) => void sockets.push(socket) })
      cleanups.push(() => server.terminate())
      const { port } = await server.listen(0, '127.0.0.1')
      const peers = await Promise.all(
        Array.from({ length: 5 }, async () => {
          const peer = await (secure ? openRawTls(port) : openRaw(port))
          cleanups.push(() => peer.socket.destroy())
          peer.write(requestHead())
          await peer.readHead()
          return peer
        }),
      )
      while (sockets.length < 5) await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setTimeout(resolve, 20))
      for (const peer of peers) peer.chunks.length = 0
      for (let i = 0; i < 10; i++) {
        server.broadcast(`to all ${i}`)
        for (const socket of sockets) socket.send(`to one ${i}`)
      }
      await Promise.all(peers.map((peer) => untilFrames(peer, 20)))
      expect(peers.map(({ chunks }) => chunks.length)).toEqual([1, 1, 1, 1, 1])
      const texts = readFrames(Buffer.concat(peers[0]?.chunks ?? [])).frames.map(({ text }) => text)
      expect(texts).toEqual(Array.from({ length: 10 }, (_, i) => [`to all ${i}`, `to one ${i}`]).flat())
    },
  )
})

it('has the bytes that the server counts', async () => {
  const server = new WebSocketServer()
  const sockets: ServerSocket[] = []
  server.route('/', { onOpen: (socket) => void sockets.push(socket) })
  cleanups.push(() => server.terminate())
  const { port } = await server.listen(0, '127.0.0.1')
  const peer = await openRaw(port)
  cleanups.push(() => peer.socket.destroy())
  peer.write(requestHead())
  await peer.readHead()
  while (sockets.length < 1) await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 100; i++) sockets[0]?.send('x'.repeat(i))
  // 100 headers of 2 bytes, and 4,950 bytes of payload, after the head of the response.
  const frameBytes = 5_150
  await peer.until(() => (peer.unreadBytes >= frameBytes ? true : null))
  const { bytesSent } = server.stats()
  expect(bytesSent).toBe(Buffer.concat(peer.chunks).length)
})
