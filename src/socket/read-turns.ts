import { monotonicNow } from '../transport/timer-wheel.js'

/**
 * From this size on a chunk of input counts: it can be thousands of frames. A read of a plain socket takes up to 260 KiB, and one of a
 * stream 64 KiB. A record of TLS has 16 KiB and does not count: to stop a stream for each took a tenth of the processor time of echoes
 * of 64 KiB (Node 20, 2026-11).
 */
export const LARGE_CHUNK_BYTES = 32 * 1024
/** So much input in large chunks is not measured. */
export const UNMEASURED_BYTES = 256 * 1024
/** From there on large chunks may take the event loop for this long; and for as long when connections that wait are read on. */
export const MAX_TURN_MS = 5
/** At most so many connections that wait are read on in one turn of the event loop. */
export const MAX_READS = 4

/** A connection that waits to be read on. */
export interface Reading {
  readOn(): void
}

/**
 * Spreads much input that arrives at once over several turns of the event loop, so that a flood over hundreds of connections does not
 * keep all others waiting. A connection waits behind a chunk that was handled, in the order in which they come, and is not read
 * meanwhile. One that is over by then does nothing.
 */
export class ReadTurns {
  private readonly waiting = new Set<Reading>()
  private isTurnComing = false
  /** Input in large chunks since the last turn here, up to {@link UNMEASURED_BYTES}. That may be several turns of the event loop ago. */
  private bytes = 0
  /** When it reached them. */
  private measuredFrom = 0
  private readonly now: () => number

  /** @param now the time in milliseconds, which never goes back */
  constructor(now = monotonicNow) {
    this.now = now
  }

  /** How many connections wait. */
  get count(): number {
    return this.waiting.size
  }

  /** The connection is read on in a later turn. Once for all calls until then. */
  add(connection: Reading): void {
    this.waiting.add(connection)
    this.expectTurn()
  }

  /**
   * A large chunk was handled.
   * @param receivedAt when it was received
   * @returns whether the time of this turn of the event loop was over by then: the connection is read on in a later one
   */
  isOver(connection: Reading, length: number, receivedAt: number): boolean {
    if (this.bytes < UNMEASURED_BYTES) {
      this.bytes += length
      if (this.bytes < UNMEASURED_BYTES) return false
      this.measuredFrom = receivedAt
      this.expectTurn()
    }
    if (receivedAt - this.measuredFrom < MAX_TURN_MS) return false
    this.waiting.add(connection)
    return true
  }

  private expectTurn(): void {
    if (this.isTurnComing) return
    this.isTurnComing = true
    setImmediate(this.nextTurn)
  }

  private readonly nextTurn = (): void => {
    this.isTurnComing = false
    this.bytes = 0
    if (this.waiting.size === 0) return
    const until = this.now() + MAX_TURN_MS
    let reads = 0
    try {
      for (const connection of this.waiting) {
        this.waiting.delete(connection)
        connection.readOn()
        if (++reads === MAX_READS || this.now() >= until) break
      }
    } finally {
      if (this.waiting.size > 0) this.expectTurn()
    }
  }
}

/** Those of the process. */
export const readTurns = new ReadTurns()
