/** What rounding of times may take from a bucket, beside a part of its size. */
const ROUNDING = 1e-6

/**
 * A token bucket without its state: how many tokens come in a second, and how many there are at most. The state of a bucket is
 * one number, the time at which it is full again, so that a table of many buckets is a table of numbers. It has no clock: the
 * caller passes times in milliseconds, all from the same monotonic clock.
 */
export class RateLimit {
  readonly perSecond: number
  readonly burst: number
  /** How long one token takes to come. */
  private readonly msEach: number
  private readonly most: number

  /**
   * @param perSecond tokens in a second, above 0
   * @param burst the size of the bucket, at least 1
   */
  constructor(perSecond: number, burst: number) {
    this.perSecond = perSecond
    this.burst = burst
    this.msEach = 1000 / perSecond
    this.most = burst * (1 + 1e-9) + ROUNDING
  }

  /** How long an empty bucket takes to be full. */
  get fillMs(): number {
    return this.burst * this.msEach
  }

  /** How many tokens are gone, with those that are owed. @param fullAt the state: any time up to `now` is a full bucket */
  taken(fullAt: number, now: number): number {
    return fullAt > now ? (fullAt - now) / this.msEach : 0
  }

  /** Whether the bucket has this many tokens. */
  admits(fullAt: number, now: number, cost: number): boolean {
    return this.taken(fullAt, now) + cost <= this.most
  }

  /** Takes tokens; those that the bucket does not have are owed. @returns the new state */
  take(fullAt: number, now: number, cost: number): number {
    return (fullAt > now ? fullAt : now) + cost * this.msEach
  }

  /** When the bucket has one token, if none is taken until then. */
  nextAt(fullAt: number): number {
    return fullAt - (this.burst - 1) * this.msEach
  }
}
