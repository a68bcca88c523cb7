/** What one round of the loop does. */
export interface LoopBody {
  /** Pulls what came, and has it handled. */
  pull(): void
  /** Writes what came about, reports room, and sees to the end. */
  write(): void
  /** Goes on in another turn of the event loop. */
  runLater(): void
}

/** How often the loop goes around before others get their turn. */
const MAX_ROUNDS = 1000

/**
 * The one loop of a connection. Whatever user code calls in between leaves a mark that the loop looks at: it never calls
 * itself, and one whose handlers always cause something more gives others their turn.
 */
export class RunLoop {
  private readonly body: LoopBody
  private isRunning = false
  private mustRunAgain = false
  /** Something was queued since the loop wrote last. */
  private mustWrite = false

  constructor(body: LoopBody) {
    this.body = body
  }

  /** Something was queued. @returns whether the loop runs, and writes it */
  wantsWrite(): boolean {
    if (this.isRunning) this.mustWrite = true
    return this.isRunning
  }

  /** @param pulls whether the first round pulls; each further one does */
  run(pulls: boolean): void {
    if (this.isRunning) {
      this.mustRunAgain = true
      return
    }
    const { body } = this
    this.isRunning = true
    let pullsNow = pulls
    let rounds = 0
    try {
      do {
        if (++rounds > MAX_ROUNDS) {
          body.runLater()
          return
        }
        this.mustRunAgain = false
        if (pullsNow) body.pull()
        this.mustWrite = false
        body.write()
        pullsNow = true
      } while (this.mustRunAgain || this.mustWrite)
    } finally {
      this.isRunning = false
    }
  }
}
