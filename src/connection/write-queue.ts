import { asBuffer } from '../frame/as-buffer.js'
import { borrowBuffer, returnBuffer } from '../frame/buffer-pool.js'
import { FIN_BIT, frameHeaderBytes, MASK_BIT, writeFrameHeader } from '../frame/header.js'
import { writeMaskingKey } from '../frame/frame-serializer.js'
import { createMaskingKey, maskCopy, maskInPlace, THROUGH_LANE_BYTES } from '../frame/masking.js'
import { Opcode } from '../frame/opcode.js'
import { masksText, writeTextFrames } from '../frame/text-frames.js'
import { measuresSlowly, writeAscii, writeUtf8 } from '../native/buffer-text.js'
import { HELD_PAYLOAD_BYTES } from './held-payload.js'
import { longTextRoom, writeLongText } from './long-text.js'
import { LARGE_FRAME_BYTES, OutputRegions } from './output-regions.js'
import { batch, MAX_BATCHED_TEXTS, MAX_BATCHED_UNITS } from './text-batch.js'
import { isMeasured } from './text-measure.js'

/** A string up to this length is not measured before it is encoded: it gets room for 3 bytes for each UTF-16 unit. */
const SHORT_TEXT_UNITS = 4 * 1024

/** The first byte of a text in one frame, not compressed. */
const TEXT = FIN_BIT | Opcode.TEXT

/**
 * Serialized frames that are ready to be written: messages that are sent together leave in one write. One write for each message
 * costs `ws` a factor of ten (16 small messages in flight).
 */
export class WriteQueue extends OutputRegions {
  private readonly maskBit: number

  /** @param masked whether to mask frames, as a client must (RFC 6455 section 5.3) */
  constructor(masked: boolean) {
    super()
    this.maskBit = masked ? MASK_BIT : 0
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
      if (this.bytes === 0 || this.isBlocked || this.isHolding || !batch.isWanted) return false
      batch.owner?.encodeBatch()
    } else if (batch.count === MAX_BATCHED_TEXTS) {
      this.encodeBatch()
    }
    batch.owner = this
    batch.add(text)
    return true
  }

  /** Encodes the texts that waited for each other: those of {@link batch}, which are this queue's. */
  override encodeBatch(): void {
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
    this.hold(payload, writeFrameHeader(this.region, at, firstByte, length, 0))
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
}
