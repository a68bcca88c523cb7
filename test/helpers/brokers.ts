/**
 * The brokers with which the backplane is tested, each with each client: the tests are the same for all. What a test must ask a
 * broker itself is in {@link BrokerAdmin}.
 */
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { createClient as createClient4 } from 'redis4'
import { createClient as createClient5 } from 'redis5'
import type { Backplane } from '../../src/backplane/index.js'
import type { BrokerOptions } from '../../src/brokers/broker-options.js'
import { natsBackplane, type NatsBucket, type NatsConnection } from '../../src/brokers/nats.js'
import { redisBackplane, type RedisClient } from '../../src/brokers/redis.js'
import { BrokerServer } from './broker-server.js'
import { connect, connect2, jetstreamManager, Kvm } from './nats-clients.js'

/** Options of a backplane, and for how long names are kept where the broker must know it before. */
export interface MakeOptions extends BrokerOptions {
  readonly prefix: string
  readonly namesTtlMs?: number
}

/** A client of a broker. */
export interface BrokerClient {
  readonly name: string
  readonly broker: BrokerKind
  /** Makes a backplane of one server. */
  backplane(url: string, options: MakeOptions): Backplane | Promise<Backplane>
}

/** A broker. */
export interface BrokerKind {
  readonly name: 'redis' | 'nats'
  start(...extra: string[]): Promise<BrokerServer>
  /** Arguments of a server that wants the password `secret`. */
  readonly locked: readonly string[]
  readonly refusals: Readonly<Record<'none' | 'wrong' | 'nothing' | 'otherProtocol', RegExp>>
  admin(server: BrokerServer): Promise<BrokerAdmin>
}

/** What a test asks a broker, or does to it. */
export interface BrokerAdmin {
  /** How many connections have subscribed to a group. */
  subscribers(prefix: string, group: string): Promise<number>
  /** Takes what is published to a group from now on. @returns what arrived, after all that was published has */
  listen(prefix: string, group: string): Promise<() => Promise<readonly Uint8Array[]>>
  /** Publishes anything to the channel of all nodes. */
  publishToAll(prefix: string, messages: readonly Uint8Array[]): Promise<void>
  /** The claim on a name; null: there is none. */
  nameValue(prefix: string, name: string): Promise<string | null>
  /** Leaves a claim, by default one of a node that is gone. It expires after `ttlMs`. */
  leaveName(prefix: string, name: string, ttlMs: number, value?: string): Promise<void>
  /** The broker loses all data. */
  flush(): Promise<void>
  end(): Promise<void>
}

/** A claim of a node that is gone. */
const DEAD = '1 dead'

const redis: BrokerKind = {
  name: 'redis',
  start: (...extra) => BrokerServer.redis(...extra),
  locked: ['--requirepass', 'secret'],
  refusals: {
    none: /NOAUTH|authentication/i,
    wrong: /WRONGPASS/,
    nothing: /ECONNREFUSED/,
    otherProtocol: /closed|RESP type|Protocol error/,
  },
  admin: async ({ url }) => {
    // It connects again after a test has killed the server.
    const client = createClient({ url }).on('error', () => undefined)
    await client.connect()
    const others: { destroy(): void }[] = [client]
    return {
      subscribers: async (prefix, group) => {
        const channel = `${prefix}:group:${group}`
        return (await client.pubSubNumSub([channel]))[channel] ?? 0
      },
      listen: async (prefix, group) => {
        const listening = await client.duplicate().connect()
        others.push(listening)
        const heard: Uint8Array[] = []
        await listening.subscribe(`${prefix}:group:${group}`, (message) => heard.push(message), true)
        return async () => {
          await listening.ping()
          return heard
        }
      },
      publishToAll: async (prefix, messages) => {
        for (const message of messages) await client.publish(`${prefix}:all`, Buffer.from(message))
      },
      nameValue: (prefix, name) => client.get(`${prefix}:name:${name}`),
      leaveName: async (prefix, name, ttlMs, value = DEAD) => {
        const expiration = { type: 'PX', value: ttlMs } as const
        await client.set(`${prefix}:name:${name}`, value, { expiration })
      },
      flush: async () => {
        await client.flushAll()
      },
      end: async () => {
        for (const one of others) one.destroy()
        await Promise.resolve()
      },
    }
  },
}

/** The bucket of names of a test. */
const bucketOf = (prefix: string): string => `names-${prefix.replaceAll('.', '-')}`

const nats: BrokerKind = {
  name: 'nats',
  start: (...extra) => BrokerServer.nats(...extra),
  locked: ['--user', 'hawser', '--pass', 'secret'],
  refusals: {
    none: /authorization violation/i,
    wrong: /authorization violation/i,
    nothing: /ECONNREFUSED|connection.refused/i,
    otherProtocol: /did not answer within|unexpected response/,
  },
  admin: async ({ url, monitorPort }) => {
    const client = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
    const bucket = async (prefix: string) => new Kvm(client).open(bucketOf(prefix))
    const keyOf = (prefix: string, name: string) => `${prefix}.name.${name}`
    return {
      subscribers: async (prefix, group) => {
        const path = `subsz?subs=1&test=${prefix}.group.${group}`
        const answer = await fetch(`http://127.0.0.1:${String(monitorPort)}/${path}`)
        const { subscriptions_list: list = [] } = (await answer.json()) as {
          subscriptions_list?: { cid: number; subject: string }[]
        }
        const own = client.info?.client_id
        return list.filter(({ cid, subject }) => cid !== own && subject === `${prefix}.group.${group}`).length
      },
      listen: async (prefix, group) => {
        const heard: Uint8Array[] = []
        client.subscribe(`${prefix}.group.${group}`, { callback: (_, { data }) => void heard.push(data) })
        await client.flush()
        return async () => {
          await client.flush()
          return heard
        }
      },
      publishToAll: async (prefix, messages) => {
        for (const message of messages) client.publish(`${prefix}.all`, message)
        await client.flush()
      },
      nameValue: async (prefix, name) => {
        const entry = await (await bucket(prefix)).get(keyOf(prefix, name))
        return entry?.operation === 'PUT' ? Buffer.from(entry.value).toString() : null
      },
      leaveName: async (prefix, name, _, value = DEAD) => {
        await (await bucket(prefix)).put(keyOf(prefix, name), value)
      },
      flush: async () => {
        const { streams } = await jetstreamManager(client)
        for await (const { config } of streams.list()) await streams.purge(config.name)
      },
      end: () => client.close(),
    }
  },
}

/** The options of a client of NATS for a URL. */
function natsOptions(url: string): { servers: string; user?: string; pass?: string } {
  const { host, username, password } = new URL(url)
  return { servers: host, ...(password === '' ? {} : { user: username || 'hawser', pass: password }) }
}

const redisClient = (name: string, makeClient: (url: string) => RedisClient): BrokerClient => ({
  name,
  broker: redis,
  backplane: (url, { namesTtlMs: _, ...options }) => redisBackplane(makeClient(url), options),
})

const names3 =
  (prefix: string, ttl: number) =>
  (connection: NatsConnection): Promise<NatsBucket> =>
    new Kvm(connection).create(bucketOf(prefix), { ttl })

const DEFAULT_TTL_MS = 15_000

/** Clients whose connections Hawser makes itself. */
export const BROKERS: readonly BrokerClient[] = [
  redisClient('redis 6', (url) => createClient({ url })),
  redisClient('redis 4', (url) => createClient4({ url })),
  redisClient('ioredis', (url) => new Redis(url, { lazyConnect: true })),
  {
    name: 'nats 3',
    broker: nats,
    backplane: (url, { namesTtlMs = DEFAULT_TTL_MS, ...options }) =>
      natsBackplane(() => connect(natsOptions(url)), {
        ...options,
        names: names3(options.prefix, namesTtlMs),
      }),
  },
  {
    name: 'nats 2',
    broker: nats,
    backplane: (url, { namesTtlMs = DEFAULT_TTL_MS, ...options }) =>
      natsBackplane(() => connect2(natsOptions(url)), {
        ...options,
        names: (connection) => connection.jetstream().views.kv(bucketOf(options.prefix), { ttl: namesTtlMs }),
      }),
  },
]

/** The version between two that are tested with everything: for what is sent, and what goes wrong. */
export const REDIS_5: BrokerClient = redisClient('redis 5', (url) => createClient5({ url }))

const lent = new Set<NatsConnection>()

/** For afterEach: ends the connections of {@link LENT_NATS}. */
export async function closeLent(): Promise<void> {
  for (const connection of lent) await connection.close()
  lent.clear()
}

/** NATS over a connection that Hawser neither makes nor closes. */
export const LENT_NATS: BrokerClient = {
  name: "nats 3, by the application's connection",
  broker: nats,
  backplane: async (url, { namesTtlMs = DEFAULT_TTL_MS, ...options }) => {
    const connection = await connect({
      ...natsOptions(url),
      // It gives a dead line up after two that are not answered: later than Hawser does in these tests.
      pingInterval: 500,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
    })
    lent.add(connection)
    return natsBackplane(connection, { ...options, names: names3(options.prefix, namesTtlMs) })
  },
}

/** Redis with sharded channels. */
export const SHARDED_REDIS: readonly BrokerClient[] = [...BROKERS, REDIS_5]
  .filter(({ broker }) => broker === redis)
  .map(({ name, backplane }) => ({
    name: `${name}, sharded`,
    broker: redis,
    backplane: (url, options) => backplane(url, { ...options, sharded: true } as MakeOptions),
  }))

/** One server of each broker, for a test file. */
export class BrokerServers {
  readonly servers = new Map<string, BrokerServer>()
  readonly admins = new Map<string, BrokerAdmin>()

  async start(): Promise<void> {
    for (const kind of [redis, nats]) {
      const server = await kind.start()
      this.servers.set(kind.name, server)
      this.admins.set(kind.name, await kind.admin(server))
    }
  }

  server({ broker }: BrokerClient): BrokerServer {
    return this.servers.get(broker.name) as BrokerServer
  }

  admin({ broker }: BrokerClient): BrokerAdmin {
    return this.admins.get(broker.name) as BrokerAdmin
  }

  async stop(): Promise<void> {
    for (const admin of this.admins.values()) await admin.end()
    for (const server of this.servers.values()) server.remove()
  }
}
