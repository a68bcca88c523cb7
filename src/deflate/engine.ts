/**
 * What a codec needs of zlib, so that it can be had in two ways: by kept handles (fast, undocumented) or by the
 * documented calls alone. Types, the bytes around a message, and the errors both give.
 */
import { LimitError, ProtocolError } from '../errors.js'
import type { InflateResult } from './codec.js'

/** The shape of a compressor. */
export interface DeflateParameters {
  /** 9 to 15: a window of 8 is served by 9, whose distances reach 250 bytes back, see `compressorBits`. */
  readonly windowBits: number
  readonly level: number
  readonly memLevel: number
}

/** A compressor and the context of the messages that went through it. */
export interface Deflater {
  /**
   * Compresses a message that is not empty.
   * @param keepContext false: the message stands by itself, all earlier ones are forgotten
   * @returns as `MessageCodec.deflate`; after null all messages are forgotten, since the peer does not get this one
   */
  deflate(message: Uint8Array, keepContext: boolean): Uint8Array | null
  /** Forgets all messages so far, at the next call. */
  dropContext(): void
  close(): void
}

/**
 * Asks a job to end early. Its `done` is called all the same, once, when the work has really ended: until then it
 * holds a thread and memory. What `done` gets then is of no use. Idempotent.
 */
export type Cancel = () => void

/** What the end of an inflation gives beside the message. */
export type InflateDone = (result: InflateResult, reachBytes: number) => void

/** A decompressor that keeps the context of one connection at a time. */
export interface Inflater {
  /** By the context of the messages before it. After an error the context is empty. */
  inflate(message: Uint8Array, maxBytes: number): InflateResult
  /** Forgets everything, and then knows these bytes as if it had inflated them; at most one window. Only read. */
  prime(history: Uint8Array): void
  /**
   * A copy of the last bytes inflated: what the next message may refer to. `prime` must be called after this.
   * @param maxBytes the most that are wanted
   */
  readHistory(maxBytes: number): Buffer
  close(): void
}

/** Makes what keeps the context of one connection at a time. */
export interface Lender {
  createDeflater(parameters: DeflateParameters): Deflater
  createInflater(windowBits: number): Inflater
}

/** One way of using zlib. */
export interface ZlibEngine {
  /** null: to keep a context costs more than it saves, and none is lent. */
  readonly lender: Lender | null
  /**
   * How many of the last bytes, of the history and the message together, the message after the one that `inflate`
   * gave last may refer to: 0 after an error.
   */
  readonly reachBytes: number
  /**
   * Decompresses a message of any connection, at once.
   * @param history the bytes inflated before it, at most 32 KiB; none where the peer keeps no context. Only read
   */
  inflate(message: Uint8Array, maxBytes: number, history: Uint8Array): InflateResult
  /**
   * As `inflate`, on the thread pool.
   * @param done called later, once, with bytes that are its own, and with what `reachBytes` would say
   */
  inflateAsync(message: Uint8Array, maxBytes: number, history: Uint8Array, done: InflateDone): Cancel
  /** A compressor that takes messages of all connections, each by itself. */
  createDeflater(parameters: DeflateParameters): Deflater
  /**
   * Compresses a message by itself, on the thread pool.
   * @param done called later, once, with bytes that are its own; null: it does not shrink
   */
  deflateAsync(
    message: Uint8Array,
    parameters: DeflateParameters,
    done: (result: Uint8Array | null) => void,
  ): Cancel
}

/** No bytes at all: the history of a connection that has none. */
export const NO_HISTORY = Buffer.alloc(0)

/** The bytes that end a flush, which are not sent (RFC 7692 section 7.2.1). */
export const TAIL_BYTES = 4

/** The tail put back, and an empty final block behind it: zlib then says whether the message was whole. */
export const TAIL_AND_FINAL_BLOCK = Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff)

/** The tail put back, and one byte that must be left unread when zlib stops at the end of a block. */
export const TAIL_AND_PROBE = Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x00)

/**
 * RFC 7692 section 7.2.1 allows blocks with BFINAL set, any number of them in a message. Each makes zlib start
 * anew, which costs a hundred times what its two bytes do otherwise. No sender that flushes in this way makes
 * more than a block for each fragment or buffer.
 */
export const MAX_FINAL_BLOCKS = 1024

/** @param detail zlib's words, or ours */
export function invalidDeflate(detail: string): ProtocolError {
  return new ProtocolError('HAWSER_INVALID_DEFLATE', detail)
}

/** The message breaks off inside a block, or has no block after a final one. */
export function brokenOff(): ProtocolError {
  return invalidDeflate('it breaks off')
}

/** See {@link MAX_FINAL_BLOCKS}. */
export function tooManyFinalBlocks(): ProtocolError {
  return invalidDeflate(`more than ${String(MAX_FINAL_BLOCKS)} final blocks`)
}

/** The work stops at the first byte too many, so that is how many there were. */
export function messageTooBig(maxBytes: number): LimitError {
  return new LimitError('HAWSER_MESSAGE_TOO_BIG', maxBytes, maxBytes + 1)
}

/**
 * The window to run zlib with, for a compressor that must not look back further than 2^n bytes. zlib has no raw
 * deflate with a window of 256 bytes; in one of 512 its distances stay below 512 - 262 (MAX_DIST in deflate.h:
 * the window less its lookahead), and so fit.
 */
export function compressorBits(maxWindowBits: number): number {
  return Math.max(9, maxWindowBits)
}

/**
 * What a compressor holds, in bytes: the window and its links (4 << windowBits), the hash table (2 << (memLevel
 * + 7), in Node's zlib never below 64 KiB), the pending output (4 << (memLevel + 6)), and 20 KiB for the rest of
 * its state, the stream object and the allocator. Resident memory for a handle stayed below this in all shapes
 * measured (Node 20 and 26, x86-64, 2026-11): 222 KiB where this says 276.
 */
export function contextBytes({ windowBits, memLevel }: DeflateParameters): number {
  return (1 << (windowBits + 2)) + Math.max(1 << 16, 1 << (memLevel + 8)) + (1 << (memLevel + 8)) + 20 * 1024
}

/**
 * What a decompressor holds, in bytes: the window, and 14 KiB for the rest of its state, the stream object and the
 * allocator (Node 20, x86-64, 2026-11: 13.5 KiB resident before the window fills).
 */
export function inflaterBytes(windowBits: number): number {
  return (1 << windowBits) + 14 * 1024
}
