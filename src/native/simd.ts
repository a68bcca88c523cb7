/**
 * Masking, fragments and text by the SIMD of WebAssembly (docs/adr/0017), three to ten times as fast as JavaScript, in a memory
 * of its own. All handles read into that memory, so what they read is unmasked where it lies; other bytes go through it. Without
 * WebAssembly (`--jitless`, a policy, a processor without SIMD) the lane does not open, and its users go by JavaScript.
 */
import { sliceLatin1, writeUtf8 } from './buffer-text.js'
import { isNativeOn } from './native-switch.js'
import {
  ENTRIES_AT,
  MAX_MESSAGES,
  openLane,
  READ_AT,
  READ_BYTES,
  SLICE_AT,
  SLICE_BYTES,
  TEXT_BYTES,
  WIDE_AT,
  type LaneExports,
} from './simd-probe.js'

export { MAX_MESSAGES }

/**
 * Whether Node decodes text that is not ASCII more slowly than the lane: 5.1 against 0.9 us for 1 KiB of Greek or German vowels
 * (Node 20 and 22, 2026-11). From Node 24 on it takes 0.4 us.
 */
const NODE_DECODES_SLOWLY = Number.parseInt(process.versions.node, 10) < 24

const notOpen = (): number => {
  throw new Error('the lane is not open')
}

class Lane {
  /**
   * The last chunk that a handle read: whatever is this object lies at the start of the read buffer. It is told by identity,
   * because to look at the ArrayBuffer of a view costs more than to unmask a short message.
   */
  chunk: Uint8Array | null = null
  /** Where the last {@link walk} left the messages: read before the next use of the lane. */
  walkedIn: Buffer = Buffer.alloc(0)
  /** Those of {@link LaneExports}, once the lane is open. */
  #mask: LaneExports['mask'] = notOpen
  #join: LaneExports['join'] = notOpen
  #walk: LaneExports['walk'] = notOpen
  #frames: LaneExports['frames'] = notOpen
  #utf16: LaneExports['utf16'] = notOpen
  #narrow: LaneExports['narrow'] = notOpen
  /** What the last {@link join} found, as simd.wat has it. */
  #results = new Int32Array(5)
  /** What {@link walk} found of each message, and {@link frames} is given, as simd.wat has it. */
  #entries = new Int32Array(2 * MAX_MESSAGES)
  #readBuffer: Buffer | null = null
  #slice: Buffer = Buffer.alloc(0)
  #text: Buffer = Buffer.alloc(0)
  #wide: Buffer = Buffer.alloc(0)
  #isTried = false

  /** Whether the lane can be used: opens it at the first question, which takes about a millisecond. */
  get isOpen(): boolean {
    if (!this.#isTried) this.#open()
    return this.#slice.length > 0
  }

  /** What all handles read into: {@link READ_BYTES} in the memory of the lane, or else anywhere. */
  get readBuffer(): Buffer {
    if (!this.#isTried) this.#open()
    this.#readBuffer ??= Buffer.allocUnsafeSlow(READ_BYTES)
    return this.#readBuffer
  }

  /** The first bytes of the read buffer as the chunk that was read. */
  lend(length: number): Buffer {
    const chunk = this.readBuffer.subarray(0, length)
    if (this.isOpen) this.chunk = chunk
    return chunk
  }

  /**
   * Masks a range of {@link chunk} in place.
   * @param key turned to the phase of the first byte
   * @returns whether all bytes are ASCII then
   */
  maskChunk(start: number, end: number, key: number): boolean {
    const at = READ_AT + start
    return this.#mask(at, at, READ_AT + end, key) === 0
  }

  /**
   * Joins the payloads of continuation frames that lie in {@link chunk} from `start` on, unmasked, at `start`: see simd.wat.
   * @param maskBit 0x80 where frames must be masked, else 0
   * @param maxFrame the longest payload of a frame
   * @param budget how many bytes the message may still have
   * @returns the number of frames
   */
  join(start: number, end: number, maskBit: number, maxFrame: number, budget: number): number {
    const most = Math.min(budget, READ_BYTES)
    return this.#join(READ_AT + start, READ_AT + end, maskBit, Math.min(maxFrame, most), most)
  }

  /** The index in {@link chunk} after the last frame that {@link join} took. */
  get joinedTo(): number {
    return (this.#results[0] as number) - READ_AT
  }

  /** The index after the joined payloads. */
  get joinedEnd(): number {
    return (this.#results[1] as number) - READ_AT
  }

  /** Whether the last fragment of the message was among them. */
  get joinedIsLast(): boolean {
    return this.#results[2] !== 0
  }

  /** Whether all their bytes are ASCII. */
  get joinedIsAscii(): boolean {
    return this.#results[3] === 0
  }

  /**
   * Takes short messages of one type that lie in a chunk from `start` on, and unmasks them: see simd.wat. Those of
   * {@link chunk} are unmasked where they are, others in a copy. The lane is open.
   * @param end at most 16 KiB after `start`
   * @param firstByte FIN and the opcode of text or bytes
   * @param maskBit 0x80 where frames must be masked, else 0
   * @param maxFrame the longest payload
   * @param bounds gets where each payload begins and ends in {@link walkedIn}, in turn
   * @returns the number of messages, at most {@link MAX_MESSAGES}
   */
  walk(
    chunk: Buffer,
    start: number,
    end: number,
    firstByte: number,
    maskBit: number,
    maxFrame: number,
    bounds: number[],
  ): number {
    let at = READ_AT + start
    let base = READ_AT
    this.walkedIn = chunk
    if (chunk !== this.chunk) {
      chunk.copy(this.#slice, 0, start, end)
      at = SLICE_AT
      base = SLICE_AT
      this.walkedIn = this.#slice
    }
    const count = this.#walk(at, at + end - start, firstByte, maskBit, maxFrame)
    const found = this.#entries
    for (let i = 0; i < 2 * count; i++) bounds[i] = (found[i] as number) - base
    return count
  }

  /**
   * Makes a frame of each of several short texts, all of ASCII, FIN and text. The lane is open.
   * @param text all, one after the other
   * @param lengths of each, at most 125
   * @param keys of each, where they are masked
   * @param count at most {@link MAX_MESSAGES}
   * @param target has room for all frames from `at` on
   * @returns false if they are not ASCII: then nothing was written
   */
  frames(
    text: string,
    lengths: readonly number[],
    keys: readonly number[],
    count: number,
    maskBit: number,
    target: Buffer,
    at: number,
  ): boolean {
    if (writeUtf8(this.#text, text, 0) !== text.length) return false
    const bounds = this.#entries
    for (let i = 0; i < count; i++) {
      bounds[2 * i] = lengths[i] as number
      bounds[2 * i + 1] = maskBit === 0 ? 0 : (keys[i] as number)
    }
    const end = this.#frames(SLICE_AT, count, maskBit, WIDE_AT)
    this.#wide.copy(target, at, 0, end - WIDE_AT)
    return true
  }

  /**
   * Masks bytes of any memory, which come into the lane and leave it in slices. The lane is open.
   * @param target may be `source`, with `at` the same as `start`
   * @param key turned to the phase of the first byte
   * @returns whether all bytes are ASCII then
   */
  maskThrough(
    source: Uint8Array,
    start: number,
    end: number,
    target: Uint8Array,
    at: number,
    key: number,
  ): boolean {
    const slice = this.#slice
    const isHere = source === this.chunk
    let seen = 0
    for (let from = start; from < end; from += SLICE_BYTES) {
      const to = Math.min(from + SLICE_BYTES, end)
      if (!isHere) slice.set(source.subarray(from, to))
      const inLane = isHere ? READ_AT + from : SLICE_AT
      seen |= this.#mask(SLICE_AT, inLane, inLane + to - from, key)
      target.set(to - from === SLICE_BYTES ? slice : slice.subarray(0, to - from), at + from - start)
    }
    return seen === 0
  }

  /**
   * Encodes text that is ASCII, masked: part by part it is written here, and leaves masked. The lane is open.
   * @param target has room for a byte for each unit from `at` on
   * @param key of the first byte
   * @returns false if it is not ASCII: then what was written is of no use
   */
  writeMasked(text: string, target: Uint8Array, at: number, key: number): boolean {
    const units = text.length
    const slice = this.#slice
    for (let from = 0; from < units; from += SLICE_BYTES) {
      const to = Math.min(from + SLICE_BYTES, units)
      // There is room for 3 bytes for each unit, so that as many bytes as units are ASCII.
      if (writeUtf8(this.#text, text.slice(from, to), 0) !== to - from) return false
      this.#mask(SLICE_AT, SLICE_AT, SLICE_AT + to - from, key)
      target.set(to - from === SLICE_BYTES ? slice : slice.subarray(0, to - from), at + from)
    }
    return true
  }

  /** The longest text that is worth to be decoded here, in bytes: 0 where Node does it faster. */
  get maxTextBytes(): number {
    return NODE_DECODES_SLOWLY && this.isOpen ? TEXT_BYTES : 0
  }

  /**
   * Decodes UTF-8 of any memory, of at most 64 KiB.
   * @returns the text, or null for what is not UTF-8
   */
  decode(bytes: Buffer, start: number, end: number): string | null {
    let at = READ_AT + start
    if (bytes !== this.chunk) {
      at = SLICE_AT
      this.#text.set(bytes.subarray(start, end))
    }
    const to = at + end - start
    // What is not masked was not looked at before: by a key of zeros it is.
    if (this.#mask(at, at, to, 0) === 0) return sliceLatin1(bytes, start, end)
    const units = this.#utf16(at, to, WIDE_AT)
    if (units < 0) return null
    if ((this.#results[4] as number) > 0xff) return this.#wide.toString('utf16le', 0, units * 2)
    // One byte for each character, as Node has it: half the memory.
    this.#narrow(WIDE_AT, units, WIDE_AT)
    return sliceLatin1(this.#wide, 0, units)
  }

  #open(): void {
    this.#isTried = true
    const found = isNativeOn ? openLane() : null
    if (found === null) return
    const { buffer } = found.memory
    this.#mask = found.mask
    this.#join = found.join
    this.#walk = found.walk
    this.#frames = found.frames
    this.#utf16 = found.utf16
    this.#narrow = found.narrow
    this.#text = Buffer.from(buffer, SLICE_AT, TEXT_BYTES)
    this.#wide = Buffer.from(buffer, WIDE_AT, TEXT_BYTES * 2)
    this.#results = new Int32Array(buffer, 0, 5)
    this.#entries = new Int32Array(buffer, ENTRIES_AT, 2 * MAX_MESSAGES)
    this.#readBuffer = Buffer.from(buffer, READ_AT, READ_BYTES)
    this.#slice = Buffer.from(buffer, SLICE_AT, SLICE_BYTES)
  }
}

/** One for the process, as the read buffer is. */
export const lane = new Lane()
