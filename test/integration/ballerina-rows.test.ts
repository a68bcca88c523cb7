/** The rows of what Hawser takes over from Ballerina's listener and services: each by its name, over real sockets. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  accept,
  closeWith,
  connect,
  reject,
  WebSocketServer,
  type ClientSocket,
  type ConnectOptions,
  type ServerOptions,
  type ServerService,
} from '../../src/index.js'
import { json, router } from '../../src/json/index.js'
import { CLIENT_TLS, DEMAND_CLIENT, SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { closeFrame, frame, KEY, OP } from '../helpers/frame-builder.js'
import { Journal } from '../helpers/journal.js'
import { upgradeRaw } from '../helpers/raw-peer.js'

const servers: WebSocketServer[] = []
const sockets: ClientSocket[] = []
const create = (options: ServerOptions = {}): WebSocketServer => {
  const server = new WebSocketServer(options)
  servers.push(server)
  return server
}
const join = async (url: string, options: ConnectOptions = {}): Promise<ClientSocket> => {
  const socket = await connect(url, options)
  sockets.push(socket)
  return socket
}
const listen = async (server: WebSocketServer): Promise<string> =>
  `ws://127.0.0.1:${String((await server.listen(0, '127.0.0.1')).port)}`
const open = async (service: ServerService, options: ServerOptions = {}): Promise<ClientSocket> => {
  const server = create(options)
  server.route('/', service)
  return join(await listen(server))
}
const refused = (url: string, options: ConnectOptions = {}): Promise<{ httpStatus: number }> =>
  join(url, options).then(
    () => ({ httpStatus: 101 }),
    (error: unknown) => error as { httpStatus: number },
  )
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate()
  for (const server of servers.splice(0)) server.terminate()
})

test('a server listens on a port of its own, or shares that of an HTTP server, and port 0 takes a free one', async () => {
  const server = create()
  server.route('/echo', { onMessage: (_, message) => message })
  const own = await server.listen(0, '127.0.0.1')
  expect(own.port).toBeGreaterThan(0)
  const http = createServer((_, response) => response.end('rest'))
  server.attach(http)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  for (const one of [own.port, port]) {
    const socket = await join(`ws://127.0.0.1:${String(one)}/echo`)
    socket.send('hi')
    expect(await socket.receive()).toBe('hi')
  }
  expect(await (await fetch(`http://127.0.0.1:${String(port)}/`)).text()).toBe('rest')
  await server.close()
  await new Promise((resolve) => http.close(resolve))
})

test('a listener uses TLS, and onUpgrade gets the certificate of the client', async () => {
  const server = create({ tls: { ...SERVER_TLS, ...DEMAND_CLIENT } })
  server.route('/', {
    onUpgrade: ({ certificate }) => accept({ data: certificate !== undefined }),
    onOpen: (socket) => void socket.send(`${String(socket.secure)} ${String(socket.data)}`),
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const socket = await join(`wss://localhost:${String(port)}/`, {
    tls: { ...TRUST_SERVER, ...CLIENT_TLS },
  })
  expect(await socket.receive()).toBe('true true')
})

test('several routes on one port read path and query parameters, and other paths get 404', async () => {
  const server = create()
  server.route('/chat/:room', {
    onOpen: (socket) => void socket.send(`${socket.params.room} ${socket.query.get('name') ?? ''}`),
  })
  server.route('/other', { onOpen: (socket) => void socket.send('other') })
  const url = await listen(server)
  expect(await (await join(`${url}/chat/dogs?name=ada`)).receive()).toBe('dogs ada')
  expect(await (await join(`${url}/other`)).receive()).toBe('other')
  expect((await refused(`${url}/none`)).httpStatus).toBe(404)
})

test('onUpgrade accepts with headers or rejects with a status, sync and async, and its error becomes a 500 without details', async () => {
  const errors: string[] = []
  const server = create({ onError: (error) => void errors.push(error.message) })
  server.route('/:how', {
    async onUpgrade({ params, query }) {
      if (query.has('async')) await tick()
      if (params.how === 'throw') throw new Error('secret')
      return params.how === 'no'
        ? reject(402, 'pay\n', { 'X-Why': 'money' })
        : accept({ headers: { 'X-Yes': '1' } })
    },
    onOpen: (socket) => void socket.send('in'),
  })
  server.route('/sync/no', { onUpgrade: () => reject(418) })
  const url = await listen(server)
  for (const query of ['', '?async']) {
    expect(await (await join(`${url}/yes${query}`)).receive()).toBe('in')
    expect((await refused(`${url}/no${query}`)).httpStatus).toBe(402)
    const thrown = await refused(`${url}/throw${query}`)
    expect(thrown.httpStatus).toBe(500)
    expect(JSON.stringify(thrown)).not.toContain('secret')
  }
  expect((await refused(`${url}/sync/no`)).httpStatus).toBe(418)
  expect(errors).toEqual(['secret', 'secret'])
})

test('the subprotocol is the first that the client lists and the server has', async () => {
  const server = create({ protocols: ['b', 'a'] })
  server.route('/', {})
  const url = await listen(server)
  expect((await join(url, { protocols: ['x', 'a', 'b'] })).protocol).toBe('a')
})

test('origins that are not listed get 403', async () => {
  const server = create({ origins: ['https://app.example', /\.test$/] })
  server.route('/', {})
  const url = await listen(server)
  const status = async (Origin: string): Promise<number> =>
    (await refused(url, { headers: { Origin } })).httpStatus
  expect(await status('https://app.example')).toBe(101)
  expect(await status('https://a.test')).toBe(101)
  expect(await status('https://evil.example')).toBe(403)
})

test('state of a connection is socket.data from accept, or lives in a function that makes the handlers', async () => {
  const server = create()
  server.route('/data/:name', {
    onUpgrade: ({ params }) => accept({ data: { name: params.name, count: 0 } }),
    onMessage: ({ data }) => `${data.name} ${String(++data.count)}`,
  })
  server.route('/made', () => {
    let count = 0
    return { onMessage: () => String(++count) }
  })
  const url = await listen(server)
  const [ada, bob, made] = await Promise.all([
    join(`${url}/data/ada`),
    join(`${url}/data/bob`),
    join(`${url}/made`),
  ])
  for (const socket of [ada, ada, bob, made]) socket.send('x')
  expect([await ada.receive(), await ada.receive(), await bob.receive(), await made.receive()]).toEqual([
    'ada 1',
    'ada 2',
    'bob 1',
    '1',
  ])
})

test('onOpen is awaited, and no message is delivered before it returns', async () => {
  const journal = new Journal()
  let go = (): void => undefined
  const gate = new Promise<void>((resolve) => (go = resolve))
  const socket = await open({
    async onOpen() {
      await gate
      journal.add('open')
    },
    onMessage: () => journal.add('message'),
  })
  socket.send('x')
  await tick()
  expect(journal.lines).toEqual([])
  go()
  await journal.until('message')
  expect(journal.lines).toEqual(['open', 'message'])
})

test('onTextMessage and onBinaryMessage; onMessage excludes both, by name', async () => {
  const socket = await open({
    onTextMessage: (_, text) => `text ${text}`,
    onBinaryMessage: (_, bytes) => `bytes ${String(bytes)}`,
  })
  socket.send('a')
  socket.send(Buffer.from('b'))
  expect([await socket.receive(), await socket.receive()]).toEqual(['text a', 'bytes b'])
  for (const other of ['onTextMessage', 'onBinaryMessage']) {
    expect(() => create().route('/', { onMessage: () => '', [other]: () => '' })).toThrow(
      `service has both onMessage and ${other}`,
    )
  }
})

test('a codec reads messages, and one that it cannot read closes with 1003', async () => {
  const socket = await open({
    codec: json(),
    onMessage: (_: unknown, message: unknown) => ({ got: message }),
  } as never)
  socket.send('{"a":1}')
  expect(await socket.receive()).toBe('{"got":{"a":1}}')
  socket.send('{')
  await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1003 })
})

test('a field of the message chooses the handler, and unknown values go to onUnknown (dispatcherKey)', async () => {
  const socket = await open(
    router('event', { subscribe: () => 'subscribed' }, { onUnknown: () => 'unknown' }) as never,
  )
  socket.send('{"event":"subscribe"}')
  socket.send('{"event":"onClose"}')
  expect([await socket.receive(), await socket.receive()]).toEqual(['"subscribed"', '"unknown"'])
})

test('the value that a handler returns is the reply: a string, bytes, a stream or a close', async () => {
  const socket = await open({
    onMessage: (_, message) =>
      message === 'string'
        ? 'text'
        : message === 'bytes'
          ? Buffer.from('raw')
          : message === 'stream'
            ? (async function* () {
                yield '1'
                await tick()
                yield '2'
              })()
            : closeWith(4000, 'bye'),
  })
  for (const message of ['string', 'bytes', 'stream']) socket.send(message)
  expect(await socket.receive()).toBe('text')
  expect(await socket.receive()).toEqual(Buffer.from('raw'))
  expect([await socket.receive(), await socket.receive()]).toEqual(['1', '2'])
  socket.send('close')
  await expect(socket.receive()).rejects.toMatchObject({ closeCode: 4000, reason: 'bye' })
})

test('messages are handled one at a time and in order, and control frames never wait', async () => {
  const journal = new Journal()
  const gates: (() => void)[] = []
  const socket = await open({
    onMessage: async (_, message) => {
      journal.add(`begin ${String(message)}`)
      await new Promise<void>((resolve) => gates.push(resolve))
      journal.add(`end ${String(message)}`)
    },
    onPing: () => journal.add('ping'),
  })
  socket.send('a')
  socket.send('b')
  socket.ping()
  await journal.until('ping')
  expect(journal.lines).toEqual(['begin a', 'ping'])
  gates[0]?.()
  await journal.until('begin b')
  gates[1]?.()
  await journal.until('end b')
  expect(journal.lines).toEqual(['begin a', 'ping', 'end a', 'begin b', 'end b'])
})

test('onPing and onPong observe, and pings are answered anyway', async () => {
  const journal = new Journal()
  const server = create()
  server.route('/', {
    onOpen: (socket) => void socket.ping('from here'),
    onPing: (_, data) => journal.add(`ping ${String(data)}`),
    onPong: (_, data) => journal.add(`pong ${String(data)}`),
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const peer = await upgradeRaw(port)
  expect((await peer.readFrame()).opcode).toBe(OP.PING)
  peer.write(
    frame({ opcode: OP.PING, payload: 'hi', key: KEY }),
    frame({ opcode: OP.PONG, payload: 'from here', key: KEY }),
  )
  expect(await peer.readFrame()).toMatchObject({ opcode: OP.PONG, payload: Buffer.from('hi') })
  await journal.until('pong from here')
  expect(journal.lines).toEqual(['ping hi', 'pong from here'])
  peer.socket.destroy()
})

test("onIdleTimeout closes with 1001 unless the handler returns 'keep'", async () => {
  let asked = 0
  const socket = await open(
    { onIdleTimeout: () => (++asked < 3 ? 'keep' : undefined) },
    { idleTimeoutMs: 10 },
  )
  await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1001 })
  expect(asked).toBe(3)
})

test('onClose is called exactly once, whichever side begins, and onError before it', async () => {
  const journal = new Journal()
  const server = create()
  server.route('/', {
    onMessage: (_, message) => (message === 'close' ? closeWith(4000) : undefined),
    onError: (_, error) => journal.add(`error ${(error as { code?: string }).code ?? ''}`),
    onClose: (_, info) => journal.add(`close ${info.code} ${info.initiator}`),
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const url = `ws://127.0.0.1:${String(port)}/`
  await (await join(url)).close(4001)
  await journal.until(1)
  ;(await join(url)).send('close')
  await journal.until(2)
  const peer = await upgradeRaw(port)
  peer.write(frame({ opcode: OP.TEXT, payload: 'unmasked' }))
  expect((await peer.readFrame()).payload.readUInt16BE()).toBe(1002)
  peer.write(closeFrame(1002, '', { key: KEY }))
  peer.end()
  await journal.until(4)
  expect(journal.lines).toEqual([
    'close 4001 remote',
    'close 4000 local',
    'error HAWSER_EXPECTED_MASK',
    'close 1002 engine',
  ])
  peer.socket.destroy()
})

test('close(code, reason, timeout) waits for the peer and is idempotent, and terminate cuts', async () => {
  const ends: unknown[] = []
  const server = create()
  const route = server.route('/', {
    onMessage: (socket) => void socket.close(4000, 'a').then((info) => ends.push(info)),
  })
  const socket = await join(await listen(server))
  const [there] = [...route.sockets]
  socket.send('x')
  await expect(socket.receive()).rejects.toMatchObject({ closeCode: 4000 })
  expect(await there?.close(4001, 'b', { timeoutMs: 5000 })).toMatchObject({
    code: 4000,
    wasClean: true,
  })
  const other = await join(`ws://127.0.0.1:${new URL(socket.url).port}/`)
  for (const one of route.sockets) one.terminate()
  await expect(other.receive()).rejects.toMatchObject({ closeCode: 1006 })
})

test('send, sendJson, ping and drained take the place of writeTextMessage, writeBinaryMessage, writeMessage and ping', async () => {
  const socket = await open({
    async onOpen(there) {
      expect(there.send('text')).toBe(true)
      there.send(Buffer.from('bytes'))
      there.sendJson({ a: 1 })
      expect([there.ping(), there.pong()]).toEqual([true, true])
      await there.drained()
    },
  })
  expect([await socket.receive(), String(await socket.receive()), await socket.receive()]).toEqual([
    'text',
    'bytes',
    '{"a":1}',
  ])
})

test('limits take the place of maxFrameSize and validation', async () => {
  const socket = await open({}, { limits: { maxFrameBytes: 10 } })
  socket.send('x'.repeat(11), { compress: false })
  await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1009 })
})

test('data, id, protocol, secure, readyState and request take the place of attributes, connection id, subprotocol, isSecure and isOpen', async () => {
  const socket = await open(
    {
      onOpen(there) {
        there.data = { any: 'thing' }
        there.sendJson([
          there.data,
          there.id.length,
          there.protocol,
          there.secure,
          there.readyState,
          there.remoteAddress,
          there.request?.url,
        ])
      },
    },
    { keepRequest: true },
  )
  expect(JSON.parse(String(await socket.receive()))).toEqual([
    { any: 'thing' },
    36,
    '',
    false,
    1,
    '127.0.0.1',
    '/',
  ])
})

test('compression is on by default, and one option turns it off', async () => {
  expect((await open({})).extensions).toContain('permessage-deflate')
  expect((await open({}, { perMessageDeflate: false })).extensions).toBe('')
})

test('onUpgrade decides about authentication', async () => {
  const server = create()
  server.route('/', {
    onUpgrade: ({ headers }) =>
      headers.get('Authorization') === 'Basic YWRhOnNlY3JldA=='
        ? accept()
        : reject(401, '', { 'WWW-Authenticate': 'Basic' }),
  })
  const url = await listen(server)
  expect((await refused(url)).httpStatus).toBe(401)
  expect((await refused(url.replace('//', '//ada:secret@'))).httpStatus).toBe(101)
})

test('close waits for all connections and terminate does not (gracefulStop, immediateStop)', async () => {
  const server = create()
  server.route('/', {})
  const url = await listen(server)
  const socket = await join(url)
  await server.close({ code: 1012, reason: 'restart', timeoutMs: 5000 })
  await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1012, reason: 'restart' })
  await expect(join(url)).rejects.toThrow()
})

test('unroute detaches a service without touching its connections', async () => {
  const server = create()
  server.route('/', { onMessage: (_, message) => message })
  const url = await listen(server)
  const socket = await join(url)
  expect([server.unroute('/'), server.unroute('/')]).toEqual([true, false])
  socket.send('here')
  expect(await socket.receive()).toBe('here')
  expect((await refused(url)).httpStatus).toBe(404)
})

test('metrics count requests, connections, messages and errors', async () => {
  const server = create()
  server.route('/', { onMessage: (_, message) => message })
  const url = await listen(server)
  const socket = await join(url)
  await refused(`${url}/none`)
  socket.send('x')
  await socket.receive()
  expect(server.stats()).toMatchObject({
    connections: 1,
    opened: 1,
    rejectedUpgrades: 1,
    messagesReceived: 1,
    messagesSent: 1,
    errors: 0,
  })
})
