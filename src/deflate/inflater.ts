/**
 * Decompression over node:zlib (RFC 7692 section 7.2.2). Where the native handle of a stream may be used, streams are kept
 * and run at once; else documented calls make a stream for each message. The thread pool has documented streams either way.
 */
import { randomBytes } from 'node:crypto'
import { constants, createInflateRaw, inflateRawSync } from 'node:zlib'
import type { InflateRaw } from 'node:zlib'
import { LimitError, ProtocolError } from '../errors.js'
import { ZlibHandle } from '../native/zlib-handle.js'
import type { DecodeResult } from '../extension/message-codec.js'
import { NO_HISTORY, primeHandle, readWindow } from './inflate-window.js'

const { Z_SYNC_FLUSH, Z_FINISH, Z_BLOCK } = constants

/** What a sender takes off the end of a message (RFC 7692 section 7.2.1): the lengths of an empty stored block. */
const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff)
/** An empty stored block, the last one (RFC 1951 section 3.2.4): by it zlib tells whether all before it was whole. */
export const FINAL_BLOCK = Uint8Array.of(0x01, 0x00, 0x00, 0xff, 0xff)
/** The tail put back (RFC 7692 section 7.2.2), and a final block. */
export const TAIL_AND_FINAL_BLOCK = Uint8Array.of(...TAIL, ...FINAL_BLOCK)
/** The tail put back, and one byte that is left unread when zlib stops at the end of a block. */
const TAIL_AND_PROBE = Uint8Array.of(...TAIL, 0x00)

/** A window of 32 KiB inflates what any smaller one was agreed for. */
export const LARGEST_WINDOW_BITS = 15

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
export const STREAM_CHUNK_BYTES = 64 * 1024
const MAX_OUTPUT_BYTES = 0x7fffffff
/** Up to this limit the documented calls tell an error after the limit from one before it: it is a buffer of this size. */
const MAX_CHECKED_BYTES = 16 * 1024 * 1024

/**
 * What a decompressor holds, in bytes: the window, and 14 KiB for the rest of its state, the stream object and the
 * allocator (Node 20, x86-64, 2026-11: 13.5 KiB resident before the window fills).
 */
export function inflaterBytes(windowBits: number): number {
  return (1 << windowBits) + 14 * 1024
}

/** @param detail zlib's words, or ours */
export function invalidDeflate(detail: string): ProtocolError {
  return new ProtocolError('HAWSER_INVALID_DEFLATE', detail)
}

/** The message breaks off inside a block, or has no block after a final one. */
export function brokenOff(): ProtocolError {
  return invalidDeflate('it breaks off')
}

function tooManyFinalBlocks(): ProtocolError {
  return invalidDeflate(`more than ${String(MAX_FINAL_BLOCKS)} final blocks`)
}

/** The work stops at the first byte too many, so that is how many there were. */
function messageTooBig(maxBytes: number): LimitError {
  return new LimitError('HAWSER_MESSAGE_TOO_BIG', maxBytes, maxBytes + 1)
}

/**
 * How a message is ended: the bytes after it, how zlib is to read them, and how many of them must be left. The empty block of
 * which the tail is the end may have BFINAL set, since RFC 7692 section 7.2.1 allows it: zlib stops after that block.
 */
interface Ending {
  readonly tail: Uint8Array
  readonly flush: number
  readonly left: number
  readonly leftAfterFinal: number
}

/** Nothing follows the message: zlib itself checks that the blocks are whole. */
const FINISH: Ending = {
  tail: TAIL_AND_FINAL_BLOCK,
  flush: Z_FINISH,
  left: 0,
  leftAfterFinal: FINAL_BLOCK.length,
}

/**
 * The context goes on: zlib stops at the end of the tail's block, before the probe. Were the message broken off,
 * the tail would be read as something else, and the probe with it, or there would be output.
 */
const GO_ON: Ending = { tail: TAIL_AND_PROBE, flush: Z_BLOCK, left: 1, leftAfterFinal: 1 }

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
      if (total !== totalBeforeTail) return brokenOff()
      if (handle.inputLeft !== ending.left) {
        if (handle.inputLeft !== ending.leftAfterFinal) return brokenOff()
        handle.outputBytes = 0
      }
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
export class Inflation {
  /** How many of the last bytes, of history and output together, the next message may refer to. */
  reachBytes: number
  total = 0
  readonly maxBytes: number
  readonly #chunks: Buffer[] = []
  #finalBlocks = 0

  constructor(maxBytes: number, history: Uint8Array) {
    this.maxBytes = maxBytes
    this.reachBytes = history.length
  }

  add(chunk: Buffer): LimitError | null {
    this.total += chunk.length
    this.reachBytes += chunk.length
    if (this.total > this.maxBytes) return messageTooBig(this.maxBytes)
    this.#chunks.push(chunk)
    return null
  }

  /** A final block ended the stream, and input is left for another, which knows nothing of what was before. */
  startAnew(): ProtocolError | null {
    this.reachBytes = 0
    return ++this.#finalBlocks > MAX_FINAL_BLOCKS ? tooManyFinalBlocks() : null
  }

  /** @param endsInFinalBlock whether the block of the tail ended the stream: the next message may refer to nothing */
  finish(endsInFinalBlock: boolean): Buffer {
    if (endsInFinalBlock) this.reachBytes = 0
    return Buffer.concat(this.#chunks, this.total)
  }
}

/** Bytes that no peer knows: no message can make zlib produce them. */
const MARK = randomBytes(8)
/** RFC 1951 section 3.2.4: the lengths of a stored block that holds the mark. The header bits are the end of the message. */
const MARK_HEADER = Uint8Array.of(MARK.length, 0x00, MARK.length ^ 0xff, 0xff)
/** Takes the place of the tail. The output ends in the mark only if zlib reads these as blocks: if the message is whole. */
const MARK_AND_FINAL_BLOCK = Buffer.concat([MARK_HEADER, MARK, FINAL_BLOCK])

/** Whether the bytes before `at` are these. */
function endsIn(bytes: Uint8Array, at: number, end: Uint8Array): boolean {
  const start = at - end.length
  if (start < 0) return false
  for (let i = 0; i < end.length; i++) if (bytes[start + i] !== end[i]) return false
  return true
}

/** What node:zlib gives with `info`: the output, and the stream, which knows how much it read. */
interface InflatedWithInfo {
  readonly buffer: Buffer
  readonly engine: InflateRaw
}

/** One documented call, up to the end of the input or of a final block. Throws what zlib does not take. */
function callInflate(
  input: Uint8Array,
  dictionary: Uint8Array,
  maxOutputLength: number,
  finishFlush: number,
  chunkSize = STREAM_CHUNK_BYTES,
): InflatedWithInfo {
  return inflateRawSync(input, {
    info: true,
    finishFlush,
    windowBits: LARGEST_WINDOW_BITS,
    maxOutputLength: Math.min(maxOutputLength, MAX_OUTPUT_BYTES),
    chunkSize,
    ...(dictionary.length > 0 && { dictionary }),
  }) as unknown as InflatedWithInfo
}

/**
 * Inflates a message by documented calls. One call gives the output of message and ending together; the mark divides them.
 */
function inflateByCalls(message: Uint8Array, history: Uint8Array, inflation: Inflation): DecodeResult {
  const input = Buffer.concat([message, MARK_AND_FINAL_BLOCK])
  let dictionary = history
  let start = 0
  try {
    for (;;) {
      const room = inflation.maxBytes - inflation.total + MARK.length
      const { buffer, engine } = callInflate(input.subarray(start), dictionary, room, Z_FINISH)
      const end = start + engine.bytesWritten
      const left = input.length - end
      const length = buffer.length - MARK.length
      // A stored block that lacks as many bytes as that of the mark has takes them as its own, lengths and mark.
      const isWhole =
        (left === 0 || left === FINAL_BLOCK.length) &&
        endsIn(buffer, buffer.length, MARK) &&
        (!endsIn(buffer, length, MARK_HEADER) ||
          callInflate(message.subarray(start), dictionary, room, Z_SYNC_FLUSH).buffer.length === length)
      if (isWhole) return inflation.add(buffer.subarray(0, length)) ?? inflation.finish(left > 0)
      const error = inflation.add(buffer) ?? (end < message.length ? inflation.startAnew() : brokenOff())
      if (error !== null) return error
      dictionary = NO_HISTORY
      start = end
    }
  } catch (thrown) {
    const result = toResult(thrown, inflation.maxBytes)
    if (result instanceof LimitError) return result
    return exceedsFirst(input.subarray(start), dictionary, inflation)
      ? messageTooBig(inflation.maxBytes)
      : result
  }
}

/**
 * Whether a message that zlib does not take passes the limit before its error. The call that failed tells only the error,
 * where both lie in one chunk: here one chunk is all that is allowed and a byte more, as it is with a handle.
 */
function exceedsFirst(input: Uint8Array, dictionary: Uint8Array, { maxBytes, total }: Inflation): boolean {
  const room = maxBytes - total
  if (room >= MAX_CHECKED_BYTES) return false
  try {
    callInflate(input, dictionary, Math.max(room, 1), Z_SYNC_FLUSH, Math.max(room + 1, UNUSED_CHUNK_BYTES))
  } catch (thrown) {
    return (thrown as { readonly code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE'
  }
  return false
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
      const inflation = new Inflation(maxBytes, history)
      const result = inflateByCalls(message, history, inflation)
      this.reachBytes = result instanceof Error ? 0 : inflation.reachBytes
      return result
    }
    this.#inflater.prime(history)
    const result = this.#inflater.inflateLast(message, maxBytes)
    this.reachBytes = result instanceof Error ? 0 : this.#inflater.reachBytes
    return result
  }
}
