import {
  formatExtension,
  parseExtensionHeader,
  readExtensions,
} from '../../../src/handshake/extension-header.js'
import { HeaderFields } from '../../../src/handshake/header-fields.js'

describe('RFC 6455 9.1: reading Sec-WebSocket-Extensions', () => {
  it.each([
    ['foo', [{ name: 'foo', parameters: [] }]],
    [
      'foo, bar; baz=2',
      [
        { name: 'foo', parameters: [] },
        { name: 'bar', parameters: [['baz', '2']] },
      ],
    ],
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate',
      [
        {
          name: 'permessage-deflate',
          parameters: [
            ['client_max_window_bits', true],
            ['server_max_window_bits', '10'],
          ],
        },
        { name: 'permessage-deflate', parameters: [] },
      ],
    ],
    [
      'a;b=1;b=2;b',
      [
        {
          name: 'a',
          parameters: [
            ['b', '1'],
            ['b', '2'],
            ['b', true],
          ],
        },
      ],
    ],
    ['a; b="10"', [{ name: 'a', parameters: [['b', '10']] }]],
    ['a; b="1\\0\\x"', [{ name: 'a', parameters: [['b', '10x']] }]],
    [
      ' a ;\tb = 1 ; c="2" ,  d ',
      [
        {
          name: 'a',
          parameters: [
            ['b', '1'],
            ['c', '2'],
          ],
        },
        { name: 'd', parameters: [] },
      ],
    ],
    [
      ',a,, b,',
      [
        { name: 'a', parameters: [] },
        { name: 'b', parameters: [] },
      ],
    ],
    ['__proto__; constructor=toString', [{ name: '__proto__', parameters: [['constructor', 'toString']] }]],
  ])('reads %j', (value, offers) => {
    expect(parseExtensionHeader(value)).toEqual(offers)
  })

  it.each([
    ';',
    'a;',
    'a; ',
    'a;;b',
    'a;,b',
    'a b',
    'a=1',
    'a; =1',
    'a; b=',
    'a; b= ',
    'a; b=,c',
    'a; b=1 2',
    'a; b==1',
    'a; b="',
    'a; b="1',
    'a; b=""',
    'a; b="1"2',
    'a; b="1" 2',
    'a; b="1,2"',
    'a; b="1 2"',
    'a; b="1\\',
    'a; b="\\"',
    'a; b="\\""',
    'a; b="\\ "',
    'a; "b"',
    '"a"',
    'a; b=é',
    'é',
    'a\0',
    'a; b="\u0100"',
    'a\r\nb',
  ])('returns null for the malformed value %j', (value) => {
    expect(parseExtensionHeader(value)).toBeNull()
  })

  test.each([',', ' , ,', ',\t'])('returns null for %j, a list without a member', (value) => {
    expect(parseExtensionHeader(value)).toBeNull()
  })

  test.each(['', ' ', '\t'])('reads %j as no extension', (value) => {
    expect(parseExtensionHeader(value)).toEqual([])
  })
})

describe('RFC 6455 9.1: writing an extension', () => {
  it('writes parameters in their order', () => {
    expect(formatExtension({ name: 'foo', parameters: [] })).toBe('foo')
    expect(
      formatExtension({
        name: 'permessage-deflate',
        parameters: [
          ['client_max_window_bits', true],
          ['server_max_window_bits', '10'],
        ],
      }),
    ).toBe('permessage-deflate; client_max_window_bits; server_max_window_bits=10')
  })

  it.each([
    ['', [], 'the name of an extension must be a token (RFC 6455 9.1), not ""'],
    ['a,b', [], 'the name of an extension must be a token (RFC 6455 9.1), not "a,b"'],
    ['a', [['b c', true]], 'the name of an extension parameter must be a token (RFC 6455 9.1), not "b c"'],
    ['a', [['b', '']], 'the extension parameter b must be a token (RFC 6455 9.1), not ""'],
    ['a', [['b', '\r\n']], 'the extension parameter b must be a token (RFC 6455 9.1), not "\\r\\n"'],
    ['a', [['b', 10]], 'the extension parameter b must be a token (RFC 6455 9.1), not 10'],
  ])('refuses %j %j', (name, parameters, message) => {
    const offer = { name, parameters: parameters as [string, string][] }
    expect(() => formatExtension(offer)).toThrow(new TypeError(message))
  })
})

describe('the cache of the last header', () => {
  const value = 'permessage-deflate; client_max_window_bits; server_max_window_bits=10'

  it('returns the same frozen result for the same header', () => {
    const offers = parseExtensionHeader(value)!
    expect(parseExtensionHeader(value)).toBe(offers)
    const [offer] = offers
    expect(Object.isFrozen(offers)).toBe(true)
    expect(Object.isFrozen(offer)).toBe(true)
    expect(Object.isFrozen(offer!.parameters)).toBe(true)
    expect(offer!.parameters.every((parameter) => Object.isFrozen(parameter))).toBe(true)
    expect(() => (offers as unknown[]).push('x')).toThrow(TypeError)
  })

  it('is not used for another header', () => {
    expect(parseExtensionHeader(value)).toHaveLength(1)
    expect(parseExtensionHeader(`${value}, x`)).toHaveLength(2)
    expect(parseExtensionHeader(';')).toBeNull()
    expect(parseExtensionHeader(';')).toBeNull()
    expect(parseExtensionHeader(value)).toHaveLength(1)
  })

  it('keeps a header of 256 characters, and none that is longer', () => {
    const [kept, longer] = [`x; y=${'z'.repeat(251)}`, `x; y=${'z'.repeat(252)}`]
    expect(kept).toHaveLength(256)
    expect(parseExtensionHeader(kept)).toBe(parseExtensionHeader(kept))
    expect(parseExtensionHeader(longer)).not.toBe(parseExtensionHeader(longer))
  })

  it('does not keep a long header', () => {
    const long = `x; y=${'z'.repeat(300)}`
    expect(parseExtensionHeader(long)).toEqual(parseExtensionHeader(long))
    expect(parseExtensionHeader(long)).not.toBe(parseExtensionHeader(long))
  })
})

describe('RFC 6455 9.1: the fields of a head', () => {
  const read = (...values: string[]): unknown =>
    readExtensions(
      HeaderFields.fromRawHeaders(values.flatMap((value) => ['Sec-WebSocket-Extensions', value])),
    )

  it('no field, an empty field and several empty fields give no extension', () => {
    expect(read()).toEqual([])
    expect(read('')).toEqual([])
    expect(read('', '')).toEqual([])
    expect(read('', '\t')).toEqual([])
  })

  it('an extension after an empty field is read, and a malformed one is refused', () => {
    expect(read('', 'a')).toEqual([{ name: 'a', parameters: [] }])
    expect(read(',')).toBeNull()
    expect(read('', 'a;')).toBeNull()
  })
})
