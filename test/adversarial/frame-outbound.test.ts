import { createMaskingKey, encodeClosePayload, Opcode, serializeFrame } from '../../src/frame/index.js'
import { readFrames } from '../helpers/frame-builder.js'

/** Everything that a caller may hand over for a payload. */
const VALUES: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  1,
  100,
  -1,
  1e9,
  NaN,
  Infinity,
  5n,
  '',
  'text',
  '€\u{1f600}\ud800',
  Symbol('payload'),
  () => 'payload',
  {},
  { length: 100 },
  { byteLength: 100, length: 100 },
  [],
  [1, 2, 3],
  new Array(100),
  new Date(0),
  /x/,
  new ArrayBuffer(100),
  new SharedArrayBuffer(100),
  new DataView(new ArrayBuffer(100)),
  Uint8Array.of(1, 2, 3),
  new Uint8Array(new SharedArrayBuffer(8)),
  Buffer.from('buffer'),
  new Uint8ClampedArray(100),
  new Int8Array(100),
  new Uint16Array(100),
  new Int32Array(100),
  new Float64Array(100),
  new BigInt64Array(100),
  Object.create(Uint8Array.prototype),
]

/** Dirties the memory that `Buffer.allocUnsafe` hands out. */
function dirtyThePool(): void {
  for (let i = 0; i < 20; i++) Buffer.allocUnsafe(1000).fill(0xd1)
}

/** The result or the kind of error, the same in a second run: no byte may be from old memory. */
function outcomes(run: () => Uint8Array): unknown[] {
  return [0, 1, 2].map(() => {
    dirtyThePool()
    try {
      return Buffer.from(run()).toString('hex')
    } catch (error) {
      // By name: those that the language throws are of another realm in jest.
      if ((error as Error).name !== 'TypeError') throw error
      return (error as Error).message
    }
  })
}

describe('SECURITY.md: outbound bytes derive from the input alone, for every argument type', () => {
  test.each(VALUES.map((value, i) => [i, value] as const))(
    'a payload is written as its bytes or refused (%i)',
    (_i, value) => {
      for (const opcode of [Opcode.TEXT, Opcode.PING, Opcode.CLOSE]) {
        for (const mask of [{}, { maskingKey: 0 }]) {
          const [first, ...again] = outcomes(() =>
            serializeFrame({ opcode, payload: value as Uint8Array, ...mask }),
          )
          expect(again).toEqual([first, first])
          expect(String(first)).not.toContain('d1d1')
          const isSent = /^[0-9a-f]+$/.test(String(first))
          const isLegal = value === undefined || typeof value === 'string' || ArrayBuffer.isView(value)
          expect(isSent && !isLegal).toBe(false)
          if (!isSent) continue
          const { frames, rest } = readFrames(Buffer.from(String(first), 'hex'))
          expect(rest).toHaveLength(0)
          const expected =
            typeof value === 'string' ? Buffer.from(value) : Buffer.from((value ?? []) as Uint8Array)
          expect(frames[0]?.payload.equals(expected)).toBe(true)
        }
      }
    },
  )

  test.each(VALUES.map((value, i) => [i, value] as const))(
    'a close reason is written as its text or refused (%i)',
    (_i, value) => {
      const [first, ...again] = outcomes(() => encodeClosePayload(1000, value as string))
      expect(again).toEqual([first, first])
      const text = value ?? ''
      if (value !== null && typeof text === 'string') {
        expect(first).toBe(Buffer.from(`\u0003\u0000${text}`).fill(0xe8, 1, 2).toString('hex'))
      } else {
        expect(first).toMatch(/^close reason must be a string, not /)
      }
    },
  )

  test('every byte of a frame is written, whatever its size', () => {
    for (const size of [0, 1, 3, 100, 125, 126, 200, 4000, 5000, 65_535, 65_536]) {
      for (const payload of [Buffer.alloc(size, 0x11), 'é'.repeat(size / 2)]) {
        for (const mask of [{}, { maskingKey: 0 }]) {
          dirtyThePool()
          const bytes = serializeFrame({ opcode: Opcode.BINARY, payload, ...mask })
          expect(bytes.includes(0xd1)).toBe(false)
        }
      }
    }
  })
})

describe('SECURITY.md: weak random masks', () => {
  test('a million masking keys repeat no more than chance allows, and each bit is set in half of them', () => {
    // Among n = 10^6 draws of 2^32 values, n^2 / 2^33 = 116 pairs are alike on average, Poisson, so with a
    // standard deviation of 10.8: "none repeats" would fail a perfect source. 12 deviations above that, 250,
    // is not seen in the age of the universe; a source of 31 bits would give 233 on average, one of 30 bits
    // 466, a pool served twice a million.
    const count = 1_000_000
    const keys = new Uint32Array(count)
    const ones = new Array<number>(32).fill(0)
    for (let i = 0; i < count; i++) {
      const key = createMaskingKey()
      keys[i] = key
      for (let bit = 0; bit < 32; bit++) ones[bit] = (ones[bit] as number) + ((key >>> bit) & 1)
    }
    const sorted = keys.slice().sort()
    let repeats = 0
    for (let i = 1; i < count; i++) if (sorted[i] === sorted[i - 1]) repeats++
    expect(repeats).toBeLessThan(250)
    // And not none either, which would be a counter: fewer than 30 is 8 deviations below.
    expect(repeats).toBeGreaterThan(30)
    // A bit is set in half of the keys, give or take 500; 5000 is 10 deviations.
    for (const set of ones) expect(Math.abs(set - count / 2)).toBeLessThan(5000)
    // No key follows from the one before: neighbours differ in half of their bits.
    let differing = 0
    for (let i = 1; i < 10_000; i++) {
      let bits = (keys[i] as number) ^ (keys[i - 1] as number)
      for (; bits !== 0; bits &= bits - 1) differing++
    }
    expect(differing / 9999).toBeGreaterThan(15.5)
    expect(differing / 9999).toBeLessThan(16.5)
  })
})
