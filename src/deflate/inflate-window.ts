/**
 * Puts bytes into the window of an inflater, and reads them out. zlib has calls for both, but node:zlib reaches neither of
 * them on a stream that was used; deflate itself can do it (RFC 1951): a stored block puts bytes into the window, and
 * references as far back as its beginning repeat all that is in it.
 */
import { constants } from 'node:zlib'
import type { ZlibHandle } from '../native/zlib-handle.js'

const { Z_SYNC_FLUSH } = constants

/** The context of a connection that has none. */
export const NO_HISTORY = Buffer.alloc(0)

/** RFC 1951 section 3.2.4: a stored block that is not the last; the rest of the first byte is padding. */
const STORED_HEADER_BYTES = 5
const storedHeader = Buffer.alloc(STORED_HEADER_BYTES)

/**
 * The handle forgets everything, and then knows these bytes as if it had inflated them.
 * @param history at most 65,535 bytes; only read
 * @param scratch overwritten; larger than the history
 */
export function primeHandle(handle: ZlibHandle, history: Uint8Array, scratch: Uint8Array): void {
  handle.reset()
  const { length } = history
  if (length === 0) return
  storedHeader.writeUInt16LE(length, 1)
  storedHeader.writeUInt16LE(length ^ 0xffff, 3)
  handle.write(Z_SYNC_FLUSH, storedHeader, 0, STORED_HEADER_BYTES, scratch, 0, scratch.length)
  handle.write(Z_SYNC_FLUSH, history, 0, length, scratch, 0, scratch.length)
  handle.outputBytes = length
}

/** RFC 1951 section 3.2.5: the longest match, which is length code 285, without extra bits. */
const LONGEST_MATCH_BYTES = 258
/** Section 3.2.6: the fixed code of 285 in eight bits, the first bit of the code lowest. */
const LONGEST_MATCH_CODE = 0b10100011
const LONGEST_MATCH_CODE_BITS = 8
/** Section 3.2.3: not the last block, fixed codes. */
const BLOCK_HEADER = 0b010
const BLOCK_HEADER_BITS = 3
const DISTANCE_CODE_BITS = 5
const MAX_WINDOW_BYTES = 32 * 1024
const MAX_EXTRA_BITS = 13

/** The block for the largest distance, padded to a byte. */
const block = Buffer.alloc(
  Math.ceil(
    (BLOCK_HEADER_BITS +
      Math.ceil(MAX_WINDOW_BYTES / LONGEST_MATCH_BYTES) *
        (LONGEST_MATCH_CODE_BITS + DISTANCE_CODE_BITS + MAX_EXTRA_BITS)) /
      8,
  ),
)

/** Five bits in the other order: a code stands with its first bit lowest, a number with its last. */
function reverseCode(code: number): number {
  let reversed = 0
  for (let bit = 0; bit < DISTANCE_CODE_BITS; bit++) {
    reversed |= ((code >> bit) & 1) << (DISTANCE_CODE_BITS - 1 - bit)
  }
  return reversed
}

/** Writes bits into `block`, the lowest first. */
class BitWriter {
  byteLength = 0
  #bits = 0
  #count = 0

  /** @param count at most 24 */
  put(bits: number, count: number): void {
    this.#bits |= bits << this.#count
    this.#count += count
    while (this.#count >= 8) {
      block[this.byteLength++] = this.#bits
      this.#bits >>>= 8
      this.#count -= 8
    }
  }

  /** The bits that are left, padded with zeros to a byte. */
  finish(): void {
    this.put(0, 7)
  }
}

/**
 * A block that repeats the last bytes of a window, in order, by matches that all reach as far back.
 * @param distance how many bytes, 1 to 32768; the last match goes on from the beginning again
 * @returns a view of `block`
 */
function repeatBlock(distance: number): Buffer {
  // RFC 1951 section 3.2.5: codes for distances go in pairs, each pair but the first two with one extra bit more.
  const offset = distance - 1
  const extraBits = offset < 4 ? 0 : 30 - Math.clz32(offset)
  const code = 2 * extraBits + (offset >> extraBits)
  const match = LONGEST_MATCH_CODE | (reverseCode(code) << LONGEST_MATCH_CODE_BITS)
  const extra = offset & ((1 << extraBits) - 1)
  const writer = new BitWriter()
  writer.put(BLOCK_HEADER, BLOCK_HEADER_BITS)
  for (let left = distance; left > 0; left -= LONGEST_MATCH_BYTES) {
    writer.put(match, LONGEST_MATCH_CODE_BITS + DISTANCE_CODE_BITS)
    writer.put(extra, extraBits)
  }
  writer.finish()
  return block.subarray(0, writer.byteLength)
}

/**
 * A copy of the last bytes that a handle inflated; empty after a final block, and inside a block. The handle is inside a
 * block then, and must be reset.
 * @param maxBytes the most that are wanted; at most the handle's window
 * @param scratch overwritten; not smaller than `maxBytes`
 */
export function readWindow(handle: ZlibHandle, maxBytes: number, scratch: Buffer): Buffer {
  const length = Math.min(handle.outputBytes, maxBytes)
  if (length === 0) return NO_HISTORY
  const input = repeatBlock(length)
  handle.write(Z_SYNC_FLUSH, input, 0, input.length, scratch, 0, length)
  // The scratch then holds bytes that another connection sent.
  if (handle.error !== null || handle.outputLeft !== 0) return NO_HISTORY
  const history = Buffer.allocUnsafeSlow(length)
  scratch.copy(history, 0, 0, length)
  return history
}
