import { monotonicNow } from '../transport/timer-wheel.js'

/**
 * From this size on a chunk of input counts: a record of TLS, or more; a read of a plain socket takes up to 64 KiB. It can be thousands
 * of frames. What is smaller is handled as it comes.
 */
export const LARGE_CHUNK_BYTES = 16 * 1024
/** So much input in large chunks is handled as it comes, and the time is measured from there on. */
export const UNMEASURED_BYTES = 256 * 1024
/** Large chunks may then take the event loop for this long when they come, and for as long when those that wait have their turn. */
export const MAX_TURN_MS = 5
/** At most so many connections that wait have their turn together: each of them is then read, up to 64 KiB. */
export const MAX_READS = 16

/** A connection that waits for its turn. */
export interface Reading {
  readOn(): void
}

/**
 * Spreads much input that arrives at once over several turns of the event loop, so that a flood over hundreds of connections does not
 * keep all others waiting. Connections wait in their order, and are not read meanwhile. One that is over by then does nothing.
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

  /** The connection has its turn in a later turn of the event loop. Once for all calls until then. */
  add(connection: Reading): void {
    this.waiting.add(connection)
    this.expectTurn()
  }

  /** A large chunk was received. @returns whether it has to wait: the time of this turn of the event loop is over */
  isOver(length: number, now: number): boolean {
    if (this.bytes >= UNMEASURED_BYTES) return now - this.measuredFrom >= MAX_TURN_MS
    this.bytes += length
    if (this.bytes >= UNMEASURED_BYTES) {
      this.measuredFrom = now
      this.expectTurn()
    }
    return false
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
