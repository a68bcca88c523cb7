/** Why nothing is pulled or read. */
export const Hold = {
  /** The connection has not begun. */
  START: 1,
  /** The caller paused. */
  CALLER: 2,
  /** The inbox is full. */
  INBOX: 4,
} as const
export type Hold = (typeof Hold)[keyof typeof Hold]

/** How often the loop goes around before others get their turn. */
const MAX_ROUNDS = 1000

/**
 * The one loop of a connection. Whatever user code calls in between leaves a mark that the loop looks at: it never calls
 * itself, and one whose handlers always cause something more gives others their turn. It pulls while there is no reason
 * not to.
 */
export abstract class RunLoop {
  private holds: number = Hold.START
  private isRunning = false
  private mustRunAgain = false
  /** Something was queued since the loop wrote last. */
  private mustWrite = false

  /** One round: pulls what came, and has it handled. */
  protected abstract pull(): void
  /** One round: writes what came about, reports room, and sees to the end. */
  protected abstract write(): void
  /** Goes on in another turn of the event loop. */
  protected abstract runLater(): void

  /** Whether there is no reason not to pull. */
  protected get isPulling(): boolean {
    return this.holds === 0
  }

  protected isHeldBy(reason: Hold): boolean {
    return (this.holds & reason) !== 0
  }

  /** Stops to pull at once. */
  protected holdBy(reason: Hold): void {
    this.holds |= reason
  }

  /** @returns whether this was a reason; {@link run} goes on */
  protected release(reason: Hold): boolean {
    const wasHeld = this.isHeldBy(reason)
    this.holds &= ~reason
    return wasHeld
  }

  /** Nothing more comes: what is there is pulled even for a caller who paused, but not into a full inbox. */
  protected inputEnded(): void {
    this.holds &= Hold.INBOX
  }

  /** Something was queued. @returns whether the loop runs, and writes it */
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
