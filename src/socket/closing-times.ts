import { MIN_PROGRESS_BYTES, nextLookMs } from './output-progress.js'
import { monotonicNow, timerWheel } from '../transport/timer-wheel.js'

/**
 * After a failure the peer's bytes are read and discarded, so that no reset overtakes the Close frame. This is more than is usually
 * on its way by then. A peer that sends still more is held back by TCP: a flood is not read for the sake of its end.
 */
const MAX_DISCARDED_BYTES = 4 * 1024 * 1024
/**
 * A peer that is held back so has this long, from the end of the output, to read what was sent. Its FIN cannot be seen, and
 * it cannot answer the Close frame, so that there is nothing to wait for, whatever `closeTimeoutMs` is.
 */
const HELD_BACK_MS = 1_000

/** The deadlines of a connection that is about to end: `closeTimeoutMs`, and those that callers gave (docs/backpressure.md). */
export class ClosingTimes {
  private readonly timeoutMs: number
  /** The deadline that a caller set for the whole end, and whether it replaces `closeTimeoutMs`. */
  private endAt = Infinity
  private isTotal = false
  private isSoft = false
  /** When the peer's Close frame is answered, even while handlers still run. */
  private answerAt = Infinity
  /** When the end began, or when bytes last moved during it; -Infinity: the end has not begun. */
  private movedAt = -Infinity
  private dataBytes = 0
  private discardedBytes = 0
  /** When a peer that is held back is cut. */
  private cutAt = Infinity
  private isKeepingAlive = false

  /** @param timeoutMs `closeTimeoutMs` */
  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
  }

  /** Whether the connection is closing, so that bytes have to move. */
  get hasBegun(): boolean {
    return this.movedAt !== -Infinity
  }

  /** Whether `closeTimeoutMs` cuts a connection that does not move. */
  get isJudged(): boolean {
    return this.hasBegun && !this.isTotal
  }

  /** When the connection is cut if nothing moves until then; Infinity for never. */
  get closesAt(): number {
    return this.isJudged ? this.movedAt + this.timeoutMs : Infinity
  }

  /** Milliseconds left until the deadline that a caller set for the whole end; Infinity: no caller set one. */
  get timeLeftMs(): number {
    return this.endAt === Infinity ? Infinity : Math.max(0, this.endAt - monotonicNow())
  }

  /** The peer's Close frame was received while handlers still run. @returns when it is answered at the latest */
  answerLater(): number {
    // A peer with the same timeout must not give up before it gets the answer.
    this.answerAt = monotonicNow() + this.timeoutMs / 2
    this.keepAlive()
    return this.answerAt
  }

  /**
   * The caller closes.
   * @param timeoutMs how long the whole end may take; the shortest of several counts; undefined: `closeTimeoutMs` counts
   * @returns when the connection is cut even if bytes move; Infinity for never
   */
  endWithin(timeoutMs: number | undefined): number {
    if (timeoutMs === undefined) {
      this.isSoft = true
      this.isTotal = false
      return Infinity
    }
    this.isTotal = !this.isSoft
    this.endAt = Math.min(this.endAt, monotonicNow() + timeoutMs)
    this.keepAlive()
    return this.endAt
  }

  /**
   * The connection begins to close. Called once.
   * @param dataBytes bytes of data frames received so far
   * @returns when to check it
   */
  begin(dataBytes: number): number {
    this.movedAt = monotonicNow()
    this.dataBytes = dataBytes
    this.keepAlive()
    return this.dueAt(this.movedAt)
  }

  isTotalOver(now: number): boolean {
    return now >= this.endAt || now >= this.cutAt
  }

  /**
   * Postpones the end while the system takes output or data frames arrive.
   * @param outputAt when the system last took enough output
   */
  noteProgress(now: number, outputAt: number, dataBytes: number): void {
    if (!this.hasBegun) return
    this.movedAt = Math.max(this.movedAt, outputAt)
    if (dataBytes - this.dataBytes < MIN_PROGRESS_BYTES) return
    this.dataBytes = dataBytes
    this.movedAt = now
  }

  /** Bytes were discarded. @returns whether the peer may be read on; if not, TCP holds it back until the end */
  discard(count: number): boolean {
    this.discardedBytes += count
    return this.discardedBytes <= MAX_DISCARDED_BYTES
  }

  /** All output is sent, and the peer is held back. @returns when it is cut */
  holdBack(): number {
    if (this.cutAt === Infinity) this.cutAt = monotonicNow() + Math.min(HELD_BACK_MS, this.timeoutMs)
    return this.cutAt
  }

  /** Whether it is time to answer the peer's Close frame. Says so once. */
  takeAnswer(now: number): boolean {
    if (now < this.answerAt) return false
    this.answerAt = Infinity
    return true
  }

  /** When the next of these deadlines is due, or the next check. */
  dueAt(now: number): number {
    const looksAt = this.isJudged ? now + nextLookMs(this.timeoutMs) : Infinity
    return Math.min(this.endAt, this.cutAt, this.answerAt, this.closesAt, looksAt)
  }

  /** The connection is over. */
  letGo(): void {
    if (this.isKeepingAlive) timerWheel.letGo()
    this.isKeepingAlive = false
  }

  /** Keeps the process alive until a closing connection has ended. */
  private keepAlive(): void {
    if (this.isKeepingAlive) return
    this.isKeepingAlive = true
    timerWheel.keepAlive()
  }
}
