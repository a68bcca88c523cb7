/** The deadlines of an end: `closeTimeoutMs`, the time of a caller, and what postpones or replaces them. */
import { ClosingTimes } from '../../../src/socket/closing-times.js'
import { monotonicNow, timerWheel } from '../../../src/transport/timer-wheel.js'

const TIMEOUT_MS = 1000
const KIB = 1024
const MOST_DISCARDED = 4 * KIB * KIB

const made: ClosingTimes[] = []
afterEach(() => {
  for (const times of made.splice(0)) times.letGo()
})

function timesWith(timeoutMs = TIMEOUT_MS): ClosingTimes {
  const times = new ClosingTimes(timeoutMs)
  made.push(times)
  return times
}

/** Expects a time that a call gave to be so long after the call. */
function expectAfter(call: () => number, ms: number): number {
  const before = monotonicNow()
  const at = call()
  expect(at).toBeGreaterThanOrEqual(before + ms)
  expect(at).toBeLessThanOrEqual(monotonicNow() + ms)
  return at
}

/** How many keep the process alive. */
const keepers = (): number => (timerWheel as unknown as { keepers: number }).keepers

describe('an end that has not begun', () => {
  it('has no deadline, and is not moved', () => {
    const times = timesWith()
    times.noteProgress(5, 4, 1_000_000)
    expect([times.hasBegun, times.isJudged, times.closesAt, times.timeLeftMs, times.dueAt(0)]).toEqual([
      false,
      false,
      Infinity,
      Infinity,
      Infinity,
    ])
    expect([times.isTotalOver(1e12), times.takeAnswer(1e12)]).toEqual([false, false])
  })

  it('begins while nothing has been received, and later progress counts from there', () => {
    const times = timesWith()
    times.noteProgress(1e9, 1e9, 1_000_000)
    expectAfter(() => {
      times.begin(0)
      return times.closesAt
    }, TIMEOUT_MS)
  })
})

describe('an end that has begun', () => {
  it('is checked four times within the timeout, and cut where nothing moves', () => {
    const times = timesWith()
    const looksAt = expectAfter(() => times.begin(0), TIMEOUT_MS / 4)
    expect([times.hasBegun, times.isJudged]).toEqual([true, true])
    expect(times.closesAt).toBeCloseTo(looksAt + (TIMEOUT_MS * 3) / 4, 6)
    const { closesAt } = times
    expect(times.dueAt(closesAt - 1)).toBe(closesAt)
    expect(times.dueAt(closesAt - TIMEOUT_MS / 2)).toBeCloseTo(closesAt - TIMEOUT_MS / 4, 6)
  })

  it('is postponed by output that the system took, and not by what it took before', () => {
    const times = timesWith()
    times.begin(0)
    const { closesAt } = times
    const begunAt = closesAt - TIMEOUT_MS
    times.noteProgress(begunAt + 500, begunAt - 10, 0)
    expect(times.closesAt).toBe(closesAt)
    times.noteProgress(begunAt + 500, begunAt + 300, 0)
    expect(times.closesAt).toBeCloseTo(closesAt + 300, 6)
  })

  it('is postponed by 1 KiB of data frames, and by no less', () => {
    const times = timesWith()
    times.begin(5000)
    const { closesAt } = times
    const begunAt = closesAt - TIMEOUT_MS
    times.noteProgress(begunAt + 400, -Infinity, 5000 + KIB - 1)
    expect(times.closesAt).toBe(closesAt)
    times.noteProgress(begunAt + 500, -Infinity, 5000 + KIB)
    expect(times.closesAt).toBeCloseTo(closesAt + 500, 6)
    times.noteProgress(begunAt + 700, -Infinity, 5000 + KIB + KIB - 1)
    expect(times.closesAt).toBeCloseTo(closesAt + 500, 6)
  })
})

describe('the time of a caller', () => {
  it('replaces closeTimeoutMs, and the shortest of several counts', () => {
    const times = timesWith()
    times.begin(0)
    expect(times.endWithin(Infinity)).toBe(Infinity)
    expect([times.isJudged, times.closesAt, times.dueAt(monotonicNow())]).toEqual([false, Infinity, Infinity])
    expect(times.timeLeftMs).toBe(Infinity)
    const endAt = expectAfter(() => times.endWithin(500), 500)
    expect(times.endWithin(5000)).toBe(endAt)
    expectAfter(() => times.endWithin(100), 100)
    expect(times.timeLeftMs).toBeGreaterThan(0)
    expect(times.timeLeftMs).toBeLessThanOrEqual(100)
    expect(times.closesAt).toBe(Infinity)
  })

  it('stands beside closeTimeoutMs where another caller gave no time, before it or after it', () => {
    for (const first of [undefined, 5000]) {
      const times = timesWith()
      times.begin(0)
      expect(times.endWithin(first)).not.toBeNaN()
      expect(times.endWithin(first === undefined ? 5000 : undefined)).not.toBeNaN()
      expect([times.isJudged, times.closesAt < Infinity]).toEqual([true, true])
      expect(times.timeLeftMs).toBeGreaterThan(4000)
      // A third one changes nothing about it.
      times.endWithin(6000)
      expect(times.isJudged).toBe(true)
    }
  })

  it('is none for a caller that gives none', () => {
    const times = timesWith()
    expect([times.endWithin(undefined), times.timeLeftMs]).toEqual([Infinity, Infinity])
  })

  it('is over at its end, and not before', () => {
    const times = timesWith()
    const endAt = times.endWithin(10)
    expect([times.isTotalOver(endAt - 0.5), times.isTotalOver(endAt)]).toEqual([false, true])
    expect(times.dueAt(0)).toBe(endAt)
  })

  it('leaves no less than nothing', () => {
    const times = timesWith()
    times.endWithin(0)
    const until = monotonicNow() + 2
    while (monotonicNow() < until);
    expect(times.timeLeftMs).toBe(0)
  })
})

describe("the answer to the peer's Close frame", () => {
  it('is given after half the timeout, once', () => {
    const times = timesWith()
    const answerAt = expectAfter(() => times.answerLater(), TIMEOUT_MS / 2)
    expect(times.dueAt(0)).toBe(answerAt)
    expect([times.takeAnswer(answerAt - 0.5), times.takeAnswer(answerAt)]).toEqual([false, true])
    expect([times.takeAnswer(1e12), times.dueAt(0)]).toEqual([false, Infinity])
  })
})

describe('a peer that still sends', () => {
  it('is read up to 4 MiB, and then held back', () => {
    const times = timesWith()
    expect(times.discard(MOST_DISCARDED - 1)).toBe(true)
    expect([times.discard(1), times.discard(1)]).toEqual([true, false])
  })

  it('is cut a second after it is held back, or after a shorter timeout', () => {
    const patient = timesWith(60_000)
    const cutAt = expectAfter(() => patient.holdBack(), 1000)
    expect(patient.holdBack()).toBe(cutAt)
    expect(patient.dueAt(0)).toBe(cutAt)
    expect([patient.isTotalOver(cutAt - 0.5), patient.isTotalOver(cutAt)]).toEqual([false, true])
    expectAfter(() => timesWith(200).holdBack(), 200)
    const later = monotonicNow() + 2
    while (monotonicNow() < later);
    expect(patient.holdBack()).toBe(cutAt)
  })
})

describe('the process', () => {
  it.each<[string, (times: ClosingTimes) => unknown]>([
    ['an end that began', (times) => times.begin(0)],
    ['the time of a caller', (times) => times.endWithin(1000)],
    ['the answer to a Close frame', (times) => times.answerLater()],
  ])('is kept alive by %s until the connection is over', (_, begin) => {
    const before = keepers()
    const times = timesWith()
    begin(times)
    begin(times)
    expect(keepers()).toBe(before + 1)
    times.letGo()
    times.letGo()
    expect(keepers()).toBe(before)
  })

  it('is not kept alive by a caller that gives no time', () => {
    const before = keepers()
    const times = timesWith()
    times.endWithin(undefined)
    expect(keepers()).toBe(before)
    times.letGo()
    expect(keepers()).toBe(before)
  })
})
