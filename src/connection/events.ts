import type { ProtocolError, TransportError } from '../errors.js'

/** A whole message. Text is a string. Bytes belong to the receiver, which may keep them. */
export class MessageReceived {
  /** Tells the event. */
  readonly type = 'message'
  /** Text as a string; bytes as a Buffer that belongs to the receiver. */
  readonly data: string | Buffer

  constructor(data: string | Buffer) {
    this.data = data
  }
}

/** A ping. It is already answered unless `autoPong` is off. */
export interface PingReceived {
  readonly type: 'ping'
  /** 0 to 125 bytes, owned by the receiver. */
  readonly data: Buffer
}

/** A pong was received, asked for or not. */
export interface PongReceived {
  readonly type: 'pong'
  /** 0 to 125 bytes, owned by the receiver. */
  readonly data: Buffer
}

/** The peer's Close frame was received. The answer is queued, unless `autoClose` is off. */
export interface CloseReceived {
  readonly type: 'closeReceived'
  /** The code of the frame, or 1005 if it has none. */
  readonly code: number
  /** The reason of the frame, or empty. */
  readonly reason: string
}

/** The connection failed. `closed` always follows. */
export interface ErrorOccurred {
  readonly type: 'error'
  /** The violation of the peer, or the failure of the network. */
  readonly error: ProtocolError | TransportError
}

/** No byte of a data frame was received for `idleTimeoutMs`. The owner may close the connection or keep it. */
export interface IdleTimedOut {
  readonly type: 'idleTimeout'
}

/** Who began the end: this side's caller, the peer, or the engine because of a violation or a timeout. */
export type CloseInitiator = 'local' | 'remote' | 'engine'

/** How a connection ended. */
export interface CloseInfo {
  /** The code of the peer's Close frame, or of the violation, or 1006 if there was no closing handshake. */
  readonly code: number
  /** The reason of the same Close frame, or of the violation; empty if there is none. */
  readonly reason: string
  /** Whether both Close frames were exchanged (RFC 6455 section 7.1.4). */
  readonly wasClean: boolean
  /** Which side began the end. */
  readonly initiator: CloseInitiator
  /** Received messages that reached no handler or reader: after a failure, or because the time was up. */
  readonly droppedMessages: number
  /** Queued bytes that the system did not take. */
  readonly unsentBytes: number
}

/** The connection has ended. This is the last event, emitted exactly once for every connection. */
export interface Closed extends CloseInfo {
  readonly type: 'closed'
}

/** What {@link Connection.nextEvent} gives. */
export type ConnectionEvent =
  MessageReceived | PingReceived | PongReceived | CloseReceived | ErrorOccurred | IdleTimedOut | Closed

/** Wakes the driver of a connection when there are new events or output to pull although no bytes were received. */
export interface Waker {
  /** There are new events or output to pull. */
  wake(): void
}
