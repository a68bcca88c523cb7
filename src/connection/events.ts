import type { ProtocolError, TransportError } from '../errors.js'

/** A whole message. Text is a string; bytes are the receiver's for ever. */
export class MessageReceived {
  readonly type = 'message'
  readonly data: string | Buffer

  constructor(data: string | Buffer) {
    this.data = data
  }
}

/** A ping, already answered unless `autoPong` is off. */
export interface PingReceived {
  readonly type: 'ping'
  /** 0 to 125 bytes, the receiver's. */
  readonly data: Buffer
}

export interface PongReceived {
  readonly type: 'pong'
  /** 0 to 125 bytes, the receiver's. */
  readonly data: Buffer
}

/** The peer's Close frame came. Ours is on its way, unless it is still to be sent: see `autoClose`. */
export interface CloseReceived {
  readonly type: 'closeReceived'
  /** 1005 where the frame had none. */
  readonly code: number
  readonly reason: string
}

/** What went wrong; always followed by `closed`. */
export interface ErrorOccurred {
  readonly type: 'error'
  readonly error: ProtocolError | TransportError
}

/** No byte of a data frame came for `idleTimeoutMs`. The owner closes, or keeps the connection by doing nothing. */
export interface IdleTimedOut {
  readonly type: 'idleTimeout'
}

/** Who began the end: this side's caller, the peer, or the engine over a violation or a timeout. */
export type CloseInitiator = 'local' | 'remote' | 'engine'

/** How a connection ended. */
export interface CloseInfo {
  /** What the peer's Close frame said, or the violation's code, or 1006 where there was no closing handshake. */
  readonly code: number
  readonly reason: string
  /** Both Close frames were exchanged (RFC 6455 section 7.1.4). */
  readonly wasClean: boolean
  readonly initiator: CloseInitiator
  /** Messages that were received and that no handler or reader got: after a failure, or when the time was up. */
  readonly droppedMessages: number
  /** Bytes that were queued to be sent and that the system did not take. */
  readonly unsentBytes: number
}

/** The transport is over: the last event, exactly once for every connection. */
export interface Closed extends CloseInfo {
  readonly type: 'closed'
}

export type ConnectionEvent =
  MessageReceived | PingReceived | PongReceived | CloseReceived | ErrorOccurred | IdleTimedOut | Closed

/** Whoever drives a connection, told that there is something new to pull although no bytes came. */
export interface Waker {
  wake(): void
}
