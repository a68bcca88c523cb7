import { LENGTH_BITS, PAYLOAD_LENGTH_16, PAYLOAD_LENGTH_64, RSV2_BIT } from '../frame/header.js'
import { OutputQueue } from './output-queue.js'

/** Set in the first byte of a frame that is to be compressed; no frame on the wire has it. */
export const TO_COMPRESS_BIT = RSV2_BIT

/** A frame as it was put to wait. */
export interface WaitingFrame {
  /** FIN, the opcode, and {@link TO_COMPRESS_BIT}. */
  readonly firstByte: number
  /** A view of bytes that nobody changes any more. */
  readonly payload: Buffer
}

/**
 * Frames that wait for the compression of a message before them, kept as what they nearly are already: bytes, one
 * frame behind the other. A million small messages then cost a few bytes each, not an object and a buffer.
 */
export class WaitingFrames {
  private readonly queue = new OutputQueue(false)
  private bytes: Buffer | null = null
  private position = 0

  constructor() {
    // They may wait for long: not in the slab.
    this.queue.isBlocked = true
  }

  /** What waits, headers included. */
  get byteLength(): number {
    return this.queue.byteLength + (this.bytes === null ? 0 : this.bytes.length - this.position)
  }

  appendText(firstByte: number, text: string): void {
    this.queue.appendText(firstByte, text)
  }

  /** @param payload copied; read during the call only */
  appendBytes(firstByte: number, payload: Uint8Array): void {
    this.queue.appendBytes(firstByte, payload)
  }

  /** The frame that waited longest; null when none waits. */
  next(): WaitingFrame | null {
    this.bytes ??= this.queue.take()
    if (this.bytes === null) return null
    const { bytes } = this
    const at = this.position
    const field = bytes.readUInt8(at + 1) & LENGTH_BITS
    let start = at + 2
    let length = field
    if (field === PAYLOAD_LENGTH_16) {
      length = bytes.readUInt16BE(start)
      start += 2
    } else if (field === PAYLOAD_LENGTH_64) {
      length = Number(bytes.readBigUInt64BE(start))
      start += 8
    }
    const end = start + length
    const atEnd = end === bytes.length
    this.bytes = atEnd ? null : bytes
    this.position = atEnd ? 0 : end
    return { firstByte: bytes.readUInt8(at), payload: bytes.subarray(start, end) }
  }
}
