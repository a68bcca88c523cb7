import type { ProtocolError } from '../errors.js'
import { messageBuffer } from './buffer-pool.js'
import { maskCopy, maskInPlace } from './masking.js'
import type { Opcode } from './opcode.js'

/**
 * A frame, or one part of it. A frame that lies whole in the pushed chunk is one part. Any other frame gives a first
 * part as soon as its header is complete and checked, and then one part for each further chunk.
 */
export class FramePart {
  /** Tells it from a {@link FrameViolation}. */
  readonly type = 'part'
  /** FIN: whether this frame is the last of its message. */
  readonly fin: boolean
  /** RSV1 to RSV3 as in the first byte. Those of a message's first frame belong to the message (RFC 6455 section 5.8). */
  readonly reservedBits: number
  /** The opcode of the frame. */
  readonly opcode: Opcode
  /** The payload length of the whole frame in bytes, as its header announces it. */
  readonly payloadLength: number
  /** Whether this part begins its frame. */
  readonly isFirst: boolean
  /** Whether this part ends its frame. */
  readonly isLast: boolean
  /** The chunk that holds the bytes: `start` (inclusive) to `end` (exclusive), still masked if {@link isMasked}. */
  readonly source: Buffer
  /** The index of the first byte in `source`. */
  readonly start: number
  /** The index after the last byte in `source`. */
  readonly end: number
  /** 32 bits, first octet lowest; 0 for an unmasked frame. */
  readonly maskingKey: number
  /** The index of this part's first byte within the frame's payload. */
  readonly offset: number
  /** Whether the bytes in `source` are still masked. */
  isMasked: boolean

  constructor(
    firstByte: number,
    opcode: Opcode,
    payloadLength: number,
    source: Buffer,
    start: number,
    end: number,
    isMasked: boolean,
    maskingKey: number,
    offset: number,
    isFirst: boolean,
    isLast: boolean,
  ) {
    this.fin = (firstByte & 0x80) !== 0
    this.reservedBits = firstByte & 0x70
    this.opcode = opcode
    this.payloadLength = payloadLength
    this.source = source
    this.start = start
    this.end = end
    this.isMasked = isMasked
    this.maskingKey = maskingKey
    this.offset = offset
    this.isFirst = isFirst
    this.isLast = isLast
  }

  /** RSV1: with permessage-deflate, whether the message that this frame begins is compressed (RFC 7692 section 6). */
  get rsv1(): boolean {
    return (this.reservedBits & 0x40) !== 0
  }

  /** The length of this part in bytes. */
  get byteLength(): number {
    return this.end - this.start
  }

  /**
   * Unmasks the bytes in place. A second call does nothing.
   * @returns true if all bytes are known to be ASCII; false also if they were not checked because they were not
   *   masked
   */
  unmask(): boolean {
    if (!this.isMasked) return false
    this.isMasked = false
    return maskInPlace(this.source, this.start, this.end, this.maskingKey, this.offset)
  }

  /**
   * Copies the bytes of this part, unmasked. The chunk does not change.
   * @param target has room for {@link byteLength} bytes from index `at`
   * @returns true if all bytes are known to be ASCII
   */
  copyTo(target: Uint8Array, at: number): boolean {
    const { source, start, end } = this
    if (this.isMasked) return maskCopy(source, start, end, target, at, this.maskingKey, this.offset)
    source.copy(target, at, start, end)
    return false
  }

  /** Copies the bytes of this part, unmasked. @returns memory of its own, owned by the caller */
  copy(): Buffer {
    const bytes = messageBuffer(this.byteLength)
    this.copyTo(bytes, 0)
    return bytes
  }

  /**
   * The bytes of this part. Reading it unmasks the chunk in place.
   * @returns a view of the pushed chunk, which the parser does not write again
   */
  get payload(): Buffer {
    this.unmask()
    return this.source.subarray(this.start, this.end)
  }
}

/** The peer broke the protocol. This is the parser's last event: every further call of `next` returns it again. */
export class FrameViolation {
  /** Tells it from a {@link FramePart}. */
  readonly type = 'violation'
  /** What the peer did wrong. */
  readonly error: ProtocolError

  constructor(error: ProtocolError) {
    this.error = error
  }
}

/** What the parser gives. */
export type FrameEvent = FramePart | FrameViolation
