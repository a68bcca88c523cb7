// long: thousands of connections over TLS, each disturbed at another byte
/** Conversations over TLS, whose line is disturbed below TLS: in its handshake, and in its records. */
import { HARMFUL, HARMLESS, MANY, SLOW_MS, STALLS } from '../../helpers/every-byte.js'
import { everyByte, everyNth, expectNothingWrong } from '../../helpers/talk-tests.js'
import { IMPATIENT, TLS_BY_HANDLE, TLS_BY_STREAM } from '../../helpers/talk-world.js'
import { TALKS } from '../../helpers/talks.js'

const { messages, compressed, toServer, toClient, refused } = TALKS

/** Every n-th byte, for each way to end a line from another one on: of the first, each byte has one of the four ways. */
const TALKS_OVER_TLS = [
  { name: messages.name, talk: messages, way: TLS_BY_HANDLE, harmless: 7, harmful: 4, stalls: 11 },
  { name: messages.name, talk: messages, way: TLS_BY_STREAM, harmless: 11, harmful: 7, stalls: 23 },
  { name: compressed.name, talk: compressed, way: TLS_BY_HANDLE, harmless: 11, harmful: 7, stalls: 23 },
  { name: toServer.name, talk: toServer, way: TLS_BY_HANDLE, harmless: 23, harmful: 11, stalls: 47 },
  { name: toClient.name, talk: toClient, way: TLS_BY_HANDLE, harmless: 23, harmful: 11, stalls: 47 },
  { name: refused.name, talk: refused, way: TLS_BY_STREAM, harmless: 23, harmful: 11, stalls: 47 },
]

describe.each(TALKS_OVER_TLS)('$way.name: $name', ({ talk, way, harmless, harmful, stalls }) => {
  it(
    'bytes that are late, split, dripping or merged change nothing',
    async () => {
      await expectNothingWrong({ talk, way, places: everyNth(harmless), kinds: HARMLESS })
    },
    SLOW_MS,
  )

  it(
    'a line that is truncated, reset or half closed ends each end once',
    async () => {
      for (const [first, kind] of HARMFUL.entries()) {
        await expectNothingWrong({ talk, way, places: everyNth(harmful, everyByte, first), kinds: [kind] })
      }
    },
    SLOW_MS,
  )

  it(
    'a line that stalls, one way or both ways, ends by the timers',
    async () => {
      const places = everyNth(stalls)
      await expectNothingWrong({ talk, way, places, kinds: STALLS, times: IMPATIENT, options: MANY })
    },
    SLOW_MS,
  )
})
