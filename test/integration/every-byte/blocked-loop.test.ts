// long: the event loop is blocked for seconds
/**
 * Conversations that are held at one byte each, all at once, when the application blocks the event loop for longer than
 * every timeout: the handshake, the heartbeat and the close are due while it is blocked, and nothing comes of it.
 */
import { SLOW_MS } from '../../helpers/every-byte.js'
import { aroundMarks, everyNth, expectNothingWrong, type Places } from '../../helpers/talk-tests.js'
import { BY_HANDLE, BY_STREAM, TLS_BY_HANDLE, type Times } from '../../helpers/talk-world.js'
import { TALKS } from '../../helpers/talks.js'

/** Long enough for the connections of one batch to come to their bytes. */
const TIMEOUT_MS = 5_000
const BLOCKED_MS = 6_000

const TIMES: Times = {
  handshakeTimeoutMs: TIMEOUT_MS,
  closeTimeoutMs: TIMEOUT_MS,
  sendTimeoutMs: TIMEOUT_MS,
  heartbeatIntervalMs: TIMEOUT_MS,
  heartbeatTimeoutMs: TIMEOUT_MS,
}

/** Nothing else runs in this thread until the time is over. */
function blockLoop(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS)
}

const PLACES: readonly (readonly [(typeof BY_HANDLE)[], Places])[] = [
  [[BY_HANDLE, BY_STREAM], everyNth(3, aroundMarks(2))],
  [[TLS_BY_HANDLE], everyNth(90)],
]

describe.each(PLACES.flatMap(([ways, places]) => ways.map((way) => ({ name: way.name, way, places }))))(
  '$name',
  ({ way, places }) => {
    it.each([TALKS.messages, TALKS.compressed, TALKS.refused])(
      'an event loop that is blocked for seconds changes nothing: $name',
      async (talk) => {
        const options = { width: Infinity, whenHeld: blockLoop }
        await expectNothingWrong({ talk, way, places, kinds: ['hold'], times: TIMES, options })
      },
      SLOW_MS,
    )
  },
)
