import { asBuffer } from './as-buffer.js'

const EMPTY: Buffer = Buffer.alloc(0)

/** The list of waiting chunks is shortened once at least this many, and at least half of it, are consumed. */
const WAITING_SLACK = 64

/** The chunks that a parser was given and has not consumed. */
export class FrameInput {
  /** The chunk that is being consumed. */
  protected chunk: Buffer = EMPTY
  /** How far it is consumed. */
  protected position = 0
  /** Chunks pushed before the current one was consumed, from `waitingIndex` on; null if there are none. */
  private waiting: Uint8Array[] | null = null
  private waitingIndex = 0
  private waitingBytes = 0
  /** The chunk that holds the payload of `takeWhole` or `takeFragments`. */
  wholeSource: Buffer = EMPTY

  /** Bytes that were pushed and not yet consumed by `next`: 0 whenever `next` returns null. */
  get bufferedBytes(): number {
    return this.chunk.length - this.position + this.waitingBytes
  }

  /** Copies the unconsumed rest of the current chunk. Its memory then belongs to the caller again. */
  keepInput(): void {
    // The payload that takeWhole returned last lies in the same memory.
    this.wholeSource = EMPTY
    if (this.position === this.chunk.length) this.chunk = EMPTY
    else this.chunk = Buffer.from(this.chunk.subarray(this.position))
    this.position = 0
  }

  /** Puts a chunk after those that wait. */
  protected accept(chunk: Uint8Array): void {
    // Even if the current chunk is consumed, this one must not overtake those that wait.
    if (this.position === this.chunk.length && this.waiting === null) {
      this.chunk = asBuffer(chunk)
      this.position = 0
    } else {
      this.waiting ??= []
      this.waiting.push(chunk)
      this.waitingBytes += chunk.length
    }
  }

  /** Forgets all chunks. */
  protected dropInput(): void {
    this.chunk = EMPTY
    this.position = 0
    this.waiting = null
    this.waitingBytes = 0
  }

  /** Moves on to the next chunk and releases the last one, so that an idle connection holds no chunk. */
  protected advance(): boolean {
    this.position = 0
    const { waiting } = this
    if (waiting === null) {
      this.chunk = EMPTY
      this.wholeSource = EMPTY
      return false
    }
    const next = waiting[this.waitingIndex] as Uint8Array
    this.chunk = asBuffer(next)
    this.waitingBytes -= next.length
    // A reader that always lags one chunk must not hold all the chunks that it has read.
    waiting[this.waitingIndex++] = EMPTY
    if (this.waitingIndex === waiting.length) {
      this.waiting = null
      this.waitingIndex = 0
    } else if (this.waitingIndex >= WAITING_SLACK && this.waitingIndex * 2 >= waiting.length) {
      waiting.splice(0, this.waitingIndex)
      this.waitingIndex = 0
    }
    return true
  }
}
