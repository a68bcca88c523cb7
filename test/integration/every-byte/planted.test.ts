// slow: ends that hang are waited for
/** That these tests find faults: in each an end goes wrong in all runs but the first one, which is recorded. */
import type { Plan } from '../../helpers/talk-run.js'
import { disturb } from '../../helpers/talk-tests.js'
import { BY_HANDLE, type Times } from '../../helpers/talk-world.js'
import { HEARTBEAT_BYTES, TALKS, type End, type Script, type Talk } from '../../helpers/talks.js'

const { messages, withoutCode } = TALKS
/** Of a process that has its turns: it waits longer on a busy machine. */
const QUIET_MS = 1_500
const TIMEOUT_MS = 60_000

/** The conversation with another script of one end, from its second run on. */
function spoiled(talk: Talk, side: 'client' | 'server', wrong: Script): Talk {
  const right = talk[side] as Script
  const rightEnds = new WeakSet<End>()
  let runs = 0
  const scriptOf = (end: End): Script => (rightEnds.has(end) ? right : wrong)
  const script: Script = {
    opened: (end, socket) => {
      if (runs++ === 0) rightEnds.add(end)
      scriptOf(end).opened?.(end, socket)
    },
    heard: (end, socket, line) => scriptOf(end).heard?.(end, socket, line),
  }
  return { ...talk, [side]: script }
}

/** What is found where nothing but the end is wrong. */
async function findingsOf(talk: Talk, kind: Plan['kind'], times?: Times): Promise<string> {
  const places = (): number[] => [200]
  const options = { quietMs: QUIET_MS }
  const disturbance = { talk, way: BY_HANDLE, kinds: [kind], places, options }
  return (await disturb(times === undefined ? disturbance : { ...disturbance, times })).wrongs.join('\n')
}

const first = messages.client as Script

/** The end of the conversation, to which something else is done when it opens. */
const openedBy = (act: NonNullable<Script['opened']>): Script => ({
  ...first,
  opened: (end, socket) => {
    act(end, socket)
    first.opened?.(end, socket)
  },
})

it(
  'an end that never answers is found, by what does not move',
  async () => {
    const mute: Script = { ...first, heard: () => undefined }
    const found = await findingsOf(spoiled(messages, 'client', mute), 'split')
    expect(found).toMatch(/split client 200: is not over: nothing has moved for 1[.]5 s: .*the line is open/)
  },
  TIMEOUT_MS,
)

it(
  'an end that answers late is waited for while anything moves',
  async () => {
    const late: Script = {
      ...first,
      heard: (end, socket, line) => {
        if (end.lines.length !== 6) return
        // Pings of the heartbeat's length are no lines of the conversation.
        const beat = setInterval(() => socket.ping(Buffer.alloc(HEARTBEAT_BYTES)), 200)
        setTimeout(() => {
          clearInterval(beat)
          first.heard?.(end, socket, line)
        }, 2 * QUIET_MS)
      },
    }
    expect(await findingsOf(spoiled(messages, 'client', late), 'split')).toBe('')
  },
  TIMEOUT_MS,
)

it(
  'an end that says something else is found',
  async () => {
    const other: Script = { heard: (end, socket) => end.write(socket, 'Second') }
    const found = await findingsOf(spoiled(withoutCode, 'client', other), 'merge')
    expect(found).toMatch(/merge client 200: server: text Second .*\n {2}instead of text second/)
  },
  TIMEOUT_MS,
)

it(
  'an end that does not tell of a reset is found',
  async () => {
    const deaf = openedBy((end) => void jest.spyOn(end.errors, 'push').mockReturnValue(0))
    const found = await findingsOf(spoiled(messages, 'client', deaf), 'lateReset')
    expect(found).toMatch(/lateReset .* client: no error says why/)
  },
  TIMEOUT_MS,
)

it(
  'an end that is told twice of its end is found',
  async () => {
    const twice = openedBy((end, socket) => void socket.closed.then(() => end.closeCount++))
    const found = await findingsOf(spoiled(messages, 'client', twice), 'truncate')
    expect(found).toMatch('client: onOpen was called 1 times, onClose 2')
  },
  TIMEOUT_MS,
)
