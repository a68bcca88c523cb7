import type { Broker } from './broker.js'
import { openRedisSession, redisNameOf, type Line, type RedisCalls } from './redis-session.js'

type Listener = (message: Buffer) => void

/** What is used of a client of `redis`, version 4 and later, and of its cluster. */
interface NodeRedis extends Line {
  readonly isOpen: boolean
  readonly options?: { readonly socket?: object; readonly defaults?: { readonly socket?: object } }
  duplicate(overrides: object): NodeRedis
  publish(channel: string, message: Buffer): Promise<unknown>
  sPublish(channel: string, message: Buffer): Promise<unknown>
  subscribe(channels: readonly string[], listener: Listener, isBinary: true): Promise<unknown>
  sSubscribe(channels: readonly string[] | string, listener: Listener, isBinary: true): Promise<unknown>
  unsubscribe(channels: readonly string[], listener: Listener, isBinary: true): Promise<unknown>
  sUnsubscribe(channels: readonly string[] | string, listener: Listener, isBinary: true): Promise<unknown>
  eval(
    script: string,
    options: { readonly keys: readonly string[]; readonly arguments: readonly string[] },
  ): Promise<unknown>
  /** Version 5 and later. */
  destroy?(): unknown
  disconnect?(): unknown
  /** Of a cluster. */
  readonly masters?: unknown
}

const isNodeRedis = (client: unknown): client is NodeRedis => {
  if (typeof client !== 'object' || client === null) return false
  const { duplicate, connect, subscribe, publish, isOpen } = client as Partial<
    Record<keyof NodeRedis, unknown>
  >
  return (
    [duplicate, connect, subscribe, publish].every((method) => typeof method === 'function') &&
    (typeof isOpen === 'boolean' || 'masters' in client)
  )
}

/** @returns null: it is not a client of `redis` */
export function nodeRedisBroker(client: unknown, isSharded: boolean): Broker | null {
  if (!isNodeRedis(client)) return null
  const isCluster = 'masters' in client
  if (isSharded && typeof (client as Partial<NodeRedis>).sSubscribe !== 'function') {
    throw new TypeError('sharded needs a client of redis that has sSubscribe: version 4.3 or later')
  }
  const calls: RedisCalls<NodeRedis> = {
    create: () => client.duplicate(isCluster ? clusterOverrides(client) : overrides(client)),
    publish: (line, channel, message) =>
      isSharded ? line.sPublish(channel, message) : line.publish(channel, message),
    subscribe: (line, channels, listener) =>
      isSharded
        ? // Channels of different slots must not be in one command.
          Promise.all(channels.map((channel) => line.sSubscribe(channel, listener, true)))
        : line.subscribe(channels, listener, true),
    // Without the listener, a subscription to the same channel that follows before the answer would be forgotten by the client.
    unsubscribe: (line, channels, listener) =>
      isSharded
        ? Promise.all(channels.map((channel) => line.sUnsubscribe(channel, listener, true)))
        : line.unsubscribe(channels, listener, true),
    evaluate: (line, script, key, args) => line.eval(script, { keys: [key], arguments: args }),
    listen: () => undefined,
    destroy: (line) => (line.destroy === undefined ? line.disconnect?.() : line.destroy()),
    fatalEvents: ['end', 'node-error', 'node-disconnect', 'sharded-channel-moved', 'server-sunsubscribe'],
  }
  return {
    name: 'redis',
    hasNames: true,
    nameOf: redisNameOf,
    open: (events, signal) => openRedisSession(calls, events, signal),
  }
}

/** In the `legacyMode` of version 4 commands answer to a callback, and return no promise. */
const NO_LEGACY_MODE = { legacyMode: false }
const noReconnecting = { reconnectStrategy: false }

const overrides = ({ options }: NodeRedis): object => ({
  disableOfflineQueue: true,
  ...NO_LEGACY_MODE,
  socket: { ...options?.socket, ...noReconnecting },
})

const clusterOverrides = ({ options }: NodeRedis): object => ({
  defaults: {
    ...options?.defaults,
    ...NO_LEGACY_MODE,
    socket: { ...options?.defaults?.socket, ...noReconnecting },
  },
})
