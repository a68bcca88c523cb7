/** What src/native/simd.wat exports, where its memory has what, and whether it works here: each function is tried. */
import { SIMD_BINARY } from './simd-binary.js'

/** What src/native/simd.wat exports. Addresses are indexes of its memory. */
export interface LaneExports {
  readonly memory: { readonly buffer: ArrayBuffer }
  /** Masks the bytes from `at` to `end` and writes them to `to`. @returns 0 if all are ASCII then */
  readonly mask: (to: number, at: number, end: number, key: number) => number
  /** Joins continuation frames: see simd.wat. @returns the number of frames; four more numbers are at address 0 */
  readonly join: (at: number, end: number, maskBit: number, maxFrame: number, budget: number) => number
  /** Unmasks short messages of one type: see simd.wat. @returns their number; what else is known is in the memory */
  readonly walk: (at: number, end: number, firstByte: number, maskBit: number, maxFrame: number) => number
  /** Makes frames of short text: see simd.wat. @returns where they end */
  readonly frames: (from: number, count: number, maskBit: number, to: number) => number
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

/** Where the parts of the memory begin, as simd.wat has them: here two numbers for each short message. */
export const ENTRIES_AT = 1024
/** As many messages at once. */
export const MAX_MESSAGES = 64
export const READ_AT = 60 * 1024
/**
 * What one read may give: 256 KiB, and the headers of what they hold. Four messages of 64 KiB that were sent together are one
 * read then, and not two, of which the second one has 56 bytes.
 */
export const READ_BYTES = 260 * 1024
export const SLICE_AT = READ_AT + READ_BYTES
/** A multiple of four, so that a key is in step in each slice; small enough to stay in the processor's cache. */
export const SLICE_BYTES = 16 * 1024

/** Text of at most so many bytes is decoded. */
export const TEXT_BYTES = 64 * 1024
/** Twice as many bytes for text in UTF-16. */
export const WIDE_AT = SLICE_AT + TEXT_BYTES

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

/** A short frame, masked with {@link KEY}. */
const frame = (firstByte: number, ...payload: readonly number[]): readonly number[] => [
  firstByte,
  0x80 | payload.length,
  ...KEY_BYTES,
  ...payload.map((byte, i) => byte ^ (KEY_BYTES[i & 3] as number)),
]

/** Three of them between other bytes, the second empty, the third the last. */
const FRAGMENTS = [0xee, ...frame(0, 0x61, 0x62, 0x63), ...frame(0), ...frame(0x80, 0x64, 0xe9), 0x89, 0x80]

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

const ABCDE = [0x61, 0x62, 0x63, 0x64, 0x65]

/** Between other bytes: text, text without a byte, text that is not ASCII, bytes. */
const MESSAGES = [
  0xee,
  ...frame(0x81, ...ABCDE),
  ...frame(0x81),
  ...frame(0x81, 0xc3, 0xa9),
  ...frame(0x82, 0, 0xff),
]

/** Tries to walk messages: text up to what is not ASCII, which stays as it is; bytes; none that is cut, or too long. */
export function walkWorks({ memory, walk }: LaneExports): boolean {
  const bytes = Buffer.from(memory.buffer, READ_AT, MESSAGES.length)
  const stop = new Int32Array(memory.buffer, 0, 1)
  const entries = new Int32Array(memory.buffer, ENTRIES_AT, 2 * MAX_MESSAGES)
  const tryWith = (
    from: number,
    to: number,
    firstByte: number,
    maxFrame: number,
    plain: readonly number[] = [],
  ): string => {
    bytes.set(MESSAGES)
    const count = walk(READ_AT + from, READ_AT + to, firstByte, 0x80, maxFrame)
    const bounds = Array.from(entries.subarray(0, 2 * count), (at) => at - READ_AT)
    const expected = Buffer.from(MESSAGES)
    expected.set(plain, from + 6)
    return [count, (stop[0] as number) - READ_AT, ...bounds, expected.equals(bytes)].join()
  }
  return (
    tryWith(1, 34, 0x81, 125, ABCDE) === '2,18,7,12,18,18,true' &&
    tryWith(1, 17, 0x81, 125, ABCDE) === '1,12,7,12,true' &&
    tryWith(1, 34, 0x81, 4) === '0,1,true' &&
    tryWith(26, 34, 0x82, 2, [0, 0xff]) === '1,34,32,34,true'
  )
}

/** Tries to make frames, masked and not. */
export function framesWorks({ memory, frames }: LaneExports): boolean {
  const bytes = Buffer.from(memory.buffer)
  const entries = new Int32Array(memory.buffer, ENTRIES_AT, 4)
  const tryWith = (maskBit: number, key: number): string => {
    bytes.write('abcde', SLICE_AT)
    entries.set([3, key, 2, key])
    return bytes.toString('latin1', WIDE_AT, frames(SLICE_AT, 2, maskBit, WIDE_AT))
  }
  const masked = [...frame(0x81, 0x61, 0x62, 0x63), ...frame(0x81, 0x64, 0x65)]
  return (
    tryWith(0, 0) === '\u0081\u0003abc\u0081\u0002de' && tryWith(0x80, KEY) === String.fromCharCode(...masked)
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

/** Compiles the module and tries all that it exports. @returns null where it cannot be used */
export function openLane(
  assembly: unknown = (globalThis as { WebAssembly?: unknown }).WebAssembly,
): LaneExports | null {
  try {
    const { Module, Instance } = assembly as Assembly
    const found = new Instance(new Module(Buffer.from(SIMD_BINARY, 'base64'))).exports as LaneExports
    const probes = [maskWorks, joinWorks, walkWorks, framesWorks, utf16Works]
    return probes.every((works) => works(found)) ? found : null
  } catch {
    return null
  }
}
