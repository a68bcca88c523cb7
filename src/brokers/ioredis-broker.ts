import type { Broker } from './broker.js'
import { openRedisSession, redisNameOf, type Line, type RedisCalls } from './redis-session.js'

/** What is used of a client of `ioredis`, version 5 and later, and of its cluster. */
interface Ioredis extends Line {
  readonly status: string
  readonly isCluster: boolean
  readonly options?: { readonly redisOptions?: object }
  duplicate(overrides: object): Ioredis
  duplicate(startupNodes: readonly never[], overrides: object): Ioredis
  publish(channel: string, message: Buffer): Promise<unknown>
  spublish(channel: string, message: Buffer): Promise<unknown>
  subscribe(...channels: string[]): Promise<unknown>
  ssubscribe(...channels: string[]): Promise<unknown>
  unsubscribe(...channels: string[]): Promise<unknown>
  sunsubscribe(...channels: string[]): Promise<unknown>
  eval(script: string, keys: 1, key: string, ...args: string[]): Promise<unknown>
  disconnect(): void
}

const isIoredis = (client: unknown): client is Ioredis => {
  if (typeof client !== 'object' || client === null) return false
  const { duplicate, connect, subscribe, publish, spublish, status, isCluster } = client as Partial<
    Record<keyof Ioredis, unknown>
  >
  return (
    [duplicate, connect, subscribe, publish, spublish].every((method) => typeof method === 'function') &&
    typeof status === 'string' &&
    typeof isCluster === 'boolean'
  )
}

/** A line is given up when it breaks: it must neither connect again nor keep or repeat a command. */
const LINE = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  retryStrategy: () => null,
  reconnectOnError: null,
  maxRetriesPerRequest: null,
  keyPrefix: '',
}

/** @returns null: it is not a client of `ioredis` */
export function ioredisBroker(client: unknown, isSharded: boolean): Broker | null {
  if (!isIoredis(client)) return null
  const calls: RedisCalls<Ioredis> = {
    create: () =>
      client.isCluster ? client.duplicate([], clusterLine(client, isSharded)) : client.duplicate(LINE),
    publish: (line, channel, message) =>
      isSharded ? line.spublish(channel, message) : line.publish(channel, message),
    subscribe: (line, channels) =>
      // Channels of different slots must not be in one command.
      isSharded
        ? Promise.all(channels.map((channel) => line.ssubscribe(channel)))
        : line.subscribe(...channels),
    unsubscribe: (line, channels) =>
      isSharded
        ? Promise.all(channels.map((channel) => line.sunsubscribe(channel)))
        : line.unsubscribe(...channels),
    evaluate: (line, script, key, args) => line.eval(script, 1, key, ...args),
    listen: (line, listener) => {
      line.on(isSharded ? 'smessageBuffer' : 'messageBuffer', (_: Buffer, message: Buffer) => {
        listener(message)
      })
    },
    destroy: (line) => {
      // After its end it would make a timer that keeps the process alive for 2 s.
      if (line.status !== 'end') line.disconnect()
    },
    fatalEvents: ['end', 'subscriberConnectFailed'],
  }
  return {
    name: 'redis',
    hasNames: true,
    nameOf: redisNameOf,
    open: (events, signal) => openRedisSession(calls, events, signal),
  }
}

const clusterLine = ({ options }: Ioredis, isSharded: boolean): object => ({
  lazyConnect: true,
  clusterRetryStrategy: () => null,
  // A command that may have been carried out is not repeated.
  retryDelayOnFailover: 0,
  shardedSubscribers: isSharded,
  keyPrefix: '',
  redisOptions: { ...options?.redisOptions, autoResendUnfulfilledCommands: false, keyPrefix: '' },
})
