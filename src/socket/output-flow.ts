import { ConnectionClosedError, LimitError } from '../errors.js'
import type { Connection } from '../connection/connection.js'
import { HELD_PAYLOAD_BYTES } from '../connection/held-payload.js'
import { plainOutputOf } from '../connection/shared-output.js'
import { batch } from '../connection/text-batch.js'
import type { Limits } from '../limits.js'
import { MIN_LOOK_MS, nextLookMs, OutputProgress } from './output-progress.js'
import { monotonicNow } from '../transport/timer-wheel.js'
import { SLICE_BYTES } from '../transport/stream-transport.js'
import type { Transport } from '../transport/transport.js'
import { Waiters, type WaitOptions } from './waiters.js'

/** A stream may write asynchronously although the system has room: output that waited longer than this waited for the peer. */
const ASYNC_WRITE_MS = 100

/** A message that a caller waits for: all bytes up to its end; Infinity while it waits for a compression. */
interface WriteMark {
  at: number
}

/** How many connections of this thread have output that their system did not take. */
export const blocked = { count: 0 }

/** Calls that wait for output to leave. */
class OutputWaiters {
  readonly room = new Waiters<void>()
  readonly writes = new Waiters<void, WriteMark>()
}

/**
 * Moves output from a connection to its transport, one piece at a time, and watches its progress. While the transport has
 * no room, output waits in the connection, where it is counted and can be dropped.
 */
export class OutputFlow {
  /** The transport holds bytes that the system did not take. */
  isBlocked = false
  /** As {@link messagesSent}, without those that are put off. */
  sentCount = 0
  private readonly connection: Connection
  private readonly transport: Transport
  private readonly limits: Limits
  private writtenBytes = 0
  private lazyProgress: OutputProgress | null = null
  /** Made when a call waits first. */
  private waiters: OutputWaiters | null = null

  constructor(connection: Connection, transport: Transport, limits: Limits) {
    this.connection = connection
    this.transport = transport
    this.limits = limits
  }

  /** The number of messages that were taken for sending. */
  get messagesSent(): number {
    batch.shared?.encodeBatch()
    return this.sentCount
  }

  /**
   * Whether a message may go around the queue: as it is, by a write that never throws, and below the mark above which the
   * caller is told, together with the largest that is put off.
   */
  get sharesOutput(): boolean {
    const { connection, transport, limits } = this
    if (!transport.freesAtOnce || !transport.blocksOnPeer) return false
    return limits.highWaterMarkBytes >= HELD_PAYLOAD_BYTES && plainOutputOf(connection) !== null
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
      const held = connection.takeHeld()
      this.writtenBytes += held === null ? bytes.length : bytes.length + held.length
      const isTaken = transport.write(bytes, held)
      if (isTaken && transport.freesAtOnce) connection.recycleOutput()
      else connection.forgetOutput(transport.freesAtOnce)
      if (isTaken) continue
      if (!this.isBlocked) this.block()
      if (!(isUrgent && this.hasRoom)) break
    }
    this.settleWrites()
    return this.isBlocked && !wasBlocked
  }

  /** Whether the transport takes a write: it holds nothing. */
  get isFree(): boolean {
    return !this.isBlocked && !this.transport.isDestroyed
  }

  /**
   * Writes bytes that are in no queue. {@link isFree}, and the queue is empty.
   * @returns whether the transport began to hold bytes
   */
  writeAtOnce(bytes: Buffer): boolean {
    this.writtenBytes += bytes.length
    if (!this.transport.write(bytes, null)) this.block()
    this.settleWrites()
    return this.isBlocked
  }

  /** Whether the transport has room for urgent output: it holds nothing, or little. */
  get hasRoom(): boolean {
    const { transport } = this
    // So few pending bytes do not keep a large message waiting.
    return (
      transport.hasRoom && transport.pendingBytes <= Math.min(SLICE_BYTES, this.limits.maxBufferedOutputBytes)
    )
  }

  /**
   * The system took output that the transport held.
   * @param isAll whether it took all of it
   * @returns whether the transport takes output again
   */
  unblock(isAll: boolean): boolean {
    const isFree = isAll && this.isBlocked
    if (isFree) this.unblocked()
    this.settleWrites()
    return isFree
  }

  /** Waits for {@link drained}. */
  untilDrained(options: WaitOptions): Promise<void> {
    return this.lazyWaiters.room.wait(options)
  }

  /** There is room for messages. */
  drained(): void {
    this.waiters?.room.resolveAll()
  }

  /**
   * Waits until the system took the last message that was queued.
   * @throws the reason of {@link failWaiters}, if it is called before; the signal's reason; a `TimeoutError`
   */
  untilTaken(options: WaitOptions): Promise<void> {
    const mark: WriteMark = { at: Infinity }
    this.connection.whenFramed((outputBytes) => {
      mark.at = this.writtenBytes + outputBytes
    })
    const taken = this.lazyWaiters.writes.wait(options, mark)
    this.settleWrites()
    return taken
  }

  /** The output that waits is dropped, because the peer is too slow. @returns why */
  dropForSlowPeer(): LimitError {
    const error = this.slowPeer()
    this.waiters?.writes.rejectAll(new ConnectionClosedError(error.closeCode, error.message, error), true)
    return error
  }

  /** The error of a message that is not taken, because too many bytes wait. */
  slowPeer(): LimitError {
    const waiting = this.connection.bufferedBytes + this.transport.pendingBytes
    return new LimitError('HAWSER_SLOW_CONSUMER', this.limits.maxBufferedOutputBytes, waiting)
  }

  /** The transport is over: what it holds waits for nothing. */
  over(): void {
    if (!this.isBlocked) return
    // A stream of the caller's own making may still tell that it took them.
    this.isBlocked = false
    blocked.count--
  }

  /** Whether a call waits that {@link failWaiters} would tell. */
  get isWaitedFor(): boolean {
    return this.waiters !== null
  }

  /** The connection is over. */
  failWaiters(error: ConnectionClosedError): void {
    this.waiters?.room.rejectAll(error)
    this.waiters?.writes.rejectAll(error, true)
  }

  private settleWrites(): void {
    if (this.waiters === null || this.transport.hasFailed) return
    const { takenBytes } = this
    this.waiters.writes.resolveWhile(({ at }) => at <= takenBytes, undefined)
  }

  private get lazyWaiters(): OutputWaiters {
    this.waiters ??= new OutputWaiters()
    return this.waiters
  }

  private unblocked(): void {
    const now = monotonicNow()
    this.isBlocked = false
    blocked.count--
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

  /** Whether the last check found no answer yet: the next one is soon. Nothing is judged before it, neither output nor the heartbeat. */
  get isAsking(): boolean {
    return this.lazyProgress?.isAsking === true
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
    if (this.isAsking) return now + MIN_LOOK_MS
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
    blocked.count++
    this.connection.setBlocked(true)
    this.progress.block(monotonicNow(), this.takenBytes)
  }
}
