import type { Limits } from '../limits.js'
import { Keepalive } from './keepalive.js'

/**
 * What the times of a connection say (docs/backpressure.md): the heartbeat judges silence in both directions, the idle
 * time only bytes of data frames that came. No timer and no clock: times are given.
 */
export class Liveness {
  readonly keepalive: Keepalive
  private readonly idleTimeoutMs: number
  /** When a byte of a data frame came last. */
  private dataAt: number
  private pingCount = 0

  constructor(limits: Limits, now: number) {
    this.keepalive = new Keepalive(limits.heartbeatIntervalMs, limits.heartbeatTimeoutMs, now)
    this.idleTimeoutMs = limits.idleTimeoutMs
    this.dataAt = now
  }

  /** Bytes of a data frame came. */
  dataReceived(now: number): void {
    this.dataAt = now
  }

  /** This side does not read: the peer's silence says nothing. */
  suspend(now: number): void {
    this.keepalive.suspend()
    this.dataAt = now
  }

  /** When the heartbeat or {@link isIdle} has something to say, if nothing comes until then; Infinity for never. */
  get deadline(): number {
    return Math.min(this.keepalive.deadline, this.dataAt + this.idleTimeoutMs)
  }

  /** Whether the idle time is over; if it is, it begins again. */
  isIdle(now: number): boolean {
    // The sum that `deadline` gives: a difference can be rounded to below the timeout at that very time.
    if (now < this.dataAt + this.idleTimeoutMs) return false
    this.dataAt = now
    return true
  }

  /** The payload of the next ping of the heartbeat: a number of its own, four bytes. */
  nextPing(): Buffer {
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32BE(this.pingCount, 0)
    this.pingCount = (this.pingCount + 1) >>> 0
    return payload
  }
}
