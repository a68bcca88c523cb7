import { toError } from '../errors.js'

/** An owner warns of the same thing once in so long. */
export const WARNING_INTERVAL_MS = 60_000

/** When an owner warned last, by the code of the warning. */
const warnedAt = new WeakMap<object, Map<string, number>>()

/**
 * Warns of an error that nobody else hears, as a warning of the process: at most once in {@link WARNING_INTERVAL_MS} for
 * each owner and code, so that a peer that causes it again and again does not fill a log.
 * @param owner a server, a route, a client
 * @param code stable, for those who listen to 'warning': `HAWSER_...`
 * @param what what failed; the error's message follows after a colon
 * @param error whatever was thrown
 */
export function warnOnce(owner: object, code: string, what: string, error: unknown): void {
  let codes = warnedAt.get(owner)
  if (codes === undefined) warnedAt.set(owner, (codes = new Map<string, number>()))
  const now = performance.now()
  if (now - (codes.get(code) ?? -Infinity) < WARNING_INTERVAL_MS) return
  codes.set(code, now)
  const { message, stack = '' } = toError(error)
  process.emitWarning(`${what}: ${message}`, { code, detail: stack })
}
