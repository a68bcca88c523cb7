/** Short and long bytes go different ways, with WebAssembly, without it, and where a handle reads. The result is the same. */
import * as masking from '../../../src/frame/masking.js'
import * as utf8 from '../../../src/frame/utf8.js'
import { KEY, xor, type MaskingKey } from '../../helpers/frame-builder.js'
import { lend } from '../../helpers/lane.js'
import { loadNative } from '../../helpers/load-native.js'

const KEY_NUMBER = 0x3d21fa37
/** At each length from which on another way is taken. */
const SIZES = [
  0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 156, 157, 158, 159, 1023, 1024, 1025, 8192, 70_000,
]

const turned = (phase: number): MaskingKey =>
  [0, 1, 2, 3].map((i) => KEY[(i + phase) % 4] as number) as unknown as MaskingKey

/** ASCII, or the same with one byte beyond it at the end. */
const plainOf = (size: number, isAscii: boolean): Buffer => {
  const plain = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31) & 0x7f))
  if (!isAscii && size > 0) plain[size - 1] = 0x80
  return plain
}

describe.each([
  ['where a handle reads', masking, utf8, lend],
  ['in any memory', masking, utf8, (bytes: Buffer): Buffer => bytes],
  [
    'without WebAssembly',
    loadNative<typeof masking>('off', '../frame/masking'),
    loadNative<typeof utf8>('off', '../frame/utf8'),
    (bytes: Buffer): Buffer => bytes,
  ],
])('bytes %s', (_name, { maskCopy, maskInPlace, copyBytes }, { decodeText }, place) => {
  test.each(SIZES)('%i of them are masked in place and as a copy, at any place and in any phase', (size) => {
    for (const start of [0, 3, 200]) {
      for (const phase of [0, 1, 7]) {
        for (const isAscii of [true, false]) {
          const plain = plainOf(size, isAscii)
          const wire = Buffer.concat([
            Buffer.alloc(start, 0xee),
            xor(plain, turned(phase)),
            Buffer.alloc(5, 0xee),
          ])
          const source = place(Buffer.from(wire))
          const target = Buffer.alloc(size + 9, 0xdd)
          const seen = maskCopy(source, start, start + size, target, 4, KEY_NUMBER, phase)
          expect(seen).toBe(isAscii || size === 0)
          expect(source.equals(wire)).toBe(true)
          expect(target.equals(Buffer.concat([Buffer.alloc(4, 0xdd), plain, Buffer.alloc(5, 0xdd)]))).toBe(
            true,
          )

          expect(maskInPlace(source, start, start + size, KEY_NUMBER, phase)).toBe(seen)
          plain.copy(wire, start)
          expect(source.equals(wire)).toBe(true)
        }
      }
    }
  })

  test.each(SIZES)('%i of them are copied, and nothing around them', (size) => {
    const source = place(plainOf(size + 7, true))
    const target = Buffer.alloc(size + 9, 0xdd)
    copyBytes(source, 2, 2 + size, target, 4)
    expect(target.subarray(4, 4 + size).equals(plainOf(size + 7, true).subarray(2, 2 + size))).toBe(true)
    expect([...target.subarray(0, 4), ...target.subarray(-5)]).toEqual(Array.from({ length: 9 }, () => 0xdd))
  })

  test.each(SIZES.filter((size) => size >= 3))('%i of them are decoded as text, or refused', (size) => {
    for (const end of ['', 'é', '€', '\ufffd']) {
      const text = `${'a'.repeat(size - Buffer.byteLength(end))}${end}`
      const bytes = place(Buffer.concat([Buffer.of(0xff, 0xff), Buffer.from(text), Buffer.of(0xff)]))
      expect(decodeText(bytes, 2, 2 + size)).toBe(text)
      expect(decodeText(bytes, 1, 2 + size)).toBeNull()
      expect(decodeText(bytes, 2, 3 + size)).toBeNull()
    }
  })
})

test('a piece of text is validated to its end, and no further, wherever it lies', () => {
  const validator = new utf8.Utf8Validator()
  const bytes = Buffer.alloc(300, 0xff)
  bytes[200] = 0xe2
  bytes[201] = 0x82
  expect(validator.push(bytes, 200, 201)).toBe(true)
  expect(validator.push(bytes, 201, 202)).toBe(true)
  expect(validator.isComplete).toBe(false)
  bytes[202] = 0xac
  expect(validator.push(bytes, 202, 203)).toBe(true)
  expect(validator.isComplete).toBe(true)
})
