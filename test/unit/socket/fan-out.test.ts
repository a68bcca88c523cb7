/** One message to many: who gets it, what became of it, and that one never stops the others. */
import { inspect } from 'node:util'
import type { ReadyState } from '../../../src/connection/connection.js'
import { PreparedMessage } from '../../../src/connection/prepared-message.js'
import { resolveLimits, SERVER_LIMITS, type LimitOptions } from '../../../src/limits.js'
import { DELIVER, fanOut, prepare, type FanOutOptions } from '../../../src/socket/fan-out.js'
import { SocketDriver } from '../../../src/socket/socket-driver.js'
import type { SlowConsumerPolicy } from '../../../src/socket/driver-owner.js'
import { StreamTransport } from '../../../src/transport/stream-transport.js'
import { closeFrame, frame, OP, readFrames } from '../../helpers/frame-builder.js'
import { MemoryDuplex, nextTurn } from '../../helpers/memory-duplex.js'

interface Member {
  readonly readyState: ReadyState
  readonly driver: SocketDriver
  readonly stream: MemoryDuplex
  [DELIVER]: SocketDriver['deliver']
}

const opened: MemoryDuplex[] = []
afterEach(async () => {
  for (const stream of opened.splice(0)) stream.destroy()
  await nextTurn()
})

const nothing = (): void => undefined

/** A real connection of a server over a stream in memory. */
function join(limitOptions: LimitOptions = {}, slowConsumer: SlowConsumerPolicy = 'close'): Member {
  const stream = new MemoryDuplex()
  opened.push(stream)
  const limits = resolveLimits(limitOptions, SERVER_LIMITS)
  const driver = new SocketDriver(
    new StreamTransport(stream),
    { role: 'server', limits },
    { limits, slowConsumer },
    {
      handleEvent: nothing,
      handleDrain: nothing,
      handleClosing: nothing,
      handleSendingOver: nothing,
      handleGone: nothing,
    },
  )
  driver.start(new Uint8Array(0))
  const { readyState } = driver.connection
  return { driver, stream, readyState, [DELIVER]: (message) => driver.deliver(message) }
}

const three = (): [Member, Member, Member] => [join(), join(), join()]

describe('a message to many', () => {
  test('reaches each of them in one write, together with other messages of the same turn', async () => {
    const members = three()
    members[1].driver.send('before')
    expect(fanOut(members, 'to all')).toEqual({ sent: 3, dropped: 0, failed: 0 })
    expect(fanOut(new Set(members), Buffer.from('bytes'))).toEqual({ sent: 3, dropped: 0, failed: 0 })
    members[2].driver.send('behind')
    await nextTurn()
    expect(members.map(({ stream }) => stream.writes.length)).toEqual([1, 1, 1])
    const all = Buffer.concat([
      frame({ opcode: OP.TEXT, payload: 'to all' }),
      frame({ opcode: OP.BINARY, payload: 'bytes' }),
    ])
    const [before, behind] = ['before', 'behind'].map((payload) => frame({ opcode: OP.TEXT, payload }))
    expect(members[0].stream.written).toEqual(all)
    expect(members[1].stream.written).toEqual(Buffer.concat([before!, all]))
    expect(members[2].stream.written).toEqual(Buffer.concat([all, behind!]))
  })

  test('may have no receivers', () => {
    expect(fanOut([], 'x')).toEqual({ sent: 0, dropped: 0, failed: 0 })
  })

  test('is not changed by changes of its source before it leaves', async () => {
    const members = three()
    const source = Buffer.from('Hello')
    fanOut(members, source)
    source.fill(0xaa)
    await nextTurn()
    for (const { stream } of members)
      expect(stream.written).toEqual(frame({ opcode: OP.BINARY, payload: 'Hello' }))
  })

  test('skips sockets that are closing and sockets that are too slow', async () => {
    const closing = join()
    const slow = join({ maxBufferedOutputBytes: 1000 }, 'drop')
    const well = join()
    closing.driver.close(1000, undefined, undefined)
    slow.stream.stick()
    slow.driver.send('x'.repeat(100_000))
    slow.driver.send('y'.repeat(1001))
    expect(fanOut([closing, slow, well], 'x')).toEqual({ sent: 1, dropped: 1, failed: 1 })
    await nextTurn()
    slow.stream.unstick()
    await nextTurn()
    expect(closing.stream.written).toEqual(closeFrame(1000))
    expect(readFrames(slow.stream.written).frames.map(({ payload }) => payload.length)).toEqual([
      100_000, 1001,
    ])
    expect(well.stream.written).toEqual(frame({ opcode: OP.TEXT, payload: 'x' }))
  })
})

describe('the receivers of a message', () => {
  test.each<[string, (members: Member[]) => FanOutOptions<Member>, boolean[]]>([
    ['except one', ([a]) => ({ except: a }), [false, true, true]],
    ['except an array', ([a, b]) => ({ except: [a!, b!] }), [false, false, true]],
    ['except a set', ([, b]) => ({ except: new Set([b!]) }), [true, false, true]],
    ['a filter', ([, , c]) => ({ filter: (one) => one === c }), [false, false, true]],
    ['both', ([a, b]) => ({ except: a, filter: (one) => one === a || one === b }), [false, true, false]],
    ['nothing said', () => ({ except: undefined, filter: undefined }), [true, true, true]],
  ])('are right for %s', async (_, options, expected) => {
    const members = three()
    const { sent } = fanOut(members, 'x', options(members))
    await nextTurn()
    expect(members.map(({ stream }) => stream.writes.length > 0)).toEqual(expected)
    expect(sent).toBe(expected.filter(Boolean).length)
  })

  test('are those for which the filter is true: false and the like leave out, and any other value is an error, and nobody gets it', async () => {
    const answers = [true, undefined, 0]
    const members = three()
    const filter = (one: Member): boolean => answers[members.indexOf(one)] as boolean
    expect(fanOut(members, 'x', { filter }).sent).toBe(1)
    const others = three()
    const list = (): boolean => [] as never
    expect(() => fanOut(others, 'x', { filter: list })).toThrow(
      new TypeError('filter must return true or false, not an array'),
    )
    await nextTurn()
    expect([...members, ...others].map(({ stream }) => stream.writes.length)).toEqual([1, 0, 0, 0, 0, 0])
  })

  test('are none when the filter throws: the caller gets the error, and no socket gets the message', async () => {
    const members = three()
    const filter = (one: Member): boolean => {
      if (one === members[1]) throw new Error('no')
      return true
    }
    expect(() => fanOut(members, 'x', { filter })).toThrow('no')
    await nextTurn()
    expect(members.map(({ stream }) => stream.writes.length)).toEqual([0, 0, 0])
  })
})

describe('what the caller does wrong throws at once', () => {
  test.each<[unknown, string]>([
    [null, 'options must be an object, not null'],
    [5, 'options must be an object, not 5'],
    [
      { excpet: [] },
      'options has no option "excpet"; there are except, filter, compress; did you mean except?',
    ],
    [{ filter: 1 }, 'filter must be a function, not 1'],
    [{ except: 'x' }, 'except must be a connection, or an array or a set of them, not "x"'],
    [{ except: ['ada'] }, 'except must be a connection, or an array or a set of them, not "ada"'],
    [{ except: new Set([{}]) }, 'except must be a connection, or an array or a set of them, not an object'],
    [{ except: {} }, 'except must be a connection, or an array or a set of them, not an object'],
    [
      { except: new Map([[1, 2]]) },
      'except must be a connection, or an array or a set of them, not an array',
    ],
    [{ except: null }, 'except must be a connection, or an array or a set of them, not null'],
    [{ compress: 1 }, 'compress must be true or false, not 1'],
    [{ except: [null] }, 'except must be a connection, or an array or a set of them, not null'],
    [
      () => undefined,
      'options must be an object, not a function: there is no callback; the call returns what became of the message',
    ],
    [
      { binary: true },
      'options has no option "binary"; there are except, filter, compress; a string is sent as text, and bytes as a binary message',
    ],
    [
      { filter: () => Promise.resolve(true) },
      'filter must return true or false, not a promise: it must not be async',
    ],
  ])('for options %p', (options, message) => {
    const member = join()
    expect(() => fanOut([member], 'x', options as FanOutOptions<Member>)).toThrow(TypeError)
    expect(() => fanOut([member], 'x', options as FanOutOptions<Member>)).toThrow(message)
    expect(member.driver.bufferedAmount).toBe(0)
  })

  test('for data that is neither text nor bytes', () => {
    expect(() => fanOut([join()], 5 as unknown as string)).toThrow(TypeError)
  })

  test('but not for who is excepted: the filter is not asked', () => {
    const members = three()
    const asked: Member[] = []
    const filter = (one: Member): boolean => asked.push(one) > 0
    expect(fanOut(members, 'x', { except: members[1], filter })).toEqual({ sent: 2, dropped: 0, failed: 0 })
    expect(asked).toEqual([members[0], members[2]])
  })

  test('for `compress` with a prepared message', () => {
    const message = new PreparedMessage('x')
    expect(prepare(message)).toBe(message)
    expect(() => prepare(message, true)).toThrow('compress belongs to the PreparedMessage itself')
  })
})

describe('a message that is prepared for many', () => {
  test('is compressed unless its caller says that it is not', () => {
    expect([undefined, true, false].map((compress) => prepare('x', compress).compress)).toEqual([
      true,
      true,
      false,
    ])
    expect(prepare(Buffer.from('bytes')).byteLength).toBe(5)
  })
})

test('what became of a message is logged with its counts', () => {
  expect(inspect(fanOut([join()], 'x'))).toBe('Delivery { sent: 1, dropped: 0, failed: 0 }')
})

test('a member counts as dropped, failed or sent', () => {
  const outcomes = ['sent', 'dropped', 'failed', 'dropped', 'failed', 'failed'] as const
  const members = outcomes.map((outcome) => ({ [DELIVER]: () => outcome }))
  expect(fanOut(members, 'x')).toEqual({ sent: 1, dropped: 2, failed: 3 })
})
