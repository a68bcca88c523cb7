import { LENGTH_BITS, PAYLOAD_LENGTH_16, PAYLOAD_LENGTH_64, RSV2_BIT } from '../frame/header.js'
import { WriteQueue } from './write-queue.js'
import { frameOf, PreparedMessage } from './prepared-message.js'

/** Marks a frame that is to be compressed, in its first byte. No frame on the wire has this bit. */
export const TO_COMPRESS_BIT = RSV2_BIT

/** A waiting frame, not yet compressed. */
export interface WaitingFrame {
  /** FIN, the opcode, and {@link TO_COMPRESS_BIT}. */
  readonly firstByte: number
  /** A view of bytes that do not change any more. */
  readonly payload: Buffer
}

/** A caller waits until the messages before this position are frames of the output. */
interface Mark {
  readonly at: number
  readonly framed: () => void
}

/** The length of a prepared message's uncompressed frame in bytes. */
function frameBytes(message: PreparedMessage): number {
  const { start, end } = frameOf(message)
  return end - start
}

/**
 * Messages that wait until the compression of an earlier message ends. They are kept as serialized frames, one after
 * the other, so that a million small messages cost a few bytes each and not an object and a buffer each. Prepared
 * messages are kept as objects between them, so that each is still compressed once for all connections.
 */
export class CompressionQueue {
  /** The waiting bytes with headers; prepared messages count uncompressed. */
  byteLength = 0
  private readonly runs: (WriteQueue | PreparedMessage)[] = []
  private bytes: Buffer | null = null
  private position = 0
  /** The waiting bytes that were removed; and who waits until as many are sent, in order. */
  private removedBytes = 0
  private marks: Mark[] | null = null

  appendText(firstByte: number, text: string): void {
    const queue = this.lastQueue()
    const before = queue.byteLength
    queue.appendText(firstByte, text)
    this.byteLength += queue.byteLength - before
  }

  /** @param payload copied; read during the call only */
  appendBytes(firstByte: number, payload: Uint8Array): void {
    const queue = this.lastQueue()
    const before = queue.byteLength
    queue.appendBytes(firstByte, payload)
    this.byteLength += queue.byteLength - before
  }

  appendPrepared(message: PreparedMessage): void {
    this.runs.push(message)
    this.byteLength += frameBytes(message)
  }

  /** Reports once all messages that wait by now, and those before them, are frames of the output. */
  mark(framed: () => void): void {
    this.marks ??= []
    this.marks.push({ at: this.removedBytes + this.byteLength, framed })
  }

  /** All messages that were removed are frames of the output. */
  reachMarks(): void {
    const { marks } = this
    if (marks === null) return
    let count = 0
    for (let mark = marks[0]; mark !== undefined && mark.at <= this.removedBytes; mark = marks[++count])
      mark.framed()
    this.marks = count === marks.length ? null : marks.slice(count)
  }

  /** Removes and returns the oldest message; null if nothing waits. */
  next(): WaitingFrame | PreparedMessage | null {
    while (this.bytes === null) {
      const [run] = this.runs
      if (run === undefined) return null
      if (run instanceof PreparedMessage) {
        this.runs.shift()
        this.remove(frameBytes(run))
        return run
      }
      this.bytes = run.take()
      if (run.byteLength > 0) continue
      // The last queue is kept for further frames.
      if (this.runs.length > 1) this.runs.shift()
      else if (this.bytes === null) return null
    }
    return this.nextFrame(this.bytes)
  }

  private nextFrame(bytes: Buffer): WaitingFrame {
    const at = this.position
    const field = bytes.readUInt8(at + 1) & LENGTH_BITS
    let start = at + 2
    let length = field
    if (field === PAYLOAD_LENGTH_16) {
      length = bytes.readUInt16BE(start)
      start += 2
    } else if (field === PAYLOAD_LENGTH_64) {
      length = Number(bytes.readBigUInt64BE(start))
      start += 8
    }
    const end = start + length
    const atEnd = end === bytes.length
    this.bytes = atEnd ? null : bytes
    this.position = atEnd ? 0 : end
    this.remove(end - at)
    return { firstByte: bytes.readUInt8(at), payload: bytes.subarray(start, end) }
  }

  private remove(bytes: number): void {
    this.byteLength -= bytes
    this.removedBytes += bytes
  }

  private lastQueue(): WriteQueue {
    const last = this.runs.at(-1)
    if (last instanceof WriteQueue) return last
    const queue = new WriteQueue(false)
    // Its frames may wait for long, so they must not lie in the shared slab.
    queue.isBlocked = true
    this.runs.push(queue)
    return queue
  }
}
