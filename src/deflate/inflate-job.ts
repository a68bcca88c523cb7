/** Decompression on the thread pool, by documented streams (RFC 7692 section 7.2.2). */
import { createInflateRaw } from 'node:zlib'
import type { InflateRaw } from 'node:zlib'
import type { DecodeResult } from '../extension/message-codec.js'
import {
  brokenOff,
  FINAL_BLOCK,
  Inflation,
  invalidDeflate,
  LARGEST_WINDOW_BITS,
  STREAM_CHUNK_BYTES,
  TAIL_AND_FINAL_BLOCK,
} from './inflater.js'
import { JOBS } from './jobs.js'
import { NO_HISTORY } from './inflate-window.js'

/** Written after a message. The last byte is left unread: a final block ends the stream before it. */
const ENDING = Uint8Array.of(...TAIL_AND_FINAL_BLOCK, 0x00)

/** Learns the end of a job, once: the message, and how many of the last bytes the next may refer to. */
type InflateDone = (result: DecodeResult, reachBytes: number) => void

/** A message on its way through the thread pool, by a documented stream, or by several where final blocks end them. */
class InflateJob {
  readonly #done: InflateDone
  readonly #inflation: Inflation
  #stream: InflateRaw
  #isCancelled = false
  #isOver = false

  constructor(message: Uint8Array, maxBytes: number, history: Uint8Array, done: InflateDone) {
    this.#done = done
    this.#inflation = new Inflation(maxBytes, history)
    this.#stream = this.#feed(message, history)
  }

  /** The trip under way to the thread pool is the last. */
  cancel(): void {
    this.#isCancelled = true
  }

  #feed(input: Uint8Array, dictionary: Uint8Array): InflateRaw {
    const stream = createInflateRaw({
      windowBits: LARGEST_WINDOW_BITS,
      chunkSize: STREAM_CHUNK_BYTES,
      ...(dictionary.length > 0 && { dictionary }),
    })
    stream.on('error', (error) => this.#finish(invalidDeflate(error.message)))
    stream.on('data', (chunk: Buffer) => {
      const error = this.#isCancelled ? brokenOff() : this.#inflation.add(chunk)
      if (error !== null) this.#finish(error)
    })
    stream.write(input, () => this.#written(input))
    return stream
  }

  #written(input: Uint8Array): void {
    if (this.#isOver) return
    const rest = input.subarray(this.#stream.bytesWritten)
    if (this.#isCancelled) {
      this.#finish(brokenOff())
    } else if (rest.length === 0) {
      this.#end()
    } else {
      const error = this.#inflation.startAnew()
      if (error !== null) {
        this.#finish(error)
        return
      }
      this.#stream.destroy()
      this.#stream = this.#feed(rest, NO_HISTORY)
    }
  }

  #end(): void {
    const stream = this.#stream
    const inflation = this.#inflation
    const { total } = inflation
    const start = stream.bytesWritten
    stream.write(ENDING, () => {
      const left = TAIL_AND_FINAL_BLOCK.length - (stream.bytesWritten - start)
      const isWhole = inflation.total === total && (left === 0 || left === FINAL_BLOCK.length)
      this.#finish(isWhole ? inflation.finish(left > 0) : brokenOff())
    })
  }

  #finish(result: DecodeResult): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stream.destroy()
    this.#done(result, result instanceof Error ? 0 : this.#inflation.reachBytes)
  }
}

/**
 * As `SharedInflater.inflate`, on the thread pool, once a place there is free.
 * @param message nobody changes it, nor the history, until `done`
 * @param done called later, at most once, with bytes that are the receiver's
 * @returns cancels: `done` is never called; work under way keeps its place until it has ended
 */
export function inflateLater(
  message: Uint8Array,
  maxBytes: number,
  history: Uint8Array,
  done: InflateDone,
): () => void {
  return JOBS.add((finish) => {
    const job = new InflateJob(message, maxBytes, history, (result, reachBytes) => {
      if (finish()) done(result, reachBytes)
    })
    return () => {
      job.cancel()
    }
  })
}
