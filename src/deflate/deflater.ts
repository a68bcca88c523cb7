/**
 * Compression over node:zlib (RFC 7692 section 7.2.1). Where the native handle of a stream may be used, one stream is kept
 * and run at once, and its context with it; else a documented call makes a stream for each message.
 */
import { constants, createDeflateRaw, deflateRaw, deflateRawSync } from 'node:zlib'
import { ZlibHandle } from '../native/zlib-handle.js'
import type { SharedEncoder } from '../extension/message-codec.js'
import { JOBS } from './jobs.js'

const { Z_SYNC_FLUSH } = constants

/** The shape of a compressor. */
export interface DeflateParameters {
  /** 9 to 15: see {@link compressorBits}. */
  readonly windowBits: number
  readonly level: number
  readonly memLevel: number
}

/** The bytes 00 00 ff ff that end a flush and are not sent (RFC 7692 section 7.2.1). */
const TAIL_BYTES = 4

const SCRATCH_BYTES = 64 * 1024
/** Results of at most 64 KiB are views of this. */
const SCRATCH = Buffer.alloc(SCRATCH_BYTES + TAIL_BYTES)

/** The smallest that node:zlib takes: the native handle does not use the buffer of its stream. */
const UNUSED_CHUNK_BYTES = 64
const MAX_CHUNK_BYTES = 64 * 1024

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
 * The most that a compressed message may have, its tail included, to be worth sending: less than the message. An empty
 * message becomes one byte (RFC 7692 section 7.2.3.6).
 */
function mostWorthSending(byteLength: number): number {
  return Math.max(byteLength - 1, 1) + TAIL_BYTES
}

/** A compressor and, where it has a handle, the context of the messages that went through it. */
export class Deflater {
  readonly #parameters: DeflateParameters
  readonly #handle: ZlibHandle | null
  #isStale = false

  /** @param usesHandle whether to keep a stream and run its native handle */
  constructor(parameters: DeflateParameters, usesHandle: boolean) {
    this.#parameters = parameters
    this.#handle = usesHandle
      ? new ZlibHandle(createDeflateRaw({ ...parameters, chunkSize: UNUSED_CHUNK_BYTES }))
      : null
  }

  /**
   * Compresses a message that is not empty.
   * @param keepContext false: the message stands by itself, and all earlier ones are forgotten. Without a handle each
   *   message does, which a sender always may (RFC 7692 section 7.1.1)
   * @returns the payload without its tail; null: it does not shrink, and all messages are forgotten, since the peer does
   *   not get this one
   */
  deflate(message: Uint8Array, keepContext: boolean): Uint8Array | null {
    if (this.#handle === null) return deflateByCall(message, this.#parameters)
    if (!keepContext || this.#isStale) this.#handle.reset()
    const payload = deflateThrough(this.#handle, message)
    this.#isStale = payload === null
    return payload
  }

  /** Forgets all messages so far, at the next call. */
  dropContext(): void {
    this.#isStale = true
  }

  close(): void {
    this.#handle?.close()
  }
}

function deflateThrough(handle: ZlibHandle, message: Uint8Array): Uint8Array | null {
  // One byte more than a result that shrinks has, its tail included: where that is left, the flush is complete.
  const most = message.length + TAIL_BYTES
  let offset = 0
  let total = 0
  let chunks: Buffer[] | null = null
  for (;;) {
    const room = Math.min(SCRATCH.length, most - total)
    handle.write(Z_SYNC_FLUSH, message, offset, message.length - offset, SCRATCH, 0, room)
    const produced = room - handle.outputLeft
    total += produced
    if (total === most) return null
    if (handle.outputLeft > 0) {
      if (chunks === null) return SCRATCH.subarray(0, total - TAIL_BYTES)
      chunks.push(SCRATCH.subarray(0, produced))
      return Buffer.concat(chunks, total).subarray(0, total - TAIL_BYTES)
    }
    offset = message.length - handle.inputLeft
    chunks ??= []
    chunks.push(Buffer.from(SCRATCH))
  }
}

function deflateByCall(message: Uint8Array, parameters: DeflateParameters): Uint8Array | null {
  try {
    const result = deflateRawSync(message, {
      ...parameters,
      finishFlush: Z_SYNC_FLUSH,
      chunkSize: Math.min(Math.max(message.length, 64), MAX_CHUNK_BYTES),
      maxOutputLength: mostWorthSending(message.length),
    })
    return result.subarray(0, result.length - TAIL_BYTES)
  } catch {
    // The only error there can be is that of maxOutputLength.
    return null
  }
}

/**
 * Compresses a message by itself, on the thread pool, once a place there is free.
 * @param message nobody changes it until `done`
 * @param done called later, at most once, with bytes that are the receiver's; null: it does not shrink
 * @returns cancels: `done` is never called. Work under way cannot be ended, and keeps its place until it ends
 */
export function deflateLater(
  message: Uint8Array,
  parameters: DeflateParameters,
  done: (payload: Uint8Array | null) => void,
): () => void {
  const options = {
    ...parameters,
    finishFlush: Z_SYNC_FLUSH,
    chunkSize: MAX_CHUNK_BYTES,
    maxOutputLength: mostWorthSending(message.length),
  }
  return JOBS.add((finish) => {
    deflateRaw(message, options, (error, result) => {
      // The only error there can be is that of maxOutputLength.
      if (finish()) done(error === null ? result.subarray(0, result.length - TAIL_BYTES) : null)
    })
  })
}

/** From which lengths on messages are compressed, and by the thread pool. */
export interface DeflateThresholds {
  readonly thresholdBytes: number
  readonly asyncThresholdBytes: number
}

/** Compresses messages that stand by themselves, for all connections of the process with the same parameters. */
export class SharedDeflater implements SharedEncoder {
  readonly parameters: DeflateParameters
  readonly #thresholds: DeflateThresholds
  readonly #deflater: Deflater

  constructor(parameters: DeflateParameters, thresholds: DeflateThresholds, deflater: Deflater) {
    this.parameters = parameters
    this.#thresholds = thresholds
    this.#deflater = deflater
  }

  isWorth(byteLength: number): boolean {
    return byteLength >= this.#thresholds.thresholdBytes
  }

  isLarge(byteLength: number): boolean {
    return byteLength > this.#thresholds.asyncThresholdBytes
  }

  encode(message: Uint8Array): Uint8Array | null {
    return this.#deflater.deflate(message, false)
  }

  encodeLater(message: Uint8Array, done: (payload: Uint8Array | null) => void): () => void {
    return deflateLater(message, this.parameters, done)
  }
}

const deflaters = new Map<string, Deflater>()
const sharedDeflaters = new Map<string, SharedDeflater>()

/** @returns the same object for the same arguments: by this, what goes to many is compressed once */
export function sharedDeflater(
  parameters: DeflateParameters,
  thresholds: DeflateThresholds,
  usesHandles: boolean,
): SharedDeflater {
  const { windowBits, level, memLevel } = parameters
  const shape = [windowBits, level, memLevel, usesHandles].join()
  const key = [shape, thresholds.thresholdBytes, thresholds.asyncThresholdBytes].join()
  const known = sharedDeflaters.get(key)
  if (known !== undefined) return known
  // The compressor, which is large, is the same whatever the thresholds.
  let deflater = deflaters.get(shape)
  if (deflater === undefined) deflaters.set(shape, (deflater = new Deflater(parameters, usesHandles)))
  const shared = new SharedDeflater(parameters, thresholds, deflater)
  sharedDeflaters.set(key, shared)
  return shared
}
