/**
 * How long a test waits for something that has not ended: as long as anything moves, up to a bound; where nothing moves, until this
 * process and those beside it have had their turns for some seconds. On a busy machine time alone says nothing.
 */
/** How often it is looked at, all time being counted in looks: a process that is kept from running has fewer of them. */
const TURN_MS = 250
/** Nothing may go on for longer, whatever moves. */
const MAX_TURNS = 400

/** What is looked at. */
export interface Watched {
  /** Changes with everything that moves: bytes that pass, events. */
  readonly moved: number
  /** Changes while the process beside this one has its turns; absent: there is none. */
  readonly turns?: number | undefined
  /** It waits for something else on purpose. */
  readonly isHeld: boolean
}

export class Patience {
  private readonly watch: () => Watched
  private readonly quietTurns: number
  private readonly ranOut: (why: string) => void
  private readonly timer: NodeJS.Timeout
  private last: Watched = { moved: -1, isHeld: false }
  private quiet = 0
  private turns = 0

  /**
   * @param quietMs how long nothing may move
   * @param ranOut called once, unless it is stopped before
   */
  constructor(watch: () => Watched, quietMs: number, ranOut: (why: string) => void) {
    this.watch = watch
    this.quietTurns = Math.ceil(quietMs / TURN_MS)
    this.ranOut = ranOut
    // After the event loop was blocked it fires once, however long that took.
    this.timer = setInterval(() => {
      this.look()
    }, TURN_MS)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private look(): void {
    const { last } = this
    const now = this.watch()
    this.last = now
    if (now.isHeld) {
      this.turns = 0
      this.quiet = 0
      return
    }
    if (now.moved !== last.moved) this.quiet = 0
    else if (now.turns === undefined || now.turns !== last.turns) this.quiet++
    const isQuiet = this.quiet >= this.quietTurns
    if (!isQuiet && ++this.turns < MAX_TURNS) return
    this.stop()
    const seconds = ((isQuiet ? this.quiet : this.turns) * TURN_MS) / 1000
    this.ranOut(
      isQuiet ? `nothing has moved for ${String(seconds)} s` : `it moves after ${String(seconds)} s`,
    )
  }
}
