/** Names and groups of one process, over real sockets on streams in memory. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { NameTakenError, UnknownConnectionError } from '../../../src/errors.js'
import { Hub } from '../../../src/hub/hub.js'
import { HUB_LIMITS } from '../../../src/hub/hub-limits.js'
import { SERVER_LIMITS, type LimitOptions, resolveLimits } from '../../../src/limits.js'
import type { SlowConsumerPolicy } from '../../../src/socket/driver-owner.js'
import { PreparedMessage } from '../../../src/connection/prepared-message.js'
import { frame, OP, readFrames, closeFrame, KEY } from '../../helpers/frame-builder.js'
import { HubSocket, openMember } from '../../helpers/hub-socket.js'
import { nextTurn, type MemoryDuplex } from '../../helpers/memory-duplex.js'

let hub: Hub<HubSocket>
const opened: HubSocket[] = []

function open(
  limits: LimitOptions = {},
  slowConsumer: SlowConsumerPolicy = 'close',
): { socket: HubSocket; wire: MemoryDuplex } {
  const one = openMember(hub, resolveLimits(limits, SERVER_LIMITS), slowConsumer)
  opened.push(one.socket)
  return one
}

/** What was written, frame by frame. */
async function texts(wire: MemoryDuplex): Promise<string[]> {
  await nextTurn()
  return readFrames(wire.written).frames.map(({ opcode, text, closeCode, closeReason }) =>
    opcode === OP.CLOSE ? `close ${closeCode} ${closeReason}` : text,
  )
}

beforeEach(() => {
  hub = new Hub()
})
afterEach(() => {
  for (const socket of opened.splice(0)) socket.terminate()
})

describe('groups', () => {
  test('join and leave may be called again, and return whether the connection is or was a member', () => {
    const { socket } = open()
    expect(hub.join(socket, 'dogs')).toBe(true)
    expect(hub.join(socket, 'dogs')).toBe(true)
    expect(hub.group('dogs').size).toBe(1)
    expect(hub.leave(socket, 'dogs')).toBe(true)
    expect(hub.leave(socket, 'dogs')).toBe(false)
    expect(hub.leave(socket, 'never')).toBe(false)
  })

  test('groups, members, has and size show the members, and a group without members is not listed', () => {
    const [a, b] = [open().socket, open().socket]
    hub.join(a, 'dogs')
    hub.join(b, 'dogs')
    hub.join(a, 'cats')
    expect(hub.groups()).toEqual(['dogs', 'cats'])
    expect(hub.groupsOf(a)).toEqual(['dogs', 'cats'])
    expect(hub.groupsOf(open().socket)).toEqual([])
    const dogs = hub.group('dogs')
    expect(dogs.members()).toEqual([a, b])
    expect([dogs.size, dogs.sizeEverywhere, dogs.has(b), hub.group('cats').has(b)]).toEqual([
      2,
      2,
      true,
      false,
    ])
    hub.leave(a, 'cats')
    expect(hub.groups()).toEqual(['dogs'])
    expect(hub.group('cats').members()).toEqual([])
    expect(hub.groupsOf(a)).toEqual(['dogs'])
  })

  test('members returns a list that the caller may change', () => {
    const { socket } = open()
    hub.join(socket, 'dogs')
    hub.group('dogs').members().pop()
    expect(hub.group('dogs').members()).toEqual([socket])
  })

  test('a message reaches the members except those of `except` and those that the filter leaves out', async () => {
    const [a, b, c] = [open(), open(), open()]
    for (const { socket } of [a, b, c]) hub.join(socket, 'dogs')
    const dogs = hub.group('dogs')
    expect(dogs.send('1')).toEqual({ sent: 3, dropped: 0, failed: 0 })
    expect(dogs.send('2', { except: a.socket })).toEqual({ sent: 2, dropped: 0, failed: 0 })
    expect(dogs.send('3', { except: [a.socket, b.socket] })).toMatchObject({ sent: 1 })
    expect(dogs.send('4', { except: new Set([c.socket]) })).toMatchObject({ sent: 2 })
    expect(dogs.send('5', { filter: (socket) => socket === c.socket })).toMatchObject({ sent: 1 })
    expect(dogs.send(new PreparedMessage('6'))).toMatchObject({ sent: 3 })
    expect(await texts(a.wire)).toEqual(['1', '4', '6'])
    expect(await texts(b.wire)).toEqual(['1', '2', '4', '6'])
    expect(await texts(c.wire)).toEqual(['1', '2', '3', '5', '6'])
  })

  test('a group without members can be sent to, deleted and closed, and is not listed afterwards', () => {
    expect(hub.group('nobody').send('x')).toEqual({ sent: 0, dropped: 0, failed: 0 })
    expect(hub.group('nobody').delete()).toBe(false)
    expect(hub.group('nobody').close()).toBe(0)
    expect(hub.groups()).toEqual([])
  })

  test('delete takes all members out and leaves them open, and a later join makes a new group', async () => {
    const [a, b] = [open(), open()]
    hub.join(a.socket, 'dogs')
    hub.join(b.socket, 'dogs')
    expect(hub.group('dogs').delete()).toBe(true)
    expect([hub.groups(), hub.groupsOf(a.socket), a.socket.readyState]).toEqual([[], [], 1])
    hub.join(b.socket, 'dogs')
    expect(hub.group('dogs').members()).toEqual([b.socket])
    expect(await texts(a.wire)).toEqual([])
  })

  test('close closes the connections of all members, and takes them out at once', async () => {
    const [a, b] = [open(), open()]
    hub.join(a.socket, 'dogs')
    hub.join(b.socket, 'dogs')
    expect(hub.group('dogs').close(4001, 'over')).toBe(2)
    expect(hub.groups()).toEqual([])
    for (const { wire } of [a, b]) expect(await texts(wire)).toEqual(['close 4001 over'])
    expect(() => hub.group('dogs').close(1006)).toThrow(RangeError)
  })

  test('a connection that was closed joins no group and gets no name, and nothing of it is kept', async () => {
    const { socket, wire } = open()
    void socket.close(1000)
    expect(hub.join(socket, 'dogs')).toBe(false)
    wire.deliver(closeFrame(1000, '', { key: KEY }))
    wire.push(null)
    await socket.close()
    expect(hub.join(socket, 'dogs')).toBe(false)
    expect(hub.connections.set('ann', socket)).toBe(false)
    expect([hub.groups(), hub.connections.size]).toEqual([[], 0])
  })

  test('a connection is in no group and has no name when its onClose runs', async () => {
    const { socket } = open()
    hub.join(socket, 'dogs')
    hub.join(socket, 'cats')
    hub.connections.set('ann', socket)
    hub.connections.set('ann too', socket)
    const seen: unknown[] = []
    socket.onClose = () => seen.push(hub.groups(), hub.groupsOf(socket), hub.connections.names())
    socket.terminate()
    await socket.close()
    expect(seen).toEqual([[], [], []])
  })

  test('close with 1005 closes the members without a code', async () => {
    const { socket, wire } = open()
    hub.join(socket, 'dogs')
    expect(hub.group('dogs').close(1005)).toBe(1)
    expect(await texts(wire)).toEqual(['close 1005 '])
  })

  test.each<[string, (one: { socket: HubSocket; wire: MemoryDuplex }) => unknown]>([
    ['this side closes', ({ socket }) => socket.close(1000)],
    ['the peer closes', ({ wire }) => wire.deliver(closeFrame(1000, '', { key: KEY }))],
    ['the peer breaks the protocol', ({ wire }) => wire.deliver(frame({ opcode: 0x3, key: KEY }))],
    ['this side terminates it', ({ socket }) => socket.terminate()],
  ])('a connection is in no group and has no name from the moment when %s', async (_, end) => {
    const [a, b] = [open(), open()]
    for (const { socket } of [a, b]) hub.join(socket, 'dogs')
    hub.join(a.socket, 'cats')
    hub.connections.set('ann', a.socket)
    void end(a)
    await nextTurn()
    expect(a.socket.readyState).not.toBe(1)
    const dogs = hub.group('dogs')
    expect([dogs.members(), dogs.size, dogs.has(a.socket)]).toEqual([[b.socket], 1, false])
    expect([hub.groups(), hub.groupsOf(a.socket)]).toEqual([['dogs'], []])
    const { connections } = hub
    expect([connections.get('ann'), connections.has('ann'), connections.names()]).toEqual([
      undefined,
      false,
      [],
    ])
    expect(connections.set('ann', b.socket, { onConflict: 'reject' })).toBe(true)
    expect([hub.join(a.socket, 'dogs'), connections.set('eve', a.socket)]).toEqual([false, false])
    expect(dogs.send('x')).toEqual({ sent: 1, dropped: 0, failed: 0 })
  })

  test('a member that closes while the message goes out counts as failed', () => {
    const [a, b] = [open(), open()]
    for (const { socket } of [a, b]) hub.join(socket, 'dogs')
    const filter = (): boolean => {
      void b.socket.close(1000)
      return true
    }
    expect(hub.group('dogs').send('x', { filter })).toEqual({ sent: 1, dropped: 0, failed: 1 })
  })

  test('an async filter is a TypeError, and no member gets the message', async () => {
    const [a, b] = [open(), open()]
    for (const { socket } of [a, b]) hub.join(socket, 'dogs')
    const filter = (socket: HubSocket): boolean =>
      (socket === a.socket || Promise.reject(new Error('not heard'))) as boolean
    expect(() => hub.group('dogs').send('x', { filter })).toThrow(
      new TypeError('filter must return true or false, not a promise: it must not be async'),
    )
    // A rejection that nobody handles would fail this test's process in this turn.
    await nextTurn()
    expect([await texts(a.wire), await texts(b.wire)]).toEqual([[], []])
  })

  test.each(['close', 'drop'] as const)(
    'with slowConsumer %s a slow member does not get the message, and the others do',
    async (policy) => {
      const limits = { maxBufferedOutputBytes: 1000 }
      const [slow, quick] = [open(limits, policy), open(limits, policy)]
      slow.wire.stick()
      hub.join(slow.socket, 'dogs')
      hub.join(quick.socket, 'dogs')
      const results = []
      for (let i = 0; i < 30; i++) {
        results.push(hub.group('dogs').send(Buffer.alloc(1000)))
        await nextTurn()
      }
      expect(results[0]).toEqual({ sent: 2, dropped: 0, failed: 0 })
      expect(results).toContainEqual({ sent: 1, dropped: 1, failed: 0 })
      expect(readFrames(quick.wire.written).frames.length).toBe(30)
      expect(slow.socket.readyState).toBe(policy === 'close' ? 2 : 1)
    },
  )

  test('a message reaches those that were members at its beginning, even if connections join and leave meanwhile', () => {
    const [a, b, c] = [open().socket, open().socket, open().socket]
    hub.join(a, 'dogs')
    hub.join(b, 'dogs')
    const delivery = hub.group('dogs').send('x', {
      filter(socket) {
        hub.leave(socket, 'dogs')
        hub.join(socket, 'dogs')
        hub.join(c, 'dogs')
        return true
      },
    })
    expect(delivery).toEqual({ sent: 2, dropped: 0, failed: 0 })
    expect(hub.group('dogs').size).toBe(3)
  })

  test.each([[5], [null], [undefined], [['dogs']], [{}]])(
    'the name of a group that is not a string is a TypeError: %p',
    (name) => {
      const { socket } = open()
      expect(() => hub.join(socket, name as never)).toThrow(TypeError)
      expect(() => hub.leave(socket, name as never)).toThrow(TypeError)
      expect(() => hub.group(name as never)).toThrow(TypeError)
    },
  )

  test('the name of a group that is empty or too long is a RangeError', () => {
    const { socket } = open()
    expect(() => hub.join(socket, '')).toThrow(
      'group must have 1 to 256 characters (hubLimits.maxNameLength), not 0: ""',
    )
    expect(() => hub.group('x'.repeat(257))).toThrow(RangeError)
    expect(hub.join(socket, 'x'.repeat(256))).toBe(true)
  })

  test('the names of properties of objects are names of groups like others', () => {
    const { socket } = open()
    expect(hub.group('__proto__').has(socket)).toBe(false)
    hub.join(socket, '__proto__')
    expect(hub.groups()).toEqual(['__proto__'])
  })

  test('above maxGroupsPerConnection join throws a RangeError, and the connection stays in its groups', () => {
    hub = new Hub({ limits: { maxGroupsPerConnection: 2 } })
    const { socket } = open()
    hub.join(socket, '1')
    hub.join(socket, '2')
    expect(() => hub.join(socket, '3')).toThrow('at most 2 groups, hubLimits.maxGroupsPerConnection')
    expect(hub.join(socket, '2')).toBe(true)
    expect(hub.groups()).toEqual(['1', '2'])
    hub.leave(socket, '1')
    expect(hub.join(socket, '3')).toBe(true)
  })

  test('send throws for wrong data and options, even if the group has no members', () => {
    expect(() => hub.group('dogs').send(5 as never)).toThrow(TypeError)
    expect(() => hub.group('dogs').send('x', { expect: [] } as never)).toThrow(
      'options has no option "expect"',
    )
  })
})

describe('broadcast', () => {
  test('broadcast reaches the given connections except those of `except`, with the same frame', async () => {
    const all = [open(), open(), open()]
    const sockets = new Set(all.map(({ socket }) => socket))
    expect(hub.broadcast(sockets, 'x', { except: all[0]!.socket })).toEqual({
      sent: 2,
      dropped: 0,
      failed: 0,
    })
    expect(await texts(all[0]!.wire)).toEqual([])
    await nextTurn()
    expect(all[1]!.wire.written).toEqual(frame({ opcode: OP.TEXT, payload: 'x' }))
  })

  test('broadcast reaches those that were open at its beginning, even if connections open meanwhile', () => {
    const sockets = new Set([open().socket, open().socket])
    const filter = (): boolean => {
      sockets.add(open().socket)
      return true
    }
    expect(hub.broadcast(sockets, 'x', { filter })).toEqual({ sent: 2, dropped: 0, failed: 0 })
  })
})

describe('connections', () => {
  test('set gives a connection a name, which get, has, size and names show until delete', () => {
    const { socket } = open()
    const { connections } = hub
    expect(connections.set('ann', socket)).toBe(true)
    expect(connections.set('ann', socket, { onConflict: 'reject' })).toBe(true)
    expect([connections.get('ann'), connections.get('bob')]).toEqual([socket, undefined])
    expect([connections.has('ann'), connections.has('bob'), connections.size]).toEqual([true, false, 1])
    connections.set('too', socket)
    expect(connections.names()).toEqual(['ann', 'too'])
    expect([connections.delete('ann'), connections.delete('ann')]).toEqual([true, false])
    expect([connections.names(), socket.readyState]).toEqual([['too'], 1])
  })

  test("onConflict 'replace' is the default: the previous connection loses the name and stays open", async () => {
    const [a, b] = [open(), open()]
    hub.connections.set('ann', a.socket)
    expect(hub.connections.set('ann', b.socket)).toBe(true)
    expect([hub.connections.get('ann'), a.socket.readyState]).toEqual([b.socket, 1])
    hub.forget(a.socket)
    expect(hub.connections.get('ann')).toBe(b.socket)
    expect(await texts(a.wire)).toEqual([])
  })

  test("onConflict 'reject' throws a NameTakenError, and changes nothing", () => {
    const [a, b] = [open().socket, open().socket]
    hub.connections.set('ann', a)
    const set = (): boolean => hub.connections.set('ann', b, { onConflict: 'reject' })
    expect(set).toThrow(NameTakenError)
    expect(set).toThrow(expect.objectContaining({ code: 'HAWSER_NAME_TAKEN', connectionName: 'ann' }))
    expect(hub.connections.get('ann')).toBe(a)
    void a.close(1000)
    expect(set()).toBe(true)
  })

  test("onConflict 'closePrevious' closes the previous connection with 1000", async () => {
    const [a, b] = [open(), open()]
    hub.connections.set('ann', a.socket)
    hub.connections.set('ann', b.socket, { onConflict: 'closePrevious' })
    expect(hub.connections.get('ann')).toBe(b.socket)
    expect(await texts(a.wire)).toEqual(['close 1000 replaced by another connection'])
  })

  test('send reaches the connection of a name, and throws an UnknownConnectionError for an unknown name', async () => {
    const { socket, wire } = open()
    hub.connections.set('ann', socket)
    expect(hub.connections.send('ann', 'hello')).toBe(true)
    expect(await texts(wire)).toEqual(['hello'])
    expect(() => hub.connections.send('bob', 'x')).toThrow(UnknownConnectionError)
    expect(() => hub.connections.send('bob', 'x')).toThrow(
      expect.objectContaining({ code: 'HAWSER_UNKNOWN_CONNECTION', connectionName: 'bob' }),
    )
    expect(() => hub.connections.send('ann', 7 as never)).toThrow(TypeError)
    void socket.close(1000)
    expect(() => hub.connections.send('ann', 'x')).toThrow(UnknownConnectionError)
  })

  test('close closes the connection of a name, and takes the name away at once', async () => {
    const { socket, wire } = open()
    hub.connections.set('ann', socket)
    expect(hub.connections.close('ann', 4002, 'bye')).toBe(true)
    expect([hub.connections.size, hub.connections.close('ann')]).toEqual([0, false])
    expect(await texts(wire)).toEqual(['close 4002 bye'])
    expect(() => hub.connections.close('ann', 1006)).toThrow(RangeError)
  })

  test('connections throws for wrong names, sockets and options', () => {
    hub = new Hub({ owns: (socket) => socket instanceof HubSocket, limits: { maxNamesPerConnection: 1 } })
    const { socket } = open()
    const { connections } = hub
    for (const call of ['get', 'has', 'delete', 'close'] as const) {
      expect(() => connections[call](1 as never)).toThrow('name must be a string, not 1')
      expect(() => connections[call]('')).toThrow(RangeError)
    }
    expect(() => connections.set('ann', null as never)).toThrow('socket must be a connection of this server')
    expect(() => connections.set('ann', {} as never)).toThrow(TypeError)
    expect(() => connections.set('ann', socket, { onConflict: 'keep' } as never)).toThrow(
      "onConflict must be 'replace', 'reject' or 'closePrevious', not \"keep\"",
    )
    expect(() => connections.set('ann', socket, { conflict: 'replace' } as never)).toThrow(TypeError)
    expect(() => connections.set('ann', socket, null as never)).toThrow(TypeError)
    connections.set('ann', socket)
    expect(() => connections.set('bob', socket)).toThrow('hubLimits.maxNamesPerConnection')
    expect(connections.names()).toEqual(['ann'])
  })
})

describe('the options of a hub', () => {
  test('are checked: a wrong one throws with its name, value and range', () => {
    expect(() => new Hub({ limits: { maxGroups: 1 } as never })).toThrow(
      'hubLimits has no option "maxGroups"',
    )
    expect(() => new Hub({ limits: { maxNameLength: 0 } })).toThrow(
      'hubLimits.maxNameLength must be an integer from 1',
    )
    expect(() => new Hub({ limits: null as never })).toThrow(TypeError)
    expect(() => new Hub({ limit: {} } as never)).toThrow('HubOptions has no option "limit"')
    expect(new Hub({ limits: { maxNameLength: false, maxNamesPerConnection: undefined } }).groups()).toEqual(
      [],
    )
  })

  test('docs/groups.md has every limit and its default', () => {
    const page = readFileSync(path.join(__dirname, '../../../docs/groups.md'), 'utf8')
    for (const [name, value] of Object.entries(HUB_LIMITS)) {
      expect(page).toMatch(new RegExp(`^\\| \`${name}\` +\\| ${value} +\\|`, 'm'))
    }
  })
})
