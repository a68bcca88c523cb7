// slow: starts a redis-server, its replica and a sentinel, and kills the first
/** A failover by Redis Sentinel while clients publish: the application's client follows the master, and so does Hawser. */
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { redisBackplane, redisHistory } from '../../../src/brokers/redis.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { FailoverWorld, type Brokered } from '../../helpers/failover-world.js'

const NAME = 'hawser'
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  stopBrokers()
})

jest.setTimeout(120_000)

/** A master, a replica that has all that it has, and a sentinel that knows both. */
async function startSentinel(): Promise<{ readonly master: BrokerServer; readonly sentinel: BrokerServer }> {
  const master = await BrokerServer.redis('--repl-diskless-sync-delay', '0')
  const replica = await BrokerServer.redis('--replicaof', '127.0.0.1', String(master.port))
  const admin = await createClient({ url: replica.url }).connect()
  while (!(await admin.sendCommand<string>(['INFO', 'replication'])).includes('master_link_status:up'));
  admin.destroy()
  const sentinel = await BrokerServer.sentinel(NAME, master)
  const asking = await createClient({ url: sentinel.url }).connect()
  while (
    !JSON.stringify(await asking.sendCommand(['SENTINEL', 'REPLICAS', NAME])).includes(String(replica.port))
  );
  asking.destroy()
  return { master, sentinel }
}

it('a master that is killed: members get what is published to the next one, miss nothing silently, and nothing twice', async () => {
  const { master, sentinel } = await startSentinel()
  const options = {
    sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
    name: NAME,
    sentinelRetryStrategy: () => 50,
  }
  const over = (): Brokered => {
    const client = new Redis(options).on('error', () => undefined)
    closing.push(() => {
      client.disconnect()
    })
    const lazy = new Redis({ ...options, lazyConnect: true }).on('error', () => undefined)
    return { backplane: redisBackplane(lazy), history: redisHistory({ client }) }
  }
  const world = new FailoverWorld()
  closing.push(() => {
    world.end()
  })
  await world.add(over())
  await world.add(over())
  world.begin()
  await world.more(200)
  const before = new Set([...world.kept.values()].map(({ epoch }) => epoch))
  await master.kill()
  await world.more(1)
  await world.more(200)
  const epoch = await world.settle()
  for (const member of world.members) {
    expect([world.missing(member, epoch), world.disorder(member), world.lies(member)]).toEqual([[], [], []])
    // A replica that was late begins a new epoch, and members hear of it.
    const reasons = member.events.map((event) => (event.recovered ? 'recovered' : event.reason))
    if (!before.has(epoch)) expect(reasons).toContain('epoch')
  }
  expect([...before]).toHaveLength(1)
  expect(
    [...new Set(world.refused.values())].filter((code) => !/^HAWSER_(NOT|MAYBE)_PUBLISHED$/.test(code)),
  ).toEqual([])
})
