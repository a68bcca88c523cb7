import type { CloseInfo } from '../connection/events.js'
import { isThenable } from '../socket/no-reply.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'

/** What the end of a service asks of its dispatcher. */
export interface EndOwner {
  /** Whether a handler, or a reply that waits for room, is still under way. */
  readonly isWorking: boolean
  /** Handlers had their time: what waits for them is dropped. */
  handleTimeUp(): void
  /** Calls `onClose`. @returns what it returned */
  callOnClose(info: CloseInfo): unknown
  handlerFailed(error: unknown): void
  /** `onClose` is done. */
  handleEnded(): void
}

/**
 * The end of one connection as its handlers see it: `onClose`, once and last. It waits for the handlers of all messages that
 * were received, `closeTimeoutMs` at most.
 */
export class ServiceEnd implements Timed {
  timerSlot = -1
  /** Whether `onClose` is done. */
  isDone = false
  /** Whether `onClose` was called. */
  isCalled = false
  /** Whether all that was received was pulled, up to the end. */
  private isPulled = false
  private isTimeUp = false
  private info: CloseInfo | null = null
  private readonly owner: EndOwner
  private readonly timeoutMs: number

  constructor(timeoutMs: number, owner: EndOwner) {
    this.timeoutMs = timeoutMs
    this.owner = owner
  }

  /**
   * The connection is over.
   * @param timeLeftMs what is left of the total that the caller gave its end
   */
  begin(info: CloseInfo, timeLeftMs: number): void {
    this.info = info
    this.callIfDone()
    if (!this.isCalled) timerWheel.schedule(this, monotonicNow() + Math.min(this.timeoutMs, timeLeftMs))
  }

  /** Nothing more is to be pulled. */
  pulled(): void {
    this.isPulled = true
    this.callIfDone()
  }

  timeIsUp(): void {
    this.isTimeUp = true
    this.owner.handleTimeUp()
    this.callIfDone()
  }

  callIfDone(): void {
    if (this.info === null || !this.isPulled || this.isCalled) return
    if (this.owner.isWorking && !this.isTimeUp) return
    this.isCalled = true
    timerWheel.cancel(this)
    let result: unknown
    try {
      result = this.owner.callOnClose(this.info)
    } catch (error) {
      this.owner.handlerFailed(error)
    }
    if (isThenable(result)) void this.finishLater(result)
    else this.finish()
  }

  private async finishLater(result: PromiseLike<unknown>): Promise<void> {
    try {
      await result
    } catch (error) {
      this.owner.handlerFailed(error)
    }
    this.finish()
  }

  private finish(): void {
    this.isDone = true
    this.owner.handleEnded()
  }
}
