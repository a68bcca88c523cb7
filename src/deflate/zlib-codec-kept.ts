/** The engine on kept handles: synchronous, no stream per message, one handle for all who need no context. */
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib'
import type { InflateRaw } from 'node:zlib'
import { ZlibHandle } from '../native/zlib-handle.js'
import type { InflateResult } from './codec.js'
import {
  brokenOff,
  invalidDeflate,
  MAX_FINAL_BLOCKS,
  messageTooBig,
  TAIL_AND_FINAL_BLOCK,
  TAIL_AND_PROBE,
  TAIL_BYTES,
  tooManyFinalBlocks,
} from './engine.js'
import type {
  Cancel,
  Deflater,
  DeflateParameters,
  InflateDone,
  Inflater,
  Lender,
  ZlibEngine,
} from './engine.js'
import { primeHandle, readWindow } from './zlib-codec-history.js'
import { deflateOnPool } from './zlib-codec-pool.js'

const { Z_SYNC_FLUSH, Z_FINISH, Z_BLOCK } = constants

const SCRATCH_BYTES = 64 * 1024
const MAX_CHUNK_BYTES = 1024 * 1024

/** Results of at most 64 KiB are views of these. Two, so that what was inflated can be deflated in turn. */
const DEFLATE_SCRATCH = Buffer.alloc(SCRATCH_BYTES + TAIL_BYTES)
const INFLATE_SCRATCH = Buffer.alloc(SCRATCH_BYTES)

const NOTHING = new Uint8Array(0)

/** The smallest that node:zlib takes: the stream's own buffer is not used by synchronous writes. */
const UNUSED_CHUNK_BYTES = 64
/** A trip to the thread pool for each; untouched, and so not resident, until a message goes there. */
const POOL_CHUNK_BYTES = 64 * 1024

class HandleDeflater implements Deflater {
  readonly #handle: ZlibHandle
  #isStale = false

  constructor(parameters: DeflateParameters) {
    this.#handle = new ZlibHandle(createDeflateRaw({ ...parameters, chunkSize: UNUSED_CHUNK_BYTES }))
  }

  deflate(message: Uint8Array, keepContext: boolean): Uint8Array | null {
    const handle = this.#handle
    if (!keepContext || this.#isStale) {
      handle.reset()
      this.#isStale = false
    }
    // One byte more than a result that shrinks has, its tail included: where that is left, the flush is complete.
    const most = message.length + TAIL_BYTES
    let offset = 0
    let total = 0
    let chunks: Buffer[] | null = null
    for (;;) {
      const room = Math.min(DEFLATE_SCRATCH.length, most - total)
      handle.write(Z_SYNC_FLUSH, message, offset, message.length - offset, DEFLATE_SCRATCH, 0, room)
      const produced = room - handle.outputLeft
      total += produced
      if (total === most) {
        this.#isStale = true
        return null
      }
      if (handle.outputLeft > 0) {
        if (chunks === null) return DEFLATE_SCRATCH.subarray(0, total - TAIL_BYTES)
        chunks.push(DEFLATE_SCRATCH.subarray(0, produced))
        return Buffer.concat(chunks, total).subarray(0, total - TAIL_BYTES)
      }
      offset = message.length - handle.inputLeft
      chunks ??= []
      chunks.push(Buffer.from(DEFLATE_SCRATCH))
    }
  }

  dropContext(): void {
    this.#isStale = true
  }

  close(): void {
    this.#handle.close()
  }
}

/** How a message is ended: what follows it, how zlib is to read that, and how much of it must be left. */
interface Ending {
  readonly tail: Uint8Array
  readonly flush: number
  readonly left: number
}

/** Nothing comes after the message: zlib itself checks that the blocks are whole. */
const FINISH: Ending = { tail: TAIL_AND_FINAL_BLOCK, flush: Z_FINISH, left: 0 }

/**
 * The context goes on: zlib stops at the end of the tail's block, before the probe. Were the message broken off,
 * the tail would be read as something else, and the probe with it, or there would be output.
 */
const GO_ON: Ending = { tail: TAIL_AND_PROBE, flush: Z_BLOCK, left: 1 }

/** After an error the handle is to be reset. */
function inflateThrough(
  handle: ZlibHandle,
  message: Uint8Array,
  maxBytes: number,
  ending: Ending,
): InflateResult {
  let input = message
  let flush = Z_SYNC_FLUSH
  let offset = 0
  let chunk = INFLATE_SCRATCH
  let used = 0
  let total = 0
  let totalBeforeTail = -1
  let finalBlocks = 0
  let chunks: Buffer[] | null = null
  for (;;) {
    const room = Math.min(chunk.length - used, maxBytes + 1 - total)
    handle.write(flush, input, offset, input.length - offset, chunk, used, room)
    if (handle.error !== null) return invalidDeflate(handle.error)
    const produced = room - handle.outputLeft
    used += produced
    total += produced
    handle.outputBytes += produced
    if (total > maxBytes) return messageTooBig(maxBytes)
    offset = input.length - handle.inputLeft
    if (handle.outputLeft === 0) {
      // All chunks together at most double what is there, and never reach past the limit's one byte more.
      chunks ??= []
      chunks.push(chunk)
      chunk = Buffer.allocUnsafeSlow(Math.min(total, MAX_CHUNK_BYTES, maxBytes + 1 - total))
      used = 0
    } else if (totalBeforeTail >= 0) {
      if (handle.inputLeft !== ending.left || total !== totalBeforeTail) return brokenOff()
      if (chunks === null) return INFLATE_SCRATCH.subarray(0, total)
      chunks.push(chunk.subarray(0, used))
      return Buffer.concat(chunks, total)
    } else if (handle.inputLeft === 0) {
      totalBeforeTail = total
      input = ending.tail
      flush = ending.flush
      offset = 0
    } else {
      // Bytes are left though there was room: a final block came, and another stream follows it.
      if (++finalBlocks > MAX_FINAL_BLOCKS) return tooManyFinalBlocks()
      handle.reset()
    }
  }
}

/** A decompressor on a kept handle. What is lent, and, by itself, what serves all who have none. */
class HandleInflater implements Inflater {
  readonly #handle: ZlibHandle<InflateRaw>

  constructor(windowBits: number) {
    this.#handle = new ZlibHandle(createInflateRaw({ windowBits, chunkSize: UNUSED_CHUNK_BYTES }))
  }

  /** What the next message may refer to, of the bytes that it has inflated or was primed with. */
  get reachBytes(): number {
    return this.#handle.outputBytes
  }

  inflate(message: Uint8Array, maxBytes: number): InflateResult {
    const result = inflateThrough(this.#handle, message, maxBytes, GO_ON)
    if (result instanceof Error) this.#handle.reset()
    return result
  }

  /** Nothing is to come after this message: the handle must be primed before the next. */
  inflateLast(message: Uint8Array, maxBytes: number): InflateResult {
    return inflateThrough(this.#handle, message, maxBytes, FINISH)
  }

  prime(history: Uint8Array): void {
    primeHandle(this.#handle, history, INFLATE_SCRATCH)
  }

  readHistory(maxBytes: number): Buffer {
    return readWindow(this.#handle, maxBytes, INFLATE_SCRATCH)
  }

  close(): void {
    this.#handle.close()
  }
}

/** One window of 32 KiB takes what any smaller one was agreed for. */
const LARGEST_WINDOW_BITS = 15

/** A message on its way through the thread pool, by a handle of its own, or several where final blocks end them. */
class PoolInflation {
  readonly #maxBytes: number
  readonly #done: InflateDone
  readonly #chunks: Buffer[] = []
  #handle = openOnPool()
  #total = 0
  #finalBlocks = 0
  #isCancelled = false
  #isOver = false

  constructor(message: Uint8Array, maxBytes: number, history: Uint8Array, done: InflateDone) {
    this.#maxBytes = maxBytes
    this.#done = done
    primeHandle(this.#handle, history, INFLATE_SCRATCH)
    this.#feed(message)
  }

  /** The trip under way to the thread pool is the last. */
  cancel(): void {
    this.#isCancelled = true
  }

  #feed(input: Uint8Array): void {
    const handle = this.#handle
    const { stream } = handle
    handle.onFailure = (message) => this.#finish(invalidDeflate(message), 0)
    stream.on('data', (chunk: Buffer) => this.#collect(chunk))
    stream.write(input, () => {
      if (this.#isOver) return
      handle.onFailure = doNothing
      const rest = input.subarray(stream.bytesWritten)
      if (this.#isCancelled) {
        this.#finish(brokenOff(), 0)
      } else if (rest.length === 0) {
        this.#end()
      } else if (++this.#finalBlocks > MAX_FINAL_BLOCKS) {
        this.#finish(tooManyFinalBlocks(), 0)
      } else {
        // A final block ended this stream, and another follows it.
        handle.close()
        this.#handle = openOnPool()
        this.#feed(rest)
      }
    })
  }

  #collect(chunk: Buffer): void {
    this.#total += chunk.length
    this.#handle.outputBytes += chunk.length
    if (this.#total <= this.#maxBytes && !this.#isCancelled) this.#chunks.push(chunk)
    else this.#finish(messageTooBig(this.#maxBytes), 0)
  }

  #end(): void {
    const end = inflateThrough(this.#handle, NOTHING, this.#maxBytes - this.#total, FINISH)
    if (end instanceof Error) this.#finish(end, 0)
    else this.#finish(Buffer.concat(this.#chunks, this.#total), this.#handle.outputBytes)
  }

  #finish(result: InflateResult, reachBytes: number): void {
    this.#isOver = true
    this.#handle.close()
    this.#done(result, reachBytes)
  }
}

/** The trip is over: nothing can fail. */
function doNothing(): void {
  // `ZlibHandle.error` has the error of a later write.
}

function openOnPool(): ZlibHandle<InflateRaw> {
  return new ZlibHandle(createInflateRaw({ windowBits: LARGEST_WINDOW_BITS, chunkSize: POOL_CHUNK_BYTES }))
}

/** Where `canUseZlibHandles` says so. What is shared lives as long as the process. */
export class HandleEngine implements ZlibEngine, Lender {
  readonly lender: Lender = this
  readonly #shared = new HandleInflater(LARGEST_WINDOW_BITS)
  #reachBytes = 0

  get reachBytes(): number {
    return this.#reachBytes
  }

  inflate(message: Uint8Array, maxBytes: number, history: Uint8Array): InflateResult {
    this.#shared.prime(history)
    const result = this.#shared.inflateLast(message, maxBytes)
    this.#reachBytes = result instanceof Error ? 0 : this.#shared.reachBytes
    return result
  }

  inflateAsync(message: Uint8Array, maxBytes: number, history: Uint8Array, done: InflateDone): Cancel {
    const inflation = new PoolInflation(message, maxBytes, history, done)
    return () => {
      inflation.cancel()
    }
  }

  createInflater(windowBits: number): Inflater {
    return new HandleInflater(windowBits)
  }

  createDeflater(parameters: DeflateParameters): Deflater {
    return new HandleDeflater(parameters)
  }

  deflateAsync(
    message: Uint8Array,
    parameters: DeflateParameters,
    done: (result: Uint8Array | null) => void,
  ): Cancel {
    return deflateOnPool(message, parameters, done)
  }
}
