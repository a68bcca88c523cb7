/**
 * Compression contexts, lent. A sender may drop its context before any message (RFC 7692 section 7.1.1.1 binds the receiver
 * only); and what an inflater knows can be read out of it and put into another. So a bounded number of contexts serves any
 * number of connections: the busy ones have one.
 */
import type { DecodeResult } from '../extension/message-codec.js'
import type { Deflater } from './deflater.js'
import type { Inflater, SharedInflater } from './inflater.js'
import { NO_HISTORY } from './inflate-window.js'

/** One direction of a connection, as the pool sees it. */
export abstract class Borrower<Thing> {
  readonly windowBits: number
  /** What is lent to it now; the pool takes it away when another connection is busier. */
  lent: Thing | null = null
  /** The pool's clock at its last message; 0: none yet. */
  lastUse = 0

  constructor(windowBits: number) {
    this.windowBits = windowBits
  }

  /** It has this from now on, which still knows what it was used for last. */
  abstract receive(thing: Thing): void
  /** This goes to another from now on. Not called where it was given back. */
  abstract giveUp(thing: Thing): void
}

/** A compressor or a decompressor in the pool. */
interface Context<Thing> {
  readonly thing: Thing
  readonly windowBits: number
  readonly bytes: number
}

/** The contexts of one direction, for all connections of one server or client. */
export class ContextPool<Thing extends { close(): void }> {
  readonly #maxBytes: number
  readonly #bytesOf: (windowBits: number) => number
  readonly #create: (windowBits: number) => Thing
  /** Those lent, in the order of their last use, the oldest first. */
  readonly #lent = new Map<Borrower<Thing>, Context<Thing>>()
  readonly #free: Context<Thing>[] = []
  /** The last in `#lent`: a connection that stays the busiest is not moved. */
  #newest: Borrower<Thing> | null = null
  #bytes = 0
  /** Counts messages, not time: how busy a connection is, is measured against the others. */
  #clock = 0

  /**
   * @param maxBytes what all contexts may hold together
   * @param bytesOf what one holds
   * @param create makes one
   */
  constructor(
    maxBytes: number,
    bytesOf: (windowBits: number) => number,
    create: (windowBits: number) => Thing,
  ) {
    this.#maxBytes = maxBytes
    this.#bytesOf = bytesOf
    this.#create = create
  }

  /** What all contexts hold together. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * To be called once for each message that a context could serve. A connection is lent one from its second message on,
   * where there is room, or where its message before this one is more recent than the last message of the connection that
   * has been idle longest. So contexts stay where they are when all are equally busy, and go from the idle to the busy.
   * @returns the context that the connection has now
   */
  borrow(borrower: Borrower<Thing>): Thing | null {
    const previousUse = borrower.lastUse
    borrower.lastUse = ++this.#clock
    if (borrower.lent === null) {
      if (previousUse === 0) return null
      const context = this.#obtain(borrower.windowBits, previousUse)
      if (context === null) return null
      this.#lent.set(borrower, context)
      borrower.lent = context.thing
      borrower.receive(context.thing)
    } else if (borrower !== this.#newest) {
      const context = this.#lent.get(borrower) as Context<Thing>
      this.#lent.delete(borrower)
      this.#lent.set(borrower, context)
    }
    this.#newest = borrower
    return borrower.lent
  }

  /** The connection needs its context no longer: it is free for the next. */
  release(borrower: Borrower<Thing>): void {
    if (borrower.lent !== null) this.#free.push(this.#remove(borrower))
  }

  /** Closes every context, lent or free. */
  clear(): void {
    for (const borrower of this.#lent.keys()) this.#discard(this.#takeBack(borrower))
    for (const context of this.#free.splice(0)) this.#discard(context)
  }

  /** A context that nobody has; null: all are in better use. */
  #obtain(windowBits: number, previousUse: number): Context<Thing> | null {
    const bytes = this.#bytesOf(windowBits)
    if (bytes > this.#maxBytes) return null
    const index = this.#free.findLastIndex((context) => context.windowBits === windowBits)
    if (index >= 0) return this.#free.splice(index, 1)[0] as Context<Thing>
    while (this.#bytes + bytes > this.#maxBytes) {
      let context = this.#free.pop()
      if (context === undefined) {
        const oldest = this.#lent.keys().next().value as Borrower<Thing>
        if (oldest.lastUse > previousUse) return null
        context = this.#takeBack(oldest)
        if (context.windowBits === windowBits) return context
      }
      this.#discard(context)
    }
    this.#bytes += bytes
    return { thing: this.#create(windowBits), windowBits, bytes }
  }

  #takeBack(borrower: Borrower<Thing>): Context<Thing> {
    const context = this.#remove(borrower)
    borrower.giveUp(context.thing)
    return context
  }

  #remove(borrower: Borrower<Thing>): Context<Thing> {
    const context = this.#lent.get(borrower) as Context<Thing>
    this.#lent.delete(borrower)
    borrower.lent = null
    if (this.#newest === borrower) this.#newest = null
    return context
  }

  #discard({ thing, bytes }: Context<Thing>): void {
    this.#bytes -= bytes
    thing.close()
  }
}

/** The context of the messages that one connection sends. */
export class OutgoingContext extends Borrower<Deflater> {
  receive(deflater: Deflater): void {
    deflater.dropContext()
  }

  giveUp(): void {
    // A sender may drop its context before any message.
  }
}

/** What the connections of one server or client have in common, for what they receive. */
export interface SharedInflation {
  readonly inflater: SharedInflater
  /** Decompressors to lend; null: none. */
  readonly pool: ContextPool<Inflater> | null
  /** What all connections keep in copies, in bytes. */
  historyBytes: number
}

/**
 * The context of the messages that one peer sends (RFC 7692 section 7.2.2): the last bytes received. A busy connection is
 * lent a decompressor that has them in its window; any other keeps a copy of them, and nothing as long as it has received
 * no compressed message.
 */
export class IncomingContext extends Borrower<Inflater> {
  readonly #shared: SharedInflation
  #history: Buffer = NO_HISTORY

  /** @param windowBits what the peer's compressor keeps to, 8 to 15 */
  constructor(shared: SharedInflation, windowBits: number) {
    super(windowBits)
    this.#shared = shared
  }

  inflate(message: Uint8Array, maxBytes: number): DecodeResult {
    const { inflater, pool } = this.#shared
    const lent = pool === null ? null : pool.borrow(this)
    if (lent !== null) return lent.inflate(message, maxBytes)
    const result = inflater.inflate(message, maxBytes, this.#history)
    this.remember(result, inflater.reachBytes)
    return result
  }

  /**
   * What the inflation of a message on the thread pool is to know. What was lent goes back. The history must not be changed
   * until {@link remember} is called with the message.
   */
  takeHistory(): Buffer {
    if (this.lent !== null) {
      this.giveUp(this.lent)
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
   * Keeps the end of a message that went through no decompressor of its own.
   * @param reachBytes how many of the last bytes, of history and message together, the next message may refer to
   */
  remember(result: DecodeResult, reachBytes: number): void {
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
