import type { Connection } from '../connection/connection.js'
import type { Limits } from '../limits.js'
import { ClosingTimes } from './closing-times.js'
import type { OutputFlow } from './output-flow.js'
import { inputTurns, LARGE_CHUNK_BYTES } from './input-turns.js'
import { Hold, RunLoop } from './run-loop.js'
import { timerWheel, type Timed } from '../transport/timer-wheel.js'

/** What a deadline of a connection asks for. */
export type Verdict = 'nothing' | 'stalled' | 'notClosed' | 'answerClose'

/**
 * A connection's loop with its deadlines beside those of its engine: output that stalls, the answer to the peer's Close frame,
 * and the end (docs/backpressure.md). They share one entry in the timer wheel, at the earliest of them. A base class and not
 * a part: an object less for each connection.
 */
export abstract class DeadlineLoop extends RunLoop implements Timed {
  timerSlot = -1
  abstract readonly connection: Connection
  abstract readonly flow: OutputFlow
  protected abstract readonly limits: Limits
  private lazyClosing: ClosingTimes | null = null
  /** The next {@link flush} pulls as well. */
  protected mustPull = false
  /** Whether anything was received after the handshake. */
  private hasReceived = false

  /** See {@link OutputFlow.sharesOutput}. */
  get sharesOutput(): boolean {
    return this.flow.sharesOutput
  }

  /** Writes, and pulls if {@link mustPull}. */
  abstract flush(): void

  /** Others had their turn: pulls, and reads on. */
  takeTurn(): void {
    this.release(Hold.TURN)
    this.mustPull = true
    this.flush()
  }

  /** Much input came at once: others get their turn before this connection is read on. @param length of its last chunk */
  protected waitForTurn(length: number): void {
    if (this.isGone) return
    this.holdBy(Hold.TURN)
    inputTurns.add(this, length)
  }

  /**
   * A chunk was handled.
   * @param now when it was received
   * @param isEnded see {@link holdsBack}
   * @returns whether the connection waits for a later turn, or its peer is held back
   */
  protected waitsAfter(length: number, now: number, isOpen: boolean, isEnded: boolean): boolean {
    const isFirst = !this.hasReceived
    this.hasReceived = true
    const isOver = length >= LARGE_CHUNK_BYTES && inputTurns.noteLarge(length, now, isFirst)
    if (!isOpen && this.holdsBack(length, isEnded)) return true
    if (isOver) this.waitForTurn(length)
    return isOver
  }

  /** The handlers always cause more work: others get their turn. */
  protected runLater(): void {
    setImmediate(() => {
      this.mustPull = true
      this.flush()
    })
  }

  /** Called when a deadline is due. */
  abstract timeIsUp(now: number): void

  /** Whether the connection is over, so that nothing is scheduled any more. */
  protected abstract get isGone(): boolean

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
  private holdsBack(count: number, isEnded: boolean): boolean {
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
    inputTurns.remove(this)
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
