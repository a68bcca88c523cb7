/** Compression on the thread pool, by the documented calls alone: each message by itself. */
import { constants, deflateRaw } from 'node:zlib'
import { TAIL_BYTES } from './engine.js'
import type { Cancel, DeflateParameters } from './engine.js'

/** A trip to the thread pool for each. */
const POOL_CHUNK_BYTES = 64 * 1024

/**
 * How much a compressed message may be, its tail included, and still be worth sending: less than the message. An
 * empty message becomes one byte (RFC 7692 section 7.2.3.6).
 */
export function mostWorthSending(byteLength: number): number {
  return Math.max(byteLength - 1, 1) + TAIL_BYTES
}

/** See `ZlibEngine.deflateAsync`. The message is only read, until `done`. */
export function deflateOnPool(
  message: Uint8Array,
  parameters: DeflateParameters,
  done: (result: Uint8Array | null) => void,
): Cancel {
  const options = {
    ...parameters,
    finishFlush: constants.Z_SYNC_FLUSH,
    chunkSize: POOL_CHUNK_BYTES,
    maxOutputLength: mostWorthSending(message.length),
  }
  deflateRaw(message, options, (error, result) => {
    // The only error there can be is that of maxOutputLength.
    done(error === null ? result.subarray(0, result.length - TAIL_BYTES) : null)
  })
  return cannotEndEarly
}

/** node:zlib gives no hold on what it compresses with one call. */
function cannotEndEarly(): void {
  // It ends by itself.
}
