// slow: builds the command
/** `hawser connect` as a process of its own, between pipes: what it sends and writes, and its exit codes. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer, type Server } from 'node:https'
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { accept, closeWith, ReadyState, reject, WebSocketServer, type ServerSocket } from '../../src/index.js'
import { BUILD_TIMEOUT_MS, BuiltCommand, type CommandProcess } from '../helpers/built-command.js'
import { DEMAND_CLIENT, SERVER_TLS } from '../helpers/certificates.js'

const MIB = 1024 * 1024
const CERTIFICATES = path.join(__dirname, '../helpers/certificates')
const certificate = (name: string): string => path.join(CERTIFICATES, name)

let command: BuiltCommand
let server: WebSocketServer
let url: string
/** How the server's connections ended, in order. */
let ends: number[]

beforeAll(async () => {
  command = await BuiltCommand.build()
}, BUILD_TIMEOUT_MS)

afterAll(async () => {
  await command.remove()
})

beforeEach(async () => {
  ends = []
  server = new WebSocketServer({ protocols: ['two'], origins: [() => true] })
  server.route('/echo', {
    onMessage: (_socket, message) => message,
    onClose: (_socket, { code }) => void ends.push(code),
  })
  server.route('/silent', {
    onMessage: () => undefined,
    onClose: (_socket, { code }) => void ends.push(code),
  })
  server.route('/close/:code', {
    onOpen: (socket) => void socket.close(Number(socket.params.code), 'as asked\x1b[2J'),
  })
  server.route('/cut', { onOpen: (socket) => socket.terminate() })
  server.route('/no', {
    onUpgrade: () => reject(401, 'who are you?\n', { 'WWW-Authenticate': 'Basic realm="x"' }),
  })
  server.route('/request', {
    onUpgrade: ({ headers }) => {
      const names = ['authorization', 'x-a', 'cookie', 'origin', 'sec-websocket-extensions']
      return accept({ data: names.map((name) => headers.get(name) ?? null) })
    },
    onOpen: (socket) => void socket.sendJson(socket.data),
  })
  const { port } = await server.listen(0)
  url = `ws://localhost:${String(port)}`
})

afterEach(async () => {
  await server.close({ timeoutMs: 100 })
})

const connect = (target: string, ...flags: readonly string[]): string[] => [
  'connect',
  `${url}${target}`,
  ...flags,
]

describe('between pipes', () => {
  test('each line of the input is a message, and each message a line of the output, without decoration', async () => {
    const outcome = await command.run(connect('/echo'), 'one\n\n  {"a": [1]}\r\n/ping\nlast')
    expect(outcome).toEqual({ code: 0, output: 'one\n\n  {"a": [1]}\n/ping\nlast\n', errors: '' })
    expect(ends).toEqual([1000])
  })

  test('--null keeps line feeds inside messages', async () => {
    const outcome = await command.run(connect('/echo', '--null', '--wait', '0'), 'one\ntwo\0\0three\r\n')
    expect(outcome).toEqual({ code: 0, output: 'one\ntwo\0\0three\r\n\0', errors: '' })
  })

  test.each([
    ['hex', '00 ff\n\n', '00ff\n\n'],
    ['base64', 'AP8=\n', 'AP8=\n'],
    ['text', 'é\n', 'é\n'],
    ['file', `${certificate('ca.pem')}\n`, `${readFileSync(certificate('ca.pem')).toString('hex')}\n`],
  ])('--binary %s sends bytes, and writes them', async (format, input, output) => {
    expect(await command.run(connect('/echo', '--wait', '0', '--binary', format), input)).toEqual({
      code: 0,
      output,
      errors: '',
    })
  })

  test('--binary text sends bytes that are not UTF-8 as they are', async () => {
    const started = command.start(connect('/echo', '--wait', '0', '--binary', 'text'))
    const chunks: Buffer[] = []
    started.child.stdout?.removeAllListeners('data').setEncoding('latin1')
    started.child.stdout?.on('data', (text: string) => chunks.push(Buffer.from(text, 'latin1')))
    started.child.stdin?.end(Buffer.of(0xff, 0xfe, 0x0a))
    expect((await started.ended).code).toBe(0)
    expect(Buffer.concat(chunks)).toEqual(Buffer.of(0xff, 0xfe, 0x0a))
  })

  test('--json indents JSON, and leaves other text alone', async () => {
    const long = 'x'.repeat(70)
    const { output } = await command.run(
      connect('/echo', '--json', '--wait', '0'),
      `{"a":1,"b":"${long}"}\nhello\n`,
    )
    expect(output).toBe(`{\n  "a": 1,\n  "b": "${long}"\n}\nhello\n`)
  })

  test('--once ends after one message, though the input is still open', async () => {
    const started = command.start(connect('/echo', '--once'))
    started.type('one\ntwo\n')
    expect(await started.ended).toEqual({ code: 0, output: 'one\n', errors: '' })
    expect(ends).toEqual([1000])
  })

  test('--count without --wait waits for its messages after the end of the input', async () => {
    server.route('/later', {
      onMessage: async (_socket, message) => {
        await new Promise((resolve) => setTimeout(resolve, 1500))
        return message
      },
    })
    const outcome = await command.run(connect('/later', '-n', '2'), 'one\ntwo\n')
    expect(outcome).toEqual({ code: 0, output: 'one\ntwo\n', errors: '' })
  })

  test('--ping-interval prints the times of pings on the standard error', async () => {
    const started = command.start(connect('/echo', '--ping-interval', '0.1', '--wait', '0'))
    await started.shows(/(pong after \d+\.\d ms\n){2}/)
    started.child.stdin?.end()
    expect(await started.ended).toMatchObject({ code: 0, output: '' })
  })

  test('--verbose says on the standard error when the connection opens and closes', async () => {
    const { errors } = await command.run(
      connect('/echo', '--verbose', '--wait', '0', '-s', 'one', '-s', 'two'),
      'x',
    )
    expect(errors).toBe(`connected to ${url}/echo (subprotocol two, permessage-deflate)\nclosed with 1000\n`)
  })

  test('--frames shows every frame of both sides on the standard error, and leaves the output to messages', async () => {
    const outcome = await command.run(connect('/echo', '--frames', '--once', '--no-compression'), 'hello\n')
    expect(outcome).toMatchObject({ code: 0, output: 'hello\n' })
    expect(outcome.errors.replace(/(?<=masked with )[\da-f]{8}/g, 'KEY').split('\n')).toEqual([
      'sent TEXT, 5 bytes, masked with KEY',
      '  00000000  68 65 6c 6c 6f                                    |hello|',
      'received TEXT, 5 bytes',
      '  00000000  68 65 6c 6c 6f                                    |hello|',
      'sent CLOSE, 2 bytes, masked with KEY, code 1000',
      '  00000000  03 e8                                             |..|',
      'received CLOSE, 2 bytes, code 1000',
      '  00000000  03 e8                                             |..|',
      '',
    ])
  })

  test('--frames shows frames after a redirect, and over a Unix socket', async () => {
    server.route('/old', { onUpgrade: () => reject(308, '', { Location: '/echo' }) })
    const flags = ['--frames', '--once']
    const { errors } = await command.run(connect('/old', '--redirects', '1', ...flags), 'x'.repeat(5000))
    expect(errors).toMatch(/^sent TEXT, .*compressed[^]*\nreceived TEXT, /)
    const unix = path.join(path.dirname(command.file), 'frames.sock')
    const http = createHttpServer().listen(unix)
    await once(http, 'listening')
    server.attach(http)
    expect(await command.run(['connect', `ws+unix:${unix}:/echo`, ...flags], 'x\n')).toMatchObject({
      code: 0,
      output: 'x\n',
      errors: expect.stringMatching(/^sent TEXT, /),
    })
    http.close()
  })

  test('--frames leaves a refusal, and a server that does not answer, as they are', async () => {
    const plain = await command.run(connect('/no'))
    expect(await command.run(connect('/no', '--frames'))).toEqual(plain)
    const mute = createServer().listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const target = `ws://127.0.0.1:${String((mute.address() as AddressInfo).port)}/`
    expect(await command.run(['connect', target, '--frames', '--timeout', '0.2'])).toMatchObject({ code: 3 })
    mute.close()
    expect(await command.run(['connect', target, '--frames'])).toMatchObject({
      code: 3,
      errors: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('what the command line says of the request arrives at the server', async () => {
    const target = `${url.replace('//', '//ada:secret@')}/request`
    const flags = ['-H', 'X-A: b', '-H', 'Cookie: c=d', '--origin', 'https://a.example', '--no-compression']
    const { output } = await command.run(['connect', target, ...flags, '--once'])
    const authorization = `Basic ${Buffer.from('ada:secret').toString('base64')}`
    expect(JSON.parse(output)).toEqual([authorization, 'b', 'c=d', 'https://a.example', null])
  })
})

describe('proxies and redirects', () => {
  let proxy: HttpServer
  let proxyUrl: string
  /** What the proxy was asked for. */
  let tunnels: (readonly [target: string | undefined, authorization: string | undefined])[]

  beforeEach(async () => {
    tunnels = []
    proxy = createHttpServer()
    proxy.on('connect', ({ url: target, headers }: IncomingMessage, client: Socket) => {
      tunnels.push([target, headers['proxy-authorization']])
      if (headers['proxy-authorization'] === undefined) {
        client.end(
          'HTTP/1.1 407 Nobody\r\nProxy-Authenticate: Basic realm="p"\r\nContent-Length: 5\r\n\r\nwho?\n',
        )
        return
      }
      const upstream = connectTcp(Number(new URL(url).port), 'localhost', () => {
        client.write('HTTP/1.1 200 Here\r\n\r\n')
        client.pipe(upstream).pipe(client)
      })
      for (const socket of [client, upstream]) socket.on('error', () => client.destroy())
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    proxyUrl = `http://ada:secret@127.0.0.1:${String((proxy.address() as AddressInfo).port)}`
    server.route('/old', { onUpgrade: () => reject(308, '', { Location: '/older' }) })
    server.route('/older', { onUpgrade: () => reject(302, 'moved\n', { Location: '/echo' }) })
  })

  afterEach(() => {
    proxy.close()
    proxy.closeAllConnections()
  })

  const authorization = `Basic ${Buffer.from('ada:secret').toString('base64')}`

  test('--proxy goes through a tunnel of the proxy', async () => {
    const target = ['connect', 'ws://elsewhere.example/echo', '--wait', '0']
    const outcome = await command.run([...target, '--proxy', proxyUrl], 'hello\n')
    expect(outcome).toEqual({ code: 0, output: 'hello\n', errors: '' })
    expect(tunnels).toEqual([['elsewhere.example:80', authorization]])
  })

  test('--proxy env takes the proxy that the environment names', async () => {
    const env = { ...process.env, http_proxy: proxyUrl, no_proxy: '' }
    const started = command.start(['connect', 'ws://elsewhere.example/echo', '--proxy', 'env', '--once'], env)
    started.type('hello\n')
    expect(await started.ended).toEqual({ code: 0, output: 'hello\n', errors: '' })
    expect(tunnels).toEqual([['elsewhere.example:80', authorization]])
  })

  test('a proxy that opens no tunnel gives 3, with its status and what it asks for', async () => {
    const anonymous = proxyUrl.replace('ada:secret@', '')
    expect(await command.run(connect('/echo', '--proxy', anonymous))).toEqual({
      code: 3,
      output: '',
      errors:
        'hawser: the proxy opened no tunnel to the server: HTTP 407 Nobody\nProxy-Authenticate: Basic realm="p"\nwho?\n',
    })
  })

  test('--redirects follows as many redirects as it says, and one more gives 4', async () => {
    const flags = ['--wait', '0', '--redirects']
    expect(await command.run(connect('/old', ...flags, '2'), 'hello\n')).toMatchObject({
      code: 0,
      output: 'hello\n',
    })
    const { code, errors } = await command.run(connect('/old', ...flags, '1'))
    expect(code).toBe(4)
    expect(errors).toMatch(/^hawser: too many redirects.*: HTTP 302 Found\nLocation: \/echo\nmoved\n$/)
    expect(await command.run(connect('/old'))).toMatchObject({ code: 4 })
  })
})

describe('--reconnect', () => {
  /** What stands on the standard error, without the delays, which are random. */
  const told = (errors: string): string[] => errors.replace(/\d+\.\d s$/gm, 'SOME s').split('\n')

  test('connects again after a loss, and says so on the standard error', async () => {
    let visits = 0
    server.route('/feed', {
      onOpen: (socket) => {
        socket.send(`visit ${String(++visits)}`)
        if (visits === 1) void socket.close(1012, 'restarting')
      },
    })
    const started = command.start(connect('/feed', '--reconnect', '-n', '2'))
    const { code, output, errors } = await started.ended
    expect([code, output]).toEqual([0, 'visit 1\nvisit 2\n'])
    expect(told(errors)).toEqual([
      'the server closed the connection with 1012, "restarting"; attempt 1 to connect again follows in SOME s',
      `connected again to ${url}/feed`,
      '',
    ])
  })

  test('sends the lines of the input that come while there is no connection after it', async () => {
    let mayConnect = true
    const received: (string | Buffer)[] = []
    let reader: ServerSocket | undefined
    server.route('/log', {
      onUpgrade: () => (mayConnect ? accept({}) : reject(503, 'not yet\n')),
      onOpen: (socket) => void (reader = socket),
      onMessage: (_socket, message) => {
        received.push(message)
        return undefined
      },
    })
    const started = command.start(connect('/log', '--reconnect', '--wait', '0'))
    started.type('one\n')
    while (received.length < 1) await new Promise((resolve) => setTimeout(resolve, 10))
    mayConnect = false
    reader?.terminate()
    await started.shows(/HTTP 503 Service Unavailable; attempt 2 to connect again follows in \d+\.\d s\n/)
    started.type('two\nthree\n')
    started.child.stdin?.end('four')
    mayConnect = true
    expect(await started.ended).toMatchObject({ code: 0, output: '' })
    expect(received).toEqual(['one', 'two', 'three', 'four'])
  })

  test.each([
    [1000, 0, ''],
    [
      4000,
      6,
      'hawser: the server closed the connection with 4000, "as asked\\u001b[2J"; not connecting again\n',
    ],
  ])('does not connect again after %i', async (closeCode, code, errors) => {
    const started = command.start(connect(`/close/${String(closeCode)}`, '--reconnect'))
    expect(await started.ended).toEqual({ code, output: '', errors })
  })

  test('gives up when an attempt is refused for good, and gives 4', async () => {
    let visits = 0
    server.route('/once', {
      onUpgrade: () => (++visits === 1 ? accept({}) : reject(403, 'no more\n')),
      onOpen: (socket) => socket.terminate(),
    })
    const started = command.start(connect('/once', '--reconnect'))
    const { code, errors } = await started.ended
    expect(code).toBe(4)
    expect(told(errors)).toEqual([
      'the connection was lost (1006); attempt 1 to connect again follows in SOME s',
      'hawser: gave up after 1 failed attempt: the server refused the connection: HTTP 403 Forbidden',
      'no more',
      '',
    ])
  })

  test('ends at once while it waits, with the exit code of the last connection', async () => {
    server.route('/busy', {
      onUpgrade: () => reject(503, '', { 'Retry-After': '60' }),
    })
    expect(await command.run(connect('/busy', '--reconnect'))).toMatchObject({ code: 4 })
    let visits = 0
    server.route('/lost', {
      onUpgrade: () => (++visits === 1 ? accept({}) : reject(503, '', { 'Retry-After': '60' })),
      onOpen: (socket) => socket.terminate(),
    })
    const started = command.start(connect('/lost', '--reconnect', '--ping-interval', '0.1'))
    await started.shows(/HTTP 503 .* in \d\d\.\d s\n/)
    await new Promise((resolve) => setTimeout(resolve, 250))
    started.child.kill('SIGINT')
    expect(await started.ended).toMatchObject({ code: 5, output: '' })
  })
})

describe('exit codes', () => {
  test.each([
    [1000, 0, ''],
    [1001, 0, ''],
    [1011, 6, 'hawser: the server closed the connection with 1011, "as asked\\u001b[2J"\n'],
    [4000, 6, 'hawser: the server closed the connection with 4000, "as asked\\u001b[2J"\n'],
  ])('a Close frame with %i from the server gives %i', async (closeCode, code, errors) => {
    const started = command.start(connect(`/close/${String(closeCode)}`))
    expect(await started.ended).toEqual({ code, output: '', errors })
  })

  test('a connection that is lost gives 5', async () => {
    const started = command.start(connect('/cut'))
    const { code, errors } = await started.ended
    expect(code).toBe(5)
    expect(errors).toMatch(/^hawser: the connection was lost \(1006\)/)
  })

  test('a refusal by HTTP status gives 4, with the status, what the server says and what it asks for', async () => {
    expect(await command.run(connect('/no'))).toEqual({
      code: 4,
      output: '',
      errors:
        'hawser: the server refused the connection: HTTP 401 Unauthorized\nWWW-Authenticate: Basic realm="x"\nwho are you?\n',
    })
  })

  test('a server that cannot be reached gives 3', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    await new Promise((resolve) => other.close(resolve))
    const { code, errors } = await command.run(['connect', `ws://127.0.0.1:${String(port)}/`])
    expect(code).toBe(3)
    expect(errors).toMatch(/^hawser: .*ECONNREFUSED.*\n$/)
  })

  test('a handshake that takes longer than --timeout gives 3', async () => {
    const mute = createServer().listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const { port } = mute.address() as AddressInfo
    const target = `ws://127.0.0.1:${String(port)}/`
    const { code, errors } = await command.run(['connect', target, '--timeout', '0.2'])
    mute.close()
    expect([code, errors]).toEqual([
      3,
      `hawser: the handshake took longer than handshakeTimeoutMs: 200 ms (${target})\n`,
    ])
  })

  test.each([
    [
      ['ftp://localhost/'],
      'url must start with ws:, wss:, http:, https:, ws+unix: or wss+unix:, not "ftp://localhost/"',
    ],
    [['ws://localhost/#a'], 'url must have no fragment (RFC 6455 section 3), not "ws://localhost/#***"'],
    [['ws://localhost/', '-H', 'Host: a'], 'headers must not have Host: it follows from the url'],
    [
      ['ws://localhost/', '--proxy', 'ftp://a'],
      'proxy must be a URL that starts with http:// or https://, not "ftp://a"',
    ],
    [
      ['ws://localhost/', '-s', 'a b'],
      'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is text with U+0020 at offset 1',
    ],
    [['ws://ada:pa#secret@localhost/'], 'url must be an absolute, well-formed URL, not "ws://***"'],
    [
      ['ws://localhost/', '-H', 'Authorization: Bearer secret\u{1f600}'],
      'the value of the header "Authorization" must be latin1 without control characters, not text with U+1F600 at offset 13',
    ],
    [
      ['wss://localhost/', '--ca', '/no/such.pem'],
      "--ca must be a file that can be read: ENOENT: no such file or directory, open '/no/such.pem'",
    ],
  ])('a wrong command line %j gives 2 and one line', async (argv, message) => {
    expect(await command.run(['connect', ...argv])).toEqual({
      code: 2,
      output: '',
      errors: `hawser: ${message} (hawser connect --help lists the flags)\n`,
    })
  })

  test('a line that cannot be sent gives 1, after the lines before it', async () => {
    expect(await command.run(connect('/echo', '--binary', 'hex'), '00\nzz\n01\n')).toEqual({
      code: 1,
      output: '00\n',
      errors:
        'hawser: line 2 of the input: hex must be pairs of hexadecimal digits, such as 00 ff, not "zz"\n',
    })
    const { code, errors } = await command.run(connect('/echo'), Buffer.of(0xff, 0x0a))
    expect([code, errors]).toEqual([
      1,
      'hawser: line 1 of the input: text must be UTF-8; --binary text sends bytes as they are\n',
    ])
  })

  test('messages that do not arrive within --wait give 7', async () => {
    expect(await command.run(connect('/echo', '-n', '2', '--wait', '0.3'), 'one\n')).toEqual({
      code: 7,
      output: 'one\n',
      errors: 'hawser: the time of --wait was up after 1 of 2 messages\n',
    })
    expect(ends).toEqual([1000])
  })

  test('7 comes within seconds also from a server that answers no Close frame', async () => {
    let socket: ServerSocket | undefined
    // From the message on: on a busy machine a process takes seconds to begin.
    let startedAt = 0
    server.route('/deaf', {
      onOpen: (opened) => {
        socket = opened
      },
      // The answer to a Close frame waits for it.
      onMessage: () => {
        startedAt = performance.now()
        return new Promise<undefined>(() => undefined)
      },
    })
    const { code, errors } = await command.run(connect('/deaf', '-n', '1', '--wait', '0.3'), 'one\n')
    // Without a time of its own it would be 10 s.
    expect(performance.now() - startedAt).toBeLessThan(9500)
    expect(code).toBe(7)
    expect(errors).toMatch(/the time of --wait was up after 0 of 1 messages\n$/)
    socket?.terminate()
  }, 20_000)
})

describe('signals', () => {
  test.each([
    ['SIGINT', 1000],
    ['SIGTERM', 1001],
    ['SIGHUP', 1001],
  ] as const)('%s closes with %i and ends with 0', async (signal, closeCode) => {
    const started = command.start(connect('/echo', '-v'))
    await started.shows(/connected/)
    started.child.kill(signal)
    expect(await started.ended).toMatchObject({ code: 0 })
    expect(ends).toEqual([closeCode])
  })

  test('a second signal cuts a connection whose peer does not answer', async () => {
    let reader: ServerSocket | undefined
    server.route('/stuck', {
      onOpen: (socket) => {
        reader = socket
        socket.pause()
      },
    })
    const started = command.start(connect('/stuck', '-v'))
    await started.shows(/connected/)
    started.child.kill('SIGTERM')
    // Within a third of a second it would count as the same request.
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(started.child.exitCode).toBeNull()
    started.child.kill('SIGTERM')
    expect(await started.ended).toMatchObject({ code: 143 })
    reader?.resume()
  })

  test('a signal before the connection is open ends the attempt', async () => {
    const mute = createServer()
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const { port } = mute.address() as AddressInfo
    const started = command.start(['connect', `ws://127.0.0.1:${String(port)}/`])
    await once(mute, 'connection')
    started.child.kill('SIGINT')
    expect(await started.ended).toEqual({ code: 130, output: '', errors: '' })
    mute.close()
  })
})

describe('TLS', () => {
  let secure: WebSocketServer
  let https: Server
  let target: string

  const listen = async (tls: object): Promise<void> => {
    secure = new WebSocketServer()
    secure.route('/', { onMessage: (_socket, message) => message })
    https = createHttpsServer({ ...SERVER_TLS, ...tls })
    secure.attach(https)
    https.listen(0)
    await once(https, 'listening')
    target = `wss://localhost:${String((https.address() as AddressInfo).port)}/`
  }

  afterEach(async () => {
    await secure.close({ timeoutMs: 100 })
    https.close()
  })

  test('--ca trusts a certificate, and --insecure any', async () => {
    await listen({})
    const expected = { code: 0, output: 'hello\n', errors: '' }
    expect(
      await command.run(['connect', target, '--wait', '0', '--ca', certificate('ca.pem')], 'hello\n'),
    ).toEqual(expected)
    expect(await command.run(['connect', target, '--wait', '0', '--insecure'], 'hello\n')).toEqual(expected)
  })

  test('a certificate that is not trusted gives 3, and says what to do', async () => {
    await listen({})
    const { code, errors } = await command.run(['connect', target])
    expect(code).toBe(3)
    expect(errors).toMatch(/; --ca FILE trusts its authority, --insecure accepts any certificate\n$/)
    expect(await command.run(['connect', target, '--frames'])).toEqual({ code, output: '', errors })
  })

  test('--frames shows the frames inside TLS', async () => {
    await listen(DEMAND_CLIENT)
    const tls = ['ca', 'cert', 'key'].flatMap((flag, index) => [
      `--${flag}`,
      certificate(['ca.pem', 'client.pem', 'client-key.pem'][index] as string),
    ])
    expect(await command.run(['connect', target, '--frames', '--once', ...tls], 'hello\n')).toMatchObject({
      code: 0,
      output: 'hello\n',
      errors: expect.stringMatching(/^sent TEXT, [^]*\nreceived TEXT, /),
    })
  })

  test('--cert and --key are what a server asks for, in one file or two', async () => {
    await listen(DEMAND_CLIENT)
    const flags = ['connect', target, '--wait', '0', '--ca', certificate('ca.pem')]
    const two = ['--cert', certificate('client.pem'), '--key', certificate('client-key.pem')]
    expect(await command.run([...flags, ...two], 'hello\n')).toMatchObject({ code: 0, output: 'hello\n' })
    const both = path.join(path.dirname(command.file), 'both.pem')
    writeFileSync(
      both,
      ['client.pem', 'client-key.pem'].map((name) => readFileSync(certificate(name))).join(''),
    )
    expect(await command.run([...flags, '--cert', both], 'hello\n')).toMatchObject({ output: 'hello\n' })
    const { code, errors } = await command.run([...flags, '--cert', certificate('client.pem')])
    expect(code).toBe(2)
    expect(errors).toMatch(/^hawser: --cert must be PEM that belongs together: /)
  })
})

describe('backpressure', () => {
  /** Lines of 1 KiB that say which they are. */
  const lineOf = (index: number): string => `${String(index).padStart(1023, '.')}\n`
  const linesFrom = (start: number, count: number): string =>
    Array.from({ length: count }, (_, index) => lineOf(start + index)).join('')

  test('a server that reads slowly slows the input down, and gets every line', async () => {
    let reader: ServerSocket | undefined
    let received = 0
    server.route('/slow', {
      onOpen: (socket) => {
        reader = socket
        socket.pause()
      },
      onTextMessage: (_socket, text) => {
        expect(text).toBe(lineOf(received).trimEnd())
        received++
        return undefined
      },
    })
    const started = command.start(connect('/slow', '-v', '--no-compression', '--wait', '0'))
    await started.shows(/connected/)
    const { stdin } = started.child
    const total = 32 * 1024
    const block = 256
    let written = 0
    const feed = async (): Promise<void> => {
      for (; written < total; written += block) {
        if (stdin?.write(linesFrom(written, block)) === false) await once(stdin, 'drain')
      }
      stdin?.end()
    }
    const fed = feed()
    await untilStill(() => written)
    // 32 MiB are to be sent: the system's buffers hold some of them, the command next to nothing.
    expect(written).toBeLessThan(total / 2)
    expect(peakMemory(started.child.pid)).toBeLessThan(160 * MIB)
    reader?.resume()
    await fed
    expect(await started.ended).toMatchObject({ code: 0 })
    expect(received).toBe(total)
  })

  test('an output that is not read pauses the connection, and gets every message', async () => {
    const total = 32 * 1024
    let sent = 0
    server.route('/flood', {
      onOpen: (socket) => {
        void (async () => {
          for (; sent < total; sent++) {
            if (!socket.send(lineOf(sent).trimEnd(), { compress: false })) await socket.drained()
          }
          await socket.close(1000)
        })()
      },
    })
    const started = command.start(connect('/flood'))
    const { stdout } = started.child
    stdout?.removeAllListeners('data').pause()
    while (sent === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    await untilStill(() => sent)
    expect(sent).toBeLessThan(total / 2)
    expect(peakMemory(started.child.pid)).toBeLessThan(160 * MIB)
    let at = 0
    let rest = ''
    stdout?.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) expect(`${line}\n`).toBe(lineOf(at++))
    })
    stdout?.resume()
    expect(await started.ended).toMatchObject({ code: 0, errors: '' })
    expect([at, rest]).toEqual([total, ''])
  })

  test.each(['--wait 0', '--wait 0.3', '--wait 0 --reconnect'])(
    'an output that is not read for 2 s gets every message that the server sends before its Close frame: %s',
    async (flags) => {
      const total = 4 * 1024
      let sent = 0
      server.route('/reply', {
        onMessage: (socket) => {
          void (async () => {
            while (sent < total && socket.readyState === ReadyState.OPEN) {
              const hasRoom = socket.send(lineOf(sent).trimEnd(), { compress: false })
              sent++
              if (!hasRoom) await socket.drained()
            }
          })().catch((error: unknown) => {
            // What was sent before the Close frame came is sent, also where it came while the output was full.
            expect(error).toMatchObject({ code: 'HAWSER_CONNECTION_CLOSED' })
          })
          return undefined
        },
      })
      const started = command.start(connect('/reply', ...flags.split(' ')))
      const { stdin, stdout } = started.child
      stdout?.pause()
      stdin?.end('go\n')
      while (sent === 0) await new Promise((resolve) => setTimeout(resolve, 10))
      await new Promise((resolve) => setTimeout(resolve, 2000))
      stdout?.resume()
      expect(await started.ended).toMatchObject({ code: 0, errors: '' })
      // The server sends no more once it has the Close frame of the command.
      expect(sent).toBeGreaterThan(2 * 512)
      expect(started.output).toBe(linesFrom(0, sent))
    },
  )

  test('an output that is closed ends the command quietly, with 1000', async () => {
    server.route('/feed', {
      onOpen: (socket) => {
        const timer = setInterval(() => socket.send('news'), 10)
        void socket.closed.then(() => clearInterval(timer))
      },
      onMessage: () => closeWith(1008),
      onClose: (_socket, { code }) => void ends.push(code),
    })
    const started = command.start(connect('/feed'))
    await started.shows(/news/)
    started.child.stdout?.destroy()
    expect(await started.ended).toMatchObject({ code: 0, errors: '' })
    expect(ends).toEqual([1000])
  })
})

describe('docs/command.md', () => {
  const page = readFileSync(path.join(__dirname, '../../docs/command.md'), 'utf8')
  const blocks = page.matchAll(/^<!-- run: shell -->\n\n```sh\n([^]*?)^```\n\n```text\n([^]*?)^```$/gm)
  const examples = Array.from(blocks, ([, script = '', output = '']) => [script, output] as const)
  let echo: CommandProcess

  beforeAll(async () => {
    echo = command.start(['serve', '--echo', '--port', '0'])
    await echo.shows(/\n/)
  })

  afterAll(async () => {
    echo.child.kill('SIGTERM')
    await echo.ended
  })

  test('has examples that run', () => {
    expect(examples.length).toBeGreaterThanOrEqual(3)
  })

  test.each(examples)('has an example, number %#, that prints what the page says', async (script, output) => {
    const port = /:(\d+)/.exec(echo.output)?.[1] ?? ''
    const body = script.replace(/^npx hawser serve .*&$/m, '').replaceAll('8080', port)
    const shell = `npx() { shift; "$NODE" "$COMMAND" "$@"; }\n${body}`
    const env = { ...process.env, NODE: process.execPath, COMMAND: command.file }
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', shell], { env })
    expect(stdout.trimEnd()).toBe(output.trimEnd())
  })
})

/** Waits until a number has not changed for half a second. */
async function untilStill(read: () => number): Promise<void> {
  for (let last = -1; last !== read();) {
    last = read()
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

/** The most memory that a process has had, in bytes; 0 where the system does not say. */
function peakMemory(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
