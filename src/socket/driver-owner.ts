import { TransportError, withoutStack } from '../errors.js'
import type { ConnectionEvent } from '../connection/events.js'
import type { Limits } from '../limits.js'
import type { Transport } from '../transport/transport.js'

/** What happens to a peer that does not read: see `maxBufferedOutputBytes`. */
export type SlowConsumerPolicy = 'close' | 'drop' | 'buffer'

/** Receives the events of a connection, never inside the call that caused them. Must not throw. */
export interface DriverOwner {
  handleEvent(event: ConnectionEvent): void
  /** The buffered output is at or below the high-water mark again. */
  handleDrain(): void
  /** The connection is no longer open: it is closing, or it is over. Called once, possibly inside the call that caused it. */
  handleClosing(): void
  /** Nothing can be sent any more. Called once, after {@link handleClosing}, possibly inside the call that caused it. */
  handleSendingOver(): void
  /** The transport is over. Events that were not pulled yet may follow. Called once. */
  handleGone(): void
}

/** The outcome for one recipient of a message to many. */
export type DeliveryOutcome = 'sent' | 'dropped' | 'failed'

export interface DriverOptions {
  readonly limits: Limits
  readonly slowConsumer: SlowConsumerPolicy
}

/** Wraps an error of the network. */
export const transportError = (error: Error): TransportError =>
  withoutStack(() => new TransportError(error.message, error))

/** What a transport failed by, as the application gets it; undefined: it has no error. */
export const failureOf = ({ failure }: Transport): TransportError | undefined =>
  failure === null ? undefined : transportError(failure)
