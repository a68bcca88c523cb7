// slow: starts two redis-servers as a cluster
/** Histories in a Redis Cluster: those of different groups are in different shards. */
import { Cluster } from 'ioredis'
import { createCluster } from 'redis'
import { createCluster as createCluster4 } from 'redis4'
import { redisHistory } from '../../../src/brokers/redis.js'
import { stopBrokers, type BrokerServer } from '../../helpers/broker-server.js'
import type { OpenedRedis } from '../../helpers/history-clients.js'
import { LIMITS, newGroup, readAll, expectHistory } from '../../helpers/history-conformance.js'
import { redisClusterIsWhole, startRedisCluster } from '../../helpers/redis-cluster.js'

let servers: readonly BrokerServer[]
const start = async (): Promise<readonly BrokerServer[]> => {
  servers ??= await startRedisCluster()
  await redisClusterIsWhole(servers)
  return servers
}
afterAll(stopBrokers)

const CLIENTS: Readonly<Record<string, (nodes: readonly BrokerServer[]) => Promise<OpenedRedis>>> = {
  'a cluster of redis 6': async (nodes) => {
    const client = createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) })
    await client.on('error', () => undefined).connect()
    return { client, close: () => client.destroy() }
  },
  'a cluster of redis 4': async (nodes) => {
    const client = createCluster4({ rootNodes: nodes.map(({ url }) => ({ url })) })
    await client.on('error', () => undefined).connect()
    return { client, close: () => client.disconnect() }
  },
  'a cluster of ioredis': (nodes) => {
    const client = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
    client.on('error', () => undefined)
    return Promise.resolve({ client, close: () => client.disconnect() })
  },
}

for (const [name, open] of Object.entries(CLIENTS)) {
  expectHistory(name, async () => {
    const nodes = await start()
    const { client, close } = await open(nodes)
    const [a, b] = [redisHistory({ client }), redisHistory({ client })]
    return {
      a,
      b,
      end: async () => {
        await close()
      },
    }
  })

  it(`groups go on over ${name} while one shard is away, and those of that shard when it is back`, async () => {
    const { client, close } = await open(await start())
    const store = redisHistory({ client, timeoutMs: 20_000 })
    const groups = Array.from({ length: 12 }, newGroup)
    const epochs = new Map<string, string>()
    for (const group of groups) epochs.set(group, (await store.append(group, 'before', LIMITS)).epoch)
    await servers[1]?.kill()
    const calls = groups.map((group) => store.append(group, 'during', LIMITS))
    // Those of the first shard are there at once: without waiting for the other, which is not back.
    await Promise.race(calls)
    await servers[1]?.start()
    await Promise.all(calls)
    let lost = 0
    for (const group of groups) {
      const { epoch, messages } = await readAll(store, group)
      const isNew = epoch !== epochs.get(group)
      if (isNew) lost++
      expect(messages.map(({ data }) => data)).toEqual(isNew ? ['during'] : ['before', 'during'])
    }
    expect(lost).toBeGreaterThan(0)
    expect(lost).toBeLessThan(groups.length)
    await close()
  }, 60_000)
}
