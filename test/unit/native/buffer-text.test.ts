import type * as BufferText from '../../../src/native/buffer-text.js'
import { bufferTextWorks } from '../../../src/native/buffer-text.js'
import { loadNative } from '../../helpers/load-native.js'

describe.each(['on', 'off'] as const)('text in and out of a Buffer, HAWSER_NATIVE=%s', (value) => {
  const { sliceLatin1, sliceUtf8, writeAscii, writeUtf8 } = loadNative<typeof BufferText>(
    value,
    'buffer-text',
  )
  const text = 'a\u00e9\u20ac\u{1f600}'

  test('is written as UTF-8 at the offset, and the number of bytes is returned', () => {
    const bytes = Buffer.alloc(16)
    expect(writeUtf8(bytes, text, 2)).toBe(10)
    expect(bytes).toEqual(Buffer.concat([Buffer.alloc(2), Buffer.from(text), Buffer.alloc(4)]))
  })

  test('that is ASCII is written at the offset, and the number of bytes is returned', () => {
    const bytes = Buffer.alloc(6)
    expect(writeAscii(bytes, 'abc', 2)).toBe(3)
    expect(bytes).toEqual(Buffer.from('\0\0abc\0'))
  })

  test('has U+FFFD for a lone surrogate, when written and when read', () => {
    const bytes = Buffer.alloc(3)
    expect(writeUtf8(bytes, '\ud800', 0)).toBe(3)
    expect(bytes).toEqual(Buffer.of(0xef, 0xbf, 0xbd))
    expect(sliceUtf8(Buffer.of(0x61, 0xff, 0x62), 0, 3)).toBe('a\ufffdb')
  })

  test('ends with the last character that has room', () => {
    const bytes = Buffer.alloc(4)
    expect(writeUtf8(bytes, 'ab\u20ac', 0)).toBe(2)
    expect(bytes).toEqual(Buffer.of(0x61, 0x62, 0, 0))
  })

  test('is read from start to end, as UTF-8 and one character for each byte', () => {
    const bytes = Buffer.from(`<${text}>`)
    expect(sliceUtf8(bytes, 1, 11)).toBe(text)
    expect(sliceLatin1(bytes, 1, 4)).toBe('a\u00c3\u00a9')
    expect([sliceUtf8(bytes, 5, 5), sliceLatin1(bytes, 5, 5)]).toEqual(['', ''])
  })

  test('goes by the documented methods where src/native is off, and not by them where it is on', () => {
    const bytes = Buffer.alloc(8)
    const calls: string[] = []
    for (const name of ['toString', 'write']) {
      Object.defineProperty(bytes, name, { value: () => calls.push(name) })
    }
    sliceLatin1(bytes, 0, 1)
    sliceUtf8(bytes, 0, 1)
    writeUtf8(bytes, 'a', 0)
    writeAscii(bytes, 'a', 0)
    expect(calls).toEqual(value === 'on' ? [] : ['toString', 'toString', 'write', 'write'])
  })
})

describe('the methods of Buffer that Node does not document', () => {
  test('work in this Node', () => {
    expect(bufferTextWorks()).toBe(true)
  })

  test.each<[string, Record<string, unknown>]>([
    ['there is no utf8Write', { utf8Write: undefined }],
    ['there is no utf8Slice', { utf8Slice: undefined }],
    ['there is no latin1Slice', { latin1Slice: undefined }],
    ['there is no latin1Write', { latin1Write: undefined }],
    [
      'latin1Write takes no offset',
      {
        latin1Write(this: Buffer, text: string) {
          return this.write(text, 'latin1')
        },
      },
    ],
    [
      'utf8Write takes no offset',
      {
        utf8Write(this: Buffer, text: string) {
          return this.write(text)
        },
      },
    ],
    [
      'utf8Write returns nothing',
      {
        utf8Write(this: Buffer, text: string, offset: number) {
          this.write(text, offset)
        },
      },
    ],
    [
      'utf8Write cuts a character',
      {
        utf8Write(this: Buffer, text: string, offset: number) {
          return Buffer.from(text).copy(this, offset)
        },
      },
    ],
    [
      'utf8Slice takes a length',
      {
        utf8Slice(this: Buffer, start: number, length: number) {
          return this.toString('utf8', start, start + length)
        },
      },
    ],
    [
      'latin1Slice reads seven bits',
      {
        latin1Slice(this: Buffer, start: number, end: number) {
          return this.toString('ascii', start, end)
        },
      },
    ],
  ])('are not used where %s', (_name, methods) => {
    expect(bufferTextWorks((length) => Object.assign(Buffer.alloc(length), methods))).toBe(false)
  })
})
