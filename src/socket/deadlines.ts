import type { Connection } from '../connection/connection.js'
import type { Limits } from '../limits.js'
import { ClosingTimes } from './closing-times.js'
import type { OutputFlow } from './output-flow.js'
import { TurnLoop } from './turn-loop.js'
import { timerWheel, type Timed } from '../transport/timer-wheel.js'

/** What a deadline of a connection asks for. */
export type Verdict = 'nothing' | 'stalled' | 'notClosed' | 'answerClose'

/**
 * A connection's loop with its deadlines beside those of its engine: output that stalls, the answer to the peer's Close frame,
 * and the end (docs/backpressure.md). They share one entry in the timer wheel, at the earliest of them. A base class and not
 * a part: an object less for each connection.
 */
export abstract class DeadlineLoop extends TurnLoop implements Timed {
  timerSlot = -1
  abstract readonly connection: Connection
  abstract readonly flow: OutputFlow
  protected abstract readonly limits: Limits
  private lazyClosing: ClosingTimes | null = null

  /** See {@link OutputFlow.sharesOutput}. */
  get sharesOutput(): boolean {
    return this.flow.sharesOutput
  }

  /** Called when a deadline is due. */
  abstract timeIsUp(now: number): void

  /** Sees that the timer wheel calls at this time at the latest. */
  protected schedule(at: number): void {
    if (!this.isGone && !timerWheel.isDueBy(this, at)) timerWheel.schedule(this, at)
  }

  /** Output waits for the peer: checks its progress at intervals. */
  watchOutput(): void {
    this.schedule(this.flow.nextLookAt(this.flow.progressAt, this.judgesOutputMs))
  }

  /** The peer's Close frame was received while handlers still run. */
  protected answerCloseLater(): void {
    if (!this.isGone) this.schedule(this.closing.answerLater())
  }

  /**
   * The caller closes.
   * @param timeoutMs how long the whole end may take; the shortest of several counts; undefined: `closeTimeoutMs` counts
   */
  protected endWithin(timeoutMs: number | undefined): void {
    if (!this.isGone) this.schedule(this.closing.endWithin(timeoutMs))
  }

  /** The connection begins to close: bytes have to move from now on, or it is cut. Later calls do nothing. */
  protected beginClosing(): void {
    if (this.isGone) return
    const { closing } = this
    if (closing.hasBegun) return
    this.schedule(closing.begin(this.connection.receivedDataBytes))
    if (this.flow.isBlocked) this.watchOutput()
  }

  /**
   * Bytes were received on a connection that is not open. Where they are discarded, the peer is held back until a later turn of the
   * event loop, so that floods do not take the turn of others; if they are too many, until the end.
   * @param isEnded all output is sent, and the transport's output ended
   * @returns whether the peer is held back
   */
  protected holdsBack(count: number, isEnded: boolean): boolean {
    if (this.connection.transportShouldClose() !== 'now') return false
    if (this.closing.discard(count)) this.waitForTurn(count)
    else if (isEnded) this.schedule(this.closing.holdBack())
    return true
  }

  /** Milliseconds left until the deadline that a caller set for the whole end; Infinity: no caller set one. */
  get timeLeftMs(): number {
    return this.lazyClosing === null ? Infinity : this.lazyClosing.timeLeftMs
  }

  /** Says what is due when the timer wheel calls. The caller calls {@link reschedule} afterwards. */
  protected judge(now: number): Verdict {
    const closing = this.lazyClosing
    if (closing?.isTotalOver(now) === true) return 'notClosed'
    this.flow.look(now, closing?.hasBegun === true)
    // Where the system is still being asked, nobody is judged.
    const isKnown = !this.flow.isAsking
    if (isKnown && this.flow.isStalled(now)) return 'stalled'
    if (closing === null) return 'nothing'
    closing.noteProgress(now, this.flow.progressAt, this.connection.receivedDataBytes)
    if (isKnown && now >= closing.closesAt) return 'notClosed'
    return closing.takeAnswer(now) ? 'answerClose' : 'nothing'
  }

  protected reschedule(now: number): void {
    const looksAt = this.flow.nextLookAt(now, this.judgesOutputMs)
    const closingAt = this.lazyClosing === null ? Infinity : this.lazyClosing.dueAt(now)
    this.schedule(Math.min(this.connection.nextTickAt, looksAt, closingAt))
  }

  /** The connection is over. */
  protected endDeadlines(): void {
    timerWheel.cancel(this)
    this.endTurns()
    this.flow.over()
    this.lazyClosing?.letGo()
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
