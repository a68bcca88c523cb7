/**
 * The port between a connection and the extensions in use, which change its messages (RFC 6455 section 9). Types only: the
 * connection knows nothing of zlib, nor of any other extension.
 */
import type { LimitError, ProtocolError } from '../errors.js'

/** A message decoded, or the error that fails the connection. */
export type DecodeResult = Uint8Array | ProtocolError | LimitError

/** Learns the result of an `encode` that answered 'later'. */
export interface EncodeListener {
  /**
   * Called once, or never where the codec is closed before.
   * @param payload the listener's own; null: the message goes out as it is
   * @param message the message in bytes; nobody changes them any more
   */
  encoded(payload: Uint8Array | null, message: Uint8Array): void
}

/** Learns the result of a `decode` that answered 'later'. */
export interface DecodeListener {
  /**
   * Called once, or never where the codec is closed before.
   * @param result the listener's own
   */
  decoded(result: DecodeResult): void
}

/**
 * Encodes messages that go to many: each by itself, once for all connections that encode alike. Those have the same
 * object here.
 */
export interface SharedEncoder {
  /** Whether a message of this many bytes should be encoded. */
  isWorth(byteLength: number): boolean
  /** Whether a message of this many bytes should be encoded by `encodeLater`. */
  isLarge(byteLength: number): boolean
  /** @returns valid until the next call on any codec; null: the message goes out as it is */
  encode(message: Uint8Array): Uint8Array | null
  /**
   * As `encode`, on the thread pool.
   * @param message nobody changes it until `done`
   * @param done called later, at most once, with bytes that are the receiver's
   * @returns cancels the job: `done` is never called. Idempotent
   */
  encodeLater(message: Uint8Array, done: (payload: Uint8Array | null) => void): () => void
}

/**
 * Encodes and decodes the messages of one connection. Calls of one direction do not overlap: after 'later' the caller
 * waits for its listener before the next call of the same direction. The two directions are independent. Nothing here
 * throws on what a peer sent.
 *
 * Ownership: what is given is only read. A result is valid until the next call on any codec: it may be a view of memory
 * that all codecs share, so the caller writes, decodes or copies it at once.
 */
export interface MessageCodec {
  /** The reserved bits, RSV1_BIT to RSV3_BIT of a first byte, that frames of encoded messages may have. */
  readonly reservedBits: number
  /** Of these, those of the message that `encode` gave last: all of them, where one extension is in use. */
  readonly encodedBits: number
  /**
   * For messages that go to many. After such a message was sent, `dropContext` must be called. Null: each message is
   * encoded for its connection alone.
   */
  readonly shared: SharedEncoder | null
  /**
   * Encodes an outgoing message, where that pays.
   * @param message text, or bytes; the sender has at least its length to send
   * @param isLasting whether nobody changes the bytes any more; else those that are worked on later are copied
   * @param mayCompress whether the application wants it compressed, where that pays. Default true
   * @returns the payload, to be sent with `encodedBits` in the order of the calls; null: the message goes out as it is; or
   *   'later': the work goes on after the call, and the listener gets the result
   */
  encode(
    message: string | Uint8Array,
    listener: EncodeListener,
    isLasting?: boolean,
    mayCompress?: boolean,
  ): Uint8Array | null | 'later'
  /**
   * Decodes an incoming message.
   * @param message the payload of all its frames
   * @param maxBytes the most that the message may have; the work stops one byte above
   * @param isLasting as for `encode`
   * @param reservedBits those of its first frame, not 0. Default: all that it may have
   * @returns the message or an error, after which the connection is to be failed; or 'later'
   */
  decode(
    message: Uint8Array,
    listener: DecodeListener,
    maxBytes: number,
    isLasting?: boolean,
    reservedBits?: number,
  ): DecodeResult | 'later'
  /** Forgets the messages sent: the peer got one that `shared` encoded, and this codec did not. */
  dropContext(): void
  /** Releases what is held. No listener is called any more. Idempotent. */
  close(): void
}
