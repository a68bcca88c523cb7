import fc from 'fast-check'
import { maskCopy, maskInPlace, rotateMaskingKey } from '../../src/frame/masking.js'
import { xor, type MaskingKey } from '../helpers/frame-builder.js'
import { lend } from '../helpers/lane.js'

const octet = fc.integer({ min: 0, max: 255 })
const maskingKey = fc.tuple(octet, octet, octet, octet)

/** First octet lowest, without the operators that src uses. */
function toNumber([a, b, c, d]: MaskingKey): number {
  return a + b * 2 ** 8 + c * 2 ** 16 + d * 2 ** 24
}

/** The key as it stands at the byte of index `phase`. */
function turn(key: MaskingKey, phase: number): MaskingKey {
  return [0, 1, 2, 3].map((i) => key[(phase + i) % 4]) as unknown as MaskingKey
}

describe('RFC 6455 5.3: the optimised routine against a bytewise one', () => {
  const key: MaskingKey = [0x93, 0x01, 0xfe, 0x7a]

  test('masks every size to 300 bytes in every alignment and phase', () => {
    const arena = new ArrayBuffer(512)
    const wrong: string[] = []
    for (let size = 0; size <= 300; size++) {
      const plain = Buffer.from(Array.from({ length: size }, (_, i) => (i * 167 + size) & 0xff))
      for (let phase = 0; phase < 4; phase++) {
        const expected = xor(plain, turn(key, phase))
        for (let alignment = 0; alignment < 8; alignment++) {
          const all = Buffer.from(arena).fill(0xee)
          // The alignment comes from the view's offset for one half, from `start` for the other.
          const offset = alignment >> 1
          const bytes = Buffer.from(arena, offset, 400)
          const start = alignment - offset
          plain.copy(bytes, start)
          maskInPlace(bytes, start, start + size, toNumber(key), phase)
          const same =
            bytes.compare(expected, 0, size, start, start + size) === 0 &&
            all.subarray(0, alignment).every((byte) => byte === 0xee) &&
            all.subarray(alignment + size).every((byte) => byte === 0xee)
          if (!same) wrong.push(`size ${size}, alignment ${alignment}, phase ${phase}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('masks any bytes with any key, range and phase, and finds whether the result is ASCII', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        maskingKey,
        fc.nat(7),
        fc.nat({ max: 2 ** 40 }),
        fc.boolean(),
        (plain, anyKey, start, phase, ascii) => {
          const expected = xor(plain, turn(anyKey, phase % 4))
          if (ascii) expected.forEach((byte, i) => (expected[i] = byte & 0x7f))
          const input = ascii ? xor(expected, turn(anyKey, phase % 4)) : plain
          const bytes = new Uint8Array(start + plain.length + 3)
          bytes.set(input, start)
          const isAscii = maskInPlace(bytes, start, start + plain.length, toNumber(anyKey), phase)
          expect(Buffer.from(bytes.subarray(start, start + plain.length)).equals(expected)).toBe(true)
          expect(isAscii).toBe(expected.every((byte) => byte < 0x80))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('masking in pieces, each with its phase, gives the same bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 700 }),
        maskingKey,
        fc.array(fc.nat(300)),
        (plain, anyKey, sizes) => {
          const bytes = Uint8Array.from(plain)
          let at = 0
          for (const size of [...sizes, plain.length]) {
            const end = Math.min(at + size, plain.length)
            maskInPlace(bytes, at, end, toNumber(anyKey), at)
            at = end
          }
          expect(xor(plain, anyKey).equals(bytes)).toBe(true)
        },
      ),
    )
  })

  test('masking twice gives the original bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), maskingKey, fc.nat(3), (plain, anyKey, phase) => {
        const bytes = Uint8Array.from(plain)
        maskInPlace(bytes, 0, bytes.length, toNumber(anyKey), phase)
        maskInPlace(bytes, 0, bytes.length, toNumber(anyKey), phase)
        expect(bytes).toEqual(plain)
      }),
    )
  })

  test('rotating a key by two phases is rotating it by their sum', () => {
    fc.assert(
      fc.property(maskingKey, fc.nat(1000), fc.nat(1000), (anyKey, a, b) => {
        const twice = rotateMaskingKey(rotateMaskingKey(toNumber(anyKey), a), b)
        expect(twice >>> 0).toBe(rotateMaskingKey(toNumber(anyKey), a + b) >>> 0)
        expect(twice >>> 0).toBe(toNumber(turn(anyKey, (a + b) % 4)))
      }),
    )
  })
})

describe('RFC 6455 5.3: what a handle read, where it lies, against a bytewise routine', () => {
  const keys: readonly MaskingKey[] = [
    [0x93, 0x01, 0xfe, 0x7a],
    [0, 0, 0, 0],
  ]

  test('masks every size to 600 bytes in every alignment and phase', () => {
    const wrong: string[] = []
    const around = Buffer.alloc(700, 0xee)
    for (let size = 0; size <= 600; size++) {
      const plain = Buffer.from(Array.from({ length: size }, (_, i) => (i * 167 + size) & 0xff))
      const key = keys[size % 7 === 0 ? 1 : 0] as MaskingKey
      for (let phase = 0; phase < 4; phase++) {
        const expected = xor(plain, turn(key, phase))
        const isAscii = expected.every((octet) => octet < 0x80)
        for (let start = 0; start < 16; start++) {
          const bytes = lend(around)
          plain.copy(bytes, start)
          const found = maskInPlace(bytes, start, start + size, toNumber(key), phase)
          const same =
            bytes.compare(expected, 0, size, start, start + size) === 0 &&
            bytes.compare(around, 0, start, 0, start) === 0 &&
            bytes.compare(around, start + size, 700, start + size, 700) === 0
          if (!same || found !== isAscii) wrong.push(`size ${size}, start ${start}, phase ${phase}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('finds one byte above 0x7f at any of 200 places', () => {
    const key = keys[0] as MaskingKey
    for (let size = 64; size <= 200; size += 17) {
      const plain = Buffer.alloc(size, 0x7f)
      expect(maskInPlace(lend(xor(plain, key)), 0, size, toNumber(key))).toBe(true)
      for (let i = 0; i < size; i++) {
        plain[i] = 0x80
        expect(maskInPlace(lend(xor(plain, key)), 0, size, toNumber(key))).toBe(false)
        plain[i] = 0x7f
      }
    }
  })

  const size = fc.oneof(fc.nat(600), fc.integer({ min: 4000, max: 70_000 }))

  test('copies and masks what a handle read, and bytes of any memory, also where several slices are needed', () => {
    fc.assert(
      fc.property(
        size,
        maskingKey,
        fc.nat(7),
        fc.nat(7),
        fc.nat({ max: 2 ** 40 }),
        fc.boolean(),
        fc.constantFrom(-1, 0.0, 0.5, 0.999),
        (length, key, start, at, phase, isLent, place) => {
          const expected = Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0x7f))
          if (place >= 0 && length > 0) expected[Math.floor(place * length)] = 0xc3
          const isAscii = place < 0 || length === 0
          const given = Buffer.concat([Buffer.alloc(start, 0xee), xor(expected, turn(key, phase % 4))])
          const source = isLent ? lend(given) : Buffer.from(given)
          const target = Buffer.alloc(at + length + 5, 0xdd)
          const end = start + length
          expect(maskCopy(source, start, end, target, at, toNumber(key), phase)).toBe(isAscii)
          expect(target.subarray(at, at + length).equals(expected)).toBe(true)
          expect(target.subarray(0, at).equals(Buffer.alloc(at, 0xdd))).toBe(true)
          expect(target.subarray(at + length).equals(Buffer.alloc(5, 0xdd))).toBe(true)
          expect(source.equals(given)).toBe(true)
          expect(maskInPlace(source, start, end, toNumber(key), phase)).toBe(isAscii)
          expect(source.subarray(start).equals(expected)).toBe(true)
        },
      ),
      { numRuns: 400 },
    )
  })
})
