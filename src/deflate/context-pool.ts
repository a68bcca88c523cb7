/**
 * Compression contexts, lent. Where a server agreed to its own context takeover it may still drop its context before
 * any message (RFC 7692 section 7.1.1.1 binds the receiver only). So a bounded number of contexts serves any number
 * of connections: the busy ones have one, the others compress each message by itself.
 */
import { contextBytes } from './engine.js'
import type { Deflater, DeflateParameters } from './engine.js'

/** A compressor in the pool, with its place in the order of use. */
interface Context {
  readonly deflater: Deflater
  readonly windowBits: number
  readonly bytes: number
  /** null: free, and last in the order. */
  borrower: Borrower | null
  newer: Context | null
  older: Context | null
}

/** One connection, as the pool sees it. */
export class Borrower {
  readonly parameters: DeflateParameters
  /** The context it has now; the pool takes it away when another connection is busier. */
  context: Context | null = null
  /** The pool's clock at its last message; 0: none yet. */
  lastUse = 0

  constructor(parameters: DeflateParameters) {
    this.parameters = parameters
  }

  /** The compressor lent, if one is. */
  get deflater(): Deflater | null {
    return this.context === null ? null : this.context.deflater
  }
}

/** The contexts of one server or client. */
export class ContextPool {
  readonly #maxBytes: number
  readonly #create: (parameters: DeflateParameters) => Deflater
  #bytes = 0
  /** Counts messages, not time: how busy a connection is, is measured against the others. */
  #clock = 0
  #newest: Context | null = null
  #oldest: Context | null = null

  /**
   * @param maxBytes what all contexts may hold together, reckoned by `contextBytes`
   * @param create makes a compressor
   */
  constructor(maxBytes: number, create: (parameters: DeflateParameters) => Deflater) {
    this.#maxBytes = maxBytes
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
  touch(borrower: Borrower): boolean {
    const previousUse = borrower.lastUse
    borrower.lastUse = ++this.#clock
    if (borrower.context !== null) {
      this.#moveToFront(borrower.context)
      return true
    }
    if (previousUse === 0) return false
    const context = this.#obtain(borrower.parameters, previousUse)
    if (context === null) return false
    context.borrower = borrower
    borrower.context = context
    this.#moveToFront(context)
    return true
  }

  /** The connection is over: its context is free for the next. */
  release(borrower: Borrower): void {
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

  /** A context that knows nothing yet, linked nowhere; null: all are in better use. */
  #obtain(parameters: DeflateParameters, previousUse: number): Context | null {
    const bytes = contextBytes(parameters)
    if (bytes > this.#maxBytes) return null
    while (this.#oldest !== null) {
      const candidate = this.#oldest
      const { borrower } = candidate
      const hasShape = candidate.windowBits === parameters.windowBits
      if (this.#bytes + bytes <= this.#maxBytes && (borrower !== null || !hasShape)) break
      if (borrower !== null && borrower.lastUse > previousUse) return null
      if (hasShape) {
        this.#takeBack(candidate)
        candidate.deflater.dropContext()
        return candidate
      }
      this.#discard(candidate)
    }
    this.#bytes += bytes
    return {
      deflater: this.#create(parameters),
      windowBits: parameters.windowBits,
      bytes,
      borrower: null,
      newer: null,
      older: null,
    }
  }

  #takeBack(context: Context): void {
    if (context.borrower !== null) context.borrower.context = null
    context.borrower = null
    this.#unlink(context)
  }

  #discard(context: Context): void {
    this.#takeBack(context)
    this.#bytes -= context.bytes
    context.deflater.close()
  }

  #moveToFront(context: Context): void {
    if (this.#newest === context) return
    this.#unlink(context)
    context.older = this.#newest
    if (this.#newest === null) this.#oldest = context
    else this.#newest.newer = context
    this.#newest = context
  }

  /** Takes it out of the order; one that is not in it stays out. */
  #unlink(context: Context): void {
    const { newer, older } = context
    if (newer !== null) newer.older = older
    else if (this.#newest === context) this.#newest = older
    if (older !== null) older.newer = newer
    else if (this.#oldest === context) this.#oldest = newer
    context.newer = null
    context.older = null
  }
}
