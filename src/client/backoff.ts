/** When to try again: delays, rounds over several URLs, and `Retry-After`. Nothing here reads a clock or sets a timer. */

/** The settings of {@link Backoff}. */
export interface BackoffRule {
  readonly minDelayMs: number
  readonly maxDelayMs: number
  readonly factor: number
  readonly jitter: number
  readonly maxRetryAfterMs: number
}

/**
 * The delay after a number of rounds that failed.
 * @param rounds 0 for the first delay
 * @param random 0 to 1
 * @returns milliseconds, 0 to `maxDelayMs`
 */
export function delayAfter(rounds: number, rule: BackoffRule, random: number): number {
  const { minDelayMs, maxDelayMs, factor, jitter } = rule
  // 0 * Infinity is NaN.
  const whole = minDelayMs === 0 ? 0 : Math.min(minDelayMs * factor ** rounds, maxDelayMs)
  return whole * (1 - jitter + jitter * random)
}

/** The three forms of a date in HTTP (RFC 9110 section 5.6.7). */
const HTTP_DATE =
  /^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/

/**
 * Reads a `Retry-After` (RFC 9110 section 10.2.3).
 * @param value seconds, or a date
 * @param wallMs the time of day, as `Date.now`
 * @returns milliseconds, 0 or more; undefined for what is neither
 */
export function readRetryAfter(value: string, wallMs: number): number | undefined {
  const text = value.trim()
  if (/^\d+$/.test(text)) return Number(text) * 1000
  if (!HTTP_DATE.test(text)) return undefined
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(at) ? undefined : Math.max(at - wallMs, 0)
}

/** The next attempt. */
export interface NextAttempt {
  /** 1 for the first since a connection was good. */
  readonly attempt: number
  readonly delayMs: number
}

/**
 * Counts attempts in a row. Several URLs are tried one after the other, and the delay comes after each round. A server that
 * asked for time gets it: the others are tried meanwhile.
 */
export class Backoff {
  /** Which of the URLs is next. */
  urlIndex = 0
  /** Attempts since a connection was good. */
  attempts = 0
  private readonly rule: BackoffRule
  private readonly random: () => number
  /** For each URL: when its server may be asked again. */
  private readonly notBefore: number[]
  /** For each URL: whether it is asked no more. */
  private readonly isExcluded: boolean[]
  /** For each URL: whether it was tried since the last delay. */
  private readonly isTried: boolean[]
  private lastIndex = 0
  private rounds = 0

  constructor(urlCount: number, rule: BackoffRule, random: () => number) {
    this.rule = rule
    this.random = random
    this.notBefore = new Array<number>(urlCount).fill(-Infinity)
    this.isExcluded = new Array<boolean>(urlCount).fill(false)
    this.isTried = new Array<boolean>(urlCount).fill(false)
  }

  /** Whether every URL that is still asked has been tried since the last delay. */
  get isRoundOver(): boolean {
    return this.isTried.every((isTried, index) => isTried || this.isExcluded[index] === true)
  }

  /** A connection was good, and was lost: every URL is asked again. */
  reset(): void {
    this.attempts = 0
    this.rounds = 0
    this.isExcluded.fill(false)
    this.isTried.fill(true)
  }

  /**
   * An attempt failed, or its connection was lost too soon.
   * @param retryAfterMs what the server asked for
   */
  failed(now: number, retryAfterMs: number | undefined): void {
    if (retryAfterMs !== undefined) {
      this.notBefore[this.urlIndex] = now + Math.min(retryAfterMs, this.rule.maxRetryAfterMs)
    }
    this.isTried[this.urlIndex] = true
    this.lastIndex = this.urlIndex
    this.urlIndex = this.find(1, (index) => this.isExcluded[index] !== true) ?? this.urlIndex
  }

  /**
   * The server of the current URL closed a connection, and asked for time. The random part of a delay comes in addition, so that
   * clients which were asked for the same time do not come back at once; both together are at most `maxRetryAfterMs`, or the
   * delay alone if that is longer.
   * @param hintMs undefined or 0: it asked for none
   */
  defer(now: number, hintMs: number | undefined): void {
    if (hintMs === undefined || hintMs === 0) return
    const ownMs = delayAfter(0, this.rule, this.random())
    const askedMs = Math.min(hintMs, Math.max(0, this.rule.maxRetryAfterMs - ownMs))
    this.notBefore[this.urlIndex] = now + askedMs + ownMs
  }

  /**
   * The URL of the last failure is asked no more, until a connection was good.
   * @returns false: there is no other one
   */
  excludeLast(): boolean {
    this.isExcluded[this.lastIndex] = true
    return this.isExcluded.includes(false)
  }

  /** Counts the next attempt, and chooses its URL: one whose server asked for time only if all of them did. */
  next(now: number): NextAttempt {
    this.attempts++
    const attempt = this.attempts
    const index = this.find(0, (one) => this.isTried[one] !== true && this.mayAsk(one, now))
    if (index !== undefined) {
      this.urlIndex = index
      return { attempt, delayMs: 0 }
    }
    const delayMs = delayAfter(this.rounds++, this.rule, this.random())
    this.isTried.fill(false)
    this.urlIndex = this.find(0, (one) => this.mayAsk(one, now + delayMs)) ?? this.soonest()
    return { attempt, delayMs: Math.max(delayMs, (this.notBefore[this.urlIndex] as number) - now) }
  }

  private mayAsk(index: number, at: number): boolean {
    return this.isExcluded[index] !== true && (this.notBefore[index] as number) <= at
  }

  /** The URL whose server asked for the least time, of those that are still asked. */
  private soonest(): number {
    let best = this.urlIndex
    for (const [index, at] of this.notBefore.entries()) {
      if (this.isExcluded[index] !== true && at < (this.notBefore[best] as number)) best = index
    }
    return best
  }

  /** The first URL that fits, in turn, from a number of steps after the current one. */
  private find(firstStep: number, fits: (index: number) => boolean): number | undefined {
    const count = this.notBefore.length
    for (let step = firstStep; step < count; step++) {
      const index = (this.urlIndex + step) % count
      if (fits(index)) return index
    }
    return undefined
  }
}
