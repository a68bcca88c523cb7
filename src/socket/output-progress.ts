import type { Limits } from '../limits.js'
import type { Transport } from '../transport/transport.js'

/** A peer that takes fewer bytes of the waiting output than this within a timeout makes no progress (docs/backpressure.md). */
export const MIN_PROGRESS_BYTES = 1024

/** Waiting output is checked this often within each timeout: a stall is found a quarter of the timeout late, at most. */
const LOOKS_PER_TIMEOUT = 4
/** The resolution of the timer wheel. */
export const MIN_LOOK_MS = 16

/** How long to wait until the next check, in milliseconds. */
export const nextLookMs = (timeoutMs: number): number => Math.max(timeoutMs / LOOKS_PER_TIMEOUT, MIN_LOOK_MS)

/** Watches whether waiting output moves. Created for a connection whose output had to wait, or that is closing. */
export class OutputProgress {
  /** When the system last took enough of the waiting output, or when output began to wait. */
  at = -Infinity
  private readonly transport: Transport
  private readonly limits: Limits
  /** Bytes that the system had taken at {@link at}. */
  private takenBytes = 0
  /** Bytes that the peer had acknowledged at the first check since {@link at}; null: not checked since. */
  private deliveredBytes: number | null = null
  private blockedAt = 0
  /** When the system was asked what the peer acknowledged; null: there is no answer to wait for. */
  private askedAt: number | null = null

  constructor(transport: Transport, limits: Limits) {
    this.transport = transport
    this.limits = limits
  }

  /** Output begins to wait. @param takenBytes bytes that were written and that the system has taken */
  block(now: number, takenBytes: number): void {
    this.blockedAt = this.at = now
    this.takenBytes = takenBytes
    this.deliveredBytes = this.askedAt = null
  }

  /** Whether the system is still being asked. */
  get isAsking(): boolean {
    return this.askedAt !== null
  }

  /** No output waits any more. @returns how long output waited, in milliseconds */
  unblock(now: number): number {
    this.at = now
    this.askedAt = null
    return now - this.blockedAt
  }

  /**
   * Checks how many bytes the system has taken: a large write reports nothing before it is done. If that is too little, checks
   * what the peer acknowledged: a full system buffer takes nothing more until a large part of it is free.
   * @returns whether it was enough to count as progress
   */
  look(now: number, isBlocked: boolean, takenBytes: number): boolean {
    const isTaken = isBlocked && takenBytes - this.takenBytes >= MIN_PROGRESS_BYTES
    if (isTaken) this.deliveredBytes = this.askedAt = null
    else if (!this.isDelivered(now, takenBytes)) return false
    this.takenBytes = takenBytes
    this.at = now
    return true
  }

  /** Whether the peer acknowledged enough since the first check. */
  private isDelivered(now: number, takenBytes: number): boolean {
    const { sendTimeoutMs, closeTimeoutMs } = this.limits
    const { askedAt } = this
    // Two checks in a row must not see the same reading; a reading that is waited for ends after the question.
    const maxAgeMs =
      askedAt === null ? nextLookMs(Math.min(sendTimeoutMs, closeTimeoutMs)) / 2 : now - askedAt
    const queued = this.transport.queuedBytes(maxAgeMs)
    this.askedAt = queued === 'asking' ? (askedAt ?? now) : null
    if (queued === 'asking' || queued === null) return false
    const delivered = takenBytes - queued
    // A first answer that was waited for may come when the time is over: it is judged by the next.
    if (this.deliveredBytes === null && askedAt !== null) this.askedAt = now
    const known = this.deliveredBytes ?? delivered
    const isEnough = delivered - known >= MIN_PROGRESS_BYTES
    // The number can seem to fall while a stream has not reported yet what the system took.
    this.deliveredBytes = isEnough ? delivered : Math.min(known, delivered)
    return isEnough
  }
}
