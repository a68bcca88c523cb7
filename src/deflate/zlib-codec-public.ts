/**
 * The engine by the documented calls of node:zlib alone: a stream for each message, made and thrown away. Two to
 * twenty times slower than `zlib-codec-kept.ts`, which is used wherever it works.
 */
import { constants, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib'
import type { InflateRaw, ZlibOptions } from 'node:zlib'
import type { InflateResult } from './codec.js'
import {
  brokenOff,
  invalidDeflate,
  MAX_FINAL_BLOCKS,
  messageTooBig,
  NO_HISTORY,
  TAIL_AND_FINAL_BLOCK,
  TAIL_BYTES,
  tooManyFinalBlocks,
} from './engine.js'
import type { Cancel, Deflater, DeflateParameters, InflateDone, ZlibEngine } from './engine.js'
import { deflateOnPool, mostWorthSending } from './zlib-codec-pool.js'

const MAX_CHUNK_BYTES = 64 * 1024
const MAX_OUTPUT_BYTES = 0x7fffffff

/**
 * Compresses each message by itself, which a sender always may. The context could be had as a `dictionary`, at
 * five times the cost (128 bytes: 49 us instead of 10).
 */
class PublicDeflater implements Deflater {
  readonly #parameters: DeflateParameters

  constructor(parameters: DeflateParameters) {
    this.#parameters = parameters
  }

  deflate(message: Uint8Array): Uint8Array | null {
    try {
      const result = deflateRawSync(message, {
        ...this.#parameters,
        finishFlush: constants.Z_SYNC_FLUSH,
        chunkSize: Math.min(Math.max(message.length, 64), MAX_CHUNK_BYTES),
        maxOutputLength: mostWorthSending(message.length),
      })
      return result.subarray(0, result.length - TAIL_BYTES)
    } catch {
      // The only error there can be is that of maxOutputLength.
      return null
    }
  }

  dropContext(): void {
    // There is none.
  }

  close(): void {
    // Nothing is held.
  }
}

/** What node:zlib gives with `info`: the output, and the stream, which knows how much it read. */
interface Inflated {
  readonly buffer: Buffer
  readonly engine: InflateRaw
}

/**
 * A message on its way through as many streams as it has final blocks, plus one. What zlib says of the final block
 * behind the tail tells whether the message was whole. (One that breaks off exactly four bytes before the end of a
 * stored block is taken to end in the tail's bytes; kept handles see the difference.)
 */
class Passage {
  readonly #input: Buffer
  readonly #maxBytes: number
  readonly #chunks: Buffer[] = []
  #history: Uint8Array
  #offset = 0
  #total = 0
  /** What the next message may refer to, once this one is whole. */
  reachBytes: number

  constructor(message: Uint8Array, maxBytes: number, history: Uint8Array) {
    this.#input = Buffer.concat([message, TAIL_AND_FINAL_BLOCK])
    this.#maxBytes = maxBytes
    this.#history = history
    this.reachBytes = history.length
  }

  /** What the next stream is to read. */
  get rest(): Buffer {
    return this.#input.subarray(this.#offset)
  }

  get options(): ZlibOptions {
    return {
      info: true,
      windowBits: LARGEST_WINDOW_BITS,
      // Never 0, which node:zlib does not take.
      maxOutputLength: Math.min(Math.max(this.#maxBytes - this.#total, 1), MAX_OUTPUT_BYTES),
      chunkSize: MAX_CHUNK_BYTES,
      ...(this.#history.length > 0 && { dictionary: this.#history }),
    }
  }

  /** @returns the message or an error; null: another stream follows */
  take({ buffer, engine }: Inflated): InflateResult | null {
    this.#total += buffer.length
    this.reachBytes += buffer.length
    if (this.#total > this.#maxBytes) return messageTooBig(this.#maxBytes)
    this.#chunks.push(buffer)
    this.#offset += engine.bytesWritten
    if (this.#offset === this.#input.length) return Buffer.concat(this.#chunks, this.#total)
    if (this.#offset >= this.#input.length - TAIL_AND_FINAL_BLOCK.length) return brokenOff()
    // A final block ended this stream, and another follows it.
    this.#history = NO_HISTORY
    this.reachBytes = 0
    return this.#chunks.length > MAX_FINAL_BLOCKS ? tooManyFinalBlocks() : null
  }

  fail(error: unknown): InflateResult {
    const { code, message } = error as { readonly code?: unknown; readonly message: string }
    return code === 'ERR_BUFFER_TOO_LARGE' ? messageTooBig(this.#maxBytes) : invalidDeflate(message)
  }
}

/** One window of 32 KiB takes what any smaller one was agreed for. */
const LARGEST_WINDOW_BITS = 15

/** For every Node. */
export class PublicEngine implements ZlibEngine {
  readonly lender = null
  #reachBytes = 0

  get reachBytes(): number {
    return this.#reachBytes
  }

  inflate(message: Uint8Array, maxBytes: number, history: Uint8Array): InflateResult {
    const passage = new Passage(message, maxBytes, history)
    let result: InflateResult | null = null
    while (result === null) {
      try {
        result = passage.take(inflateRawSync(passage.rest, passage.options) as unknown as Inflated)
      } catch (error) {
        result = passage.fail(error)
      }
    }
    this.#reachBytes = result instanceof Error ? 0 : passage.reachBytes
    return result
  }

  inflateAsync(message: Uint8Array, maxBytes: number, history: Uint8Array, done: InflateDone): Cancel {
    const passage = new Passage(message, maxBytes, history)
    let isCancelled = false
    const feed = (): void => {
      inflateRaw(passage.rest, passage.options, (error, inflated) => {
        let result = error === null ? passage.take(inflated as unknown as Inflated) : passage.fail(error)
        if (isCancelled) result ??= brokenOff()
        if (result === null) feed()
        else done(result, result instanceof Error ? 0 : passage.reachBytes)
      })
    }
    feed()
    return () => {
      isCancelled = true
    }
  }

  createDeflater(parameters: DeflateParameters): Deflater {
    return new PublicDeflater(parameters)
  }

  deflateAsync(
    message: Uint8Array,
    parameters: DeflateParameters,
    done: (result: Uint8Array | null) => void,
  ): Cancel {
    return deflateOnPool(message, parameters, done)
  }
}
