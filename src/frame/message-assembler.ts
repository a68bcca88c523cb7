import { ProtocolError } from '../errors.js'
import type { FramePart } from './frame-event.js'
import { borrowBuffer, ownBuffer, returnBuffer } from './buffer-pool.js'
import type { FrameParser } from './frame-parser.js'
import { copyBytes, maskCopy } from './masking.js'
import { Opcode } from './opcode.js'
import { isAsciiOnly, Utf8Validator } from './utf8.js'

/**
 * What a message gets beside four times the bytes received. It is small because memory follows the bytes received; it is there
 * so that a quarter of a message less its header, as one read gives it, is a quarter.
 */
const INITIAL_BYTES = 1024

/**
 * Assembles one message that arrives in several parts. The object holds all state of that message and is dropped at
 * its end. It copies the parts into one growing buffer, so a million empty fragments cost nothing and each chunk is
 * free at once.
 */
export class MessageAssembler {
  /** The type of the message, by its first frame. */
  readonly opcode: typeof Opcode.TEXT | typeof Opcode.BINARY
  /** The reserved bits of the first frame. Where there are any, an extension encoded the message. */
  readonly reservedBits: number
  private buffer: Buffer
  /** Whether `buffer` is from the buffer pool and must be returned to it. */
  private isBorrowed = false
  /** How much of `buffer` may be filled, in bytes. */
  private room = 0
  private length = 0
  /** The announced payload lengths of all frames so far, in bytes. An announcement alone never allocates. */
  private announced = 0
  /** Validates uncompressed text as it arrives; null while all text is ASCII. */
  private validator: Utf8Validator | null = null
  private ascii: boolean
  private readonly validates: boolean

  /**
   * @param first the first part of the first frame of a message
   * @param validates whether text must be UTF-8
   */
  constructor(first: FramePart, validates = true) {
    this.validates = validates
    this.opcode = first.opcode === Opcode.TEXT ? Opcode.TEXT : Opcode.BINARY
    this.reservedBits = first.reservedBits
    this.ascii = this.opcode === Opcode.TEXT && first.reservedBits === 0
    this.buffer = Buffer.allocUnsafe(0)
  }

  /** Whether the parts are compressed bytes (RFC 7692 section 6.2), or encoded by another extension. */
  get isCompressed(): boolean {
    return this.reservedBits !== 0
  }

  /** The bytes received so far. */
  get byteLength(): number {
    return this.length
  }

  /** Whether all bytes received so far are known to be ASCII. */
  get isAscii(): boolean {
    return this.ascii
  }

  /**
   * Copies a part to the end of the message, unmasks the copy, and validates it if it is uncompressed text.
   * @param part read during the call only
   * @returns null, or the violation: 1007 at the first bad byte of text (RFC 6455 section 8.1)
   */
  append(part: FramePart): ProtocolError | null {
    if (part.isFirst) this.announced += part.payloadLength
    const { byteLength } = part
    if (byteLength === 0) return null
    this.reserve(byteLength, part.fin)
    const partIsAscii = part.copyTo(this.buffer, this.length)
    return this.grow(byteLength, partIsAscii || (this.ascii && !part.isMasked && this.seesAscii(byteLength)))
  }

  /**
   * As {@link append}, with what the parser has taken last by `takeFragments`.
   * @param parser read during the call only
   */
  appendTaken(parser: FrameParser): ProtocolError | null {
    const { wholeSource: source, wholeStart: start, wholeEnd: end, wholeKey: key } = parser
    const byteLength = end - start
    if (byteLength === 0) return null
    this.announced += byteLength
    this.reserve(byteLength, parser.tookLast)
    const at = this.length
    if (key !== 0) return this.grow(byteLength, maskCopy(source, start, end, this.buffer, at, key, 0))
    copyBytes(source, start, end, this.buffer, at)
    return this.grow(byteLength, parser.tookAscii)
  }

  /** Whether the bytes that were copied, which were not masked and so not looked at, are ASCII. */
  private seesAscii(byteLength: number): boolean {
    return isAsciiOnly(this.buffer, this.length, this.length + byteLength)
  }

  /** Counts bytes that were written, and validates them if they are uncompressed text. */
  private grow(byteLength: number, partIsAscii: boolean): ProtocolError | null {
    const from = this.length
    this.length = from + byteLength
    if (this.opcode === Opcode.BINARY || this.isCompressed || !this.validates) return null
    if (partIsAscii && (this.validator === null || this.validator.isComplete)) return null
    this.ascii = false
    this.validator ??= new Utf8Validator()
    return this.validator.push(this.buffer, from, this.length)
      ? null
      : new ProtocolError('HAWSER_INVALID_UTF8')
  }

  /**
   * Ends the message.
   * @returns its bytes, valid until {@link release}; or the violation if the text ends inside a character
   */
  finish(): Buffer | ProtocolError {
    if (this.validator !== null && !this.validator.isComplete) {
      return new ProtocolError('HAWSER_INVALID_UTF8', 'the text ends inside a character')
    }
    return this.buffer.subarray(0, this.length)
  }

  /**
   * Moves the message into memory of its own, so that the receiver may keep it.
   * @param bytes the result of {@link finish}
   * @returns the same bytes, owned by the caller
   */
  keep(bytes: Buffer): Buffer {
    if (!this.isBorrowed) return bytes
    const own = ownBuffer(bytes.length)
    bytes.copy(own)
    this.release()
    return own
  }

  /** Gives the buffer back to the pool: the caller must not use the bytes of {@link finish} afterwards. */
  release(): void {
    if (this.isBorrowed) returnBuffer(this.buffer)
    this.isBorrowed = false
  }

  /**
   * Makes room for `more` bytes. The buffer grows to at most four times the bytes received (and 1 KiB), and not beyond the
   * bytes announced. Once a quarter is there, it has room for all, and nothing is copied again; until then it has room for a
   * quarter. Before the last frame the total is unknown, so twice the bytes received is always allowed: a message of many
   * fragments then costs linear time.
   */
  private reserve(more: number, isLastFrame: boolean): void {
    const needed = this.length + more
    if (needed <= this.room) return
    const expected = Math.max(this.announced, isLastFrame ? needed : needed * 2)
    const wanted = needed * 4 + INITIAL_BYTES
    const isLast = wanted >= expected
    // The caller may keep the last buffer of bytes; text is decoded from it, and all others return to the pool.
    const isBorrowed = !isLast || !(this.opcode === Opcode.BINARY || this.isCompressed)
    const bytes = isLast ? expected : Math.min(wanted, Math.ceil(expected / 4))
    const grown = isBorrowed ? borrowBuffer(bytes) : ownBuffer(bytes)
    if (this.length > 0) this.buffer.copy(grown, 0, 0, this.length)
    this.release()
    this.buffer = grown
    // What the pool gives beyond a quarter is not used: that would only be copied later.
    this.room = isLast ? grown.length : bytes
    this.isBorrowed = isBorrowed
  }
}
