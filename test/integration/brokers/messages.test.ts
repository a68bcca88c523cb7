// slow: starts redis-server and nats-server
/** The backplane over real brokers, with each client. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { joined, serveNode, until, type BrokerNode } from '../../helpers/broker-nodes.js'
import {
  BROKERS,
  BrokerServers,
  closeLent,
  LENT_NATS,
  REDIS_5,
  SHARDED_REDIS,
  type BrokerClient,
} from '../../helpers/brokers.js'
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

/** What was changed leaves in the next turn of the event loop. */
async function nextTurns(): Promise<void> {
  for (let i = 0; i < 3; i++) await nextTurn()
}

const node = async (client: BrokerClient): Promise<BrokerNode> =>
  serveNode(await client.backplane(brokers.server(client).url, { prefix }))

const nodes = async (client: BrokerClient, count: number): Promise<BrokerNode[]> => {
  const all = await Promise.all(Array.from({ length: count }, () => node(client)))
  await joined(...all)
  return all
}

const ALL = [...BROKERS, REDIS_5, LENT_NATS]

it.each([...ALL, ...SHARDED_REDIS])(
  'text, bytes and broadcasts arrive once and in order: $name',
  async (broker) => {
    const [a, b] = (await nodes(broker, 2)) as [BrokerNode, BrokerNode]
    const { client, socket } = await b.open()
    socket.join('dogs')
    await until(() => a.server.group('dogs').sizeEverywhere === 1)
    const sent: (string | number[])[] = []
    for (let i = 0; i < 50; i++) {
      a.server.group('dogs').send(`wuff ${String(i)} 🐕`)
      a.server.group('dogs').send(new Uint8Array([i, 0, 255]))
      if (i % 10 === 0) a.server.broadcast(`all ${String(i)}`)
      sent.push(`wuff ${String(i)} 🐕`, [i, 0, 255], ...(i % 10 === 0 ? [`all ${String(i)}`] : []))
    }
    const got: unknown[] = []
    while (got.length < sent.length) {
      const message = await client.receive()
      got.push(typeof message === 'string' ? message : [...message])
    }
    expect(got).toEqual(sent)
    expect(a.server.backplaneStats).toMatchObject({ lost: 0, errors: 0, malformed: 0 })
    // Nor is what a node says of itself while its first connection is made.
    expect(b.server.backplaneStats).toMatchObject({ lost: 0 })
    expect([...a.errors, ...b.errors]).toEqual([])
  },
)

it.each([...ALL, ...SHARDED_REDIS])(
  'a group that is left and joined again before the broker answers is heard: $name',
  async (broker) => {
    const [a, b] = (await nodes(broker, 2)) as [BrokerNode, BrokerNode]
    const { client, socket } = await b.open()
    socket.join('dogs')
    await until(() => a.server.group('dogs').sizeEverywhere === 1)
    brokers.server(broker).freeze()
    for (let i = 0; i < 3; i++) {
      socket.leave('dogs')
      await nextTurns()
      socket.join('dogs')
      await nextTurns()
    }
    brokers.server(broker).thaw()
    // By the answer to this the changes of the group have taken effect: both go over the same connection.
    socket.join('cats')
    await until(() => a.server.group('cats').sizeEverywhere === 1)
    a.server.group('dogs').send('dogs')
    a.server.broadcast('all')
    expect([await client.receive(), await client.receive()]).toEqual(['dogs', 'all'])
  },
)

describe.each(ALL)('with $name', (broker) => {
  it('only nodes that have members subscribe to a group, and the messages of one turn are one message to the broker', async () => {
    const [a, b] = (await nodes(broker, 3)) as [BrokerNode, BrokerNode, BrokerNode]
    const admin = brokers.admin(broker)
    const members = [await b.open(), await b.open()]
    for (const { socket } of members) socket.join('dogs')
    await until(() => a.server.group('dogs').sizeEverywhere === 2)
    const subscribers = (): Promise<number> => admin.subscribers(prefix, 'dogs')
    expect(await subscribers()).toBe(1)
    const heard = await admin.listen(prefix, 'dogs')
    for (let i = 0; i < 20; i++) a.server.group('dogs').send(`wuff ${String(i)}`)
    for (const { client } of members) {
      for (let i = 0; i < 20; i++) expect(await client.receive()).toBe(`wuff ${String(i)}`)
    }
    expect(await heard()).toHaveLength(1)
    for (const { socket } of members) socket.leave('dogs')
    await until(() => a.server.group('dogs').sizeEverywhere === 0)
    while ((await subscribers()) > (broker.broker.name === 'redis' ? 1 : 0));
  })

  it('names, sizes and the end of a node are known everywhere, and a node that joins late is heard', async () => {
    const [a, b] = (await nodes(broker, 2)) as [BrokerNode, BrokerNode]
    const ann = await a.open()
    a.server.connections.set('ann', ann.socket)
    ann.socket.join('dogs')
    await until(() => b.server.connections.has('ann') && b.server.group('dogs').sizeEverywhere === 1)
    expect(b.server.connections.send('ann', 'you have mail')).toBe(true)
    expect(await ann.client.receive()).toBe('you have mail')
    const late = await node(broker)
    await until(() => late.server.connections.has('ann') && late.server.group('dogs').sizeEverywhere === 1)
    expect(await late.server.connections.deliver('ann', 'and an answer')).toBe('sent')
    expect(await ann.client.receive()).toBe('and an answer')
    const bob = await late.open()
    late.server.connections.set('bob', bob.socket)
    await until(() => a.server.connections.has('bob') && b.server.connections.has('bob'))
    await late.server.close()
    await until(() => !a.server.connections.has('bob') && b.server.backplaneStats?.nodes === 1)
    expect(b.server.connections.close('ann', 4000, 'enough')).toBe(true)
    expect(await ann.client.closed).toMatchObject({ code: 4000, reason: 'enough' })
    await until(() => b.server.group('dogs').sizeEverywhere === 0)
  })

  it('a group whose name is no UTF-8 is heard, and is not another one', async () => {
    const [a, b] = (await nodes(broker, 2)) as [BrokerNode, BrokerNode]
    const { client, socket } = await b.open()
    const groups = ['x\ud800', 'x\ud801', 'x\ufffd']
    for (const group of groups) socket.join(group)
    await until(() => groups.every((group) => a.server.group(group).sizeEverywhere === 1))
    for (const group of groups) a.server.group(group).send(JSON.stringify(group))
    const heard = [await client.receive(), await client.receive(), await client.receive()]
    expect(heard.sort()).toEqual(groups.map((group) => JSON.stringify(group)).sort())
  })

  it('a message, and then the end of its group in the same turn, arrive in this order', async () => {
    const [a, b] = (await nodes(broker, 2)) as [BrokerNode, BrokerNode]
    const { client, socket } = await b.open()
    socket.join('dogs')
    await until(() => a.server.group('dogs').sizeEverywhere === 1)
    a.server.broadcast('first')
    a.server.group('dogs').send('second')
    a.server.group('dogs').close(4001, 'over')
    expect([await client.receive(), await client.receive()]).toEqual(['first', 'second'])
    expect(await client.closed).toMatchObject({ code: 4001, reason: 'over' })
  })
})
