import fc from 'fast-check'
import { Backoff, delayAfter, readRetryAfter, type BackoffRule } from '../../../src/client/backoff.js'

const RULE: BackoffRule = {
  minDelayMs: 500,
  maxDelayMs: 30_000,
  factor: 2,
  jitter: 1,
  maxRetryAfterMs: 300_000,
}

const rules: fc.Arbitrary<BackoffRule> = fc
  .record({
    minDelayMs: fc.integer({ min: 0, max: 10_000 }),
    more: fc.integer({ min: 0, max: 100_000 }),
    factor: fc.double({ min: 1, max: 1_000, noNaN: true }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    maxRetryAfterMs: fc.integer({ min: 0, max: 1_000_000 }),
  })
  .map(({ more, ...rule }) => ({ ...rule, maxDelayMs: rule.minDelayMs + more }))
const chance = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })

describe('delayAfter', () => {
  it('stays between 0 and maxDelayMs, however many rounds failed', () => {
    fc.assert(
      fc.property(rules, fc.integer({ min: 0, max: 100_000 }), chance, (rule, rounds, random) => {
        const delay = delayAfter(rounds, rule, random)
        expect(delay).toBeGreaterThanOrEqual(0)
        expect(delay).toBeLessThanOrEqual(rule.maxDelayMs)
      }),
    )
  })

  it('does not shrink from round to round while chance stays the same', () => {
    fc.assert(
      fc.property(rules, fc.nat(1_000), chance, (rule, rounds, random) => {
        expect(delayAfter(rounds + 1, rule, random)).toBeGreaterThanOrEqual(delayAfter(rounds, rule, random))
      }),
    )
  })

  it('doubles up to the upper end without jitter, and is any part of that with full jitter', () => {
    const fixed = [0, 1, 2, 5, 6, 7, 5_000].map((rounds) => delayAfter(rounds, { ...RULE, jitter: 0 }, 0.3))
    expect(fixed).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000])
    expect([0, 0.5].map((random) => delayAfter(1, RULE, random))).toEqual([0, 500])
    expect([0, 0.5].map((random) => delayAfter(1, { ...RULE, jitter: 0.5 }, random))).toEqual([500, 750])
  })
})

describe('readRetryAfter', () => {
  const wall = Date.UTC(2026, 10, 28, 12, 0, 0)

  it.each([
    ['0', 0],
    [' 120 ', 120_000],
    ['Sat, 28 Nov 2026 12:00:30 GMT', 30_000],
    ['Saturday, 28-Nov-26 12:00:30 GMT', 30_000],
    ['Sat Nov 28 12:00:30 2026', 30_000],
    ['Sat, 28 Nov 2026 11:00:00 GMT', 0],
  ])('reads %p as milliseconds from now', (value, expected) => {
    expect(readRetryAfter(value, wall)).toBe(expected)
  })

  it.each(['', 'soon', '-1', '1.5', '0x10', '1e3', '2026-11-28', 'Sat, 99 Nov 2026 99:00:30 GMT'])(
    'ignores %p',
    (value) => {
      expect(readRetryAfter(value, wall)).toBeUndefined()
    },
  )

  it('gives nothing or a number that is not negative for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{1,400}$/)), (value) => {
        expect(readRetryAfter(value, wall) ?? 0).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})

describe('Backoff', () => {
  const of = (urls: number, rule: Partial<BackoffRule> = {}): Backoff =>
    new Backoff(urls, { ...RULE, jitter: 0, ...rule }, () => 0)

  /** The next attempts, each of which fails. */
  const fail = (backoff: Backoff, times: number): number[] =>
    Array.from({ length: times }, () => {
      const { delayMs } = backoff.next(0)
      backoff.failed(0, undefined)
      return delayMs
    })

  it('waits longer after each failure, and begins anew after a good connection', () => {
    const backoff = of(1)
    backoff.reset()
    expect(fail(backoff, 4)).toEqual([500, 1_000, 2_000, 4_000])
    expect(backoff.attempts).toBe(4)
    backoff.reset()
    expect(backoff.next(0)).toEqual({ attempt: 1, delayMs: 500 })
  })

  it('tries every URL before it waits, and stays with the one that was good', () => {
    const backoff = of(3)
    backoff.failed(0, undefined)
    backoff.reset()
    expect(backoff.urlIndex).toBe(1)
    expect(fail(backoff, 7)).toEqual([500, 0, 0, 1_000, 0, 0, 2_000])
    expect(backoff.urlIndex).toBe((1 + 7) % 3)
  })

  it('gives a server the time that it asked for, up to maxRetryAfterMs, and asks the others meanwhile', () => {
    const backoff = of(2, { maxRetryAfterMs: 60_000 })
    backoff.failed(1_000, 3_600_000)
    expect(backoff.next(1_000)).toEqual({ attempt: 1, delayMs: 0 })
    expect(backoff.urlIndex).toBe(1)
    backoff.failed(1_000, undefined)
    expect(backoff.next(1_000)).toEqual({ attempt: 2, delayMs: 500 })
    expect(backoff.urlIndex).toBe(1)
    backoff.failed(61_000, undefined)
    expect(backoff.next(61_000)).toEqual({ attempt: 3, delayMs: 0 })
    expect(backoff.urlIndex).toBe(0)
  })

  it('gives a server that closed the time that it asked for, and a random part in addition', () => {
    const delays = [0, 0.5].map((random) => {
      const backoff = new Backoff(1, RULE, () => random)
      backoff.defer(1_000, 10_000)
      backoff.reset()
      return backoff.next(1_000).delayMs
    })
    expect(delays).toEqual([10_000, 10_250])
  })

  it('makes no client wait longer than maxRetryAfterMs after a close, and keeps the random part below that', () => {
    const delays = [0, 0.5].map((random) => {
      const backoff = new Backoff(1, { ...RULE, maxRetryAfterMs: 60_000 }, () => random)
      backoff.defer(0, 86_400_000)
      backoff.reset()
      return backoff.next(0).delayMs
    })
    expect(delays).toEqual([60_000, 60_000])
    const fixed = of(1, { maxRetryAfterMs: 100 })
    fixed.defer(0, 86_400_000)
    expect(fixed.next(0).delayMs).toBe(500)
  })

  it('has its own delay where a server that closed asked for no time, or for none', () => {
    for (const hintMs of [undefined, 0]) {
      const backoff = of(1)
      backoff.defer(0, hintMs)
      backoff.reset()
      expect(fail(backoff, 2)).toEqual([500, 1_000])
    }
  })

  it('asks the other servers while one that closed is not ready', () => {
    const backoff = of(2)
    backoff.defer(0, 60_000)
    backoff.reset()
    expect(backoff.next(0)).toEqual({ attempt: 1, delayMs: 500 })
    expect(backoff.urlIndex).toBe(1)
  })

  it('waits for the server that asked for the least time if all of them asked for some', () => {
    const backoff = of(3)
    for (const retryAfterMs of [60_000, 4_000, 20_000]) {
      backoff.next(0)
      backoff.failed(0, retryAfterMs)
    }
    expect(backoff.next(0)).toEqual({ attempt: 4, delayMs: 4_000 })
    expect(backoff.urlIndex).toBe(1)
  })

  it('stays with a good server while the others asked for time, and waits longer after each failure of it', () => {
    const backoff = of(2)
    backoff.failed(0, 60_000)
    backoff.next(0)
    backoff.failed(0, undefined)
    expect(fail(backoff, 3)).toEqual([500, 1_000, 2_000])
    expect(backoff.urlIndex).toBe(0)
    expect(backoff.next(0).delayMs).toBe(4_000)
    expect(backoff.urlIndex).toBe(1)
  })

  it('asks an excluded URL no more, waits after each round of the others, and asks all after a good connection', () => {
    const backoff = of(3)
    const asked: number[] = []
    const attempt = (): number => {
      asked.push(backoff.urlIndex)
      return fail(backoff, 1)[0] as number
    }
    const delays = [attempt()]
    expect(backoff.excludeLast()).toBe(true)
    expect(backoff.isRoundOver).toBe(false)
    delays.push(attempt(), attempt(), attempt(), attempt())
    expect(asked).toEqual([0, 1, 2, 1, 2])
    expect(delays).toEqual([0, 0, 0, 500, 0])
    expect(backoff.excludeLast()).toBe(true)
    delays.push(attempt(), attempt())
    expect(asked.slice(5)).toEqual([1, 1])
    expect(delays.slice(5)).toEqual([1_000, 2_000])
    expect(backoff.excludeLast()).toBe(false)
    backoff.reset()
    asked.length = 0
    for (let i = 0; i < 3; i++) attempt()
    expect(asked).toEqual([1, 2, 0])
  })

  it('keeps every delay within the larger of maxDelayMs and maxRetryAfterMs, whatever happens', () => {
    const steps = fc.array(
      fc.oneof(
        fc.constant('good'),
        fc.constant('closed'),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        fc.constant(undefined),
      ),
    )
    fc.assert(
      fc.property(rules, fc.integer({ min: 1, max: 5 }), steps, chance, (rule, urls, events, random) => {
        const backoff = new Backoff(urls, rule, () => random)
        let now = 0
        for (const event of events) {
          if (event === 'closed') backoff.defer(now, random * 86_400_000)
          else if (typeof event === 'string') backoff.reset()
          else backoff.failed(now, event)
          const { delayMs } = backoff.next(now)
          expect(delayMs).toBeGreaterThanOrEqual(0)
          // A time less an earlier one is rounded in its last place.
          expect(delayMs).toBeLessThanOrEqual(Math.max(rule.maxDelayMs, rule.maxRetryAfterMs) + 1e-3)
          now += delayMs
          expect(backoff.urlIndex).toBeLessThan(urls)
        }
      }),
    )
  })
})
