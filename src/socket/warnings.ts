import { messageOf, stackOf, toError } from '../errors.js'

/** An owner repeats a warning at most once in this time. */
export const WARNING_INTERVAL_MS = 60_000

/** When each owner last warned, by the code of the warning. */
const warnedAt = new WeakMap<object, Map<string, number>>()

/**
 * Emits a warning of the process for an error that no handler gets: at most once in {@link WARNING_INTERVAL_MS} for each
 * owner and code, so that a peer that causes the error repeatedly does not fill the log.
 * @param owner a server, a route, a client
 * @param code a stable code for listeners of 'warning': `HAWSER_...`
 * @param what says what failed; the error's message is added after a colon
 * @param error the value that was thrown
 */
export function warnAtIntervals(owner: object, code: string, what: string, error: unknown): void {
  let codes = warnedAt.get(owner)
  if (codes === undefined) warnedAt.set(owner, (codes = new Map<string, number>()))
  const now = performance.now()
  if (now - (codes.get(code) ?? -Infinity) < WARNING_INTERVAL_MS) return
  codes.set(code, now)
  const thrown = toError(error)
  process.emitWarning(`${what}: ${messageOf(thrown)}`, { code, detail: stackOf(thrown) })
}
