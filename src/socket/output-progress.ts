import type { Limits } from '../limits.js'
import type { Transport } from '../transport/transport.js'

/** A peer that takes less of what waits than this within a time makes no progress (docs/backpressure.md). */
export const MIN_PROGRESS_BYTES = 1024

/** What waits is looked at this often within each time that judges it: so much later, at most, is a stall found. */
const LOOKS_PER_TIMEOUT = 4
/** Not more often than the timer wheel can tell apart. */
const MIN_LOOK_MS = 16

/** How long to wait until the next look at what a time judges. */
export const nextLookMs = (timeoutMs: number): number => Math.max(timeoutMs / LOOKS_PER_TIMEOUT, MIN_LOOK_MS)

/** Whether what waits for the peer moves. Made for a connection whose output had to wait, or that closes. */
export class OutputProgress {
  /** When enough to count was last taken of what waited, or it began to wait. */
  at = -Infinity
  private readonly transport: Transport
  private readonly limits: Limits
  /** What the system had taken at {@link at}. */
  private takenBytes = 0
  /** What the peer had taken when that was looked at; null: not looked at since. */
  private deliveredBytes: number | null = null
  private blockedAt = 0

  constructor(transport: Transport, limits: Limits) {
    this.transport = transport
    this.limits = limits
  }

  /** Output begins to wait. @param takenBytes what the system has taken of all that was written */
  block(now: number, takenBytes: number): void {
    this.blockedAt = this.at = now
    this.takenBytes = takenBytes
    this.deliveredBytes = null
  }

  /** Nothing waits any more. @returns how long it did */
  unblock(now: number): number {
    this.at = now
    return now - this.blockedAt
  }

  /**
   * Looks how much the system has taken: writes that are large say nothing by themselves before they are done. Where that is
   * too little, looks what the peer took of the system's buffer: it takes nothing more until a large part of that is free.
   * @returns whether it was enough to count
   */
  look(now: number, isBlocked: boolean, takenBytes: number): boolean {
    const isTaken = isBlocked && takenBytes - this.takenBytes >= MIN_PROGRESS_BYTES
    if (isTaken) this.deliveredBytes = null
    else if (!this.isDelivered(takenBytes)) return false
    this.takenBytes = takenBytes
    this.at = now
    return true
  }

  /** Whether the peer took enough to count since the first look that asked. */
  private isDelivered(takenBytes: number): boolean {
    const { sendTimeoutMs, closeTimeoutMs } = this.limits
    // Two looks in a row must not see the same.
    const queued = this.transport.queuedBytes(nextLookMs(Math.min(sendTimeoutMs, closeTimeoutMs)) / 2)
    if (queued === null) return false
    const delivered = takenBytes - queued
    const known = this.deliveredBytes ?? delivered
    const isEnough = delivered - known >= MIN_PROGRESS_BYTES
    // It seems to fall where a stream does not tell yet of what the system took.
    this.deliveredBytes = isEnough ? delivered : Math.min(known, delivered)
    return isEnough
  }
}
