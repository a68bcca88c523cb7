/** Recovery of missed messages over real sockets, in one process. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { MessageChannel } from 'node:worker_threads'
import { createClient } from 'redis'
import {
  accept,
  connect,
  PreparedMessage,
  WebSocketServer,
  type CloseInfo,
  type ServerOptions,
  type ServerSocket,
} from '../../src/index.js'
import {
  BackplaneRelay,
  memoryBackplane,
  workerBackplane,
  type Backplane,
} from '../../src/backplane/index.js'
import { redisBackplane } from '../../src/brokers/redis.js'
import { json } from '../../src/json/index.js'
import {
  memoryHistory,
  type GroupPosition,
  type HistoryStore,
  type RecoveryEvent,
} from '../../src/recovery/index.js'
import { numbered, TestHistory, until } from '../helpers/recovery-world.js'
import { serve, stopServing } from '../helpers/serving.js'

const clients: { terminate(): void }[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate()
  stopServing()
})

const recovery = (more: object = {}): NonNullable<ServerOptions['recovery']> => ({
  history: memoryHistory(),
  groups: ['room:*'],
  ...more,
})

const joining = {
  onOpen: (socket: ServerSocket) => {
    socket.join('room:1')
  },
  onTextMessage: (_: unknown, text: string) => `echo ${text}`,
}

const QUICK = { minDelayMs: 0, maxDelayMs: 5 }

/** A client that reconnects at once, reads one by one, and knows its position. */
async function openClient(url: string, more: object = {}) {
  const events: RecoveryEvent[] = []
  const socket = await connect(url, {
    reconnect: QUICK,
    recovery: { onRecovered: (event) => events.push(event) },
    ...more,
  })
  clients.push(socket)
  return { socket, events }
}

const hasPosition = (socket: { positions(): readonly unknown[] }): Promise<void> =>
  until(() => socket.positions().length > 0, 'the first position')

async function read(socket: { receive(): Promise<string | Buffer> }, count: number): Promise<string[]> {
  const got: string[] = []
  while (got.length < count) got.push(String(await socket.receive()))
  return got
}

function cutAll(server: WebSocketServer): void {
  for (const one of server.sockets) one.terminate()
}

const hasMembers = (server: WebSocketServer, count: number): Promise<void> =>
  until(() => server.group('room:1').size === count, `${String(count)} members`)

describe('a client with recovery that reads its messages one by one', () => {
  it('gets what was published while it was away, once and in order, and is told how much', async () => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    const { socket, events } = await openClient(url)
    const room = server.group('room:1')
    await hasMembers(server, 1)
    await hasPosition(socket)
    for (const text of ['a', 'b']) await room.publish(text)
    expect(await read(socket, 2)).toEqual(['a', 'b'])
    cutAll(server)
    for (const text of ['c', 'd', 'e']) await room.publish(text)
    expect(await read(socket, 3)).toEqual(['c', 'd', 'e'])
    await room.publish('f')
    expect(await read(socket, 1)).toEqual(['f'])
    expect(events).toEqual([{ group: 'room:1', recovered: true, count: 3 }])
    expect(socket.positions()).toMatchObject([{ group: 'room:1', offset: 6 }])
    expect(server.stats().recovery).toMatchObject({
      ...{ groups: 1, members: 1, published: 6, failed: 0, recovered: 1, lost: 0, replayed: 3 },
      ...{ gaps: 0, errors: 0, pendingBytes: 0 },
    })
  })

  it('gets what it had received and not read from the next connection, if it never reads it from the first', async () => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    const { socket } = await openClient(url)
    await hasPosition(socket)
    let next = 0
    // Only the last two lost connections keep what is unread.
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 5; i++) await server.group('room:1').publish(`m${String(next++)}`)
      cutAll(server)
      await hasMembers(server, 1)
    }
    expect(await read(socket, 30)).toEqual(numbered(30))
  })

  it('gives the same to a loop, and to several calls that wait at once', async () => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    const { socket } = await openClient(url)
    await hasMembers(server, 1)
    const waiting = [socket.receive(), socket.receive(), socket.receive()]
    for (const text of numbered(3)) await server.group('room:1').publish(text)
    expect(await Promise.all(waiting)).toEqual(numbered(3))
    const looped: (string | Buffer)[] = []
    for (const text of numbered(3, 3)) await server.group('room:1').publish(text)
    for await (const message of socket) {
      looped.push(message)
      if (looped.length === 2) cutAll(server)
      if (looped.length === 3) break
    }
    expect(looped).toEqual(numbered(3, 3))
  })

  it('goes on in another process with the positions that it kept', async () => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    const first = await openClient(url)
    await hasMembers(server, 1)
    await server.group('room:1').publish('a')
    expect(await read(first.socket, 1)).toEqual(['a'])
    const kept = JSON.parse(JSON.stringify(first.socket.positions())) as GroupPosition[]
    await first.socket.close(1000)
    await server.group('room:1').publish('b')
    const events: RecoveryEvent[] = []
    const second = await connect(url, {
      recovery: { positions: kept, onRecovered: (event) => events.push(event) },
    })
    clients.push(second)
    expect(await read(second, 1)).toEqual(['b'])
    await until(() => events.length === 1, 'the outcome')
    expect(events).toEqual([{ group: 'room:1', recovered: true, count: 1 }])
  })

  it('has a codec for what is inside', async () => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    const { socket } = await openClient(url, { codec: json() })
    await hasMembers(server, 1)
    await server.group('room:1').publish('{"n":1}')
    expect(await socket.receive()).toEqual({ n: 1 })
  })
})

describe('messages of a connection with recovery', () => {
  it('arrive as they are sent: text, bytes, empty ones and prepared ones, both ways', async () => {
    const { server, url } = await serve(
      {
        onOpen: (socket) => {
          socket.join('room:1')
          socket.send('')
          socket.send(new Uint8Array(0))
          socket.send('0text')
          socket.send(Uint8Array.of(49, 50))
          socket.send(new PreparedMessage('prepared'))
          socket.sendJson({ a: 1 })
        },
        onMessage: (_, message) => message,
      },
      { recovery: recovery() },
    )
    const { socket } = await openClient(url)
    const got: unknown[] = []
    for (let i = 0; i < 6; i++) got.push(await socket.receive())
    expect(got).toEqual(['', Buffer.alloc(0), '0text', Buffer.from('12'), 'prepared', '{"a":1}'])
    for (const message of ['', Buffer.alloc(0), 'ü', Buffer.from([1, 2, 3])]) {
      socket.send(message)
      expect(await socket.receive()).toEqual(message)
    }
    await socket.write(new Float64Array([1.5]))
    const bytes = (await socket.receive()) as Buffer
    expect(new Float64Array(bytes.buffer, bytes.byteOffset, 1)[0]).toBe(1.5)
    server.group('room:1').send('to many')
    server.broadcast(Uint8Array.of(7))
    expect(await read(socket, 1)).toEqual(['to many'])
    expect(await socket.receive()).toEqual(Buffer.of(7))
    await server.group('room:1').publish(Uint8Array.of(8))
    await server.group('room:1').publish(new PreparedMessage('published'), { compress: false })
    expect(await socket.receive()).toEqual(Buffer.of(8))
    expect(await socket.receive()).toBe('published')
  })

  it('may have the full size of maxMessageBytes', async () => {
    const limits = { maxMessageBytes: 1000 }
    const { server, url } = await serve(joining, { recovery: recovery(), limits })
    const { socket } = await openClient(url, { limits: { maxMessageBytes: 1005 }, perMessageDeflate: false })
    await hasMembers(server, 1)
    socket.send('x'.repeat(1000))
    expect(await socket.receive()).toBe(`echo ${'x'.repeat(1000)}`)
    await server.group('room:1').publish('y'.repeat(1005))
    expect(await socket.receive()).toBe('y'.repeat(1005))
    const over = until(() => server.stats().errors === 1, 'the error')
    socket.send('x'.repeat(1100))
    await over
  })

  it('tell their group and position to onPublished', async () => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    const seen: unknown[] = []
    const more = { recovery: { onPublished: (message: unknown) => seen.push(message) } }
    const { socket } = await openClient(url, more)
    await hasPosition(socket)
    const position = await server.group('room:1').publish('a')
    server.group('room:1').send('b')
    expect(await read(socket, 2)).toEqual(['a', 'b'])
    expect(seen).toEqual([{ group: 'room:1', position, data: 'a' }])
  })
})

describe('a member without the subprotocol of recovery', () => {
  it('gets what is published as plain messages, while others get it with positions', async () => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    const plain = await connect(url)
    clients.push(plain)
    const { socket } = await openClient(url)
    await hasMembers(server, 2)
    for (const text of numbered(3)) await server.group('room:1').publish(text)
    expect(await read(plain, 3)).toEqual(numbered(3))
    expect(await read(socket, 3)).toEqual(numbered(3))
    expect(plain.positions()).toEqual([])
    expect(server.stats().recovery).toMatchObject({ groups: 1, members: 1 })
  })
})

describe('the subprotocol of recovery', () => {
  const offered = async (protocols: readonly string[], options: ServerOptions, service: object = {}) => {
    const { url } = await serve({ ...joining, ...service }, options)
    const socket = await connect(url, { protocols })
    clients.push(socket)
    return socket.protocol
  }

  it.each([
    [['chat+hawser.recovery', 'chat'], ['chat'], 'chat+hawser.recovery'],
    [['chat', 'chat+hawser.recovery'], ['chat'], 'chat+hawser.recovery'],
    [['news+hawser.recovery', 'news', 'chat'], ['chat'], 'chat'],
    [['hawser.recovery'], [], 'hawser.recovery'],
    [['hawser.recovery'], ['chat'], 'hawser.recovery'],
    [['chat+hawser.recovery', 'chat'], [], ''],
  ])('is chosen of %j by a server with %j: %s', async (offers, protocols, chosen) => {
    expect(await offered(offers, { recovery: recovery(), protocols })).toBe(chosen)
  })

  it('is not chosen by a server without recovery', async () => {
    expect(await offered(['chat+hawser.recovery', 'chat'], { protocols: ['chat'] })).toBe('chat')
    expect(await offered(['hawser.recovery'], {})).toBe('')
  })

  it('is around what a function or a decision of the application chooses, which sees its own names', async () => {
    const seen: unknown[] = []
    const protocols = (names: readonly string[]): string | undefined => {
      seen.push(names)
      return names[0]
    }
    const offers = ['chat+hawser.recovery', 'chat', 'news']
    expect(await offered(offers, { recovery: recovery(), protocols })).toBe('chat+hawser.recovery')
    expect(seen).toEqual([['chat', 'news']])
    const onUpgrade = () => accept({ protocol: 'chat' })
    expect(await offered(offers, { recovery: recovery() }, { onUpgrade })).toBe('chat+hawser.recovery')
  })

  it('is chosen for a service with quotas too', async () => {
    const offers = ['chat+hawser.recovery', 'chat']
    const quotas = { messagesPerSecond: 10 }
    expect(await offered(offers, { recovery: recovery(), protocols: ['chat'], quotas })).toBe(offers[0])
  })

  it('does not show in socket.protocol of either side where recovery is on', async () => {
    let seen = ''
    const { url } = await serve(
      { onOpen: (socket) => void (seen = socket.protocol) },
      { recovery: recovery(), protocols: ['chat'] },
    )
    const { socket } = await openClient(url, { protocols: ['chat'] })
    expect(socket.protocol).toBe('chat')
    expect(seen).toBe('chat')
  })
})

describe('a client whose server has no recovery any more', () => {
  it('is told, group by group', async () => {
    const { url } = await serve(joining)
    const positions = ['room:1', 'room:2'].map((group) => ({ group, epoch: 'e', offset: 5 }))
    const events: RecoveryEvent[] = []
    const socket = await connect(url, { recovery: { positions, onRecovered: (event) => events.push(event) } })
    clients.push(socket)
    expect(events).toEqual(positions.map(({ group }) => ({ group, recovered: false, reason: 'unsupported' })))
    socket.send('hello')
    expect(await socket.receive()).toBe('echo hello')
    expect(socket.positions()).toEqual([])
  })
})

describe('positions', () => {
  it('give no right to a group that the application does not join the connection to', async () => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    await server.group('room:secret').publish('secret')
    const socket = await connect(url, {
      recovery: { positions: [{ group: 'room:secret', epoch: 'e', offset: 0 }] },
    })
    clients.push(socket)
    await hasMembers(server, 1)
    await server.group('room:1').publish('public')
    expect(await socket.receive()).toBe('public')
    expect(server.stats().recovery).toMatchObject({ groups: 1, recovered: 0, lost: 0 })
  })

  it('are used by a group that the application joins later', async () => {
    const { server, url } = await serve(
      {
        onTextMessage: (socket, text) => {
          socket.join(text)
        },
      },
      { recovery: recovery() },
    )
    const room = server.group('room:9')
    const { epoch } = await room.publish('a')
    await room.publish('b')
    const events: RecoveryEvent[] = []
    const socket = await connect(url, {
      recovery: {
        positions: [{ group: 'room:9', epoch, offset: 1 }],
        onRecovered: (event) => events.push(event),
      },
    })
    clients.push(socket)
    socket.send('room:9')
    expect(await socket.receive()).toBe('b')
    await until(() => events.length === 1, 'the outcome')
    expect(events).toEqual([{ group: 'room:9', recovered: true, count: 1 }])
  })

  it('are forgotten when the connection leaves the group, and begin anew when it joins again', async () => {
    const { server, url } = await serve(
      {
        ...joining,
        onTextMessage: (socket, text) => {
          if (text === 'leave') socket.leave('room:1')
          else socket.join('room:1')
          return text
        },
      },
      { recovery: recovery() },
    )
    const { socket, events } = await openClient(url)
    await server.group('room:1').publish('a')
    expect(await read(socket, 1)).toEqual(['a'])
    socket.send('leave')
    expect(await read(socket, 1)).toEqual(['leave'])
    expect(socket.positions()).toEqual([])
    await server.group('room:1').publish('b')
    socket.send('join')
    expect(await read(socket, 1)).toEqual(['join'])
    await server.group('room:1').publish('c')
    expect(await read(socket, 1)).toEqual(['c'])
    expect(events).toEqual([])
  })

  it.each([
    ['an epoch that is not that of the history', { epoch: 'other', offset: 1 }, 'epoch'],
    ['an offset after the newest message', { offset: 1000 }, 'ahead'],
  ])('with %s are answered with a reason, and the client goes on', async (_what, change, reason) => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    const room = server.group('room:1')
    const position = await room.publish('a')
    const events: RecoveryEvent[] = []
    const outcomes: unknown[] = []
    const hear = (outcome: unknown): void => void outcomes.push(outcome)
    subscribe('hawser:recovery', hear)
    const socket = await connect(url, {
      recovery: {
        positions: [{ group: 'room:1', ...position, ...change }],
        onRecovered: (event) => events.push(event),
      },
    })
    clients.push(socket)
    const told = socket.receive()
    await until(() => server.stats().recovery?.lost === 1, 'the outcome')
    await room.publish('b')
    expect(await told).toBe('b')
    unsubscribe('hawser:recovery', hear)
    expect(events).toEqual([{ group: 'room:1', recovered: false, reason }])
    expect(outcomes).toMatchObject([{ group: 'room:1', recovered: false, reason }])
    expect(socket.positions()).toMatchObject([{ offset: 2 }])
  })
})

/** A client without recovery that speaks the subprotocol by hand. */
async function byHand(url: string): Promise<Awaited<ReturnType<typeof connect>>> {
  const socket = await connect(url, { protocols: ['hawser.recovery'] })
  clients.push(socket)
  return socket
}

describe('a client that breaks the subprotocol', () => {
  const many = Array.from({ length: 1001 }, (_, i) => [`g${String(i)}`, 'e', 1])
  const after = '2{"positions":[]}'

  it.each<[string, (string | Buffer)[], number]>([
    ['sends a message of the application first', ['0hello'], 1007],
    ['sends an empty message first', [''], 1007],
    ['sends empty bytes first', [Buffer.alloc(0)], 1007],
    ['sends its positions as bytes', [Buffer.from(after)], 1007],
    ['sends what is not JSON', ['2{'], 1007],
    ['sends JSON that is not an object', ['2null'], 1007],
    ['sends no positions', ['2{}'], 1007],
    ['sends positions that are not a list', ['2{"positions":{"room:1":1}}'], 1007],
    ['sends a position that is not a list', ['2{"positions":["room:1"]}'], 1007],
    ['sends a position with too little', ['2{"positions":[["room:1","e"]]}'], 1007],
    ['sends a position with an empty name', ['2{"positions":[["","e",1]]}'], 1007],
    ['sends a position with a number for an epoch', ['2{"positions":[["room:1",1,1]]}'], 1007],
    ['sends a negative offset', ['2{"positions":[["room:1","e",-1]]}'], 1007],
    ['sends half an offset', ['2{"positions":[["room:1","e",1.5]]}'], 1007],
    ['sends an offset that is not safe', ['2{"positions":[["room:1","e",1e300]]}'], 1007],
    ['sends a group twice', ['2{"positions":[["room:1","e",1],["room:1","e",1]]}'], 1007],
    ['sends too many positions', [`2${JSON.stringify({ positions: many })}`], 1008],
    [
      'sends a name that is too long',
      [`2${JSON.stringify({ positions: [['x'.repeat(257), 'e', 1]] })}`],
      1008,
    ],
    [
      'sends an epoch that is too long',
      [`2${JSON.stringify({ positions: [['x', 'e'.repeat(65), 1]] })}`],
      1008,
    ],
    ['sends a control message that is too long', [`2${' '.repeat(128 * 1024)}{"positions":[]}`], 1008],
    ['sends its positions twice', [after, after], 1007],
    ['sends a published message', [after, '11,1,x'], 1007],
    ['sends an unknown prefix', [after, 'x'], 1007],
    ['sends an empty message', [after, ''], 1007],
    ['sends an unknown prefix in bytes', [after, Buffer.of(0)], 1007],
  ])('and %s is closed, the service hears it, and the server lives', async (_what, messages, code) => {
    const errors: string[] = []
    const { server, url } = await serve(
      { ...joining, onError: (_, error) => errors.push((error as { code?: string }).code ?? error.message) },
      { recovery: recovery() },
    )
    const socket = await byHand(url)
    for (const message of messages) socket.send(message)
    const info: CloseInfo = await socket.closed
    expect([info.code, info.reason.startsWith('recovery: ')]).toEqual([code, true])
    expect(errors).toEqual(['HAWSER_INVALID_MESSAGE'])
    const other = await openClient(url)
    other.socket.send('still there')
    expect(await other.socket.receive()).toBe('echo still there')
    expect(server.stats().errors).toBe(1)
  })
})

describe('a server that breaks the subprotocol', () => {
  const begin = '2{"group":"room:1","id":1,"epoch":"e","offset":4}'

  it.each<[string, (string | Buffer)[]]>([
    ['sends an empty message', ['']],
    ['sends an unknown prefix', ['x']],
    ['sends control bytes', [Buffer.from(begin)]],
    ['sends a published message of an unknown group', ['11,5,x']],
    ['sends no header', [begin, '1']],
    ['sends a header without a comma', [begin, '11']],
    ['sends a header with letters', [begin, '1a,5,x']],
    ['sends a header with too many digits', [begin, `1${'1'.repeat(17)},5,x`]],
    ['sends an offset that is not safe', [begin, `11,${'9'.repeat(16)},x`]],
    ['sends the offset 0', [begin, '11,0,x']],
    ['leaves a message out', [begin, '11,6,x']],
    ['sends what is not JSON', ['2[']],
    ['sends JSON that is not an object', ['21']],
    ['sends a group without an id', ['2{"group":"room:1","epoch":"e","offset":4}']],
    ['sends an id that is not a number', ['2{"group":"room:1","id":"1","epoch":"e","offset":4}']],
    ['sends a group without an epoch', ['2{"group":"room:1","id":1,"offset":4}']],
    ['sends an outcome of an unknown group', ['2{"id":7,"recovered":true,"count":1}']],
    ['sends an outcome without a count', [begin, '2{"id":1,"recovered":true}']],
    [
      'sends a loss without a reason',
      ['2{"group":"room:1","id":1,"epoch":"e","offset":4,"recovered":false}'],
    ],
    ['sends an outcome that is neither', ['2{"group":"room:1","id":1,"epoch":"e","offset":4,"recovered":1}']],
    ['sends a group that is no name', ['2{"left":5}']],
  ])('and %s is closed with 1007', async (_what, messages) => {
    const ended: number[] = []
    const { url } = await serve(
      {
        onOpen: (socket) => {
          for (const message of messages) socket.send(message)
        },
        onClose: (_, { code }) => ended.push(code),
      },
      { protocols: ['hawser.recovery'] },
    )
    for (const more of [{}, { handlers: { onMessage: () => undefined } }]) {
      const socket = await connect(url, { recovery: true, ...more })
      clients.push(socket)
      const reading = 'handlers' in more ? undefined : socket.receive()
      await reading?.catch(() => undefined)
      expect((await socket.closed).code).toBe(1007)
    }
    await until(() => ended.length === 2, 'both ends')
    expect(ended).toEqual([1007, 1007])
  })
})

describe('a caller that is wrong', () => {
  const server = (options: object = recovery()): WebSocketServer =>
    new WebSocketServer({ recovery: options } as ServerOptions)

  it('is told at once by publish', async () => {
    const { server: alone } = await serve(joining)
    expect(() => alone.group('room:1').publish('x')).toThrow(
      new TypeError('publish needs the option recovery of the server, with "room:1" among its groups'),
    )
    const group = server().group('room:1')
    expect(() => server().group('hall').publish('x')).toThrow(
      new TypeError('group must be one of recovery.groups to be published to, not "hall"'),
    )
    expect(() => group.publish(5 as never)).toThrow(TypeError)
    expect(() => group.publish('x', { compress: 1 as never })).toThrow(
      new TypeError('compress must be true or false, not 1'),
    )
    expect(() => group.publish('x', { except: 1 } as never)).toThrow('options has no option "except"')
    expect(() => group.publish('x', {}, ...([1] as unknown as []))).toThrow('takes no further argument')
    const closed = server()
    await closed.close()
    await expect(closed.group('room:1').publish('x')).rejects.toMatchObject({
      code: 'HAWSER_INVALID_STATE',
      message: 'the server is closed',
    })
  })

  it.each<[object, string]>([
    [
      { history: undefined },
      'recovery.history must be a store such as memoryHistory(), redisHistory({ client }) or',
    ],
    [{ maxConcurrentReads: 0 }, 'recovery.maxConcurrentReads must be an integer from 1 to Infinity, not 0'],
    [{ history: { append: () => 1 } }, 'recovery.history must be'],
    [{ groups: undefined }, 'recovery.groups must be a list of one or more names and patterns'],
    [
      { groups: [] },
      "recovery.groups must be a list of one or more names and patterns such as 'room:*', or a function, not an empty list",
    ],
    [{ groups: [5] }, 'recovery.groups[0] must be a name or a pattern, not 5'],
    [{ groups: 'room:*' }, 'recovery.groups must be a list of one or more names and patterns'],
  ])('of recovery with %j is told at once', (change, message) => {
    expect(() => server({ ...recovery(), ...change })).toThrow(message)
  })

  it('of connect is told at once', () => {
    const call = (given: unknown) => () => connect('ws://localhost:1', { recovery: given as true })
    expect(call(5)).toThrow(new TypeError('recovery must be true, false or an object, not 5'))
    expect(call({ positions: {} })).toThrow('recovery.positions must be a list of positions')
    const one = { group: 'a', epoch: 'e', offset: 1 }
    for (const [entry, message] of [
      [5, ' must be { group, epoch, offset }, as positions() gives it, not 5'],
      [{ ...one, group: '' }, '.group must be the name of a group, not ""'],
      [{ ...one, epoch: 7 }, '.epoch must be text of 1 to 64 characters, not 7'],
      [{ group: 'a', epoch: 'e' }, '.offset must be an integer from 0 to 9007199254740991, not undefined'],
      [{ ...one, offset: -1 }, '.offset must be an integer from 0 to 9007199254740991, not -1'],
    ] as const) {
      expect(call({ positions: [entry] })).toThrow(`recovery.positions[0]${message}`)
    }
    expect(call({ positions: [one, { ...one, group: 'b' }, one] })).toThrow(
      new TypeError(
        'recovery.positions[2].group must be in the list once, not "a" as in recovery.positions[0]',
      ),
    )
    expect(call({ maxPositionsBytes: 10 })).toThrow('recovery.maxPositionsBytes must be an integer from 1024')
    expect(call({ positions: [{ ...one, group: 'x'.repeat(1000) }], maxPositionsBytes: 1024 })).toThrow(
      new RangeError(
        'recovery.positions must take at most 1024 bytes, recovery.maxPositionsBytes, and 1 take more',
      ),
    )
    expect(call({ positions: Array(1001).fill(one) })).toThrow(RangeError)
    expect(call({ onRecovered: 1 })).toThrow('recovery.onRecovered must be a function, not 1')
  })

  it('whose function of groups throws or is async is told: by publish at once, else by onError', async () => {
    const errors: string[] = []
    const groups = (name: string): boolean => {
      if (name === 'room:1') throw new Error('no idea')
      return Promise.resolve(true) as unknown as boolean
    }
    const options = { recovery: recovery({ groups }), onError: (error: Error) => errors.push(error.message) }
    const { server: odd, url } = await serve(joining, options)
    expect(() => odd.group('room:1').publish('x')).toThrow('no idea')
    expect(() => odd.group('room:2').publish('x')).toThrow('recovery.groups must return true or false')
    await openClient(url)
    await hasMembers(odd, 1)
    expect(errors).toEqual(['no idea'])
  })

  it('whose onRecovered throws is told by onError, and the client goes on', async () => {
    const { server: live, url } = await serve(joining, { recovery: recovery() })
    const errors: string[] = []
    const got: unknown[] = []
    const { epoch } = await live.group('room:1').publish('a')
    const socket = await connect(url, {
      recovery: {
        positions: [{ group: 'room:1', epoch, offset: 0 }],
        onRecovered: () => {
          throw new Error('mine')
        },
      },
      handlers: {
        onMessage: (_, message) => void got.push(message),
        onError: (_, error) => errors.push(error.message),
      },
    })
    clients.push(socket)
    await until(() => errors.length === 1, 'the error')
    expect([errors, got]).toEqual([['mine'], ['a']])
  })
})

describe('a history that is not shared', () => {
  const stub = (more: Partial<Backplane> = {}): Backplane & { receive(envelope: unknown): void } => {
    let take: (envelope: unknown) => void = () => undefined
    return {
      start: (_node, receive) => void (take = receive),
      publish: () => true,
      watch: () => undefined,
      unwatch: () => undefined,
      close: () => undefined,
      receive: (envelope) => {
        take(envelope)
      },
      ...more,
    }
  }
  const ended: WebSocketServer[] = []
  afterEach(() => {
    for (const server of ended.splice(0)) server.terminate()
  })

  it('is refused where the backplane leads to other processes, if it is in memory', () => {
    const make = (backplane: Backplane, history: HistoryStore) => () =>
      ended.push(new WebSocketServer({ backplane, recovery: recovery({ history }) }))
    const message = 'recovery.history must be a store that all processes share, such as redisHistory'
    const client = createClient()
    const { port1 } = new MessageChannel()
    for (const backplane of [
      redisBackplane(client),
      workerBackplane(port1),
      stub({ reachesOtherProcesses: true }),
    ]) {
      expect(make(backplane, memoryHistory())).toThrow(TypeError)
      expect(make(backplane, memoryHistory())).toThrow(message)
    }
    port1.close()
    expect(make(stub({ reachesOtherProcesses: true }), new TestHistory())).not.toThrow()
    expect(make(stub(), memoryHistory())).not.toThrow()
    expect(make(memoryBackplane(new BackplaneRelay()), memoryHistory())).not.toThrow()
  })

  it('is reported once when another node publishes to another one, and one that is shared is not', async () => {
    const relay = new BackplaneRelay()
    const history = memoryHistory()
    const errors: string[] = []
    const node = async (given: HistoryStore) => {
      const { server, url } = await serve(joining, {
        backplane: memoryBackplane(relay),
        recovery: recovery({ history: given }),
        onError: ({ message }) => errors.push(message),
      })
      const { socket } = await openClient(url)
      await hasPosition(socket)
      return { server, socket }
    }
    const [a, b] = [await node(history), await node(history)]
    await until(() => a.server.group('room:1').sizeEverywhere === 2, 'both members')
    await a.server.group('room:1').publish('shared')
    expect(await read(b.socket, 1)).toEqual(['shared'])
    expect(errors).toEqual([])
    const c = await node(memoryHistory())
    await until(() => c.server.group('room:1').sizeEverywhere === 3, 'all members')
    for (let i = 0; i < 3; i++) await a.server.group('room:1').publish(String(i))
    await until(() => errors.length > 0, 'the error')
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatch(
      /^another node publishes to a history that is not this one: recovery\.history must be/,
    )
    relay.close()
  })
})

describe('a store that two servers share', () => {
  it('is closed with the second of them, and serves it until then', async () => {
    const history = new TestHistory()
    const first = await serve(joining, { recovery: recovery({ history }) })
    const second = await serve(joining, { recovery: recovery({ history }) })
    await first.server.close()
    expect(history.closed).toBe(0)
    expect(await second.server.group('room:1').publish('x')).toMatchObject({ offset: 1 })
    await second.server.close()
    expect(history.closed).toBe(1)
  })
})

describe('a history that fails', () => {
  it('makes publish reject, is reported once, and bounds what waits for it', async () => {
    const history = new TestHistory()
    const errors: string[] = []
    const options = { history, historyTimeoutMs: 50, maxPendingBytes: 100 }
    const { server } = await serve(joining, {
      recovery: recovery(options),
      onError: (error) => errors.push(error.message),
    })
    const room = server.group('room:1')
    history.state = 'down'
    for (let i = 0; i < 3; i++) await expect(room.publish('x')).rejects.toThrow('no connection to the store')
    expect(errors).toEqual(['the history failed: no connection to the store'])
    history.state = 'stalled'
    const first = room.publish('x'.repeat(60))
    const failed = first.catch((error: unknown) => (error as Error).message)
    expect(server.stats().recovery?.pendingBytes).toBe(60)
    await expect(room.publish('x'.repeat(60))).rejects.toMatchObject({
      code: 'HAWSER_PUBLISH_QUEUE_FULL',
      message: 'the history is slow: more than 100 bytes wait for it, recovery.maxPendingBytes',
    })
    expect(await failed).toBe('the history failed: history.append did not answer within 50 ms')
    expect(server.stats().recovery).toMatchObject({ failed: 5, pendingBytes: 0, errors: 4 })
    history.state = 'up'
    expect((await room.publish('x')).offset).toBe(1)
    await server.close()
    expect(history.closed).toBe(1)
  })

  it('bounds also empty messages that wait for it', async () => {
    const history = new TestHistory()
    const { server } = await serve(joining, {
      recovery: recovery({ history, historyTimeoutMs: 50, maxPendingBytes: 2_000 }),
      onError: () => undefined,
    })
    history.state = 'stalled'
    const publishes = Array.from({ length: 100 }, () => server.group('room:1').publish(''))
    await Promise.allSettled(publishes)
    expect(history.calls.append).toBeGreaterThan(1)
    expect(history.calls.append).toBeLessThan(10)
  })

  it('that answers nonsense does no harm', async () => {
    const answers: unknown[] = [null, 5, {}, { epoch: '', offset: 1 }, { epoch: 'e', offset: 0 }]
    for (const answer of answers) {
      const { server, url } = await serve(joining, {
        recovery: recovery({ history: { append: () => answer, read: () => answer } }),
        onError: () => undefined,
      })
      await expect(server.group('room:1').publish('x')).rejects.toThrow('gave what is not an answer')
      const { socket } = await openClient(url)
      socket.send('hello')
      expect(await socket.receive()).toBe('echo hello')
    }
  })

  it('that never gives what it says to have is reported once, and read less and less often', async () => {
    const errors: string[] = []
    let reads = 0
    const read = async () => {
      reads++
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      return { epoch: 'e', newest: reads === 1 ? 0 : 5, oldest: 1, messages: [] }
    }
    const { server, url } = await serve(joining, {
      recovery: recovery({ history: { append: () => ({ epoch: 'e', offset: 5 }), read } }),
      onError: (error) => errors.push(error.message),
    })
    const { socket } = await openClient(url)
    await hasPosition(socket)
    await server.group('room:1').publish('x')
    await until(() => (server.stats().recovery?.errors ?? 0) >= 4, 'four vain reads')
    expect(reads).toBeLessThan(10)
    expect(errors).toEqual(['the history failed: history.read gave what is not an answer'])
  })

  it('that cannot be read in time makes a member go on with a reason', async () => {
    const history = new TestHistory()
    const { server, url } = await serve(joining, {
      recovery: recovery({ history, historyTimeoutMs: 40 }),
      onError: () => undefined,
    })
    const holder = await openClient(url)
    await hasPosition(holder.socket)
    const room = server.group('room:1')
    const { epoch } = await room.publish('a')
    await room.publish('b')
    history.state = 'down'
    const events: RecoveryEvent[] = []
    const got: unknown[] = []
    const socket = await connect(url, {
      recovery: {
        positions: [{ group: 'room:1', epoch, offset: 1 }],
        onRecovered: (event) => events.push(event),
      },
      handlers: { onMessage: (_, message) => void got.push(message) },
    })
    clients.push(socket)
    await until(() => events.length === 1, 'the outcome')
    expect(events).toEqual([{ group: 'room:1', recovered: false, reason: 'unavailable' }])
    history.state = 'up'
    await room.publish('c')
    await until(() => got.length === 1, 'the next message')
    expect(got).toEqual(['c'])
  })

  it('that cannot be read while it is appended to keeps no published message from a member that came back', async () => {
    const inner = new TestHistory()
    let isReadable = false
    const history: HistoryStore = {
      append: (...all) => inner.append(...all),
      read: (...all) => (isReadable ? inner.read(...all) : Promise.reject(new Error('no reads'))),
    }
    const limits = { maxMessages: 10, maxAgeMs: 60_000 }
    const { epoch } = await history.append('room:1', 'a', limits)
    await history.append('room:1', 'missed', limits)
    const { server, url } = await serve(joining, {
      recovery: recovery({ history, historyTimeoutMs: 40 }),
      onError: () => undefined,
    })
    const events: unknown[] = []
    const socket = await connect(url, {
      recovery: {
        positions: [{ group: 'room:1', epoch, offset: 1 }],
        onRecovered: (event) => events.push(event),
      },
      handlers: { onMessage: (_, message) => void events.push(message) },
    })
    clients.push(socket)
    await until(() => server.stats().recovery?.members === 1, 'the member')
    await server.group('room:1').publish('live')
    await until(() => events.length === 2, 'the outcome and the message')
    expect(events).toEqual([{ group: 'room:1', recovered: false, reason: 'unavailable' }, 'live'])
    isReadable = true
    await server.group('room:1').publish('next')
    await until(() => events.length === 3, 'the next message')
    expect(events[2]).toBe('next')
  })
})
