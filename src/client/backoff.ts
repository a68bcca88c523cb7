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
 * asked for time gets it.
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
  private lastIndex = 0
  private triedInRound = 0
  private rounds = 0

  constructor(urlCount: number, rule: BackoffRule, random: () => number) {
    this.rule = rule
    this.random = random
    this.notBefore = new Array<number>(urlCount).fill(-Infinity)
    this.isExcluded = new Array<boolean>(urlCount).fill(false)
  }

  /** Whether every URL that is still asked has been tried since the last delay. */
  get isRoundOver(): boolean {
    return this.triedInRound >= this.isExcluded.filter((isExcluded) => !isExcluded).length
  }

  /** A connection was good, and was lost: every URL is asked again. */
  reset(): void {
    this.attempts = 0
    this.rounds = 0
    this.isExcluded.fill(false)
    this.triedInRound = this.notBefore.length
  }

  /**
   * An attempt failed, or its connection was lost too soon.
   * @param retryAfterMs what the server asked for
   */
  failed(now: number, retryAfterMs: number | undefined): void {
    if (retryAfterMs !== undefined) {
      this.notBefore[this.urlIndex] = now + Math.min(retryAfterMs, this.rule.maxRetryAfterMs)
    }
    this.triedInRound++
    this.lastIndex = this.urlIndex
    this.urlIndex = this.nextIndex()
  }

  /**
   * The URL of the last failure is asked no more, until a connection was good.
   * @returns false: there is no other one
   */
  excludeLast(): boolean {
    this.isExcluded[this.lastIndex] = true
    this.triedInRound--
    return this.isExcluded.includes(false)
  }

  /** Counts the next attempt. */
  next(now: number): NextAttempt {
    this.attempts++
    let delayMs = 0
    if (this.isRoundOver) {
      delayMs = delayAfter(this.rounds++, this.rule, this.random())
      this.triedInRound = 0
    }
    const asked = (this.notBefore[this.urlIndex] as number) - now
    return { attempt: this.attempts, delayMs: Math.max(delayMs, asked) }
  }

  /** The URL after this one, without those that are asked no more. */
  private nextIndex(): number {
    const count = this.notBefore.length
    for (let step = 1; step < count; step++) {
      const index = (this.urlIndex + step) % count
      if (this.isExcluded[index] !== true) return index
    }
    return this.urlIndex
  }
}
