/** So many new connections begin to be read in one turn of the event loop when nothing is known of what they begin with. */
export const FEWEST_BEGINNING = 4
/** Above this number there is no limit. */
export const MOST_BEGINNING = 256
/** Of those that wait to begin, one in so many begins in any case, but no more than {@link MOST_BEGINNING}: a long queue must end. */
export const WAITING_SHARE = 64
/** When no connection opened for this long, few begin again. */
export const CALM_MS = 1000

/** @returns how many of those that wait begin in any case */
export const shareOf = (waiting: number): number => Math.ceil(waiting / WAITING_SHARE)

/**
 * How many new connections may begin to be read in one turn of the event loop, as TCP begins with new connections: a few, and twice as
 * many in each further turn, if all places were used and others wait. Where {@link FEWEST_BEGINNING} began with a large chunk in one turn, it is a few again.
 */
export class SlowStart {
  private limit = FEWEST_BEGINNING
  /** How many may begin in this turn: the limit, or the share of those that wait. */
  private places = FEWEST_BEGINNING
  /** How many began in this turn. */
  private begunCount = 0
  /** How many received a large chunk first of all, in this turn. */
  private begunLarge = 0
  private openedAt = -Infinity

  get isLimited(): boolean {
    return this.limit !== Infinity
  }

  /** Whether any began in this turn. */
  get isCounting(): boolean {
    return this.begunCount > 0
  }

  /** A connection opens. */
  noteOpening(now: number): void {
    if (now - this.openedAt >= CALM_MS) {
      this.limit = FEWEST_BEGINNING
      this.places = FEWEST_BEGINNING
    }
    this.openedAt = now
  }

  /** What a connection received first is a large chunk. */
  noteLarge(): void {
    this.begunLarge++
  }

  /** @returns whether one more may begin in this turn: it does */
  take(): boolean {
    if (this.begunCount >= this.places) return false
    this.begunCount++
    return true
  }

  /** @param waiting how many connections wait to begin */
  nextTurn(waiting: number): void {
    const isUsed = this.begunCount >= this.places
    if (this.begunLarge >= FEWEST_BEGINNING) this.limit = FEWEST_BEGINNING
    else if (isUsed && waiting > 0) this.limit *= 2
    if (this.limit > MOST_BEGINNING) this.limit = Infinity
    this.places = Math.max(this.limit, Math.min(shareOf(waiting), MOST_BEGINNING))
    this.begunLarge = 0
    this.begunCount = 0
  }
}
