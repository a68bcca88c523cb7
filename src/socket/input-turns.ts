import { monotonicNow } from '../transport/timer-wheel.js'
import { shareOf, SlowStart } from './slow-start.js'

/**
 * From this size on a chunk of input counts: it can be thousands of frames. A read of a plain socket takes up to 260 KiB, and one of a
 * stream 64 KiB. A record of TLS has 16 KiB and does not count: to stop a stream for each took a tenth of the processor time of echoes
 * of 64 KiB (Node 20, 2026-11).
 */
export const LARGE_CHUNK_BYTES = 32 * 1024
/** This much input in large chunks is handled before its time is measured. */
export const UNMEASURED_BYTES = 256 * 1024
/** From there on large chunks may take the event loop for this long; and for as long when connections that wait are read on. */
export const MAX_TURN_MS = 5
/** The connections that are read on in one turn had no more than this in their last chunks; one of them is read on in any case. */
export const MAX_TURN_BYTES = 1024 * 1024
/** So many bytes that came with handshakes wait, of all connections together. Above it they are handled with their handshakes. */
export const MAX_EARLY_BYTES = 16 * 1024 * 1024

/** As it was when the module was loaded: a test of the application that replaces it must not keep connections from being read. */
const realSetImmediate = setImmediate

/** When a connection begins: at once; reading waits for its turn; what came with the handshake waits too. */
export type Beginning = 'now' | 'readLater' | 'later'

/** A connection that waits for a later turn of the event loop to be read. */
export interface Waiting {
  takeTurn(): void
}

/**
 * Spreads much input that arrives at once over several turns of the event loop, so that a flood over hundreds of connections keeps
 * the others waiting for less time. A connection waits behind a chunk that was handled, in the order in which they come, and is not read
 * meanwhile. Of many that open together a few begin to be read at once, and then more and more, for each of them may begin with much.
 */
export class InputTurns {
  /** The connections, and the lengths of their last chunks. */
  private readonly waiting = new Map<Waiting, number>()
  /** New connections that were not read yet, and how many bytes that came with their handshakes wait. */
  private readonly beginning = new Map<Waiting, number>()
  private earlyBytes = 0
  private readonly slowStart = new SlowStart()
  private isTurnComing = false
  /** Input in large chunks since the last turn here, up to {@link UNMEASURED_BYTES}. That may be several turns of the event loop ago. */
  private bytes = 0
  /** When it reached them. */
  private measuredFrom = 0
  private readonly now: () => number
  private readonly callSoon: (turn: () => void) => unknown

  /**
   * @param now the time in milliseconds, which never goes back
   * @param callSoon calls back in the next turn of the event loop
   */
  constructor(now = monotonicNow, callSoon: (turn: () => void) => unknown = realSetImmediate) {
    this.now = now
    this.callSoon = callSoon
  }

  /** How many connections wait. */
  get count(): number {
    return this.waiting.size + this.beginning.size
  }

  /**
   * A connection opens.
   * @param early length of a large chunk that came with the handshake; 0: none did
   * @returns when it begins; unless it is at once, it has its turn later
   */
  begin(connection: Waiting, early: number): Beginning {
    const { slowStart, beginning } = this
    slowStart.noteOpening(this.now())
    if (this.beginsAtOnce()) {
      if (early > 0) this.noteLargeFirst()
      return 'now'
    }
    const waits = early > 0 && this.earlyBytes + early <= MAX_EARLY_BYTES
    beginning.set(connection, waits ? early : 0)
    if (waits) {
      this.earlyBytes += early
      return 'later'
    }
    if (early > 0) this.noteLargeFirst()
    return 'readLater'
  }

  private beginsAtOnce(): boolean {
    const { slowStart, beginning } = this
    if (!slowStart.isLimited && beginning.size === 0) return true
    this.expectTurn()
    return beginning.size === 0 && slowStart.take()
  }

  /** The connection has its turn later: once, and in the place of the first call until then. @param length of its last chunk */
  add(connection: Waiting, length: number): void {
    this.waiting.set(connection, length)
    this.expectTurn()
  }

  /** The connection is over. */
  remove(connection: Waiting): void {
    this.waiting.delete(connection)
    this.forget(connection)
  }

  /** @returns how many bytes that came with its handshake waited */
  private forget(connection: Waiting): number {
    const early = this.beginning.get(connection) ?? 0
    this.beginning.delete(connection)
    this.earlyBytes -= early
    return early
  }

  /**
   * A large chunk was received.
   * @param now when it was received
   * @param isFirst whether it is the first chunk of its connection after the handshake
   * @returns whether the time of this turn of the event loop was over by then
   */
  noteLarge(length: number, now: number, isFirst: boolean): boolean {
    if (isFirst) this.noteLargeFirst()
    if (this.bytes < UNMEASURED_BYTES) {
      this.bytes += length
      if (this.bytes < UNMEASURED_BYTES) return false
      this.measuredFrom = now
      this.expectTurn()
    }
    return now - this.measuredFrom >= MAX_TURN_MS
  }

  /** A connection begins with a large chunk. */
  private noteLargeFirst(): void {
    this.slowStart.noteLarge()
    this.expectTurn()
  }

  private expectTurn(): void {
    if (this.isTurnComing) return
    this.isTurnComing = true
    this.callSoon(this.nextTurn)
  }

  private readonly nextTurn = (): void => {
    this.isTurnComing = false
    this.bytes = 0
    const until = this.now() + MAX_TURN_MS
    try {
      this.readOn(until)
      this.letBegin(until)
    } finally {
      // Those that began here are counted until then.
      if (this.count > 0 || this.slowStart.isCounting) this.expectTurn()
    }
  }

  private readOn(until: number): void {
    let bytes = 0
    for (const [connection, length] of this.waiting) {
      bytes += length
      if (bytes > MAX_TURN_BYTES && bytes > length) return
      this.waiting.delete(connection)
      connection.takeTurn()
      if (this.now() >= until) return
    }
  }

  private letBegin(until: number): void {
    const { slowStart, beginning } = this
    const least = shareOf(beginning.size)
    slowStart.nextTurn(beginning.size)
    let begun = 0
    for (const connection of beginning.keys()) {
      if (!slowStart.take()) return
      if (this.forget(connection) > 0) slowStart.noteLarge()
      connection.takeTurn()
      if (++begun >= least && this.now() >= until) return
    }
  }
}

/** One for all connections of the process. */
export const inputTurns = new InputTurns()
