/**
 * So many new connections begin to be read in one turn of the event loop; twice as many in the next one where these were not enough, and
 * so many again where as many began with a large chunk.
 */
export const FEWEST_BEGINNING = 4
/** Above this number there is no limit. */
export const MOST_BEGINNING = 256
/** When no connection opened for this long, few begin again. */
export const CALM_MS = 1000

/** How many new connections may begin to be read in one turn of the event loop. Named for what TCP does with new connections. */
export class SlowStart {
  private most = FEWEST_BEGINNING
  /** How many began in this turn. */
  private begun = 0
  /** How many began with a large chunk in this turn. */
  private large = 0
  private openedAt = -Infinity

  /** A connection opens. @returns whether there is a limit */
  opens(now: number): boolean {
    if (now - this.openedAt >= CALM_MS) this.most = FEWEST_BEGINNING
    this.openedAt = now
    return this.most !== Infinity
  }

  /** Whether any began in this turn. */
  get isCounting(): boolean {
    return this.begun > 0
  }

  /** @returns whether one more may begin in this turn: it does */
  take(): boolean {
    if (this.begun >= this.most) return false
    this.begun++
    return true
  }

  /** The first input of a connection is a large chunk. */
  beganLarge(): void {
    this.large++
  }

  nextTurn(): void {
    if (this.large >= FEWEST_BEGINNING) this.most = FEWEST_BEGINNING
    else if (this.begun >= this.most) this.most *= 2
    if (this.most > MOST_BEGINNING) this.most = Infinity
    this.large = 0
    this.begun = 0
  }
}
