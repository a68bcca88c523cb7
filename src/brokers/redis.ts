/**
 * The backplane over Redis and Valkey, and histories in them, with the client of the application: `redis` (node-redis) or
 * `ioredis`, or the cluster of either. `hawser/redis`.
 */
import type { Backplane } from '../backplane/backplane.js'
import { boolean, readOptions, showKind, type Checks } from '../check.js'
import { BrokerBackplane } from './broker-backplane.js'
import { BROKER_CHECKS, type BrokerOptions } from './broker-options.js'
import { ioredisBroker } from './ioredis-broker.js'
import { nodeRedisBroker } from './node-redis-broker.js'
import { refuseSentinel } from './redis-commands.js'

export type { HistoryLimits, HistoryPage, HistoryStore, KeptMessage, Position } from '../recovery/history.js'
export type { BrokerOptions } from './broker-options.js'
export type { BrokerHistory, BrokerHistoryOptions } from './history-options.js'
export { redisHistory, type RedisHistoryClient, type RedisHistoryOptions } from './redis-history.js'

/**
 * A client of `redis` (4 or later) or `ioredis` (5 or later), or of a cluster of either. Only its settings are used: it need not
 * be connected, and is not changed.
 */
export interface RedisClient {
  /** Makes another client with the same settings. */
  duplicate(...args: never[]): unknown
}

/** The options of {@link redisBackplane}. */
export interface RedisBackplaneOptions extends BrokerOptions {
  /**
   * Use sharded publish and subscribe (Redis 7 and later), in which a message of a cluster reaches only the shard of its
   * channel. All servers must agree. Default false.
   */
  readonly sharded?: boolean | undefined
}

const CHECKS = { ...BROKER_CHECKS, sharded: boolean(false) } satisfies Checks<RedisBackplaneOptions>

/**
 * The backplane of one server over Redis. It opens two connections of its own with the settings of `client`, one to publish
 * and one to subscribe, makes them again when they break, and closes them with the server.
 * @example
 * ```ts
 * const server = new WebSocketServer({ backplane: redisBackplane(createClient({ url: 'redis://localhost:6379' })) })
 * ```
 * @throws TypeError for what is not such a client; TypeError or RangeError for a wrong option
 */
export function redisBackplane(client: RedisClient, options: RedisBackplaneOptions = {}): Backplane {
  const { sharded, ...rest } = readOptions('options', options, CHECKS)
  refuseSentinel(client)
  const broker = nodeRedisBroker(client, sharded) ?? ioredisBroker(client, sharded)
  if (broker === null) {
    const hint = typeof client === 'string' ? ': make one with this URL' : ''
    throw new TypeError(
      `client must be a client of redis (4 or later) or ioredis (5 or later), not ${showKind(client)}${hint}`,
    )
  }
  return new BrokerBackplane(broker, rest)
}
