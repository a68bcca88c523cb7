/** A peer that never answers must not make the list grow. */
const MAX_PENDING = 64

/** When each ping left, so that its pong can be told with its time. Its payload names it. */
export class PingTimes {
  private readonly sent = new Map<string, number>()
  private count = 0

  /**
   * A ping is about to leave.
   * @param text of the user's own; without it a number
   * @returns the payload
   */
  start(text = ''): string {
    const payload = text === '' ? `hawser ${String(++this.count)}` : text
    this.sent.delete(payload)
    this.sent.set(payload, performance.now())
    if (this.sent.size > MAX_PENDING) {
      const [oldest] = this.sent.keys()
      this.sent.delete(oldest as string)
    }
    return payload
  }

  /**
   * A pong arrived. It answers the ping with the same payload and the ones before it (RFC 6455 section 5.5.3).
   * @returns the time in milliseconds, or null: no ping of the user's waits for it
   */
  end(payload: string): number | null {
    const sentAt = this.sent.get(payload)
    if (sentAt === undefined) return null
    for (const earlier of this.sent.keys()) {
      this.sent.delete(earlier)
      if (earlier === payload) break
    }
    return performance.now() - sentAt
  }
}
