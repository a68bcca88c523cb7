import { toError } from '../errors.js'
import type { BrokerSession, SessionEvents } from './broker.js'
import { redisNames } from './redis-names.js'

/** A connection of a client that emits events. */
export interface Emitter {
  on(event: string, listener: (...args: never[]) => void): unknown
}

/** One of the two connections of a session. */
export interface Line extends Emitter {
  connect(): Promise<unknown>
}

/** What differs between the clients. */
export interface RedisCalls<L extends Line> {
  /** Makes a client that is not connected, does not reconnect, and refuses commands while it is not connected. */
  create(): L
  publish(publisher: L, channel: string, message: Buffer): Promise<unknown>
  subscribe(subscriber: L, channels: readonly string[], listener: (message: Buffer) => void): Promise<unknown>
  /** Ends what `subscribe` began, with the same listener. */
  unsubscribe(
    subscriber: L,
    channels: readonly string[],
    listener: (message: Buffer) => void,
  ): Promise<unknown>
  /** Runs a script on one key. */
  evaluate(publisher: L, script: string, key: string, args: readonly string[]): Promise<unknown>
  /** Called once, before the first subscription. */
  listen(subscriber: L, listener: (message: Buffer) => void): void
  /** Closes at once. */
  destroy(line: L): unknown
  /** The events, beside `error`, after which a connection is not relied on. */
  readonly fatalEvents: readonly string[]
}

const LONE_SURROGATE = /\p{Surrogate}/u

/** The name of a channel or a key: see {@link Broker.nameOf}. Redis has names in UTF-8, in which all lone surrogates would be the same. */
export function redisNameOf(prefix: string, kind: string, name: string): string {
  if (name === '') return `${prefix}:${kind}`
  return LONE_SURROGATE.test(name)
    ? `${prefix}:${kind}-json:${JSON.stringify(name)}`
    : `${prefix}:${kind}:${name}`
}

/** Redis takes no larger message, unless it is configured to (`proto-max-bulk-len`). */
const MAX_MESSAGE_BYTES = 512 * 1024 * 1024

/** Opens the two connections of a session. */
export async function openRedisSession<L extends Line>(
  calls: RedisCalls<L>,
  events: SessionEvents,
  signal: AbortSignal,
): Promise<BrokerSession> {
  const lines = [calls.create(), calls.create()] as const
  const [publisher, subscriber] = lines
  let firstError: Error | null = null
  let isClosed = false
  const close = (): void => {
    if (isClosed) return
    isClosed = true
    for (const line of lines) {
      try {
        // Some clients answer with a promise that rejects.
        Promise.resolve(calls.destroy(line)).catch(() => undefined)
      } catch {
        // It was closed already.
      }
    }
  }
  signal.addEventListener('abort', close, { once: true })
  const fail = (error: Error): void => {
    firstError ??= error
    if (!isClosed) events.ended(error)
  }
  const listener = (message: Buffer): void => {
    if (!isClosed) events.message(message)
  }
  for (const line of lines) {
    // Without a listener an error would end the process: it stays until the end.
    line.on('error', (error: unknown) => {
      fail(toError(error))
    })
    for (const event of calls.fatalEvents) {
      line.on(event, () => {
        fail(new Error('the connection was closed'))
      })
    }
  }
  try {
    calls.listen(subscriber, listener)
    await Promise.all(lines.map((line) => line.connect()))
  } catch (error) {
    close()
    // The first error says more than what follows from it, such as that the connection is closed.
    throw firstError ?? toError(error)
  }
  return {
    maxMessageBytes: MAX_MESSAGE_BYTES,
    // Async, so that a client that throws, or returns no promise, does no more than one that rejects.
    publish: async (channel, message) => calls.publish(publisher, channel, message),
    subscribe: async (channels) => calls.subscribe(subscriber, channels, listener),
    unsubscribe: async (channels) => calls.unsubscribe(subscriber, channels, listener),
    names: redisNames(async (script, key, args) => calls.evaluate(publisher, script, key, args)),
    close,
  }
}
