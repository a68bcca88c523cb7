// long: thousands of connections, each disturbed at another byte
/** Conversations by the stream, whose line is disturbed at every byte of either end. */
import { HARMFUL, HARMLESS, LONG_TALK, MANY, SHORT_TALKS, SLOW_MS, STALLS } from '../../helpers/every-byte.js'
import { expectNothingWrong } from '../../helpers/talk-tests.js'
import { BY_STREAM, IMPATIENT } from '../../helpers/talk-world.js'

const way = BY_STREAM

it.each(SHORT_TALKS)(
  'bytes that are late, split, dripping or merged change nothing: $name',
  async ({ talk, places }) => {
    await expectNothingWrong({ talk, way, places, kinds: HARMLESS })
  },
  SLOW_MS,
)

it.each([...SHORT_TALKS, LONG_TALK])(
  'a line that is truncated, reset or half closed ends each end once: $name',
  async ({ talk, places }) => {
    await expectNothingWrong({ talk, way, places, kinds: HARMFUL })
  },
  SLOW_MS,
)

it.each(SHORT_TALKS)(
  'a line that stalls, one way or both ways, ends by the timers: $name',
  async ({ talk, places }) => {
    await expectNothingWrong({ talk, way, places, kinds: STALLS, times: IMPATIENT, options: MANY })
  },
  SLOW_MS,
)

it(
  'bytes of long messages that are late, split or merged change nothing',
  async () => {
    await expectNothingWrong({ ...LONG_TALK, way, kinds: ['delay', 'split', 'merge'] })
  },
  SLOW_MS,
)
