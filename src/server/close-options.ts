/** The options of `close` of a server. */
import {
  boolean,
  number,
  readOptions,
  showValue,
  string,
  type Advice,
  type Checks,
  type Read,
} from '../check.js'
import { checkCloseArguments, CloseCode, isNoCode } from '../frame/close-code.js'
import { MAX_HINT_MS, withRetryHint } from '../socket/retry-hint.js'

/** How a server closes. */
export interface CloseOptions {
  /** The Close frame's code. Default 1001. */
  readonly code?: number
  /** The Close frame's reason: at most 123 bytes of UTF-8. With `spreadMs` the hint needs up to 25 of them. Default: empty. */
  readonly reason?: string
  /**
   * Connections that have not ended within this time are cut: from the call on, or with `spreadMs` from the connection's own
   * turn on. Default `limits.closeTimeoutMs`.
   */
  readonly timeoutMs?: number
  /**
   * Close the connections one after another, evenly over this time, from the oldest of each route to the youngest: 0 to a day,
   * in milliseconds. Meanwhile upgrades get 503 with a `Retry-After`. Default 0: all of them at once.
   */
  readonly spreadMs?: number
  /**
   * With `spreadMs`: how long a client waits before it comes back, 0 to a day, in milliseconds. It follows the reason of each
   * Close frame as `retry-after-ms=MILLISECONDS`, and is part of `Retry-After`. Refused without `spreadMs`. Default 0, for a successor that listens already.
   */
  readonly retryAfterMs?: number
  /**
   * With `spreadMs`: whether the server's own port answers 503 until the spread is over. `false`: the port is closed at once, when
   * the connections that wait in its queue have been accepted. Default `true`; `false` if other processes share the port, by
   * `reusePort` or as workers of `node:cluster`, since the system then gives them all connections.
   */
  readonly keepPort?: boolean
}

/** The options of `close`, checked and with every default filled in. */
export interface ClosePlan {
  readonly code: number
  /** As the Close frames have it. */
  readonly reason: string
  readonly timeoutMs: number
  readonly spreadMs: number
  readonly retryAfterMs: number
  /** Undefined: as the port is shared or not. */
  readonly keepPort: boolean | undefined
  /** As the caller gave it. */
  readonly ownReason: string
}

const TIME = { min: 0, max: MAX_HINT_MS, integer: false }

const CHECKS = {
  code: number({ min: 0, max: 65_535, integer: true }, undefined),
  reason: string(undefined),
  timeoutMs: number({ min: 0, integer: false }, undefined),
  spreadMs: number(TIME, undefined),
  retryAfterMs: number(TIME, undefined),
  keepPort: boolean(undefined),
} satisfies Checks<CloseOptions>

const ADVICE = {
  callback: 'close returns a promise, which resolves when everything has ended',
} satisfies Advice

/** Options that only a spread heeds. */
const OF_SPREAD = ['retryAfterMs', 'keepPort'] as const

/** Refuses what would have no effect: without `spreadMs` all connections are closed at once, and no port is kept. */
function refuseWithoutSpread(given: Read<typeof CHECKS>, spreading: ClosePlan | null): void {
  if (given.spreadMs !== undefined || spreading !== null) return
  const name = OF_SPREAD.find((one) => given[one] !== undefined)
  if (name === undefined) return
  throw new TypeError(
    `${name} needs spreadMs, without which it has no effect, and was given as ${showValue(given[name])}`,
  )
}

/**
 * Checks the options of `close`.
 * @param spreading the plan of the spread that is under way: what a further call leaves out stays as it was; null: there is none
 * @param closeTimeoutMs the default of `timeoutMs`
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function readCloseOptions(
  options: CloseOptions,
  spreading: ClosePlan | null,
  closeTimeoutMs: number,
): ClosePlan {
  const given = readOptions('CloseOptions', options, CHECKS, ADVICE)
  refuseWithoutSpread(given, spreading)
  const code = given.code ?? spreading?.code ?? CloseCode.GOING_AWAY
  const ownReason = given.reason ?? spreading?.ownReason ?? ''
  const retryAfterMs = given.retryAfterMs ?? spreading?.retryAfterMs ?? 0
  checkCloseArguments(code, ownReason)
  // A Close frame without a code has no reason either.
  const { spreadMs = 0 } = given
  const hasHint = (spreadMs > 0 || spreading !== null) && !isNoCode(code)
  return {
    code,
    reason: hasHint ? withRetryHint(ownReason, retryAfterMs) : ownReason,
    timeoutMs: given.timeoutMs ?? spreading?.timeoutMs ?? closeTimeoutMs,
    spreadMs,
    retryAfterMs,
    keepPort: given.keepPort,
    ownReason,
  }
}
