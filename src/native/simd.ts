/**
 * Masking, fragments and text by the SIMD of WebAssembly (docs/adr/0017), three to ten times as fast as JavaScript, in a memory
 * of its own. All handles read into that memory, so what they read is unmasked where it lies; other bytes go through it. Without
 * WebAssembly (`--jitless`, a policy, a processor without SIMD) the lane does not open, and its users go by JavaScript.
 */
import { sliceLatin1 } from './buffer-text.js'
import { isNativeOn } from './native-switch.js'
import { SIMD_BINARY } from './simd-binary.js'

/** What src/native/simd.wat exports. Addresses are indexes of its memory. */
export interface LaneExports {
  readonly memory: { readonly buffer: ArrayBuffer }
  /** Masks the bytes from `at` to `end` and writes them to `to`. @returns 0 if all are ASCII then */
  readonly mask: (to: number, at: number, end: number, key: number) => number
  /** Joins continuation frames: see simd.wat. @returns the number of frames; four more numbers are at address 0 */
  readonly join: (at: number, end: number, maskBit: number, maxFrame: number, budget: number) => number
  /** Writes UTF-8 as UTF-16 to `to`. @returns the number of units, or -1; the bits of all units are at address 16 */
  readonly utf16: (at: number, end: number, to: number) => number
  /** Writes the lower byte of each unit to `to`. */
  readonly narrow: (at: number, units: number, to: number) => void
}

/** The part of WebAssembly that is used here: its types are not among those of Node. */
interface Assembly {
  readonly Module: new (binary: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

/** Where the parts of the memory begin, as simd.wat has them. */
const READ_AT = 60 * 1024
/**
 * What one read may give: 256 KiB, and the headers of what they hold. Four messages of 64 KiB that were sent together are one
 * read then, and not two, of which the second one has 56 bytes.
 */
export const READ_BYTES = 260 * 1024
const SLICE_AT = READ_AT + READ_BYTES
/** A multiple of four, so that a key is in step in each slice; small enough to stay in the processor's cache. */
const SLICE_BYTES = 16 * 1024

/** Text of at most so many bytes is decoded. */
const TEXT_BYTES = 64 * 1024
/** Twice as many bytes for text in UTF-16. */
const WIDE_AT = SLICE_AT + TEXT_BYTES

const KEY = 0x3d21fa37
const KEY_BYTES = [0x37, 0xfa, 0x21, 0x3d]

/** Tries masking: a range with a part for each step of the code, between other bytes, in place and not, ASCII and not. */
export function maskWorks({ memory, mask }: LaneExports): boolean {
  const bytes = Buffer.from(memory.buffer)
  // 64 + 2 x 16 + 8 + 4 + 2 + 1
  const length = 111
  for (const [from, to, last] of [
    [READ_AT + 1, READ_AT + 1, 0x41],
    [READ_AT + 1, READ_AT, 0x80],
    [READ_AT + 1, SLICE_AT + 3, 0x7f],
  ] as const) {
    const plain = Buffer.alloc(length, 0x41)
    plain[length - 1] = last
    bytes.fill(0xee, READ_AT, READ_AT + 128)
    bytes.fill(0xee, SLICE_AT, SLICE_AT + 128)
    for (let i = 0; i < length; i++) bytes[from + i] = (plain[i] as number) ^ (KEY_BYTES[i & 3] as number)
    const after = bytes[to + length]
    if ((mask(to, from, from + length, KEY) === 0) !== last < 0x80) return false
    if (plain.compare(bytes, to, to + length) !== 0) return false
    if (bytes[to + length] !== after || bytes[to - 1] === plain[0]) return false
  }
  return true
}

/** A continuation frame, masked with {@link KEY}. */
const fragment = (firstByte: number, ...payload: readonly number[]): readonly number[] => [
  firstByte,
  0x80 | payload.length,
  ...KEY_BYTES,
  ...payload.map((byte, i) => byte ^ (KEY_BYTES[i & 3] as number)),
]

/** Three of them between other bytes, the second empty, the third the last. */
const FRAGMENTS = [
  0xee,
  ...fragment(0, 0x61, 0x62, 0x63),
  ...fragment(0),
  ...fragment(0x80, 0x64, 0xe9),
  0x89,
  0x80,
]

/** Tries to join fragments: with the last one and without, and where the message may not be longer. */
export function joinWorks({ memory, join }: LaneExports): boolean {
  const bytes = Buffer.from(memory.buffer)
  const results = new Int32Array(memory.buffer, 0, 4)
  const at = READ_AT + 1
  const end = READ_AT + FRAGMENTS.length
  const tryWith = (last: number, budget: number): string => {
    bytes.set(FRAGMENTS, READ_AT)
    const frames = join(at, last, 0x80, 125, budget)
    const [stop = 0, to = 0, isLast, seen] = results
    const text = bytes.toString('latin1', at, to)
    return [frames, stop - READ_AT, text, isLast, seen === 0].join()
  }
  return (
    tryWith(end, 5) === '3,24,abcd\u00e9,128,false' &&
    tryWith(end, 4) === '2,16,abc,0,true' &&
    tryWith(end - 3, 5) === '2,16,abc,0,true'
  )
}

/** Each fails for a reason of its own: table 3-7 of the Unicode standard, and what is cut. */
const NOT_UTF8 = [
  '80',
  'c1bf',
  'c341',
  'e09fbf',
  'eda080',
  'e28241',
  'f08fbfbf',
  'f4908080',
  'f5808080',
  'f09f98',
]

/** Tries to decode text of each length of characters, after 16 bytes of ASCII and not, and what is not text. */
export function utf16Works({ memory, utf16, narrow }: LaneExports): boolean {
  const bytes = Buffer.from(memory.buffer)
  const results = new Int32Array(memory.buffer, 0, 5)
  const tryWith = (given: Buffer): number => {
    bytes.fill(0x80, READ_AT, READ_AT + 64)
    bytes.set(given, READ_AT + 1)
    return utf16(READ_AT + 1, READ_AT + 1 + given.length, WIDE_AT)
  }
  for (const text of ['h\u00e9', 'sixteen letters!h\u00e9\u20ac\u{1f600}\u07ff\ud7ff\ue000\u{10ffff}']) {
    if (tryWith(Buffer.from(text)) !== text.length) return false
    if (bytes.toString('utf16le', WIDE_AT, WIDE_AT + text.length * 2) !== text) return false
    if ((results[4] as number) > 0xff !== text.length > 2) return false
    if (text.length > 2) continue
    narrow(WIDE_AT, 2, WIDE_AT)
    if (bytes.toString('latin1', WIDE_AT, WIDE_AT + 2) !== text) return false
  }
  return NOT_UTF8.every((hex) => tryWith(Buffer.from(hex, 'hex')) === -1)
}

/**
 * Whether Node decodes text that is not ASCII more slowly than the lane: 5.1 against 0.9 us for 1 KiB of Greek or German vowels
 * (Node 20 and 22, 2026-11). From Node 24 on it takes 0.4 us.
 */
const NODE_DECODES_SLOWLY = Number.parseInt(process.versions.node, 10) < 24

/** Compiles the module and tries all that it exports. @returns null where it cannot be used */
export function openLane(
  assembly: unknown = (globalThis as { WebAssembly?: unknown }).WebAssembly,
): LaneExports | null {
  try {
    const { Module, Instance } = assembly as Assembly
    const found = new Instance(new Module(Buffer.from(SIMD_BINARY, 'base64'))).exports as LaneExports
    return maskWorks(found) && joinWorks(found) && utf16Works(found) ? found : null
  } catch {
    return null
  }
}

const notOpen = (): number => {
  throw new Error('the lane is not open')
}

class Lane {
  /**
   * The last chunk that a handle read: whatever is this object lies at the start of the read buffer. It is told by identity,
   * because to look at the ArrayBuffer of a view costs more than to unmask a short message.
   */
  chunk: Uint8Array | null = null
  /** Those of {@link LaneExports}, once the lane is open. */
  #mask: LaneExports['mask'] = notOpen
  #join: LaneExports['join'] = notOpen
  #utf16: LaneExports['utf16'] = notOpen
  #narrow: LaneExports['narrow'] = notOpen
  /** What the last {@link join} found, as simd.wat has it. */
  #results = new Int32Array(5)
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
    this.#utf16 = found.utf16
    this.#narrow = found.narrow
    this.#text = Buffer.from(buffer, SLICE_AT, TEXT_BYTES)
    this.#wide = Buffer.from(buffer, WIDE_AT, TEXT_BYTES * 2)
    this.#results = new Int32Array(buffer, 0, 5)
    this.#readBuffer = Buffer.from(buffer, READ_AT, READ_BYTES)
    this.#slice = Buffer.from(buffer, SLICE_AT, SLICE_BYTES)
  }
}

/** One for the process, as the read buffer is. */
export const lane = new Lane()
