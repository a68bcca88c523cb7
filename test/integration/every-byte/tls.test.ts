// slow: thousands of connections over TLS, each disturbed at another byte
/** Conversations over TLS, whose line is disturbed below TLS: in its handshake, and in its records. */
import { HARMFUL, HARMLESS, SLOW_MS, STALLS } from '../../helpers/every-byte.js'
import { everyByte, everyNth, expectNothingWrong } from '../../helpers/talk-tests.js'
import { IMPATIENT, TLS_BY_HANDLE, TLS_BY_STREAM } from '../../helpers/talk-world.js'
import { TALKS } from '../../helpers/talks.js'

const { messages, compressed, toServer, toClient, refused } = TALKS

const TALKS_OVER_TLS = [
  // Every byte where the two transports differ; else a prime, so that all places in a record are met.
  { name: messages.name, talk: messages, way: TLS_BY_HANDLE, places: everyByte },
  { name: messages.name, talk: messages, way: TLS_BY_STREAM, places: everyNth(7) },
  { name: compressed.name, talk: compressed, way: TLS_BY_HANDLE, places: everyNth(7) },
  { name: toServer.name, talk: toServer, way: TLS_BY_HANDLE, places: everyNth(11) },
  { name: toClient.name, talk: toClient, way: TLS_BY_HANDLE, places: everyNth(11) },
  { name: refused.name, talk: refused, way: TLS_BY_STREAM, places: everyNth(11) },
]

describe.each(TALKS_OVER_TLS)('$way.name: $name', ({ talk, way, places }) => {
  it(
    'bytes that are late, split, dripping or merged change nothing',
    async () => {
      await expectNothingWrong({ talk, way, places, kinds: HARMLESS })
    },
    SLOW_MS,
  )

  it(
    'a line that is truncated, reset or half closed ends each end once',
    async () => {
      await expectNothingWrong({ talk, way, places, kinds: HARMFUL })
    },
    SLOW_MS,
  )

  it(
    'a line that stalls, one way or both ways, ends by the timers',
    async () => {
      const sample = everyNth(3, places)
      const options = { width: 200 }
      await expectNothingWrong({ talk, way, places: sample, kinds: STALLS, times: IMPATIENT, options })
    },
    SLOW_MS,
  )
})
