// long: timers must run out
/**
 * Clocks that jump. The time of day goes forwards and back by years at each look: nothing of a connection depends on it. The
 * monotonic clock jumps ahead, as on a machine that slept: a peer that goes on is not cut.
 */
import { REAL_CLOCK } from '../../../src/client/clock.js'
import { monotonicNow, timerWheel, type Timed } from '../../../src/transport/timer-wheel.js'
import { HARMFUL, HARMLESS, MANY, SLOW_MS, STALLS } from '../../helpers/every-byte.js'
import { aroundMarks, everyNth, expectNothingWrong } from '../../helpers/talk-tests.js'
import { BY_HANDLE, BY_STREAM, IMPATIENT, TLS_BY_HANDLE, type Times } from '../../helpers/talk-world.js'
import { TALKS } from '../../helpers/talks.js'

const { messages, withoutCode, refused } = TALKS
const HOUR_MS = 60 * 60 * 1000
const YEAR_MS = 365 * 24 * HOUR_MS

afterEach(() => {
  jest.restoreAllMocks()
})

/** From now on the time of day is five years ahead and five years behind, by turns. */
function letTimeOfDayJump(): void {
  const now = Date.now.bind(Date)
  const start = now()
  let shiftMs = 5 * YEAR_MS
  jest.spyOn(Date, 'now').mockImplementation(() => now() + (shiftMs = -shiftMs))
  // Code of src sees it.
  expect(Math.abs(REAL_CLOCK.wallNow() - start)).toBeGreaterThan(4 * YEAR_MS)
}

describe.each([BY_HANDLE, BY_STREAM, TLS_BY_HANDLE])('a time of day that jumps, $name', (way) => {
  const places = way.isTls ? everyNth(200) : everyNth(2, aroundMarks(1))

  it.each([messages, withoutCode, refused].filter((talk) => talk !== withoutCode || !way.isTls))(
    'does not change how connections open, go on and end: $name',
    async (talk) => {
      letTimeOfDayJump()
      await expectNothingWrong({ talk, way, places, kinds: [...HARMLESS, ...HARMFUL] })
    },
    SLOW_MS,
  )

  it(
    'does not change when a line that stalls is given up',
    async () => {
      letTimeOfDayJump()
      await expectNothingWrong({
        talk: messages,
        way,
        places,
        kinds: STALLS,
        times: IMPATIENT,
        options: MANY,
      })
    },
    SLOW_MS,
  )
})

describe.each([BY_HANDLE, BY_STREAM])('a monotonic clock that jumps an hour ahead, $name', (way) => {
  const MINUTE_MS = 60_000
  const times: Times = {
    handshakeTimeoutMs: MINUTE_MS,
    closeTimeoutMs: MINUTE_MS,
    sendTimeoutMs: MINUTE_MS,
    heartbeatIntervalMs: MINUTE_MS,
    heartbeatTimeoutMs: MINUTE_MS,
  }

  it.each([messages, withoutCode, refused])(
    'cuts no peer that goes on: $name',
    async (talk) => {
      const now = performance.now.bind(performance)
      let calls = 0
      const alarm: Timed = { timerSlot: -1, timeIsUp: () => calls++ }
      const jump = async (): Promise<void> => {
        // A timer that was set before the machine slept goes off right after, and finds all deadlines in the past.
        timerWheel.schedule(alarm, monotonicNow() + 50)
        jest.spyOn(performance, 'now').mockImplementation(() => now() + HOUR_MS)
        // The peers go on after that.
        await new Promise((resolve) => setTimeout(resolve, 150))
      }
      const options = { width: Infinity, whenHeld: jump }
      const places = everyNth(4, aroundMarks(1))
      await expectNothingWrong({ talk, way, places, kinds: ['hold'], times, options })
      expect(calls).toBe(1)
      expect(monotonicNow() - now()).toBeGreaterThan(HOUR_MS - MINUTE_MS)
    },
    SLOW_MS,
  )
})
