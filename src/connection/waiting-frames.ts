import { LENGTH_BITS, PAYLOAD_LENGTH_16, PAYLOAD_LENGTH_64, RSV2_BIT } from '../frame/header.js'
import { OutputQueue } from './output-queue.js'
import { PreparedMessage } from './prepared-message.js'

/** Set in the first byte of a frame that is to be compressed; no frame on the wire has it. */
export const TO_COMPRESS_BIT = RSV2_BIT

/** A frame as it was put to wait. */
export interface WaitingFrame {
  /** FIN, the opcode, and {@link TO_COMPRESS_BIT}. */
  readonly firstByte: number
  /** A view of bytes that nobody changes any more. */
  readonly payload: Buffer
}

/** The bytes of a message that goes to many, as it stands in its frame. */
const frameBytes = ({ frame }: PreparedMessage): number => frame.end - frame.start

/**
 * Frames that wait for the compression of a message before them, kept as what they nearly are already: bytes, one
 * frame behind the other. A million small messages then cost a few bytes each, not an object and a buffer. Messages that
 * go to many stand between them as they are, so that they are still compressed once for all.
 */
export class WaitingFrames {
  /** What waits, headers included; of messages that go to many, what they are uncompressed. */
  byteLength = 0
  private readonly runs: (OutputQueue | PreparedMessage)[] = []
  private bytes: Buffer | null = null
  private position = 0

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

  /** What waited longest; null when nothing waits. */
  next(): WaitingFrame | PreparedMessage | null {
    while (this.bytes === null) {
      const [run] = this.runs
      if (run === undefined) return null
      if (run instanceof PreparedMessage) {
        this.runs.shift()
        this.byteLength -= frameBytes(run)
        return run
      }
      this.bytes = run.take()
      if (run.byteLength > 0) continue
      // The last is kept for what comes.
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
    this.byteLength -= end - at
    return { firstByte: bytes.readUInt8(at), payload: bytes.subarray(start, end) }
  }

  private lastQueue(): OutputQueue {
    const last = this.runs.at(-1)
    if (last instanceof OutputQueue) return last
    const queue = new OutputQueue(false)
    // Its frames may wait for long: not in the slab.
    queue.isBlocked = true
    this.runs.push(queue)
    return queue
  }
}
