/**
 * Decompression for a connection whose peer keeps its context from message to message (RFC 7692 section 7.2.2). The
 * last bytes received are all that such a context is. A busy connection is lent a decompressor that has them in its
 * window; any other keeps a copy of them, and nothing as long as it has received no compressed message.
 */
import type { InflateResult } from './codec.js'
import { Borrower, type ContextPool } from './context-pool.js'
import { NO_HISTORY } from './engine.js'
import type { Inflater, ZlibEngine } from './engine.js'

/** What the connections of one server or client have in common, for what they receive. */
export interface SharedInflation {
  readonly engine: ZlibEngine
  /** Decompressors to lend; null: none. */
  readonly pool: ContextPool<Inflater> | null
  /** What all connections keep in copies, in bytes. */
  historyBytes: number
}

/** The context of what one peer sends. */
export class PeerContext extends Borrower<Inflater> {
  readonly #shared: SharedInflation
  #history: Buffer = NO_HISTORY

  /** @param windowBits what the peer's compressor keeps to, 8 to 15 */
  constructor(shared: SharedInflation, windowBits: number) {
    super(windowBits)
    this.#shared = shared
  }

  inflate(message: Uint8Array, maxBytes: number): InflateResult {
    const { engine, pool } = this.#shared
    if (pool?.touch(this) === true && this.lent !== null) return this.lent.inflate(message, maxBytes)
    const result = engine.inflate(message, maxBytes, this.#history)
    this.remember(result, engine.reachBytes)
    return result
  }

  /**
   * For a message that goes to the thread pool: what its inflation is to know. What was lent goes back. The history
   * must not be changed until {@link remember} tells how the message ended.
   */
  takeHistory(): Buffer {
    const { lent } = this
    if (lent !== null) {
      this.giveUp(lent)
      this.#release()
    }
    return this.#history
  }

  /** The connection is over. */
  close(): void {
    this.#keep(NO_HISTORY)
    this.#release()
  }

  receive(inflater: Inflater): void {
    inflater.prime(this.#history)
    this.#keep(NO_HISTORY)
  }

  giveUp(inflater: Inflater): void {
    this.#keep(inflater.readHistory(1 << this.windowBits))
  }

  /**
   * After a message that went through no decompressor of its own.
   * @param reachBytes how many of the last bytes, of history and message together, the next message may refer to
   */
  remember(result: InflateResult, reachBytes: number): void {
    const length = Math.min(reachBytes, 1 << this.windowBits)
    if (result instanceof Error || length === 0) {
      this.#keep(NO_HISTORY)
      return
    }
    const history = this.#history
    const fromMessage = Math.min(length, result.length)
    const fromHistory = length - fromMessage
    const kept = length === history.length ? history : Buffer.allocUnsafeSlow(length)
    kept.set(history.subarray(history.length - fromHistory), 0)
    kept.set(result.subarray(result.length - fromMessage), fromHistory)
    this.#keep(kept)
  }

  #release(): void {
    this.#shared.pool?.release(this)
  }

  #keep(history: Buffer): void {
    this.#shared.historyBytes += history.length - this.#history.length
    this.#history = history
  }
}
