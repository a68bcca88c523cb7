/** The rows of what Hawser takes over from Ballerina's clients: each by its name, over real sockets. */
import { z } from 'zod'
import {
  accept,
  connect,
  HandshakeError,
  reject,
  WebSocketServer,
  type ClientSocket,
  type ConnectOptions,
  type ServerService,
  type Service,
} from '../../src/index.js'
import { json } from '../../src/json/index.js'
import { CLIENT_TLS, DEMAND_CLIENT, SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { Journal } from '../helpers/journal.js'
import { acceptRaw, RawServer } from '../helpers/raw-peer.js'
import { serve, stopServing } from '../helpers/serving.js'
import { WebSocket } from '../../src/whatwg/index.js'

const sockets: ClientSocket[] = []
const raws: RawServer[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate()
  for (const raw of raws.splice(0)) await raw.close()
  stopServing()
})

/** A server of literal bytes. */
const serveRaw = async (...given: Parameters<typeof RawServer.start>): Promise<RawServer> => {
  const raw = await RawServer.start(...given)
  raws.push(raw)
  return raw
}

const open = async (service: ServerService, options: ConnectOptions = {}): Promise<ClientSocket> => {
  const { url } = await serve(service)
  const socket = (await connect(url, options)) as ClientSocket
  sockets.push(socket)
  return socket
}
const echo: ServerService = { onMessage: (_, message) => message }

test('receive, receiveText, receiveBinary, receiveJson(schema) and for await wait for one message each', async () => {
  const socket = await open(echo)
  const Price = z.object({ price: z.number() })
  for (const message of ['any', 'text', Buffer.from([1]), '{"price":2}', 'looped']) socket.send(message)
  expect(await socket.receive({ timeoutMs: 5000 })).toBe('any')
  expect(await socket.receiveText()).toBe('text')
  expect(await socket.receiveBinary()).toEqual(Buffer.from([1]))
  expect((await socket.receiveJson(Price)).price).toBe(2)
  for await (const message of socket) {
    expect(message).toBe('looped')
    break
  }
  expect(socket.readyState).toBe(1)
})

test('pings and closes are served while the queue, which is bounded in bytes, has room; then reading stops', async () => {
  const pongs = new Journal()
  let sent = 0
  const { url, server } = await serve({
    onPong: (_, data) => pongs.add(`pong ${data.toString()}`),
    onTextMessage: async (socket) => {
      socket.ping('first')
      for (; sent < 2000 && socket.readyState === 1; sent++) await socket.write(Buffer.alloc(64 * 1024))
    },
  })
  const socket = await connect(url, { limits: { maxQueuedBytes: 256 * 1024 }, perMessageDeflate: false })
  sockets.push(socket)
  socket.send('go')
  await pongs.until('pong first')
  let before = -1
  while (before !== sent) {
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  // The rest is in the systems' buffers, and the server waits.
  expect(sent).toBeLessThan(2000)
  for (let i = 0; i < 20; i++) expect((await socket.receiveBinary()).length).toBe(64 * 1024)
  const [peer] = server.sockets
  void peer?.close(4000)
  await expect(
    (async () => {
      for await (const message of socket) expect(message.length).toBe(64 * 1024)
    })(),
  ).rejects.toMatchObject({ closeCode: 4000 })
})

test("a client that only sends says incoming: 'discard' and lives", async () => {
  const socket = await open(echo, { incoming: 'discard', limits: { maxQueuedMessages: 2 } })
  for (let i = 0; i < 500; i++) await socket.write(`${i}`)
  expect(await socket.close(1000)).toMatchObject({ code: 1000, wasClean: true })
})

test('a read after or during closure rejects with ConnectionClosedError, with code and reason; every waiting read gets it', async () => {
  const socket = await open({
    onMessage: (peer) => void peer.close(4001, 'enough'),
  })
  const reads = [socket.receive(), socket.receiveText(), socket.receiveBinary(), socket.receiveJson()]
  socket.send('close')
  const wanted = { name: 'ConnectionClosedError', closeCode: 4001, reason: 'enough' }
  for (const read of reads) await expect(read).rejects.toMatchObject(wanted)
  await expect(socket.receive()).rejects.toMatchObject(wanted)
})

test('readTimeout: the read fails, the connection lives and a late message goes to the next read', async () => {
  const socket = await open(echo)
  await expect(socket.receive({ timeoutMs: 5 })).rejects.toMatchObject({ name: 'TimeoutError' })
  socket.send('late')
  expect(await socket.receive()).toBe('late')
})

test('a write during or after closure rejects with ConnectionClosedError; before it resolves when the transport took it', async () => {
  const socket = await open(echo)
  await socket.write('taken')
  expect(socket.bufferedAmount).toBe(0)
  expect(await socket.receive()).toBe('taken')
  const closed = socket.close(1000, 'done')
  await expect(socket.write('during')).rejects.toMatchObject({
    name: 'ConnectionClosedError',
    closeCode: 1000,
    reason: 'done',
  })
  await closed
  await expect(socket.write('after')).rejects.toMatchObject({ name: 'ConnectionClosedError' })
  expect(socket.send('after')).toBe(false)
})

test('AsyncClient: connect(url, { handlers: service }) takes the full set of callbacks, of the same type as the server', async () => {
  const journal = new Journal()
  const service: Service<ClientSocket> = {
    onOpen: () => journal.add('open'),
    onTextMessage: (_, text) => {
      journal.add(text)
      return 'a reply'
    },
    onBinaryMessage: (_, bytes) => journal.add(`${bytes.length} bytes`),
    onPing: (_, data) => journal.add(`ping ${data.toString()}`),
    onPong: (_, data) => journal.add(`pong ${data.toString()}`),
    onClose: (_, { code }) => journal.add(`closed ${code}`),
  }
  const { url } = await serve({
    onOpen: (peer) => void (peer.ping('p'), peer.pong('q'), peer.send('text'), peer.send(Buffer.alloc(3))),
    onTextMessage: (peer, text) => void peer.close(4000, text),
  })
  const socket = await connect(url, { handlers: service })
  expect((await socket.closed).reason).toBe('a reply')
  await journal.until('closed 4000')
  expect(journal.lines).toEqual(['open', 'ping p', 'pong q', 'text', '3 bytes', 'closed 4000'])
})

test('AsyncClient: what a handler throws is reported to onError, and connect rejects when onOpen throws', async () => {
  const { url } = await serve(echo)
  const journal = new Journal()
  const socket = await connect(url, {
    handlers: {
      onMessage: () => {
        throw new Error('thrown')
      },
      onError: (_, error) => journal.add(`error ${error.message}`),
    },
  })
  socket.send('a')
  expect((await socket.closed).code).toBe(1011)
  expect(journal.lines).toEqual(['error thrown'])
  const failing = connect(url, { handlers: { onOpen: () => Promise.reject(new Error('not open')) } })
  await expect(failing).rejects.toThrow('not open')
})

test('AsyncClient: handlers have a codec as on the server, and its type', async () => {
  const { url } = await serve(echo)
  const sums: number[] = []
  const socket = await connect(url, {
    data: { from: 1 },
    handlers: {
      codec: json(z.object({ by: z.number() })),
      onMessage: (self, { by }) => {
        sums.push(self.data.from + by)
        return by < 3 ? { by: by + 1 } : void self.close(1000)
      },
    },
  })
  socket.sendJson({ by: 2 })
  await socket.closed
  expect(sums).toEqual([3, 4])
})

test('a synchronous Client with a PingPongService: handlers without a message handler leave receive and for await', async () => {
  const journal = new Journal()
  const socket = await open(
    { onOpen: (peer) => void (peer.ping('p'), peer.pong('q'), peer.send('a'), peer.send('b'), peer.close()) },
    {
      handlers: {
        onPing: (_, data) => journal.add(`ping ${data.toString()}`),
        onPong: (_, data) => journal.add(`pong ${data.toString()}`),
      },
    },
  )
  expect(await socket.receive()).toBe('a')
  for await (const message of socket) expect(message).toBe('b')
  expect(journal.lines).toEqual(['ping p', 'pong q'])
})

test('custom headers, also of an async function, cookies, subprotocols and URL credentials as basic auth', async () => {
  const seen: (string | undefined)[] = []
  const server = new WebSocketServer({ protocols: ['b'] })
  server.route('/', {
    onUpgrade: ({ headers }) => {
      seen.push(...['x-team', 'cookie', 'authorization'].map((name) => headers.get(name) ?? undefined))
      return accept()
    },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const socket = await connect(`ws://user:secret@127.0.0.1:${String(port)}/`, {
    headers: () => Promise.resolve({ 'X-Team': 'blue', Cookie: ['a=1', 'b=2'] }),
    protocols: ['a', 'b'],
  })
  expect(seen).toEqual(['blue', 'a=1; b=2', `Basic ${Buffer.from('user:secret').toString('base64')}`])
  expect(socket.protocol).toBe('b')
  await socket.close()
  await server.close()
})

test('getHttpResponse, also of a failed handshake: HandshakeError.response has status, headers and the start of the body', async () => {
  const { url } = await serve({ onUpgrade: () => reject(503, 'later', { 'Retry-After': '3' }) })
  const error: unknown = await connect(url).catch((one: unknown) => one)
  expect(error).toBeInstanceOf(HandshakeError)
  const { response } = error as HandshakeError
  expect(response?.status).toBe(503)
  expect(response?.headers).toContainEqual(['Retry-After', '3'])
  expect(Buffer.from(response?.body ?? []).toString()).toBe('later')
})

test('writeTimeout, sendTimeoutMs of a client: a server that takes too little within it is cut, and the write fails', async () => {
  const { url } = await serveRaw(async (peer) => {
    await acceptRaw(peer)
    peer.pause()
  })
  const errors = new Journal()
  const socket = await connect(url, {
    perMessageDeflate: false,
    sendTimeoutMs: 100,
    limits: { maxBufferedOutputBytes: Infinity },
    handlers: {
      onError: (_, error) => errors.add((error as { readonly code?: string }).code ?? error.message),
    },
  })
  sockets.push(socket)
  // More than the systems' buffers take.
  const written = socket.write(Buffer.alloc(32 * 1024 * 1024))
  await expect(written).rejects.toMatchObject({ name: 'ConnectionClosedError', closeCode: 1006 })
  expect(await socket.closed).toMatchObject({ code: 1006, wasClean: false, initiator: 'engine' })
  expect(errors.lines).toEqual(['HAWSER_SEND_TIMEOUT'])
})

test('writeTimeout for one message: the write rejects with a TimeoutError, and the connection lives', async () => {
  const { url } = await serveRaw(async (peer) => {
    await acceptRaw(peer)
    peer.pause()
  })
  const socket = await connect(url, { perMessageDeflate: false })
  sockets.push(socket)
  const written = socket.write(Buffer.alloc(32 * 1024 * 1024), { timeoutMs: 50 })
  await expect(written).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(socket.readyState).toBe(1)
})

test('handshake timeout: handshakeTimeoutMs in total, the headers function among it', async () => {
  const silent = await serveRaw(() => undefined)
  const error: unknown = await connect(silent.url, { handshakeTimeoutMs: 50 }).catch((one: unknown) => one)
  expect(error).toMatchObject({ code: 'HAWSER_HANDSHAKE_TIMEOUT', httpStatus: undefined })
  const waiting = connect(silent.url, { handshakeTimeoutMs: 50, headers: () => new Promise(() => undefined) })
  await expect(waiting).rejects.toMatchObject({ code: 'HAWSER_HANDSHAKE_TIMEOUT' })
})

test('TLS: tls trusts an authority and shows a certificate of the client; secure says so', async () => {
  const names: (string | undefined)[] = []
  const server = new WebSocketServer({ tls: { ...SERVER_TLS, ...DEMAND_CLIENT } })
  server.route('/', {
    onUpgrade: ({ certificate }) => {
      names.push(certificate?.subject.CN as string | undefined)
      return accept()
    },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const url = `wss://localhost:${String(port)}/`
  const socket = await connect(url, { tls: { ...TRUST_SERVER, ...CLIENT_TLS } })
  expect([names, socket.secure]).toEqual([['ada'], true])
  await socket.close()
  await expect(connect(url)).rejects.toMatchObject({ code: 'HAWSER_CONNECTION_FAILED' })
  await server.close()
})

test('max frame size: a frame beyond limits.maxFrameBytes ends the connection with 1009', async () => {
  const socket = await open(
    { onMessage: () => Buffer.alloc(2000) },
    { limits: { maxFrameBytes: 1000 }, perMessageDeflate: false },
  )
  socket.send('give')
  expect(await socket.closed).toMatchObject({ code: 1009, initiator: 'engine' })
})

test('compression: perMessageDeflate is on, has options, and false turns it off', async () => {
  const { url } = await serve(echo)
  const agreed = async (perMessageDeflate: ConnectOptions['perMessageDeflate']): Promise<string> => {
    const socket = await connect(url, perMessageDeflate === undefined ? {} : { perMessageDeflate })
    sockets.push(socket)
    const text = 'again and again '.repeat(200)
    socket.send(text)
    expect(await socket.receive()).toBe(text)
    return socket.extensions
  }
  expect(await agreed(undefined)).toBe('permessage-deflate')
  expect(await agreed({ clientNoContextTakeover: true })).toBe(
    'permessage-deflate; client_no_context_takeover',
  )
  expect(await agreed(false)).toBe('')
})

test('getHttpResponse of a handshake that succeeded: responseHeaders, protocol and extensions', async () => {
  const { url } = await serve({ onUpgrade: () => accept({ headers: { 'Set-Cookie': ['a=1', 'b=2'] } }) })
  const socket = await connect(url)
  sockets.push(socket)
  expect(socket.responseHeaders.getAll('Set-Cookie')).toEqual(['a=1', 'b=2'])
})

test('retryConfig: reconnect has the interval, the factor, the longest wait and the count; an event tells each attempt', async () => {
  let connections = 0
  const { url, server } = await serve({
    onUpgrade: () => (++connections === 2 ? reject(503, '', { 'Retry-After': '0' }) : accept()),
    onOpen: (peer) => void peer.send(`connection ${connections}`),
  })
  const attempts: number[] = []
  const socket = await connect(url, {
    reconnect: {
      ...{ minDelayMs: 1, maxDelayMs: 4, factor: 2, jitter: 0, maxAttempts: 5 },
      onReconnecting: ({ attempt }) => attempts.push(attempt),
      shouldReconnect: ({ close }) => (close?.code === 4000 ? true : undefined),
    },
  })
  sockets.push(socket)
  expect(await socket.receive()).toBe('connection 1')
  for (const peer of server.sockets) void peer.close(4000)
  expect(await socket.receive()).toBe('connection 3')
  expect(attempts).toEqual([1, 2])
  await socket.close()
})

test('failover over several URLs: the next one is tried when one cannot be reached', async () => {
  const { url } = await serve(echo)
  const gone = await serveRaw(() => undefined)
  const dead = gone.url
  await gone.close()
  const socket = await connect([dead, url], { reconnect: { retryFirst: true, minDelayMs: 1, maxDelayMs: 2 } })
  sockets.push(socket)
  expect(socket.url).toBe(url)
  socket.send('here')
  expect(await socket.receive()).toBe('here')
  await socket.close()
})

test("the browser's own API: WebSocket of hawser/whatwg has its events, binaryType and bufferedAmount", async () => {
  const { url } = await serve(echo)
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  const events: string[] = []
  socket.onopen = () => {
    socket.send('text')
    socket.send(Uint8Array.of(1, 2))
    events.push(`open ${String(socket.bufferedAmount)}`)
  }
  socket.onmessage = ({ data }) => {
    events.push(typeof data === 'string' ? data : `${(data as ArrayBuffer).byteLength} bytes`)
    if (typeof data !== 'string') socket.close(1000, 'done')
  }
  await new Promise<void>((resolve) => {
    socket.onclose = ({ code, wasClean }) => {
      events.push(`close ${String(code)} ${String(wasClean)}`)
      resolve()
    }
  })
  expect(events).toEqual(['open 6', 'text', '2 bytes', 'close 1000 true'])
})
