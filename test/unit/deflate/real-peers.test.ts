/** What real clients offer and real servers answer, as it stands in their headers, and what Hawser makes of it. */
import {
  acceptOffer,
  createOffer,
  resolveDeflateOptions,
  verifyResponse,
  type PerMessageDeflateOptions,
} from '../../../src/deflate/negotiation.js'
import { parseExtensionHeader } from '../../../src/handshake/extension-header.js'

const server = resolveDeflateOptions({}, 'server')!

const answerTo = (offer: string, hasRoom = true): string | null =>
  acceptOffer(parseExtensionHeader(offer)!, server, hasRoom)?.response ?? null

describe('the offers of real clients, to a server with all defaults', () => {
  test.each<[client: string, offer: string, answer: string | null]>([
    ['Chrome and Edge', 'permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    ['Firefox', 'permessage-deflate', 'permessage-deflate'],
    ['Safari', 'permessage-deflate', 'permessage-deflate'],
    ['Safari of old', 'x-webkit-deflate-frame', null],
    ['ws', 'permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    ['undici (fetch in Node)', 'permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    ['faye-websocket', 'permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    [
      'Python websockets',
      'permessage-deflate; server_max_window_bits=12; client_max_window_bits=12',
      'permessage-deflate; server_max_window_bits=12; client_max_window_bits=12',
    ],
    ['Python websockets, compression=None', '', null],
    ['aiohttp', 'permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    ['.NET ClientWebSocket', 'permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    [
      '.NET ClientWebSocket, smaller windows and no contexts',
      'permessage-deflate; client_max_window_bits=10; client_no_context_takeover; server_max_window_bits=11; server_no_context_takeover',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; client_max_window_bits=10',
    ],
    ['OkHttp', 'permessage-deflate', 'permessage-deflate'],
    [
      'Netty',
      'permessage-deflate;client_max_window_bits,deflate-frame,x-webkit-deflate-frame',
      'permessage-deflate',
    ],
    ['Jetty', 'permessage-deflate', 'permessage-deflate'],
    [
      'Java-WebSocket',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    ],
    [
      'gorilla/websocket',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    ],
    ['gws with contexts', 'permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    ['Dart', 'permessage-deflate; client_max_window_bits', 'permessage-deflate'],
  ])('%s offers "%s" and gets "%s"', (_, offer, answer) => {
    expect(answerTo(offer)).toBe(answer)
  })

  test('are declined where there is no room for contexts, unless the client needs none', () => {
    for (const offer of ['permessage-deflate; client_max_window_bits', 'permessage-deflate']) {
      expect(answerTo(offer, false)).toBeNull()
    }
    const withoutContexts = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
    expect(answerTo(withoutContexts, false)).toBe(withoutContexts)
  })
})

describe('the answers of real servers', () => {
  const CLIENTS: readonly PerMessageDeflateOptions[] = [
    {},
    { serverMaxWindowBits: 10 },
    { serverNoContextTakeover: true, serverMaxWindowBits: 9 },
  ]

  test.each<[server: string, answer: string]>([
    ['ws, Undertow, Jetty and others, which leave parameters out', 'permessage-deflate'],
    [
      'gorilla/websocket, to any offer',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    ],
    ['a server that names its own window', 'permessage-deflate; server_max_window_bits=15'],
    [
      'Python websockets, which names its windows',
      'permessage-deflate; server_max_window_bits=12; client_max_window_bits=12',
    ],
    ['a server without spaces', 'permessage-deflate;client_max_window_bits=15;server_no_context_takeover'],
    ['a server without compression that answers with an empty header', ''],
  ])('%s: "%s" is taken by a client with any offer', (_, answer) => {
    for (const options of CLIENTS) {
      const config = resolveDeflateOptions(options, 'client')!
      expect(createOffer(config)).toMatch(/^permessage-deflate/)
      const result = verifyResponse(parseExtensionHeader(answer)!, config)
      expect(result).not.toBeInstanceOf(Error)
    }
  })
})
