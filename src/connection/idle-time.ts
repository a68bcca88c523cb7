/**
 * Measures how long no byte of a data frame was received (docs/backpressure.md). It has no timer and no clock: the
 * caller passes times in milliseconds, all from the same monotonic clock.
 */
export class IdleTime {
  private readonly timeoutMs: number
  /** When a byte of a data frame was last received. */
  private dataAt: number
  private dataBytes = 0

  constructor(timeoutMs: number, now: number) {
    this.timeoutMs = timeoutMs
    this.dataAt = now
  }

  /** @param dataBytes all bytes of data frames received so far. Any new byte restarts the time */
  received(dataBytes: number, now: number): void {
    if (dataBytes === this.dataBytes) return
    this.dataBytes = dataBytes
    this.dataAt = now
  }

  /** Restarts the time, because this side does not read and so nothing can be received. */
  restart(now: number): void {
    this.dataAt = now
  }

  /** When the time is over if nothing is received until then. */
  get deadline(): number {
    return this.dataAt + this.timeoutMs
  }

  /** Whether the time is over. If it is, the time restarts. */
  isOver(now: number): boolean {
    // Compare with `deadline`: because of rounding, `now - dataAt` can be below the timeout at that very time.
    if (now < this.deadline) return false
    this.dataAt = now
    return true
  }
}
