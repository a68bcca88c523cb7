/** Clients of Redis as an application has them, over which histories are kept. */
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { createClient as createClient4 } from 'redis4'
import type { RedisHistoryClient } from '../../src/brokers/redis.js'

/** A client that is connected, or connects, and what closes it. */
export interface OpenedRedis {
  readonly client: RedisHistoryClient
  close(): unknown
}

const ignore = (): void => undefined

/** Makes a client that connects by itself, again and again, and soon. */
export type OpenRedis = (url: string) => OpenedRedis

export const HISTORY_CLIENTS: Readonly<Record<'redis 6' | 'redis 4' | 'ioredis', OpenRedis>> = {
  'redis 6': (url) => {
    const client = createClient({ url, socket: { reconnectStrategy: 20 } }).on('error', ignore)
    client.connect().catch(ignore)
    return { client, close: () => client.destroy() }
  },
  'redis 4': (url) => {
    const client = createClient4({ url, socket: { reconnectStrategy: () => 20 } }).on('error', ignore)
    client.connect().catch(ignore)
    return { client, close: () => client.disconnect() }
  },
  ioredis: (url) => {
    const client = new Redis(url, { retryStrategy: () => 20 }).on('error', ignore)
    return { client, close: () => client.disconnect() }
  },
}
