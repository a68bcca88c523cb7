const EMPTY: Buffer = Buffer.alloc(0)

/** The list is shortened once at least this many chunks, and at least half of it, are consumed. */
const SLACK = 64

/** Received chunks that wait for the bytes after them. Taking bytes costs time in their number alone, however they are cut. */
export class ChunkQueue {
  readonly #chunks: Buffer[] = []
  #first = 0
  #bytes = 0

  /** The bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** The chunks that wait. */
  get count(): number {
    return this.#chunks.length - this.#first
  }

  /** @param chunk the queue's own from now on */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }

  /**
   * Takes bytes from the front.
   * @param count at most {@link bytes}
   * @returns a view of the chunk where one has them all, else a copy; the caller's own
   */
  take(count: number): Buffer {
    this.#bytes -= count
    if (count === 0) return EMPTY
    const first = this.#chunks[this.#first] as Buffer
    if (count <= first.length) return this.#takeFront(first, count)
    const bytes = Buffer.allocUnsafe(count)
    for (let at = 0; at < count;) {
      const chunk = this.#chunks[this.#first] as Buffer
      const part = this.#takeFront(chunk, Math.min(chunk.length, count - at))
      part.copy(bytes, at)
      at += part.length
    }
    return bytes
  }

  #takeFront(chunk: Buffer, count: number): Buffer {
    if (count < chunk.length) {
      this.#chunks[this.#first] = chunk.subarray(count)
      return chunk.subarray(0, count)
    }
    this.#chunks[this.#first++] = EMPTY
    if (this.#first === this.#chunks.length) {
      this.#chunks.length = 0
      this.#first = 0
    } else if (this.#first >= SLACK && this.#first * 2 >= this.#chunks.length) {
      this.#chunks.splice(0, this.#first)
      this.#first = 0
    }
    return chunk
  }
}
