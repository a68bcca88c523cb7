import { once } from 'node:events'
import { createServer, type Server, type Socket as TcpSocket } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AddressInfo } from 'node:net'
import { connect, HandshakeError, WebSocketServer, type ClientSocket } from '../../src/index.js'
import { computeAccept } from '../../src/handshake/index.js'
import { frame, OP } from '../helpers/frame-builder.js'
import { HAS_UNIX_SOCKETS } from '../helpers/systems.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A TCP server that hands each request head to the test. */
async function listenRaw(
  answer: (socket: TcpSocket, head: string) => void,
): Promise<{ url: string; server: Server }> {
  const sockets = new Set<TcpSocket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    let head = ''
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      socket.off('data', onData)
      answer(socket, head)
      socket.resume()
    }
    socket.on('data', onData)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `ws://127.0.0.1:${String((server.address() as AddressInfo).port)}`, server }
}

const keyOf = (head: string): string => /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1] ?? ''
const accepted = (head: string, more = ''): string =>
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  `Sec-WebSocket-Accept: ${computeAccept(keyOf(head))}\r\n${more}\r\n`

async function serve(
  options: ConstructorParameters<typeof WebSocketServer>[0] = {},
): Promise<{ server: WebSocketServer; url: string }> {
  const server = new WebSocketServer(options)
  const { port } = await server.listen(0, '127.0.0.1')
  cleanups.push(() => server.close({ timeoutMs: 100 }))
  return { server, url: `ws://127.0.0.1:${String(port)}` }
}

const failure = async (attempt: Promise<ClientSocket>): Promise<HandshakeError> => {
  const error: unknown = await attempt.then(
    () => new Error('it connected'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(HandshakeError)
  return error as HandshakeError
}

describe('connect: the request (RFC 6455 section 4.1)', () => {
  test('connect sends the path, headers and subprotocols that the caller gives', async () => {
    let seen = ''
    const { url } = await listenRaw((socket, head) => {
      seen = head
      socket.write(accepted(head, 'Sec-WebSocket-Protocol: b\r\n'))
    })
    const socket = await connect(`${url.replace('//', '//us:pw@')}/a?b=c`, {
      protocols: ['a', 'b'],
      origin: 'https://app.example',
      headers: () => Promise.resolve({ Cookie: 'x=1' }),
    })
    const { port } = new URL(url)
    expect(seen.split('\r\n')).toEqual([
      'GET /a?b=c HTTP/1.1',
      `Host: 127.0.0.1:${port}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      expect.stringMatching(/^Sec-WebSocket-Key: [A-Za-z0-9+/]{22}==$/),
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: a, b',
      'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
      'Origin: https://app.example',
      'Cookie: x=1',
      `Authorization: Basic ${Buffer.from('us:pw').toString('base64')}`,
      '',
      '',
    ])
    expect(socket).toMatchObject({
      url: `${url}/a?b=c`,
      protocol: 'b',
      extensions: '',
      secure: false,
      remoteAddress: '127.0.0.1',
      readyState: 1,
      bufferedAmount: 0,
    })
    socket.terminate()
  })

  test("connect prefers the caller's Authorization header to the credentials of the URL", async () => {
    let seen = ''
    const { url } = await listenRaw((socket, head) => {
      seen = head
      socket.write(accepted(head))
    })
    const socket = await connect(url.replace('//', '//us:pw@'), { headers: [['authorization', 'Bearer t']] })
    expect(seen.match(/authorization: .*/gi)).toEqual(['authorization: Bearer t'])
    socket.terminate()
  })

  if (HAS_UNIX_SOCKETS)
    test('connect works over a Unix socket', async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'hawser-unix-'))
      cleanups.push(() => {
        rmSync(folder, { recursive: true })
      })
      const server = new WebSocketServer()
      server.route('/chat', { onTextMessage: (socket, text) => `${socket.url} ${text}` })
      const http = createHttpServer()
      server.attach(http)
      const file = path.join(folder, 'app.sock')
      http.listen(file)
      await once(http, 'listening')
      cleanups.push(() => new Promise((resolve) => http.close(resolve)))
      cleanups.push(() => server.close({ timeoutMs: 100 }))
      const socket = await connect(`ws+unix:${file}:/chat?x=1`)
      socket.send('hi')
      await expect(socket.receive()).resolves.toBe('/chat?x=1 hi')
      expect(socket.remoteAddress).toBe('')
      await socket.close()
    })
})

describe('connect: the response', () => {
  test('a message in the same segment as the 101 reaches readers and handlers', async () => {
    const { url } = await listenRaw((socket, head) => {
      socket.write(Buffer.concat([Buffer.from(accepted(head)), frame({ opcode: OP.TEXT, payload: 'early' })]))
    })
    const reader = await connect(url)
    await expect(reader.receive()).resolves.toBe('early')
    const got = await new Promise((resolve) => {
      void connect(url, { handlers: { onTextMessage: (_, text) => resolve(text) } })
    })
    expect(got).toBe('early')
    reader.terminate()
  })

  test('connect reads a response that arrives byte by byte after interim responses', async () => {
    const { url } = await listenRaw((socket, head) => {
      const bytes = Buffer.concat([
        Buffer.from('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'),
        Buffer.from(accepted(head)),
        frame({ opcode: OP.TEXT, payload: 'slow' }),
      ])
      socket.setNoDelay(true)
      let at = 0
      const step = (): void => {
        if (at < bytes.length) socket.write(bytes.subarray(at, ++at), () => setImmediate(step))
      }
      step()
    })
    const socket = await connect(url)
    await expect(socket.receive()).resolves.toBe('slow')
    socket.terminate()
  })

  test.each([
    [
      '401 with a body',
      'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nno!!!',
      401,
      'HAWSER_UNEXPECTED_STATUS',
      'no!!!',
    ],
    [
      '302: no redirect is followed',
      'HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n',
      302,
      'HAWSER_UNEXPECTED_STATUS',
      '',
    ],
    ['200', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 200, 'HAWSER_UNEXPECTED_STATUS', 'ok'],
  ])('connect rejects a response with status %s', async (_, response, status, code, body) => {
    const { url } = await listenRaw((socket) => socket.end(response))
    const error = await failure(connect(url))
    expect(error).toMatchObject({ code, httpStatus: status, response: { status } })
    expect(Buffer.from(error.response?.body ?? []).toString()).toBe(body)
  })

  test('the error keeps only the start of a long body', async () => {
    const { url } = await listenRaw((socket) => {
      socket.write('HTTP/1.1 500 Oops\r\n\r\n')
      socket.write(Buffer.alloc(1024 * 1024, 'x'))
    })
    const error = await failure(connect(url))
    expect(error.response).toMatchObject({ status: 500, statusText: 'Oops', headers: [] })
    expect(error.response?.body.length).toBe(16 * 1024)
  })

  test.each([
    [
      'an Accept that is wrong',
      'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n',
      '',
      'HAWSER_INVALID_ACCEPT',
    ],
    ['a subprotocol never offered', null, 'Sec-WebSocket-Protocol: other\r\n', 'HAWSER_UNEXPECTED_PROTOCOL'],
    [
      'an extension never offered',
      null,
      'Sec-WebSocket-Extensions: x-other\r\n',
      'HAWSER_UNEXPECTED_EXTENSION',
    ],
    [
      'permessage-deflate that breaks the offer',
      null,
      'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n',
      'HAWSER_UNEXPECTED_EXTENSION',
    ],
  ])('connect rejects %s', async (_, accept, more, code) => {
    const ended: Promise<unknown>[] = []
    const { url } = await listenRaw((socket, head) => {
      ended.push(once(socket, 'end'))
      const own = accepted(head, more)
      socket.write(accept === null ? own : own.replace(/Sec-WebSocket-Accept.*\r\n/, accept))
    })
    await expect(failure(connect(url))).resolves.toMatchObject({ code })
    await Promise.all(ended)
  })

  test.each([
    ['garbage', 'SSH-2.0-OpenSSH\r\n\r\n', 'HAWSER_MALFORMED_RESPONSE'],
    ['a head without end', `HTTP/1.1 101 Yes\r\nX: ${'x'.repeat(20_000)}`, 'HAWSER_RESPONSE_TOO_LARGE'],
  ])('connect rejects %s', async (_, response, code) => {
    const { url } = await listenRaw((socket) => socket.write(response))
    await expect(failure(connect(url))).resolves.toMatchObject({ code })
  })

  test.each([
    ['a FIN', (socket: TcpSocket) => socket.end()],
    ['a reset', (socket: TcpSocket) => socket.resetAndDestroy()],
    ['a FIN in the middle of the head', (socket: TcpSocket) => socket.end('HTTP/1.1 101')],
  ])('connect rejects when it gets %s instead of a response', async (_, answer) => {
    const { url } = await listenRaw(answer)
    await expect(failure(connect(url))).resolves.toMatchObject({
      code: 'HAWSER_CONNECTION_FAILED',
      httpStatus: undefined,
    })
  })

  test('connect rejects with the reason of the system when nobody listens', async () => {
    const { url, server } = await listenRaw(() => undefined)
    await new Promise((resolve) => server.close(resolve))
    const error = await failure(connect(url))
    expect(error.code).toBe('HAWSER_CONNECTION_FAILED')
    expect(error.message).toContain('ECONNREFUSED')
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('connect rejects a host name that does not resolve', async () => {
    await expect(
      failure(connect('ws://does-not-exist.invalid/', { handshakeTimeoutMs: 5000 })),
    ).resolves.toMatchObject({
      httpStatus: undefined,
    })
  })
})

describe('connect: time and signals', () => {
  test('handshakeTimeoutMs ends the handshake with a peer that sends nothing', async () => {
    const ended: Promise<unknown>[] = []
    const { url } = await listenRaw((socket) => ended.push(once(socket, 'end')))
    await expect(failure(connect(url, { handshakeTimeoutMs: 50 }))).resolves.toMatchObject({
      code: 'HAWSER_HANDSHAKE_TIMEOUT',
    })
    await Promise.all(ended)
  })

  test('handshakeTimeoutMs ends the handshake with a peer that sends a byte now and then', async () => {
    const { url } = await listenRaw((socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nX: ')
      const timer = setInterval(() => socket.write('x'), 5)
      socket.on('close', () => {
        clearInterval(timer)
      })
    })
    await expect(failure(connect(url, { limits: { handshakeTimeoutMs: 80 } }))).resolves.toMatchObject({
      code: 'HAWSER_HANDSHAKE_TIMEOUT',
    })
  })

  test('handshakeTimeoutMs ends a handshake whose function for headers never settles', async () => {
    const { url } = await listenRaw(() => undefined)
    const headers = (): Promise<never> => new Promise(() => undefined)
    await expect(failure(connect(url, { handshakeTimeoutMs: 20, headers }))).resolves.toMatchObject({
      code: 'HAWSER_HANDSHAKE_TIMEOUT',
    })
  })

  test('an abort rejects before and during the handshake, and does nothing after it', async () => {
    const reason = new Error('changed my mind')
    const { url } = await listenRaw(() => undefined)
    await expect(connect(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const aborter = new AbortController()
    const attempt = connect(url, { signal: aborter.signal })
    setImmediate(() => {
      aborter.abort(reason)
    })
    await expect(attempt).rejects.toBe(reason)

    const open = await serve()
    open.server.route('/', { onTextMessage: (_, text) => text })
    const late = new AbortController()
    const socket = await connect(open.url, { signal: late.signal })
    late.abort(reason)
    socket.send('still here')
    await expect(socket.receive()).resolves.toBe('still here')
    await socket.close()
  })

  test('connect rejects when the function for headers throws', async () => {
    const { url } = await listenRaw(() => undefined)
    const headers = (): never => {
      throw new Error('no token')
    }
    await expect(connect(url, { headers })).rejects.toThrow('no token')
  })
})

describe('connect: what the caller does wrong throws at once', () => {
  test.each([
    [
      { limits: { maxMessageBytes: -1 } },
      'limits.maxMessageBytes must be an integer from 0 to Infinity, not -1',
    ],
    [{ limits: { maxMessagesBytes: 1 } }, 'limits has no option "maxMessagesBytes"'],
    [{ handshakeTimeoutMs: 'x' }, 'handshakeTimeoutMs must be a number from 1 to Infinity, not "x"'],
    [{ protocols: ['a', 'a'] }, /protocols/],
    [{ protocols: ['a b'] }, /protocols/],
    [{ perMessageDeflate: { level: 10 } }, 'perMessageDeflate.level must be an integer from -1 to 9, not 10'],
    [{ slowConsumer: 'wait' }, `slowConsumer must be 'close', 'drop' or 'buffer', not "wait"`],
    [{ autoPong: 1 }, 'autoPong must be true or false, not 1'],
    [{ tls: true }, 'tls must be an object of node:tls options, not true'],
    [{ signal: 5 }, 'signal must be an AbortSignal, not 5'],
    [
      { handlers: { onMessage: () => undefined, onTextMessage: () => undefined } },
      'handlers has both onMessage and onTextMessage',
    ],
    [{ reconect: true }, /^ConnectOptions has no option "reconect"; there are limits, /],
  ])('connect throws at once for the arguments %j', (options, message) => {
    expect(() => connect('ws://127.0.0.1:1', options as never)).toThrow(message)
  })

  test('connect rejects headers that the caller must not set', async () => {
    const { url } = await listenRaw(() => undefined)
    await expect(connect(url, { headers: { host: 'x' } })).rejects.toThrow('headers must not have Host')
    for (const headers of [
      { Host: 'x' },
      { 'Sec-WebSocket-Key': 'x' },
      { 'X-A': 'a\r\nX-B: b' },
      { 'bad name': 'x' },
    ]) {
      await expect(connect(url, { headers: headers as never })).rejects.toThrow(TypeError)
    }
  })
})
