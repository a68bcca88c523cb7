import type { Connection } from '../connection/connection.js'
import type { Limits } from '../limits.js'
import { monotonicNow } from './timer-wheel.js'
import { SLICE_BYTES } from './stream-transport.js'
import type { Transport } from './transport.js'

/** A peer that takes less of what waits than this within a time makes no progress (docs/backpressure.md). */
export const MIN_PROGRESS_BYTES = 1024

/** What waits is looked at this often within each time that judges it: so much later, at most, is a stall found. */
const LOOKS_PER_TIMEOUT = 4
/** Not more often than the timer wheel can tell apart. */
const MIN_LOOK_MS = 16

/** How long to wait until the next look at what a time judges. */
export const nextLookMs = (timeoutMs: number): number => Math.max(timeoutMs / LOOKS_PER_TIMEOUT, MIN_LOOK_MS)

/** A stream may be asynchronous for a moment although the system has room: what waited longer waited for the peer. */
const ASYNC_WRITE_MS = 100

/**
 * Moves output from a connection to its transport, one piece at a time, and knows whether it moves. While the
 * transport has no room, output waits in the connection, where it is counted and can be dropped.
 */
export class OutputFlow {
  /** The transport holds bytes that the system did not take. */
  isBlocked = false
  /** When enough to count was last taken of what waited, or it began to wait. */
  progressAt = -Infinity
  private readonly connection: Connection
  private readonly transport: Transport
  private readonly sendTimeoutMs: number
  /** Two looks in a row must not see the same. */
  private readonly maxAgeMs: number
  /** What is pending and not above this does not keep a large message waiting. */
  private readonly littlePendingBytes: number
  private writtenBytes = 0
  /** What the system had taken at {@link progressAt}. */
  private takenBytes = 0
  /** What the peer had taken when that was looked at; null: not looked at since. */
  private deliveredBytes: number | null = null
  private blockedAt = 0

  constructor(connection: Connection, transport: Transport, limits: Limits) {
    this.connection = connection
    this.transport = transport
    this.sendTimeoutMs = limits.sendTimeoutMs
    this.maxAgeMs = nextLookMs(Math.min(limits.sendTimeoutMs, limits.closeTimeoutMs)) / 2
    this.littlePendingBytes = Math.min(SLICE_BYTES, limits.maxBufferedOutputBytes)
  }

  /**
   * Writes what waits. While the transport still holds what was written before, only what is urgent is written, and only
   * where the transport has room: small messages then leave together.
   * @returns whether this call found that the transport holds bytes, and did not before
   */
  flush(isUrgent: boolean): boolean {
    const { connection, transport } = this
    if (transport.isDestroyed || (this.isBlocked && !(isUrgent && this.hasRoom))) return false
    const wasBlocked = this.isBlocked
    for (;;) {
      const bytes = connection.takeOutput()
      if (bytes === null) break
      this.writtenBytes += bytes.length
      const isTaken = transport.write(bytes)
      if (isTaken && transport.freesAtOnce) connection.recycleOutput()
      else connection.forgetOutput()
      if (isTaken) continue
      if (!this.isBlocked) this.block()
      if (!(isUrgent && this.hasRoom)) break
    }
    return this.isBlocked && !wasBlocked
  }

  /** Whether the transport takes what is urgent: it holds nothing, or little. */
  get hasRoom(): boolean {
    return this.transport.hasRoom && this.transport.pendingBytes <= this.littlePendingBytes
  }

  /** The transport took all that it had. */
  unblock(): void {
    const now = monotonicNow()
    this.isBlocked = false
    this.progressAt = now
    this.connection.setBlocked(false)
    if (this.transport.blocksOnPeer || now - this.blockedAt >= ASYNC_WRITE_MS)
      this.connection.peerTookBytes(now)
  }

  /**
   * Looks how much the system has taken: writes that are large say nothing by themselves before they are done. Where that is
   * too little, looks what the peer took of the system's buffer: it takes nothing more until a large part of that is free.
   * @param isClosing whether what lies in the buffer of the system is judged as well
   */
  look(now: number, isClosing: boolean): void {
    if (!this.isBlocked && !isClosing) return
    const taken = this.writtenBytes - this.transport.pendingBytes
    const isTaken = this.isBlocked && taken - this.takenBytes >= MIN_PROGRESS_BYTES
    if (isTaken) this.deliveredBytes = null
    else if (!this.isDelivered(taken)) return
    this.takenBytes = taken
    this.progressAt = now
    this.connection.peerTookBytes(now)
  }

  /** Whether the peer took enough to count since the first look that asked. */
  private isDelivered(taken: number): boolean {
    const queued = this.transport.queuedBytes(this.maxAgeMs)
    if (queued === null) return false
    const delivered = taken - queued
    const known = this.deliveredBytes ?? delivered
    const isEnough = delivered - known >= MIN_PROGRESS_BYTES
    // It seems to fall where a stream does not tell yet of what the system took.
    this.deliveredBytes = isEnough ? delivered : Math.min(known, delivered)
    return isEnough
  }

  /** Whether the peer has taken too little for too long. */
  isStalled(now: number): boolean {
    return this.isBlocked && now >= this.progressAt + this.sendTimeoutMs
  }

  /**
   * When to look again; Infinity for never.
   * @param timeoutMs the time that judges what waits, besides `sendTimeoutMs`
   */
  nextLookAt(now: number, timeoutMs: number): number {
    if (!this.isBlocked) return Infinity
    return Math.min(
      now + nextLookMs(Math.min(this.sendTimeoutMs, timeoutMs)),
      this.progressAt + this.sendTimeoutMs,
    )
  }

  private block(): void {
    this.isBlocked = true
    this.connection.setBlocked(true)
    this.blockedAt = this.progressAt = monotonicNow()
    this.takenBytes = this.writtenBytes - this.transport.pendingBytes
    this.deliveredBytes = null
  }
}
