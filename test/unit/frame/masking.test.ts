import crypto from 'node:crypto'
import * as masking from '../../../src/frame/masking.js'
import { hex, KEY, xor } from '../../helpers/frame-builder.js'

const { createMaskingKey, maskInPlace, rotateMaskingKey } = masking

/** The key of RFC 6455 5.7, first octet lowest. */
const KEY_NUMBER = 0x3d21fa37

describe('RFC 6455 5.3: masking', () => {
  test('masks the example of section 5.7', () => {
    const bytes = Buffer.from('Hello')
    expect(maskInPlace(bytes, 0, 5, KEY_NUMBER)).toBe(false)
    expect(bytes).toEqual(hex('7f 9f 4d 51 58'))
    expect(maskInPlace(bytes, 0, 5, KEY_NUMBER)).toBe(true)
    expect(bytes.toString()).toBe('Hello')
  })

  test.each([0, 1, 4, 127, 128, 129, 1000])('changes only the given range: %i bytes', (size) => {
    for (const start of [0, 1, 2, 3, 4]) {
      const bytes = Buffer.alloc(size + 16, 0xee)
      maskInPlace(bytes, start, start + size, KEY_NUMBER)
      expect(bytes.subarray(0, start)).toEqual(Buffer.alloc(start, 0xee))
      expect(bytes.subarray(start, start + size)).toEqual(xor(Buffer.alloc(size, 0xee), KEY))
      expect(bytes.subarray(start + size)).toEqual(Buffer.alloc(16 - start, 0xee))
    }
  })

  test('works with a key of zeros and a key of ones', () => {
    for (const size of [10, 300]) {
      const bytes = Buffer.alloc(size, 0x5a)
      maskInPlace(bytes, 0, size, 0)
      expect(bytes).toEqual(Buffer.alloc(size, 0x5a))
      maskInPlace(bytes, 0, size, -1)
      expect(bytes).toEqual(Buffer.alloc(size, 0xa5))
    }
  })

  test('a signed and an unsigned key mask alike', () => {
    for (const size of [10, 300]) {
      const [signed, unsigned] = [Buffer.alloc(size), Buffer.alloc(size)]
      maskInPlace(signed, 0, size, 0xfedcba98 | 0, 1)
      maskInPlace(unsigned, 0, size, 0xfedcba98, 1)
      expect(signed).toEqual(unsigned)
    }
  })
})

describe('the result of maskInPlace', () => {
  test.each([1, 2, 3, 5, 8, 127, 128, 131, 140, 257])(
    'is false if one byte above 0x7f is at any of %i positions',
    (size) => {
      for (const start of [0, 1, 2, 3]) {
        const plain = Buffer.alloc(size, 0x7f)
        const clean = Buffer.concat([Buffer.alloc(start, 0xff), xor(plain, KEY), Buffer.alloc(3, 0xff)])
        expect(maskInPlace(clean, start, start + size, KEY_NUMBER)).toBe(true)
        for (let i = 0; i < size; i++) {
          plain[i] = 0x80
          const bytes = Buffer.concat([Buffer.alloc(start), xor(plain, KEY)])
          expect(maskInPlace(bytes, start, start + size, KEY_NUMBER)).toBe(false)
          plain[i] = 0x7f
        }
      }
    },
  )

  test('is true for an empty range', () => {
    expect(maskInPlace(Buffer.alloc(0), 0, 0, KEY_NUMBER)).toBe(true)
  })
})

describe('rotateMaskingKey', () => {
  test('rotates the key so that the octet of the phase comes first', () => {
    const turned = [0, 1, 2, 3, 4, 7].map((phase) => rotateMaskingKey(KEY_NUMBER, phase) >>> 0)
    expect(turned).toEqual([0x3d21fa37, 0x373d21fa, 0xfa373d21, 0x21fa373d, 0x3d21fa37, 0x21fa373d])
  })

  test('accepts phases beyond 32 bits', () => {
    expect(rotateMaskingKey(KEY_NUMBER, 2 ** 40 + 1) >>> 0).toBe(0x373d21fa)
  })
})

describe('RFC 6455 10.3: masking keys', () => {
  test('createMaskingKey returns 32-bit integers', () => {
    for (let i = 0; i < 5000; i++) {
      const key = createMaskingKey()
      expect(key | 0).toBe(key)
    }
  })

  test('are the bytes of the cryptographic source, each used once, from the first key on', () => {
    const weak = jest.spyOn(Math, 'random')
    const fill = crypto.randomFillSync
    const given: number[] = []
    jest.spyOn(crypto, 'randomFillSync').mockImplementation((pool) => {
      fill(pool)
      given.push(...(pool as Int32Array))
      return pool
    })
    try {
      jest.isolateModules(() => {
        const fresh = jest.requireActual<typeof masking>('../../../src/frame/masking.js')
        const first = fresh.createMaskingKey()
        expect(given.length).toBeGreaterThan(0)
        const keys = [first, ...Array.from({ length: given.length * 3 - 1 }, () => fresh.createMaskingKey())]
        expect(keys.toSorted((x, y) => x - y)).toEqual(given.toSorted((x, y) => x - y))
      })
      expect(weak).not.toHaveBeenCalled()
    } finally {
      jest.restoreAllMocks()
    }
  })
})
