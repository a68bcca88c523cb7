import { checkFieldValue, formatCallerHeaders } from '../../../src/handshake/caller-headers.js'
import type { HeaderPairs } from '../../../src/handshake/caller-headers.js'

describe('headers that a caller adds', () => {
  it('become lines, in order and with duplicates', () => {
    const { lines, names } = formatCallerHeaders([
      ['Set-Cookie', 'a=1'],
      ['set-cookie', 'b=é'],
      ['X-Empty', ''],
    ])
    expect(lines).toBe('Set-Cookie: a=1\r\nset-cookie: b=é\r\nX-Empty: \r\n')
    expect([...names]).toEqual(['set-cookie', 'x-empty'])
  })

  it('may be absent, a Map, a Headers or a generator', () => {
    expect(formatCallerHeaders(undefined).lines).toBe('')
    expect(formatCallerHeaders(new Map([['a', 'b']])).lines).toBe('a: b\r\n')
    expect(formatCallerHeaders(new Headers({ A: 'b' })).lines).toBe('a: b\r\n')
    const pairs = function* (): Generator<[string, string]> {
      yield ['a', 'b']
    }
    expect(formatCallerHeaders(pairs()).lines).toBe('a: b\r\n')
  })

  it.each([
    [{ a: 'b' }, 'headers must be an iterable of [name, value] pairs, not an object'],
    ['a: b', 'headers must be an iterable of [name, value] pairs, not a string'],
    [5, 'headers must be an iterable of [name, value] pairs, not a number'],
    [['ab'], 'headers must hold pairs of name and value, not a string'],
    [[['a']], 'headers must hold pairs of name and value, not an array'],
    [[['a', 'b', 'c']], 'headers must hold pairs of name and value, not an array'],
    [[['', 'b']], 'the name of a header must be a token (RFC 9110 5.6.2), not an empty text'],
    [[[1, 'b']], 'the name of a header must be a token (RFC 9110 5.6.2), not a number'],
    [
      [['a b', 'c']],
      'the name of a header must be a token (RFC 9110 5.6.2), not text with U+0020 at offset 1',
    ],
    [
      [['a:', 'c']],
      'the name of a header must be a token (RFC 9110 5.6.2), not text with U+003A at offset 1',
    ],
    [
      [['a\r\nb', 'c']],
      'the name of a header must be a token (RFC 9110 5.6.2), not text with U+000D at offset 1',
    ],
    [[['a', 1]], 'the value of the header "a" must be latin1 without control characters, not a number'],
    [
      [['a', 'x\r\nb: c']],
      'the value of the header "a" must be latin1 without control characters, not text with U+000D at offset 1',
    ],
    [
      [['a', '\n']],
      'the value of the header "a" must be latin1 without control characters, not text with U+000A at offset 0',
    ],
    [
      [['a', '\0']],
      'the value of the header "a" must be latin1 without control characters, not text with U+0000 at offset 0',
    ],
    [
      [['a', 'secret\u{1f600}']],
      'the value of the header "a" must be latin1 without control characters, not text with U+1F600 at offset 6',
    ],
    [
      [['a', undefined]],
      'the value of the header "a" must be latin1 without control characters, not undefined',
    ],
    [
      [['a', 'Ā']],
      'the value of the header "a" must be latin1 without control characters, not text with U+0100 at offset 0',
    ],
  ])('are refused if they are malformed: %j', (headers, message) => {
    expect(() => formatCallerHeaders(headers as unknown as HeaderPairs)).toThrow(new TypeError(message))
  })

  it.each([
    'Connection',
    'upgrade',
    'Content-Length',
    'TRANSFER-ENCODING',
    'Sec-WebSocket-Accept',
    'sec-websocket-key',
    'Sec-WebSocket-Anything',
  ])('are refused if the handshake reserves them: %s', (name) => {
    expect(() => formatCallerHeaders([[name, 'x']])).toThrow(
      new TypeError(`the header "${name}" is reserved for the handshake and cannot be set`),
    )
  })

  it('are refused if an option replaces them', () => {
    expect(() => formatCallerHeaders([['HOST', 'x']], new Map([['host', 'use the option host']]))).toThrow(
      new TypeError('the header "HOST" cannot be set: use the option host'),
    )
  })

  it('are returned by checkFieldValue if the value is valid', () => {
    expect(checkFieldValue('a', 'x y')).toBe('x y')
  })
})
