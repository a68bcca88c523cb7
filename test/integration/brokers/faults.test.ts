// slow: starts, kills and stops redis-server and nats-server
/** The backplane over a broker that ends, stalls, loses its data, is cut off, or is something else. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { isConnected, joined, serveNode, until, type BrokerNode } from '../../helpers/broker-nodes.js'
import {
  BROKERS,
  BrokerServers,
  closeLent,
  LENT_NATS,
  REDIS_5,
  type BrokerClient,
} from '../../helpers/brokers.js'
import { FIELDS } from '../../helpers/channel-docs.js'
import { FaultProxy } from '../../helpers/fault-proxy.js'
import { stopHubs } from '../../helpers/hub-server.js'

const brokers = new BrokerServers()
beforeAll(() => brokers.start())
afterAll(() => brokers.stop())
afterEach(async () => {
  await stopHubs()
  await closeLent()
})

/** Each test has channels of its own. */
let prefixes = 0
let prefix = ''
beforeEach(() => {
  prefix = `test-${String(prefixes++)}`
})

type Pair = readonly [BrokerNode, BrokerNode]

async function pair(
  broker: BrokerClient,
  options: object = {},
  { url } = brokers.server(broker) as { readonly url: string },
): Promise<Pair> {
  const make = async (): Promise<BrokerNode> => serveNode(await broker.backplane(url, { prefix, ...options }))
  const nodes = [await make(), await make()] as const
  await joined(...nodes)
  return nodes
}

/** Sends from one node until it arrives at the other: what is sent before it is connected again is lost. */
async function expectDelivery([a, b]: Pair): Promise<void> {
  const { client, socket } = await b.open()
  socket.join('again')
  let arrived: unknown
  void client.receive().then((message) => (arrived = message))
  await until(() => a.server.group('again').sizeEverywhere === 1)
  await until(() => {
    if (arrived === undefined) a.server.group('again').send('again')
    return arrived !== undefined
  })
  expect(arrived).toBe('again')
}

const NO_CONNECTION = /^the backplane has no connection to (redis|nats): /

/** For what does not depend on the client. */
const ONE_OF_EACH = BROKERS.filter(({ name }) => name === 'redis 6' || name === 'nats 3')

describe.each([...BROKERS, REDIS_5, LENT_NATS])('with $name', (broker) => {
  it('after the broker was killed and started again, all groups are heard again, and local delivery never ended', async () => {
    const nodes = await pair(broker)
    const server = brokers.server(broker)
    const [a, b] = nodes
    const [near, far] = [await a.open(), await b.open()]
    near.socket.join('dogs')
    far.socket.join('dogs')
    await until(() => a.server.group('dogs').sizeEverywhere === 2)
    const states: unknown[] = []
    const listener = (message: unknown): unknown => states.push(message)
    subscribe('hawser:backplane', listener)
    await server.kill()
    await until(() => !isConnected(a) && !isConnected(b))
    expect(a.server.group('dogs').send('near only')).toEqual({ sent: 1, dropped: 0, failed: 0 })
    expect(await near.client.receive()).toBe('near only')
    const { lost = 0 } = a.server.backplaneStats ?? {}
    expect(lost).toBeGreaterThan(0)
    await server.start()
    await until(() => isConnected(a) && isConnected(b))
    unsubscribe('hawser:backplane', listener)
    expect(states.filter((state) => (state as { isConnected: boolean }).isConnected)).toHaveLength(2)
    const fields = FIELDS.get('hawser:backplane')?.map(({ name }) => name)
    for (const state of states) expect(Object.keys(state as object)).toEqual(fields)
    expect(states).toContainEqual(
      expect.objectContaining({
        broker: broker.broker.name,
        isConnected: false,
        error: expect.any(Error) as unknown,
      }),
    )
    // The group that was joined before, over a subscription that nobody asked for again.
    a.server.group('dogs').send('both')
    expect(await far.client.receive()).toBe('both')
    expect(await near.client.receive()).toBe('both')
    expect(a.server.backplaneStats?.link).toMatchObject({ connects: 2 })
    // The end of the connection, and why it cannot be made again; not an error for each attempt.
    expect(a.errors.length).toBeLessThanOrEqual(4)
    expect(a.errors[0]?.message).toMatch(NO_CONNECTION)
    await expectDelivery(nodes)
  })

  it('a line that is cut, and one that goes dead without a word, are noticed and made again', async () => {
    const proxy = await FaultProxy.to(brokers.server(broker).port)
    try {
      const nodes = await pair(
        broker,
        { stallTimeoutMs: 500 },
        { url: `${broker.broker.name}://127.0.0.1:${String(proxy.port)}` },
      )
      const [a, b] = nodes
      for (const fault of ['cut', 'dead'] as const) {
        proxy[fault]()
        await until(() => !isConnected(a) && !isConnected(b))
        proxy.mend()
        await until(() => isConnected(a) && isConnected(b))
        await expectDelivery(nodes)
      }
      expect(a.errors.map(({ message }) => message).join()).toContain('500 ms')
    } finally {
      proxy.close()
    }
  })

  it('a broker that stalls takes at most maxQueuedBytes, and local delivery goes on', async () => {
    const maxQueuedBytes = 64 * 1024
    const nodes = await pair(broker, { maxQueuedBytes, stallTimeoutMs: 1000 })
    const [a, b] = nodes
    const { client, socket } = await a.open()
    socket.join('dogs')
    brokers.server(broker).freeze()
    const before = a.server.backplaneStats?.lost ?? 0
    for (let i = 0; i < 100; i++) {
      a.server.group('dogs').send('x'.repeat(4096))
      expect(a.server.backplaneStats?.link?.queuedBytes).toBeLessThanOrEqual(maxQueuedBytes)
      expect((await client.receive()).length).toBe(4096)
    }
    expect(a.server.backplaneStats?.lost).toBeGreaterThan(before)
    await until(() => !isConnected(a) && !isConnected(b))
    await until(() => a.server.backplaneStats?.link?.queuedBytes === 0)
    brokers.server(broker).thaw()
    await until(() => isConnected(a) && isConnected(b))
    await expectDelivery(nodes)
  })

  it('a broker that loses all data costs nothing that is announced', async () => {
    const nodes = await pair(broker)
    const [a, b] = nodes
    const ann = await a.open()
    a.server.connections.set('ann', ann.socket)
    await until(() => b.server.connections.has('ann'))
    await brokers.admin(broker).flush()
    expect(b.server.connections.send('ann', 'still here')).toBe(true)
    expect(await ann.client.receive()).toBe('still here')
    await expectDelivery(nodes)
  })
})

it.each([...BROKERS, REDIS_5])(
  'wrong credentials, no broker and a server of another protocol are errors that say so, and harm nothing: $name',
  async (broker) => {
    const { refusals, start, locked, name } = broker.broker
    const server = await start(...locked)
    const web = createServer((_request, response) => response.end('no')).listen(0, '127.0.0.1')
    await once(web, 'listening')
    const { port } = web.address() as AddressInfo
    for (const [url, message] of [
      [server.url, refusals.none],
      [server.url.replace('//', '//:wrong@'), refusals.wrong],
      [`${name}://127.0.0.1:1`, refusals.nothing],
      [`${name}://127.0.0.1:${String(port)}`, refusals.otherProtocol],
    ] as const) {
      const node = await serveNode(await broker.backplane(url, { prefix, stallTimeoutMs: 1000 }))
      await until(() => node.errors.length > 0)
      expect(node.errors[0]?.message).toMatch(message)
      expect(node.errors[0]?.message).toMatch(NO_CONNECTION)
      const { client, socket } = await node.open()
      socket.join('dogs')
      node.server.group('dogs').send('local')
      expect(await client.receive()).toBe('local')
      expect(isConnected(node)).toBe(false)
    }
    web.closeAllConnections()
    web.close()
    server.remove()
  },
)

it.each(ONE_OF_EACH)(
  'what is on the channels and is not ours is dropped and counted, whoever sent it: $name',
  async (broker) => {
    const nodes = await pair(broker, { maxMessageBytes: 256 * 1024 })
    const [a, b] = nodes
    const ann = await a.open()
    a.server.connections.set('ann', ann.socket)
    await until(() => b.server.connections.has('ann'))
    const json = (text: string, kind = 0, payload = ''): Buffer => {
      const head = Buffer.alloc(9)
      head[0] = kind
      head.writeUInt32BE(Buffer.byteLength(text), 1)
      head.writeUInt32BE(Buffer.byteLength(payload), 5)
      return Buffer.concat([Buffer.from('HWB\x01B', 'latin1'), head, Buffer.from(text + payload)])
    }
    const other = (more: object): string => JSON.stringify({ version: 1, from: 'x', to: null, ...more })
    const bad = [
      Buffer.alloc(0),
      Buffer.from('PING'),
      Buffer.from('HWB\x02B', 'latin1'),
      Buffer.from('HWB\x01B\x00\xff\xff\xff\xff\xff\xff\xff\xff', 'latin1'),
      Buffer.from('HWB\x01B\x09\x00\x00\x00\x00\x00\x00\x00\x00', 'latin1'),
      json('[]'),
      json('{"__proto__":{"polluted":true}}'),
      json('{"version":1'),
      json(other({ version: 2, kind: 'alive', sequence: 0 })),
      json(other({ kind: 'constructor' })),
      json(other({ kind: 'group', group: 'dogs', compress: true })),
      json(other({ kind: 'broadcast', path: null, compress: 'yes' }), 1, 'x'),
      Buffer.alloc(300 * 1024, 'HWB'),
    ]
    // A probe of another node is not one of ours, and ours are not guessed.
    await brokers.admin(broker).publishToAll(prefix, [...bad, Buffer.from('HWB\x01Pnonsense', 'latin1')])
    await until(
      () =>
        a.server.backplaneStats?.malformed === bad.length &&
        b.server.backplaneStats?.malformed === bad.length,
    )
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    expect([isConnected(a), isConnected(b), a.errors, b.errors]).toEqual([true, true, [], []])
    expect(b.server.connections.send('ann', 'fine')).toBe(true)
    expect(await ann.client.receive()).toBe('fine')
  },
)

it.each(ONE_OF_EACH)(
  'a message that is larger than maxMessageBytes is not sent, counts as lost, and is an error that says so: $name',
  async (broker) => {
    const [a] = await pair(broker, { maxMessageBytes: 2048 })
    const { lost = 0 } = a.server.backplaneStats ?? {}
    a.server.group('dogs').send('x'.repeat(3000))
    expect(a.server.backplaneStats).toMatchObject({ lost: lost + 1, errors: 1 })
    expect(a.errors[0]?.message).toMatch(/^an envelope of 3\d{3} bytes is larger than .*2048 bytes$/)
  },
)
