import { HandshakeError } from '../../../src/errors.js'
import {
  formatUpgradeRequest,
  isInterimResponse,
  verifyUpgradeResponse,
} from '../../../src/handshake/client-handshake.js'
import type { UpgradeOffer } from '../../../src/handshake/client-handshake.js'
import { HeaderFields } from '../../../src/handshake/header-fields.js'
import type { ResponseHead } from '../../../src/handshake/http1.js'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

describe("RFC 6455 4.1: writing the client's handshake", () => {
  const needed = { target: '/chat?x=1', host: 'server.example.com:8080', key: KEY }
  const start =
    'GET /chat?x=1 HTTP/1.1\r\n' +
    'Host: server.example.com:8080\r\n' +
    'Upgrade: websocket\r\n' +
    'Connection: Upgrade\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
    'Sec-WebSocket-Version: 13\r\n'

  it('writes the six required lines', () => {
    expect(formatUpgradeRequest(needed)).toBe(`${start}\r\n`)
    expect(formatUpgradeRequest({ ...needed, protocols: [], extensions: '', headers: [] })).toBe(
      `${start}\r\n`,
    )
    expect(
      formatUpgradeRequest({
        ...needed,
        protocols: undefined,
        extensions: undefined,
        headers: undefined,
        origin: undefined,
      }),
    ).toBe(`${start}\r\n`)
  })

  it('writes subprotocols, extensions, Origin and additional headers', () => {
    expect(
      formatUpgradeRequest({
        ...needed,
        protocols: ['chat', 'superchat'],
        extensions: 'permessage-deflate; client_max_window_bits',
        origin: 'http://example.com',
        headers: [
          ['Cookie', 'a=é'],
          ['X-Empty', ''],
        ],
      }),
    ).toBe(
      `${start}Sec-WebSocket-Protocol: chat, superchat\r\n` +
        'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n' +
        'Origin: http://example.com\r\nCookie: a=é\r\nX-Empty: \r\n\r\n',
    )
  })

  it('accepts Origin in the headers if the option does not set it', () => {
    expect(formatUpgradeRequest({ ...needed, headers: [['Origin', 'null']] })).toBe(
      `${start}Origin: null\r\n\r\n`,
    )
  })

  it.each<[Record<string, unknown>, string]>([
    [{ target: 'chat' }, 'target must be a percent-encoded path with or without a query, not "chat"'],
    [{ target: '/a b' }, 'target must be a percent-encoded path with or without a query, not "/a b"'],
    [
      { target: '/\r\nA: b' },
      'target must be a percent-encoded path with or without a query, not "/\\r\\nA: b"',
    ],
    [{ target: '/é' }, 'target must be a percent-encoded path with or without a query, not "/é"'],
    [{ target: undefined }, 'target must be a percent-encoded path with or without a query, not undefined'],
    [{ host: '' }, 'host must be a host with or without a port, not ""'],
    [{ host: 'a\r\nB: c' }, 'host must be a host with or without a port, not "a\\r\\nB: c"'],
    [{ host: 5 }, 'host must be a host with or without a port, not 5'],
    [{ key: 'abc' }, 'key must be 16 bytes in base64, not "abc"'],
    [{ key: null }, 'key must be 16 bytes in base64, not null'],
    [
      { protocols: ['a b'] },
      'protocols must hold tokens (RFC 6455 11.3.4), and protocols[0] is text with U+0020 at offset 1',
    ],
    [{ protocols: 'chat' }, 'protocols must be an array of names, not "chat"'],
    [
      { extensions: 'a\r\nB: c' },
      'extensions must be a Sec-WebSocket-Extensions header (RFC 6455 9.1), not "a\\r\\nB: c"',
    ],
    [{ extensions: ' ' }, 'extensions must be a Sec-WebSocket-Extensions header (RFC 6455 9.1), not " "'],
    [{ extensions: 5 }, 'extensions must be a Sec-WebSocket-Extensions header (RFC 6455 9.1), not 5'],
    [
      { origin: 'a\nb' },
      'the value of the header "Origin" must be latin1 without control characters, not text with U+000A at offset 1',
    ],
    [
      { origin: 5 },
      'the value of the header "Origin" must be latin1 without control characters, not a number',
    ],
    [{ headers: [['host', 'x']] }, 'the header "host" cannot be set: use the option host'],
    [
      { origin: 'a', headers: [['Origin', 'x']] },
      'the header "Origin" cannot be set: the option origin already sets it',
    ],
    [{ origin: 'a', headers: [['Host', 'x']] }, 'the header "Host" cannot be set: use the option host'],
    [
      { headers: [['Sec-WebSocket-Key', 'x']] },
      'the header "Sec-WebSocket-Key" is reserved for the handshake and cannot be set',
    ],
  ])('throws for %j', (options, message) => {
    expect(() => formatUpgradeRequest({ ...needed, ...options })).toThrow(new TypeError(message))
  })
})

describe("RFC 6455 4.1: checking the server's handshake", () => {
  const offered: UpgradeOffer = {
    key: KEY,
    protocols: ['chat', 'superchat'],
    extensionNames: ['permessage-deflate', 'permessage-deflate', 'x-other'],
  }
  const GOOD: readonly (readonly [string, string])[] = [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', ACCEPT],
  ]

  const response = (
    changes: readonly (readonly [string, string])[] = [],
    line: { status?: number; statusText?: string; httpVersion?: string } = {},
  ): ResponseHead => {
    const replaced = new Set(changes.map(([name]) => name.toLowerCase()))
    const kept = GOOD.filter(([name]) => !replaced.has(name.toLowerCase()))
    return {
      status: 101,
      statusText: 'Switching Protocols',
      httpVersion: '1.1',
      ...line,
      headers: HeaderFields.fromRawHeaders([...kept, ...changes].flat()),
    }
  }

  const without = (name: string): ResponseHead => ({
    ...response(),
    headers: HeaderFields.fromRawHeaders(GOOD.filter(([other]) => other !== name).flat()),
  })

  it('returns what both sides agreed on', () => {
    expect(verifyUpgradeResponse(response(), offered)).toEqual({ protocol: '', extensions: [] })
    expect(
      verifyUpgradeResponse(
        response([
          ['Sec-WebSocket-Protocol', 'superchat'],
          ['Sec-WebSocket-Extensions', 'permessage-deflate; server_max_window_bits=10'],
          ['sec-websocket-extensions', 'x-other'],
        ]),
        offered,
      ),
    ).toEqual({
      protocol: 'superchat',
      extensions: [
        { name: 'permessage-deflate', parameters: [['server_max_window_bits', '10']] },
        { name: 'x-other', parameters: [] },
      ],
    })
  })

  it.each<[string, readonly (readonly [string, string])[]]>([
    ['upgrade: WebSocket', [['upgrade', 'WebSocket']]],
    ['Connection: keep-alive, Upgrade', [['Connection', 'keep-alive, Upgrade']]],
    [
      'several Connection headers',
      [
        ['Connection', 'upgrade'],
        ['Connection', 'keep-alive'],
      ],
    ],
    ['a header it does not know', [['Server', 'x']]],
  ])('accepts %s', (_, changes) => {
    expect(verifyUpgradeResponse(response(changes), offered)).toEqual({ protocol: '', extensions: [] })
  })

  it.each<[string, ResponseHead, string, string]>([
    [
      '200 OK',
      response([], { status: 200, statusText: 'OK' }),
      'HAWSER_UNEXPECTED_STATUS',
      'the server did not answer 101: 200 OK',
    ],
    [
      '401 without a phrase',
      response([], { status: 401, statusText: '' }),
      'HAWSER_UNEXPECTED_STATUS',
      'the server did not answer 101: 401',
    ],
    [
      '403 over HTTP/1.0',
      response([], { status: 403, statusText: 'No', httpVersion: '1.0' }),
      'HAWSER_UNEXPECTED_STATUS',
      'the server did not answer 101: 403 No',
    ],
    [
      'HTTP/1.0',
      response([], { httpVersion: '1.0' }),
      'HAWSER_HTTP_VERSION',
      'a WebSocket handshake needs HTTP/1.1: HTTP/1.0',
    ],
    [
      'no Upgrade',
      without('Upgrade'),
      'HAWSER_INVALID_UPGRADE_RESPONSE',
      'the response lacks "Upgrade: websocket" or "Connection: Upgrade": Upgrade is undefined',
    ],
    [
      'another Upgrade',
      response([['Upgrade', 'h2c']]),
      'HAWSER_INVALID_UPGRADE_RESPONSE',
      'the response lacks "Upgrade: websocket" or "Connection: Upgrade": Upgrade is "h2c"',
    ],
    [
      'two Upgrades',
      response([['Upgrade', 'h2c, websocket']]),
      'HAWSER_INVALID_UPGRADE_RESPONSE',
      'the response lacks "Upgrade: websocket" or "Connection: Upgrade": Upgrade is "h2c, websocket"',
    ],
    [
      'no Connection',
      without('Connection'),
      'HAWSER_INVALID_UPGRADE_RESPONSE',
      'the response lacks "Upgrade: websocket" or "Connection: Upgrade": Connection is undefined',
    ],
    [
      'another Connection',
      response([['Connection', 'close']]),
      'HAWSER_INVALID_UPGRADE_RESPONSE',
      'the response lacks "Upgrade: websocket" or "Connection: Upgrade": Connection is "close"',
    ],
    [
      'no accept',
      without('Sec-WebSocket-Accept'),
      'HAWSER_INVALID_ACCEPT',
      'Sec-WebSocket-Accept is missing or wrong: it is undefined',
    ],
    [
      'an accept in another case',
      response([['Sec-WebSocket-Accept', ACCEPT.toUpperCase()]]),
      'HAWSER_INVALID_ACCEPT',
      'Sec-WebSocket-Accept is missing or wrong: it is "S3PPLMBITXAQ9KYGZZHZRBK+XOO="',
    ],
    [
      'a doubled accept',
      response([
        ['Sec-WebSocket-Accept', ACCEPT],
        ['Sec-WebSocket-Accept', ACCEPT],
      ]),
      'HAWSER_INVALID_ACCEPT',
      `Sec-WebSocket-Accept is missing or wrong: it is "${ACCEPT}, ${ACCEPT.slice(0, 10)}…"`,
    ],
    [
      'a subprotocol that was not offered',
      response([['Sec-WebSocket-Protocol', 'other']]),
      'HAWSER_UNEXPECTED_PROTOCOL',
      'the server chose a subprotocol that was not offered: "other"',
    ],
    [
      'an empty subprotocol',
      response([['Sec-WebSocket-Protocol', '']]),
      'HAWSER_UNEXPECTED_PROTOCOL',
      'the server chose a subprotocol that was not offered: ""',
    ],
    [
      'two subprotocols',
      response([
        ['Sec-WebSocket-Protocol', 'chat'],
        ['Sec-WebSocket-Protocol', 'superchat'],
      ]),
      'HAWSER_UNEXPECTED_PROTOCOL',
      'the server chose a subprotocol that was not offered: "chat, superchat"',
    ],
    [
      'a malformed extension',
      response([['Sec-WebSocket-Extensions', 'permessage-deflate;']]),
      'HAWSER_INVALID_EXTENSION_HEADER',
      'a malformed Sec-WebSocket-Extensions header: "permessage-deflate;"',
    ],
    [
      'a list of extensions with commas alone',
      response([['Sec-WebSocket-Extensions', ',']]),
      'HAWSER_INVALID_EXTENSION_HEADER',
      'a malformed Sec-WebSocket-Extensions header: ","',
    ],
    [
      'an extension that was not offered',
      response([['Sec-WebSocket-Extensions', 'x-other, x-new']]),
      'HAWSER_UNEXPECTED_EXTENSION',
      'the server chose an extension, or parameters, that were not offered: "x-new"',
    ],
    [
      'an extension chosen twice',
      response([['Sec-WebSocket-Extensions', 'permessage-deflate, permessage-deflate']]),
      'HAWSER_UNEXPECTED_EXTENSION',
      'the server chose an extension, or parameters, that were not offered: "permessage-deflate"',
    ],
  ])('refuses %s', (_, head, code, message) => {
    const result = verifyUpgradeResponse(head, offered)
    expect(result).toBeInstanceOf(HandshakeError)
    expect(result).toMatchObject({
      code,
      message,
      httpStatus: head.status,
      response: { status: head.status, statusText: head.statusText, headers: head.headers.entries() },
    })
    expect((result as HandshakeError).response?.body).toEqual(new Uint8Array(0))
  })

  it('refuses any choice if nothing was offered', () => {
    const nothing = { key: KEY, protocols: [], extensionNames: [] }
    expect(verifyUpgradeResponse(response([['Sec-WebSocket-Protocol', 'chat']]), nothing)).toMatchObject({
      code: 'HAWSER_UNEXPECTED_PROTOCOL',
    })
    expect(
      verifyUpgradeResponse(response([['Sec-WebSocket-Extensions', 'permessage-deflate']]), nothing),
    ).toMatchObject({ code: 'HAWSER_UNEXPECTED_EXTENSION' })
  })

  it.each([
    [100, true],
    [103, true],
    [199, true],
    [101, false],
    [200, false],
    [404, false],
  ])('recognises an interim response (RFC 9110 15.2): %d', (status, interim) => {
    expect(isInterimResponse(response([], { status }))).toBe(interim)
  })
})
