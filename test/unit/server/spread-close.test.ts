import fc from 'fast-check'
import { orderOfTurns, Turns } from '../../../src/server/spread-close.js'

/** Runs the turns of a spread whose event loop is blocked at times. @returns how many had their turn, and when */
function run(
  turns: Turns,
  blocks: readonly number[] = [],
  from = 0,
): { readonly at: number; readonly count: number }[] {
  const taken: { at: number; count: number }[] = []
  let now = from
  for (let index = 0; !turns.isOver; index++) {
    now += turns.nextInMs + (blocks[index] ?? 0)
    taken.push({ at: now, count: turns.take(now) })
  }
  return taken
}

const total = (taken: readonly { readonly count: number }[]): number =>
  taken.reduce((sum, { count }) => sum + count, 0)

describe('the turns of a spread', () => {
  it('give each connection the middle of its share of the time', () => {
    expect(run(new Turns(4, 1_000, 0))).toEqual([
      { at: 125, count: 1 },
      { at: 375, count: 1 },
      { at: 625, count: 1 },
      { at: 875, count: 1 },
    ])
  })

  it('are over within the time, and give no tenth of it more than a tenth and a turn of the connections', () => {
    const counts = fc.integer({ min: 1, max: 100_000 })
    fc.assert(
      fc.property(counts, fc.integer({ min: 1_000, max: 30_000 }), (count, spreadMs) => {
        const taken = run(new Turns(count, spreadMs, 0))
        expect(total(taken)).toBe(count)
        expect(taken.at(-1)?.at).toBeLessThanOrEqual(spreadMs + 16)
        const tenths = new Array<number>(11).fill(0)
        for (const one of taken) {
          const tenth = Math.min(10, Math.floor((10 * one.at) / spreadMs))
          tenths[tenth] = (tenths[tenth] as number) + one.count
        }
        const even = Math.ceil((count * 16) / spreadMs)
        expect(Math.max(...tenths)).toBeLessThanOrEqual(count / 10 + 2 * even + 1)
      }),
      { numRuns: 30 },
    )
  })

  it('are taken all at once where there is no time', () => {
    expect(run(new Turns(10_000, 0, 0))).toEqual([{ at: 16, count: 10_000 }])
    expect(new Turns(0, 1_000, 0).isOver).toBe(true)
  })

  it('make no burst after the event loop was blocked: what was missed comes later', () => {
    const turns = new Turns(1_000, 10_000, 0)
    expect(turns.take(5_000)).toBeLessThanOrEqual(100)
    const taken = run(turns, [], 5_000)
    expect(Math.max(...taken.map(({ count }) => count))).toBeLessThanOrEqual(64)
    // Of 5 s only the first was given away.
    expect(taken.at(-1)?.at).toBeGreaterThan(13_900)
    expect(taken.at(-1)?.at).toBeLessThan(14_100)
  })

  it('are taken each once, and never more than a second of the time at once, however the loop is blocked', () => {
    const blocks = fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 30 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), blocks, (count, blocked) => {
        const taken = run(new Turns(count, 10_000, 0), blocked)
        expect(total(taken)).toBe(count)
        expect(Math.max(...taken.map((one) => one.count))).toBeLessThanOrEqual(Math.ceil(count / 10) + 1)
      }),
    )
  })

  it('are hastened, and never put off', () => {
    const turns = new Turns(100, 10_000, 0)
    expect(turns.take(1_000)).toBe(10)
    turns.hasten(60_000, 1_000)
    expect(turns.leftMs).toBe(9_000)
    turns.hasten(900, 1_000)
    expect(turns.leftMs).toBe(900)
    const taken = run(turns, [], 1_000)
    expect(total(taken)).toBe(90)
    expect(taken.at(-1)?.at).toBeLessThanOrEqual(1_900 + 16)
    expect(taken[0]?.count).toBeLessThanOrEqual(3)
  })
})

describe('the order of the turns', () => {
  it('is that of opening for one route, and mixes several evenly', () => {
    expect(orderOfTurns([new Set([3, 1, 2])])).toEqual([3, 1, 2])
    const few = new Set(['a', 'b'])
    const many = new Set([1, 2, 3, 4, 5, 6])
    expect(orderOfTurns<string | number>([few, many])).toEqual([1, 'a', 2, 3, 4, 'b', 5, 6])
    expect(orderOfTurns([])).toEqual([])
  })
})
