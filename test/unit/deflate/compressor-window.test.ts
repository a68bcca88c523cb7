import { deflateRawSync } from 'node:zlib'
import { compressorBits, contextBytes } from '../../../src/deflate/deflater.js'
import { json } from './codec-pair.js'
import { inflatePlainly } from './max-distance.js'

describe('what a compressor holds', () => {
  test('follows from window and memLevel; Node’s zlib has no smaller hash table than 64 KiB', () => {
    expect(contextBytes({ windowBits: 15, memLevel: 8, level: 6 })).toBe(131_072 + 65_536 + 65_536 + 20_480)
    expect(contextBytes({ windowBits: 15, memLevel: 9, level: 6 })).toBe(131_072 + 131_072 + 131_072 + 20_480)
    expect(contextBytes({ windowBits: 9, memLevel: 1, level: 6 })).toBe(2048 + 65_536 + 512 + 20_480)
  })
})

describe('the window of a compressor (RFC 7692 section 7.1.2)', () => {
  test('8 is served by 9, all others by themselves', () => {
    expect([8, 9, 10, 15].map(compressorBits)).toEqual([9, 9, 10, 15])
  })

  test.each([8, 9, 10, 11, 12])('no distance reaches further than a window of 2^%d, at any level', (bits) => {
    // Rows that repeat at every distance, so that a longer one would be used if it were allowed.
    const message = Buffer.concat([json(3000, 1), json(3000, 1), json(1500, 2), json(1500, 1)])
    let reached = 0
    for (const level of [1, 3, 4, 6, 9]) {
      const { output, maxDistance } = inflatePlainly(
        deflateRawSync(message, { windowBits: compressorBits(bits), level }),
      )
      expect(output.equals(message)).toBe(true)
      expect(maxDistance).toBeLessThanOrEqual(1 << bits)
      reached = Math.max(reached, maxDistance)
    }
    // The distances are measured at all.
    expect(reached).toBeGreaterThan((1 << compressorBits(bits)) / 3)
  })

  test('at window 8 none is above 250: 512 less the lookahead of 262', () => {
    const { maxDistance } = inflatePlainly(deflateRawSync(json(20_000), { windowBits: 9, level: 9 }))
    expect(maxDistance).toBeLessThanOrEqual(250)
  })
})
