import type { Connection } from '../connection/connection.js'
import type { Limits } from '../limits.js'
import { MIN_PROGRESS_BYTES, nextLookMs, type OutputFlow } from './output-flow.js'
import { monotonicNow, timerWheel, type Timed } from './timer-wheel.js'

/** What the time says of one connection. */
export type Verdict = 'nothing' | 'stalled' | 'notClosed' | 'answerClose'

/**
 * The times of one connection that are not its engine's: output that stalls, the answer to the peer's Close frame, and the
 * end (docs/backpressure.md). All of them wait in one place of the timer wheel, for the earliest.
 */
export class Deadlines {
  private readonly timed: Timed
  private readonly connection: Connection
  private readonly flow: OutputFlow
  private readonly closeTimeoutMs: number
  /** When the wheel calls. */
  private dueAt = Infinity
  /** The total that a caller gave the end, and whether it stands in place of `closeTimeoutMs`. */
  private endAt = Infinity
  private isTotal = false
  private isSoft = false
  /** When the peer's Close frame is answered, whatever runs. */
  private answerAt = Infinity
  /** When the end began, or last moved; -Infinity: it has not begun. */
  private closingAt = -Infinity
  private closingDataBytes = 0
  private isKeepingAlive = false

  /** @param timed called when something is due */
  constructor(timed: Timed, connection: Connection, flow: OutputFlow, limits: Limits) {
    this.timed = timed
    this.connection = connection
    this.flow = flow
    this.closeTimeoutMs = limits.closeTimeoutMs
  }

  /** Calls at this time at the latest. */
  schedule(at: number): void {
    if (at >= this.dueAt) return
    this.dueAt = at
    timerWheel.schedule(this.timed, at)
  }

  /** Output waits for the peer: looks at it now and then. */
  watchOutput(): void {
    this.schedule(this.flow.nextLookAt(this.flow.progressAt, this.judgesOutputMs))
  }

  /** The peer's Close frame came, and handlers still work for it. */
  answerCloseLater(): void {
    // A peer with the same time must not give up before the answer.
    this.answerAt = monotonicNow() + this.closeTimeoutMs / 2
    this.keepAlive()
    this.schedule(this.answerAt)
  }

  /**
   * The caller closes.
   * @param timeoutMs the whole time that the end may take, of several the shortest; undefined: `closeTimeoutMs` counts
   */
  endWithin(timeoutMs: number | undefined): void {
    if (timeoutMs === undefined) {
      this.isSoft = true
      this.isTotal = false
      return
    }
    this.isTotal = !this.isSoft
    this.endAt = Math.min(this.endAt, monotonicNow() + timeoutMs)
    this.keepAlive()
    this.schedule(this.endAt)
  }

  /** The connection closes: from now on it has to move, or is cut. Once. */
  beginClosing(): void {
    if (this.closingAt !== -Infinity) return
    this.closingAt = monotonicNow()
    this.closingDataBytes = this.connection.receivedDataBytes
    this.keepAlive()
    this.schedule(Math.min(this.closesAt, this.looksAtClosing(this.closingAt)))
    if (this.flow.isBlocked) this.watchOutput()
  }

  /** What is left of the total that a caller gave the end; Infinity: there is none. */
  get timeLeftMs(): number {
    return this.endAt === Infinity ? Infinity : Math.max(0, this.endAt - monotonicNow())
  }

  /** Says what is due. Called when the wheel calls; {@link reschedule} follows. */
  check(now: number): Verdict {
    this.dueAt = Infinity
    if (now >= this.endAt) return 'notClosed'
    this.flow.look(now, this.closingAt !== -Infinity)
    if (this.flow.isStalled(now)) return 'stalled'
    if (this.closingAt !== -Infinity) {
      this.noteClosingProgress(now)
      if (now >= this.closesAt) return 'notClosed'
    }
    if (now < this.answerAt) return 'nothing'
    this.answerAt = Infinity
    return 'answerClose'
  }

  reschedule(now: number): void {
    const looksAt = Math.min(this.flow.nextLookAt(now, this.judgesOutputMs), this.looksAtClosing(now))
    this.schedule(Math.min(this.connection.nextTickAt, this.endAt, this.answerAt, this.closesAt, looksAt))
  }

  /** The connection is over. */
  end(): void {
    timerWheel.cancel(this.timed)
    // Whatever asks from now on comes too late.
    this.dueAt = -Infinity
    if (this.isKeepingAlive) timerWheel.letGo()
    this.isKeepingAlive = false
  }

  /** The process lives until the end of a connection that closes. */
  private keepAlive(): void {
    if (this.isKeepingAlive || this.dueAt === -Infinity) return
    this.isKeepingAlive = true
    timerWheel.keepAlive()
  }

  /** When the connection is cut if nothing moves until then. */
  private get closesAt(): number {
    return this.closingAt === -Infinity || this.isTotal ? Infinity : this.closingAt + this.closeTimeoutMs
  }

  /** Data frames that come put the end off: they are looked at now and then. */
  private looksAtClosing(now: number): number {
    return this.closesAt === Infinity ? Infinity : now + nextLookMs(this.closeTimeoutMs)
  }

  private get judgesOutputMs(): number {
    return this.closesAt === Infinity ? Infinity : this.closeTimeoutMs
  }

  /** Output that is taken and data frames that come put the end off. */
  private noteClosingProgress(now: number): void {
    this.closingAt = Math.max(this.closingAt, this.flow.progressAt)
    const { receivedDataBytes } = this.connection
    if (receivedDataBytes - this.closingDataBytes < MIN_PROGRESS_BYTES) return
    this.closingDataBytes = receivedDataBytes
    this.closingAt = now
  }
}
