import { TransportError } from '../errors.js'
import type { ConnectionEvent } from '../connection/events.js'
import type { Limits } from '../limits.js'

/** What becomes of a peer that does not read: see `maxBufferedOutputBytes`. */
export type SlowConsumerPolicy = 'close' | 'drop' | 'buffer'

/** Receives what happens on a connection, never inside a call that caused it. Must not throw. */
export interface DriverOwner {
  handleEvent(event: ConnectionEvent): void
  /** What is buffered is at or below the high-water mark again. */
  handleDrain(): void
  /** The connection is no longer open: it begins to close, or is over. Called once, also inside the call that did it. */
  handleClosing(): void
  /** Nothing can be sent any more. Called once, after {@link handleClosing}, also inside the call that did it. */
  handleSendingOver(): void
  /** The transport is over; events that are still to be pulled may follow. Called once. */
  handleGone(): void
}

/** What became of a message for one of many. */
export type DeliveryOutcome = 'sent' | 'dropped' | 'failed'

export interface DriverOptions {
  readonly limits: Limits
  readonly slowConsumer: SlowConsumerPolicy
}

/** The error of the network. No code of ours or the caller's led to it: it has no stack, which costs. */
export function transportError(error: Error): TransportError {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const made = new TransportError(error.message, error)
  Error.stackTraceLimit = stackTraceLimit
  return made
}
