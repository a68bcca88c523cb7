/** Several hubs joined in memory, as servers of several processes are: groups, names and broadcasts of all nodes. */
import {
  BackplaneRelay,
  memoryBackplane,
  type Backplane,
  type BackplaneLinkStats,
  type Envelope,
} from '../../../src/backplane/index.js'
import { PreparedMessage } from '../../../src/connection/prepared-message.js'
import { NameTakenError, UnknownConnectionError } from '../../../src/errors.js'
import { SERVER_LIMITS } from '../../../src/limits.js'
import { OP, readFrames } from '../../helpers/frame-builder.js'
import { openMember, type HubSocket } from '../../helpers/hub-socket.js'
import { JoinedHub } from '../../helpers/joined-hub.js'
import { nextTurn, type MemoryDuplex } from '../../helpers/memory-duplex.js'

interface Opened {
  readonly socket: HubSocket
  readonly wire: MemoryDuplex
  readonly hub: JoinedHub
}

const hubs: JoinedHub[] = []
const opened: Opened[] = []
let relay: BackplaneRelay

beforeEach(() => {
  relay = new BackplaneRelay()
})
afterEach(async () => {
  for (const { socket } of opened.splice(0)) socket.terminate()
  await Promise.all(hubs.splice(0).map((hub) => hub.close()))
  relay.close()
})

function join(backplane: Backplane = memoryBackplane(relay), presenceTtlMs = 15_000): JoinedHub {
  const hub: JoinedHub = new JoinedHub({
    backplane,
    presenceTtlMs,
    reach: (path) =>
      path === '/empty' ? [] : opened.filter((one) => one.hub === hub).map(({ socket }) => socket),
  })
  hub.start()
  hubs.push(hub)
  return hub
}

function open(hub: JoinedHub): Opened {
  const one = { ...openMember(hub, SERVER_LIMITS, 'close'), hub }
  opened.push(one)
  return one
}

/** Waits until a condition holds: announcements arrive at no fixed time. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
}

const show = ({ wire }: Opened): string[] =>
  readFrames(wire.written).frames.map(({ opcode, text, payload, closeCode, closeReason }) => {
    if (opcode === OP.CLOSE) return `close ${closeCode} ${closeReason}`
    return opcode === OP.BINARY ? `bytes ${payload.toString('hex')}` : text
  })

const know = (...all: JoinedHub[]): Promise<void> =>
  until(() => all.every((hub) => hub.backplaneStats?.nodes === all.length - 1))

describe('a group with members in several nodes', () => {
  test('a message of text, of bytes or prepared reaches the members in all nodes, in order', async () => {
    const [a, b, c] = [join(), join(), join()]
    const [x, y, z] = [open(a), open(b), open(c)]
    a.join(x.socket, 'dogs')
    b.join(y.socket, 'dogs')
    c.join(z.socket, 'cats')
    await know(a, b, c)
    await until(() => a.group('dogs').sizeEverywhere === 2)
    const dogs = a.group('dogs')
    expect([dogs.size, dogs.members()]).toEqual([1, [x.socket]])
    expect(dogs.send('1')).toEqual({ sent: 1, dropped: 0, failed: 0 })
    dogs.send(Buffer.from([1, 2]), { except: x.socket })
    dogs.send(new PreparedMessage('3'))
    dogs.send(new PreparedMessage(new Uint8Array([4])), { except: x.socket })
    dogs.send('5', { compress: false })
    dogs.send('only here', { filter: () => true })
    dogs.send('6')
    for (const options of [null, 5, { expect: 1 }, { compress: 1 }, { except: 'x' }]) {
      expect(() => dogs.send('wrong', options as never)).toThrow(TypeError)
    }
    await until(() => show(y).includes('6'))
    expect(show(y)).toEqual(['1', 'bytes 0102', '3', 'bytes 04', '5', '6'])
    expect(show(x)).toEqual(['1', '3', '5', 'only here', '6'])
    expect(show(z)).toEqual([])
    // A node without members of the group does not receive its messages.
    expect(c.backplaneStats?.received).toBeLessThan(b.backplaneStats?.received ?? 0)
  })

  test('other nodes learn that a member left, and that a group has no members any more', async () => {
    const [a, b] = [join(), join()]
    const x = open(b)
    b.join(x.socket, 'dogs')
    await until(() => a.group('dogs').sizeEverywhere === 1)
    x.socket.terminate()
    await until(() => a.group('dogs').sizeEverywhere === 0)
    expect(a.groups()).toEqual([])
  })

  test('delete and close of a group reach the members in all nodes', async () => {
    const [a, b] = [join(), join()]
    const [x, y] = [open(b), open(b)]
    b.join(x.socket, 'dogs')
    b.join(y.socket, 'cats')
    await until(() => a.group('dogs').sizeEverywhere + a.group('cats').sizeEverywhere === 2)
    expect(a.group('dogs').delete()).toBe(true)
    expect(a.group('cats').close(4001, 'over')).toBe(0)
    await until(() => b.groups().length === 0)
    await nextTurn()
    expect([show(x), show(y)]).toEqual([[], ['close 4001 over']])
  })

  test('a broadcast reaches the connections of the same route in all nodes, or all connections', async () => {
    const [a, b] = [join(), join()]
    const x = open(b)
    await know(a, b)
    expect(a.broadcast([], '1', undefined, '/')).toEqual({ sent: 0, dropped: 0, failed: 0 })
    a.broadcast([], 'not to others', {}, '/empty')
    a.broadcast([], '2')
    await until(() => show(x).length === 2)
    expect(show(x)).toEqual(['1', '2'])
  })
})

describe('a named connection of another node', () => {
  test('can be found, sent to, closed, and its name taken away', async () => {
    const [a, b] = [join(), join()]
    const x = open(b)
    b.connections.set('ann', x.socket)
    b.connections.set('bea', x.socket)
    await until(() => a.connections.has('bea'))
    expect([a.connections.get('ann'), a.connections.size]).toEqual([undefined, 0])
    expect(a.connections.send('ann', 'hello')).toBe(true)
    expect(a.connections.delete('ann')).toBe(true)
    await until(() => !a.connections.has('ann'))
    expect(() => a.connections.send('ann', 'x')).toThrow(UnknownConnectionError)
    expect([a.connections.delete('ann'), a.connections.close('ann')]).toEqual([false, false])
    expect(a.connections.close('bea', 4002, 'bye')).toBe(true)
    await until(() => b.connections.size === 0)
    await nextTurn()
    expect(show(x)).toEqual(['hello', 'close 4002 bye'])
  })

  test('loses its name to a later claim, except that reject throws', async () => {
    const [a, b] = [join(), join()]
    const [x, y] = [open(a), open(b)]
    a.connections.set('ann', x.socket)
    await until(() => b.connections.has('ann'))
    expect(() => b.connections.set('ann', y.socket, { onConflict: 'reject' })).toThrow(NameTakenError)
    expect(b.connections.set('ann', y.socket)).toBe(true)
    await until(() => a.connections.size === 0)
    expect(a.connections.has('ann')).toBe(true)
    expect(x.socket.readyState).toBe(1)
    a.connections.set('ann', x.socket, { onConflict: 'closePrevious' })
    await until(() => show(y).length === 1)
    expect(show(y)).toEqual(['close 1000 replaced by another connection'])
    expect([a.connections.names(), b.connections.names()]).toEqual([['ann'], []])
  })

  test('keeps a name that several nodes set at once in one of them, and all agree on which', async () => {
    const all = [join(), join(), join()]
    await know(...all)
    for (const hub of all) hub.connections.set('ann', open(hub).socket)
    await until(() => all.filter((hub) => hub.connections.size === 1).length === 1)
    await until(() => all.every((hub) => hub.connections.has('ann')))
    all[0]!.connections.send('ann', 'x')
    all[1]!.connections.send('ann', 'y')
    const winner = opened.find(({ socket }) => all.some((hub) => hub.connections.get('ann') === socket))!
    await until(() => show(winner).length === 2)
    expect(show(winner)).toEqual(
      expect.arrayContaining([expect.stringContaining('x'), expect.stringContaining('y')]),
    )
  })
})

describe('the presence of nodes', () => {
  test('a node that joins later learns all names and groups, however many', async () => {
    const a = join()
    const x = open(a)
    for (let i = 0; i < 900; i++) a.join(x.socket, `group ${i}`)
    const sockets = Array.from({ length: 12 }, () => open(a).socket)
    for (let i = 0; i < 1200; i++) a.connections.set(`name ${i}`, sockets[i % 12]!)
    await nextTurn()
    const b = join()
    await until(() => b.connections.has('name 1199') && b.group('group 899').sizeEverywhere === 1)
    expect(b.connections.has('name 0')).toBe(true)
  })

  test('a node that closes is forgotten at once, and receives nothing more', async () => {
    const [a, b] = [join(), join()]
    b.connections.set('ann', open(b).socket)
    await until(() => a.connections.has('ann'))
    await b.close()
    await until(() => !a.connections.has('ann'))
    expect([a.backplaneStats?.nodes, relay.size]).toEqual([0, 1])
    expect(b.group('x').send('y')).toEqual({ sent: 0, dropped: 0, failed: 0 })
    await b.close()
    b.start()
    expect(relay.size).toBe(1)
  })

  test('a node that is silent is forgotten after presenceTtlMs', async () => {
    const silent = memoryBackplane(relay)
    const a = join(undefined, 60)
    let isMute = false
    const b = join(
      {
        start: (node, receive) => silent.start(node, receive),
        publish: (envelope) => isMute || silent.publish(envelope),
        watch: (group) => silent.watch(group),
        unwatch: (group) => silent.unwatch(group),
        close: () => silent.close(),
      },
      60,
    )
    b.connections.set('ann', open(b).socket)
    await until(() => a.connections.has('ann'))
    isMute = true
    await until(() => !a.connections.has('ann'))
    expect(a.backplaneStats?.nodes).toBe(0)
    isMute = false
    await until(() => a.connections.has('ann'))
  })

  test('a change that was lost on the way is asked for again', async () => {
    const lossy = memoryBackplane(relay)
    let losses = 0
    const a = join(undefined, 60)
    const b = join(
      {
        start: (node, receive) => lossy.start(node, receive),
        publish: (envelope) => {
          if (envelope.kind === 'changes' && losses++ < 1) return false
          return lossy.publish(envelope)
        },
        watch: (group) => lossy.watch(group),
        unwatch: (group) => lossy.unwatch(group),
        close: () => lossy.close(),
      },
      60,
    )
    b.connections.set('ann', open(b).socket)
    await until(() => a.connections.has('ann'))
    expect(b.backplaneStats?.lost).toBe(1)
  })
})

describe('a node whose backplane has no connection', () => {
  test('says nothing of itself and counts nothing as lost, until it is connected; messages are lost, and counted', () => {
    const link = { isConnected: false }
    const published: string[] = []
    let rejoined: () => void = () => undefined
    let receive: (envelope: unknown) => void = () => undefined
    const hub = join({
      start: (_node, given, again) => {
        receive = given
        rejoined = again ?? rejoined
      },
      publish: ({ kind }) => {
        published.push(kind)
        return link.isConnected
      },
      watch: () => undefined,
      unwatch: () => undefined,
      close: () => undefined,
      linkStats: () => link as BackplaneLinkStats,
    })
    expect(published).toEqual([])
    receive({ version: 1, from: 'other', to: null, kind: 'alive', sequence: 3 })
    expect(hub.backplaneStats).toMatchObject({ nodes: 1, published: 0, lost: 0 })
    hub.group('dogs').send('wuff')
    expect(hub.backplaneStats).toMatchObject({ published: 0, lost: 1 })
    link.isConnected = true
    rejoined()
    expect(published).toEqual(['group', 'alive'])
    expect(hub.backplaneStats).toMatchObject({ published: 1, lost: 1 })
  })
})

describe('what is not an envelope', () => {
  const bad: unknown[] = [
    null,
    5,
    'text',
    {},
    { version: 2, from: 'x', to: null, kind: 'left' },
    { version: 1, from: '', to: null, kind: 'left' },
    { version: 1, from: 'x', to: 3, kind: 'left' },
    { version: 1, from: 'x', to: null, kind: 'toString' },
    { version: 1, from: 'x', to: null, kind: 'group', group: '', payload: 'x', compress: true },
    { version: 1, from: 'x', to: null, kind: 'group', group: 'dogs', payload: [1], compress: true },
    { version: 1, from: 'x', to: null, kind: 'group', group: 'dogs', payload: 'x' },
    { version: 1, from: 'x', to: null, kind: 'broadcast', path: 1, payload: 'x', compress: true },
    { version: 1, from: 'x', to: null, kind: 'closeGroup', group: 'dogs', code: 1005, reason: '' },
    ...[
      ...[null, 5, {}, { epoch: 'e' }, { epoch: '', offset: 1 }, { epoch: 'e'.repeat(65), offset: 1 }],
      ...[
        { epoch: 'e', offset: 0 },
        { epoch: 'e', offset: -1 },
        { epoch: 'e', offset: '1' },
      ],
    ].map((position) => {
      const sent = { kind: 'group', group: 'dogs', payload: 'x', compress: true }
      return { version: 1, from: 'x', to: null, ...sent, position }
    }),
    { version: 1, from: 'x', to: null, kind: 'closeGroup', group: 'dogs', code: '1000', reason: '' },
    { version: 1, from: 'x', to: null, kind: 'closeNamed', name: 'ann', code: null, reason: 5 },
    { version: 1, from: 'x', to: null, kind: 'changes', sequence: -1, names: [], groups: [] },
    { version: 1, from: 'x', to: null, kind: 'changes', sequence: 1, names: {}, groups: [] },
    {
      version: 1,
      from: 'x',
      to: null,
      kind: 'changes',
      sequence: 1,
      names: [['ann', 'now', true]],
      groups: [],
    },
    // Clocks differ by less: every claim after these would have to be later still.
    ...[Number.MAX_SAFE_INTEGER, Date.now() + 25 * 60 * 60 * 1000].flatMap((time) => [
      {
        version: 1,
        from: 'x',
        to: null,
        kind: 'changes',
        sequence: 1,
        names: [['ann', time, true]],
        groups: [],
      },
      {
        version: 1,
        from: 'x',
        to: null,
        kind: 'snapshot',
        sequence: 1,
        part: 0,
        isLast: true,
        names: [['ann', time, true]],
        groups: [],
      },
    ]),
    { version: 1, from: 'x', to: null, kind: 'changes', sequence: 1, names: [], groups: [['dogs', -1]] },
    {
      version: 1,
      from: 'x',
      to: null,
      kind: 'changes',
      sequence: 1,
      names: [],
      groups: Array(1001).fill(['g', 1]),
    },
    { version: 1, from: 'x', to: null, kind: 'snapshot', sequence: 1, part: 0, names: [], groups: [] },
  ]

  test('is dropped and counted, and never throws', () => {
    let receive: (envelope: unknown) => void = () => undefined
    const published: Envelope[] = []
    const hub = join({
      start: (_, take) => (receive = take),
      publish: (envelope) => published.push(envelope) > 0,
      watch: () => undefined,
      unwatch: () => undefined,
      close: () => Promise.resolve(),
    })
    const { socket } = open(hub)
    hub.join(socket, 'dogs')
    for (const envelope of bad) receive(envelope)
    expect(hub.backplaneStats).toMatchObject({ malformed: bad.length, received: 0, nodes: 0 })
    expect(hub.group('dogs').size).toBe(1)
    // Its own envelopes, and those for other nodes, are ignored.
    receive({ ...published[0], kind: 'left' })
    receive({ version: 1, from: 'x', to: 'y', kind: 'left' })
    expect(hub.backplaneStats?.received).toBe(0)
  })

  test('what is not a backplane, a wrong presenceTtlMs and a backplane of another server throw', () => {
    expect(() => new JoinedHub({ backplane: {} as never })).toThrow(
      'backplane must be one of hawser/backplane',
    )
    expect(() => new JoinedHub({ presenceTtlMs: 1 })).toThrow(
      'presenceTtlMs must be a number from 10 to 2147483647',
    )
    const backplane = memoryBackplane(relay)
    join(backplane)
    expect(() => join(backplane)).toThrow('a backplane belongs to one server')
  })
})

describe('a backplane that fails', () => {
  const METHODS = ['start', 'publish', 'watch', 'unwatch', 'close'] as const
  type Method = (typeof METHODS)[number]

  /** A backplane one of whose methods fails. */
  function failing(method: Method, fail: () => unknown): Backplane {
    const failingMethod = { [method]: fail } as Partial<Backplane>
    return {
      start: () => undefined,
      publish: () => true,
      watch: () => undefined,
      unwatch: () => undefined,
      close: () => undefined,
      ...failingMethod,
    }
  }

  const rejecting = (): Promise<never> => Promise.reject(new Error('no broker'))
  const throwing = (): never => {
    throw new Error('no broker')
  }
  const odd = (): unknown => ({
    then: () => {
      throw new Error('no broker')
    },
  })

  async function use(hub: JoinedHub): Promise<void> {
    hub.start()
    const { socket } = open(hub)
    hub.join(socket, 'dogs')
    hub.leave(socket, 'dogs')
    hub.connections.set('ann', socket)
    await nextTurn()
    await hub.close()
    await nextTurn()
  }

  test.each(
    METHODS.flatMap((method) => [
      [method, 'rejects', rejecting] as const,
      [method, 'returns what throws when it is awaited', odd] as const,
      ...(method === 'start' ? [] : ([[method, 'throws', throwing]] as const)),
    ]),
  )('whose %s %s is reported and counted, and has no other effect', async (method, _, fail) => {
    const errors: string[] = []
    const hub = new JoinedHub({
      backplane: failing(method, fail),
      onError: (error) => errors.push(error.message),
    })
    await use(hub)
    expect(new Set(errors)).toEqual(new Set(['no broker']))
    const stats = hub.backplaneStats
    expect(stats?.errors).toBe(errors.length)
    if (method === 'publish') expect([stats?.published, stats?.lost]).toEqual([0, errors.length])
    else expect(errors.length).toBe(1)
  })

  test.each<[string, () => unknown, RegExp]>([
    ['throws', throwing, /^no broker$/],
    ['answers null', () => null, /^linkStats of a backplane must return an object, not null$/],
    ['answers nothing', () => undefined, /^linkStats of a backplane must return an object, not undefined$/],
    ['is async', rejecting, /^linkStats of a backplane must return an object, not a promise: it must not/],
    [
      'does not say it',
      () => ({ isConnected: 1 }),
      /^linkStats .* whose isConnected is true or false, not 1$/,
    ],
  ])('whose linkStats %s is as one without it, and that is reported once', async (_, fail, message) => {
    const errors: string[] = []
    let answer = fail
    const kinds: string[] = []
    const hub: JoinedHub = new JoinedHub({
      backplane: {
        ...failing('publish', ((envelope: Envelope) => kinds.push(envelope.kind) > 0) as never),
        linkStats: () => answer() as BackplaneLinkStats,
      },
      presenceTtlMs: 20,
      // Who hears of it may look at the statistics.
      onError: (error) => errors.push(`${error.message} ${String(hub.backplaneStats?.errors)}`),
    })
    hub.start()
    // Heartbeats ask for it.
    await until(() => kinds.length > 2)
    expect(hub.backplaneStats).toMatchObject({ link: null, errors: 1 })
    expect(errors).toHaveLength(1)
    expect(errors[0]?.replace(/ 1$/, '')).toMatch(message)
    const link = { isConnected: true }
    answer = () => link
    expect(hub.backplaneStats?.link).toBe(link)
    answer = fail
    expect(hub.backplaneStats).toMatchObject({ link: null, errors: 2 })
    await hub.close()
    expect([errors.length, hub.backplaneStats?.errors, kinds.at(-1)]).toEqual([2, 2, 'left'])
  })

  test.each([
    [false, 'false'],
    [true, 'true'],
    [undefined, 'undefined'],
    ['1', '"1"'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [{}, 'an object'],
  ])('whose names.claim answers %p gives the name to nobody', async (answer, shown) => {
    const released = jest.fn()
    const hub = join({
      ...failing('publish', () => true),
      names: { claim: () => Promise.resolve(answer as never), release: released, renew: () => undefined },
    })
    const { socket } = open(hub)
    for (const onConflict of ['reject', 'replace'] as const) {
      const claimed = hub.connections.claim('ann', socket, { onConflict })
      await expect(claimed).rejects.toThrow(
        new TypeError(
          `names.claim of a backplane must answer the time of the claim, or null if another one stands, not ${shown}`,
        ),
      )
    }
    expect(hub.connections.size).toBe(0)
    expect(released).not.toHaveBeenCalled()
  })

  test('whose start throws makes the start of the node throw, which then stays alone', async () => {
    const hub = new JoinedHub({ backplane: failing('start', throwing) })
    expect(() => {
      hub.start()
    }).toThrow('no broker')
    await use(hub)
    expect(hub.backplaneStats).toMatchObject({ published: 0, lost: 0, errors: 1 })
  })

  test('whose publish is async is counted by what its promises resolve to', async () => {
    const answers = [true, false]
    const hub = new JoinedHub({
      backplane: failing('publish', () => Promise.resolve(answers.shift() ?? true)),
    })
    await use(hub)
    expect(hub.backplaneStats).toMatchObject({ lost: 1, errors: 0 })
    expect(hub.backplaneStats?.published).toBeGreaterThan(0)
  })

  test('because its close never ends is waited for no longer than the caller says', async () => {
    const errors: string[] = []
    const hub = new JoinedHub({
      backplane: failing('close', () => new Promise(() => undefined)),
      onError: (error) => errors.push(error.message),
    })
    hub.start()
    await hub.close(5)
    expect(errors).toEqual(['the backplane did not close within 5 ms'])
  })
})
