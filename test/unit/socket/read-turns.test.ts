/** Connections are read on by turns: for a bounded time, and a bounded number of them, in one turn of the event loop. */
import { MAX_READS, MAX_TURN_MS, ReadTurns, UNMEASURED_BYTES } from '../../../src/socket/read-turns.js'
import { Programs } from '../../helpers/child.js'
import { nextTurn } from '../../helpers/memory-duplex.js'

/** Connections that write down their number when they are read on. */
function connections(count: number, done: number[]): { readOn: () => void }[] {
  return Array.from({ length: count }, (_, number) => ({
    readOn: () => {
      done.push(number)
    },
  }))
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number)

it('reads none on in the turn in which it comes, and so many in each later one, in their order', async () => {
  const turns = new ReadTurns()
  const done: number[] = []
  const all = connections(MAX_READS * 2 + 3, done)
  for (const one of all) turns.add(one)
  expect([done.length, turns.count]).toEqual([0, all.length])
  const counts: number[] = []
  for (let i = 0; i < 4; i++) {
    await nextTurn()
    counts.push(done.length)
  }
  expect(counts).toEqual([MAX_READS, MAX_READS * 2, all.length, all.length])
  expect(done).toEqual(numbers(all.length))
})

it('reads one on once, however often it comes meanwhile, and again when it comes again', async () => {
  const turns = new ReadTurns()
  const done: number[] = []
  const [one] = connections(1, done) as [{ readOn: () => void }]
  turns.add(one)
  turns.add(one)
  await nextTurn()
  expect(done).toEqual([0])
  turns.add(one)
  await nextTurn()
  await nextTurn()
  expect([done, turns.count]).toEqual([[0, 0], 0])
})

it('reads a connection that comes again at once behind the others, and never more than the bound in a turn', async () => {
  const turns = new ReadTurns()
  let reads = 0
  const order: number[] = []
  const all = numbers(3).map((number) => {
    const one = {
      readOn: () => {
        reads++
        if (order.length < 9) order.push(number)
        if (reads < MAX_READS * 4) turns.add(one)
      },
    }
    return one
  })
  for (const one of all) turns.add(one)
  for (let turn = 1; turn <= 3; turn++) {
    await nextTurn()
    expect(reads).toBeLessThanOrEqual(turn * MAX_READS)
  }
  expect(order).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2])
})

it('reads fewer on where they take long: others have their turn between', async () => {
  let now = 1000
  const turns = new ReadTurns(() => now)
  const reads: number[] = []
  for (let number = 0; number < 3; number++) {
    turns.add({
      readOn: () => {
        reads.push(number)
        now += MAX_TURN_MS
      },
    })
  }
  const counts: number[] = []
  for (let i = 0; i < 4; i++) {
    await nextTurn()
    counts.push(reads.length)
  }
  expect(counts).toEqual([1, 2, 3, 3])
})

describe('of large chunks that are handled in one turn of the event loop', () => {
  const CHUNK = UNMEASURED_BYTES / 4

  it('lets a bounded number pass unmeasured, and then those of a bounded time', async () => {
    const turns = new ReadTurns()
    const done: number[] = []
    const [first, second, third] = connections(3, done) as { readOn: () => void }[]
    // However long they take.
    for (let i = 0; i < 4; i++) expect(turns.isOver(first!, CHUNK, i * 1000)).toBe(false)
    const begun = 3000
    expect(turns.isOver(first!, CHUNK, begun + MAX_TURN_MS - 1)).toBe(false)
    expect(turns.isOver(second!, CHUNK, begun + MAX_TURN_MS)).toBe(true)
    expect(turns.isOver(third!, CHUNK, begun + MAX_TURN_MS + 1)).toBe(true)
    expect([done, turns.count]).toEqual([[], 2])
    await nextTurn()
    expect([done, turns.count]).toEqual([[1, 2], 0])
    // The next turn has its own.
    expect(turns.isOver(first!, CHUNK, begun + MAX_TURN_MS + 2)).toBe(false)
  })

  it('measures a chunk that is larger than that from the next on', () => {
    const turns = new ReadTurns()
    const [one] = connections(1, []) as { readOn: () => void }[]
    expect(turns.isOver(one!, UNMEASURED_BYTES * 2, 5000)).toBe(false)
    expect(turns.isOver(one!, CHUNK, 5000 + MAX_TURN_MS)).toBe(true)
  })
})

it('goes on behind a connection of which the stream throws', async () => {
  // What is thrown there reaches the process: a test of its own one.
  const programs = new Programs()
  const { status, errors, lines } = await programs.run(`
    import { readTurns } from './src/socket/read-turns.js'
    process.on('uncaughtException', (error) => console.log('caught', error.message))
    const named = (name) => ({ readOn: () => console.log(name) })
    readTurns.add(named('before'))
    readTurns.add({ readOn: () => { throw new Error('a stream that throws') } })
    readTurns.add(named('behind'))
  `).ended
  programs.remove()
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
  expect(lines).toEqual(['before', 'caught a stream that throws', 'behind'])
})
