/**
 * What a broker is to a backplane: something that carries messages from publishers to the subscribers of a channel, at most
 * once, and in order on one channel. Redis and NATS are; another one is a file that implements {@link Broker}.
 */

import type { StoredClaim } from '../backplane/backplane.js'

/** A broker, as {@link BrokerBackplane} uses it. */
export interface Broker {
  /** Its name, in errors and events. */
  readonly name: string
  /** Whether its sessions have `names`. */
  readonly hasNames: boolean
  /** The name of a channel, or of a key. @param name any text; empty: there is one of this kind alone */
  nameOf(prefix: string, kind: string, name: string): string
  /**
   * Connects. Called again, later, after a session has ended: a session does not reconnect by itself.
   * @param signal aborted when the session is no longer wanted: what was opened until then is closed at once, though the broker
   *   has not answered
   * @returns a session that works, or rejects. What it opened until then is closed
   */
  open(events: SessionEvents, signal: AbortSignal): Promise<BrokerSession>
}

/** What a session reports. */
export interface SessionEvents {
  /** A message of a channel that is subscribed to. The bytes are not changed any more. */
  message(message: Buffer): void
  /** The session is over, or cannot be relied on. Only the first call counts. */
  ended(error: Error): void
}

/** One connection to a broker, from when it works until its end. */
export interface BrokerSession {
  /** The largest message that the broker takes, in bytes. */
  readonly maxMessageBytes: number
  /** Settles when the broker has the message, or rejects when it is, or may be, lost. Messages are sent in order. */
  publish(channel: string, message: Buffer): Promise<unknown>
  /** Settles when the messages of these channels arrive. Requests take effect in order. */
  subscribe(channels: readonly string[]): Promise<unknown>
  /** Ends the same. */
  unsubscribe(channels: readonly string[]): Promise<unknown>
  /** Names, where the broker has keys that are changed atomically. */
  readonly names?: BrokerNames
  /** Closes, at once: what waits is lost. Never throws. */
  close(): void
}

/** A `NameStore` by keys: see there. */
export interface BrokerNames {
  claim(key: string, claim: StoredClaim, mayReplace: boolean, ttlMs: number): Promise<number | null>
  release(key: string, claim: StoredClaim): Promise<unknown>
  renew(key: string, claim: StoredClaim, ttlMs: number): Promise<unknown>
}
