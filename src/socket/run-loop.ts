/** The reasons not to pull and read. */
export const Hold = {
  /** The connection has not begun. */
  START: 1,
  /** The caller paused. */
  CALLER: 2,
  /** The inbox is full. */
  INBOX: 4,
  /** The peer is over a quota. */
  QUOTA: 8,
  /** Much input came at once, and others have their turn. It holds reading alone: what was received is handled. */
  TURN: 16,
} as const
export type Hold = (typeof Hold)[keyof typeof Hold]

/** After so many rounds the loop lets others have their turn. */
const MAX_ROUNDS = 1000

/**
 * The one loop of a connection. It pulls while nothing holds it, then writes, until there is nothing to do. Calls that user
 * code makes in between set a mark that the loop checks, so that it never calls itself. A loop whose handlers always cause
 * more work lets other connections have their turn.
 */
export abstract class RunLoop {
  private holds: number = Hold.START
  private isRunning = false
  private mustRunAgain = false
  /** Output was queued since the loop last wrote. */
  private mustWrite = false

  /** First half of a round: pulls events and hands them to the owner. */
  protected abstract pull(): void
  /** Second half of a round: writes output, reports room, and ends the transport if it is time. */
  protected abstract write(): void
  /** Continues in another turn of the event loop. */
  protected abstract runLater(): void

  /** Whether nothing keeps the loop from pulling. */
  protected get isPulling(): boolean {
    return (this.holds & ~Hold.TURN) === 0
  }

  /** Whether nothing keeps the loop from reading. */
  protected get isReading(): boolean {
    return this.holds === 0
  }

  protected isHeldBy(reason: Hold): boolean {
    return (this.holds & reason) !== 0
  }

  /** Stops pulling at once. */
  protected holdBy(reason: Hold): void {
    this.holds |= reason
  }

  /** @returns whether this reason held the loop; {@link run} continues */
  protected release(reason: Hold): boolean {
    const wasHeld = this.isHeldBy(reason)
    this.holds &= ~reason
    return wasHeld
  }

  /** No more input follows: the rest is pulled even if the caller paused, but not into a full inbox, and not before the connection begins. */
  protected inputEnded(): void {
    this.holds &= Hold.INBOX | Hold.START
  }

  /** Whether the loop gave others their turn before it wrote what was queued: it does so when it continues. */
  get owesWrite(): boolean {
    return this.mustWrite
  }

  /** Output was queued. @returns whether the loop is running, and so will write it */
  protected wantsWrite(): boolean {
    if (this.isRunning) this.mustWrite = true
    return this.isRunning
  }

  /** @param pulls whether the first round pulls; each further one does */
  protected run(pulls: boolean): void {
    if (this.isRunning) {
      this.mustRunAgain = true
      return
    }
    this.isRunning = true
    let pullsNow = pulls
    let rounds = 0
    try {
      do {
        if (++rounds > MAX_ROUNDS) {
          this.runLater()
          return
        }
        this.mustRunAgain = false
        if (pullsNow) this.pull()
        this.mustWrite = false
        this.write()
        pullsNow = true
      } while (this.mustRunAgain || this.mustWrite)
    } finally {
      this.isRunning = false
    }
  }
}
