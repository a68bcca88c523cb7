import { HandshakeError } from '../../../src/errors.js'
import { HeaderFields } from '../../../src/handshake/header-fields.js'
import type { RequestHead } from '../../../src/handshake/http1.js'
import {
  checkBodyOf,
  formatRejection,
  formatUpgradeResponse,
  readUpgradeRequest,
} from '../../../src/handshake/server-handshake.js'
import type {
  RejectionOptions,
  UpgradeChoice,
  UpgradeRequest,
} from '../../../src/handshake/server-handshake.js'

const GOOD: readonly (readonly [string, string])[] = [
  ['Host', 'server.example.com'],
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  ['Sec-WebSocket-Version', '13'],
]

/** A valid request with these headers added, or in place of those with the same name. */
const request = (
  changes: readonly (readonly [string, string])[] = [],
  line: { method?: string; target?: string; httpVersion?: string } = {},
): RequestHead => {
  const replaced = new Set(changes.map(([name]) => name.toLowerCase()))
  const kept = GOOD.filter(([name]) => !replaced.has(name.toLowerCase()))
  return {
    method: 'GET',
    target: '/chat?x=1',
    httpVersion: '1.1',
    ...line,
    headers: HeaderFields.fromRawHeaders([...kept, ...changes].flat()),
  }
}

const without = (name: string): RequestHead => ({
  ...request(),
  headers: HeaderFields.fromRawHeaders(GOOD.filter(([other]) => other !== name).flat()),
})

const read = (head: RequestHead): UpgradeRequest => {
  const result = readUpgradeRequest(head)
  if (result instanceof HandshakeError) throw result
  return result
}

const refusal = (head: RequestHead): [string, number] => {
  const result = readUpgradeRequest(head)
  if (!(result instanceof HandshakeError)) throw new Error('it was accepted')
  expect(result.response).toBeUndefined()
  return [result.code, result.httpStatus ?? 0]
}

describe("RFC 6455 4.2.1: reading the client's handshake", () => {
  it('returns the parts of the handshake', () => {
    const head = request([
      ['Origin', 'http://example.com'],
      ['Sec-WebSocket-Protocol', 'chat, superchat'],
      ['Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits'],
    ])
    expect(read(head)).toEqual({
      key: 'dGhlIHNhbXBsZSBub25jZQ==',
      protocols: ['chat', 'superchat'],
      extensions: [{ name: 'permessage-deflate', parameters: [['client_max_window_bits', true]] }],
      origin: 'http://example.com',
      target: '/chat?x=1',
      path: '/chat',
      search: '?x=1',
      host: 'server.example.com',
      headers: head.headers,
    })
  })

  it('needs only the five required headers', () => {
    expect(read(request())).toMatchObject({ protocols: [], extensions: [], origin: undefined })
  })

  it('joins several headers for subprotocols and extensions (sections 11.3.2 and 11.3.4)', () => {
    const head = request([
      ['Sec-WebSocket-Protocol', 'a'],
      ['sec-websocket-protocol', 'b, c'],
      ['Sec-WebSocket-Extensions', 'x; y'],
      ['Sec-WebSocket-Extensions', 'z'],
    ])
    expect(read(head).protocols).toEqual(['a', 'b', 'c'])
    expect(read(head).extensions.map(({ name }) => name)).toEqual(['x', 'z'])
  })

  it.each<[string, readonly (readonly [string, string])[]]>([
    ['Connection: keep-alive, Upgrade', [['Connection', 'keep-alive, Upgrade']]],
    ['Connection: UPGRADE', [['Connection', 'UPGRADE']]],
    [
      'several Connection headers',
      [
        ['Connection', 'keep-alive'],
        ['Connection', 'upgrade'],
      ],
    ],
    ['upgrade: WebSocket', [['upgrade', 'WebSocket']]],
    ['Upgrade: h2c, websocket', [['Upgrade', 'h2c, websocket']]],
    ['Content-Length: 0', [['Content-Length', '0']]],
    ['Host with a port', [['Host', '[::1]:8080']]],
    ['an empty Origin', [['Origin', '']]],
  ])('accepts %s', (_, changes) => {
    expect(read(request(changes)).key).toBe('dGhlIHNhbXBsZSBub25jZQ==')
  })

  it('accepts an absolute-form target, and takes the host from the Host header', () => {
    expect(read(request([], { target: 'wss://other.example/a?b' }))).toMatchObject({
      target: '/a?b',
      path: '/a',
      search: '?b',
      host: 'server.example.com',
    })
  })

  it.each<[string, RequestHead, string, number]>([
    ['HTTP/1.0', request([], { httpVersion: '1.0' }), 'HAWSER_HTTP_VERSION', 505],
    ['HTTP/2.0', request([], { httpVersion: '2.0' }), 'HAWSER_HTTP_VERSION', 505],
    ['POST', request([], { method: 'POST' }), 'HAWSER_METHOD_NOT_ALLOWED', 405],
    ['get in lower case', request([], { method: 'get' }), 'HAWSER_METHOD_NOT_ALLOWED', 405],
    ['an asterisk-form target', request([], { target: '*' }), 'HAWSER_INVALID_TARGET', 400],
    ['an authority-form target', request([], { target: 'example.com:443' }), 'HAWSER_INVALID_TARGET', 400],
    ['a target with a fragment', request([], { target: '/#a' }), 'HAWSER_INVALID_TARGET', 400],
    ['no Host', without('Host'), 'HAWSER_INVALID_HOST', 400],
    ['an empty Host', request([['Host', '']]), 'HAWSER_INVALID_HOST', 400],
    [
      'a doubled Host',
      request([
        ['Host', 'a'],
        ['Host', 'a'],
      ]),
      'HAWSER_INVALID_HOST',
      400,
    ],
    ['a Host that is none', request([['Host', 'a/b']]), 'HAWSER_INVALID_HOST', 400],
    ['Transfer-Encoding', request([['Transfer-Encoding', 'chunked']]), 'HAWSER_UNEXPECTED_BODY', 400],
    ['an empty Transfer-Encoding', request([['Transfer-Encoding', '']]), 'HAWSER_UNEXPECTED_BODY', 400],
    ['Content-Length: 1', request([['Content-Length', '1']]), 'HAWSER_UNEXPECTED_BODY', 400],
    ['Content-Length: +0', request([['Content-Length', '+0']]), 'HAWSER_UNEXPECTED_BODY', 400],
    [
      'Content-Length: 0 and 5',
      request([
        ['Content-Length', '0'],
        ['Content-Length', '5'],
      ]),
      'HAWSER_UNEXPECTED_BODY',
      400,
    ],
    ['no Upgrade', without('Upgrade'), 'HAWSER_UPGRADE_REQUIRED', 426],
    ['Upgrade: h2c', request([['Upgrade', 'h2c']]), 'HAWSER_UPGRADE_REQUIRED', 426],
    ['Upgrade: websocket/13', request([['Upgrade', 'websocket/13']]), 'HAWSER_UPGRADE_REQUIRED', 426],
    ['no Connection', without('Connection'), 'HAWSER_UPGRADE_REQUIRED', 426],
    ['Connection: keep-alive', request([['Connection', 'keep-alive']]), 'HAWSER_UPGRADE_REQUIRED', 426],
    ['no version', without('Sec-WebSocket-Version'), 'HAWSER_UNSUPPORTED_VERSION', 426],
    ['version 8', request([['Sec-WebSocket-Version', '8']]), 'HAWSER_UNSUPPORTED_VERSION', 426],
    ['version 13, 8', request([['Sec-WebSocket-Version', '13, 8']]), 'HAWSER_UNSUPPORTED_VERSION', 426],
    ['version 013', request([['Sec-WebSocket-Version', '013']]), 'HAWSER_UNSUPPORTED_VERSION', 426],
    [
      'a doubled version',
      request([
        ['Sec-WebSocket-Version', '13'],
        ['Sec-WebSocket-Version', '13'],
      ]),
      'HAWSER_INVALID_VERSION_HEADER',
      400,
    ],
    ['no key', without('Sec-WebSocket-Key'), 'HAWSER_INVALID_KEY', 400],
    ['an empty key', request([['Sec-WebSocket-Key', '']]), 'HAWSER_INVALID_KEY', 400],
    [
      'a key of 15 bytes',
      request([['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAA']]),
      'HAWSER_INVALID_KEY',
      400,
    ],
    [
      'a doubled key',
      request([
        ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
        ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
      ]),
      'HAWSER_INVALID_KEY',
      400,
    ],
    [
      'a doubled Origin',
      request([
        ['Origin', 'http://a.example'],
        ['Origin', 'http://b.example'],
      ]),
      'HAWSER_INVALID_ORIGIN_HEADER',
      400,
    ],
    [
      'an empty list of subprotocols',
      request([['Sec-WebSocket-Protocol', '']]),
      'HAWSER_INVALID_PROTOCOL_HEADER',
      400,
    ],
    [
      'a subprotocol offered twice',
      request([
        ['Sec-WebSocket-Protocol', 'a'],
        ['Sec-WebSocket-Protocol', 'a'],
      ]),
      'HAWSER_INVALID_PROTOCOL_HEADER',
      400,
    ],
    [
      'a list of extensions with commas alone',
      request([['Sec-WebSocket-Extensions', ',']]),
      'HAWSER_INVALID_EXTENSION_HEADER',
      400,
    ],
    [
      'a malformed extension',
      request([['Sec-WebSocket-Extensions', 'a;']]),
      'HAWSER_INVALID_EXTENSION_HEADER',
      400,
    ],
  ])('refuses %s', (_, head, code, httpStatus) => {
    expect(refusal(head)).toEqual([code, httpStatus])
  })

  it('accepts unknown extensions and parameters', () => {
    const value = 'x-unknown; a=1; a=2, permessage-deflate; server_max_window_bits=99'
    expect(read(request([['Sec-WebSocket-Extensions', value]])).extensions).toHaveLength(2)
  })
})

describe("RFC 6455 4.2.2: writing the server's handshake", () => {
  const asked = read(
    request([
      ['Sec-WebSocket-Protocol', 'chat, superchat'],
      ['Sec-WebSocket-Extensions', 'permessage-deflate, x-other'],
    ]),
  )

  it('writes a 101 with the accept value and only what was chosen', () => {
    const head =
      'HTTP/1.1 101 Switching Protocols\r\n' +
      'Upgrade: websocket\r\n' +
      'Connection: Upgrade\r\n' +
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n' +
      '\r\n'
    expect(formatUpgradeResponse(asked)).toBe(head)
    expect(formatUpgradeResponse(asked, { protocol: '', extensions: '', headers: [] })).toBe(head)
    expect(
      formatUpgradeResponse(asked, { protocol: undefined, extensions: undefined, headers: undefined }),
    ).toBe(head)
  })

  it('writes subprotocol, extensions and additional headers', () => {
    expect(
      formatUpgradeResponse(asked, {
        protocol: 'superchat',
        extensions: 'permessage-deflate; server_max_window_bits=10',
        headers: [
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ],
      }),
    ).toBe(
      'HTTP/1.1 101 Switching Protocols\r\n' +
        'Upgrade: websocket\r\n' +
        'Connection: Upgrade\r\n' +
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n' +
        'Sec-WebSocket-Protocol: superchat\r\n' +
        'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n' +
        'Set-Cookie: a=1\r\n' +
        'Set-Cookie: b=2\r\n' +
        '\r\n',
    )
  })

  it.each<[unknown, string]>([
    [{ protocol: 'other' }, 'protocol must be one that the client offered, not "other"'],
    [{ protocol: 'Chat' }, 'protocol must be one that the client offered, not "Chat"'],
    [{ protocol: 5 }, 'protocol must be one that the client offered, not 5'],
    [{ extensions: 'x-new' }, 'extensions must hold extensions that the client offered, not "x-new"'],
    [{ extensions: 'x-other;' }, 'extensions must hold extensions that the client offered, not "x-other;"'],
    [
      { extensions: 'x-other\r\nA: b' },
      'extensions must hold extensions that the client offered, not "x-other\\r\\nA: b"',
    ],
    [{ extensions: ' ' }, 'extensions must hold extensions that the client offered, not " "'],
    [
      { extensions: 'x-other, x-new' },
      'extensions must hold extensions that the client offered, not "x-other, x-new"',
    ],
    [{ extensions: true }, 'extensions must hold extensions that the client offered, not true'],
    [
      { headers: [['Sec-WebSocket-Protocol', 'chat']] },
      'the header "Sec-WebSocket-Protocol" is reserved for the handshake and cannot be set',
    ],
    [
      { headers: [['X', 'a\r\nB: c']] },
      'the value of the header "X" must be latin1 without control characters, not text with U+000D at offset 1',
    ],
  ])('throws for %j', (choice, message) => {
    expect(() => formatUpgradeResponse(asked, choice as UpgradeChoice)).toThrow(new TypeError(message))
  })

  it('writes no line from a request that was made by hand', () => {
    const protocol = 'chat\r\nA: b'
    expect(() => formatUpgradeResponse({ ...asked, protocols: [protocol] }, { protocol })).toThrow(TypeError)
  })
})

describe('RFC 6455 4.2.2 and 4.4: rejecting a handshake', () => {
  const text = (response: Uint8Array): string => Buffer.from(response).toString('latin1')

  it.each([
    [404, 'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'],
    [302, 'HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'],
    [304, 'HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n'],
    [405, 'HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n'],
    [
      426,
      'HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n',
    ],
    [599, 'HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n'],
    [300, 'HTTP/1.1 300 Multiple Choices\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'],
  ])('writes the response for status %d', (status, response) => {
    expect(text(formatRejection(status))).toBe(response)
    expect(text(formatRejection(status, { headers: undefined, body: undefined }))).toBe(response)
  })

  it('writes no Content-Type for an empty text', () => {
    expect(text(formatRejection(404, { body: '' }))).toBe(
      'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    )
  })

  it('lets a 304 have no body or an empty one (RFC 9110 15.4.5)', () => {
    for (const body of [undefined, '', new Uint8Array(0)]) expect(() => checkBodyOf(304, body)).not.toThrow()
    expect(() => checkBodyOf(304, Uint8Array.of(1))).toThrow(TypeError)
    expect(() => checkBodyOf(305, 'x')).not.toThrow()
  })

  it('writes text as UTF-8 with its length in bytes', () => {
    expect(text(formatRejection(403, { body: 'né €' }))).toBe(
      'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 7\r\n\r\n' +
        'n\xc3\xa9 \xe2\x82\xac',
    )
  })

  it("writes bytes unchanged, and the caller's headers as latin1", () => {
    expect(
      text(
        formatRejection(401, {
          body: Uint8Array.of(0, 255),
          headers: [['WWW-Authenticate', 'Basic realm="é"']],
        }),
      ),
    ).toBe(
      'HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 2\r\nWWW-Authenticate: Basic realm="\xe9"\r\n\r\n\x00\xff',
    )
  })

  it("keeps the caller's Content-Type and Allow", () => {
    expect(
      text(
        formatRejection(405, {
          body: '{}',
          headers: [
            ['content-type', 'application/json'],
            ['ALLOW', 'GET, POST'],
          ],
        }),
      ),
    ).toBe(
      'HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 2\r\n' +
        'content-type: application/json\r\nALLOW: GET, POST\r\n\r\n{}',
    )
  })

  it.each([200, 101, 299, 600, 404.5, NaN, -1, Infinity])('throws for the status %p', (status) => {
    expect(() => formatRejection(status)).toThrow(
      new RangeError(`status must be an integer from 300 to 599, not ${String(status)}`),
    )
  })

  it.each<[unknown, unknown, string]>([
    ['404', {}, 'status must be an integer from 300 to 599, not "404"'],
    [304, { body: 'x' }, 'body must be empty with status 304 (RFC 9110 15.4.5)'],
    [404, { body: 5 }, 'body must be a string or a Uint8Array, not 5'],
    [404, { body: ['x'] }, 'body must be a string or a Uint8Array, not an array'],
    [
      404,
      { headers: [['Content-Length', '5']] },
      'the header "Content-Length" is reserved for the handshake and cannot be set',
    ],
    [
      404,
      { headers: [['A\r\n', 'b']] },
      'the name of a header must be a token (RFC 9110 5.6.2), not text with U+000D at offset 1',
    ],
  ])('throws for %p %j', (status, options, message) => {
    expect(() => formatRejection(status as number, options as RejectionOptions)).toThrow(
      new TypeError(message),
    )
  })
})
