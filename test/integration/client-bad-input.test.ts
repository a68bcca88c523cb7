/** What a caller can do wrong with `connect` and a client's socket: each is a typed error, thrown at once. */
import { connect, WebSocketServer, type ClientSocket } from '../../src/index.js'

const URLS: [unknown, ErrorConstructor, string | RegExp][] = [
  ['', SyntaxError, 'url must be an absolute, well-formed URL, not ""'],
  ['/chat', SyntaxError, 'url must be an absolute, well-formed URL, not "/chat"'],
  ['example.com', SyntaxError, 'url must be an absolute, well-formed URL'],
  ['example.com:80/x', SyntaxError, 'url must start with ws:, wss:'],
  ['ws://', SyntaxError, 'url must be an absolute, well-formed URL'],
  ['ws://exa mple.com/', SyntaxError, 'url must be an absolute, well-formed URL'],
  ['ws://example.com:65536/', SyntaxError, 'url must be an absolute, well-formed URL'],
  ['ws://example.com:x/', SyntaxError, 'url must be an absolute, well-formed URL'],
  ['ws://[::1/', SyntaxError, 'url must be an absolute, well-formed URL'],
  ['ftp://example.com/', SyntaxError, 'url must start with ws:, wss:'],
  ['about:blank', SyntaxError, 'url must start with ws:, wss:'],
  ['ws://example.com/#', SyntaxError, 'url must have no fragment (RFC 6455 section 3)'],
  ['ws://example.com/#top', SyntaxError, 'url must have no fragment (RFC 6455 section 3)'],
  [new URL('ws://example.com/?a#top'), SyntaxError, 'url must have no fragment (RFC 6455 section 3)'],
  ['ws://%ff@example.com/', SyntaxError, 'url must have credentials that are percent-encoded UTF-8'],
  ['ws+unix:', SyntaxError, 'url must name a socket by its whole path'],
  ['ws+unix://host/run/app.sock', SyntaxError, 'url must name a socket by its whole path'],
  [undefined, TypeError, 'url must be a string or a URL, not undefined'],
  [null, TypeError, 'url must be a string or a URL, not null'],
  [7, TypeError, 'url must be a string or a URL, not 7'],
  [{ href: 'ws://a/' }, TypeError, 'url must be a string or a URL, not an object'],
]

const PROTOCOLS: [unknown, string][] = [
  [['chat', 'chat'], 'protocols must hold each name once, and protocols[1] repeats one'],
  [[''], 'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is an empty text'],
  ['', 'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is an empty text'],
  ['a, b', 'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is text with U+002C at offset 1'],
  [['a b'], 'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is text with U+0020 at offset 1'],
  [
    ['a\r\nX: y'],
    'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is text with U+000D at offset 1',
  ],
  [['é'], 'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is text with U+00E9 at offset 0'],
  [[5], 'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is a number'],
  [7, 'protocols must be an array of names, not 7'],
  [{ chat: true }, 'protocols must be an array of names, not an object'],
]

const CODES: [unknown, ErrorConstructor][] = [
  ...[0, 999, 1004, 1006, 1015, 1016, 2000, 2999, 5000, 65_536, -1, 1000.5, NaN].map(
    (code) => [code, RangeError] as [unknown, ErrorConstructor],
  ),
  ['1000', TypeError],
  [null, TypeError],
]

describe('connect', () => {
  it.each(URLS)('throws at once for the URL %p', (url, kind, message) => {
    expect(() => void connect(url as string)).toThrow(kind)
    expect(() => void connect(url as string)).toThrow(message)
  })

  it.each(PROTOCOLS)('throws at once for the protocols %j', (protocols, message) => {
    const call = (): void => void connect('ws://localhost:1/', { protocols: protocols as string })
    expect(call).toThrow(TypeError)
    expect(call).toThrow(message)
  })

  it('throws at once for a proxy to a Unix socket', () => {
    const call = (): void => void connect('ws+unix:/run/app.sock:/x?token=1', { proxy: 'http://localhost:1' })
    expect(call).toThrow(TypeError)
    expect(call).toThrow('proxy must not be given for a Unix socket, ws+unix:/run/app.sock:/x')
  })
})

describe('the close of a client', () => {
  let server: WebSocketServer
  let socket: ClientSocket
  beforeAll(async () => {
    server = new WebSocketServer()
    server.route('/', {})
    const { port } = await server.listen(0, '127.0.0.1')
    socket = await connect(`ws://127.0.0.1:${String(port)}/`)
  })
  afterAll(() => {
    server.terminate()
  })

  it.each(CODES)('throws at once for the code %p, and the connection stays open', (code, kind) => {
    expect(() => void socket.close(code as number)).toThrow(kind)
    expect(socket.readyState).toBe(1)
  })

  it('throws at once for a reason that is no string, or has no code', () => {
    expect(() => void socket.close(1000, 5 as never)).toThrow(TypeError)
    expect(() => void socket.close(undefined, 'why')).toThrow(/code/)
    expect(socket.readyState).toBe(1)
  })

  it('cuts a reason of more than 123 bytes between two characters, and takes 1005 as no code', async () => {
    const { port } = await new Promise<{ port: number }>((resolve) => {
      void server.close({ timeoutMs: 0 })
      server = new WebSocketServer()
      server.route('/', { onClose: (_, { code, reason }) => ends.push([code, reason]) })
      void server.listen(0, '127.0.0.1').then(resolve)
    })
    const ends: [number, string][] = []
    for (const [code, reason] of [
      [4000, 'é'.repeat(62)],
      [1005, ''],
    ] as const) {
      const one = await connect(`ws://127.0.0.1:${String(port)}/`)
      await one.close(code, reason)
    }
    while (ends.length < 2) await new Promise((resolve) => setImmediate(resolve))
    expect(ends).toEqual([
      [4000, 'é'.repeat(61)],
      [1005, ''],
    ])
  })
})
