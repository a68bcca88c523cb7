/**
 * The port between a connection and permessage-deflate (RFC 7692 section 7.2). Types only, so that the connection
 * knows nothing of zlib and another implementation can take its place.
 */
import type { LimitError, ProtocolError } from '../errors.js'
import type { AgreedParameters } from './negotiation.js'

/** What became of a compressed message: its bytes, or how the peer is to be failed. */
export type InflateResult = Uint8Array | ProtocolError | LimitError

/** Compresses messages by themselves, for all connections that do it alike. The identity says which these are. */
export interface SharedDeflate {
  /** @returns as `MessageCodec.deflate` */
  deflate(message: Uint8Array): Uint8Array | null
  /**
   * As `deflate`, on the thread pool.
   * @param message nobody changes it until `done`
   * @param done called later, at most once; what it gets is the receiver's
   * @returns cancels the job: `done` is never called. Idempotent
   */
  deflateAsync(message: Uint8Array, done: (result: Uint8Array | null) => void): () => void
}

/**
 * Compresses and decompresses the messages of one connection. Calls of one direction never overlap: after
 * `deflateAsync` (or `inflateAsync`) the caller waits for `done` before the next call of the same direction; the
 * two directions are independent. Nothing here throws on what a peer sent.
 *
 * Who owns the bytes: what is given is only read, until the call returns or, for the `Async` forms, until `done`.
 * A synchronous result is valid until the next call on any codec: it may be a view of memory that all codecs
 * share, so the caller writes, decodes or copies it at once, and never hands it on.
 */
export interface MessageCodec {
  /** For messages that go to many: each compressed once, by itself. Whoever sends one then drops the context. */
  readonly sharedDeflate: SharedDeflate
  /**
   * Should a message that goes to many be compressed? Such a message is no sign that a connection is busy.
   * @param byteLength of the message, uncompressed
   */
  worthSharing(byteLength: number): boolean
  /**
   * Should this outgoing message be compressed at all? Asked once for each message: the answer counts as a sign
   * that the connection is busy, on which contexts are lent.
   * @param byteLength of the message, uncompressed
   */
  worthDeflating(byteLength: number): boolean
  /** Is this outgoing message so large that `deflateAsync` should have it? */
  prefersAsyncDeflate(byteLength: number): boolean
  /** Is this incoming message (its length as compressed) so large that `inflateAsync` should have it? */
  prefersAsyncInflate(byteLength: number): boolean
  /**
   * Compresses a message, at once (RFC 7692 section 7.2.1).
   * @param message whole, uncompressed
   * @returns the payload, without the tail 00 00 ff ff, to be sent with RSV1 set, in the order of the calls; or
   *   null: it does not shrink, send it uncompressed
   */
  deflate(message: Uint8Array): Uint8Array | null
  /**
   * Decompresses a message, at once (RFC 7692 section 7.2.2).
   * @param message the payload of all its fragments, without the tail 00 00 ff ff
   * @param maxBytes the most that it may inflate to; the work stops one byte above
   * @returns the message; ProtocolError HAWSER_INVALID_DEFLATE where it does not inflate or breaks off; LimitError
   *   HAWSER_MESSAGE_TOO_BIG. After an error the connection is to be failed
   */
  inflate(message: Uint8Array, maxBytes: number): InflateResult
  /** As `deflate`, on the thread pool. `done` is called later, at most once; what it gets is the receiver's. */
  deflateAsync(message: Uint8Array, done: (result: Uint8Array | null) => void): void
  /** As `inflate`, on the thread pool. `done` is called later, at most once; what it gets is the receiver's. */
  inflateAsync(message: Uint8Array, maxBytes: number, done: (result: InflateResult) => void): void
  /**
   * Forgets the context of the messages sent. Needed where a compressed message that this codec did not make (one
   * that is sent to many) goes to the peer: its inflater then knows what this codec does not.
   */
  dropDeflateContext(): void
  /** Releases all that is held. Idempotent. A job under way ends quietly: its `done` is never called. */
  close(): void
}

/** Makes the codecs of one server, or of one client, and owns what they share. */
export interface CodecFactory {
  /** @param agreed what both ends keep to, from `acceptOffer` or `verifyResponse` */
  createCodec(agreed: AgreedParameters): MessageCodec
  /** What the compressors lent to connections hold now, in bytes; never above `maxSharedContextBytes`. */
  readonly sharedContextBytes: number
  /** What the decompressors lent to connections hold now, in bytes; never above `maxSharedInflaterBytes`. */
  readonly sharedInflaterBytes: number
  /** What is kept, in bytes, of messages received, for connections to which no decompressor is lent now. */
  readonly inflateHistoryBytes: number
  /** False: `maxInflateHistoryBytes` are kept. What then is to be agreed to: see `acceptOffer`. */
  readonly hasRoomForContexts: boolean
}
