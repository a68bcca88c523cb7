/** Connections are read on by turns: for a bounded time, and for a bounded number of bytes, in one turn of the event loop. */
import {
  InputTurns,
  MAX_EARLY_BYTES,
  MAX_TURN_BYTES,
  MAX_TURN_MS,
  UNMEASURED_BYTES,
  type Waiting,
} from '../../../src/socket/input-turns.js'
import { FEWEST_BEGINNING, MOST_BEGINNING, WAITING_SHARE } from '../../../src/socket/slow-start.js'
import { nextTurn, nextTurns } from '../../helpers/memory-duplex.js'

const QUARTER = MAX_TURN_BYTES / 4

/** A clock that stands still. */
const still = (): number => 0
const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number)

/** Connections that write down their number when they have their turn. */
function connections(count: number, done: number[]): Waiting[] {
  return numbers(count).map((number) => ({
    takeTurn: () => {
      done.push(number)
    },
  }))
}

/** How many are done after each of four turns. */
async function countsOfTurns(done: readonly number[]): Promise<number[]> {
  const counts: number[] = []
  for (let i = 0; i < 4; i++) {
    await nextTurn()
    counts.push(done.length)
  }
  return counts
}

it('gives none its turn in the turn in which it comes, and so many in each later one, in their order', async () => {
  const turns = new InputTurns(still)
  const done: number[] = []
  const all = connections(11, done)
  for (const one of all) turns.add(one, QUARTER)
  expect([done.length, turns.count]).toEqual([0, all.length])
  expect(await countsOfTurns(done)).toEqual([4, 8, 11, 11])
  expect(done).toEqual(numbers(all.length))
})

it('gives many their turns together where they had little, and one that had more than all may have', async () => {
  const turns = new InputTurns(still)
  const done: number[] = []
  const all = connections(102, done)
  for (const one of all.slice(0, 100)) turns.add(one, 1000)
  for (const one of all.slice(100)) turns.add(one, MAX_TURN_BYTES + 1)
  expect(await countsOfTurns(done)).toEqual([100, 101, 102, 102])
})

it('gives one its turn once, however often it comes meanwhile, and again when it comes again', async () => {
  const turns = new InputTurns(still)
  const done: number[] = []
  const [one] = connections(1, done) as [Waiting]
  turns.add(one, QUARTER)
  turns.add(one, QUARTER)
  await nextTurn()
  expect(done).toEqual([0])
  turns.add(one, QUARTER)
  await nextTurn()
  await nextTurn()
  expect([done, turns.count]).toEqual([[0, 0], 0])
})

it('puts one that comes again at once behind the others, and gives never more than the bound in a turn', async () => {
  const turns = new InputTurns(still)
  const order: number[] = []
  const all = numbers(3).map((number) => {
    const one = {
      takeTurn: () => {
        order.push(number)
        if (order.length <= 9) turns.add(one, QUARTER)
      },
    }
    return one
  })
  for (const one of all) turns.add(one, QUARTER)
  for (let turn = 1; turn <= 3; turn++) {
    await nextTurn()
    expect(order).toHaveLength(turn * 4)
  }
  expect(order).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
})

it('gives fewer their turns where they take long: others have theirs between', async () => {
  let now = 1000
  const turns = new InputTurns(() => now)
  const done: number[] = []
  for (const number of numbers(3)) {
    turns.add(
      {
        takeTurn: () => {
          done.push(number)
          now += MAX_TURN_MS
        },
      },
      1,
    )
  }
  expect(await countsOfTurns(done)).toEqual([1, 2, 3, 3])
})

it('asks for no turn where none waits, nor for two at once', async () => {
  let asked = 0
  const turns = new InputTurns(still, (turn) => {
    asked++
    setImmediate(turn)
  })
  const [first, second] = connections(2, []) as [Waiting, Waiting]
  turns.add(first, MAX_TURN_BYTES)
  turns.add(second, MAX_TURN_BYTES)
  expect(asked).toBe(1)
  for (let i = 0; i < 4; i++) await nextTurn()
  expect([turns.count, asked]).toEqual([0, 2])
  // One that opens is counted until the next turn.
  expect(turns.begin(first, 0)).toBe('now')
  for (let i = 0; i < 4; i++) await nextTurn()
  expect(asked).toBe(3)
})

it('goes on where the application replaced setImmediate for a time', async () => {
  const turns = new InputTurns(still)
  const done: number[] = []
  const [one] = connections(1, done) as [Waiting]
  const replaced = jest.spyOn(globalThis, 'setImmediate').mockImplementation(() => ({}) as NodeJS.Immediate)
  turns.add(one, QUARTER)
  replaced.mockRestore()
  await nextTurn()
  await nextTurn()
  expect(done).toEqual([0])
})

it('forgets one that is over', async () => {
  const turns = new InputTurns(still)
  const done: number[] = []
  const [over, open] = connections(2, done) as [Waiting, Waiting]
  turns.add(over, QUARTER)
  turns.add(open, QUARTER)
  turns.remove(over)
  expect(turns.count).toBe(1)
  await nextTurn()
  expect(done).toEqual([1])
})

describe('of large chunks that are received in one turn of the event loop', () => {
  const CHUNK = UNMEASURED_BYTES / 4

  it('lets a bounded number pass unmeasured, and then those of a bounded time', async () => {
    const turns = new InputTurns(still)
    // However long they take.
    for (let i = 0; i < 4; i++) expect(turns.noteLarge(CHUNK, i * 1000, false)).toBe(false)
    const begun = 3000
    expect(turns.noteLarge(CHUNK, begun + MAX_TURN_MS - 1, false)).toBe(false)
    expect(turns.noteLarge(CHUNK, begun + MAX_TURN_MS, false)).toBe(true)
    expect(turns.noteLarge(CHUNK, begun + MAX_TURN_MS + 1, false)).toBe(true)
    await nextTurn()
    // The next turn has its own.
    expect(turns.noteLarge(CHUNK, begun + MAX_TURN_MS + 2, false)).toBe(false)
  })

  it('asks for no turn before that many came', () => {
    let asked = 0
    const turns = new InputTurns(still, () => asked++)
    for (let i = 0; i < 3; i++) turns.noteLarge(CHUNK, 0, false)
    expect(asked).toBe(0)
    turns.noteLarge(CHUNK, 0, false)
    expect(asked).toBe(1)
  })

  it('measures a chunk that is larger than that from the next on', () => {
    const turns = new InputTurns(still)
    expect(turns.noteLarge(UNMEASURED_BYTES * 2, 5000, false)).toBe(false)
    expect(turns.noteLarge(CHUNK, 5000 + MAX_TURN_MS, false)).toBe(true)
  })
})

describe('of connections that open together', () => {
  it('twice as many begin in each turn where they begin with little', async () => {
    const turns = new InputTurns(still)
    const done: number[] = []
    for (const one of connections(4 * FEWEST_BEGINNING, done)) turns.begin(one, 0)
    expect(await countsOfTurns(done)).toEqual([2, 3, 3, 3].map((times) => times * FEWEST_BEGINNING))
  })

  it('large chunks that are not their first ones count for nothing there', async () => {
    const turns = new InputTurns(still)
    const done: number[] = []
    for (const one of connections(4 * FEWEST_BEGINNING, done)) turns.begin(one, 0)
    for (let i = 0; i < FEWEST_BEGINNING; i++) turns.noteLarge(1, 0, false)
    await nextTurn()
    expect(done).toHaveLength(2 * FEWEST_BEGINNING)
  })

  /** In the next turn the time is over with each connection that begins. @returns what has begun after it */
  async function slowTurn(count: number, late = MAX_TURN_MS): Promise<{ turns: InputTurns; done: number[] }> {
    let now = 0
    const turns = new InputTurns(() => now)
    const done: number[] = []
    for (const number of numbers(FEWEST_BEGINNING + count)) {
      const takeTurn = (): void => {
        done.push(number)
        now += late
      }
      turns.begin({ takeTurn }, 0)
    }
    await nextTurn()
    return { turns, done }
  }

  it('one begins where the time of the turn is over, and the share of a long queue in any case', async () => {
    expect((await slowTurn(WAITING_SHARE)).done).toHaveLength(1)
    expect((await slowTurn(2 * WAITING_SHARE + 1)).done).toHaveLength(3)
    expect((await slowTurn(WAITING_SHARE, MAX_TURN_MS - 1)).done).toHaveLength(2)
  })

  it('a new one does not overtake those that wait, though there are places left', async () => {
    const { turns } = await slowTurn(WAITING_SHARE)
    const [another] = connections(1, []) as [Waiting]
    expect(turns.begin(another, 0)).toBe('readLater')
  })

  it('a new one does not overtake them where there is no limit any more, and begins without a turn where none waits', async () => {
    let now = 0
    let asked = 0
    const turns = new InputTurns(
      () => now,
      (turn) => {
        asked++
        setImmediate(turn)
      },
    )
    // 4, 9 (the share of a long queue), 16, 32 and so on, up to the first turn without a limit, whose time is over with its first connection.
    const limited = 2 * MOST_BEGINNING - FEWEST_BEGINNING + 1
    let done = 0
    for (let i = 0; i < limited + 10; i++) {
      const takeTurn = (): void => {
        if (++done > limited - FEWEST_BEGINNING) now += MAX_TURN_MS
      }
      turns.begin({ takeTurn }, 0)
    }
    while (turns.count > 9) await nextTurn()
    const [another, last] = connections(2, []) as [Waiting, Waiting]
    expect([turns.count, turns.begin(another, 0), turns.count]).toEqual([9, 'readLater', 10])
    while (turns.count > 0) await nextTurn()
    await nextTurns(3)
    const before = asked
    expect([turns.begin(last, 0), asked - before]).toEqual(['now', 0])
  })
})

describe('bytes that came with handshakes', () => {
  const EARLY = MAX_EARLY_BYTES / 8

  it('wait up to a bound of all connections together, and again when others began or are over', async () => {
    const turns = new InputTurns(still)
    const all = connections(20, [])
    const begun = all.map((one) => turns.begin(one, EARLY))
    const [first, ...others] = begun.slice(FEWEST_BEGINNING)
    expect(begun.slice(0, FEWEST_BEGINNING)).toEqual(numbers(FEWEST_BEGINNING).map(() => 'now'))
    expect(first).toBe('later')
    expect(others.filter((when) => when === 'later')).toHaveLength(7)
    expect(others.slice(7).every((when) => when === 'readLater')).toBe(true)
    turns.remove(all[FEWEST_BEGINNING]!)
    const [more, tooMany] = connections(2, []) as [Waiting, Waiting]
    expect([turns.begin(more, EARLY), turns.begin(tooMany, 1)]).toEqual(['later', 'readLater'])
    await nextTurn()
    expect(turns.begin(tooMany, FEWEST_BEGINNING * EARLY)).toBe('later')
  })

  it('count as first chunks: few connections begin in each turn', async () => {
    const turns = new InputTurns(still)
    const done: number[] = []
    for (const one of connections(4 * FEWEST_BEGINNING, done)) turns.begin(one, 1)
    expect(await countsOfTurns(done)).toEqual([1, 2, 3, 3].map((turn) => turn * FEWEST_BEGINNING))
  })

  it('count above the bound as well', async () => {
    const turns = new InputTurns(still)
    const done: number[] = []
    for (const one of connections(4 * FEWEST_BEGINNING, done)) turns.begin(one, MAX_EARLY_BYTES + 1)
    await nextTurn()
    for (const one of connections(FEWEST_BEGINNING, done)) turns.begin(one, MAX_EARLY_BYTES + 1)
    expect(done).toHaveLength(FEWEST_BEGINNING)
    await nextTurn()
    expect(done).toHaveLength(2 * FEWEST_BEGINNING)
  })
})
