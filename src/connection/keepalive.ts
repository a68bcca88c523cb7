/** Stands for "no unanswered ping of the heartbeat". It is not a time of any clock. */
const NOT_PROBED = -Infinity
/** The payload of a ping of the heartbeat is a serial number. */
const SERIAL_BYTES = 4

/**
 * Decides when to ping a peer and when to give it up (RFC 6455 section 5.5.2). It has no timer and no clock: the
 * caller passes times in milliseconds, all from the same monotonic clock.
 */
export class Keepalive {
  /** The round trip of the last answered ping, in milliseconds; undefined before the first. */
  rttMs: number | undefined
  private readonly intervalMs: number
  private readonly timeoutMs: number
  private aliveAt: number
  /** When the first and the last ping of the current silence were sent. */
  private firstProbeAt = NOT_PROBED
  private lastProbeAt = NOT_PROBED
  /** The payload of the last ping: its pong gives the round trip. One of 4 bytes, as those of the heartbeat are, is a number. */
  private pingPayload: Buffer | number | null = null
  private pingSentAt = 0
  private pingCount = 0

  /**
   * @param intervalMs send a ping when nothing has been received for this long, and again after each interval;
   *   Infinity for never
   * @param timeoutMs give the peer up this long after the first unanswered ping; Infinity for never
   */
  constructor(intervalMs: number, timeoutMs: number, now: number) {
    this.intervalMs = intervalMs
    this.timeoutMs = timeoutMs
    this.aliveAt = now
  }

  /** When the peer last gave a sign of life. */
  get lastAliveAt(): number {
    return this.aliveAt
  }

  /** Reports a sign of life: bytes from the peer, or bytes of this side that the peer made room for. */
  alive(now: number): void {
    this.aliveAt = now
    this.firstProbeAt = NOT_PROBED
  }

  /**
   * Reports that this side does not read, so that silence proves nothing. Pings go on, so that the system notices a
   * peer that is gone.
   */
  suspend(): void {
    this.firstProbeAt = NOT_PROBED
  }

  /** When {@link check} will not return `'wait'`, if there is no sign of life until then; Infinity for never. */
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

  /** Makes the payload of the next ping of the heartbeat: 4 bytes with a serial number. */
  nextPing(): Buffer {
    const payload = Buffer.allocUnsafe(SERIAL_BYTES)
    payload.writeUInt32BE(this.pingCount, 0)
    this.pingCount = (this.pingCount + 1) >>> 0
    return payload
  }

  /** Reports that a ping was sent: its pong gives the round trip. The payload is not copied and must not change. */
  pingSent(payload: Buffer, now: number): void {
    // The Buffer would be the largest part of what the heartbeat of a silent peer holds.
    this.pingPayload = payload.length === SERIAL_BYTES ? payload.readInt32BE() : payload
    this.pingSentAt = now
  }

  /**
   * Reports a received pong. A pong that answers no ping of this side is legal and changes nothing (section 5.5.3). A
   * pong received before the ping was sent is not its answer, even if the payloads are the same.
   */
  pongReceived(payload: Buffer, now: number): void {
    if (now < this.pingSentAt || !this.isAnsweredBy(payload)) return
    this.rttMs = now - this.pingSentAt
    this.pingPayload = null
  }

  private isAnsweredBy(payload: Buffer): boolean {
    const { pingPayload } = this
    if (pingPayload === null) return false
    if (typeof pingPayload === 'object') return pingPayload.equals(payload)
    return payload.length === SERIAL_BYTES && payload.readInt32BE() === pingPayload
  }
}
