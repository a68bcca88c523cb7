/** Redirects that `connect` follows, and those that it refuses. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect, HandshakeError, WebSocketServer, type ConnectOptions } from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Origin {
  readonly port: number
  /** The handshakes that came, with their headers. */
  readonly requests: IncomingMessage[]
}

/** A server that sends some paths elsewhere, and opens a connection at `/open`. */
async function origin(
  locations: Readonly<Record<string, string | readonly string[]>> = {},
  { status = 302, secure = false } = {},
): Promise<Origin> {
  const http: Server = secure ? createTlsServer(SERVER_TLS) : createServer()
  const requests: IncomingMessage[] = []
  const server = new WebSocketServer()
  server.route('/open', { onOpen: (socket) => socket.send('hello') })
  http.on('upgrade', (request, socket, head) => {
    requests.push(request)
    const location = locations[request.url ?? '']
    if (location === undefined) {
      server.handleUpgrade(request, socket, head)
      return
    }
    const fields = [location].flat().map((one) => `Location: ${one}\r\n`)
    socket.on('error', () => undefined)
    socket.end(`HTTP/1.1 ${String(status)} x\r\n${fields.join('')}Content-Length: 4\r\n\r\ngone`, 'latin1')
  })
  await once(http.listen(0, '127.0.0.1'), 'listening')
  cleanups.push(() => {
    server.terminate()
    http.close()
  })
  return { port: (http.address() as AddressInfo).port, requests }
}

async function follow(url: string, options: ConnectOptions<undefined>): Promise<string> {
  const socket = await connect(url, { tls: TRUST_SERVER, ...options })
  cleanups.push(() => {
    socket.terminate()
  })
  expect(await socket.receive()).toBe('hello')
  return socket.url
}

async function failure(url: string, options: ConnectOptions<undefined>): Promise<HandshakeError> {
  const error: unknown = await follow(url, options).catch((reason: unknown) => reason)
  if (!(error instanceof HandshakeError)) throw new Error('it is not a HandshakeError', { cause: error })
  return error
}

const headers = { Authorization: 'Bearer t', cookie: 'a=1', 'Proxy-Authorization': 'x', 'X-Trace': '7' }
const at = (port: number, path: string): string => `ws://127.0.0.1:${String(port)}${path}`

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])('with %d is followed when the option allows it', async (status) => {
    const { port, requests } = await origin({ '/old': '/open?b=1#top', '/open?b=1': 'open' }, { status })
    expect(await follow(at(port, '/old'), { redirects: 2, headers })).toBe(at(port, '/open'))
    expect(requests.map(({ url }) => url)).toEqual(['/old', '/open?b=1', '/open'])
    for (const request of requests) {
      expect(request.headers).toMatchObject({ authorization: 'Bearer t', cookie: 'a=1', 'x-trace': '7' })
    }
    const keys = requests.map((request) => request.headers['sec-websocket-key'])
    expect(new Set(keys).size).toBe(3)
  })

  it.each([300, 304, 305, 306])('with %d is a response like any other', async (status) => {
    const { port } = await origin({ '/old': '/open' }, { status })
    const error = await failure(at(port, '/old'), { redirects: 5 })
    expect(error).toMatchObject({ code: 'HAWSER_UNEXPECTED_STATUS', httpStatus: status })
  })

  it('without a Location is a response like any other, as is each with redirects off', async () => {
    const { port } = await origin({ '/none': [], '/old': '/open' })
    expect((await failure(at(port, '/none'), { redirects: 5 })).code).toBe('HAWSER_UNEXPECTED_STATUS')
    expect((await failure(at(port, '/old'), {})).code).toBe('HAWSER_UNEXPECTED_STATUS')
  })

  it('to another origin leaves the credentials behind, also when it leads back', async () => {
    const back: Record<string, string> = {}
    const other = await origin(back)
    const first = await origin({ '/old': `http://eve:pw@127.0.0.1:${String(other.port)}/mid` })
    back['/mid'] = at(first.port, '/open')
    await follow(`ws://ada:secret@127.0.0.1:${String(first.port)}/old`, {
      redirects: 2,
      headers: { 'X-Trace': '7' },
    })
    expect(first.requests[0]?.headers.authorization).toBe('Basic YWRhOnNlY3JldA==')
    for (const request of [other.requests[0], first.requests[1]]) {
      expect(request?.headers['x-trace']).toBe('7')
      expect(request?.headers.authorization).toBeUndefined()
    }
    await follow(at(first.port, '/old'), { redirects: 2, headers })
    expect(other.requests[1]?.headers).toMatchObject({
      'x-trace': '7',
      host: `127.0.0.1:${String(other.port)}`,
    })
    for (const name of ['authorization', 'cookie', 'proxy-authorization']) {
      expect(first.requests[2]?.headers[name]).toBeDefined()
      expect(other.requests[1]?.headers[name]).toBeUndefined()
    }
  })

  it('within the origin keeps the credentials of the URL, and takes none from the Location', async () => {
    const locations: Record<string, string> = {}
    const { port, requests } = await origin(locations)
    locations['/old'] = `http://eve:pw@127.0.0.1:${String(port)}/open`
    expect(await follow(`ws://ada:secret@127.0.0.1:${String(port)}/old`, { redirects: 1 })).toBe(
      at(port, '/open'),
    )
    expect(requests[1]?.headers.authorization).toBe('Basic YWRhOnNlY3JldA==')
  })

  it('from ws to wss is followed, and from wss to ws is refused', async () => {
    const secure = await origin({}, { secure: true })
    const plain = await origin({ '/old': `https://localhost:${String(secure.port)}/open` })
    const url = await follow(at(plain.port, '/old'), { redirects: 1 })
    expect(url).toBe(`wss://localhost:${String(secure.port)}/open`)
    const down = await origin({ '/old': at(plain.port, '/open?token=1') }, { secure: true })
    const error = await failure(`wss://localhost:${String(down.port)}/old`, { redirects: 1 })
    expect(error).toMatchObject({ code: 'HAWSER_REDIRECT_REFUSED', httpStatus: 302 })
    expect(error.message).toContain(`from wss to ${at(plain.port, '/open')} (wss://localhost`)
    expect(error.message).not.toContain('token')
    expect(plain.requests.length).toBe(1)
  })

  it.each([
    ['ftp://127.0.0.1/', 'to ftp:, which'],
    ['ws+unix:/run/app.sock:/x', 'to ws+unix:, which'],
    ['http://', 'a malformed Location'],
    ['http://[::1/', 'a malformed Location'],
    [['/a', '/b'], 'several Location headers'],
  ])('to %j is refused, with the response', async (location, detail) => {
    const { port } = await origin({ '/old': location })
    const error = await failure(at(port, '/old'), { redirects: 5 })
    expect(error).toMatchObject({ code: 'HAWSER_REDIRECT_REFUSED', httpStatus: 302 })
    expect(error.message).toContain(detail)
    expect(Buffer.from(error.response?.body ?? []).toString()).toBe('gone')
  })

  it('in a circle, or one more than allowed, has a code of its own and says where it went', async () => {
    const { port, requests } = await origin({ '/a': '/b', '/b': '/c', '/c': '/a', '/self': '/self' })
    for (const [path, redirects, count] of [
      ['/a', 20, 3],
      ['/self', 20, 1],
      ['/a', 1, 2],
    ] as const) {
      const error = await failure(at(port, path), { redirects })
      expect(error).toMatchObject({ code: 'HAWSER_TOO_MANY_REDIRECTS', httpStatus: 302 })
      expect(requests.splice(0).length).toBe(count)
    }
    const error = await failure(at(port, '/a'), { redirects: 1 })
    expect(error.url).toBe(`${at(port, '/b')}, redirected from ${at(port, '/a')}`)
  })

  it('counts within the time of the whole handshake', async () => {
    const slow = createServer()
    let count = 0
    slow.on('upgrade', (_, socket) => {
      socket.on('error', () => undefined)
      setTimeout(() => {
        socket.end(`HTTP/1.1 307 x\r\nLocation: /${String(++count)}\r\nContent-Length: 0\r\n\r\n`)
      }, 80)
    })
    await once(slow.listen(0, '127.0.0.1'), 'listening')
    cleanups.push(() => slow.close())
    const { port } = slow.address() as AddressInfo
    const error = await failure(at(port, '/'), { redirects: 20, handshakeTimeoutMs: 250 })
    expect([error.code, error.httpStatus]).toEqual(['HAWSER_HANDSHAKE_TIMEOUT', undefined])
    expect(count).toBeLessThan(5)
  })

  it('in UTF-8 that is not percent-encoded is understood', async () => {
    const { port, requests } = await origin({ '/old': Buffer.from('/caf\u00e9').toString('latin1') })
    await failure(at(port, '/old'), { redirects: 1 })
    expect(requests[1]?.url).toBe('/caf%C3%A9')
  })
})
