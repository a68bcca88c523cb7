/**
 * Decompression over node:zlib (RFC 7692 section 7.2.2). Where the native handle of a stream may be used, streams are kept
 * and run at once; else documented calls make a stream for each message. The thread pool has documented streams either way.
 */
import { constants, createInflateRaw, inflateRawSync } from 'node:zlib'
import type { InflateRaw } from 'node:zlib'
import { LimitError, ProtocolError } from '../errors.js'
import { ZlibHandle } from '../native/zlib-handle.js'
import type { DecodeResult } from '../extension/message-codec.js'
import { JOBS } from './jobs.js'
import { NO_HISTORY, primeHandle, readWindow } from './window.js'

const { Z_SYNC_FLUSH, Z_FINISH, Z_BLOCK } = constants

/**
 * The tail 00 00 ff ff put back (RFC 7692 section 7.2.2), and an empty final block after it: zlib then tells whether the
 * message was whole.
 */
const TAIL_AND_FINAL_BLOCK = Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff)
/** The same, and one byte that is left unread when the final block ended the stream. */
const TAIL_FINAL_BLOCK_AND_PROBE = Uint8Array.of(...TAIL_AND_FINAL_BLOCK, 0x00)
/** The tail put back, and one byte that is left unread when zlib stops at the end of a block. */
const TAIL_AND_PROBE = Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x00)

/** A window of 32 KiB inflates what any smaller one was agreed for. */
const LARGEST_WINDOW_BITS = 15

/**
 * RFC 7692 section 7.2.1 allows blocks with BFINAL set, any number of them in a message. Each makes zlib start
 * anew, which costs a hundred times what its two bytes do otherwise. No sender that flushes in this way makes
 * more than a block for each fragment or buffer.
 */
const MAX_FINAL_BLOCKS = 1024

const SCRATCH_BYTES = 64 * 1024
/** Results of at most 64 KiB are views of this. */
const SCRATCH = Buffer.alloc(SCRATCH_BYTES)
const MAX_CHUNK_BYTES = 1024 * 1024

/** The smallest that node:zlib takes: the native handle does not use the buffer of its stream. */
const UNUSED_CHUNK_BYTES = 64
/** What one trip to the thread pool gives at most, and one step of the documented call. */
const STREAM_CHUNK_BYTES = 64 * 1024
const MAX_OUTPUT_BYTES = 0x7fffffff

/**
 * What a decompressor holds, in bytes: the window, and 14 KiB for the rest of its state, the stream object and the
 * allocator (Node 20, x86-64, 2026-11: 13.5 KiB resident before the window fills).
 */
export function inflaterBytes(windowBits: number): number {
  return (1 << windowBits) + 14 * 1024
}

/** @param detail zlib's words, or ours */
function invalidDeflate(detail: string): ProtocolError {
  return new ProtocolError('HAWSER_INVALID_DEFLATE', detail)
}

/** The message breaks off inside a block, or has no block after a final one. */
function brokenOff(): ProtocolError {
  return invalidDeflate('it breaks off')
}

function tooManyFinalBlocks(): ProtocolError {
  return invalidDeflate(`more than ${String(MAX_FINAL_BLOCKS)} final blocks`)
}

/** The work stops at the first byte too many, so that is how many there were. */
function messageTooBig(maxBytes: number): LimitError {
  return new LimitError('HAWSER_MESSAGE_TOO_BIG', maxBytes, maxBytes + 1)
}

/** How a message is ended: the bytes after it, how zlib is to read them, and how many of them must be left. */
interface Ending {
  readonly tail: Uint8Array
  readonly flush: number
  readonly left: number
}

/** Nothing follows the message: zlib itself checks that the blocks are whole. */
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
): DecodeResult {
  let input = message
  let flush = Z_SYNC_FLUSH
  let offset = 0
  let chunk = SCRATCH
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
      if (chunks === null) return SCRATCH.subarray(0, total)
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

/** A decompressor on a native handle. It keeps the context of one connection at a time. */
export class Inflater {
  readonly #handle: ZlibHandle<InflateRaw>

  constructor(windowBits: number) {
    this.#handle = new ZlibHandle(createInflateRaw({ windowBits, chunkSize: UNUSED_CHUNK_BYTES }))
  }

  /** How many of the last bytes, inflated or primed, the next message may refer to. */
  get reachBytes(): number {
    return this.#handle.outputBytes
  }

  /** Inflates a message by the context of those before it. After an error the context is empty. */
  inflate(message: Uint8Array, maxBytes: number): DecodeResult {
    const result = inflateThrough(this.#handle, message, maxBytes, GO_ON)
    if (result instanceof Error) this.#handle.reset()
    return result
  }

  /** Inflates a message that no other follows: `prime` must be called before the next. */
  inflateLast(message: Uint8Array, maxBytes: number): DecodeResult {
    return inflateThrough(this.#handle, message, maxBytes, FINISH)
  }

  /** Forgets everything, and then knows these bytes as if it had inflated them; at most one window. Only read. */
  prime(history: Uint8Array): void {
    primeHandle(this.#handle, history, SCRATCH)
  }

  /**
   * A copy of the last bytes inflated: what the next message may refer to. `prime` must be called after this.
   * @param maxBytes the most that are wanted
   */
  readHistory(maxBytes: number): Buffer {
    return readWindow(this.#handle, maxBytes, SCRATCH)
  }

  close(): void {
    this.#handle.close()
  }
}

/** The output of a message on its way through one stream after another: each final block ends one. */
class Inflation {
  /** How many of the last bytes, of history and output together, the next message may refer to. */
  reachBytes: number
  total = 0
  readonly #maxBytes: number
  readonly #chunks: Buffer[] = []
  #finalBlocks = 0

  constructor(maxBytes: number, history: Uint8Array) {
    this.#maxBytes = maxBytes
    this.reachBytes = history.length
  }

  add(chunk: Buffer): LimitError | null {
    this.total += chunk.length
    this.reachBytes += chunk.length
    if (this.total > this.#maxBytes) return messageTooBig(this.#maxBytes)
    this.#chunks.push(chunk)
    return null
  }

  /** A final block ended the stream, and input is left for another, which knows nothing of what was before. */
  startAnew(): ProtocolError | null {
    this.reachBytes = 0
    return ++this.#finalBlocks > MAX_FINAL_BLOCKS ? tooManyFinalBlocks() : null
  }

  finish(): Buffer {
    return Buffer.concat(this.#chunks, this.total)
  }
}

/** What node:zlib gives with `info`: the output, and the stream, which knows how much it read. */
interface InflatedWithInfo {
  readonly buffer: Buffer
  readonly engine: InflateRaw
}

/**
 * Inflates a message by documented calls. One that breaks off exactly four bytes before the end of a stored block is taken
 * to end in the bytes of the tail; the other two ways see the difference.
 */
function inflateByCalls(
  message: Uint8Array,
  maxBytes: number,
  history: Uint8Array,
): { result: DecodeResult; reachBytes: number } {
  const inflation = new Inflation(maxBytes, history)
  const input = Buffer.concat([message, TAIL_AND_FINAL_BLOCK])
  let dictionary = history
  let offset = 0
  let error: ProtocolError | null = null
  while (error === null) {
    try {
      const { buffer, engine } = inflateRawSync(input.subarray(offset), {
        info: true,
        windowBits: LARGEST_WINDOW_BITS,
        // Never 0, which node:zlib does not take.
        maxOutputLength: Math.min(Math.max(maxBytes - inflation.total, 1), MAX_OUTPUT_BYTES),
        chunkSize: STREAM_CHUNK_BYTES,
        ...(dictionary.length > 0 && { dictionary }),
      }) as unknown as InflatedWithInfo
      offset += engine.bytesWritten
      error = inflation.add(buffer)
    } catch (thrown) {
      error = toResult(thrown, maxBytes)
    }
    if (error !== null) break
    if (offset === input.length) return { result: inflation.finish(), reachBytes: inflation.reachBytes }
    error = offset >= message.length ? brokenOff() : inflation.startAnew()
    dictionary = NO_HISTORY
  }
  return { result: error, reachBytes: 0 }
}

function toResult(thrown: unknown, maxBytes: number): ProtocolError {
  const { code, message } = thrown as { readonly code?: unknown; readonly message: string }
  return code === 'ERR_BUFFER_TOO_LARGE' ? messageTooBig(maxBytes) : invalidDeflate(message)
}

/** Inflates messages of all connections that have no decompressor of their own. */
export class SharedInflater {
  /**
   * How many of the last bytes, of the history and the message together, the message after the one inflated last may refer
   * to: 0 after an error.
   */
  reachBytes = 0
  readonly #inflater: Inflater | null

  /** @param usesHandle whether to keep a stream and run its native handle */
  constructor(usesHandle: boolean) {
    this.#inflater = usesHandle ? new Inflater(LARGEST_WINDOW_BITS) : null
  }

  /** @param history the bytes inflated before it, at most 32 KiB; none where the peer keeps no context. Only read */
  inflate(message: Uint8Array, maxBytes: number, history: Uint8Array): DecodeResult {
    if (this.#inflater === null) {
      const { result, reachBytes } = inflateByCalls(message, maxBytes, history)
      this.reachBytes = reachBytes
      return result
    }
    this.#inflater.prime(history)
    const result = this.#inflater.inflateLast(message, maxBytes)
    this.reachBytes = result instanceof Error ? 0 : this.#inflater.reachBytes
    return result
  }
}

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
    const expected = stream.bytesWritten + TAIL_AND_FINAL_BLOCK.length
    stream.write(TAIL_FINAL_BLOCK_AND_PROBE, () => {
      const isWhole = stream.bytesWritten === expected && inflation.total === total
      this.#finish(isWhole ? inflation.finish() : brokenOff())
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
  let isCancelled = false
  const cancel = JOBS.add((finished) => {
    const job = new InflateJob(message, maxBytes, history, (result, reachBytes) => {
      finished()
      if (!isCancelled) done(result, reachBytes)
    })
    return () => {
      job.cancel()
    }
  })
  return () => {
    isCancelled = true
    cancel()
  }
}
