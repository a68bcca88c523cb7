import type { Connection } from '../connection/connection.js'
import type { Limits } from '../limits.js'
import { ClosingTimes } from './closing-times.js'
import type { OutputFlow } from './output-flow.js'
import { timerWheel, type Timed } from '../transport/timer-wheel.js'

/** What a deadline of a connection asks for. */
export type Verdict = 'nothing' | 'stalled' | 'notClosed' | 'answerClose'

/**
 * The deadlines of one connection beside those of its engine: output that stalls, the answer to the peer's Close frame, and
 * the end (docs/backpressure.md). They share one entry in the timer wheel, at the earliest of them.
 */
export class Deadlines {
  private readonly timed: Timed
  private readonly connection: Connection
  private readonly flow: OutputFlow
  private readonly limits: Limits
  /** When the timer wheel calls; -Infinity: the connection is over. */
  private dueAt = Infinity
  private lazyClosing: ClosingTimes | null = null

  /** @param timed called when something is due */
  constructor(timed: Timed, connection: Connection, flow: OutputFlow, limits: Limits) {
    this.timed = timed
    this.connection = connection
    this.flow = flow
    this.limits = limits
  }

  /** Sees that the timer wheel calls at this time at the latest. */
  schedule(at: number): void {
    if (at >= this.dueAt) return
    this.dueAt = at
    timerWheel.schedule(this.timed, at)
  }

  /** Output waits for the peer: checks its progress at intervals. */
  watchOutput(): void {
    this.schedule(this.flow.nextLookAt(this.flow.progressAt, this.judgesOutputMs))
  }

  /** The peer's Close frame was received while handlers still run. */
  answerCloseLater(): void {
    if (!this.isOver) this.schedule(this.closing.answerLater())
  }

  /**
   * The caller closes.
   * @param timeoutMs how long the whole end may take; the shortest of several counts; undefined: `closeTimeoutMs` counts
   */
  endWithin(timeoutMs: number | undefined): void {
    if (!this.isOver) this.schedule(this.closing.endWithin(timeoutMs))
  }

  /** The connection begins to close: bytes have to move from now on, or it is cut. Later calls do nothing. */
  beginClosing(): void {
    if (this.isOver) return
    const { closing } = this
    if (closing.hasBegun) return
    this.schedule(closing.begin(this.connection.receivedDataBytes))
    if (this.flow.isBlocked) this.watchOutput()
  }

  /** Milliseconds left until the deadline that a caller set for the whole end; Infinity: no caller set one. */
  get timeLeftMs(): number {
    return this.lazyClosing === null ? Infinity : this.lazyClosing.timeLeftMs
  }

  /** Says what is due when the timer wheel calls. The caller calls {@link reschedule} afterwards. */
  check(now: number): Verdict {
    const closing = this.lazyClosing
    this.dueAt = Infinity
    if (closing?.isTotalOver(now) === true) return 'notClosed'
    this.flow.look(now, closing?.hasBegun === true)
    if (this.flow.isStalled(now)) return 'stalled'
    if (closing === null) return 'nothing'
    closing.noteProgress(now, this.flow.progressAt, this.connection.receivedDataBytes)
    if (now >= closing.closesAt) return 'notClosed'
    return closing.takeAnswer(now) ? 'answerClose' : 'nothing'
  }

  reschedule(now: number): void {
    const looksAt = this.flow.nextLookAt(now, this.judgesOutputMs)
    const closingAt = this.lazyClosing === null ? Infinity : this.lazyClosing.dueAt(now)
    this.schedule(Math.min(this.connection.nextTickAt, looksAt, closingAt))
  }

  /** The connection is over. */
  end(): void {
    timerWheel.cancel(this.timed)
    this.dueAt = -Infinity
    this.lazyClosing?.letGo()
  }

  /** Whether the connection is over, so that nothing is scheduled any more. */
  private get isOver(): boolean {
    return this.dueAt === -Infinity
  }

  /** Created when the end begins. */
  private get closing(): ClosingTimes {
    this.lazyClosing ??= new ClosingTimes(this.limits.closeTimeoutMs)
    return this.lazyClosing
  }

  private get judgesOutputMs(): number {
    return this.lazyClosing?.isJudged === true ? this.limits.closeTimeoutMs : Infinity
  }
}
