// slow: starts redis-server
/** The backplane over a real redis-server, with each client. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createClient } from 'redis'
import { createClient as createClient4 } from 'redis4'
import { redisBackplane } from '../../../src/brokers/redis.js'
import { joined, serveNode, until, type BrokerNode } from '../../helpers/broker-nodes.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { stopHubs } from '../../helpers/hub-server.js'
import { REDIS_CLIENTS } from '../../helpers/redis-clients.js'

let redis: BrokerServer
beforeAll(async () => {
  redis = await BrokerServer.redis()
})
afterAll(stopBrokers)
afterEach(stopHubs)

/** What was changed leaves in the next turn of the event loop. */
async function nextTurns(): Promise<void> {
  for (let i = 0; i < 3; i++) await nextTurn()
}

/** Each test has channels of its own. */
let prefixes = 0
let prefix = ''
beforeEach(() => {
  prefix = `test-${String(prefixes++)}`
})

describe.each(REDIS_CLIENTS)('with %s', (_, makeClient) => {
  const nodes = async (count: number, sharded = false): Promise<BrokerNode[]> => {
    const all = await Promise.all(
      Array.from({ length: count }, () =>
        serveNode(redisBackplane(makeClient(redis.url), { prefix, sharded })),
      ),
    )
    await joined(...all)
    return all
  }

  it.each([false, true])(
    'text, bytes and broadcasts arrive once and in order (sharded: %p)',
    async (sharded) => {
      const [a, b] = (await nodes(2, sharded)) as [BrokerNode, BrokerNode]
      const { client, socket } = await b.open()
      socket.join('dogs')
      await until(() => a.server.group('dogs').sizeEverywhere === 1)
      const sent: (string | number[])[] = []
      const lostBefore = a.server.backplaneStats?.lost
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
      expect(a.server.backplaneStats).toMatchObject({ lost: lostBefore, errors: 0, malformed: 0 })
      expect([...a.errors, ...b.errors]).toEqual([])
    },
  )

  it('only nodes that have members subscribe to a group, and the messages of one turn are one message to the broker', async () => {
    const [a, b] = (await nodes(3)) as [BrokerNode, BrokerNode, BrokerNode]
    const channel = `${prefix}:group:dogs`
    const members = [await b.open(), await b.open()]
    for (const { socket } of members) socket.join('dogs')
    await until(() => a.server.group('dogs').sizeEverywhere === 2)
    const observer = createClient({ url: redis.url })
    await observer.connect()
    const subscribers = async () => (await observer.pubSubNumSub([channel]))[channel]
    expect(await subscribers()).toBe(1)
    const listening = await observer.duplicate().connect()
    const batches: Buffer[] = []
    await listening.subscribe(channel, (batch) => batches.push(batch), true)
    for (let i = 0; i < 20; i++) a.server.group('dogs').send(`wuff ${String(i)}`)
    for (const { client } of members) {
      for (let i = 0; i < 20; i++) expect(await client.receive()).toBe(`wuff ${String(i)}`)
    }
    await listening.ping()
    expect(batches.length).toBe(1)
    listening.destroy()
    for (const { socket } of members) socket.leave('dogs')
    await until(() => a.server.group('dogs').sizeEverywhere === 0)
    while ((await subscribers()) !== 0);
    observer.destroy()
  })

  it('names, sizes and the end of a node are known everywhere, and a node that joins late is heard', async () => {
    const [a, b] = (await nodes(2)) as [BrokerNode, BrokerNode]
    const ann = await a.open()
    a.server.connections.set('ann', ann.socket)
    ann.socket.join('dogs')
    await until(() => b.server.connections.has('ann') && b.server.group('dogs').sizeEverywhere === 1)
    expect(b.server.connections.send('ann', 'you have mail')).toBe(true)
    expect(await ann.client.receive()).toBe('you have mail')
    const late = await serveNode(redisBackplane(makeClient(redis.url), { prefix }))
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

  it.each([false, true])(
    'a group that is left and joined again before the broker answers is heard (sharded: %p)',
    async (sharded) => {
      const [a, b] = (await nodes(2, sharded)) as [BrokerNode, BrokerNode]
      const { client, socket } = await b.open()
      socket.join('dogs')
      await until(() => a.server.group('dogs').sizeEverywhere === 1)
      redis.freeze()
      for (let i = 0; i < 3; i++) {
        socket.leave('dogs')
        await nextTurns()
        socket.join('dogs')
        await nextTurns()
      }
      redis.thaw()
      // By the answer to this the changes of the group have taken effect: both go over the same connection.
      socket.join('cats')
      await until(() => a.server.group('cats').sizeEverywhere === 1)
      a.server.group('dogs').send('dogs')
      a.server.broadcast('all')
      expect([await client.receive(), await client.receive()]).toEqual(['dogs', 'all'])
    },
  )

  it('a group whose name is no UTF-8 is heard, and is not another one', async () => {
    const [a, b] = (await nodes(2)) as [BrokerNode, BrokerNode]
    const { client, socket } = await b.open()
    const groups = ['x\ud800', 'x\ud801', 'x\ufffd']
    for (const group of groups) socket.join(group)
    await until(() => groups.every((group) => a.server.group(group).sizeEverywhere === 1))
    for (const group of groups) a.server.group(group).send(JSON.stringify(group))
    for (const group of groups) expect(await client.receive()).toBe(JSON.stringify(group))
  })

  it('a message, and then the end of its group in the same turn, arrive in this order', async () => {
    const [a, b] = (await nodes(2)) as [BrokerNode, BrokerNode]
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

it('a client of redis 4 in legacyMode is taken as any other: only its settings are used', async () => {
  const make = () =>
    serveNode(redisBackplane(createClient4({ url: redis.url, legacyMode: true }), { prefix, sharded: true }))
  const [a, b] = [await make(), await make()]
  await joined(a, b)
  const { client, socket } = await b.open()
  socket.join('dogs')
  await until(() => a.server.group('dogs').sizeEverywhere === 1)
  a.server.group('dogs').send('heard')
  expect(await client.receive()).toBe('heard')
  expect([...a.errors, ...b.errors]).toEqual([])
})
