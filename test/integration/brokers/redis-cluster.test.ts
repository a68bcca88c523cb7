// slow: starts two redis-servers as a cluster
/** The backplane over a Redis Cluster, with and without sharded channels. */
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import { createClient, createCluster } from 'redis'
import type { ServerSocket } from '../../../src/index.js'
import { redisBackplane, type RedisClient } from '../../../src/brokers/redis.js'
import { joined, serveNode, until, type BrokerNode } from '../../helpers/broker-nodes.js'
import { stopBrokers, type BrokerServer } from '../../helpers/broker-server.js'
import { stopHubs } from '../../helpers/hub-server.js'
import { redisClusterIsWhole, startRedisCluster } from '../../helpers/redis-cluster.js'

let servers: readonly BrokerServer[]
beforeAll(async () => {
  servers = await startRedisCluster()
})
// A test before this one may have killed a node: all nodes are to see each other again.
beforeEach(() => redisClusterIsWhole(servers))
afterAll(stopBrokers)
afterEach(async () => {
  for (const server of servers) server.thaw()
  await stopHubs()
})

const CLIENTS: readonly (readonly [name: string, make: () => RedisClient])[] = [
  ['redis', () => createCluster({ rootNodes: servers.map(({ url }) => ({ url })) })],
  [
    'ioredis',
    () =>
      new Cluster(
        servers.map(({ port }) => ({ host: '127.0.0.1', port })),
        { lazyConnect: true },
      ),
  ],
]

/** On both shards. */
const groups = Array.from({ length: 12 }, (_, i) => `group ${String(i)}`)

/** Joins all groups, and waits until another node has heard of it. */
async function joinAll(socket: ServerSocket, other: BrokerNode): Promise<void> {
  for (const group of groups) socket.join(group)
  await until(() => groups.every((group) => other.server.group(group).sizeEverywhere === 1))
}

describe.each(CLIENTS)('with the cluster of %s', (name, makeClient) => {
  it.each([false, true])('groups on both shards, names and claims work (sharded: %p)', async (sharded) => {
    const prefix = `${name}-${String(sharded)}`
    const make = () => serveNode(redisBackplane(makeClient(), { prefix, sharded }))
    const [a, b] = [await make(), await make()]
    await joined(a, b)
    const { client, socket } = await b.open()
    await joinAll(socket, a)
    for (const group of groups)
      for (const text of ['one', 'two']) a.server.group(group).send(`${group} ${text}`)
    const got: unknown[] = []
    while (got.length < 24) got.push(await client.receive())
    for (const group of groups) {
      expect(got.filter((text) => String(text).startsWith(`${group} `))).toEqual([
        `${group} one`,
        `${group} two`,
      ])
    }
    for (const key of ['ann', 'bob', 'eve']) {
      expect(await b.server.connections.claim(key, socket, { onConflict: 'reject' })).toBe(true)
      expect(await a.server.connections.deliver(key, key)).toBe('sent')
      expect(await client.receive()).toBe(key)
    }
    expect([...a.errors, ...b.errors]).toEqual([])
  })

  it.each([0, 1])(
    'the close of a server waits for the names that it gives back, on whatever shard (%p)',
    async (slow) => {
      const prefix = `${name}-claims-${String(slow)}`
      const node = await serveNode(redisBackplane(makeClient(), { prefix }))
      await joined(node)
      const { socket } = await node.open()
      const claimed = groups.map((group) => node.server.connections.claim(group, socket))
      expect(new Set(await Promise.all(claimed))).toEqual(new Set([true]))
      const admins = await Promise.all(servers.map(({ url }) => createClient({ url }).connect()))
      const keys = async () => (await Promise.all(admins.map((admin) => admin.keys(`${prefix}:*`)))).flat()
      expect(await keys()).toHaveLength(groups.length)
      // All other messages go to one of the shards: in one of the two tests not to this one.
      servers[slow]?.freeze()
      let isOver = false
      const closed = node.server.close().then(() => {
        isOver = true
      })
      await delay(300)
      expect(isOver).toBe(false)
      servers[slow]?.thaw()
      await closed
      while ((await keys()).length > 0);
      for (const admin of admins) admin.destroy()
      expect(node.errors).toEqual([])
    },
  )

  it('a node of the cluster that is killed and started again is followed by the groups of all shards', async () => {
    const make = () =>
      serveNode(
        redisBackplane(makeClient(), { prefix: `${name}-again`, sharded: true, stallTimeoutMs: 1000 }),
      )
    const [a, b] = [await make(), await make()]
    await joined(a, b)
    const { client, socket } = await b.open()
    await joinAll(socket, a)
    await servers[1]?.kill()
    await servers[1]?.start()
    const heard = new Set<unknown>()
    const reading = (async () => {
      while (heard.size < groups.length) heard.add(await client.receive())
    })()
    await until(() => {
      for (const group of groups) if (!heard.has(group)) a.server.group(group).send(group)
      return heard.size === groups.length
    })
    await reading
    expect(heard.size).toBe(groups.length)
  })
})
