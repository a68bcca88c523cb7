import { copyOwn } from '../../../src/frame/own-copy.js'

const source = Buffer.from(Array.from({ length: 5000 }, (_, i) => i & 0xff))

describe('a copy', () => {
  test.each([0, 1, 31, 33, 1024, 1025, 4096, 5000])('of %i bytes has them, as a Buffer', (length) => {
    for (let i = 0; i < 20; i++) {
      const start = Math.min(i, 5000 - length)
      const copy = copyOwn(source, start, start + length)
      expect(Buffer.isBuffer(copy)).toBe(true)
      expect(copy.equals(source.subarray(start, start + length))).toBe(true)
    }
  })

  test('shares no byte with the source, nor with another copy', () => {
    const given = Buffer.from('abcdef')
    const copies = Array.from({ length: 1000 }, (_, i) => copyOwn(given, i % 5, (i % 5) + 2))
    given.fill('x')
    for (const copy of copies.filter((_, i) => i % 2 === 0)) copy.fill('y')
    const rest = copies.filter((_, i) => i % 2 === 1)
    expect(rest.map(String)).toEqual(
      rest.map((_, i) => 'abcdef'.slice((2 * i + 1) % 5, ((2 * i + 1) % 5) + 2)),
    )
  })

  test('that is short lies right behind the one before, whatever is allocated between the two', () => {
    let neighbours = 0
    for (let i = 0; i < 400; i++) {
      const first = copyOwn(source, 0, 8)
      Buffer.allocUnsafe(100)
      const second = copyOwn(source, 0, 8)
      if (second.buffer === first.buffer && second.byteOffset === first.byteOffset + 8) neighbours++
    }
    // All but those with the end of a shared piece of memory between them.
    expect(neighbours).toBeGreaterThan(390)
  })

  test('that is long takes no room between short ones', () => {
    let neighbours = 0
    for (let i = 0; i < 100; i++) {
      const first = copyOwn(source, 0, 8)
      copyOwn(source, 0, 1025)
      const second = copyOwn(source, 0, 8)
      if (second.buffer === first.buffer && second.byteOffset === first.byteOffset + 8) neighbours++
    }
    expect(neighbours).toBeGreaterThan(90)
  })

  test('that is short begins where a view of eight bytes for each element may begin', () => {
    for (let i = 0; i < 50; i++) {
      const { buffer, byteOffset } = copyOwn(source, 0, 8 + (i % 3))
      expect(new Float64Array(buffer, byteOffset, 1)).toHaveLength(1)
    }
  })

  test('is kept where one beside it is moved to another thread', () => {
    const [first, second] = [copyOwn(source, 1, 4), copyOwn(source, 4, 8)]
    try {
      structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] })
    } catch {
      // Node 20 copies, later ones refuse.
    }
    expect(second).toEqual(source.subarray(4, 8))
    expect(copyOwn(source, 1, 3)).toEqual(source.subarray(1, 3))
  })
})

test('copies have memory of their own, which may be transferred, while Node has no pool', () => {
  const { poolSize } = Buffer
  Buffer.poolSize = 0
  try {
    // The first ones may lie in the last piece of the pool.
    const all = Array.from({ length: 200 }, () => copyOwn(source, 1, 100))
    for (const copy of all) expect(copy).toEqual(source.subarray(1, 100))
    const copies = all.slice(100)
    const [first] = copies.splice(0, 1) as [Buffer]
    expect(first.buffer.byteLength).toBe(99)
    structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] })
    expect(first).toHaveLength(0)
    for (const copy of copies) expect(copy).toEqual(source.subarray(1, 100))
  } finally {
    Buffer.poolSize = poolSize
  }
  const pooled = [copyOwn(source, 1, 4), copyOwn(source, 4, 8)] as const
  expect(pooled[0].buffer).toBe(pooled[1].buffer)
})
