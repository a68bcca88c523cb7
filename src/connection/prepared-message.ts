import type { SharedEncoder } from '../extension/message-codec.js'
import { FIN_BIT, frameHeaderBytes, writeFrameHeader } from '../frame/header.js'
import { Opcode } from '../frame/opcode.js'
import { showAs } from '../inspect.js'
import { writeAscii, writeUtf8 } from '../native/buffer-text.js'
import { paceCollections } from '../native/collection-pace.js'
import { wantsCompression, type SendOptions } from './connection-options.js'
import { viewBytes, type MessageData } from './message-data.js'

/** The slab that holds transient messages one after the other. */
const SLAB_BYTES = 64 * 1024
const LARGE_FRAME_BYTES = 16 * 1024
/** How many compressed forms of one message are kept: one for each window of 9 to 15 bits, and one more. */
const MAX_DEFLATED = 8

let slab: Buffer = Buffer.alloc(0)
let slabEnd = 0

/** Allocates memory that is written once: in the slab if the message is transient and small enough. */
function allocate(bytes: number, isTransient: boolean): { target: Buffer; start: number } {
  if (!isTransient || bytes > LARGE_FRAME_BYTES) {
    paceCollections(bytes)
    return { target: Buffer.allocUnsafeSlow(bytes), start: 0 }
  }
  if (slabEnd + bytes > slab.length) {
    paceCollections(SLAB_BYTES)
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    slabEnd = 0
  }
  const start = slabEnd
  slabEnd += bytes
  return { target: slab, start }
}

/** An unmasked frame: bytes `start` to `end` of a buffer that does not change any more. */
export class SharedFrame {
  readonly buffer: Buffer
  readonly start: number
  readonly end: number

  constructor(firstByte: number, payload: Uint8Array | string, isTransient: boolean) {
    const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
    const { target, start } = allocate(frameHeaderBytes(length, false) + length, isTransient)
    const at = writeFrameHeader(target, start, firstByte, length, 0)
    if (typeof payload !== 'string') target.set(payload, at)
    else if (length === payload.length) writeAscii(target, payload, at)
    else writeUtf8(target, payload, at)
    this.buffer = target
    this.start = start
    this.end = at + length
  }
}

/** A connection that waits for a {@link SharedCompression}. */
export interface CompressionWaiter {
  /** @param frame null if the message does not shrink or could not be compressed */
  compressionEnded(frame: SharedFrame | null): void
}

/** A prepared message that is being compressed on the thread pool, for all codecs with the same parameters. */
export class SharedCompression {
  private readonly waiters = new Set<CompressionWaiter>()
  private readonly cancel: () => void
  private isOver = false

  /**
   * @param start starts the work. It gets a callback for the result, to be called later, and returns a function that
   *   cancels the work
   */
  constructor(start: (done: (frame: SharedFrame | null) => void) => () => void) {
    this.cancel = start((frame) => {
      this.isOver = true
      this.tellAll(frame)
    })
  }

  join(waiter: CompressionWaiter): void {
    this.waiters.add(waiter)
  }

  /** Removes a connection that has ended. When no connection waits any more, the work is cancelled. */
  leave(waiter: CompressionWaiter): void {
    this.waiters.delete(waiter)
    if (this.waiters.size === 0 && !this.isOver) this.cancel()
  }

  /** Passes the result to all waiters. If some throw, the others still get it, and the errors are thrown afterwards. */
  private tellAll(frame: SharedFrame | null): void {
    const failures: unknown[] = []
    for (const waiter of this.waiters) {
      this.waiters.delete(waiter)
      try {
        waiter.compressionEnded(frame)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'a connection threw after a compression')
  }
}

/** A result of {@link deflatedBy}, with the compressor that made it. */
interface Deflated {
  readonly by: SharedEncoder
  /** null if the message does not shrink. */
  result: SharedFrame | SharedCompression | null
}

// What connections use of a prepared message, and the application does not get.

/** The frame of the message, not compressed. */
export let frameOf: (message: PreparedMessage) => SharedFrame
/** FIN and the opcode. */
export let firstByteOf: (message: PreparedMessage) => number
/** The message without its header. */
export let payloadOf: (message: PreparedMessage) => Buffer
/**
 * The frame of the message compressed without a context, made once for all codecs with the same parameters.
 * @returns the frame; null if the message does not shrink; or, for a large message, the running compression to join
 */
export let deflatedBy: (
  message: PreparedMessage,
  by: SharedEncoder,
  reservedBits: number,
) => SharedFrame | SharedCompression | null

/** The third argument of the constructor that {@link prepareTransient} gives. */
const TRANSIENT = Symbol('transient')

/**
 * A message that is encoded once and sent to many connections, or many times. Pass it to `send`, `broadcast` or a
 * group in place of the text or the bytes. The connections of a server share its frame. With permessage-deflate it is
 * also compressed only once, without a context (RFC 7692 section 7.2.3.3 allows a sender not to use its context). A
 * client masks each frame anew (RFC 6455 section 5.3), so it only saves the encoding of the text.
 */
export class PreparedMessage {
  static {
    frameOf = (message) => message.#frame
    firstByteOf = (message) => message.#firstByte
    payloadOf = (message) => message.#payload
    deflatedBy = (message, by, reservedBits) => message.#deflatedBy(by, reservedBits)
    // Not the bytes.
    showAs(PreparedMessage, 'PreparedMessage', ({ byteLength }) => ({ byteLength }))
  }

  /** Whether the message may be compressed. */
  readonly compress: boolean
  /** The length of the message in bytes, without the frame's header. */
  readonly byteLength: number
  readonly #frame: SharedFrame
  readonly #firstByte: number
  readonly #isTransient: boolean
  #deflated: Deflated[] | null = null

  /**
   * @param data copied; a string is sent as text, anything else as bytes
   * @param options as for `send`
   * @throws TypeError if `data` is neither text nor bytes, or an option is wrong
   */
  constructor(data: MessageData, options?: SendOptions)
  constructor(data: MessageData, options?: SendOptions, lifetime?: typeof TRANSIENT) {
    const payload = typeof data === 'string' ? data : viewBytes('data', data)
    this.compress = options === undefined || wantsCompression(options)
    this.#firstByte = FIN_BIT | (typeof payload === 'string' ? Opcode.TEXT : Opcode.BINARY)
    this.#isTransient = lifetime === TRANSIENT
    this.#frame = new SharedFrame(this.#firstByte, payload, this.#isTransient)
    const { start, end } = this.#frame
    const length = end - start
    // The header has one of three lengths, which follows from the length of the frame.
    const headerBytes = length - 2 <= 125 ? 2 : length - 4 <= 0xffff ? 4 : 10
    this.byteLength = length - headerBytes
  }

  get #payload(): Buffer {
    const { buffer, end } = this.#frame
    return buffer.subarray(end - this.byteLength, end)
  }

  #deflatedBy(by: SharedEncoder, reservedBits: number): SharedFrame | SharedCompression | null {
    this.#deflated ??= []
    for (const one of this.#deflated) if (one.by === by) return one.result
    const deflated: Deflated = { by, result: null }
    if (this.#deflated.length === MAX_DEFLATED) this.#deflated.shift()
    this.#deflated.push(deflated)
    if (by.isLarge(this.byteLength)) {
      deflated.result = this.#compressLater(by, reservedBits, deflated)
    } else {
      deflated.result = this.#compressedFrame(by.encode(this.#payload), reservedBits)
    }
    return deflated.result
  }

  #compressLater(by: SharedEncoder, reservedBits: number, deflated: Deflated): SharedCompression {
    return new SharedCompression((done) => {
      const cancel = by.encodeLater(this.#payload, (bytes) => {
        const frame = this.#compressedFrame(bytes, reservedBits)
        deflated.result = frame
        done(frame)
      })
      return () => {
        this.#deflated = (this.#deflated as Deflated[]).filter((one) => one !== deflated)
        cancel()
      }
    })
  }

  #compressedFrame(bytes: Uint8Array | null, reservedBits: number): SharedFrame | null {
    return bytes === null ? null : new SharedFrame(this.#firstByte | reservedBits, bytes, this.#isTransient)
  }
}

const Transient = PreparedMessage as new (
  data: MessageData,
  options: SendOptions | undefined,
  lifetime: typeof TRANSIENT,
) => PreparedMessage

/** Makes a message that is short-lived, so that it may share a slab with others. */
export const prepareTransient = (data: MessageData, options?: SendOptions): PreparedMessage =>
  new Transient(data, options, TRANSIENT)
