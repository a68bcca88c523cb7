/** Connections through HTTP proxies: tunnels, refusals, TLS on either side of the proxy, and the environment. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import {
  accept,
  connect,
  HandshakeError,
  WebSocketServer,
  type ClientSocket,
  type ConnectOptions,
  type ServerOptions,
} from '../../src/index.js'
import { isNativeOn } from '../../src/native/native-switch.js'
import { coreOf } from '../../src/socket/base-socket.js'
import { HandleTransport } from '../../src/transport/handle-transport.js'
import { StreamTransport } from '../../src/transport/stream-transport.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { ConnectProxy, type ConnectProxyOptions } from '../helpers/connect-proxy.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function serve(options: ServerOptions = {}): Promise<number> {
  const server = new WebSocketServer(options)
  server.route('/chat', { onMessage: (_, message) => message })
  cleanups.push(() => {
    server.terminate()
  })
  return (await server.listen(0, '127.0.0.1')).port
}

async function open(url: string, options: ConnectOptions<undefined>): Promise<ClientSocket> {
  const socket = await connect(url, { tls: TRUST_SERVER, ...options })
  cleanups.push(() => {
    socket.terminate()
  })
  return socket
}

async function failure(url: string, options: ConnectOptions<undefined>): Promise<HandshakeError> {
  const error: unknown = await open(url, options).then(
    () => new Error('it connected'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof HandshakeError)) throw error
  return error
}

async function proxyWith(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const proxy = await ConnectProxy.listen(options)
  cleanups.push(() => {
    proxy.close()
  })
  return proxy
}

const transportOf = (socket: ClientSocket): unknown =>
  (coreOf(socket) as unknown as { driver: { transport: object } }).driver.transport

/** Messages of several sizes go through in both directions. */
async function expectEcho(socket: ClientSocket): Promise<void> {
  for (const size of [0, 1, 70_000, 3_000_000]) {
    socket.send(Buffer.alloc(size, 7))
    const echo = (await socket.receive({ timeoutMs: 5_000 })) as Buffer
    expect(echo.equals(Buffer.alloc(size, 7))).toBe(true)
  }
}

const serverTls = { tls: SERVER_TLS, limits: { maxMessageBytes: 4_000_000 } }
const plain = { limits: { maxMessageBytes: 4_000_000 } }

describe('a proxy', () => {
  it.each([
    ['ws', 'http', true],
    ['ws', 'http', false],
    ['ws', 'https', true],
    ['wss', 'http', true],
    ['wss', 'https', true],
  ] as const)('opens a tunnel for %s by %s, with directIo %s', async (scheme, by, directIo) => {
    const port = await serve(scheme === 'wss' ? serverTls : plain)
    const proxy = await proxyWith(by === 'https' ? { tls: SERVER_TLS } : {})
    const url = `${scheme}://localhost:${String(port)}/chat`
    const socket = await open(url, {
      directIo,
      proxy: { url: `${by}://127.0.0.1:${String(proxy.port)}`, tls: TRUST_SERVER },
    })
    const authority = `localhost:${String(port)}`
    expect(proxy.heads).toEqual([`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`])
    expect(socket.url).toBe(url)
    expect(socket.secure).toBe(scheme === 'wss')
    expect(socket.remoteAddress).toBe('127.0.0.1')
    const isPlain = scheme === 'ws' && by === 'http'
    expect(transportOf(socket)).toBeInstanceOf(
      isPlain && directIo && isNativeOn ? HandleTransport : StreamTransport,
    )
    await expectEcho(socket)
    expect(await socket.close(1000)).toMatchObject({ code: 1000, wasClean: true })
  })

  it.each([
    ['ada:s%C3%A9same@', undefined, 'Proxy-Authorization: Basic YWRhOnPDqXNhbWU='],
    ['', { 'X-Team': ['a', 'b'] }, 'X-Team: a\r\nX-Team: b'],
    ['ada:x@', { 'proxy-authorization': 'Bearer t' }, 'proxy-authorization: Bearer t'],
  ])(
    'gets its own credentials %p and headers %p, and the server does not',
    async (user, headers, expected) => {
      const names: string[] = []
      const server = new WebSocketServer()
      server.route('/', {
        onUpgrade: (request) => {
          names.push(...request.headers.entries().map(([name]) => name.toLowerCase()))
          return accept()
        },
      })
      cleanups.push(() => {
        server.terminate()
      })
      const { port } = await server.listen(0, '127.0.0.1')
      const proxy = await proxyWith()
      const url = `http://${user}127.0.0.1:${String(proxy.port)}`
      const authority = `127.0.0.1:${String(port)}`
      await open(`ws://ada:secret@${authority}/`, { proxy: headers === undefined ? url : { url, headers } })
      const lines = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${expected}\r\n\r\n`
      expect(proxy.heads).toEqual([lines])
      expect(names).toContain('authorization')
      expect(names).not.toContain('proxy-authorization')
      expect(names).not.toContain('x-team')
    },
  )

  it('may join bytes of the server to its answer: they are kept', async () => {
    // The server speaks first, which a WebSocket server does not: what comes early is the start of its response.
    const early = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => socket.write('P/1.1 418 I am early\r\nContent-Length: 0\r\n\r\n'))
    })
    await once(early.listen(0, '127.0.0.1'), 'listening')
    cleanups.push(() => early.close())
    const { port } = early.address() as AddressInfo
    const proxy = await proxyWith({ established: 'HTTP/1.0 200 Connection established\r\nA: b\r\n\r\nHTT' })
    const error = await failure(`ws://127.0.0.1:${String(port)}/`, { proxy: urlOf(proxy) })
    expect(error).toMatchObject({ code: 'HAWSER_UNEXPECTED_STATUS', httpStatus: 418 })
  })

  it.each([
    ['HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 4\r\n\r\nwho?', 407, 'who?'],
    ['HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n', 403, 'no'],
    ['HTTP/1.0 503 Busy\r\nContent-Length: 0\r\n\r\n', 503, ''],
    ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n', 101, ''],
    ['HTTP/1.1 302 Go\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n', 302, ''],
  ])('that refuses is told apart, with its response: %j', async (answer, status, body) => {
    const proxy = await proxyWith({ answer: () => answer })
    const url = `http://ada:secret@127.0.0.1:${String(proxy.port)}`
    const error = await failure('ws://ada:secret@server.test/chat?token=secret', { proxy: url, redirects: 5 })
    expect(error).toMatchObject({ code: 'HAWSER_PROXY_REFUSED', httpStatus: status })
    expect(error.response?.status).toBe(status)
    expect(Buffer.from(error.response?.body ?? []).toString()).toBe(body)
    expect(error.url).toBe('ws://server.test/chat')
    expect(error.message).toMatch(
      `the proxy opened no tunnel to the server: the proxy ${urlOf(proxy)}: ${String(status)}`,
    )
    expect(error.message).toMatch(/ [(]ws:\/\/server[.]test\/chat[)]$/)
    expect(`${error.message}${String(error.stack)}`).not.toContain('secret')
    await expectAllClosed(proxy)
  })

  it.each([
    ['no HTTP', 'SSH-2.0\r\n\r\n', 'HAWSER_MALFORMED_RESPONSE'],
    ['a head without end', `HTTP/1.1 200 x\r\nA: ${'x'.repeat(20_000)}`, 'HAWSER_RESPONSE_TOO_LARGE'],
    ['silence', '', 'HAWSER_HANDSHAKE_TIMEOUT'],
    ['half a head', 'HTTP/1.1 200 x\r\n', 'HAWSER_HANDSHAKE_TIMEOUT'],
  ])('that answers %s fails the handshake, without a status', async (_, answer, code) => {
    const proxy = await proxyWith({ answer: () => answer })
    const options = { proxy: urlOf(proxy), handshakeTimeoutMs: 300 }
    const error = await failure('ws://server.test/', options)
    expect([error.code, error.httpStatus, error.response]).toEqual([code, undefined, undefined])
    expect(error.message.endsWith('(ws://server.test/)')).toBe(true)
    expect(error.message).toContain(`the proxy ${urlOf(proxy)}`)
    await expectAllClosed(proxy)
  })

  it('that is not there, or ends the connection, is named', async () => {
    const gone = await proxyWith()
    const url = urlOf(gone)
    gone.close()
    const refused = await failure('ws://server.test/', { proxy: url })
    expect(refused.code).toBe('HAWSER_CONNECTION_FAILED')
    expect(refused.message).toContain(`the proxy ${url}: connect ECONNREFUSED`)
    expect(refused.cause).toMatchObject({ code: 'ECONNREFUSED' })
    const ending = await proxyWith({ answer: (_head, socket) => (socket.end(), '') })
    const ended = await failure('ws://server.test/', { proxy: urlOf(ending) })
    expect([ended.code, ended.httpStatus]).toEqual(['HAWSER_CONNECTION_FAILED', undefined])
  })

  it('that keeps the client waiting is left when the signal is aborted', async () => {
    const proxy = await proxyWith({ answer: () => '' })
    const aborter = new AbortController()
    const attempt = connect('ws://server.test/', { proxy: urlOf(proxy), signal: aborter.signal })
    while (proxy.heads.length === 0) await turn()
    aborter.abort(new Error('enough'))
    await expect(attempt).rejects.toThrow('enough')
    await expectAllClosed(proxy)
  })

  it('does not lend its name to the server: the certificate must name the host of the URL', async () => {
    const port = await serve(serverTls)
    // The certificate is for localhost, 127.0.0.1 and ::1.
    for (const host of ['server.test', '127.0.0.9']) {
      const proxy = await proxyWith({ upstreamPort: port, upstreamHost: '127.0.0.1' })
      const error = await failure(`wss://${host}/chat`, { proxy: `http://localhost:${String(proxy.port)}` })
      expect(error.cause).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
      await expectAllClosed(proxy)
    }
  })

  it('over TLS must have a certificate for its own name', async () => {
    const proxy = await proxyWith({ tls: SERVER_TLS })
    const url = `https://127.0.0.1:${String(proxy.port)}`
    const error = await failure('ws://server.test/', { proxy: url })
    expect(error.code).toBe('HAWSER_CONNECTION_FAILED')
    expect(error.message).toContain(`the proxy ${url}: `)
    expect(proxy.heads).toEqual([])
  })

  it('gets an IPv6 address in brackets', async () => {
    const proxy = await proxyWith({ answer: () => 'HTTP/1.1 502 x\r\nContent-Length: 0\r\n\r\n' })
    await failure('ws://[2001:db8::1]/', { proxy: urlOf(proxy) })
    expect(proxy.heads[0]).toMatch(/^CONNECT \[2001:db8::1\]:80 HTTP\/1.1\r\nHost: \[2001:db8::1\]:80\r\n/)
  })
})

describe("proxy: 'env'", () => {
  const names = [
    'http_proxy',
    'HTTP_PROXY',
    'https_proxy',
    'HTTPS_PROXY',
    'all_proxy',
    'ALL_PROXY',
    'no_proxy',
    'NO_PROXY',
  ]
  let before: (string | undefined)[]
  beforeEach(() => {
    before = names.map((name) => process.env[name])
    for (const name of names) Reflect.deleteProperty(process.env, name)
  })
  afterEach(() => {
    names.forEach((name, i) => {
      if (before[i] === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = before[i]
    })
  })

  it('uses the proxy that the environment names, and none for hosts of NO_PROXY', async () => {
    const [port, securePort] = [await serve(plain), await serve(serverTls)]
    const proxy = await proxyWith()
    const urls = [`ws://127.0.0.1:${String(port)}/chat`, `wss://localhost:${String(securePort)}/chat`]
    const counts = async (): Promise<number> => {
      for (const url of urls) await open(url, { proxy: 'env' })
      return proxy.heads.splice(0).length
    }
    expect(await counts()).toBe(0)
    process.env['HTTPS_PROXY'] = urlOf(proxy)
    expect(await counts()).toBe(1)
    process.env['http_proxy'] = `127.0.0.1:${String(proxy.port)}`
    expect(await counts()).toBe(2)
    process.env['NO_PROXY'] = 'localhost'
    expect(await counts()).toBe(1)
    process.env['no_proxy'] = '*'
    expect(await counts()).toBe(0)
  })

  it('rejects for a variable that is no URL of a proxy, without showing its password', async () => {
    process.env['HTTP_PROXY'] = 'socks5://ada:secret@127.0.0.1:1'
    const attempt = connect('ws://127.0.0.1:1/', { proxy: 'env' })
    await expect(attempt).rejects.toThrow(SyntaxError)
    await expect(attempt).rejects.toThrow(
      'the environment variable HTTP_PROXY must be a URL that starts with http:// or https://, not "socks5://***@127.0.0.1:1"',
    )
  })
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const urlOf = (proxy: ConnectProxy): string => `http://127.0.0.1:${String(proxy.port)}`

/** No connection to the proxy is left over. */
async function expectAllClosed(proxy: ConnectProxy): Promise<void> {
  for (const client of proxy.clients)
    if (!client.destroyed) await Promise.race([once(client, 'close'), once(client, 'end')])
}
