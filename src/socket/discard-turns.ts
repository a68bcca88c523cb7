/**
 * So many connections that have failed are read on in one turn of the event loop. A read takes up to 64 KiB, so that this is 1 MiB:
 * hundreds of floods that end together would keep all others waiting.
 */
export const MAX_READS = 16

/** A connection that has failed, and discards what its peer still sends. */
export interface Discarding {
  readOn(): void
}

/** The connections that wait to be read on, in their order. One that is over by then does nothing. */
export class DiscardTurns {
  private readonly waiting = new Set<Discarding>()
  private isTurnComing = false

  /** How many connections wait. */
  get count(): number {
    return this.waiting.size
  }

  /** The connection is read on in a later turn. Once for all calls until then. */
  add(connection: Discarding): void {
    this.waiting.add(connection)
    this.expectTurn()
  }

  private expectTurn(): void {
    if (this.isTurnComing) return
    this.isTurnComing = true
    setImmediate(this.nextTurn)
  }

  private readonly nextTurn = (): void => {
    let reads = 0
    this.isTurnComing = false
    try {
      for (const connection of this.waiting) {
        this.waiting.delete(connection)
        connection.readOn()
        if (++reads === MAX_READS) break
      }
    } finally {
      if (this.waiting.size > 0) this.expectTurn()
    }
  }
}

/** Those of the process. */
export const discardTurns = new DiscardTurns()
