import fc from 'fast-check'
import { RateLimit } from '../../../src/server/rate-limit.js'

/** Takes what there is room for. @returns how many were taken */
function flood(limit: RateLimit, state: { fullAt: number }, now: number, count: number): number {
  let taken = 0
  for (let i = 0; i < count; i++) {
    if (!limit.admits(state.fullAt, now, 1)) continue
    state.fullAt = limit.take(state.fullAt, now, 1)
    taken++
  }
  return taken
}

describe('a rate limit', () => {
  it('admits the burst at once, and then as many as its average lets come', () => {
    const limit = new RateLimit(10, 5)
    const state = { fullAt: -Infinity }
    expect(flood(limit, state, 1000, 100)).toBe(5)
    expect(flood(limit, state, 1099, 100)).toBe(0)
    expect(flood(limit, state, 1100, 100)).toBe(1)
    expect(flood(limit, state, 1500, 100)).toBe(4)
    expect(flood(limit, state, 60_000, 100)).toBe(5)
  })

  it('takes fractions of a token in a second', () => {
    const limit = new RateLimit(0.5, 1)
    const state = { fullAt: -Infinity }
    expect([0, 1999, 2000, 3999, 4000].map((now) => flood(limit, state, now, 3))).toEqual([1, 0, 1, 0, 1])
  })

  it('lets what is owed come in before it admits again, and says when that is', () => {
    const limit = new RateLimit(100, 10)
    const fullAt = limit.take(-Infinity, 0, 110)
    expect(limit.taken(fullAt, 0)).toBe(110)
    expect(limit.nextAt(fullAt)).toBe(1010)
    expect(limit.admits(fullAt, 1009, 1)).toBe(false)
    expect(limit.admits(fullAt, 1010, 1)).toBe(true)
  })

  it('admits nothing more when a clock goes back, and is as before when it is there again', () => {
    const limit = new RateLimit(10, 5)
    const state = { fullAt: -Infinity }
    expect(flood(limit, state, 10_000, 5)).toBe(5)
    expect(flood(limit, state, 0, 100)).toBe(0)
    expect(flood(limit, state, 10_500, 100)).toBe(5)
  })

  it('gives a clock that jumps forward one burst and no more', () => {
    const limit = new RateLimit(10, 5)
    const state = { fullAt: -Infinity }
    expect(flood(limit, state, 0, 5)).toBe(5)
    expect(flood(limit, state, 1e12, 100)).toBe(5)
  })

  it('does as a bucket that counts its tokens, for all costs and times', () => {
    const step = fc.record({
      after: fc.oneof(fc.constant(0), fc.nat(50), fc.nat(100_000)),
      cost: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 300 })),
      isOwed: fc.boolean(),
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.integer({ min: 1, max: 500 }),
        fc.nat(1e9),
        fc.array(step, { maxLength: 100 }),
        (perSecond, burst, start, steps) => {
          const limit = new RateLimit(perSecond, burst)
          let fullAt = -Infinity
          // In thousandths of a token, so that the model is exact.
          let tokens = burst * 1000
          let now = start
          for (const { after, cost, isOwed } of steps) {
            now += after
            tokens = Math.min(burst * 1000, tokens + after * perSecond)
            const isAdmitted = tokens >= cost * 1000
            expect(limit.admits(fullAt, now, cost)).toBe(isAdmitted)
            if (!isAdmitted && !isOwed) continue
            tokens -= cost * 1000
            fullAt = limit.take(fullAt, now, cost)
          }
        },
      ),
    )
  })

  it('never admits more in any time than the burst and what came in it', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 1e6, noNaN: true }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.double({ min: 0, max: 2000, noNaN: true }), { minLength: 1, maxLength: 200 }),
        (perSecond, burst, pauses) => {
          const limit = new RateLimit(perSecond, burst)
          const state = { fullAt: -Infinity }
          const admitted: number[] = []
          let now = 1e9
          for (const pause of pauses) {
            now += pause
            if (flood(limit, state, now, 1) === 1) admitted.push(now)
          }
          for (let first = 0; first < admitted.length; first++) {
            for (let last = first; last < admitted.length; last++) {
              const seconds = ((admitted[last] as number) - (admitted[first] as number)) / 1000
              expect(last - first + 1).toBeLessThanOrEqual(burst + seconds * perSecond + 0.01)
            }
          }
        },
      ),
    )
  })
})
