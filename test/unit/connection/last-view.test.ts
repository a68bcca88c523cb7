import { privateBytes, viewOf } from '../../../src/connection/last-view.js'

const KIB = 1024

describe("the size of a connection's next own buffer", () => {
  test('is that of what waits, from 1 KiB to 64 KiB', () => {
    expect([0, 1, 1024, 1025, 5000, 64 * KIB, 64 * KIB + 1, 10_000_000].map(privateBytes)).toEqual([
      ...[1024, 1024, 1024, 1025, 5000],
      ...[64 * KIB, 64 * KIB, 64 * KIB],
    ])
  })
})

describe('the view of a part of a buffer', () => {
  const region = Buffer.from('0123456789')

  test('is the same object as long as the same part is asked for', () => {
    for (const [start, end] of [
      [0, 4],
      [3, 7],
      [3, 3],
    ] as const) {
      const view = viewOf(region, start, end)
      expect(view.toString()).toBe('0123456789'.slice(start, end))
      expect(view.buffer).toBe(region.buffer)
      expect(viewOf(region, start, end)).toBe(view)
    }
  })

  test('is another one where the start, the end or the buffer changes', () => {
    const other = Buffer.from('abcdefghij')
    expect(viewOf(region, 2, 6).toString()).toBe('2345')
    expect(viewOf(region, 2, 7).toString()).toBe('23456')
    expect(viewOf(region, 2, 4).toString()).toBe('23')
    expect(viewOf(region, 3, 5).toString()).toBe('34')
    expect(viewOf(other, 3, 5).toString()).toBe('de')
  })

  test('of a buffer of more than 64 KiB is not remembered, so that the buffer is not held', () => {
    const [slab, large] = [Buffer.alloc(64 * KIB), Buffer.alloc(64 * KIB + 1)]
    expect(viewOf(slab, 0, 5)).toBe(viewOf(slab, 0, 5))
    expect(viewOf(large, 0, 5)).not.toBe(viewOf(large, 0, 5))
    expect(viewOf(large, 7, 12)).toHaveLength(5)
    // Nor does it take the place of the one that is remembered.
    const view = viewOf(slab, 1, 9)
    viewOf(large, 1, 9)
    expect(viewOf(slab, 1, 9)).toBe(view)
  })
})
