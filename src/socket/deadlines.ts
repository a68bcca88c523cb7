import type { Connection } from '../connection/connection.js'
import type { Limits } from '../limits.js'
import { ClosingTimes } from './closing-times.js'
import type { OutputFlow } from './output-flow.js'
import { timerWheel, type Timed } from '../transport/timer-wheel.js'

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
  private readonly limits: Limits
  /** When the wheel calls; -Infinity: the connection is over. */
  private dueAt = Infinity
  private lazyClosing: ClosingTimes | null = null

  /** @param timed called when something is due */
  constructor(timed: Timed, connection: Connection, flow: OutputFlow, limits: Limits) {
    this.timed = timed
    this.connection = connection
    this.flow = flow
    this.limits = limits
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
    if (!this.isOver) this.schedule(this.closing.answerLater())
  }

  /**
   * The caller closes.
   * @param timeoutMs the whole time that the end may take, of several the shortest; undefined: `closeTimeoutMs` counts
   */
  endWithin(timeoutMs: number | undefined): void {
    if (!this.isOver) this.schedule(this.closing.endWithin(timeoutMs))
  }

  /** The connection closes: from now on it has to move, or is cut. Once. */
  beginClosing(): void {
    if (this.isOver) return
    const { closing } = this
    if (closing.hasBegun) return
    this.schedule(closing.begin(this.connection.receivedDataBytes))
    if (this.flow.isBlocked) this.watchOutput()
  }

  /** What is left of the total that a caller gave the end; Infinity: there is none. */
  get timeLeftMs(): number {
    return this.lazyClosing === null ? Infinity : this.lazyClosing.timeLeftMs
  }

  /** Says what is due. Called when the wheel calls; {@link reschedule} follows. */
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

  /** Whatever asks comes too late. */
  private get isOver(): boolean {
    return this.dueAt === -Infinity
  }

  /** Made when the end is near. */
  private get closing(): ClosingTimes {
    this.lazyClosing ??= new ClosingTimes(this.limits.closeTimeoutMs)
    return this.lazyClosing
  }

  private get judgesOutputMs(): number {
    return this.lazyClosing?.isJudged === true ? this.limits.closeTimeoutMs : Infinity
  }
}
