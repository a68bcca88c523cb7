/**
 * How long no byte of a data frame came (docs/backpressure.md). No timer and no clock: times are given, in milliseconds
 * of any one monotonic clock.
 */
export class IdleTime {
  private readonly timeoutMs: number
  /** When a byte of a data frame came last. */
  private dataAt: number
  private dataBytes = 0

  constructor(timeoutMs: number, now: number) {
    this.timeoutMs = timeoutMs
    this.dataAt = now
  }

  /** @param dataBytes bytes of data frames that came in all: each puts the end of the time off */
  received(dataBytes: number, now: number): void {
    if (dataBytes === this.dataBytes) return
    this.dataBytes = dataBytes
    this.dataAt = now
  }

  /** This side does not read, so that nothing can come: the time begins again. */
  restart(now: number): void {
    this.dataAt = now
  }

  /** When {@link isOver} will say so, if nothing comes until then. */
  get deadline(): number {
    return this.dataAt + this.timeoutMs
  }

  /** Whether the time is over; if it is, it begins again. */
  isOver(now: number): boolean {
    // The sum that `deadline` gives: a difference can be rounded to below the timeout at that very time.
    if (now < this.deadline) return false
    this.dataAt = now
    return true
  }
}
