/** No ping of the heartbeat is unanswered: no time of any clock. */
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
  private aliveAt: number
  /** When the first ping of this silence was sent, and the last one. */
  private firstProbeAt = NOT_PROBED
  private lastProbeAt = NOT_PROBED
  /** The ping whose pong gives the round trip. */
  private pingPayload: Buffer | null = null
  private pingSentAt = 0
  private pingCount = 0

  /**
   * @param intervalMs ping after this much silence, and again after each further interval; Infinity: never
   * @param timeoutMs give up this long after the first ping that nothing answers; Infinity: never
   */
  constructor(intervalMs: number, timeoutMs: number, now: number) {
    this.intervalMs = intervalMs
    this.timeoutMs = timeoutMs
    this.aliveAt = now
  }

  /** When the last sign of life was seen. */
  get lastAliveAt(): number {
    return this.aliveAt
  }

  /** The peer gave a sign of life: any bytes of it, or bytes of ours that it made room for. */
  alive(now: number): void {
    this.aliveAt = now
    this.firstProbeAt = NOT_PROBED
  }

  /** This side does not read: pings go on, so that the system notices a peer that is gone, but silence says nothing. */
  suspend(): void {
    this.firstProbeAt = NOT_PROBED
  }

  /** When {@link check} has something to say, if there is no sign of life until then; Infinity for never. */
  get deadline(): number {
    const pingAt = Math.max(this.aliveAt, this.lastProbeAt) + this.intervalMs
    return this.firstProbeAt === NOT_PROBED ? pingAt : Math.min(pingAt, this.firstProbeAt + this.timeoutMs)
  }

  check(now: number): 'wait' | 'ping' | 'dead' {
    const { firstProbeAt } = this
    if (firstProbeAt !== NOT_PROBED && now >= firstProbeAt + this.timeoutMs) return 'dead'
    if (now < this.deadline) return 'wait'
    this.lastProbeAt = now
    if (firstProbeAt === NOT_PROBED) this.firstProbeAt = now
    return 'ping'
  }

  /** The payload of the next ping of the heartbeat: a number of its own, four bytes. */
  nextPing(): Buffer {
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32BE(this.pingCount, 0)
    this.pingCount = (this.pingCount + 1) >>> 0
    return payload
  }

  /** A ping is sent: its pong gives the round trip. The bytes are not copied and must not change. */
  pingSent(payload: Buffer, now: number): void {
    this.pingPayload = payload
    this.pingSentAt = now
  }

  /**
   * A pong came. A pong that answers no ping of ours is legal and says nothing (section 5.5.3); one that was received
   * before the ping was sent is no answer to it, whatever its payload.
   */
  pongReceived(payload: Uint8Array, now: number): void {
    if (now < this.pingSentAt || this.pingPayload?.equals(payload) !== true) return
    this.rttMs = now - this.pingSentAt
    this.pingPayload = null
  }
}
