import type { Connection } from '../connection/connection.js'
import type { Limits } from '../limits.js'
import { nextLookMs, OutputProgress } from './output-progress.js'
import { monotonicNow } from '../transport/timer-wheel.js'
import { SLICE_BYTES } from '../transport/stream-transport.js'
import type { Transport } from '../transport/transport.js'

/** A stream may write asynchronously although the system has room: output that waited longer than this waited for the peer. */
const ASYNC_WRITE_MS = 100

/**
 * Moves output from a connection to its transport, one piece at a time, and watches its progress. While the transport has
 * no room, output waits in the connection, where it is counted and can be dropped.
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

  /** When the system last took enough of the waiting output, or when output began to wait; -Infinity: none ever waited. */
  get progressAt(): number {
    return this.lazyProgress === null ? -Infinity : this.lazyProgress.at
  }

  /**
   * Writes the waiting output. While the transport still holds earlier output, it writes only what is urgent, and only if the
   * transport has room: small messages then leave together.
   * @returns whether the transport began to hold bytes during this call
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

  /** Whether the transport has room for urgent output: it holds nothing, or little. */
  get hasRoom(): boolean {
    const { transport } = this
    // So few pending bytes do not keep a large message waiting.
    return (
      transport.hasRoom && transport.pendingBytes <= Math.min(SLICE_BYTES, this.limits.maxBufferedOutputBytes)
    )
  }

  /** The system took all output that the transport held. */
  unblock(): void {
    const now = monotonicNow()
    this.isBlocked = false
    this.connection.setBlocked(false)
    const waitedMs = this.progress.unblock(now)
    if (this.transport.blocksOnPeer || waitedMs >= ASYNC_WRITE_MS) this.connection.peerTookBytes(now)
  }

  /**
   * Checks whether waiting output moves.
   * @param isClosing whether output in the system's buffer is checked as well
   */
  look(now: number, isClosing: boolean): void {
    if (!this.isBlocked && !isClosing) return
    if (this.progress.look(now, this.isBlocked, this.takenBytes)) this.connection.peerTookBytes(now)
  }

  /** Whether the peer has taken too little output within `sendTimeoutMs`. */
  isStalled(now: number): boolean {
    return this.isBlocked && now >= this.progressAt + this.limits.sendTimeoutMs
  }

  /**
   * When to check again; Infinity for never.
   * @param timeoutMs another timeout that watches the waiting output beside `sendTimeoutMs`
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

  /** Bytes that were written and that the system has taken. */
  private get takenBytes(): number {
    return this.writtenBytes - this.transport.pendingBytes
  }

  private block(): void {
    this.isBlocked = true
    this.connection.setBlocked(true)
    this.progress.block(monotonicNow(), this.takenBytes)
  }
}
