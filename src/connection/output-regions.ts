import { asBuffer } from '../frame/as-buffer.js'
import { borrowBuffer, returnBuffer } from '../frame/buffer-pool.js'
import { paceCollections } from '../native/collection-pace.js'
import { HeldPayload } from './held-payload.js'
import { privateBytes, SLAB_BYTES, viewOf } from './last-view.js'
import { batch } from './text-batch.js'

/** The largest result of one `take` of several buffers: a slab, and the message that filled it. */
const MAX_TAKEN_BYTES = SLAB_BYTES + 4 * 1024
/** A larger frame gets a buffer of its own. */
export const LARGE_FRAME_BYTES = 16 * 1024

const EMPTY: Buffer = Buffer.alloc(0)
/** The empty list that all share. It is never changed. */
const NONE: Buffer[] = []

function allocate(bytes: number): Buffer {
  paceCollections(bytes)
  return Buffer.allocUnsafeSlow(bytes)
}

let slab = allocate(0)
let slabEnd = 0

/**
 * The memory of frames that wait to be written, one after the other in as few buffers as possible.
 *
 * A connection writes into the shared slab until another connection writes after it. Later frames that must wait go
 * into private buffers, which grow with the waiting bytes: memory follows the bytes, never the number of frames.
 */
export abstract class OutputRegions {
  /** The bytes that are encoded and not taken yet. */
  protected bytes = 0
  /**
   * Whether the transport takes no bytes at the moment. While it is set, frames go into private buffers, so that a
   * slow peer never holds slabs that other connections wrote into.
   */
  isBlocked = false
  /** Complete buffers, in order. Most connections never have any. */
  private done = NONE
  /** The current buffer. This connection's part of it is `start` to `end`. */
  protected region = EMPTY
  private start = 0
  protected end = 0
  /** The whole private buffer that the last `take` returned a view of, or null. */
  private taken: Buffer | null = null
  /** The private buffer that the transport holds since it is blocked, or null. */
  private lent: Buffer | null = null
  /**
   * Whether only this connection writes into `region`. A comparison with the slab does not show it: a full slab that
   * was replaced is no longer the current slab, and not private either.
   */
  private isPrivate = false
  /** The payload of the last frame, where it is not copied: the header is the last of `region`. */
  private held: HeldPayload | null = null

  /** The bytes that are not taken yet. */
  get byteLength(): number {
    this.settle()
    return this.bytes
  }

  /** At least as many as {@link byteLength}, at no cost. */
  get mostBytes(): number {
    batch.shared?.encodeBatch()
    return batch.owner === this ? this.bytes + batch.mostBytes : this.bytes
  }

  /** Encodes the texts that waited for each other: those of {@link batch}, which are this queue's. */
  abstract encodeBatch(): void

  /**
   * Appends a frame that many connections share, without a copy. Frames that follow each other in the same buffer are
   * joined. While the transport is blocked a small frame is copied after all, so that a slow peer holds only its own
   * bytes; a large one has a buffer of its own.
   * @param buffer its bytes must not change any more
   */
  appendShared(buffer: Buffer, start: number, end: number): void {
    batch.owner?.encodeBatch()
    if (this.held !== null) this.copyHeld()
    const length = end - start
    if (this.isBlocked && length <= LARGE_FRAME_BYTES) {
      const at = this.reserve(length)
      buffer.copy(this.region, at, start, end)
      this.end = at + length
    } else if (this.region === buffer && this.end === start) {
      this.end = end
    } else {
      this.closeRegion()
      this.region = buffer
      this.start = start
      this.end = end
    }
    this.bytes += length
  }

  /** Whether the last frame's payload is not copied yet: see {@link appendHeld}. */
  get isHolding(): boolean {
    return this.held !== null
  }

  /** Copies the payload that is held: it has to wait, and is the caller's again. */
  copyHeld(): void {
    const { held } = this
    if (held === null) return
    this.held = null
    this.bytes -= held.length
    const at = this.reserve(held.length)
    this.region.set(held.bytes, at)
    this.bytes += held.length
    this.end = at + held.length
    if (this.region === slab) slabEnd = this.end
  }

  /**
   * Takes the bytes to write next: all that wait, or the first part if they are more than about 68 KiB. A payload that
   * is held comes by itself, after all else, here or from {@link takeHeld}.
   * @returns bytes that are not changed any more, at least until {@link recycle}; null if nothing waits
   */
  take(): Buffer | null {
    if (this.byteLength === 0) return null
    if (this.done.length === 0) {
      if (this.end === this.start) {
        this.taken = null
        return asBuffer(this.takeHeld() as Uint8Array)
      }
      const bytes = viewOf(this.region, this.start, this.end)
      this.taken = this.isPrivate ? this.region : null
      this.dropRegion()
      this.bytes = this.held === null ? 0 : this.held.length
      return bytes
    }
    this.taken = null
    this.closeRegion()
    let count = 0
    let bytes = 0
    do bytes += (this.done[count++] as Buffer).length
    while (count < this.done.length && bytes + (this.done[count] as Buffer).length <= MAX_TAKEN_BYTES)
    this.bytes -= bytes
    const taken = this.done.splice(0, count)
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken, bytes)
  }

  /**
   * Takes the payload that is held, if it is next: to be written in one call with what the last {@link take} returned.
   * @returns the caller's bytes; null if none are held, or others are before them
   */
  takeHeld(): Uint8Array | null {
    const { held } = this
    if (held?.length !== this.bytes) return null
    this.held = null
    this.bytes = 0
    return held.bytes
  }

  /** Reports that the result of the last {@link take} was written and that nothing holds it: its memory is reused. */
  recycle(): void {
    if (this.taken === null) return
    returnBuffer(this.taken)
    this.taken = null
  }

  /**
   * Reports that the transport keeps the result of the last {@link take}: its memory is not reused.
   * @param isLent whether the transport is done with it once it is no longer blocked: then it is reused
   */
  forget(isLent: boolean): void {
    if (isLent) this.lent ??= this.taken
    this.taken = null
  }

  /** Reports whether the transport is blocked: if it is not, it holds no bytes. */
  setBlocked(isBlocked: boolean): void {
    if (isBlocked) this.copyHeld()
    this.isBlocked = isBlocked
    if (isBlocked || this.lent === null) return
    returnBuffer(this.lent)
    this.lent = null
  }

  /** Drops all frames that are not taken; of one whose header is taken the payload stays. */
  clear(): void {
    this.settle()
    this.done = NONE
    if (this.held?.length === this.bytes) return
    this.held = null
    this.bytes = 0
    this.dropRegion()
  }

  /**
   * Holds the payload of a frame whose header was written last, up to `end`: see {@link takeHeld}.
   * @param payload its bytes must not change until they are written
   */
  protected hold(payload: Uint8Array, end: number): void {
    this.appended(end)
    this.bytes += payload.length
    this.held = new HeldPayload(payload)
  }

  /** Counts what was written into the region, up to `end`. */
  protected appended(end: number): void {
    this.bytes += end - this.end
    this.end = end
    if (this.region === slab) slabEnd = end
  }

  /**
   * Makes room for `bytes` bytes after the last frame, in a new region if needed.
   * @returns the index of that room in `region`
   */
  protected reserve(bytes: number): number {
    // That of another queue as well, which is the last in the slab until something is written after it.
    batch.owner?.encodeBatch()
    if (this.held !== null) this.copyHeld()
    const { region, end } = this
    if (this.isPrivate) {
      if (end + bytes <= region.length) return end
    } else if (region === slab && end === slabEnd && end + bytes <= SLAB_BYTES && !this.isBlocked) {
      // Only the connection that wrote last into the slab can continue there.
      return end
    }
    this.closeRegion()
    if (this.isBlocked || this.bytes > 0 || bytes > LARGE_FRAME_BYTES) {
      this.isPrivate = true
      // A buffer that leaves at once comes from the pool: see recycle. One that may wait is no larger than needed.
      const isBrief = !this.isBlocked && this.bytes === 0
      this.region = isBrief ? borrowBuffer(bytes) : allocate(Math.max(bytes, privateBytes(this.bytes)))
    } else {
      if (slabEnd + bytes > slab.length) {
        slab = allocate(SLAB_BYTES)
        slabEnd = 0
      }
      this.region = slab
      this.start = slabEnd
      this.end = slabEnd
    }
    return this.start
  }

  private closeRegion(): void {
    if (this.end > this.start) {
      if (this.done === NONE) this.done = []
      this.done.push(this.region.subarray(this.start, this.end))
    }
    this.dropRegion()
  }

  protected dropRegion(): void {
    this.region = EMPTY
    this.start = 0
    this.end = 0
    this.isPrivate = false
  }

  /** Appends what is put off, where this queue is to get it: frames that wait for each other, or that many queues share. */
  private settle(): void {
    if (batch.owner === this) this.encodeBatch()
    else if (batch.shared !== null) batch.shared.encodeBatch()
  }
}
