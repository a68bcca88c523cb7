import type { ProtocolError } from '../errors.js'
import { maskInPlace } from './masking.js'
import type { Opcode } from './opcode.js'

/**
 * A frame, or the part of it that has come so far. A frame that lies whole in what was pushed is one part; any
 * other is a first part, made as soon as its header is known and checked, and then one part for each chunk.
 */
export class FramePart {
  readonly type = 'part'
  /** FIN: this frame is the last of its message. */
  readonly fin: boolean
  /** RSV1: with permessage-deflate, on the first frame of a message: it is compressed (RFC 7692 section 6). */
  readonly rsv1: boolean
  readonly opcode: Opcode
  /** Of the whole frame, as its header announces it. */
  readonly payloadLength: number
  /** This part begins its frame. */
  readonly isFirst: boolean
  /** This part ends its frame. */
  readonly isLast: boolean
  /** The chunk that the bytes lie in, and where: bytes `start` to `end`, still masked if {@link isMasked}. */
  readonly source: Buffer
  readonly start: number
  readonly end: number
  /** 32 bits, first octet lowest; 0 for a frame that came unmasked. */
  readonly maskingKey: number
  /** The index of this part's first byte in the frame's payload. */
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
    this.rsv1 = (firstByte & 0x40) !== 0
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

  /** How many bytes this part has. */
  get byteLength(): number {
    return this.end - this.start
  }

  /**
   * Unmasks the bytes in place, once.
   * @returns true if they are known to be all ASCII; false also where nobody looked, since they came unmasked
   */
  unmask(): boolean {
    if (!this.isMasked) return false
    this.isMasked = false
    return maskInPlace(this.source, this.start, this.end, this.maskingKey, this.offset)
  }

  /**
   * Copies the bytes of this part, unmasked; those in the chunk stay as they are.
   * @param target has room for {@link byteLength} bytes from `at`
   * @returns true if they are known to be all ASCII
   */
  copyTo(target: Uint8Array, at: number): boolean {
    this.source.copy(target, at, this.start, this.end)
    if (!this.isMasked) return false
    return maskInPlace(target, at, at + this.byteLength, this.maskingKey, this.offset)
  }

  /** The bytes of this part, unmasked, in memory of their own. */
  copy(): Buffer {
    const bytes = Buffer.allocUnsafe(this.byteLength)
    this.copyTo(bytes, 0)
    return bytes
  }

  /**
   * The bytes of this part, unmasked.
   * @returns a view of the chunk that was pushed: yours, as long as you keep it
   */
  get payload(): Buffer {
    this.unmask()
    return this.source.subarray(this.start, this.end)
  }
}

/** The peer broke the protocol: the last event that a parser gives, again and again. */
export class FrameViolation {
  readonly type = 'violation'
  readonly error: ProtocolError

  constructor(error: ProtocolError) {
    this.error = error
  }
}

export type FrameEvent = FramePart | FrameViolation
