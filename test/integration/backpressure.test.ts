// slow: slow networks, in both directions
/** docs/backpressure.md, "How to send much": send, drained, onDrain and streams, over a network with a rate. */
import {
  connect,
  WebSocketServer,
  type ClientSocket,
  type ConnectOptions,
  type ServerOptions,
  type ServerService,
  type ServerSocket,
} from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { FaultProxy } from '../helpers/fault-proxy.js'
import {
  afterwards,
  ENDS,
  gate,
  KIB,
  MIB,
  open,
  pause,
  stopAll,
  until,
  WAYS,
  type Way,
} from '../helpers/liveness.js'

afterEach(stopAll)

interface Line {
  readonly server: WebSocketServer
  readonly proxy: FaultProxy
  readonly client: ClientSocket
  readonly socket: ServerSocket
}

/** A server and a client of Hawser's own, and between them a network that lets so much through. */
async function line(
  way: Way,
  bytesPerSecond: number,
  service: ServerService = {},
  options: ServerOptions = {},
  clientOptions: ConnectOptions = {},
): Promise<Line> {
  const isTls = way === 'over TLS'
  const shared = { directIo: way !== 'by the stream', perMessageDeflate: false }
  const server = new WebSocketServer({ ...shared, ...options, ...(isTls ? { tls: SERVER_TLS } : {}) })
  afterwards(() => server.terminate())
  const { opened, open: tell } = gate<ServerSocket>()
  server.route('/', { ...service, onOpen: (socket: ServerSocket) => tell(socket) })
  const { port } = await server.listen(0, '127.0.0.1')
  const proxy = await FaultProxy.to(port)
  afterwards(() => proxy.close())
  const client = await connect<unknown>(`${isTls ? 'wss' : 'ws'}://localhost:${proxy.port}/`, {
    ...shared,
    ...clientOptions,
    ...(isTls ? { tls: { ...TRUST_SERVER, host: '127.0.0.1' } } : {}),
  })
  afterwards(() => client.terminate())
  proxy.bytesPerSecond = bytesPerSecond
  return { server, proxy, client, socket: await opened }
}

const row = (i: number): string => `${i}:`.padEnd(16 * KIB, 'r')
const numberOf = (message: string | Buffer): number => Number.parseInt(String(message), 10)

describe.each(WAYS)('over a network of 24 MB/s, %s', (way) => {
  const COUNT = 1_000

  it('a loop that awaits drained sends all rows in order, and never queues more than the high-water mark and one row', async () => {
    const { socket, client } = await line(way, 24 * MIB)
    let most = 0
    let waits = 0
    const sending = (async () => {
      for (let i = 0; i < COUNT; i++) {
        if (!socket.send(row(i))) {
          waits++
          most = Math.max(most, socket.bufferedAmount)
          await socket.drained({ signal: socket.signal })
        }
      }
      await socket.close(1000)
    })()
    let next = 0
    for await (const message of client) expect(numberOf(message)).toBe(next++)
    await sending
    expect(next).toBe(COUNT)
    expect(waits).toBeGreaterThan(3)
    // By the stream and over TLS what is on its way is up to 64 KiB more.
    expect(most).toBeLessThanOrEqual(64 * KIB + 64 * KIB + 2 * 17 * KIB)
  })

  it("a client's loop that awaits drained sends all rows in order to the server", async () => {
    const got: number[] = []
    const { client } = await line(way, 24 * MIB, {
      onTextMessage: (_, text) => void got.push(numberOf(text)),
    })
    for (let i = 0; i < COUNT; i++) if (!client.send(row(i))) await client.drained({ signal: client.signal })
    expect(await client.close(1000)).toMatchObject({ code: 1000, wasClean: true, unsentBytes: 0 })
    expect(got).toEqual(Array.from({ length: COUNT }, (_, i) => i))
  })

  it('the parts of an async iterable that a handler returns wait for room by themselves', async () => {
    let most = 0
    const { client } = await line(way, 24 * MIB, {
      async *onTextMessage(socket, text) {
        for (let i = 0; i < Number(text); i++) {
          await Promise.resolve()
          most = Math.max(most, socket.bufferedAmount)
          yield row(i)
        }
      },
    })
    client.send(String(COUNT))
    for (let i = 0; i < COUNT; i++) expect(numberOf(await client.receive({ timeoutMs: 8_000 }))).toBe(i)
    expect(most).toBeLessThanOrEqual(64 * KIB + 2 * 17 * KIB)
    expect(await client.close(1000)).toMatchObject({ wasClean: true })
  })

  it('onDrain is called once for each time that send returned false', async () => {
    const log: string[] = []
    const { socket, client } = await line(way, 24 * MIB, {
      onDrain: (of) => void log.push(`drain ${of.bufferedAmount <= 64 * KIB}`),
    })
    const reading = (async () => {
      for (let i = 0; i < 3; i++) await client.receive({ timeoutMs: 8_000 })
    })()
    for (let i = 0; i < 3; i++) {
      expect(socket.send(Buffer.alloc(6 * MIB))).toBe(false)
      await until('the drain', () => log.length === i + 1)
      expect(socket.send('')).toBe(true)
      await client.receive({ timeoutMs: 8_000 }).catch(() => undefined)
    }
    await reading
    await pause(30)
    expect(log).toEqual(['drain true', 'drain true', 'drain true'])
  })
})

describe.each(WAYS)('over a network that fails, %s', (way) => {
  it('drained waits while the network stalls, and resolves when it goes on', async () => {
    const { socket, client, proxy } = await line(way, Infinity)
    proxy.bytesPerSecond = 0
    let isDrained = false
    socket.send(Buffer.alloc(16 * MIB))
    const drained = socket.drained().then(() => (isDrained = true))
    await pause(200)
    expect(isDrained).toBe(false)
    proxy.bytesPerSecond = Infinity
    expect(await client.receive({ timeoutMs: 8_000 })).toHaveLength(16 * MIB)
    expect(await drained).toBe(true)
  })

  it('a network that stalls for sendTimeoutMs makes drained reject, aborts the signal, and closes with 1006', async () => {
    const { socket, proxy } = await line(way, Infinity, {}, { sendTimeoutMs: 300 })
    proxy.bytesPerSecond = 0
    socket.send(Buffer.alloc(24 * MIB))
    await expect(socket.drained({ signal: socket.signal })).rejects.toMatchObject({
      name: 'ConnectionClosedError',
      closeCode: 1006,
    })
    expect(socket.signal.aborted).toBe(true)
    const info = await socket.closed
    expect(info).toMatchObject({ code: 1006, wasClean: false, initiator: 'engine' })
    expect(info.unsentBytes).toBeGreaterThan(MIB)
  })

  it('drained and closed settle at both ends when the network is cut', async () => {
    const { socket, client, proxy } = await line(way, 8 * MIB)
    socket.send(Buffer.alloc(16 * MIB))
    const drained = socket.drained().catch((error: unknown) => (error as Error).name)
    const received = client.receive().catch((error: unknown) => (error as Error).name)
    await pause(100)
    proxy.reset()
    expect(await drained).toBe('ConnectionClosedError')
    expect(await received).toBe('ConnectionClosedError')
    expect(await socket.closed).toMatchObject({ code: 1006, wasClean: false })
    expect(await client.closed).toMatchObject({ code: 1006, wasClean: false })
    expect(client.signal.aborted).toBe(true)
  })
})

describe.each(ENDS)('the mark and the limits, %s, %s', (...end) => {
  it('send returns true up to the high-water mark and false above it, and takes the message in both cases', async () => {
    const { socket, peer } = await open(end, {}, { limits: { highWaterMarkBytes: 32 * KIB } })
    expect(socket.send('x')).toBe(true)
    await pause(20)
    expect(socket.bufferedAmount).toBe(0)
    // On its way: more than any system takes of it at once.
    expect(socket.send(Buffer.alloc(8 * MIB))).toBe(false)
    expect(socket.send('y')).toBe(false)
    peer.readAll()
    await socket.drained()
    expect(socket.send('z')).toBe(true)
    await peer.frame(({ text }) => text === 'z')
    expect(peer.frames.map(({ length }) => length)).toEqual([1, 8 * MIB, 1, 1])
  })

  it('drained rejects after timeoutMs and by its signal, and leaves the connection open', async () => {
    const { socket } = await open(end)
    socket.send(Buffer.alloc(MIB))
    await expect(socket.drained({ timeoutMs: 20 })).rejects.toMatchObject({ name: 'TimeoutError' })
    const reason = new Error('enough')
    await expect(socket.drained({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(socket.readyState).toBe(1)
  })

  it('no message is refused while the caller awaits drained after each false, however small the limit', async () => {
    const { socket, peer, journal } = await open(
      end,
      {},
      {
        limits: { maxBufferedOutputBytes: KIB, highWaterMarkBytes: KIB },
      },
    )
    peer.do({ do: 'read', bytes: 64 * KIB, everyMs: 1 })
    for (let i = 0; i < 60; i++) if (!socket.send(row(i))) await socket.drained({ timeoutMs: 5_000 })
    await until('all came', () => peer.frames.length === 60)
    expect(journal.lines).toEqual([])
  })
})
