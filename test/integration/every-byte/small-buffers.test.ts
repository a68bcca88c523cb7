// long: megabytes through small buffers of the system
/**
 * A conversation of more than the buffers between its ends hold, both ways at once: what an end writes waits in it when the
 * line is disturbed. The relays on both sides of the proxy have small buffers, what Node cannot set.
 */
import { HARMFUL, SLOW_MS, STALLS } from '../../helpers/every-byte.js'
import { SmallBuffers, type NarrowLimits } from '../../helpers/small-buffers.js'
import { aroundMarks, disturb, everyNth, expectNothingWrong } from '../../helpers/talk-tests.js'
import { BY_HANDLE, BY_STREAM, TLS_BY_HANDLE, type Times } from '../../helpers/talk-world.js'
import { bulk } from '../../helpers/talks.js'

let buffers: SmallBuffers

beforeAll(() => {
  buffers = new SmallBuffers()
})

afterAll(() => {
  buffers.close()
})

const options = { width: 16, narrow: (port: number, limits: NarrowLimits) => buffers.to(port, limits) }

/** What waits is judged first, and then the silence of the other end. */
const TIMES: Times = {
  handshakeTimeoutMs: 10_000,
  closeTimeoutMs: 4_000,
  sendTimeoutMs: 2_000,
  heartbeatIntervalMs: 3_000,
  heartbeatTimeoutMs: 3_000,
}

describe.each([BY_HANDLE, BY_STREAM, TLS_BY_HANDLE])('$name, with small buffers', (way) => {
  const places = way.isTls ? everyNth(60_000) : everyNth(5, aroundMarks(1, 9))

  it(
    'bytes that are late, split or merged change nothing',
    async () => {
      await expectNothingWrong({ talk: bulk, way, places, kinds: ['delay', 'split', 'merge'], options })
    },
    SLOW_MS,
  )

  it(
    'a line that is truncated, reset or half closed ends each end once',
    async () => {
      await expectNothingWrong({ talk: bulk, way, places, kinds: HARMFUL, options })
    },
    SLOW_MS,
  )

  it(
    'a line that stalls, one way or both ways, ends by sendTimeoutMs or by the silence',
    async () => {
      const wide = { ...options, width: 100 }
      const found = await disturb({ talk: bulk, way, places, kinds: STALLS, times: TIMES, options: wide })
      expect(found.wrongs.join('\n')).toBe('')
      expect(found.errors).toContain('HAWSER_SEND_TIMEOUT')
      expect(found.errors).toContain('HAWSER_HEARTBEAT_TIMEOUT')
    },
    SLOW_MS,
  )
})
