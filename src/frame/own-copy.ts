import { viewMemory } from '../native/buffer-view.js'
import { messageBuffer } from './buffer-pool.js'
import { copyBytes } from './masking.js'

/**
 * Short copies share a piece of memory. It is one of Node's own pool: nobody can transfer that to another thread, by one of the
 * copies, under the others. Where there is no pool for it, as after `Buffer.poolSize = 0`, each copy has its own memory.
 */
const PIECE_BYTES = 2048
/** A longer copy has its own. */
const MAX_SHARED_BYTES = PIECE_BYTES / 2
/** As in Node's pool: views of other types fit over a copy. */
const ALIGNMENT = 8

let piece: Buffer = Buffer.alloc(0)
let used = 0
/** The `Buffer.poolSize` with which a piece was found to be of no pool; -1: none was. */
let unpooledSize = -1

/** Whether a copy lies in memory that others may lie in as well. */
export const isPooled = (copy: Buffer): boolean => copy.buffer.byteLength > copy.length

/** @returns false: there is no pool, and the piece is as it was */
function beginPiece(): boolean {
  if (Buffer.poolSize === unpooledSize) return false
  const next = messageBuffer(PIECE_BYTES)
  if (!isPooled(next)) {
    unpooledSize = Buffer.poolSize
    return false
  }
  piece = next
  used = 0
  return true
}

function copyAlone(source: Buffer, start: number, end: number): Buffer {
  const copy = messageBuffer(end - start)
  source.copy(copy, 0, start, end)
  return copy
}

/**
 * Copies a range of bytes: as `Buffer.from(source.subarray(start, end))`, at half the cost where they are short (0.1 against
 * 0.27 us for 32 bytes, Node 20, 2026-11).
 * @returns a copy that belongs to the caller
 */
export function copyOwn(source: Buffer, start: number, end: number): Buffer {
  const length = end - start
  if (length > MAX_SHARED_BYTES) return copyAlone(source, start, end)
  if (used + length > piece.length && !beginPiece()) return copyAlone(source, start, end)
  const at = used
  copyBytes(source, start, end, piece, at)
  used = (at + length + ALIGNMENT - 1) & -ALIGNMENT
  return viewMemory(piece.buffer, piece.byteOffset + at, length)
}
