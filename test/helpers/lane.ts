/** Bytes where src/native/simd masks them in place: as a handle reads them. */
import { lane } from '../../src/native/simd.js'

/**
 * @param bytes at most 256 KiB
 * @returns the same bytes in the read buffer of all handles, until the next call
 */
export function lend(bytes: Uint8Array): Buffer {
  lane.readBuffer.set(bytes)
  return lane.lend(bytes.length)
}
