/** The clients of Redis with which the backplane is tested. None of them is connected. */
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { createClient as createClient4 } from 'redis4'
import type { RedisClient } from '../../src/brokers/redis.js'

/** Makes a client that is not connected. */
export type MakeClient = (url: string) => RedisClient

export const REDIS_CLIENTS: readonly (readonly [name: string, make: MakeClient])[] = [
  ['redis 6', (url) => createClient({ url })],
  ['redis 4', (url) => createClient4({ url })],
  ['ioredis', (url) => new Redis(url, { lazyConnect: true })],
]
