import { writeMaskedText } from '../frame/text-frames.js'
import { writeUtf8 } from '../native/buffer-text.js'

/** The part of a long string that is encoded at once. */
const PART_UNITS = 64 * 1024
/** A smaller buffer would not come from the pool. */
const MIN_ROOM_BYTES = 32 * 1024

/** How many bytes {@link writeLongText} needs for so many UTF-16 units. */
export const longTextRoom = (units: number, key: number | null): number =>
  key === null ? units + Math.min(units, PART_UNITS) * 2 : Math.max(units, MIN_ROOM_BYTES)

/**
 * Writes a long text part by part, without measuring it before.
 * @param target has {@link longTextRoom} bytes from `at` on
 * @param key masks it on the way; null: it is not masked
 * @returns false if it is not ASCII: then what was written is of no use
 */
export function writeLongText(text: string, target: Buffer, at: number, key: number | null): boolean {
  if (key !== null) return writeMaskedText(text, target, at, key)
  for (let from = 0; from < text.length; from += PART_UNITS) {
    const part = text.slice(from, from + PART_UNITS)
    // Every part has room for 3 bytes for each unit, so that as many bytes as units are ASCII.
    if (writeUtf8(target, part, at + from) !== part.length) return false
  }
  return true
}
