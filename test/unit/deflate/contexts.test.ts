import { Borrower, ContextPool } from '../../../src/deflate/contexts.js'
import { contextBytes } from '../../../src/deflate/deflater.js'

const LARGE = { windowBits: 15, level: 6, memLevel: 8 }
const SMALL = { windowBits: 9, level: 6, memLevel: 8 }
const BYTES = contextBytes(LARGE)
const SMALL_BYTES = contextBytes(SMALL)

/** What is lent here: it notes what is done to it. */
interface Thing {
  readonly name: string
  readonly moves: string[]
  close(): void
}

class Connection extends Borrower<Thing> {
  receive({ name, moves }: Thing): void {
    moves.push(`lent ${name}`)
  }

  giveUp({ name, moves }: Thing): void {
    moves.push(this.lent === null ? `taken ${name}` : `taken ${name} while it is lent`)
  }
}

/** Things that note what is done to them. */
function harness(maxBytes: number) {
  const log: string[] = []
  const moves: string[] = []
  let count = 0
  const bytesOf = (windowBits: number): number => contextBytes({ ...LARGE, windowBits })
  const pool = new ContextPool<Thing>(maxBytes, bytesOf, (windowBits) => {
    const name = `${String(windowBits)}#${String(++count)}`
    log.push(`create ${name}`)
    return { name, moves, close: () => log.push(`close ${name}`) }
  })
  /** As many messages, one after another. */
  const send = (borrower: Connection, messages = 1): boolean => {
    let has = false
    for (let i = 0; i < messages; i++) has = pool.borrow(borrower) !== null
    return has
  }
  return { pool, log, moves, send }
}

const large = (): Connection => new Connection(15)
const small = (): Connection => new Connection(9)

describe('the pool of contexts', () => {
  test('lends from the second message on, while there is room', () => {
    const { pool, log, send } = harness(2 * BYTES)
    const [a, b] = [large(), large()]
    expect([send(a), send(b), send(a), send(b), send(a)]).toEqual([false, false, true, true, true])
    expect(pool.bytes).toBe(2 * BYTES)
    expect(a.lent).not.toBe(b.lent)
    expect(log).toEqual(['create 15#1', 'create 15#2'])
  })

  test('lends none that is larger than the bound', () => {
    const { pool, log, send } = harness(BYTES - 1)
    expect(send(large(), 5)).toBe(false)
    expect(send(small(), 2)).toBe(true)
    expect([pool.bytes, log]).toEqual([SMALL_BYTES, ['create 9#1']])
  })

  test('lends none at all where the bound is 0', () => {
    const { pool, send } = harness(0)
    expect(send(large(), 5)).toBe(false)
    expect(pool.bytes).toBe(0)
  })

  test('leaves contexts where they are, when all are equally busy', () => {
    const { log, send } = harness(2 * BYTES)
    const all = Array.from({ length: 10 }, large)
    for (let round = 0; round < 20; round++) for (const borrower of all) send(borrower)
    expect(all.map(({ lent }) => lent !== null)).toEqual([true, true, ...new Array<boolean>(8).fill(false)])
    expect(log).toEqual(['create 15#1', 'create 15#2'])
  })

  test('takes the least recently used from who is less busy, who gives it up before', () => {
    const { pool, log, moves, send } = harness(2 * BYTES)
    const [a, b, c] = [large(), large(), large()]
    send(a, 2)
    send(b, 2)
    send(a)
    expect(send(c, 2)).toBe(true)
    expect([a.lent, b.lent]).toEqual([expect.anything(), null])
    expect(moves.slice(2)).toEqual(['taken 15#2', 'lent 15#2'])
    expect([log.length, pool.bytes]).toEqual([2, 2 * BYTES])
    // It comes back when it is busier than another.
    expect(send(b)).toBe(false)
    expect(send(b)).toBe(true)
    expect(a.lent).toBeNull()
  })

  test('a connection that is over leaves its context to the next, and is not asked for it', () => {
    const { pool, log, moves, send } = harness(2 * BYTES)
    const [a, b, c] = [large(), large(), large()]
    send(a, 2)
    send(b, 2)
    pool.release(a)
    pool.release(a)
    expect([a.lent, pool.bytes]).toEqual([null, 2 * BYTES])
    expect(send(c, 2)).toBe(true)
    expect(moves).toEqual(['lent 15#1', 'lent 15#2', 'lent 15#1'])
    pool.release(b)
    pool.release(c)
    send(a)
    expect(send(a)).toBe(true)
    expect(log.filter((line) => line.startsWith('create'))).toHaveLength(2)
  })

  test('one left by the only connection is found again', () => {
    const { pool, log, moves, send } = harness(BYTES)
    const a = large()
    send(a, 2)
    pool.release(a)
    expect(send(large(), 2)).toBe(true)
    expect([log, moves]).toEqual([['create 15#1'], ['lent 15#1', 'lent 15#1']])
  })

  test('contexts of another window are closed to make room, free ones first', () => {
    const { pool, log, moves, send } = harness(BYTES + SMALL_BYTES)
    const [a, b, c] = [small(), small(), large()]
    send(a, 2)
    send(b, 2)
    pool.release(b)
    expect(send(c, 2)).toBe(true)
    expect(log).toEqual(['create 9#1', 'create 9#2', 'close 9#2', 'create 15#3'])
    expect([a.lent, pool.bytes]).toEqual([expect.anything(), BYTES + SMALL_BYTES])
    const d = large()
    expect(send(d, 2)).toBe(true)
    // The small one gave no room enough: the large one followed it.
    expect(log.slice(4)).toEqual(['close 9#1'])
    expect(moves.slice(3)).toEqual(['taken 9#1', 'taken 15#3', 'lent 15#3'])
    expect([a.lent, c.lent, pool.bytes]).toEqual([null, null, BYTES])
  })

  test('a free context of another window stays while there is room', () => {
    const { pool, log, send } = harness(BYTES + SMALL_BYTES)
    const a = small()
    send(a, 2)
    pool.release(a)
    send(large(), 2)
    expect(log).toEqual(['create 9#1', 'create 15#2'])
    expect(pool.bytes).toBe(BYTES + SMALL_BYTES)
  })

  test('clear closes all, lent or free', () => {
    const { pool, log, send } = harness(3 * BYTES)
    const [a, b, c] = [large(), large(), large()]
    for (const borrower of [a, b, c]) send(borrower, 2)
    pool.release(b)
    pool.clear()
    expect([pool.bytes, a.lent, c.lent]).toEqual([0, null, null])
    expect(log.slice(3).sort()).toEqual(['close 15#1', 'close 15#2', 'close 15#3'])
    expect(send(a)).toBe(true)
  })
})
