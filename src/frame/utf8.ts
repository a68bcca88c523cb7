import { isAscii, isUtf8 } from 'node:buffer'
import { sliceLatin1, sliceUtf8 } from '../native/buffer-text.js'
import { lane } from '../native/simd.js'

/** Pieces of this size or more use the native check; for smaller ones the call costs more than it saves. */
const NATIVE_THRESHOLD_BYTES = 64

/** From this length on, WebAssembly decodes text where Node's own decoder is slow. */
const LANE_BYTES = 32

/**
 * From this length on, text is first looked at for anything but ASCII: 10 instead of 13 us for 64 KiB that are ASCII, 170 instead of
 * 880 for 1 MiB (Node 20, 2026-11; with Node 24 and 26 it is level). The lane takes 2.4 us for that look at 64 KiB, this 1.4.
 */
const ASCII_CHECK_BYTES = 8 * 1024

/**
 * Validates UTF-8 as it arrives (RFC 3629; RFC 6455 section 8.1), in pieces of any size. It fails at the first byte
 * after which no valid continuation exists, even in the middle of a character.
 */
export class Utf8Validator {
  /** How many continuation bytes the current character still needs. */
  #needed = 0
  /** The range of the next continuation byte. After E0, ED, F0 and F4 it is narrower than 80 to BF. */
  #lower = 0x80
  #upper = 0xbf

  /** Whether the text may end here, with no character cut. */
  get isComplete(): boolean {
    return this.#needed === 0
  }

  /**
   * Validates the next piece of the text.
   * @param bytes read during the call only
   * @returns false at the first bad byte; the validator must not be used after that
   */
  push(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    if (end - start < NATIVE_THRESHOLD_BYTES) return this.#step(bytes, start, end)
    let from = start
    while (this.#needed > 0) {
      if (!this.#step(bytes, from, from + 1)) return false
      from++
    }
    const to = lastBoundary(bytes, end)
    return isUtf8(bytes.subarray(from, to)) && this.#step(bytes, to, end)
  }

  #step(bytes: Uint8Array, start: number, end: number): boolean {
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number
      if (this.#needed === 0) {
        if (byte < 0x80) continue
        if (!this.#lead(byte)) return false
      } else {
        if (byte < this.#lower || byte > this.#upper) return false
        this.#lower = 0x80
        this.#upper = 0xbf
        this.#needed--
      }
    }
    return true
  }

  /** Starts a character: the rows of table 3-7 of the Unicode standard, by lead byte. */
  #lead(byte: number): boolean {
    if (byte < 0xc2 || byte > 0xf4) return false
    if (byte < 0xe0) {
      this.#needed = 1
    } else if (byte < 0xf0) {
      this.#needed = 2
      if (byte === 0xe0) this.#lower = 0xa0
      else if (byte === 0xed) this.#upper = 0x9f
    } else {
      this.#needed = 3
      if (byte === 0xf0) this.#lower = 0x90
      else if (byte === 0xf4) this.#upper = 0x8f
    }
    return true
  }
}

/** The index where a last, possibly cut, character begins: at most three bytes before `end`, else `end`. */
function lastBoundary(bytes: Uint8Array, end: number): number {
  for (let i = end - 1; i >= end - 3; i--) {
    const byte = bytes[i] as number
    if (byte < 0x80) return end
    if (byte >= 0xc0) return i
  }
  // Three continuation bytes: either the end of a whole character or invalid, which the native check finds.
  return end
}

/** Whether bytes are a complete text. */
export function isWholeText(bytes: Buffer, start: number, end: number): boolean {
  if (end - start >= NATIVE_THRESHOLD_BYTES) return isUtf8(bytes.subarray(start, end))
  let i = start
  while (i < end && (bytes[i] as number) < 0x80) i++
  return i === end || isUtf8(bytes.subarray(i, end))
}

/** Whether every byte is below 0x80. */
export function isAsciiOnly(bytes: Buffer, start: number, end: number): boolean {
  if (end - start >= NATIVE_THRESHOLD_BYTES) return isAscii(bytes.subarray(start, end))
  let i = start
  while (i < end && (bytes[i] as number) < 0x80) i++
  return i === end
}

/**
 * Decodes a complete text. Decoding replaces invalid bytes by U+FFFD, so only text that contains U+FFFD needs the
 * check: nearly all text takes one native pass.
 * @returns the text, or null if the bytes are not UTF-8
 */
export function decodeText(bytes: Buffer, start: number, end: number): string | null {
  const length = end - start
  if (length >= ASCII_CHECK_BYTES && isAsciiOnly(bytes, start, end)) return sliceLatin1(bytes, start, end)
  if (length >= LANE_BYTES && length <= lane.maxTextBytes) return lane.decode(bytes, start, end)
  const text = sliceUtf8(bytes, start, end)
  return text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end)) ? null : text
}
