/** How many new connections may begin to be read in one turn of the event loop. */
import {
  CALM_MS,
  FEWEST_BEGINNING,
  MOST_BEGINNING,
  SlowStart,
  WAITING_SHARE,
} from '../../../src/socket/slow-start.js'

/** Takes places until there are none. @returns how many there were, at most 1,000 */
function takeAll(start: SlowStart): number {
  let taken = 0
  while (taken < 1000 && start.take()) taken++
  return taken
}

/** The places of so many turns, after each of which others wait. */
function turns(start: SlowStart, count: number): number[] {
  return Array.from({ length: count }, () => {
    const taken = takeAll(start)
    start.nextTurn(1)
    return taken
  })
}

function began(): SlowStart {
  const start = new SlowStart()
  start.noteOpening(0)
  return start
}

describe('the connections that may begin in one turn', () => {
  it('are few, and twice as many in each turn while others wait, and then there is no limit', () => {
    const start = began()
    expect(start.isLimited).toBe(true)
    const places = [4, 8, 16, 32, 64, 128, 256]
    expect([places[0], places.at(-1)]).toEqual([FEWEST_BEGINNING, MOST_BEGINNING])
    expect(turns(start, places.length)).toEqual(places)
    start.noteOpening(1)
    expect(start.isLimited).toBe(false)
    expect(takeAll(start)).toBe(1000)
  })

  it('stay as many where none waits', () => {
    const start = began()
    for (let turn = 0; turn < 20; turn++) {
      expect(takeAll(start)).toBe(FEWEST_BEGINNING)
      start.nextTurn(0)
    }
  })

  it('are counted for one turn', () => {
    const start = began()
    expect(start.isCounting).toBe(false)
    start.take()
    expect(start.isCounting).toBe(true)
    start.nextTurn(0)
    expect(start.isCounting).toBe(false)
  })

  it('are few again after a turn in which as many received a large chunk first of all, and not where fewer did', () => {
    const start = began()
    turns(start, 3)
    expect(takeAll(start)).toBe(8 * FEWEST_BEGINNING)
    for (let i = 1; i < FEWEST_BEGINNING; i++) start.noteLarge()
    start.nextTurn(1)
    expect(takeAll(start)).toBe(16 * FEWEST_BEGINNING)
    for (let i = 0; i < FEWEST_BEGINNING; i++) start.noteLarge()
    start.nextTurn(1)
    // Those of the turn before are not counted once more.
    expect(turns(start, 3)).toEqual([FEWEST_BEGINNING, 2 * FEWEST_BEGINNING, 4 * FEWEST_BEGINNING])
  })

  it('are few again where there was no limit and a flood begins', () => {
    const start = began()
    turns(start, 10)
    expect(start.isLimited).toBe(false)
    for (let i = 0; i < FEWEST_BEGINNING; i++) start.noteLarge()
    start.nextTurn(1)
    expect(start.isLimited).toBe(true)
    expect(takeAll(start)).toBe(FEWEST_BEGINNING)
  })

  it('are a share of those that wait in any case, and not without a limit', () => {
    const start = began()
    const placesWith = (waiting: number): number => {
      for (let i = 0; i < FEWEST_BEGINNING; i++) start.noteLarge()
      start.nextTurn(waiting)
      return takeAll(start)
    }
    expect(placesWith(FEWEST_BEGINNING * WAITING_SHARE)).toBe(FEWEST_BEGINNING)
    expect(placesWith(FEWEST_BEGINNING * WAITING_SHARE + 1)).toBe(FEWEST_BEGINNING + 1)
    expect(placesWith(100 * WAITING_SHARE)).toBe(100)
    expect(placesWith(10 * MOST_BEGINNING * WAITING_SHARE)).toBe(MOST_BEGINNING)
    expect(start.isLimited).toBe(true)
  })

  it('are few again when no connection opened for CALM_MS', () => {
    const start = began()
    turns(start, 10)
    start.noteOpening(CALM_MS - 1)
    start.noteOpening(2 * CALM_MS - 2)
    expect(start.isLimited).toBe(false)
    start.noteOpening(3 * CALM_MS - 2)
    expect(start.isLimited).toBe(true)
    expect(takeAll(start)).toBe(FEWEST_BEGINNING)
  })

  it('are not more after a turn that ended early, with places left', () => {
    const start = began()
    for (let turn = 0; turn < 10; turn++) {
      start.take()
      start.nextTurn(100)
    }
    expect(takeAll(start)).toBe(FEWEST_BEGINNING)
  })

  it('grow from the limit after a turn with the share of a long queue', () => {
    const start = began()
    takeAll(start)
    for (let i = 0; i < FEWEST_BEGINNING; i++) start.noteLarge()
    start.nextTurn(200 * WAITING_SHARE)
    expect(takeAll(start)).toBe(200)
    start.nextTurn(1)
    expect(start.isLimited).toBe(true)
    expect(takeAll(start)).toBe(2 * FEWEST_BEGINNING)
  })
})
