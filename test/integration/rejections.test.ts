// slow: timers must run out, by every way into a server
/** A rejection leaves whole before the connection ends, and a handshake has its time once, whichever way it comes in. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import {
  connect as connectTcp,
  createServer as createTcpServer,
  type AddressInfo,
  type Socket,
} from 'node:net'
import { connect as connectTls } from 'node:tls'
import { accept, reject, WebSocketServer, type ServerOptions } from '../../src/index.js'
import { handleKit, takeHandle } from '../../src/native/socket-handle.js'
import { HandleTransport } from '../../src/transport/handle-transport.js'
import { writeAndEnd } from '../../src/socket/handshake-io.js'
import { DirectUpgrade } from '../../src/server/direct-upgrade.js'
import { coreOfServer } from '../../src/server/websocket-server.js'
import { monotonicNow } from '../../src/transport/timer-wheel.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { RawPeer, requestHead } from '../helpers/raw-peer.js'
import { isNativeOn } from '../../src/native/native-switch.js'

const cleanups: (() => unknown)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

const WAYS = ['own by handle', 'own by stream', 'own with TLS', 'attach'] as const
type Way = (typeof WAYS)[number]

async function start(way: Way, server: WebSocketServer): Promise<number> {
  cleanups.push(() => server.terminate())
  if (way !== 'attach') return (await server.listen(0, '127.0.0.1')).port
  const http = createServer()
  server.attach(http)
  cleanups.push(() => http.close())
  await once(http.listen(0, '127.0.0.1'), 'listening')
  return (http.address() as AddressInfo).port
}

const optionsOf = (way: Way): ServerOptions => ({
  directIo: way !== 'own by stream',
  ...(way === 'own with TLS' ? { tls: SERVER_TLS } : {}),
})

async function openSocket(way: Way, port: number): Promise<Socket> {
  const given = { port, host: '127.0.0.1', allowHalfOpen: true }
  const socket =
    way === 'own with TLS'
      ? connectTls({ ...given, servername: 'localhost', ...TRUST_SERVER })
      : connectTcp(given)
  cleanups.push(() => socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, way === 'own with TLS' ? 'secureConnect' : 'connect')
  return socket
}

/** More than the buffers of a loopback connection hold. */
const BODY_BYTES = 24 << 20

describe.each(WAYS)('%s: a large rejection', (way) => {
  it('arrives whole when the peer ends its side at once and reads late', async () => {
    const server = new WebSocketServer(optionsOf(way))
    server.route('/', { onUpgrade: () => reject(403, Buffer.alloc(BODY_BYTES, 'z')) })
    const socket = await openSocket(way, await start(way, server))
    socket.pause()
    socket.end(requestHead())
    await new Promise((resolve) => setTimeout(resolve, 100))
    let count = 0
    socket.on('data', (chunk: Buffer) => (count += chunk.length))
    socket.resume()
    await once(socket, 'close')
    expect(count).toBeGreaterThan(BODY_BYTES)
  })
})

/** Both ends of a connection. */
async function pair(): Promise<[near: Socket, far: Socket]> {
  const server = createTcpServer({ allowHalfOpen: true })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const far = connectTcp({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  })
  const [near] = (await once(server, 'connection')) as [Socket]
  server.close()
  cleanups.push(
    () => near.destroy(),
    () => far.destroy(),
  )
  far.on('error', () => undefined)
  return [near, far]
}

const LINGER_MS = 150

/** Rejects over one end, by the handle or by the stream, with a linger time that a test can wait for. */
function rejectOver(way: string, near: Socket, response: Uint8Array): void {
  if (way === 'stream') {
    writeAndEnd(near, response, LINGER_MS)
    return
  }
  expect(handleKit()).not.toBeNull()
  const handle = takeHandle(near)
  if (handle === null) throw new Error('no handle')
  const core = coreOfServer(new WebSocketServer())
  const transport = new HandleTransport(handle, near)
  new DirectUpgrade(core, '/', transport, new Uint8Array(0), monotonicNow(), LINGER_MS).writeRejection(
    response,
  )
}

describe.each(isNativeOn ? ['handle', 'stream'] : ['stream'])('a rejection by the %s', (way) => {
  it('is sent for longer than the linger time to a peer that reads slowly and steadily', async () => {
    const [near, far] = await pair()
    far.pause()
    rejectOver(way, near, Buffer.alloc(BODY_BYTES, 'z'))
    let count = 0
    let isEnded = false
    far.once('end', () => (isEnded = true))
    far.once('close', () => (isEnded = true))
    const startedAt = performance.now()
    while (!isEnded) {
      const chunk = far.read() as Buffer | null
      count += chunk?.length ?? 0
      // About 64 KiB at a time for the first ten turns, then as it comes.
      await new Promise((resolve) =>
        setTimeout(resolve, performance.now() - startedAt < 5 * LINGER_MS ? 10 : 0),
      )
    }
    expect(performance.now() - startedAt).toBeGreaterThan(4 * LINGER_MS)
    expect(count).toBe(BODY_BYTES)
  })

  it('is cut when the peer reads nothing of it', async () => {
    const [near, far] = await pair()
    far.pause()
    const startedAt = performance.now()
    rejectOver(way, near, Buffer.alloc(BODY_BYTES, 'z'))
    await once(near, 'close')
    expect(performance.now() - startedAt).toBeLessThan(60 * LINGER_MS)
  })
})

describe.each(WAYS.slice(0, 3))('%s: the timeout of a handshake', (way) => {
  it('runs from the accept on, over head and decision together', async () => {
    const server = new WebSocketServer({ ...optionsOf(way), handshakeTimeoutMs: 1_200 })
    server.route('/', {
      // Less than the timeout as well: only all of it together is too long.
      onUpgrade: async () => {
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        return accept()
      },
    })
    const port = await start(way, server)
    const startedAt = performance.now()
    const peer = new RawPeer(await openSocket(way, port))
    const head = requestHead()
    // Silent for a while, then half a head, then the rest: together less than the timeout.
    await new Promise((resolve) => setTimeout(resolve, 400))
    peer.write(head.slice(0, 40))
    await new Promise((resolve) => setTimeout(resolve, 400))
    peer.write(head.slice(40))
    expect((await peer.readHead()).status).toBe(408)
    expect(performance.now() - startedAt).toBeLessThan(6_000)
  })

  it('ends half a head with 408', async () => {
    const server = new WebSocketServer({ ...optionsOf(way), handshakeTimeoutMs: 600 })
    const port = await start(way, server)
    const startedAt = performance.now()
    const peer = new RawPeer(await openSocket(way, port))
    await new Promise((resolve) => setTimeout(resolve, 400))
    peer.write(requestHead().slice(0, 40))
    expect((await peer.readHead()).status).toBe(408)
    expect(performance.now() - startedAt).toBeLessThan(6_000)
  })
})
