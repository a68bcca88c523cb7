import type { Connection } from '../connection/connection.js'
import type { Limits } from '../limits.js'
import { nextLookMs, OutputProgress } from './output-progress.js'
import { monotonicNow } from '../transport/timer-wheel.js'
import { SLICE_BYTES } from '../transport/stream-transport.js'
import type { Transport } from '../transport/transport.js'

/** A stream may be asynchronous for a moment although the system has room: what waited longer waited for the peer. */
const ASYNC_WRITE_MS = 100

/**
 * Moves output from a connection to its transport, one piece at a time, and knows whether it moves. While the
 * transport has no room, output waits in the connection, where it is counted and can be dropped.
 */
export class OutputFlow {
  /** The transport holds bytes that the system did not take. */
  isBlocked = false
  private readonly connection: Connection
  private readonly transport: Transport
  private readonly limits: Limits
  private writtenBytes = 0
  private lazyProgress: OutputProgress | null = null

  constructor(connection: Connection, transport: Transport, limits: Limits) {
    this.connection = connection
    this.transport = transport
    this.limits = limits
  }

  /** When enough to count was last taken of what waited, or it began to wait; -Infinity: nothing ever waited. */
  get progressAt(): number {
    return this.lazyProgress === null ? -Infinity : this.lazyProgress.at
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
    const { transport } = this
    // What is pending and not above this does not keep a large message waiting.
    return (
      transport.hasRoom && transport.pendingBytes <= Math.min(SLICE_BYTES, this.limits.maxBufferedOutputBytes)
    )
  }

  /** The transport took all that it had. */
  unblock(): void {
    const now = monotonicNow()
    this.isBlocked = false
    this.connection.setBlocked(false)
    const waitedMs = this.progress.unblock(now)
    if (this.transport.blocksOnPeer || waitedMs >= ASYNC_WRITE_MS) this.connection.peerTookBytes(now)
  }

  /**
   * Looks whether what waits moves.
   * @param isClosing whether what lies in the buffer of the system is judged as well
   */
  look(now: number, isClosing: boolean): void {
    if (!this.isBlocked && !isClosing) return
    if (this.progress.look(now, this.isBlocked, this.takenBytes)) this.connection.peerTookBytes(now)
  }

  /** Whether the peer has taken too little for too long. */
  isStalled(now: number): boolean {
    return this.isBlocked && now >= this.progressAt + this.limits.sendTimeoutMs
  }

  /**
   * When to look again; Infinity for never.
   * @param timeoutMs the time that judges what waits, besides `sendTimeoutMs`
   */
  nextLookAt(now: number, timeoutMs: number): number {
    if (!this.isBlocked) return Infinity
    const { sendTimeoutMs } = this.limits
    return Math.min(now + nextLookMs(Math.min(sendTimeoutMs, timeoutMs)), this.progressAt + sendTimeoutMs)
  }

  private get progress(): OutputProgress {
    this.lazyProgress ??= new OutputProgress(this.transport, this.limits)
    return this.lazyProgress
  }

  /** What the system has taken of all that was written. */
  private get takenBytes(): number {
    return this.writtenBytes - this.transport.pendingBytes
  }

  private block(): void {
    this.isBlocked = true
    this.connection.setBlocked(true)
    this.progress.block(monotonicNow(), this.takenBytes)
  }
}
