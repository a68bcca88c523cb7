import { borrowBuffer, returnBuffer } from '../frame/buffer-pool.js'
import { frameHeaderBytes, MASK_BIT, writeFrameHeader } from '../frame/header.js'
import { writeMaskingKey } from '../frame/frame-serializer.js'
import { createMaskingKey, maskInPlace } from '../frame/masking.js'
import { writeUtf8 } from '../native/buffer-text.js'

/** Frames of all connections are written into one slab, so that a connection keeps no buffer of its own. */
const SLAB_BYTES = 64 * 1024
/** What is taken at once: a slab, and the message that made it full. */
const MAX_TAKEN_BYTES = SLAB_BYTES + 4 * 1024
/** A frame from this size on gets a buffer of its own. */
const LARGE_FRAME_BYTES = 16 * 1024
/** Up to this length a string is not measured before it is encoded, but given room for three bytes a unit. */
const SHORT_TEXT_UNITS = 4 * 1024
/** What a connection's own buffers grow from and to. */
const MIN_PRIVATE_BYTES = 1024
const MAX_PRIVATE_BYTES = 64 * 1024

const EMPTY: Buffer = Buffer.alloc(0)
/** Shared by all: never changed. */
const NONE: Buffer[] = []

const allocate = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes)

let slab = allocate(0)
let slabEnd = 0

/** The view made last: a thousand connections with the same message before them take the same. */
let lastView = EMPTY
let lastRegion = EMPTY
let lastStart = 0

function viewOf(region: Buffer, start: number, end: number): Buffer {
  // One that is larger is a message's own, and must not be held here.
  if (region.length > SLAB_BYTES) return region.subarray(start, end)
  if (region !== lastRegion || start !== lastStart || end - start !== lastView.length) {
    lastView = region.subarray(start, end)
    lastRegion = region
    lastStart = start
  }
  return lastView
}

/**
 * Frames on their way out, one behind the other in as few buffers as can be: what is sent in one go leaves in
 * one write. Writing each message by itself is what costs `ws` a factor of ten (16 small messages in flight).
 *
 * A queue writes in the slab as long as nobody else writes behind it. What comes after that goes into buffers of
 * its own, that grow with what waits: memory follows the bytes, never the number of frames.
 */
export class OutputQueue {
  /** Bytes that wait to be taken. */
  byteLength = 0
  /**
   * The transport does not take bytes at the moment: from now on they are kept in buffers of this connection,
   * so that a slow peer never holds slabs that others wrote in.
   */
  isBlocked = false
  private readonly maskBit: number
  /** Buffers that are done, in order. Most connections never have any. */
  private done = NONE
  /** The buffer being written, and what of it is ours: `start` to `end`. */
  private region = EMPTY
  private start = 0
  private end = 0
  /** The private buffer that was taken last, whole. */
  private taken: Buffer | null = null
  /**
   * Nobody else writes in `region`. Kept here, for it cannot be seen from the region: once the slab is full and
   * replaced, the old one is neither the slab nor anybody's own.
   */
  private isPrivate = false

  /** @param masked whether frames are masked: those of a client (RFC 6455 section 5.3) */
  constructor(masked: boolean) {
    this.maskBit = masked ? MASK_BIT : 0
  }

  /**
   * One frame with text.
   * @param firstByte FIN, RSV1 and the opcode
   * @param text encoded as UTF-8; lone surrogates become U+FFFD
   */
  appendText(firstByte: number, text: string): void {
    const masked = this.maskBit !== 0
    const units = text.length
    // Nearly all text is ASCII: write it where it belongs if it is, and move it if it is not. Long text is
    // measured first, for its room would be three times too much.
    const isShort = units <= SHORT_TEXT_UNITS
    const expected = isShort ? units : Buffer.byteLength(text)
    const most = isShort ? units * 3 : expected
    const at = this.reserve(most + frameHeaderBytes(most, masked))
    let payloadAt = at + frameHeaderBytes(expected, masked)
    // What was written counts, so that no byte goes out that was not.
    const length = writeUtf8(this.region, text, payloadAt)
    if (length !== expected) {
      const actual = at + frameHeaderBytes(length, masked)
      if (actual !== payloadAt) this.region.copyWithin(actual, payloadAt, payloadAt + length)
      payloadAt = actual
    }
    this.finishFrame(at, firstByte, payloadAt, length)
  }

  /**
   * One frame with bytes.
   * @param payload copied; read during the call only
   */
  appendBytes(firstByte: number, payload: Uint8Array): void {
    const length = payload.length
    const headerBytes = frameHeaderBytes(length, this.maskBit !== 0)
    const at = this.reserve(headerBytes + length)
    this.region.set(payload, at + headerBytes)
    this.finishFrame(at, firstByte, at + headerBytes, length)
  }

  /**
   * A frame that goes to many as it is, and is not copied: what follows it in the same buffer is joined to it. While
   * the transport is blocked it is copied all the same, so that a slow peer keeps no more in memory than is its own.
   * @param buffer nobody changes it any more
   */
  appendShared(buffer: Buffer, start: number, end: number): void {
    const length = end - start
    if (this.isBlocked) {
      const at = this.reserve(length)
      buffer.copy(this.region, at, start, end)
      this.end = at + length
    } else if (this.region === buffer && this.end === start) {
      this.end = end
    } else {
      this.closeRegion()
      this.region = buffer
      this.start = start
      this.end = end
    }
    this.byteLength += length
  }

  /**
   * What to write next: all that waits, or the first part of it where that is much.
   * @returns bytes that nobody changes any more; null when nothing waits
   */
  take(): Buffer | null {
    if (this.byteLength === 0) return null
    if (this.done.length === 0) {
      const bytes = viewOf(this.region, this.start, this.end)
      this.taken = this.isPrivate ? this.region : null
      this.dropRegion()
      this.byteLength = 0
      return bytes
    }
    this.taken = null
    this.closeRegion()
    let count = 0
    let bytes = 0
    do bytes += (this.done[count++] as Buffer).length
    while (count < this.done.length && bytes + (this.done[count] as Buffer).length <= MAX_TAKEN_BYTES)
    this.byteLength -= bytes
    const taken = this.done.splice(0, count)
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken, bytes)
  }

  /** What {@link take} gave last was written, and nobody holds it any more. */
  recycle(): void {
    if (this.taken === null) return
    returnBuffer(this.taken)
    this.taken = null
  }

  /** What {@link take} gave last is in the hands of somebody who keeps it: it is not used again, and not held here. */
  forget(): void {
    this.taken = null
  }

  /** Drops what was not taken. */
  clear(): void {
    this.byteLength = 0
    this.done = NONE
    this.dropRegion()
  }

  /** The payload stands: header before it, mask over it. */
  private finishFrame(at: number, firstByte: number, payloadAt: number, length: number): void {
    const { region } = this
    const headerEnd = writeFrameHeader(region, at, firstByte, length, this.maskBit)
    const end = payloadAt + length
    if (this.maskBit !== 0) {
      const key = createMaskingKey()
      writeMaskingKey(region, headerEnd, key)
      maskInPlace(region, payloadAt, end, key)
    }
    this.byteLength += end - this.end
    this.end = end
    if (region === slab) slabEnd = end
  }

  /**
   * Room for so many bytes behind what is written.
   * @returns where in `region` it begins
   */
  private reserve(bytes: number): number {
    const { region, end } = this
    if (this.isPrivate) {
      if (end + bytes <= region.length) return end
    } else if (region === slab && end === slabEnd && end + bytes <= SLAB_BYTES && !this.isBlocked) {
      // The connection that wrote last in the slab can go on where it stands; no other can.
      return end
    }
    this.closeRegion()
    if (this.isBlocked || this.byteLength > 0 || bytes > LARGE_FRAME_BYTES) {
      this.isPrivate = true
      // One that leaves at once is used again: see recycle. Where it may wait, no more is held than is needed.
      const isBrief = !this.isBlocked && this.byteLength === 0
      this.region = isBrief ? borrowBuffer(bytes) : allocate(Math.max(bytes, this.privateRoom()))
    } else {
      if (slabEnd + bytes > slab.length) {
        slab = allocate(SLAB_BYTES)
        slabEnd = 0
      }
      this.region = slab
      this.start = slabEnd
      this.end = slabEnd
    }
    return this.start
  }

  /** As much again as waits already. */
  private privateRoom(): number {
    return Math.min(Math.max(this.byteLength, MIN_PRIVATE_BYTES), MAX_PRIVATE_BYTES)
  }

  private closeRegion(): void {
    if (this.end > this.start) {
      if (this.done === NONE) this.done = []
      this.done.push(this.region.subarray(this.start, this.end))
    }
    this.dropRegion()
  }

  private dropRegion(): void {
    this.region = EMPTY
    this.start = 0
    this.end = 0
    this.isPrivate = false
  }
}
