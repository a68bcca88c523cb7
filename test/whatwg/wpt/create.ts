/** The cases on the constructor: URLs, subprotocols, the first state. */
import { WebSocket } from '../../../src/whatwg/index.js'
import {
  ended,
  journalOf,
  nameOfThrown,
  next,
  nextData,
  numbered,
  type WptCase,
  type World,
} from './world.js'

/** What no token may have: separators of RFC 2616, controls, and all beyond ASCII. */
const NOT_IN_TOKENS = [
  ...'()<>@,;:\\"/[]?={} \t',
  ...Array.from({ length: 0x20 }, (_, i) => String.fromCharCode(i)),
  ...Array.from({ length: 0x81 }, (_, i) => String.fromCharCode(0x7f + i)),
]

const url = 'ws://127.0.0.1:1/'
const throwsFor = (given: unknown): string => nameOfThrown(() => new WebSocket(given as string))
const throwsForProtocols = (protocols: unknown): string =>
  nameOfThrown(() => new WebSocket(url, protocols as string))

async function expectFailure(world: World, path: string, protocols?: string): Promise<void> {
  const socket = world.connect(path, protocols)
  const types = journalOf(socket)
  expect(await ended(socket)).toEqual([1006, '', false])
  expect(types).toEqual(['error', 'close'])
}

export const CREATE: readonly WptCase[] = [
  {
    files: ['constructor/001'],
    title: 'a constructor without arguments is a TypeError',
    run: () => {
      expect(nameOfThrown(() => new (WebSocket as unknown as new () => WebSocket)())).toBe('TypeError')
    },
  },
  {
    files: [...['Create-invalid-urls', 'Create-wrong-scheme', 'Create-non-absolute-url', 'constructor/002']],
    title: 'a URL that is malformed, relative, of another scheme or with a fragment is a SyntaxError',
    run: () => {
      const urls = [
        ...[
          'ws://foo bar.com/',
          'wss://foo bar.com/',
          'ftp://localhost/',
          'mailto:a@b.example',
          'about:blank',
        ],
        ...[`${url}#`, `${url}#test`, '#test', '/test', 'test', '?test', '//localhost/test', 'ws://', ''],
      ]
      expect(urls.map(throwsFor)).toEqual(urls.map(() => 'SyntaxError'))
    },
  },
  {
    files: ['Create-http-urls', 'Create-valid-url-http.tentative'],
    title: 'http and https stand for ws and wss',
    run: () => {
      const urls = [
        'http://127.0.0.1:1/a',
        'https://127.0.0.1:1/a',
        'http://127.0.0.1:443/',
        'https://127.0.0.1:443/',
      ]
      expect(urls.map((one) => new WebSocket(one).url)).toEqual([
        ...['ws://127.0.0.1:1/a', 'wss://127.0.0.1:1/a', 'ws://127.0.0.1:443/', 'wss://127.0.0.1/'],
      ])
    },
  },
  {
    files: [
      'Create-asciiSep-protocol-string',
      'Create-nonAscii-protocol-string',
      'Create-protocol-with-space',
      'constructor/004',
    ],
    title: 'a subprotocol that is no token is a SyntaxError',
    run: () => {
      const wrong = ['', ...NOT_IN_TOKENS.map((character) => `a${character}b`)]
      expect(wrong.map(throwsForProtocols)).toEqual(wrong.map(() => 'SyntaxError'))
      expect(wrong.map((name) => throwsForProtocols(['fine', name]))).toEqual(wrong.map(() => 'SyntaxError'))
    },
  },
  {
    files: ['Create-protocols-repeated', 'Create-protocols-repeated-case-insensitive', 'constructor/021'],
    title: 'a subprotocol that appears twice, in whatever case, is a SyntaxError',
    run: () => {
      expect(
        [
          ['echo', 'echo'],
          ['Echo', 'echo'],
        ].map(throwsForProtocols),
      ).toEqual(['SyntaxError', 'SyntaxError'])
    },
  },
  {
    files: ['constructor', 'constructor/005', 'constructor/006', 'constructor/008'],
    title: 'valid URLs, subprotocols and a stray argument do not throw',
    run: () => {
      const Loose = WebSocket as unknown as new (...args: unknown[]) => WebSocket
      expect(new Loose(url, 'echo', 'stray')).toBeInstanceOf(WebSocket)
      const token = Array.from({ length: 0x7e - 0x20 }, (_, i) => String.fromCharCode(0x21 + i))
        .filter((character) => !NOT_IN_TOKENS.includes(character))
        .join('')
      expect(throwsForProtocols(token)).toBe('nothing')
      expect(['ws://a.invalid:80/', 'ws://a.invalid:443/', 'wss://a.invalid:80/'].map(throwsFor)).toEqual(
        Array(3).fill('nothing'),
      )
    },
  },
  {
    files: ['Create-valid-url', 'opening-handshake/005', 'interfaces/WebSocket/readyState/007'],
    secure: ['Create-Secure-valid-url'],
    title: 'the connection opens and closes clean, and the state follows',
    run: async (world) => {
      const socket = world.connect('echo')
      const types = journalOf(socket)
      expect(socket.readyState).toBe(0)
      await next(socket, 'open')
      expect(socket.readyState).toBe(1)
      socket.close()
      expect(socket.readyState).toBe(2)
      expect(await ended(socket)).toEqual([1005, '', true])
      expect(socket.readyState).toBe(3)
      expect(types).toEqual(['open', 'close'])
    },
  },
  {
    files: [
      'Create-valid-url-protocol-empty',
      'Create-extensions-empty',
      'interfaces/WebSocket/extensions/001',
      'interfaces/WebSocket/protocol/001',
    ],
    secure: ['Create-Secure-extensions-empty'],
    title: 'without subprotocol and extension both attributes are empty, before and after open',
    run: async (world) => {
      const socket = world.connect('echo')
      expect([socket.protocol, socket.extensions]).toEqual(['', ''])
      await next(socket, 'open')
      expect([socket.protocol, socket.extensions]).toEqual(['', ''])
    },
  },
  {
    files: [
      'Create-valid-url-protocol',
      'Create-valid-url-protocol-setCorrectly',
      'Create-valid-url-protocol-string',
      'constructor/009',
    ],
    secure: ['Create-Secure-valid-url-protocol-setCorrectly', 'Create-Secure-valid-url-protocol-string'],
    title: 'one subprotocol is offered, and protocol says which is in use once the connection is open',
    run: async (world) => {
      const socket = world.connect('say-protocol', 'echo')
      expect(socket.protocol).toBe('')
      expect(await nextData(socket)).toBe('echo')
      expect(socket.protocol).toBe('echo')
    },
  },
  {
    files: ['Create-valid-url-array-protocols', 'constructor/022'],
    secure: ['Create-Secure-valid-url-array-protocols'],
    title: 'a list of subprotocols is offered in order',
    run: async (world) => {
      const socket = world.connect('say-field?sec-websocket-protocol', ['foobar', 'foobar2'])
      expect(await nextData(socket)).toBe('foobar, foobar2')
      expect(socket.protocol).toBe('foobar')
    },
  },
  {
    files: numbered('constructor', 10, 12),
    title: 'a subprotocol that was not offered, or none where some were, fails the connection',
    run: async (world) => {
      await expectFailure(world, 'other-protocol')
      await expectFailure(world, 'other-protocol', 'foobar')
      await expectFailure(world, 'no-protocol', 'foobar')
    },
  },
  {
    files: ['constructor/013'],
    title: 'many sockets at once do not get in each other’s way',
    run: async (world) => {
      const sockets = Array.from({ length: 25 }, (_, i) => world.connect(`say-query?${String(i)}`))
      expect(await Promise.all(sockets.map(nextData))).toEqual(sockets.map((_, i) => String(i)))
    },
  },
  {
    files: [
      'constructor/016',
      'constructor/018',
      'Create-url-with-space',
      'Create-url-with-windows-1252-encoding',
    ],
    secure: ['Create-Secure-url-with-space'],
    title: 'what a URL cannot have is percent-encoded as UTF-8',
    run: async (world) => {
      expect(await nextData(world.connect('say-query?åäö'))).toBe('%C3%A5%C3%A4%C3%B6')
      expect(await nextData(world.connect('say-query?x\0y'))).toBe('x%00y')
      expect(world.connect('web socket').url).toBe(world.at('web%20socket'))
    },
  },
  {
    files: [
      ...numbered('constructor', 17, 17),
      ...numbered('constructor', 19, 20),
      'interfaces/WebSocket/url/001',
    ],
    title: 'scheme and host are written in any case, with any number of slashes',
    run: async (world) => {
      const address = world.at('echo').slice('ws://'.length)
      for (const given of [
        `ws:/${address}`,
        `ws:${address}`,
        `WS://${address}`,
        `ws://${address.toUpperCase()}`,
      ]) {
        const socket = world.keep(new WebSocket(given))
        expect(socket.url.toLowerCase()).toBe(world.at('echo'))
        await next(socket, 'open')
      }
    },
  },
  {
    files: ['Create-verify-url-set-default-port'],
    secure: ['Create-Secure-verify-url-set-default-port'],
    title: 'the default port is left out of url',
    run: ({ scheme }) => {
      const port = scheme === 'ws' ? '80' : '443'
      expect(new WebSocket(`${scheme}://a.invalid:${port}/echo`).url).toBe(`${scheme}://a.invalid/echo`)
    },
  },
  {
    files: ['Create-verify-url-set-non-default-port'],
    secure: ['Create-Secure-verify-url-set-non-default-port'],
    title: 'another port is in url',
    run: (world) => {
      expect(world.connect('echo').url).toBe(world.at('echo'))
    },
  },
  {
    files: ['basic-auth'],
    title: 'credentials of the URL become an Authorization field',
    run: async (world) => {
      const [before, after] = world.at('say-field?authorization').split('//')
      const socket = world.keep(new WebSocket(`${before ?? ''}//foo:bar@${after ?? ''}`))
      expect(await nextData(socket)).toBe(`Basic ${Buffer.from('foo:bar').toString('base64')}`)
    },
  },
  {
    files: ['referrer', ...numbered('opening-handshake', 3, 3), 'opening-handshake/003-sets-origin.worker'],
    title: 'no Referer is sent, and an Origin only where the program gives one',
    run: async (world) => {
      expect(await nextData(world.connect('say-field?referer'))).toBe('none')
      expect(await nextData(world.connect('say-field?origin'))).toBe('none')
      const socket = world.keep(new WebSocket(world.at('say-field?origin'), { origin: 'https://a.example' }))
      expect(await nextData(socket)).toBe('https://a.example')
    },
  },
  {
    files: ['opening-handshake/001', 'opening-handshake/002', 'security/001'],
    title: 'a response that is not the right 101 fails the connection: error, then close with 1006',
    run: async (world) => {
      await expectFailure(world, 'not-found')
      await expectFailure(world, 'wrong-key')
    },
  },
  {
    files: ['keeping-connection-open/001'],
    title: 'a silent connection stays open',
    run: async (world) => {
      const socket = await world.opened('echo')
      await new Promise((resolve) => setTimeout(resolve, 300))
      socket.send('test')
      expect(await nextData(socket)).toBe('test')
    },
  },
]
