const NO_BYTES = Buffer.alloc(0)

/** A peer that sends more than this before its upgrade is answered is no longer read. */
export const MAX_EARLY_DATA_BYTES = 64 * 1024

/**
 * The bytes that a peer sends before its upgrade is answered. They are copied into one buffer that doubles: the cost grows
 * linearly with the bytes, and one-byte chunks take no more memory than large ones.
 */
export class EarlyData {
  private buffer: Buffer = NO_BYTES
  private length = 0

  /** @returns whether more may come; false: above {@link MAX_EARLY_DATA_BYTES}, stop reading */
  push(chunk: Uint8Array): boolean {
    const length = this.length + chunk.length
    if (length > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.buffer.length))
      this.buffer.copy(larger, 0, 0, this.length)
      this.buffer = larger
    }
    this.buffer.set(chunk, this.length)
    this.length = length
    return length <= MAX_EARLY_DATA_BYTES
  }

  /** All bytes: from now on they are the caller's, and not kept here. */
  take(): Buffer {
    const bytes = this.buffer.subarray(0, this.length)
    this.buffer = NO_BYTES
    this.length = 0
    return bytes
  }
}
