import { ProtocolError } from '../errors.js'
import type { FramePart } from './frame-event.js'
import { borrowBuffer, returnBuffer } from './buffer-pool.js'
import { Opcode } from './opcode.js'
import { Utf8Validator } from './utf8.js'

/** The first buffer of a message that grows: small, for memory follows the bytes that came. */
const INITIAL_BYTES = 1024

/**
 * One message that comes in more than one part: everything that belongs to it, in one object that is dropped
 * at its end. The parts are copied into one growing buffer, so that a million empty fragments cost nothing and
 * the chunks that they came in are free at once.
 */
export class MessageAssembler {
  readonly opcode: typeof Opcode.TEXT | typeof Opcode.BINARY
  /** RSV1 of the first frame: the parts are compressed bytes (RFC 7692 section 6.2). */
  readonly isCompressed: boolean
  private buffer: Buffer
  /** It goes back to where it came from. */
  private isBorrowed = false
  private length = 0
  /** The sum of the payload lengths of all frames that began: never an allocation by itself. */
  private announced = 0
  /** Text that is not compressed is validated as it comes; ASCII needs no validator. */
  private validator: Utf8Validator | null = null
  private ascii: boolean

  /** @param first the first part of the first frame of a message */
  constructor(first: FramePart) {
    this.opcode = first.opcode === Opcode.TEXT ? Opcode.TEXT : Opcode.BINARY
    this.isCompressed = first.rsv1
    this.ascii = this.opcode === Opcode.TEXT && !first.rsv1
    this.buffer = Buffer.allocUnsafe(0)
  }

  /** Bytes so far. */
  get byteLength(): number {
    return this.length
  }

  /** Whether all bytes so far are known to be ASCII. */
  get isAscii(): boolean {
    return this.ascii
  }

  /**
   * Copies a part to the end of the message, unmasks it there, and validates it if it is text.
   * @param part its bytes are read during the call only
   * @returns the violation: 1007 at the first bad byte of text (RFC 6455 section 8.1)
   */
  append(part: FramePart): ProtocolError | null {
    if (part.isFirst) this.announced += part.payloadLength
    const { byteLength } = part
    if (byteLength === 0) return null
    this.reserve(byteLength, part.fin)
    const from = this.length
    const partIsAscii = part.copyTo(this.buffer, from)
    this.length = from + byteLength
    if (this.opcode === Opcode.BINARY || this.isCompressed) return null
    if (partIsAscii && (this.validator === null || this.validator.isComplete)) return null
    this.ascii = false
    this.validator ??= new Utf8Validator()
    return this.validator.push(this.buffer, from, this.length)
      ? null
      : new ProtocolError('HAWSER_INVALID_UTF8')
  }

  /**
   * Ends the message.
   * @returns its bytes, until {@link release}; or the violation: text that ends inside a character
   */
  finish(): Buffer | ProtocolError {
    if (this.validator !== null && !this.validator.isComplete) {
      return new ProtocolError('HAWSER_INVALID_UTF8', 'the text ends inside a character')
    }
    return this.buffer.subarray(0, this.length)
  }

  /**
   * The same, where the bytes are kept: in memory that is theirs alone.
   * @param bytes what {@link finish} gave
   */
  keep(bytes: Buffer): Buffer {
    if (!this.isBorrowed) return bytes
    const own = Buffer.allocUnsafeSlow(bytes.length)
    bytes.copy(own)
    this.release()
    return own
  }

  /** The bytes that {@link finish} gave are done with. */
  release(): void {
    if (this.isBorrowed) returnBuffer(this.buffer)
    this.isBorrowed = false
  }

  /**
   * Grows to hold `more` bytes: to at most four times what came, and no further than what was announced. Before
   * the last frame nobody knows how many more there will be: then twice what came is always granted, so that a
   * message of many fragments costs linear time.
   */
  private reserve(more: number, isLastFrame: boolean): void {
    const needed = this.length + more
    if (needed <= this.buffer.length) return
    const expected = Math.max(this.announced, isLastFrame ? needed : needed * 2)
    const wanted = Math.max(needed * 4, INITIAL_BYTES)
    // The last one is the caller's in the end; those before it are used again.
    const isLast = wanted >= expected
    const grown = isLast ? Buffer.allocUnsafeSlow(expected) : borrowBuffer(wanted)
    this.buffer.copy(grown, 0, 0, this.length)
    this.release()
    this.buffer = grown
    this.isBorrowed = !isLast
  }
}
