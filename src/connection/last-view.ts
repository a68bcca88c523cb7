/** All connections write frames into one shared slab, so that most need no buffer of their own. */
export const SLAB_BYTES = 64 * 1024

/** The smallest and the largest growth of a connection's own buffers, in bytes. */
const MIN_PRIVATE_BYTES = 1024
const MAX_PRIVATE_BYTES = 64 * 1024

/** The size of a connection's next own buffer: as many bytes as wait already, within bounds. */
export const privateBytes = (waiting: number): number =>
  Math.min(Math.max(waiting, MIN_PRIVATE_BYTES), MAX_PRIVATE_BYTES)

const EMPTY: Buffer = Buffer.alloc(0)

/** The last view: a thousand connections that send the same prepared message share it. */
let lastView = EMPTY
let lastRegion = EMPTY
let lastStart = 0

/** The bytes `start` to `end` of a region, as a view. */
export function viewOf(region: Buffer, start: number, end: number): Buffer {
  // A larger buffer belongs to one message and must not be held here.
  if (region.length > SLAB_BYTES) return region.subarray(start, end)
  if (region !== lastRegion || start !== lastStart || end - start !== lastView.length) {
    lastView = region.subarray(start, end)
    lastRegion = region
    lastStart = start
  }
  return lastView
}
