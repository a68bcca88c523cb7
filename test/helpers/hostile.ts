/** What a hostile peer sends: tables that the tests of both roles share, written from the RFCs alone. */
import {
  closeFrame,
  fragments,
  frame,
  frameHeader,
  frames,
  OP,
  type FrameSpec,
  type MaskingKey,
} from './frame-builder.js'

/** Bytes on an open connection that break a rule, and what must be said about them. */
export interface Violation {
  readonly name: string
  readonly bytes: Buffer
  /** The error's code. */
  readonly error: string
  /** What the Close frame must say. */
  readonly closeCode: 1002 | 1007 | 1009
  /** The messages that are whole before the violation. */
  readonly messages: readonly string[]
}

const rule = (
  name: string,
  bytes: Buffer,
  error: string,
  closeCode: 1002 | 1007 | 1009 = 1002,
  messages: readonly string[] = [],
): Violation => ({ name, bytes, error, closeCode, messages })

/**
 * Every way to break RFC 6455 after the handshake, without an extension.
 * @param key the masking key of a client's frames; undefined: a server's, which are not masked
 * @param maxMessageBytes the limit of the receiver
 */
export function listViolations(key: MaskingKey | undefined, maxMessageBytes: number): Violation[] {
  const keyed: Partial<FrameSpec> = key === undefined ? {} : { key }
  const wronglyKeyed: Partial<FrameSpec> = key === undefined ? { key: [1, 2, 3, 4] } : {}
  const maskError = key === undefined ? 'HAWSER_UNEXPECTED_MASK' : 'HAWSER_EXPECTED_MASK'
  const one = (spec: FrameSpec): Buffer => frame({ ...keyed, ...spec })
  const header = (spec: FrameSpec): Buffer => frameHeader({ ...keyed, ...spec })
  const pair = (...specs: readonly FrameSpec[]): Buffer =>
    frames(...specs.map((spec) => ({ ...keyed, ...spec })))
  const close = (code: number | undefined, reason: string | readonly number[] = ''): Buffer =>
    closeFrame(code, reason, keyed)
  const begun = { opcode: OP.TEXT, fin: false, payload: 'a' } as const
  const utf8 = (name: string, payload: readonly number[]): Violation =>
    rule(`text with ${name}`, one({ opcode: OP.TEXT, payload }), 'HAWSER_INVALID_UTF8', 1007)
  return [
    ...(['rsv1', 'rsv2', 'rsv3'] as const).flatMap((bit) => [
      rule(`${bit} on a text`, one({ opcode: OP.TEXT, [bit]: true, payload: 'x' }), 'HAWSER_RESERVED_BITS'),
      rule(`${bit} on a ping`, one({ opcode: OP.PING, [bit]: true, payload: 'x' }), 'HAWSER_RESERVED_BITS'),
      rule(
        `${bit} on a continuation`,
        pair(begun, { opcode: OP.CONTINUATION, [bit]: true }),
        'HAWSER_RESERVED_BITS',
      ),
    ]),
    ...[3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf].map((opcode) =>
      rule(`opcode ${String(opcode)}`, one({ opcode, payload: 'x' }), 'HAWSER_RESERVED_OPCODE'),
    ),
    ...[OP.TEXT, OP.BINARY, OP.PING, OP.CLOSE].map((opcode) =>
      rule(
        `opcode ${String(opcode)} masked as the other role`,
        frame({ opcode, ...wronglyKeyed }),
        maskError,
      ),
    ),
    ...(
      [
        [125, 16],
        [0, 16],
        [0, 64],
        [126, 64],
        [65_535, 64],
      ] as const
    ).map(([announce, lengthForm]) =>
      rule(
        `a length of ${String(announce)} in ${String(lengthForm)} bits`,
        header({ opcode: OP.BINARY, announce, lengthForm }),
        'HAWSER_NON_MINIMAL_LENGTH',
      ),
    ),
    rule('a length of 2^63', header({ opcode: OP.BINARY, announce: 2n ** 63n }), 'HAWSER_INVALID_LENGTH'),
    rule(
      'a length of 2^64 - 1',
      header({ opcode: OP.TEXT, announce: 2n ** 64n - 1n }),
      'HAWSER_INVALID_LENGTH',
    ),
    ...[2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, BigInt(maxMessageBytes) + 1n].map(
      (announce) =>
        rule(
          `a length of ${String(announce)}`,
          header({ opcode: OP.BINARY, announce }),
          'HAWSER_MESSAGE_TOO_BIG',
          1009,
        ),
    ),
    rule(
      'a message too large over its fragments',
      Buffer.concat([
        one({ opcode: OP.BINARY, fin: false, payload: Buffer.alloc(10) }),
        header({ opcode: OP.CONTINUATION, announce: maxMessageBytes - 9 }),
      ]),
      'HAWSER_MESSAGE_TOO_BIG',
      1009,
    ),
    ...[OP.PING, OP.PONG, OP.CLOSE].flatMap((opcode) => [
      rule(`opcode ${String(opcode)} in fragments`, one({ opcode, fin: false }), 'HAWSER_FRAGMENTED_CONTROL'),
      rule(
        `opcode ${String(opcode)} with 126 bytes`,
        one({ opcode, payload: Buffer.alloc(126, 3) }),
        'HAWSER_CONTROL_TOO_LONG',
      ),
      rule(
        `opcode ${String(opcode)} with 64 bits of length`,
        header({ opcode, announce: 65_536 }),
        'HAWSER_CONTROL_TOO_LONG',
      ),
    ]),
    rule('a continuation of nothing', one({ opcode: OP.CONTINUATION }), 'HAWSER_UNEXPECTED_CONTINUATION'),
    rule(
      'a second end of one message',
      pair(begun, { opcode: OP.CONTINUATION, payload: 'b' }, { opcode: OP.CONTINUATION, payload: 'c' }),
      'HAWSER_UNEXPECTED_CONTINUATION',
      1002,
      ['ab'],
    ),
    rule('a text inside a message', pair(begun, { opcode: OP.TEXT }), 'HAWSER_EXPECTED_CONTINUATION'),
    rule(
      'bytes inside a message, after a ping',
      pair(begun, { opcode: OP.PING }, { opcode: OP.BINARY }),
      'HAWSER_EXPECTED_CONTINUATION',
    ),
    rule('a Close of one byte', one({ opcode: OP.CLOSE, payload: [3] }), 'HAWSER_INVALID_CLOSE_PAYLOAD'),
    ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) =>
      rule(`a Close with ${String(code)}`, close(code), 'HAWSER_INVALID_CLOSE_CODE'),
    ),
    rule('a Close whose reason is not UTF-8', close(1000, [0xce, 0xba, 0xff]), 'HAWSER_INVALID_UTF8', 1007),
    utf8('an octet that never occurs', [0x61, 0xff]),
    utf8('an overlong form', [0xc0, 0xaf]),
    utf8('a surrogate', [0xed, 0xa0, 0x80]),
    utf8('a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]),
    utf8('a character cut off', [0x61, 0xe2, 0x82]),
    utf8('a continuation octet alone', [0x80]),
    rule(
      'text that goes wrong in a later fragment',
      fragments(OP.TEXT, ['κ', [0xe2, 0x82], [0x20]], keyed),
      'HAWSER_INVALID_UTF8',
      1007,
    ),
    rule(
      'text that goes wrong in a frame that never ends',
      Buffer.concat([one({ opcode: OP.TEXT, payload: Buffer.alloc(200, 0xff) }).subarray(0, 100)]),
      'HAWSER_INVALID_UTF8',
      1007,
    ),
  ]
}

/** A response to a handshake that must not be taken: what replaces, in order, what a right one has. */
export interface WrongResponse {
  readonly name: string
  /** The error's code. */
  readonly error: string
  /** @param accept the right value of Sec-WebSocket-Accept */
  answer(accept: string): string
}

const RESPONSE_LINE = 'HTTP/1.1 101 Switching Protocols'

/** @param fields as they go out, `name: value` */
const answerWith = (fields: readonly string[], line = RESPONSE_LINE): string =>
  `${[line, ...fields].join('\r\n')}\r\n\r\n`

const right = (accept: string): string[] => [
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Accept: ${accept}`,
]

/** Every way to answer a handshake wrongly (RFC 6455 section 4.1, RFC 7692 section 7.1); no subprotocol is offered. */
export const WRONG_RESPONSES: readonly WrongResponse[] = [
  {
    name: 'another version of HTTP',
    error: 'HAWSER_HTTP_VERSION',
    answer: (accept) => answerWith(right(accept), 'HTTP/1.0 101 Switching Protocols'),
  },
  ...[
    ['a version that is none', 'HTTP/x 101 Switching Protocols'],
    ['a status of two digits', 'HTTP/1.1 10 Switching'],
    ['a status of letters', 'HTTP/1.1 one Switching'],
    ['no status line', 'hello'],
    ['another protocol', 'ICY 101 OK'],
  ].map(([name = '', line = '']) => ({
    name,
    error: 'HAWSER_MALFORMED_RESPONSE',
    answer: (accept: string) => answerWith(right(accept), line),
  })),
  ...[
    ['a field without a colon', 'nonsense'],
    ['a space before the colon', 'X-Field : 1'],
    ['a field without a name', ': 1'],
    ['a folded field', 'X-Field: 1\r\n 2'],
    ['a NUL in a value', 'X-Field: \0'],
    ['a carriage return alone', 'X-Field: a\rb'],
    ['a space in a name', 'X Field: 1'],
  ].map(([name = '', field = '']) => ({
    name,
    error: 'HAWSER_MALFORMED_RESPONSE',
    answer: (accept: string) => answerWith([...right(accept), field]),
  })),
  ...[200, 204, 301, 400, 401, 404, 426, 500, 503].map((status) => ({
    name: `status ${String(status)}`,
    error: 'HAWSER_UNEXPECTED_STATUS',
    answer: (accept: string) =>
      answerWith([...right(accept), 'Content-Length: 0'], `HTTP/1.1 ${String(status)} Any`),
  })),
  ...(
    [
      ['no Upgrade', [], 'Connection: Upgrade'],
      ['no Connection', ['Upgrade: websocket']],
      ['another Upgrade', ['Upgrade: h2c', 'Connection: Upgrade']],
      ['two protocols in Upgrade', ['Upgrade: websocket, h2c', 'Connection: Upgrade']],
      ['a Connection without Upgrade', ['Upgrade: websocket', 'Connection: keep-alive']],
    ] as const
  ).map(([name, fields, ...more]) => ({
    name,
    error: 'HAWSER_INVALID_UPGRADE_RESPONSE',
    answer: (accept: string) => answerWith([...fields, ...more, `Sec-WebSocket-Accept: ${accept}`]),
  })),
  ...(
    [
      ['no accept', () => []],
      ['an empty accept', () => ['Sec-WebSocket-Accept:']],
      ['the accept of another key', () => ['Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=']],
      ['an accept in lower case', (accept: string) => [`Sec-WebSocket-Accept: ${accept.toLowerCase()}`]],
      ['an accept without its end', (accept: string) => [`Sec-WebSocket-Accept: ${accept.slice(0, -1)}`]],
      ['two accepts', (accept: string) => Array<string>(2).fill(`Sec-WebSocket-Accept: ${accept}`)],
    ] as const
  ).map(([name, fields]) => ({
    name,
    error: 'HAWSER_INVALID_ACCEPT',
    answer: (accept: string) => answerWith(['Upgrade: websocket', 'Connection: Upgrade', ...fields(accept)]),
  })),
  {
    name: 'a subprotocol that was not offered',
    error: 'HAWSER_UNEXPECTED_PROTOCOL',
    answer: (accept) => answerWith([...right(accept), 'Sec-WebSocket-Protocol: chat']),
  },
  ...[
    ['an extension that was not offered', 'x-webkit-deflate-frame'],
    ['a key of Object.prototype as extension', '__proto__'],
    ['permessage-deflate twice', 'permessage-deflate, permessage-deflate'],
    ['an unknown parameter', 'permessage-deflate; sliding_window'],
    ['a key of Object.prototype as parameter', 'permessage-deflate; constructor'],
    ['a doubled parameter', 'permessage-deflate; server_no_context_takeover; server_no_context_takeover'],
    ['a value where none may be', 'permessage-deflate; server_no_context_takeover=1'],
    ...['0', '7', '16', '08', '+9', '-9', '1e1', 'x'].flatMap((bits) => [
      [`server_max_window_bits=${bits}`, `permessage-deflate; server_max_window_bits=${bits}`],
      [`client_max_window_bits=${bits}`, `permessage-deflate; client_max_window_bits=${bits}`],
    ]),
    ['server_max_window_bits without a value', 'permessage-deflate; server_max_window_bits'],
    ['client_max_window_bits without a value', 'permessage-deflate; client_max_window_bits'],
  ].map(([name = '', value = '']) => ({
    name,
    error: 'HAWSER_UNEXPECTED_EXTENSION',
    answer: (accept: string) => answerWith([...right(accept), `Sec-WebSocket-Extensions: ${value}`]),
  })),
  ...[
    'permessage-deflate; server_max_window_bits=""',
    'permessage-deflate; a=" 9"',
    'permessage-deflate;',
  ].map((value) => ({
    name: `a malformed list of extensions, ${value}`,
    error: 'HAWSER_INVALID_EXTENSION_HEADER',
    answer: (accept: string) => answerWith([...right(accept), `Sec-WebSocket-Extensions: ${value}`]),
  })),
  {
    name: 'a head without end',
    error: 'HAWSER_RESPONSE_TOO_LARGE',
    answer: (accept) => answerWith([...right(accept), `X-Field: ${'x'.repeat(20_000)}`]),
  },
  {
    name: 'interim responses without end',
    error: 'HAWSER_RESPONSE_TOO_LARGE',
    answer: (accept) =>
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1_000) + answerWith(right(accept)),
  },
]
