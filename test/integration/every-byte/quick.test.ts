/**
 * Conversations over real sockets, whose line is disturbed at one byte: a sample at the borders of heads and frames. Every byte, in
 * every way, is in the slow tests beside this one.
 */
import { aroundMarks, everyNth, expectNothingWrong } from '../../helpers/talk-tests.js'
import { BY_HANDLE, BY_STREAM, TLS_BY_HANDLE } from '../../helpers/talk-world.js'
import { TALKS } from '../../helpers/talks.js'

const { messages, compressed, toServer, toClient, refused, tunnelled } = TALKS

const HARMLESS = ['delay', 'split', 'drip', 'merge'] as const
const HARMFUL = ['truncate', 'reset', 'lateReset', 'halfClose'] as const

describe.each([BY_HANDLE, BY_STREAM])('$name', (way) => {
  it.each([messages, compressed, toServer, toClient])('nothing changes for: $name', async (talk) => {
    await expectNothingWrong({ talk, way, kinds: HARMLESS, places: aroundMarks(1) })
  })

  it.each([messages, toClient, refused, tunnelled])('each end ends once and is told right: $name', async (talk) => {
    await expectNothingWrong({ talk, way, kinds: HARMFUL, places: aroundMarks(1) })
  })
})

it('over TLS: nothing changes, and each end ends once', async () => {
  const places = everyNth(150)
  await expectNothingWrong({ talk: messages, way: TLS_BY_HANDLE, kinds: [...HARMLESS, ...HARMFUL], places })
})

it('a line that stalls or is silent ends by the timers', async () => {
  const times = {
    handshakeTimeoutMs: 1_500,
    closeTimeoutMs: 1_000,
    heartbeatIntervalMs: 600,
    heartbeatTimeoutMs: 600,
  }
  const places = everyNth(2, aroundMarks(1))
  const options = { width: 100 }
  await expectNothingWrong({ talk: messages, way: BY_HANDLE, kinds: ['stall', 'silence'], places, times, options })
})
