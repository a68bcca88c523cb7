/** Messages to all of a list that are put off to the end of the turn: nobody can see it, but by the number of writes. */
import { frameOf, PreparedMessage } from '../../../src/connection/prepared-message.js'
import { fanOut, prepare } from '../../../src/socket/fan-out.js'
import { putOff } from '../../../src/socket/fan-out-turn.js'
import { frame, KEY, OP } from '../../helpers/frame-builder.js'
import { HandTransport } from '../../helpers/hand-driven.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { endAll, openOver, type PlainCore, type PlainSocket } from '../../helpers/plain-socket.js'

const KIB = 1024

afterEach(endAll)

interface Member {
  readonly socket: PlainSocket
  readonly transport: HandTransport
}

/** Sockets over transports, and the list of them that is never changed. */
function members(
  count: number,
  states: readonly Partial<HandTransport>[] = [],
): {
  readonly all: readonly Member[]
  readonly list: readonly PlainSocket[]
  readonly cores: readonly PlainCore[]
} {
  const transports = Array.from({ length: count }, (_, i) => Object.assign(new HandTransport(), states[i]))
  const cores = transports.map((transport) => openOver(transport, { heartbeatIntervalMs: Infinity }))
  const all = cores.map(({ socket }, i) => ({ socket, transport: transports[i] as HandTransport }))
  return { all, list: all.map(({ socket }) => socket), cores }
}

/** As {@link members}, of a list that was sent to before: from the second message on it is known. Nothing of the start waits. */
async function knownMembers(...args: Parameters<typeof members>): Promise<ReturnType<typeof members>> {
  const made = members(...args)
  await nextTurn()
  expect(putOff(made.list, new PreparedMessage('unknown'))).toBe(false)
  return made
}

const textsOf = ({ all }: ReturnType<typeof members>): string[][] =>
  all.map(({ transport }) => transport.texts)
const writesOf = ({ all }: ReturnType<typeof members>): number[] =>
  all.map(({ transport }) => transport.writes.length)
const sent = (list: readonly PlainSocket[], text: string): boolean => putOff(list, new PreparedMessage(text))

describe('a message is put off', () => {
  it('from the second one to the same list on, for two members and more', async () => {
    const [pair, single, none] = [members(2), members(1), members(0)]
    expect([sent(pair.list, 'a'), sent(pair.list, 'b'), sent(pair.list, 'c')]).toEqual([false, true, true])
    for (const { list } of [single, none]) expect([sent(list, 'a'), sent(list, 'b')]).toEqual([false, false])
    expect(writesOf(pair)).toEqual([0, 0])
    await nextTurn()
    expect(textsOf(pair)).toEqual([
      ['b', 'c'],
      ['b', 'c'],
    ])
    expect(pair.all.map(({ socket }) => socket.bufferedAmount)).toEqual([0, 0])
  })

  it('not to a list with a member that cannot share it, or with anything else', async () => {
    expect(sent((await knownMembers(2, [{}, { blocksOnPeer: false }])).list, 'x')).toBe(false)
    expect(sent((await knownMembers(2, [{ freesAtOnce: false }])).list, 'x')).toBe(false)
    const { list } = members(2)
    const mixed: readonly object[] = [...list, {}]
    const outcomes = ['a', 'b'].map((text) => putOff(mixed, new PreparedMessage(text)))
    expect(outcomes).toEqual([false, false])
  })

  it('up to 16 KiB with its header, and not while a connection of the thread is blocked', async () => {
    const { list, all } = await knownMembers(2)
    expect(sent(list, 'x'.repeat(16 * KIB - 4))).toBe(true)
    expect(sent(list, 'x'.repeat(16 * KIB - 3))).toBe(false)
    await nextTurn()
    const other = members(1, [{ roomBytes: 0 }])
    other.all[0]?.socket.send('waits')
    await nextTurn()
    expect(sent(list, 'y')).toBe(false)
    other.all[0]?.transport.take()
    expect(sent(list, 'z')).toBe(true)
    await nextTurn()
    expect(all.map(({ transport }) => transport.texts.at(-1))).toEqual(['z', 'z'])
  })

  it('and counts as sent at once, for all', async () => {
    const { list, all } = await knownMembers(3)
    expect(fanOut(list, 'x')).toEqual({ sent: 3, dropped: 0, failed: 0 })
    expect(fanOut(list, 'y')).toEqual({ sent: 3, dropped: 0, failed: 0 })
    await nextTurn()
    expect(all.map(({ transport }) => transport.writes.length)).toEqual([1, 1, 1])
  })

  it('not where there are options, or a set', async () => {
    const { list, all } = await knownMembers(2)
    const [first] = list
    expect(fanOut(list, 'x', { except: first })).toEqual({ sent: 1, dropped: 0, failed: 0 })
    expect(fanOut(new Set(list), 'y')).toEqual({ sent: 2, dropped: 0, failed: 0 })
    expect(all.map(({ socket }) => socket.bufferedAmount)).toEqual([3, 6])
  })
})

describe('messages of one turn', () => {
  it('to the same list leave in one write for each', async () => {
    const made = await knownMembers(3)
    for (const text of ['a', 'b', 'c']) expect(sent(made.list, text)).toBe(true)
    await nextTurn()
    expect(writesOf(made)).toEqual([1, 1, 1])
    expect(textsOf(made)).toEqual(Array(3).fill(['a', 'b', 'c']))
  })

  it('to two lists keep their order for who is in both', async () => {
    const made = await knownMembers(3)
    const others = made.list.slice(1)
    expect(sent(others, 'unknown')).toBe(false)
    expect([sent(made.list, 'a'), sent(others, 'b'), sent(made.list, 'c')]).toEqual([true, true, true])
    await nextTurn()
    expect(textsOf(made)).toEqual([
      ['a', 'c'],
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ])
    expect(writesOf(made)).toEqual([1, 1, 1])
  })

  it('keep their order with what is sent to one of them, before and after', async () => {
    const made = await knownMembers(2)
    const [one, other] = made.list as [PlainSocket, PlainSocket]
    one.send('before')
    sent(made.list, 'a')
    other.send('between')
    sent(made.list, 'b')
    one.send('after')
    await nextTurn()
    expect(textsOf(made)).toEqual([
      ['before', 'a', 'b', 'after'],
      ['a', 'between', 'b'],
    ])
    expect(writesOf(made)).toEqual([1, 1])
  })

  it('are in the counts and amounts of each at once', async () => {
    const made = await knownMembers(2)
    const { all, list } = made
    sent(list, 'a')
    sent(list, 'b')
    const [first] = all as [Member]
    expect(first.socket.bufferedAmount).toBe(6)
    await nextTurn()
    sent(list, 'c')
    await nextTurn()
    expect(textsOf(made)).toEqual(Array(2).fill(['a', 'b', 'c']))
  })

  it('are counted as sent, whether they are written or queued', async () => {
    const made = await knownMembers(2)
    const [first, second] = made.cores
    sent(made.list, 'a')
    sent(made.list, 'b')
    await nextTurn()
    expect([first?.driver.flow.sentCount, second?.driver.flow.sentCount]).toEqual([2, 2])
    sent(made.list, 'c')
    expect(first?.driver.flow.messagesSent).toBe(3)
    await nextTurn()
    expect([first?.driver.flow.sentCount, second?.driver.flow.sentCount]).toEqual([3, 3])
  })

  it('that are more than 16 KiB together still come in order', async () => {
    const made = await knownMembers(2)
    const parts = Array.from({ length: 9 }, (_, i) => String(i).repeat(5 * KIB))
    for (const part of parts) expect(sent(made.list, part)).toBe(true)
    await nextTurn()
    expect(textsOf(made)).toEqual([parts, parts])
  })

  it('of two buffers are not taken for one', async () => {
    const made = await knownMembers(2)
    const [one, other] = [new PreparedMessage('one'), new PreparedMessage('other')]
    for (const message of [one, other, one, one]) expect(putOff(made.list, message)).toBe(true)
    await nextTurn()
    expect(textsOf(made)).toEqual(Array(2).fill(['one', 'other', 'one', 'one']))
  })
})

describe('short texts to the same list', () => {
  const toAll = (list: readonly PlainSocket[], text: string): void => {
    expect(fanOut(list, text)).toEqual({ sent: list.length, dropped: 0, failed: 0 })
  }
  /** How many messages are in the queue of each, or were, without those that are put off. */
  const queuedOf = ({ cores }: ReturnType<typeof members>): number[] =>
    cores.map(({ driver }) => driver.flow.sentCount)

  it('are in no queue until the end of the turn', async () => {
    const made = await knownMembers(2)
    for (const text of ['a', 'b', 'c']) toAll(made.list, text)
    expect(queuedOf(made)).toEqual([0, 0])
    await nextTurn()
    expect([queuedOf(made), writesOf(made)]).toEqual([
      [3, 3],
      [1, 1],
    ])
    expect(textsOf(made)).toEqual(Array(2).fill(['a', 'b', 'c']))
    toAll(made.list, 'd')
    expect(queuedOf(made)).toEqual([3, 3])
    await nextTurn()
    expect(textsOf(made)).toEqual(Array(2).fill(['a', 'b', 'c', 'd']))
  })

  it('are queued where they are more than 16 KiB together: what waits stays small', async () => {
    const made = await knownMembers(2)
    // Short-lived messages lie one after the other in 64 KiB: there is room for these in one.
    while (frameOf(prepare('y'.repeat(1000))).end > 40 * KIB);
    // 4 bytes of header each: the fourth ends at 16 KiB.
    for (let i = 0; i < 4; i++) toAll(made.list, String(i).repeat(4 * KIB - 4))
    expect(queuedOf(made)).toEqual([0, 0])
    toAll(made.list, 'x')
    expect(queuedOf(made)).toEqual([4, 4])
    await nextTurn()
    expect([queuedOf(made), writesOf(made)]).toEqual([
      [5, 5],
      [1, 1],
    ])
    expect(made.all[0]?.transport.texts.map((text) => text.slice(0, 1))).toEqual(['0', '1', '2', '3', 'x'])
  })

  it('are written at the end of the turn at once: they are queued nowhere before', async () => {
    const made = await knownMembers(2)
    toAll(made.list, 'a')
    let counts: number[] = []
    process.nextTick(() => {
      counts = writesOf(made)
    })
    await nextTurn()
    expect(counts).toEqual([1, 1])
  })

  it('leave with the replies of a handler that sends to all, at the end of the turn', async () => {
    const made = await knownMembers(2)
    const [{ transport }] = made.all as [Member]
    const [core] = made.cores as [PlainCore]
    core.onEvent = () => {
      core.socket.send('own')
      toAll(made.list, 'all')
    }
    transport.deliver(frame({ opcode: OP.TEXT, payload: 'x', key: KEY }))
    expect(transport.writes).toHaveLength(0)
    await nextTurn()
    expect([writesOf(made), textsOf(made)]).toEqual([
      [1, 1],
      [['own', 'all'], ['all']],
    ])
  })

  it('are not taken for one where they lie at the same place of two buffers', async () => {
    const made = await knownMembers(2)
    const startOf = (text: string): number => frameOf(prepare(text)).start
    // Short-lived messages lie one after the other in 64 KiB. This one lies in the second half.
    for (let at = 0; at < 40_000 || at > 50_000;) at = startOf('x'.repeat(1000))
    const first = prepare('first')
    const { buffer, end } = frameOf(first)
    // In the next 64 KiB up to the same place, with headers of 4 bytes.
    let next = frameOf(prepare('y'.repeat(1000)))
    while (next.buffer === buffer) next = frameOf(prepare('y'.repeat(1000)))
    for (let left = end - next.end; left > 0;) {
      const part = left > 2000 ? 1000 : left
      expect(startOf('z'.repeat(part - 4))).toBe(end - left)
      left -= part
    }
    const second = prepare('second')
    expect(frameOf(second).start).toBe(end)
    expect([putOff(made.list, first), putOff(made.list, second)]).toEqual([true, true])
    await nextTurn()
    expect(textsOf(made)).toEqual(Array(2).fill(['first', 'second']))
  })

  it('leave other texts of the turn as they are, where something looked at a queue before', async () => {
    const made = await knownMembers(2)
    const [core] = members(1).cores as [PlainCore]
    await nextTurn()
    toAll(made.list, 'a')
    expect(made.list[0]?.bufferedAmount).toBe(3)
    for (const text of ['x', 'y', 'z']) core.socket.send(text)
    await nextTurn()
    expect(core.driver.bufferedAmount).toBe(0)
    expect(core.driver.counter).toEqual({ bytesRead: 0, bytesWritten: 9 })
    expect(textsOf(made)).toEqual([['a'], ['a']])
  })

  it('leave out what goes to others between them', async () => {
    const made = await knownMembers(2)
    const others = await knownMembers(2)
    toAll(made.list, 'a')
    fanOut(new Set(others.list), 'not for all')
    toAll(made.list, 'b')
    toAll(others.list, 'c')
    toAll(made.list, 'd')
    await nextTurn()
    expect(textsOf(made)).toEqual(Array(2).fill(['a', 'b', 'd']))
    expect(textsOf(others)).toEqual(Array(2).fill(['not for all', 'c']))
  })

  it('begin anew after something looked at a queue', async () => {
    const made = await knownMembers(2)
    toAll(made.list, 'a')
    expect(made.all[0]?.socket.bufferedAmount).toBe(3)
    toAll(made.list, 'b')
    expect(queuedOf(made)).toEqual([1, 1])
    await nextTurn()
    expect(textsOf(made)).toEqual(Array(2).fill(['a', 'b']))
    expect(queuedOf(made)).toEqual([2, 2])
  })
})

describe('a member', () => {
  it('that is closed in the turn gets it before its Close frame, and not after its end', async () => {
    const made = await knownMembers(3)
    const [closing, cut] = made.list as [PlainSocket, PlainSocket]
    sent(made.list, 'x')
    void closing.close(1000)
    await nextTurn()
    expect(textsOf(made)).toEqual([['x', 'close 1000'], ['x'], ['x']])
    cut.terminate()
    sent(made.list, 'y')
    await nextTurn()
    expect(made.all[1]?.transport.texts).toEqual(['x'])
  })

  it('whose system takes only a part is watched, and gets the rest', async () => {
    const made = await knownMembers(2, [{ roomBytes: 1 }])
    const [slow] = made.cores
    sent(made.list, 'xyz')
    await nextTurn()
    expect(slow?.driver.timerSlot).toBeGreaterThan(0)
    expect(made.cores[1]?.driver.timerSlot).toBe(-1)
    expect(slow?.driver.bufferedAmount).toBe(4)
    slow?.driver.send('after')
    await nextTurn()
    made.all[0]?.transport.take()
    await nextTurn()
    expect(made.all[0]?.transport.texts).toEqual(['xyz', 'after'])
  })
})
