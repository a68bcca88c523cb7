/**
 * Compression contexts, lent. Where a server agreed to its own context takeover it may still drop its context before
 * any message (RFC 7692 section 7.1.1.1 binds the receiver only); and what an inflater knows can be taken out of it and
 * put into another. So a bounded number of contexts serves any number of connections: the busy ones have one.
 */

/** What is lent: a compressor, or a decompressor. */
export interface Lendable {
  close(): void
}

/** A thing in the pool, with its place in the order of use. */
interface Context<Thing> {
  readonly thing: Thing
  readonly windowBits: number
  readonly bytes: number
  /** null: free, and last in the order. */
  borrower: Borrower<Thing> | null
  newer: Context<Thing> | null
  older: Context<Thing> | null
}

/** One connection, as the pool sees it. */
export abstract class Borrower<Thing> {
  readonly windowBits: number
  /** The context it has now; the pool takes it away when another connection is busier. */
  context: Context<Thing> | null = null
  /** The pool's clock at its last message; 0: none yet. */
  lastUse = 0

  constructor(windowBits: number) {
    this.windowBits = windowBits
  }

  /** What is lent to it, if anything is. */
  get lent(): Thing | null {
    return this.context === null ? null : this.context.thing
  }

  /** It is lent this from now on, which still knows what it was used for last. */
  abstract receive(thing: Thing): void
  /** This goes to another from now on. Not called where it was given back. */
  abstract giveUp(thing: Thing): void
}

/** The contexts of one server or client. */
export class ContextPool<Thing extends Lendable> {
  readonly #maxBytes: number
  readonly #bytesOf: (windowBits: number) => number
  readonly #create: (windowBits: number) => Thing
  #bytes = 0
  /** Counts messages, not time: how busy a connection is, is measured against the others. */
  #clock = 0
  #newest: Context<Thing> | null = null
  #oldest: Context<Thing> | null = null

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
   * To be called once for each message that a context could serve. A connection is lent one from its second message
   * on, where there is room, or where its message before this one is more recent than the last of whoever has waited
   * longest. So contexts stay where they are when all are equally busy, and go from the idle to the busy.
   * @returns does the connection have a context now?
   */
  touch(borrower: Borrower<Thing>): boolean {
    const previousUse = borrower.lastUse
    borrower.lastUse = ++this.#clock
    if (borrower.context !== null) {
      this.#moveToFront(borrower.context)
      return true
    }
    if (previousUse === 0) return false
    const context = this.#obtain(borrower.windowBits, previousUse)
    if (context === null) return false
    context.borrower = borrower
    borrower.context = context
    this.#moveToFront(context)
    borrower.receive(context.thing)
    return true
  }

  /** The connection needs its context no longer: it is free for the next. */
  release(borrower: Borrower<Thing>): void {
    const { context } = borrower
    if (context === null) return
    borrower.context = null
    context.borrower = null
    this.#unlink(context)
    context.newer = this.#oldest
    if (this.#oldest === null) this.#newest = context
    else this.#oldest.older = context
    this.#oldest = context
  }

  /** Closes every context, lent or free. */
  clear(): void {
    while (this.#oldest !== null) this.#discard(this.#oldest)
  }

  /** A context linked nowhere; null: all are in better use. */
  #obtain(windowBits: number, previousUse: number): Context<Thing> | null {
    const bytes = this.#bytesOf(windowBits)
    if (bytes > this.#maxBytes) return null
    while (this.#oldest !== null) {
      const candidate = this.#oldest
      const { borrower } = candidate
      const hasShape = candidate.windowBits === windowBits
      if (this.#bytes + bytes <= this.#maxBytes && (borrower !== null || !hasShape)) break
      if (borrower !== null && borrower.lastUse > previousUse) return null
      if (hasShape) {
        this.#takeBack(candidate)
        return candidate
      }
      this.#discard(candidate)
    }
    this.#bytes += bytes
    return {
      thing: this.#create(windowBits),
      windowBits,
      bytes,
      borrower: null,
      newer: null,
      older: null,
    }
  }

  #takeBack(context: Context<Thing>): void {
    const { borrower } = context
    if (borrower !== null) {
      borrower.context = null
      borrower.giveUp(context.thing)
    }
    context.borrower = null
    this.#unlink(context)
  }

  #discard(context: Context<Thing>): void {
    this.#takeBack(context)
    this.#bytes -= context.bytes
    context.thing.close()
  }

  #moveToFront(context: Context<Thing>): void {
    if (this.#newest === context) return
    this.#unlink(context)
    context.older = this.#newest
    if (this.#newest === null) this.#oldest = context
    else this.#newest.newer = context
    this.#newest = context
  }

  /** Takes it out of the order; one that is not in it stays out. */
  #unlink(context: Context<Thing>): void {
    const { newer, older } = context
    if (newer !== null) newer.older = older
    else if (this.#newest === context) this.#newest = older
    if (older !== null) older.newer = newer
    else if (this.#oldest === context) this.#oldest = newer
    context.newer = null
    context.older = null
  }
}
