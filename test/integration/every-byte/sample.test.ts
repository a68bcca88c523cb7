// slow: some hundred connections, and timers that must run out
/**
 * Conversations over real sockets, whose line is disturbed at one byte: a sample at the borders of heads and frames. Every byte, in
 * every way, is in the long tests beside this one.
 */
import { HARMFUL, HARMLESS, STALLS } from '../../helpers/every-byte.js'
import { aroundMarks, everyNth, expectNothingWrong } from '../../helpers/talk-tests.js'
import { BY_HANDLE, BY_STREAM, TLS_BY_HANDLE } from '../../helpers/talk-world.js'
import { TALKS } from '../../helpers/talks.js'

const { messages, compressed, toClient, refused } = TALKS
/** Longer than a run that hangs is waited for, and played again. */
const TIMEOUT_MS = 3 * 60_000

describe.each([BY_HANDLE, BY_STREAM])('$name', (way) => {
  const places = everyNth(3, aroundMarks(1))

  it.each([messages, toClient])(
    'bytes that are late, split, dripping or merged change nothing: $name',
    async (talk) => {
      await expectNothingWrong({ talk, way, places, kinds: HARMLESS })
    },
    TIMEOUT_MS,
  )

  it.each([compressed, refused])(
    'a line that is truncated, reset or half closed ends each end once: $name',
    async (talk) => {
      await expectNothingWrong({ talk, way, places, kinds: HARMFUL })
    },
    TIMEOUT_MS,
  )
})

it(
  'over TLS nothing changes, or each end ends once',
  async () => {
    const kinds = [...HARMLESS, ...HARMFUL]
    await expectNothingWrong({ talk: messages, way: TLS_BY_HANDLE, kinds, places: everyNth(500) })
  },
  TIMEOUT_MS,
)

it(
  'a line that stalls, one way or both ways, ends by the timers',
  async () => {
    const times = {
      handshakeTimeoutMs: 5_000,
      closeTimeoutMs: 3_000,
      heartbeatIntervalMs: 1_500,
      heartbeatTimeoutMs: 1_500,
    }
    const places = everyNth(6, aroundMarks(1))
    await expectNothingWrong({ talk: messages, way: BY_HANDLE, places, kinds: STALLS, times })
  },
  TIMEOUT_MS,
)
