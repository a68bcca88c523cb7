/** permessage-deflate over node:zlib: one codec for each connection, and what the codecs of one server share. */
import { InvalidStateError } from '../errors.js'
import { checkNumber, showValue } from '../check.js'
import { canUseZlibHandles } from '../native/zlib-handle.js'
import type {
  DecodeListener,
  DecodeResult,
  EncodeListener,
  MessageCodec,
  SharedEncoder,
} from '../extension/message-codec.js'
import { ContextPool, IncomingContext, OutgoingContext, type SharedInflation } from './contexts.js'
import {
  compressorBits,
  contextBytes,
  Deflater,
  deflateLater,
  sharedDeflater,
  type SharedDeflater,
} from './deflater.js'
import { inflateLater } from './inflate-job.js'
import { Inflater, inflaterBytes, SharedInflater } from './inflater.js'
import type { AgreedParameters } from './negotiation.js'
import type { ResolvedDeflateOptions } from './options.js'
import { NO_HISTORY } from './inflate-window.js'

/** RSV1 of a frame's first byte: the message is compressed (RFC 7692 section 6). */
export const RSV1_BIT = 0x40

/** An empty stored block less its tail: an empty message (RFC 7692 section 7.2.3.6). */
const EMPTY_MESSAGE_OCTET = 0x00

/**
 * Text of at most this many UTF-16 units is encoded into {@link TEXT} where it is compressed at once: with a buffer of its own
 * a message of 1 KiB takes 2 us of 15 more (Node 20, 2026-11).
 */
const MAX_SHARED_UNITS = 16 * 1024
const BYTES_PER_UNIT = 3
const TEXT = Buffer.alloc(MAX_SHARED_UNITS * BYTES_PER_UNIT)

/** @returns UTF-8; valid until the next call where it is compressed at once: where it cannot exceed `asyncThresholdBytes` */
function encodeText(text: string, asyncThresholdBytes: number): Buffer {
  const isShared = text.length <= MAX_SHARED_UNITS && text.length * BYTES_PER_UNIT <= asyncThresholdBytes
  return isShared ? TEXT.subarray(0, TEXT.write(text)) : Buffer.from(text)
}

function checkMessage(message: Uint8Array): void {
  // zlib's native side ends the process when given anything else.
  if (!(message instanceof Uint8Array)) {
    throw new TypeError(`message must be a Uint8Array, not ${showValue(message)}`)
  }
}

function checkMaxBytes(maxBytes: number): void {
  if (!(Number.isInteger(maxBytes) && maxBytes >= 0)) {
    checkNumber('maxBytes', maxBytes, { min: 0, integer: true })
  }
}

/**
 * The messages of one connection. `encode` and `decode`, which a connection uses, decide by the options what is compressed
 * and what the thread pool does; `deflate`, `inflate` and their later forms do as they are told. Calls of one direction must
 * not overlap.
 */
export interface DeflateCodec extends MessageCodec {
  /** What encodes messages to many, without a context. */
  readonly shared: SharedEncoder

  /**
   * Compresses a message, at once (RFC 7692 section 7.2.1).
   * @param message whole, uncompressed; only read
   * @returns the payload, without the tail 00 00 ff ff, to be sent with RSV1 set, in the order of the calls; valid until
   *   the next call on any codec. null: it does not shrink, send it uncompressed
   */
  deflate(message: Uint8Array): Uint8Array | null

  /**
   * Decompresses a message, at once (RFC 7692 section 7.2.2).
   * @param message the payload of all its fragments, without the tail 00 00 ff ff; only read
   * @param maxBytes the most that it may inflate to; the work stops one byte above
   * @returns the message, valid until the next call on any codec; ProtocolError HAWSER_INVALID_DEFLATE where it does not
   *   inflate or breaks off; LimitError HAWSER_MESSAGE_TOO_BIG. After an error the connection is to be failed
   */
  inflate(message: Uint8Array, maxBytes: number): DecodeResult

  /**
   * As `deflate`, on the thread pool, by itself.
   * @param message nobody changes it until `done`
   * @param done called later, at most once; the bytes are the receiver's
   */
  deflateAsync(message: Uint8Array, done: (payload: Uint8Array | null) => void): void

  /**
   * As `inflate`, on the thread pool.
   * @param message nobody changes it until `done`
   * @param done called later, at most once; the bytes are the receiver's
   */
  inflateAsync(message: Uint8Array, maxBytes: number, done: (result: DecodeResult) => void): void
}

/** A {@link DeflateCodec} with contexts that its factory lends. */
class ContextCodec implements DeflateCodec {
  readonly #factory: DeflateCodecFactory
  readonly #shared: SharedDeflater
  /** Whether a context may be lent to this connection for what it sends. */
  readonly #keepsContext: boolean
  /** The window of the peer's compressor; 0: the peer compresses each message by itself. */
  readonly #peerBits: number
  /** Made with the first message that needs it, each. */
  #outgoing: OutgoingContext | null = null
  #incoming: IncomingContext | null = null
  /** Cancels the job under way. */
  #deflateJob: (() => void) | null = null
  #inflateJob: (() => void) | null = null
  #isClosed = false

  /** Made by a factory alone. */
  constructor(factory: DeflateCodecFactory, agreed: AgreedParameters) {
    const { config, usesHandles } = factory
    const isServer = config.role === 'server'
    const ownTakeover = !(isServer ? agreed.serverNoContextTakeover : agreed.clientNoContextTakeover)
    const peerTakeover = !(isServer ? agreed.clientNoContextTakeover : agreed.serverNoContextTakeover)
    const ownBits = isServer ? agreed.serverMaxWindowBits : agreed.clientMaxWindowBits
    const peerBits = isServer ? agreed.clientMaxWindowBits : agreed.serverMaxWindowBits
    const { level, memLevel } = config
    const windowBits = compressorBits(ownBits)
    this.#factory = factory
    this.#shared = sharedDeflater({ windowBits, level, memLevel }, config, usesHandles)
    this.#keepsContext = ownTakeover && usesHandles
    this.#peerBits = peerTakeover ? peerBits : 0
  }

  get reservedBits(): number {
    return RSV1_BIT
  }

  get encodedBits(): number {
    return RSV1_BIT
  }

  get shared(): SharedEncoder {
    return this.#shared
  }

  /** As the port says: `thresholdBytes` and `asyncThresholdBytes` decide. */
  encode(
    message: string | Uint8Array,
    listener: EncodeListener,
    isLasting = false,
    mayCompress = true,
  ): Uint8Array | null | 'later' {
    if (!mayCompress) return null
    const { config } = this.#factory
    const isShort = message.length < config.thresholdBytes
    if (isShort && message.length < config.contextThresholdBytes) return null
    this.#checkFree(this.#deflateJob, 'deflateAsync')
    const lent = isShort ? this.#borrow() : null
    if (isShort && lent === null) return null
    const bytes = typeof message === 'string' ? encodeText(message, config.asyncThresholdBytes) : message
    if (bytes.length <= config.asyncThresholdBytes) {
      return lent === null ? this.deflate(bytes) : lent.deflate(bytes, true)
    }
    const kept = isLasting || typeof message === 'string' ? bytes : Buffer.from(bytes)
    this.deflateAsync(kept, (payload) => {
      listener.encoded(payload, kept)
    })
    return 'later'
  }

  /** As the port says: `asyncThresholdBytes` decides. */
  decode(
    message: Uint8Array,
    listener: DecodeListener,
    maxBytes: number,
    isLasting = false,
  ): DecodeResult | 'later' {
    if (message.length <= this.#factory.config.asyncThresholdBytes) return this.inflate(message, maxBytes)
    this.inflateAsync(isLasting ? message : Buffer.from(message), maxBytes, (result) => {
      listener.decoded(result)
    })
    return 'later'
  }

  deflate(message: Uint8Array): Uint8Array | null {
    checkMessage(message)
    this.#checkFree(this.#deflateJob, 'deflateAsync')
    if (message.length === 0) return Buffer.of(EMPTY_MESSAGE_OCTET)
    const lent = this.#borrow()
    return lent === null ? this.#shared.encode(message) : lent.deflate(message, true)
  }

  inflate(message: Uint8Array, maxBytes: number): DecodeResult {
    checkMessage(message)
    checkMaxBytes(maxBytes)
    this.#checkFree(this.#inflateJob, 'inflateAsync')
    if (this.#peerBits !== 0) return this.#incomingContext().inflate(message, maxBytes)
    return this.#factory.inflation.inflater.inflate(message, maxBytes, NO_HISTORY)
  }

  deflateAsync(message: Uint8Array, done: (payload: Uint8Array | null) => void): void {
    checkMessage(message)
    this.#checkFree(this.#deflateJob, 'deflateAsync')
    this.#deflateJob = deflateLater(message, this.#shared.parameters, (payload) => {
      this.#deflateJob = null
      // It was compressed by itself: what the context lent knows is no longer what the peer's inflater knows.
      if (payload !== null) this.dropContext()
      done(payload)
    })
  }

  inflateAsync(message: Uint8Array, maxBytes: number, done: (result: DecodeResult) => void): void {
    checkMessage(message)
    checkMaxBytes(maxBytes)
    this.#checkFree(this.#inflateJob, 'inflateAsync')
    const context = this.#peerBits === 0 ? null : this.#incomingContext()
    const history = context === null ? NO_HISTORY : context.takeHistory()
    this.#inflateJob = inflateLater(message, maxBytes, history, (result, reachBytes) => {
      this.#inflateJob = null
      context?.remember(result, reachBytes)
      done(result)
    })
  }

  dropContext(): void {
    this.#outgoing?.lent?.dropContext()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#deflateJob?.()
    this.#inflateJob?.()
    this.#factory.codecClosed(this.#outgoing, this.#incoming)
  }

  #incomingContext(): IncomingContext {
    this.#incoming ??= new IncomingContext(this.#factory.inflation, this.#peerBits)
    return this.#incoming
  }

  /** A message goes out. @returns the compressor that is lent to this connection */
  #borrow(): Deflater | null {
    const { deflaters } = this.#factory
    if (!this.#keepsContext || deflaters === null) return null
    this.#outgoing ??= new OutgoingContext(this.#shared.parameters.windowBits)
    return deflaters.borrow(this.#outgoing)
  }

  #checkFree(job: (() => void) | null, name: string): void {
    if (this.#isClosed) throw new InvalidStateError('the codec is closed')
    if (job !== null) throw new InvalidStateError(`${name} has not called done yet`)
  }
}

const sharedInflaters = new Map<boolean, SharedInflater>()

/** One for the process: it keeps no context from message to message. */
function sharedInflater(usesHandles: boolean): SharedInflater {
  let inflater = sharedInflaters.get(usesHandles)
  if (inflater === undefined) {
    sharedInflaters.set(usesHandles, (inflater = new SharedInflater(usesHandles)))
  }
  return inflater
}

/** Makes the codecs of one server, or of one client, and owns what they share. */
export interface CodecFactory {
  /** @param agreed what both ends keep to, from `acceptOffer` or `verifyResponse` */
  createCodec(agreed: AgreedParameters): DeflateCodec
  /** What the compressors lent to connections hold now, in bytes; never above `maxSharedContextBytes`. */
  readonly sharedContextBytes: number
  /** What the decompressors lent to connections hold now, in bytes; never above `maxSharedInflaterBytes`. */
  readonly sharedInflaterBytes: number
  /** What is kept, in bytes, of messages received, for connections to which no decompressor is lent now. */
  readonly inflateHistoryBytes: number
  /** False: `maxInflateHistoryBytes` are kept. What then is to be agreed to: see `acceptOffer`. */
  readonly hasRoomForContexts: boolean
}

class DeflateCodecFactory implements CodecFactory {
  readonly config: ResolvedDeflateOptions
  readonly usesHandles: boolean
  /** Compressors to lend; null: none, since a context without a handle costs more than it saves. */
  readonly deflaters: ContextPool<Deflater> | null
  readonly inflation: SharedInflation
  #openCodecs = 0

  constructor(config: ResolvedDeflateOptions, usesHandles: boolean) {
    const { level, memLevel, maxSharedContextBytes, maxSharedInflaterBytes } = config
    this.config = config
    this.usesHandles = usesHandles
    this.deflaters = usesHandles
      ? new ContextPool(
          maxSharedContextBytes,
          (windowBits) => contextBytes({ windowBits, level, memLevel }),
          (windowBits) => new Deflater({ windowBits, level, memLevel }, true),
        )
      : null
    const pool = usesHandles
      ? new ContextPool(maxSharedInflaterBytes, inflaterBytes, (windowBits) => new Inflater(windowBits))
      : null
    this.inflation = { inflater: sharedInflater(usesHandles), pool, historyBytes: 0 }
  }

  createCodec(agreed: AgreedParameters): DeflateCodec {
    this.#openCodecs++
    return new ContextCodec(this, agreed)
  }

  get sharedContextBytes(): number {
    return this.deflaters === null ? 0 : this.deflaters.bytes
  }

  get sharedInflaterBytes(): number {
    const { pool } = this.inflation
    return pool === null ? 0 : pool.bytes
  }

  get inflateHistoryBytes(): number {
    return this.inflation.historyBytes
  }

  get hasRoomForContexts(): boolean {
    return this.inflation.historyBytes < this.config.maxInflateHistoryBytes
  }

  /** What was lent to the codec goes to others; after the last codec all is freed. */
  codecClosed(outgoing: OutgoingContext | null, incoming: IncomingContext | null): void {
    if (outgoing !== null) this.deflaters?.release(outgoing)
    incoming?.close()
    if (--this.#openCodecs > 0) return
    this.deflaters?.clear()
    this.inflation.pool?.clear()
  }
}

/**
 * Makes the codecs of one server, or of one client. They share a pool of compressors and one of decompressors, bounded
 * by `maxSharedContextBytes` and `maxSharedInflaterBytes`, which are freed when the last codec is closed.
 * @param config from `resolveDeflateOptions`
 * @param usesHandles whether to run zlib's native handles; for tests. Default: where they work. Without them documented
 *   calls do all the work
 */
export function createCodecFactory(
  config: ResolvedDeflateOptions,
  usesHandles: boolean = canUseZlibHandles(),
): CodecFactory {
  return new DeflateCodecFactory(config, usesHandles)
}
