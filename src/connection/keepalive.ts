/** The heartbeat's ping is answered, or none went out: no time of any clock. */
const NOT_PROBED = -Infinity

/**
 * When to ping and when to give up (RFC 6455 section 5.5.2), as arithmetic on times that are given: no timer
 * and no clock. Times are milliseconds of any one monotonic clock.
 */
export class Keepalive {
  /** Round trip of the last ping that was answered; undefined before the first. */
  rttMs: number | undefined
  private readonly intervalMs: number
  private readonly timeoutMs: number
  private heardAt: number
  /** When the heartbeat's ping went out that nothing was heard since. */
  private probedAt = NOT_PROBED
  /** The ping whose pong tells the round trip. */
  private pingPayload: Buffer | null = null
  private pingSentAt = 0

  /**
   * @param intervalMs ping after so much silence; Infinity: never
   * @param timeoutMs give up after so much more silence; Infinity: never
   */
  constructor(intervalMs: number, timeoutMs: number, now: number) {
    this.intervalMs = intervalMs
    this.timeoutMs = timeoutMs
    this.heardAt = now
  }

  /** When the last bytes came. */
  get lastHeardAt(): number {
    return this.heardAt
  }

  /** Bytes came: any bytes are a sign of life. */
  heard(now: number): void {
    this.heardAt = now
    this.probedAt = NOT_PROBED
  }

  /** When {@link check} has something to say, if nothing is heard until then; Infinity for never. */
  get deadline(): number {
    return this.probedAt === NOT_PROBED ? this.heardAt + this.intervalMs : this.probedAt + this.timeoutMs
  }

  check(now: number): 'wait' | 'ping' | 'dead' {
    if (now < this.deadline) return 'wait'
    if (this.probedAt !== NOT_PROBED) return 'dead'
    this.probedAt = now
    return 'ping'
  }

  /** A ping is going out: remember it, for its pong. The bytes are not copied and must not change. */
  pingSent(payload: Buffer, now: number): void {
    this.pingPayload = payload
    this.pingSentAt = now
  }

  /** A pong came. A pong that answers no ping of ours is legal and says nothing (section 5.5.3). */
  pongReceived(payload: Uint8Array, now: number): void {
    if (this.pingPayload?.equals(payload) !== true) return
    this.rttMs = now - this.pingSentAt
    this.pingPayload = null
  }
}
