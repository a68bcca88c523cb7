/**
 * When to come back, in the reason of a Close frame: `retry-after-ms=MILLISECONDS`, alone or after the application's own reason
 * and `; `, as in `new version; retry-after-ms=1500`. A server that spreads its closes writes it, and a client that reconnects
 * reads it (docs/guides/deploys.md).
 */
import { MAX_CLOSE_REASON_BYTES } from '../frame/header.js'

/** The longest time that a hint can say: a day. */
export const MAX_HINT_MS = 86_400_000

const HINT = /(?:^|; )retry-after-ms=(0|[1-9]\d{0,7})$/

/**
 * Appends the hint to a reason.
 * @param reason of the application, which stays whole
 * @param retryAfterMs milliseconds, 0 to {@link MAX_HINT_MS}; rounded up
 * @throws RangeError if both together are longer than a Close frame's reason may be (RFC 6455 section 5.5)
 */
export function withRetryHint(reason: string, retryAfterMs: number): string {
  const hint = `retry-after-ms=${String(Math.ceil(retryAfterMs))}`
  if (reason === '') return hint
  const most = MAX_CLOSE_REASON_BYTES - hint.length - 2
  const length = Buffer.byteLength(reason)
  if (length > most) {
    throw new RangeError(
      `reason must be at most ${String(most)} bytes of UTF-8 with spreadMs, not ${String(length)}: ` +
        'the time when to come back follows it',
    )
  }
  return `${reason}; ${hint}`
}

/** @returns the milliseconds that a reason asks for, 0 to {@link MAX_HINT_MS}; undefined if it has no hint */
export function readRetryHint(reason: string): number | undefined {
  const found = HINT.exec(reason)
  if (found === null) return undefined
  const asked = Number(found[1])
  return asked <= MAX_HINT_MS ? asked : undefined
}
