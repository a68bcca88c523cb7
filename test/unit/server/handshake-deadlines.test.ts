/** The deadlines of handshakes over TLS, with the sockets of node:tls. */
import type { AddressInfo, Socket } from 'node:net'
import { PassThrough, type Duplex } from 'node:stream'
import { connect, createServer, type Server, type TLSSocket } from 'node:tls'
import { HandshakeDeadlines } from '../../../src/server/handshake-deadlines.js'
import { monotonicNow } from '../../../src/transport/timer-wheel.js'
import { SERVER_TLS } from '../../helpers/certificates.js'

let server: Server
const clients: TLSSocket[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
  server.close()
})

interface Secured {
  readonly socket: TLSSocket
  readonly transport: Socket
  /** When TLS was done. */
  readonly at: number
}

/** Connects, and gives the server's side of it once its deadline knows that TLS is done. */
async function open(deadlines: HandshakeDeadlines): Promise<Secured> {
  const { port } = server.address() as AddressInfo
  let transport: Socket | undefined
  server.once('connection', (accepted: Socket) => {
    transport = accepted
    deadlines.acceptedForTls(accepted)
  })
  const secured = new Promise<Secured>((resolve) => {
    server.once('secureConnection', (socket) => {
      socket.on('error', () => undefined)
      const at = monotonicNow()
      deadlines.tlsDone(socket)
      resolve({ socket, transport: transport as Socket, at })
    })
  })
  const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  client.on('error', () => undefined)
  clients.push(client)
  return secured
}

beforeEach(async () => {
  server = createServer(SERVER_TLS)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

test('the time of each connection runs from its TCP accept, and is told once', async () => {
  const deadlines = new HandshakeDeadlines(60_000, () => undefined)
  // By the first one it is learnt how a TLS socket is found.
  for (let i = 0; i < 3; i++) {
    const before = monotonicNow()
    const { socket, at } = await open(deadlines)
    const startedAt = deadlines.requestReceived(socket)
    expect(startedAt).toBeGreaterThanOrEqual(before)
    expect(startedAt).toBeLessThan(at)
    expect(deadlines.requestReceived(socket)).toBeGreaterThanOrEqual(at)
  }
})

test('a connection whose TLS is done is late by its TLS socket, the first one and others', async () => {
  const late: Duplex[] = []
  let wasLate: () => void = () => undefined
  const deadlines = new HandshakeDeadlines(1000, (duplex) => {
    late.push(duplex)
    wasLate()
  })
  for (let i = 0; i < 2; i++) {
    const next = new Promise<void>((resolve) => (wasLate = resolve))
    const { socket } = await open(deadlines)
    await next
    expect(late[i]).toBe(socket)
  }
})

test('a connection that is over is late no more, in its TLS handshake and after it', async () => {
  const late: Duplex[] = []
  let wasLate: () => void = () => undefined
  const first = new Promise<void>((resolve) => (wasLate = resolve))
  const deadlines = new HandshakeDeadlines(1000, (duplex) => {
    late.push(duplex)
    wasLate()
  })
  for (let i = 0; i < 2; i++) {
    const { transport } = await open(deadlines)
    transport.destroy()
  }
  const { port } = server.address() as AddressInfo
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  clients.push(connect({ port, host: '127.0.0.1', rejectUnauthorized: false }).on('error', () => undefined))
  const transport = await accepted
  deadlines.acceptedForTls(transport)
  transport.destroy()
  // One that comes after them is the first to be late.
  const last = new PassThrough()
  deadlines.accepted(last)
  await first
  expect(late).toEqual([last])
})

test('all connections with TLS are cut, and none that is over is kept', async () => {
  const deadlines = new HandshakeDeadlines(60_000, () => undefined)
  const opened = [await open(deadlines), await open(deadlines)]
  const ends = opened.map(
    ({ socket }) =>
      new Promise<void>((resolve) =>
        socket.once('close', () => {
          resolve()
        }),
      ),
  )
  deadlines.cutTls()
  await Promise.all(ends)
  expect(opened.every(({ transport }) => transport.destroyed)).toBe(true)
  // A listener for each connection would be memory that it holds for its life.
  const [first, second] = opened.map(({ transport }) => transport.listeners('close').at(-1))
  expect(first).toBe(second)
})
