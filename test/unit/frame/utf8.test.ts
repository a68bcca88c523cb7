import { asBuffer } from '../../../src/frame/as-buffer.js'
import { decodeText, isAsciiOnly, isWholeText, Utf8Validator } from '../../../src/frame/utf8.js'
import { hex } from '../../helpers/frame-builder.js'

/** How many bytes are valid before the first bad one; -1 if all are valid. */
function firstBad(bytes: Uint8Array): number {
  const validator = new Utf8Validator()
  return bytes.findIndex((octet) => !validator.push(Uint8Array.of(octet)))
}

describe('RFC 6455 8.1, RFC 3629: characters', () => {
  test.each([
    ['00', 'U+0000'],
    ['7f', 'U+007F'],
    ['c2 80', 'U+0080'],
    ['df bf', 'U+07FF'],
    ['e0 a0 80', 'U+0800'],
    ['ed 9f bf', 'U+D7FF'],
    ['ee 80 80', 'U+E000'],
    ['ef bb bf', 'U+FEFF'],
    ['ef bf bf', 'U+FFFF'],
    ['f0 90 80 80', 'U+10000'],
    ['e1 80 80', 'U+1000'],
    ['f1 80 80 80', 'U+40000'],
    ['f3 bf bf bf', 'U+FFFFF'],
    ['f4 8f bf bf', 'U+10FFFF'],
  ])('accepts %s: %s', (digits) => {
    const bytes = hex(digits)
    const validator = new Utf8Validator()
    expect(validator.isComplete).toBe(true)
    bytes.forEach((octet, i) => {
      expect(validator.push(Uint8Array.of(octet))).toBe(true)
      expect(validator.isComplete).toBe(i === bytes.length - 1)
    })
    expect(new Utf8Validator().push(bytes)).toBe(true)
  })
})

describe('RFC 6455 8.1: failing at the first byte after which nothing valid can follow', () => {
  test.each([
    ['a continuation byte alone', '80', 0],
    ['the overlong lead C0', 'c0', 0],
    ['the overlong lead C1', 'c1', 0],
    ['a lead above U+10FFFF', 'f5', 0],
    ['FE', 'fe', 0],
    ['FF', 'ff', 0],
    ['three bytes, overlong', 'e0 9f', 1],
    ['a high surrogate', 'ed a0', 1],
    ['a low surrogate', 'ed bf', 1],
    ['four bytes, overlong', 'f0 8f', 1],
    ['above U+10FFFF', 'f4 90', 1],
    ['a character cut by ASCII', 'e2 82 41', 2],
    ['a character cut by another', 'e2 82 c3', 2],
    ['the narrow range is for the second byte only', 'e0 a0 9f c0', 3],
    ['and the wide one comes back after it', 'ed 80 bf f4 80 bf bf c1', 7],
    ['one continuation too many', 'c3 a9 a9', 2],
    ['Autobahn 6.4', 'ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90', 12],
  ])('fails for %s: %s', (_name, digits, at) => {
    expect(firstBad(hex(digits))).toBe(at)
    expect(new Utf8Validator().push(hex(digits).subarray(0, at))).toBe(true)
    expect(new Utf8Validator().push(hex(digits))).toBe(false)
  })
})

describe('pieces of 64 bytes and more use the native check', () => {
  const fillers = [Buffer.alloc(100, 'a'), Buffer.from('é'.repeat(50)), Buffer.from('\u{1f600}'.repeat(40))]

  test.each(['e9', 'c3', 'e2 82', 'e2', 'f0 9f 98', 'f0 9f', 'f0'])(
    'a piece may end inside a character: %s',
    (digits) => {
      for (const filler of fillers) {
        const validator = new Utf8Validator()
        expect(validator.push(Buffer.concat([filler, hex(digits)]))).toBe(true)
        expect(validator.isComplete).toBe(false)
      }
    },
  )

  test.each([
    ['c3', 'a9'],
    ['e2', '82 ac'],
    ['e2 82', 'ac'],
    ['f0', '9f 98 80'],
    ['f0 9f', '98 80'],
    ['f0 9f 98', '80'],
  ])('a piece continues the character of the last one: %s | %s', (left, right) => {
    for (const filler of fillers) {
      const validator = new Utf8Validator()
      expect(validator.push(Buffer.concat([filler, hex(left)]))).toBe(true)
      expect(validator.push(Buffer.concat([hex(right), filler]))).toBe(true)
      expect(validator.isComplete).toBe(true)
      const wrong = new Utf8Validator()
      wrong.push(hex(left))
      expect(wrong.push(Buffer.concat([Buffer.alloc(hex(right).length, 'a'), filler]))).toBe(false)
    }
  })

  test.each(['ff', 'c0 80', 'ed a0', 'e0 80', 'f4 90', '80', '80 80', '80 80 80', '80 80 80 80', 'c3 a9 a9'])(
    'bad bytes at the end, at the start and inside are found: %s',
    (digits) => {
      for (const filler of fillers) {
        for (const bytes of [
          [filler, hex(digits)],
          [hex(digits), filler],
          [filler, hex(digits), filler],
        ]) {
          expect(new Utf8Validator().push(Buffer.concat(bytes))).toBe(false)
        }
      }
    },
  )

  test.each(['41', 'c3 a9', 'e2 82 ac', 'f0 9f 98 80'])(
    'a piece may end with a whole character: %s',
    (digits) => {
      for (const filler of fillers) {
        const validator = new Utf8Validator()
        expect(validator.push(Buffer.concat([filler, hex(digits)]))).toBe(true)
        expect(validator.isComplete).toBe(true)
      }
    },
  )
})

describe('looking at a range of the bytes', () => {
  /** Between two bytes that are never UTF-8. */
  const among = (bytes: Buffer): [Buffer, number, number] => [
    Buffer.concat([hex('ff'), bytes, hex('ff')]),
    1,
    1 + bytes.length,
  ]
  const lengths = [0, 1, 2, 31, 32, 63, 64, 65, 200]

  test.each(lengths)('%i bytes of ASCII are a whole text, and ASCII alone', (length) => {
    const bytes = Buffer.alloc(length, 0x7f)
    expect([isWholeText(...among(bytes)), isAsciiOnly(...among(bytes))]).toEqual([true, true])
  })

  test.each(lengths.slice(1))('one byte beyond ASCII among %i is found at any place', (length) => {
    for (let at = 0; at < length; at++) {
      const bytes = Buffer.alloc(length, 'a')
      bytes[at] = 0x80
      expect([isWholeText(...among(bytes)), isAsciiOnly(...among(bytes))]).toEqual([false, false])
    }
  })

  test.each(lengths.slice(2))('a character of two bytes among %i is text, but not if it is cut', (length) => {
    for (let at = 0; at < length; at++) {
      const bytes = Buffer.alloc(length, 'a')
      bytes.write('\u00e9', at)
      const isCut = at === length - 1
      if (isCut) bytes[at] = 0xc3
      expect([isWholeText(...among(bytes)), isAsciiOnly(...among(bytes))]).toEqual([!isCut, false])
    }
  })
})

describe('validating a range of the bytes', () => {
  test.each([10, 100])('bytes outside the range are ignored: %i bytes', (length) => {
    const bytes = Buffer.alloc(length + 8, 0xff)
    bytes.fill('a', 4, 4 + length)
    expect(new Utf8Validator().push(bytes, 4, 4 + length)).toBe(true)
    expect(new Utf8Validator().push(bytes, 4)).toBe(false)
    expect(new Utf8Validator().push(bytes, 3, 4 + length)).toBe(false)
    expect(new Utf8Validator().push(bytes, 4, 5 + length)).toBe(false)
    expect(new Utf8Validator().push(bytes, 7, 7)).toBe(true)
  })
})

describe('RFC 6455 8.1: decoding a complete text', () => {
  function decode(bytes: Uint8Array): string | null {
    const around = asBuffer(Buffer.concat([Buffer.of(0xff, 0xc3), bytes, Buffer.of(0xa9, 0xff)]))
    return decodeText(around, 2, 2 + bytes.length)
  }

  test.each(['', 'Hello', 'é€\u{1f600}', '\ufeffa', '\ufffd', 'a\ufffdb', '\ufffe\uffff', '\u0000'])(
    'decodes %j',
    (text) => {
      expect(decode(Buffer.from(text))).toBe(text)
    },
  )

  test.each(['ff', 'c3', '61 e2 82', 'ed a0 80', 'c0 80', 'f4 90 80 80', 'ef bf bd ff'])(
    'returns null for bytes that are not UTF-8: %s',
    (digits) => {
      expect(decode(hex(digits))).toBeNull()
    },
  )

  // Around the length from which text is looked at for anything but ASCII, and beyond what WebAssembly decodes.
  test.each([8191, 8192, 8193, 65_536, 100_000])(
    'decodes %i bytes, ASCII or not, as the standard has it',
    (length) => {
      const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
      for (const odd of [
        null,
        '7f',
        '80',
        'c3 a9',
        'e2 82 ac',
        'f0 9f 98 80',
        'ef bf bd',
        'ed a0 80',
        'ff',
      ]) {
        for (const at of odd === null ? [0] : [0, length >> 1, length - hex(odd).length]) {
          const bytes = Buffer.alloc(length, 'abcdefg')
          if (odd !== null) hex(odd).copy(bytes, at)
          let expected: string | null = null
          try {
            expected = strict.decode(bytes)
          } catch {
            // It is not UTF-8.
          }
          expect(decode(bytes) === expected).toBe(true)
        }
      }
    },
  )
})
