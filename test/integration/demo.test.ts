/** What the `hawser` command serves, over real sockets: the page, the echo, and the frames. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import {
  connect,
  HandshakeError,
  type ClientSocket,
  ConnectionClosedError,
  type ConnectOptions,
} from '../../src/index.js'
import { DemoServer, type DemoOptions } from '../../demo/demo-server.js'
import type { FeedMessage } from '../../demo/frame-feed.js'
import type { FrameReport, WireReport } from '../../demo/frame-tap.js'
import { ListenError } from '../../demo/listen.js'
import { frame, KEY, OP } from '../helpers/frame-builder.js'

const pageDirectory = path.join(__dirname, '../../demo/page')
const OPTIONS: DemoOptions = { host: 'localhost', port: 0, pageDirectory }

const newId = (): string => randomBytes(16).toString('hex')

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

let server: DemoServer
const refused: string[] = []

beforeAll(async () => {
  server = await DemoServer.start({
    ...OPTIONS,
    origins: ['https://friend.example'],
    onRefusedOrigin: (origin) => refused.push(origin),
  })
})
afterAll(async () => {
  await server.close()
})

function fetch(target: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // Not by URL, which would normalize the path.
    const sent = request({ port: server.port, host: 'localhost', path: target, method, agent: false })
    sent.on('error', reject)
    sent.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
      })
    })
    sent.end()
  })
}

const open = (target: string, options: ConnectOptions = {}): Promise<ClientSocket> =>
  connect(`ws://localhost:${server.port}${target}`, options)

/** Reads on until the connection ends. @returns how it did */
async function closeOf(socket: ClientSocket): Promise<{ code: number; reason: string }> {
  for (;;) {
    const error: unknown = await socket.receive().then(
      () => null,
      (reason: unknown) => reason,
    )
    if (error instanceof ConnectionClosedError) return { code: error.closeCode, reason: error.reason }
  }
}

/** A page's two connections; `reports` grows, `until` waits for it. */
async function watch(
  id = newId(),
  options: ConnectOptions = {},
): Promise<{
  echo: ClientSocket
  watcher: ClientSocket
  messages: FeedMessage[]
  reports: WireReport[]
  until: (isThere: () => boolean) => Promise<void>
}> {
  const messages: FeedMessage[] = []
  const reports: WireReport[] = []
  const watcher = await open(`/frames?id=${id}`)
  const echo = await open(`/echo?id=${id}`, options)
  const until = async (isThere: () => boolean): Promise<void> => {
    while (!isThere()) {
      const message = JSON.parse(String(await watcher.receive({ timeoutMs: 10_000 }))) as FeedMessage
      messages.push(message)
      reports.push(...message.frames)
    }
  }
  return { echo, watcher, messages, reports, until }
}

const framesOf = (reports: readonly WireReport[], opcode: FrameReport['opcode']): FrameReport[] =>
  reports.filter((report): report is FrameReport => report.kind === 'frame' && report.opcode === opcode)

describe('the page', () => {
  test('loads nothing from another server', async () => {
    const { status, headers, body } = await fetch('/')
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringMatching(
        /^default-src 'none'; script-src 'self'; style-src 'self';/,
      ),
    })
    expect(headers['content-security-policy']).toContain(`connect-src 'self' ws://localhost:${server.port} `)
    expect(headers['content-security-policy']).not.toContain('unsafe')
    const links = [...body.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1] as string)
    expect(links.length).toBeGreaterThan(2)
    for (const link of links) expect((await fetch(link)).status).toBe(200)
  })

  test('has each module that its script imports', async () => {
    const seen = new Set(['/page.js'])
    for (const name of seen) {
      const { status, headers, body } = await fetch(name)
      expect([name, status, headers['content-type']]).toEqual([name, 200, 'text/javascript; charset=utf-8'])
      for (const [, file] of body.matchAll(/from '\.(\/[^']+)'/g)) seen.add(file as string)
    }
    expect(seen.size).toBeGreaterThan(3)
  })

  test('answers HEAD with the same headers and without a body', async () => {
    const { status, headers, body } = await fetch('/', 'HEAD')
    expect([status, body]).toEqual([200, ''])
    expect(Number(headers['content-length'])).toBeGreaterThan(1000)
  })

  test.each([
    ['POST', '/', 405],
    ['GET', '/echo', 426],
    ['GET', '/frames?id=1', 426],
    ['GET', '/index.html', 404],
    ['GET', '/../main.ts', 404],
    ['GET', '/%2e%2e/main.ts', 404],
    ['GET', '/page', 404],
  ])('answers %s %s with %i', async (method, target, status) => {
    expect(await fetch(target, method)).toMatchObject({ status, body: expect.stringMatching(/^[^\n]+\n$/) })
  })
})

describe('the echo', () => {
  test('returns text and bytes, with compression and the subprotocol', async () => {
    const socket = await open('/echo', { protocols: ['other', 'echo.hawser'] })
    expect([socket.protocol, socket.extensions]).toEqual([
      'echo.hawser',
      expect.stringMatching(/^permessage-deflate/),
    ])
    for (const message of ['Hello ⚓', '', Buffer.from([0, 255]), Buffer.alloc(0)]) {
      socket.send(message)
      expect(await socket.receive()).toEqual(message)
    }
    await socket.close(1000)
  })

  test('returns messages of megabytes, whether a page watches or not', async () => {
    const bytes = randomBytes(6 * 1024 * 1024)
    const plain = await open('/echo')
    plain.send(bytes)
    expect(bytes.equals((await plain.receive()) as Buffer)).toBe(true)
    await plain.close(1000)

    const { echo, reports, until } = await watch()
    echo.send(bytes)
    expect(bytes.equals((await echo.receive()) as Buffer)).toBe(true)
    await until(() => framesOf(reports, 'BINARY').length === 2)
    for (const report of framesOf(reports, 'BINARY')) expect(report.payloadLength).toBeGreaterThan(6_000_000)
    await echo.close(1000)
  })

  test('is at no other path', async () => {
    const error = await open('/').catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(HandshakeError)
    expect((error as HandshakeError).response?.status).toBe(404)
  })

  test('returns and reports frames that arrive with the request', async () => {
    const id = newId()
    const watcher = await open(`/frames?id=${id}`)
    const socket = connectTcp(server.port, 'localhost')
    socket.write(
      Buffer.concat([
        Buffer.from(
          `GET /echo?id=${id} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
            'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
        ),
        frame({ opcode: OP.TEXT, payload: 'at once', key: KEY }),
      ]),
    )
    let received = ''
    socket.setEncoding('latin1').on('data', (text: string) => (received += text))
    while (!received.includes('\x81\x07at once')) await once(socket, 'data')
    const { frames } = JSON.parse(String(await watcher.receive())) as FeedMessage
    expect(framesOf(frames, 'TEXT').map(({ from, maskingKey }) => [from, maskingKey])).toEqual([
      ['client', '37fa213d'],
      ['server', null],
    ])
    socket.destroy()
    await closeOf(watcher)
  })
})

describe('the frames of a connection', () => {
  test('are reported for both directions, with flags, length, masking key and bytes', async () => {
    const { echo, reports, until } = await watch(undefined, { perMessageDeflate: false })
    echo.send('Hello')
    await echo.receive()
    await until(() => framesOf(reports, 'TEXT').length === 2)
    const known = { fin: true, rsv1: false, payloadLength: 5, bytes: '48656c6c6f' }
    expect(framesOf(reports, 'TEXT')).toEqual([
      expect.objectContaining({
        ...known,
        from: 'client',
        maskingKey: expect.stringMatching(/^[0-9a-f]{8}$/),
      }),
      expect.objectContaining({ ...known, from: 'server', maskingKey: null }),
    ])
    await echo.close(1000)
  })

  test('are reported compressed, as they pass', async () => {
    const { echo, reports, until } = await watch()
    const text = 'all the same '.repeat(1000)
    echo.send(text)
    await echo.receive()
    await until(() => framesOf(reports, 'TEXT').length === 2)
    for (const { rsv1, payloadLength } of framesOf(reports, 'TEXT')) {
      expect([rsv1, payloadLength < text.length / 10]).toEqual([true, true])
    }
    await echo.close(1000)
  })

  test('give the round trip at once, and whenever the page asks', async () => {
    const { echo, watcher, messages, reports, until } = await watch()
    await until(() => messages.some(({ rttMs }) => rttMs !== null))
    expect(messages.at(-1)?.rttMs).toBeGreaterThan(0)
    watcher.send('ping')
    await until(() => framesOf(reports, 'PONG').length === 2)
    expect(framesOf(reports, 'PING').map(({ from }) => from)).toEqual(['server', 'server'])
    expect(framesOf(reports, 'PONG').map(({ from }) => from)).toEqual(['client', 'client'])
    await echo.close(1000)
  })

  test('end with the Close frames of both sides, and then the reports end with 1000', async () => {
    const { echo, watcher, reports, until } = await watch()
    await echo.close(4001, 'enough')
    await until(() => framesOf(reports, 'CLOSE').length === 2)
    expect(framesOf(reports, 'CLOSE').map(({ from, close }) => [from, close?.code])).toEqual([
      ['client', 4001],
      ['server', 4001],
    ])
    expect(await closeOf(watcher)).toEqual({ code: 1000, reason: '' })
  })

  test('are counted and not kept during a flood, and the count is right', async () => {
    const { echo, messages, until } = await watch(undefined, { perMessageDeflate: false })
    const sent = 5_000
    for (let i = 0; i < sent; i++) echo.send('x')
    for (let i = 0; i < sent; i++) await echo.receive()
    const count = (): number =>
      messages.reduce((sum, { frames, missed }) => sum + missed + framesOf(frames, 'TEXT').length, 0)
    await until(() => count() >= sent * 2)
    // The first ping and its pong may be among those that were missed.
    expect(count() - sent * 2).toBeLessThanOrEqual(2)
    for (const { frames } of messages) expect(frames.length).toBeLessThanOrEqual(256)
    await echo.close(1000)
  })

  test('leave the connection as it is when the page that watches goes away', async () => {
    const { echo, watcher } = await watch()
    await watcher.close(1000)
    echo.send('still here')
    expect(await echo.receive()).toBe('still here')
    await echo.close(1000)
  })

  test('belong to one connection for each id: a second one is echoed and not watched', async () => {
    const id = newId()
    const { echo, reports, until } = await watch(id, { perMessageDeflate: false })
    const second = await open(`/echo?id=${id}`)
    second.send('second')
    expect(await second.receive()).toBe('second')
    echo.send('first')
    await until(() => framesOf(reports, 'TEXT').length === 2)
    expect(framesOf(reports, 'TEXT').map(({ bytes }) => Buffer.from(bytes, 'hex').toString())).toEqual([
      'first',
      'first',
    ])
    await Promise.all([echo.close(1000), second.close(1000)])
  })

  test.each([
    ['no id', ''],
    ['a short id', '?id=abc'],
    ['an id that is not hexadecimal', `?id=${'g'.repeat(32)}`],
  ])('are not reported for %s, which is refused with 1008', async (_name, query) => {
    expect(await closeOf(await open(`/frames${query}`))).toMatchObject({ code: 1008 })
  })

  test('are not reported to a second page for the same id, and the reports of the first go on', async () => {
    const id = newId()
    const { echo, reports, until } = await watch(id)
    expect(await closeOf(await open(`/frames?id=${id}`))).toEqual({ code: 1008, reason: 'this id is in use' })
    echo.send('x')
    await until(() => framesOf(reports, 'TEXT').length === 2)
    await echo.close(1000)
  })

  test('are not reported for any other request, which is refused with 1008', async () => {
    const watcher = await open(`/frames?id=${newId()}`)
    watcher.send('format the disk')
    expect(await closeOf(watcher)).toMatchObject({ code: 1008 })
  })
})

describe('pages of other origins (RFC 6455 section 10.2)', () => {
  test.each(['/echo', '/frames'])('are refused by %s, and the user is told once', async (target) => {
    refused.length = 0
    const origin = `https://foreign.example${target.length}`
    for (let i = 0; i < 2; i++) {
      const error: unknown = await open(target, { origin }).catch((reason: unknown) => reason)
      expect((error as HandshakeError).response?.status).toBe(403)
    }
    expect(refused).toEqual([origin])
  })

  test('are refused, but not the page itself by all its names, allowed origins, and programs', async () => {
    const { port } = server
    const origins = ['localhost', '127.0.0.1', '[::1]'].map((host) => `http://${host}:${port}`)
    for (const origin of [...origins, 'https://friend.example']) {
      await expect((await open('/echo', { origin })).close(1000)).resolves.toMatchObject({ code: 1000 })
    }
    await expect((await open('/echo')).close(1000)).resolves.toMatchObject({ code: 1000 })
  })
})

describe('/origin says whether the origin of a page may connect', () => {
  test.each([
    ['https://friend.example', true],
    ['http://localhost:9000', true],
    ['https://foreign.example', false],
    ['', false],
  ])('answers %j with %j', async (origin, isAllowed) => {
    const { status, headers, body } = await fetch(`/origin?of=${encodeURIComponent(origin)}`)
    expect([status, headers['content-type']]).toEqual([200, 'application/json'])
    expect(JSON.parse(body)).toEqual({ isAllowed })
  })
})

describe('listening', () => {
  test('reports a port in use in one line', async () => {
    const error: unknown = await DemoServer.start({ ...OPTIONS, port: server.port }).catch(
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(ListenError)
    expect((error as Error).message).toBe(
      `port ${server.port} on localhost is in use: choose another one with --port, or --port 0 for any free one`,
    )
  })

  test('reports a port that is in use on one address of the host name alone', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    await expect(DemoServer.start({ ...OPTIONS, port })).rejects.toThrow(/is in use/)
    other.close()
  })

  test.each([
    ['no-such-host.invalid', /^there is no host named no-such-host\.invalid/],
    // TEST-NET-1 (RFC 5737): nobody has it.
    ['192.0.2.1', /^192\.0\.2\.1 is no address of this machine/],
  ])('reports %s in one line', async (host, message) => {
    await expect(DemoServer.start({ ...OPTIONS, host })).rejects.toThrow(message)
  })

  test('gives a URL that a browser can open', async () => {
    const all = await DemoServer.start({ ...OPTIONS, host: '0.0.0.0' })
    expect([server.url, all.url]).toEqual([
      `http://localhost:${server.port}/`,
      `http://localhost:${all.port}/`,
    ])
    await all.close()
  })
})

describe('the end', () => {
  test('closes all connections with 1001, and frees the port', async () => {
    const ending = await DemoServer.start(OPTIONS)
    const id = newId()
    const watcher = await connect(`ws://localhost:${ending.port}/frames?id=${id}`)
    const echo = await connect(`ws://localhost:${ending.port}/echo?id=${id}`)
    const other = await connect(`ws://localhost:${ending.port}/echo`)
    const idle = await connect(`ws://localhost:${ending.port}/frames?id=${newId()}`)
    const ended = Promise.all(
      [echo, other, idle, watcher].map(async (socket) => (await closeOf(socket)).code),
    )
    await ending.close()
    // The watcher's echo ended first, and its reports with it.
    expect(await ended).toEqual([1001, 1001, 1001, 1000])
    await (await DemoServer.start({ ...OPTIONS, port: ending.port })).close()
  })

  test('cuts all connections after terminate', async () => {
    const ending = await DemoServer.start(OPTIONS)
    const echo = await connect(`ws://localhost:${ending.port}/echo`)
    ending.terminate()
    expect(await closeOf(echo)).toMatchObject({ code: 1006 })
  })
})
