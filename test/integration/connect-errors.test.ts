/** What the errors of `connect` say, and headers with several values, in both directions. */
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createHttpServer } from 'node:http'
import { once } from 'node:events'
import {
  accept,
  connect,
  HandshakeError,
  reject,
  WebSocketServer,
  type ConnectOptions,
} from '../../src/index.js'
import { WebSocket, WebSocketStream, type ErrorEvent } from '../../src/whatwg/index.js'
import { openRaw, requestHead } from '../helpers/raw-peer.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A TCP server that does something with what comes. */
async function listen(answer: (socket: Socket) => unknown): Promise<number> {
  const server = createServer((socket) => {
    cleanups.push(() => socket.destroy())
    socket.on('error', () => undefined)
    socket.once('data', () => answer(socket))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  cleanups.push(() => server.close())
  return (server.address() as AddressInfo).port
}

const failure = async (url: string, options: ConnectOptions = {}): Promise<HandshakeError> => {
  const error: unknown = await connect(url, options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof HandshakeError)) throw new Error('it is not a HandshakeError', { cause: error })
  return error
}

describe('the error of a failed connect', () => {
  const answers: [string, string, number | undefined, (socket: Socket) => unknown][] = [
    [
      'a status',
      'HAWSER_UNEXPECTED_STATUS',
      404,
      (one) => one.end('HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n'),
    ],
    ['no HTTP', 'HAWSER_MALFORMED_RESPONSE', undefined, (one) => one.write('SSH-2.0\r\n\r\n')],
    [
      'a head without end',
      'HAWSER_RESPONSE_TOO_LARGE',
      undefined,
      (one) => one.write(`HTTP/1.1 101 x\r\nA: ${'x'.repeat(20_000)}`),
    ],
    [
      '101 without more',
      'HAWSER_INVALID_UPGRADE_RESPONSE',
      101,
      (one) => one.write('HTTP/1.1 101 x\r\n\r\n'),
    ],
    ['a FIN', 'HAWSER_CONNECTION_FAILED', undefined, (one) => one.end()],
    ['silence', 'HAWSER_HANDSHAKE_TIMEOUT', undefined, () => undefined],
  ]
  it.each(answers)(
    'names the URL without credentials and query, and the status only if there was one: %s',
    async (_, code, httpStatus, answer) => {
      const port = await listen(answer)
      const at = `127.0.0.1:${String(port)}/chat`
      const error = await failure(`ws://ada:secret@${at}?token=secret`, { handshakeTimeoutMs: 200 })
      expect([error.code, error.httpStatus]).toEqual([code, httpStatus])
      expect(error.message).toMatch(new RegExp(`^[^()]+ [(]ws://${at}[)]$`))
      expect(String(error.stack)).toContain(at)
      expect(`${error.message} ${String(error.stack)}`).not.toContain('secret')
    },
  )

  it('names the URL when nobody listens, with the reason of the system', async () => {
    const port = await listen(() => undefined)
    for (const cleanup of cleanups.splice(0)) await cleanup()
    const error = await failure(`ws://127.0.0.1:${String(port)}/a`)
    expect(error.message).toMatch(new RegExp(`ECONNREFUSED.* [(]ws://127.0.0.1:${String(port)}/a[)]$`))
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('names the path of a Unix socket that is not there, with the reason of the system', async () => {
    const unix = await failure('ws+unix:/no/such/socket:/chat?token=secret')
    expect(unix.message).toMatch(/ENOENT.* [(]ws[+]unix:.*no.such.socket:.chat[)]$/)
  })

  it('says in one line how far the attempt came', async () => {
    const closed = await listen(() => undefined)
    for (const cleanup of cleanups.splice(0)) await cleanup()
    const refused = `connect ECONNREFUSED 127.0.0.1:${String(closed)}`
    const plain = await listen((one) => one.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const ending = await listen((one) => one.end())
    const resetting = await listen((one) => one.resetAndDestroy())
    const noTls = 'TLS: (wrong version number|packet length too long), as of a port without TLS: ws://.*'
    const before = 'before the handshake was complete'
    const cases: [url: string, options: ConnectOptions, detail: string][] = [
      [`ws://127.0.0.1:${String(closed)}/`, {}, refused],
      [`wss://127.0.0.1:${String(closed)}/`, {}, refused],
      [`wss://127.0.0.1:${String(plain)}/`, {}, noTls],
      [`ws://127.0.0.1:${String(ending)}/`, {}, `the peer ended the connection ${before}`],
      [`ws://127.0.0.1:${String(resetting)}/`, {}, `the connection was lost ${before}: read ECONNRESET`],
      ['ws://host/', { proxy: `http://127.0.0.1:${String(closed)}` }, `the proxy http://[^ ]+: ${refused}`],
      ['ws://host/', { proxy: `https://127.0.0.1:${String(plain)}` }, `the proxy https://[^ ]+: ${noTls}`],
    ]
    for (const [url, options, detail] of cases) {
      const error = await failure(url, options)
      expect(error.message).toMatch(new RegExp(`^could not connect: ${detail} [(]${url}[)]$`))
      expect(error.code).toBe('HAWSER_CONNECTION_FAILED')
      expect(error.cause).toHaveProperty('message', expect.any(String))
    }
  })

  it('names the time after which this side gave up', async () => {
    const port = await listen(() => undefined)
    const error = await failure(`ws://127.0.0.1:${String(port)}/`, { handshakeTimeoutMs: 50 })
    expect(error.message).toContain('the handshake took longer than handshakeTimeoutMs: 50 ms (ws://')
  })

  it.each([
    ['ws://ada:secret@host/#fragment', '"ws://***@host/#***"'],
    ['ftp://ada:secret@host/', '"ftp://***@host/"'],
    ['ws://ada:secret@:x/', '"ws://***@:x/"'],
    ['ws://ada:pa#secret@host/', '"ws://***"'],
    ['ws://ada:pa/secret@host/#', '"ws://***@host/#***"'],
    ['ws://ada:pa?secret@host:x/', '"ws://***"'],
    ['ws:ada:secret@host/#x', '"ws:***@host/#***"'],
    ['ws:/ada:secret@host/#x', '"ws:/***@host/#***"'],
    ['ws:\\\\ada:secret@host/#x', JSON.stringify('ws:\\\\***@host/#***')],
    [' ws://ada:sec ret@host/#x', '" ws://***@host/#***"'],
    ['ftp:ada:secret@host/', '"***@host/"'],
    ['ada:secret@host', '"***@host"'],
    ['ws://h/?token=secret#x', '"ws://h/?***"'],
    ['ws://h/?token=a@secret#x', '"ws://***"'],
    ['ftp://h/?token=secret', '"ftp://h/?***"'],
    ['/?token=secret', '"/?***"'],
  ])('shows neither credentials nor a query when the URL itself is wrong: %s', (url, shown) => {
    for (const construct of [
      () => void connect(url),
      () => new WebSocket(url),
      () => new WebSocketStream(url),
    ]) {
      expect(construct).toThrow(expect.objectContaining({ name: 'SyntaxError' }))
      expect(construct).toThrow(`not ${shown}`)
      expect(construct).not.toThrow(/secret|sec ret|pa[#/?]/)
    }
  })

  it('shows no credentials of a URL of a Unix socket that names a host', () => {
    expect(() => void connect('ws+unix://ada:secret@host/run/x')).toThrow('not "ws+unix://***@host/run/x"')
  })

  it('names no query when a WebSocket gets no subprotocol of those it offered', async () => {
    const server = new WebSocketServer()
    server.route('/', {})
    const { port } = await server.listen(0, '127.0.0.1')
    cleanups.push(() => {
      server.terminate()
    })
    const socket = new WebSocket(`ws://127.0.0.1:${String(port)}/?token=secret`, 'chat')
    const [{ message, error }] = (await once(socket, 'error')) as [ErrorEvent]
    expect(message).toContain(`(ws://127.0.0.1:${String(port)}/)`)
    expect(`${message} ${String(error?.stack)}`).not.toContain('secret')
  })
})

/** The fields of one name that a server got from a client with these headers. */
async function sent(headers: ConnectOptions['headers'], name: string): Promise<string[]> {
  const http = createHttpServer()
  await once(http.listen(0, '127.0.0.1'), 'listening')
  cleanups.push(() => http.close())
  const fields = new Promise<string[]>((resolve) => {
    http.on('upgrade', ({ rawHeaders }, socket) => {
      resolve(rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name))
      socket.end('HTTP/1.1 400 x\r\n\r\n')
    })
  })
  const options: ConnectOptions = headers === undefined ? {} : { headers }
  await failure(`ws://127.0.0.1:${String((http.address() as AddressInfo).port)}/`, options)
  return fields
}

describe('headers with several values', () => {
  it('are sent as one field each, but joined for Cookie', async () => {
    expect(await sent({ Cookie: ['a=1', 'b=2'] }, 'cookie')).toEqual(['a=1; b=2'])
    expect(await sent([['cookie', ['a=1', 'b=2']]], 'cookie')).toEqual(['a=1; b=2'])
    expect(await sent(() => ({ 'X-Trace': ['a', 'b'] }), 'x-trace')).toEqual(['a', 'b'])
    expect(await sent(new Map([['X-Trace', ['a', 'b']]]), 'x-trace')).toEqual(['a', 'b'])
    expect(await sent({ 'X-Trace': [] }, 'x-trace')).toEqual([])
    expect(await sent({ Cookie: 'a=1' }, 'cookie')).toEqual(['a=1'])
  })

  it.each([
    [{ Cookie: ['a', 5] }, 'the values of the header "Cookie" must be strings, not a number'],
    [{ 'X-A': [['a']] }, 'the values of the header "X-A" must be strings'],
    [{ 'X-A': ['a\r\nX-B: c'] }, 'the value of the header "X-A" must be latin1 without control characters'],
    [{ Host: ['a', 'b'] }, 'headers must not have Host'],
    [[5], 'headers must hold pairs of name and value, not a number'],
    [[['X-A']], 'headers must hold pairs of name and value'],
  ])('are refused when they are wrong: %p', async (headers, message) => {
    await expect(connect('ws://127.0.0.1:1/', { headers: headers as never })).rejects.toThrow(TypeError)
    await expect(connect('ws://127.0.0.1:1/', { headers: headers as never })).rejects.toThrow(message)
  })

  it.each([
    [{ Authorization: 'Bearer secret\n' }, /"Authorization" must .* not text with U[+]000A at offset 13$/],
    [[['Authorization', 'Basic secret\u{1f600}']], /"Authorization" must .* U[+]1F600 at offset 12$/],
    [{ Cookie: ['a=secret\r'] }, /"Cookie" must .* U[+]000D at offset 8$/],
    [
      { 'Sec-WebSocket-Protocol': 'secret' },
      /"Sec-WebSocket-Protocol" is reserved for the handshake and cannot/,
    ],
    [
      [['Authorization: Bearer secret', '']],
      /^the name of a header must be a token .* U[+]003A at offset 13$/,
    ],
    [['Authorization: Bearer secret'], /pairs of name and value, not a string$/],
    ['Authorization: Bearer secret', /or a function, not a string$/],
    [() => 'Authorization: Bearer secret', /pairs of name and value, not a string$/],
    [new Map([['Cookie', [5_417]]]), /"Cookie" must be strings, not a number$/],
  ])('are named but never shown when they are wrong: %p', async (headers, message) => {
    const error: unknown = await (async () =>
      connect('ws://127.0.0.1:1/', { headers: headers as never }))().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(message)
    expect(String((error as Error).stack).split('\n    at ')[0]).not.toMatch(/secret|5417/)
  })

  it('are sent as one Set-Cookie field each by accept and by reject', async () => {
    const server = new WebSocketServer()
    cleanups.push(() => {
      server.terminate()
    })
    const headers = { 'Set-Cookie': ['a=1', 'b=2; HttpOnly'] }
    server.route('/yes', { onUpgrade: () => accept({ headers }) })
    server.route('/no', { onUpgrade: () => reject(403, 'no', headers) })
    const { port } = await server.listen(0, '127.0.0.1')
    for (const [path, status] of [
      ['/yes', 101],
      ['/no', 403],
    ] as const) {
      const peer = await openRaw(port)
      cleanups.push(() => peer.socket.destroy())
      peer.write(requestHead(path))
      const head = await peer.readHead()
      expect(head.status).toBe(status)
      expect(head.fields.filter(([name]) => name === 'set-cookie')).toEqual([
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2; HttpOnly'],
      ])
    }
  })
})
