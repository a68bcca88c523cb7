import { asBuffer } from '../frame/as-buffer.js'
import { borrowBuffer, returnBuffer } from '../frame/buffer-pool.js'
import { FIN_BIT, frameHeaderBytes, MASK_BIT, writeFrameHeader } from '../frame/header.js'
import { writeMaskingKey } from '../frame/frame-serializer.js'
import { createMaskingKey, maskCopy, maskInPlace, THROUGH_LANE_BYTES } from '../frame/masking.js'
import { Opcode } from '../frame/opcode.js'
import { masksText, writeTextFrames } from '../frame/text-frames.js'
import { measuresSlowly, writeAscii, writeUtf8 } from '../native/buffer-text.js'
import { HELD_PAYLOAD_BYTES, HeldPayload } from './held-payload.js'
import { privateBytes, SLAB_BYTES, viewOf } from './last-view.js'
import { longTextRoom, writeLongText } from './long-text.js'
import { batch, MAX_BATCHED_TEXTS, MAX_BATCHED_UNITS } from './text-batch.js'
import { isMeasured } from './text-measure.js'

/** The largest result of one `take` of several buffers: a slab, and the message that filled it. */
const MAX_TAKEN_BYTES = SLAB_BYTES + 4 * 1024
/** A larger frame gets a buffer of its own. */
const LARGE_FRAME_BYTES = 16 * 1024
/** A string up to this length is not measured before it is encoded: it gets room for 3 bytes for each UTF-16 unit. */
const SHORT_TEXT_UNITS = 4 * 1024

/** The first byte of a text in one frame, not compressed. */
const TEXT = FIN_BIT | Opcode.TEXT

const EMPTY: Buffer = Buffer.alloc(0)
/** The empty list that all share. It is never changed. */
const NONE: Buffer[] = []

const allocate = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes)

let slab = allocate(0)
let slabEnd = 0

/**
 * Serialized frames that are ready to be written, one after the other in as few buffers as possible: messages that
 * are sent together leave in one write. One write for each message costs `ws` a factor of ten (16 small messages in
 * flight).
 *
 * A connection writes into the shared slab until another connection writes after it. Later frames that must wait go
 * into private buffers, which grow with the waiting bytes: memory follows the bytes, never the number of frames.
 */
export class WriteQueue {
  /** The bytes that are encoded and not taken yet. */
  private bytes = 0
  /**
   * Whether the transport takes no bytes at the moment. While it is set, frames go into private buffers, so that a
   * slow peer never holds slabs that other connections wrote into.
   */
  isBlocked = false
  private readonly maskBit: number
  /** Complete buffers, in order. Most connections never have any. */
  private done = NONE
  /** The current buffer. This connection's part of it is `start` to `end`. */
  private region = EMPTY
  private start = 0
  private end = 0
  /** The whole private buffer that the last `take` returned a view of, or null. */
  private taken: Buffer | null = null
  /** The private buffer that the transport holds since it is blocked, or null. */
  private lent: Buffer | null = null
  /**
   * Whether only this connection writes into `region`. A comparison with the slab does not show it: a full slab that
   * was replaced is no longer the current slab, and not private either.
   */
  private isPrivate = false
  /** The payload of the last frame, where it is not copied: the header is the last of `region`. */
  private held: HeldPayload | null = null

  /** @param masked whether to mask frames, as a client must (RFC 6455 section 5.3) */
  constructor(masked: boolean) {
    this.maskBit = masked ? MASK_BIT : 0
  }

  /** The bytes that are not taken yet. */
  get byteLength(): number {
    batch.settle(this)
    return this.bytes
  }

  /** At least as many as {@link byteLength}, at no cost. */
  get mostBytes(): number {
    batch.shared?.encodeBatch()
    return batch.owner === this ? this.bytes + batch.mostBytes : this.bytes
  }

  /**
   * Appends one frame with text.
   * @param firstByte FIN, RSV1 and the opcode
   * @param text encoded as UTF-8; lone surrogates become U+FFFD
   */
  appendText(firstByte: number, text: string): void {
    if (firstByte !== TEXT || text.length > MAX_BATCHED_UNITS || !this.joinsBatch(text)) {
      this.encodeText(firstByte, text)
    }
  }

  /** Lets a short text wait for others: see text-batch.ts. @returns false if it is to be encoded by itself */
  private joinsBatch(text: string): boolean {
    if (batch.owner !== this) {
      // The first text of a write is encoded at once: often there is no second one.
      if (this.bytes === 0 || this.isBlocked || this.held !== null || !batch.isWanted) return false
      batch.owner?.encodeBatch()
    } else if (batch.count === MAX_BATCHED_TEXTS) {
      this.encodeBatch()
    }
    batch.owner = this
    batch.add(text)
    return true
  }

  /** Encodes the texts that waited for each other: those of {@link batch}, which are this queue's. */
  encodeBatch(): void {
    const { text, count, lengths } = batch
    batch.clear()
    if (count > 1 && this.encodeTogether(text, count, lengths)) return
    let start = 0
    for (let i = 0; i < count; i++) {
      const end = start + (lengths[i] as number)
      this.encodeText(TEXT, text.substring(start, end))
      start = end
    }
  }

  /** @returns false if there is text that is not ASCII: then nothing was written */
  private encodeTogether(text: string, count: number, lengths: readonly number[]): boolean {
    const isMasked = this.maskBit !== 0
    const bytes = text.length + count * frameHeaderBytes(0, isMasked)
    const at = this.reserve(bytes)
    const isDone = writeTextFrames(text, lengths, count, isMasked, this.region, at)
    if (isDone) this.appended(at + bytes)
    else batch.failed()
    return isDone
  }

  private encodeText(firstByte: number, text: string): void {
    const masked = this.maskBit !== 0
    const units = text.length
    // Nearly all text is ASCII: it is written where an ASCII payload belongs, and moved if it is not ASCII. Long text
    // is measured first, because room for 3 bytes for each unit would be too much.
    const isShort = units <= SHORT_TEXT_UNITS
    if (!isShort && !isMeasured(text)) {
      this.appendUnmeasured(firstByte, text)
      return
    }
    if (units > LARGE_FRAME_BYTES && (masked || measuresSlowly) && this.appendAscii(firstByte, text)) return
    const expected = isShort ? units : Buffer.byteLength(text)
    const most = isShort ? units * 3 : expected
    const at = this.reserve(most + frameHeaderBytes(most, masked))
    let payloadAt = at + frameHeaderBytes(expected, masked)
    // What was written counts, so that no byte goes out that was not.
    const isAscii = !isShort && expected === units
    const length = isAscii
      ? writeAscii(this.region, text, payloadAt)
      : writeUtf8(this.region, text, payloadAt)
    if (length !== expected) {
      const actual = at + frameHeaderBytes(length, masked)
      if (actual !== payloadAt) this.region.copyWithin(actual, payloadAt, payloadAt + length)
      payloadAt = actual
    }
    this.finishFrame(at, firstByte, payloadAt, length)
  }

  /**
   * Appends one frame with bytes.
   * @param payload copied; read during the call only
   */
  appendBytes(firstByte: number, payload: Uint8Array): void {
    const length = payload.length
    const isMasked = this.maskBit !== 0
    const headerBytes = frameHeaderBytes(length, isMasked)
    const at = this.reserve(headerBytes + length)
    if (isMasked && length >= THROUGH_LANE_BYTES) {
      const key = createMaskingKey()
      maskCopy(asBuffer(payload), 0, length, this.region, at + headerBytes, key, 0)
      this.finishMasked(at, firstByte, length, key)
    } else {
      this.region.set(payload, at + headerBytes)
      this.finishFrame(at, firstByte, at + headerBytes, length)
    }
  }

  /**
   * Appends one frame with bytes that are not copied if it leaves next: until {@link takeHeld} or the next frame, which
   * copies them. A small payload, a masked one, and one that must wait for the transport are copied at once.
   * @param payload its bytes must not change until they are written
   */
  appendHeld(firstByte: number, payload: Uint8Array): void {
    const length = payload.length
    if (length < HELD_PAYLOAD_BYTES || this.maskBit !== 0 || this.isBlocked) {
      this.appendBytes(firstByte, payload)
      return
    }
    const at = this.reserve(frameHeaderBytes(length, false))
    const end = writeFrameHeader(this.region, at, firstByte, length, 0)
    this.bytes += end - at + length
    this.end = end
    if (this.region === slab) slabEnd = end
    this.held = new HeldPayload(payload)
  }

  /**
   * Appends a frame that many connections share, without a copy. Frames that follow each other in the same buffer are
   * joined. While the transport is blocked a small frame is copied after all, so that a slow peer holds only its own
   * bytes; a large one has a buffer of its own.
   * @param buffer its bytes must not change any more
   */
  appendShared(buffer: Buffer, start: number, end: number): void {
    batch.owner?.encodeBatch()
    if (this.held !== null) this.copyHeld()
    const length = end - start
    if (this.isBlocked && length <= LARGE_FRAME_BYTES) {
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
    this.bytes += length
  }

  /** Whether the last frame's payload is not copied yet: see {@link appendHeld}. */
  get isHolding(): boolean {
    return this.held !== null
  }

  /** Copies the payload that is held: it has to wait, and is the caller's again. */
  copyHeld(): void {
    const { held } = this
    if (held === null) return
    this.held = null
    this.bytes -= held.length
    const at = this.reserve(held.length)
    this.region.set(held.bytes, at)
    this.bytes += held.length
    this.end = at + held.length
    if (this.region === slab) slabEnd = this.end
  }

  /**
   * Takes the bytes to write next: all that wait, or the first part if they are more than about 68 KiB. A payload that
   * is held comes by itself, after all else, here or from {@link takeHeld}.
   * @returns bytes that are not changed any more, at least until {@link recycle}; null if nothing waits
   */
  take(): Buffer | null {
    if (this.byteLength === 0) return null
    if (this.done.length === 0) {
      if (this.end === this.start) {
        this.taken = null
        return asBuffer(this.takeHeld() as Uint8Array)
      }
      const bytes = viewOf(this.region, this.start, this.end)
      this.taken = this.isPrivate ? this.region : null
      this.dropRegion()
      this.bytes = this.held === null ? 0 : this.held.length
      return bytes
    }
    this.taken = null
    this.closeRegion()
    let count = 0
    let bytes = 0
    do bytes += (this.done[count++] as Buffer).length
    while (count < this.done.length && bytes + (this.done[count] as Buffer).length <= MAX_TAKEN_BYTES)
    this.bytes -= bytes
    const taken = this.done.splice(0, count)
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken, bytes)
  }

  /**
   * Takes the payload that is held, if it is next: to be written in one call with what the last {@link take} returned.
   * @returns the caller's bytes; null if none are held, or others are before them
   */
  takeHeld(): Uint8Array | null {
    const { held } = this
    if (held?.length !== this.bytes) return null
    this.held = null
    this.bytes = 0
    return held.bytes
  }

  /** Reports that the result of the last {@link take} was written and that nothing holds it: its memory is reused. */
  recycle(): void {
    if (this.taken === null) return
    returnBuffer(this.taken)
    this.taken = null
  }

  /**
   * Reports that the transport keeps the result of the last {@link take}: its memory is not reused.
   * @param isLent whether the transport is done with it once it is no longer blocked: then it is reused
   */
  forget(isLent: boolean): void {
    if (isLent) this.lent ??= this.taken
    this.taken = null
  }

  /** Reports whether the transport is blocked: if it is not, it holds no bytes. */
  setBlocked(isBlocked: boolean): void {
    if (isBlocked) this.copyHeld()
    this.isBlocked = isBlocked
    if (isBlocked || this.lent === null) return
    returnBuffer(this.lent)
    this.lent = null
  }

  /** Drops all frames that are not taken; of one whose header is taken the payload stays. */
  clear(): void {
    batch.settle(this)
    this.done = NONE
    if (this.held?.length === this.bytes) return
    this.held = null
    this.bytes = 0
    this.dropRegion()
  }

  /**
   * Appends a frame with text that leaves next and is all ASCII, without measuring it before.
   * @param text too large for the slab
   * @returns false: it is something else, and nothing is appended
   */
  private appendAscii(firstByte: number, text: string): boolean {
    if (this.isBlocked || this.byteLength > 0) return false
    const units = text.length
    const headerBytes = frameHeaderBytes(units, this.maskBit !== 0)
    const key = this.maskBit !== 0 && masksText() ? createMaskingKey() : null
    const at = this.reserve(headerBytes + longTextRoom(units, key))
    const isAscii = writeLongText(text, this.region, at + headerBytes, key)
    if (!isAscii) {
      returnBuffer(this.region)
      this.dropRegion()
    } else if (key === null) this.finishFrame(at, firstByte, at + headerBytes, units)
    else this.finishMasked(at, firstByte, units, key)
    return isAscii
  }

  /** Encodes a string where there is room for 3 bytes for each unit, and copies what came out. */
  private appendUnmeasured(firstByte: number, text: string): void {
    const room = borrowBuffer(text.length * 3)
    const length = writeUtf8(room, text, 0)
    this.appendBytes(firstByte, room.subarray(0, length))
    returnBuffer(room)
  }

  /** Completes a frame whose payload is written: writes the header before it, and masks it. */
  private finishFrame(at: number, firstByte: number, payloadAt: number, length: number): void {
    if (this.maskBit === 0) {
      writeFrameHeader(this.region, at, firstByte, length, 0)
      this.appended(payloadAt + length)
    } else {
      const key = createMaskingKey()
      maskInPlace(this.region, payloadAt, payloadAt + length, key)
      this.finishMasked(at, firstByte, length, key)
    }
  }

  /** Completes a frame whose payload is written and masked. */
  private finishMasked(at: number, firstByte: number, length: number, key: number): void {
    const headerEnd = writeFrameHeader(this.region, at, firstByte, length, MASK_BIT)
    this.appended(writeMaskingKey(this.region, headerEnd, key) + length)
  }

  /** Counts what was written into the region, up to `end`. */
  private appended(end: number): void {
    this.bytes += end - this.end
    this.end = end
    if (this.region === slab) slabEnd = end
  }

  /**
   * Makes room for `bytes` bytes after the last frame, in a new region if needed.
   * @returns the index of that room in `region`
   */
  private reserve(bytes: number): number {
    // That of another queue as well, which is the last in the slab until something is written after it.
    batch.owner?.encodeBatch()
    if (this.held !== null) this.copyHeld()
    const { region, end } = this
    if (this.isPrivate) {
      if (end + bytes <= region.length) return end
    } else if (region === slab && end === slabEnd && end + bytes <= SLAB_BYTES && !this.isBlocked) {
      // Only the connection that wrote last into the slab can continue there.
      return end
    }
    this.closeRegion()
    if (this.isBlocked || this.bytes > 0 || bytes > LARGE_FRAME_BYTES) {
      this.isPrivate = true
      // A buffer that leaves at once comes from the pool: see recycle. One that may wait is no larger than needed.
      const isBrief = !this.isBlocked && this.bytes === 0
      this.region = isBrief ? borrowBuffer(bytes) : allocate(Math.max(bytes, privateBytes(this.bytes)))
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
