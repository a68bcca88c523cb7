/** How many new connections may begin to be read in one turn of the event loop. */
import { CALM_MS, FEWEST_BEGINNING, MOST_BEGINNING, SlowStart } from '../../../src/socket/slow-start.js'

/** Takes places until there are none. @returns how many there were, at most 1,000 */
function takeAll(start: SlowStart): number {
  let taken = 0
  while (taken < 1000 && start.take()) taken++
  return taken
}

/** The places of so many turns, each of which uses all of its own. */
function turns(start: SlowStart, count: number): number[] {
  return Array.from({ length: count }, () => {
    const taken = takeAll(start)
    start.nextTurn()
    return taken
  })
}

it('are few, and twice as many in each turn while these are not enough, and then there is no limit', () => {
  const start = new SlowStart()
  expect(start.opens(0)).toBe(true)
  const places = [4, 8, 16, 32, 64, 128, 256]
  expect([places[0], places.at(-1)]).toEqual([FEWEST_BEGINNING, MOST_BEGINNING])
  expect(turns(start, places.length)).toEqual(places)
  expect(start.opens(1)).toBe(false)
  expect(takeAll(start)).toBe(1000)
})

it('stay as many where they are enough', () => {
  const start = new SlowStart()
  start.opens(0)
  for (let turn = 0; turn < 20; turn++) {
    for (let i = 1; i < FEWEST_BEGINNING; i++) expect(start.take()).toBe(true)
    start.nextTurn()
  }
  expect(takeAll(start)).toBe(FEWEST_BEGINNING)
})

it('are few again behind a turn in which as many began with a large chunk, and not where fewer did', () => {
  const start = new SlowStart()
  start.opens(0)
  turns(start, 3)
  expect(takeAll(start)).toBe(8 * FEWEST_BEGINNING)
  for (let i = 1; i < FEWEST_BEGINNING; i++) start.beganLarge()
  start.nextTurn()
  expect(takeAll(start)).toBe(16 * FEWEST_BEGINNING)
  for (let i = 0; i < FEWEST_BEGINNING; i++) start.beganLarge()
  start.nextTurn()
  // Those of the turn before are not counted once more.
  expect(turns(start, 3)).toEqual([FEWEST_BEGINNING, 2 * FEWEST_BEGINNING, 4 * FEWEST_BEGINNING])
})

it('are few again where there was no limit and a flood begins', () => {
  const start = new SlowStart()
  start.opens(0)
  turns(start, 10)
  expect(start.opens(1)).toBe(false)
  for (let i = 0; i < FEWEST_BEGINNING; i++) start.beganLarge()
  start.nextTurn()
  expect(start.opens(2)).toBe(true)
  expect(takeAll(start)).toBe(FEWEST_BEGINNING)
})

it('are few again when no connection opened for CALM_MS', () => {
  const start = new SlowStart()
  start.opens(0)
  turns(start, 10)
  expect(start.opens(CALM_MS - 1)).toBe(false)
  expect(start.opens(2 * CALM_MS - 2)).toBe(false)
  expect(start.opens(3 * CALM_MS - 2)).toBe(true)
  expect(takeAll(start)).toBe(FEWEST_BEGINNING)
})
