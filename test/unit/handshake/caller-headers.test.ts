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
    ['a: b', 'headers must be an iterable of [name, value] pairs, not "a: b"'],
    [5, 'headers must be an iterable of [name, value] pairs, not 5'],
    [['ab'], 'headers must hold pairs of name and value, not "ab"'],
    [[['a']], 'headers must hold pairs of name and value, not an array'],
    [[['a', 'b', 'c']], 'headers must hold pairs of name and value, not an array'],
    [[['', 'b']], 'the name of a header must be a token (RFC 9110 5.6.2), not ""'],
    [[[1, 'b']], 'the name of a header must be a token (RFC 9110 5.6.2), not 1'],
    [[['a b', 'c']], 'the name of a header must be a token (RFC 9110 5.6.2), not "a b"'],
    [[['a:', 'c']], 'the name of a header must be a token (RFC 9110 5.6.2), not "a:"'],
    [[['a\r\nb', 'c']], 'the name of a header must be a token (RFC 9110 5.6.2), not "a\\r\\nb"'],
    [[['a', 1]], 'the value of the header "a" must be latin1 without control characters, not 1'],
    [
      [['a', 'x\r\nb: c']],
      'the value of the header "a" must be latin1 without control characters, not "x\\r\\nb: c"',
    ],
    [[['a', '\n']], 'the value of the header "a" must be latin1 without control characters, not "\\n"'],
    [[['a', '\0']], 'the value of the header "a" must be latin1 without control characters, not "\\u0000"'],
    [[['a', 'Ā']], 'the value of the header "a" must be latin1 without control characters, not "Ā"'],
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
      new TypeError(`the header "${name}" is reserved for the handshake and cannot be set to "x"`),
    )
  })

  it('are refused if an option replaces them', () => {
    expect(() => formatCallerHeaders([['HOST', 'x']], new Map([['host', 'use the option host']]))).toThrow(
      new TypeError('the header "HOST" cannot be set to "x": use the option host'),
    )
  })

  it('are returned by checkFieldValue if the value is valid', () => {
    expect(checkFieldValue('a', 'x y')).toBe('x y')
  })
})
