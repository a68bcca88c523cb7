/** The positions of clients: how they are sent, how long they are kept, and how much of them. */
import { connect, type ServerOptions, type ServerSocket } from '../../src/index.js'
import { memoryHistory, type GroupPosition, type RecoveryEvent } from '../../src/recovery/index.js'
import { timerWheel, type Timed } from '../../src/transport/timer-wheel.js'
import { until } from '../helpers/recovery-world.js'
import { serve, stopServing } from '../helpers/serving.js'

const clients: { terminate(): void }[] = []
afterEach(() => {
  jest.restoreAllMocks()
  for (const client of clients.splice(0)) client.terminate()
  stopServing()
})

const GROUPS = Array.from({ length: 300 }, (_, i) => `room:${String(i)} ${'é'.repeat(100)}`)

const recovery = (): NonNullable<ServerOptions['recovery']> => ({
  history: memoryHistory(),
  groups: ['room:*'],
})

async function openClient(url: string, more: object = {}) {
  const events: RecoveryEvent[] = []
  const socket = await connect(url, {
    reconnect: { minDelayMs: 0, maxDelayMs: 5 },
    recovery: { onRecovered: (event) => events.push(event), ...more },
    handlers: { onMessage: () => undefined },
  })
  clients.push(socket)
  return { socket, events }
}

/** A client of the subprotocol, without what Hawser's own does. */
async function byHand(url: string) {
  const socket = await connect(url, { protocols: ['hawser.recovery'] })
  clients.push(socket)
  return socket
}

const inGroups = (groups: readonly string[]) => ({
  onOpen: (socket: ServerSocket) => {
    for (const group of groups) socket.join(group)
  },
  onTextMessage: (socket: ServerSocket, group: string) => void socket.join(group),
})

/** The waits for positions, with their times in milliseconds, and all that were cancelled. */
function watchTimers() {
  const waiting: [Timed, number][] = []
  const { schedule, cancel } = timerWheel
  jest.spyOn(timerWheel, 'schedule').mockImplementation((timed, at) => {
    waiting.push([timed, at - performance.now()])
    schedule.call(timerWheel, timed, at)
  })
  const cancelled: Timed[] = []
  jest.spyOn(timerWheel, 'cancel').mockImplementation((timed) => {
    cancelled.push(timed)
    cancel.call(timerWheel, timed)
  })
  const ofPositions = (): [Timed, number][] =>
    waiting.filter(([timed]) => timed.constructor.name === 'UnusedPositions')
  return { ofPositions, cancelled }
}

describe('the positions of a client', () => {
  it.each<[string, ServerOptions & { readonly output?: number }]>([
    ['without quotas', {}],
    ['with quotas that are lower than their number', { quotas: { messagesPerSecond: 1, messageBurst: 1 } }],
    ['to a limit of output that is low', { output: 1024 }],
  ])('of 300 groups reach a server whose maxMessageBytes is 1 KiB, %s', async (_, { output, ...more }) => {
    const { server, url } = await serve(inGroups(GROUPS), {
      recovery: recovery(),
      limits: { maxMessageBytes: 1024 },
      ...more,
    })
    const limits = output === undefined ? {} : { limits: { maxBufferedOutputBytes: output } }
    const events: RecoveryEvent[] = []
    const socket = await connect(url, {
      reconnect: { minDelayMs: 0, maxDelayMs: 5 },
      recovery: { onRecovered: (event) => events.push(event) },
      handlers: { onMessage: () => undefined },
      ...limits,
    })
    clients.push(socket)
    await until(() => socket.positions().length === 300, 'all positions')
    for (const one of server.sockets) one.terminate()
    for (const group of GROUPS) await server.group(group).publish('missed')
    await until(() => events.length === 300, 'all outcomes')
    expect(events.filter((event) => !event.recovered)).toEqual([])
    expect(server.stats()).toMatchObject({ errors: 0, opened: 2 })
  })

  it('of 50 groups reach a server whose maxMessageBytes is 512', async () => {
    const groups = Array.from({ length: 50 }, (_, i) => `room:${String(i)}`)
    const { server, url } = await serve(inGroups(groups), {
      recovery: recovery(),
      limits: { maxMessageBytes: 512 },
    })
    const { socket, events } = await openClient(url)
    await until(() => socket.positions().length === 50, 'all positions')
    for (const one of server.sockets) one.terminate()
    for (const group of groups) await server.group(group).publish('missed')
    await until(() => events.length === 50, 'all outcomes')
    expect(events.filter((event) => !event.recovered)).toEqual([])
    expect(server.stats()).toMatchObject({ errors: 0, opened: 2 })
  })

  it('may come in several messages of any client, and those of the application after the last of them', async () => {
    const { server, url } = await serve(inGroups(['room:a', 'room:b']), { recovery: recovery() })
    const { epoch: a } = await server.group('room:a').publish('x')
    const { epoch: b } = await server.group('room:b').publish('y')
    const socket = await byHand(url)
    socket.send(`2${JSON.stringify({ positions: [['room:a', a, 0]], more: true })}`)
    socket.send(`2${JSON.stringify({ positions: [['room:b', b, 0]] })}`)
    const got: string[] = []
    while (got.length < 6) got.push(String(await socket.receive()))
    expect(got.filter((text) => text.startsWith('1')).map((text) => text.split(',')[2])).toEqual(['x', 'y'])
    socket.send('0room:c')
    expect(await socket.receive()).toContain('"group":"room:c"')
  })

  it('that never end, or say too much, close the connection, and quotas do not hold them up before', async () => {
    const { server, url } = await serve(inGroups([]), { recovery: recovery() })
    const endless = await byHand(url)
    endless.send('2{"positions":[],"more":true}')
    expect(await endless.closed).toMatchObject({ code: 1007 })
    const long = await byHand(url)
    for (let i = 0; i < 1001; i++) long.send(`2{"positions":[["${String(i)}","e",1]],"more":true}`)
    expect(await long.closed).toMatchObject({ code: 1008 })
    await until(() => server.connectionCount === 0, 'the end of both')
  })

  it('of which the last message does not come are dropped after a minute, and the connection is closed', async () => {
    const { url } = await serve(inGroups([]), { recovery: recovery() })
    const { ofPositions, cancelled } = watchTimers()
    const half = '2{"positions":[["room:a","e",1]],"more":true}'
    const [slow, gone, whole] = [await byHand(url), await byHand(url), await byHand(url)]
    slow.send(half)
    await until(() => ofPositions().length === 1, 'the half of them')
    const [timed, ms] = ofPositions()[0] as [Timed, number]
    expect(ms).toBeGreaterThan(59_000)
    timed.timeIsUp(0)
    expect(await slow.closed).toMatchObject({ code: 1008 })
    gone.send(half)
    await until(() => ofPositions().length === 2, 'the half of the next')
    gone.terminate()
    await until(() => cancelled.includes((ofPositions()[1] as [Timed, number])[0]), 'the end of the wait')
    // The end of the list begins a further minute, for groups that are joined later.
    whole.send(half)
    whole.send('2{"positions":[]}')
    await until(() => ofPositions().length === 4, 'the end of the list')
    const late = ofPositions()[3]?.[0]
    expect(late).toBe(ofPositions()[2]?.[0])
    late?.timeIsUp(0)
    whole.send('0room:b')
    expect(await whole.receive()).toContain('"group":"room:b"')
  })

  it('of groups that are not joined are forgotten after a minute, and with the connection', async () => {
    const { server, url } = await serve(inGroups([]), { recovery: recovery() })
    const { epoch } = await server.group('room:late').publish('a')
    await server.group('room:late').publish('b')
    const { ofPositions, cancelled } = watchTimers()
    const positions: GroupPosition[] = [{ group: 'room:late', epoch, offset: 1 }]
    const { socket, events } = await openClient(url, { positions })
    await until(() => ofPositions().length === 1, 'the positions')
    const [timed, ms] = ofPositions()[0] as [Timed, number]
    expect(ms).toBeGreaterThan(59_000)
    expect(ms).toBeLessThan(61_000)
    timed.timeIsUp(0)
    // It begins where the group is now, and its client is told that something is between.
    socket.send('room:late')
    await until(() => events.length === 1, 'the outcome')
    expect(events).toEqual([{ group: 'room:late', recovered: false, reason: 'joined' }])
    expect(server.stats().recovery).toMatchObject({ members: 1, recovered: 0 })
    const other = await openClient(url, { positions })
    await until(() => ofPositions().length === 2, 'the positions of the other')
    other.socket.terminate()
    await until(() => cancelled.includes((ofPositions()[1] as [Timed, number])[0]), 'the end of the wait')
  })
})

describe('a server that tells a client of ever more groups', () => {
  /** A server that speaks the subprotocol by itself. */
  async function hostile(tell: (socket: ServerSocket) => void): Promise<string> {
    const { url } = await serve({ onOpen: tell }, { protocols: ['hawser.recovery'] })
    return url
  }
  const begin = (i: number, length = 1000): string =>
    `2${JSON.stringify({ group: `${String(i)} ${'x'.repeat(length)}`, id: i, epoch: 'e', offset: 0 })}`

  it('is closed with 1008 when its groups take more than recovery.maxPositionsBytes', async () => {
    const url = await hostile((socket) => {
      for (let i = 1; i <= 100; i++) socket.send(begin(i))
    })
    const errors: string[] = []
    const socket = await connect(url, {
      recovery: { maxPositionsBytes: 20_000 },
      handlers: { onMessage: () => undefined, onError: (_, error) => errors.push(error.message) },
    })
    clients.push(socket)
    expect(await socket.closed).toMatchObject({ code: 1008 })
    expect(errors).toEqual([
      expect.stringContaining('more than 20000 bytes of positions, recovery.maxPositionsBytes') as string,
    ])
    expect(socket.positions()).toHaveLength(8)
  })

  it('and takes them away again, has no more of it: old ids are forgotten, and one of them is unknown', async () => {
    const url = await hostile((socket) => {
      for (let i = 1; i <= 200; i++) {
        socket.send(begin(i))
        if (i < 200) socket.send(`2${JSON.stringify({ left: `${String(i)} ${'x'.repeat(1000)}` })}`)
      }
      socket.send('1200,1,known')
      socket.send('11,1,forgotten')
    })
    const got: unknown[] = []
    const socket = await connect(url, {
      recovery: { maxPositionsBytes: 20_000 },
      handlers: { onMessage: (_, message) => void got.push(message) },
    })
    clients.push(socket)
    expect(await socket.closed).toMatchObject({ code: 1007 })
    expect(got).toEqual(['known'])
  })
})
