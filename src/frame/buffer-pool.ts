import { paceCollections } from '../native/collection-pace.js'
import { keepFreedMemory } from '../native/freed-memory.js'

const MIB = 1024 * 1024

/** A smaller buffer costs less to allocate than to keep. */
const MIN_POOLED_BYTES = 32 * 1024
/** The largest buffer that is kept for good. */
const MAX_POOLED_BYTES = 4 * MIB
/** The limit for all buffers together that are kept for good. */
const MAX_KEPT_BYTES = 4 * MIB

/** Free buffers by size in bytes, which is always a power of two. */
const kept = new Map<number, Buffer[]>()
let keptBytes = 0

/** Buffers of these sizes that are not kept for good are lent again as long as no collection freed them. */
const MIN_LOOSE_BYTES = MIB
const MAX_LOOSE_BYTES = 64 * MIB
const MAX_LOOSE = 8
/** Free buffers that a collection frees: they hold no memory longer than if they were dropped. */
const loose: WeakRef<Buffer>[] = []

/** A power of two, or so many MiB. */
const sizeOf = (bytes: number): number =>
  bytes <= MAX_POOLED_BYTES ? 2 ** Math.ceil(Math.log2(bytes)) : Math.ceil(bytes / MIB) * MIB

/** Takes one that is large enough, and not more than twice as large. */
function takeLoose(bytes: number): Buffer | undefined {
  for (let i = loose.length - 1; i >= 0; i--) {
    const buffer = (loose[i] as WeakRef<Buffer>).deref()
    const isFit = buffer !== undefined && buffer.length >= bytes && buffer.length <= bytes * 2
    if (isFit || buffer === undefined) loose.splice(i, 1)
    if (isFit) return buffer
  }
  return undefined
}

function allocate(bytes: number): Buffer {
  if (bytes >= MIN_POOLED_BYTES) keepFreedMemory()
  return Buffer.allocUnsafeSlow(bytes)
}

/**
 * Makes the buffer of a message that the application will own. It does not come from the pool, and does not go there.
 * @returns exactly `bytes` bytes of memory of its own, not cleared
 */
export function ownBuffer(bytes: number): Buffer {
  paceCollections(bytes)
  return allocate(bytes)
}

/** As {@link ownBuffer}, but that a short one may lie in Node's pool beside others. */
export function messageBuffer(bytes: number): Buffer {
  paceCollections(bytes)
  return bytes < MIN_POOLED_BYTES ? Buffer.allocUnsafe(bytes) : allocate(bytes)
}

/**
 * Lends a buffer until {@link returnBuffer}. Buffers of 32 KiB to 4 MiB are reused: the system must map, clear and
 * load fresh memory page by page, which costs more than the copy into it (an echo of 1 MiB is 1.9 times as fast, Node
 * 20, 2026-11). Larger ones are reused until the next full collection.
 * @param bytes the least size, in bytes
 * @returns a buffer of `bytes` bytes or more, at most twice as many, not cleared
 */
export function borrowBuffer(bytes: number): Buffer {
  if (bytes < MIN_POOLED_BYTES || bytes > MAX_LOOSE_BYTES) return Buffer.allocUnsafeSlow(bytes)
  const size = sizeOf(bytes)
  const found = kept.get(size)?.pop()
  if (found === undefined) return (bytes < MIN_LOOSE_BYTES ? undefined : takeLoose(bytes)) ?? allocate(size)
  keptBytes -= size
  return found
}

/**
 * @param buffer all of a buffer from {@link borrowBuffer}; the caller must not use it, or any view of it, afterwards
 */
export function returnBuffer(buffer: Buffer): void {
  const size = buffer.length
  if (size < MIN_POOLED_BYTES || size > MAX_LOOSE_BYTES || size !== sizeOf(size)) return
  if (size > MAX_POOLED_BYTES || keptBytes + size > MAX_KEPT_BYTES) {
    if (size < MIN_LOOSE_BYTES) return
    if (loose.length === MAX_LOOSE) loose.shift()
    loose.push(new WeakRef(buffer))
    return
  }
  keptBytes += size
  const list = kept.get(size)
  if (list === undefined) kept.set(size, [buffer])
  else list.push(buffer)
}
