import { MIN_PROGRESS_BYTES, nextLookMs } from './output-progress.js'
import { monotonicNow, timerWheel } from '../transport/timer-wheel.js'

/** The times of a connection whose end is near: those that callers gave, and `closeTimeoutMs` (docs/backpressure.md). */
export class ClosingTimes {
  private readonly timeoutMs: number
  /** The total that a caller gave the end, and whether it stands in place of `closeTimeoutMs`. */
  private endAt = Infinity
  private isTotal = false
  private isSoft = false
  /** When the peer's Close frame is answered, whatever runs. */
  private answerAt = Infinity
  /** When the end began, or last moved; -Infinity: it has not begun. */
  private movedAt = -Infinity
  private dataBytes = 0
  private isKeepingAlive = false

  /** @param timeoutMs `closeTimeoutMs` */
  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
  }

  /** Whether the connection closes, and so has to move. */
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

  /** What is left of the total that a caller gave the end; Infinity: there is none. */
  get timeLeftMs(): number {
    return this.endAt === Infinity ? Infinity : Math.max(0, this.endAt - monotonicNow())
  }

  /** The peer's Close frame came, and handlers still work for it. @returns when it is answered at the latest */
  answerLater(): number {
    // A peer with the same time must not give up before the answer.
    this.answerAt = monotonicNow() + this.timeoutMs / 2
    this.keepAlive()
    return this.answerAt
  }

  /**
   * The caller closes.
   * @param timeoutMs the whole time that the end may take, of several the shortest; undefined: `closeTimeoutMs` counts
   * @returns when the connection is cut, whatever moves; Infinity for never
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
   * The connection closes. Once.
   * @param dataBytes bytes of data frames that came until now
   * @returns when to look at it
   */
  begin(dataBytes: number): number {
    this.movedAt = monotonicNow()
    this.dataBytes = dataBytes
    this.keepAlive()
    return this.dueAt(this.movedAt)
  }

  isTotalOver(now: number): boolean {
    return now >= this.endAt
  }

  /**
   * Output that is taken and data frames that come put the end off.
   * @param outputAt when enough output was taken
   */
  noteProgress(now: number, outputAt: number, dataBytes: number): void {
    if (!this.hasBegun) return
    this.movedAt = Math.max(this.movedAt, outputAt)
    if (dataBytes - this.dataBytes < MIN_PROGRESS_BYTES) return
    this.dataBytes = dataBytes
    this.movedAt = now
  }

  /** Whether the peer's Close frame is to be answered now. */
  takeAnswer(now: number): boolean {
    if (now < this.answerAt) return false
    this.answerAt = Infinity
    return true
  }

  /** When something of this is due, or to be looked at. */
  dueAt(now: number): number {
    const looksAt = this.isJudged ? now + nextLookMs(this.timeoutMs) : Infinity
    return Math.min(this.endAt, this.answerAt, this.closesAt, looksAt)
  }

  /** The connection is over. */
  letGo(): void {
    if (this.isKeepingAlive) timerWheel.letGo()
    this.isKeepingAlive = false
  }

  /** The process lives until the end of a connection that closes. */
  private keepAlive(): void {
    if (this.isKeepingAlive) return
    this.isKeepingAlive = true
    timerWheel.keepAlive()
  }
}
