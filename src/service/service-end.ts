import { isThenable } from '../check.js'
import type { CloseInfo } from '../connection/events.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'

/** The dispatcher, as the end of a service needs it. */
export interface EndOwner {
  /** Whether a handler still runs, or a reply still waits for room. */
  readonly isWorking: boolean
  /** The time for handlers is up: waiting messages are dropped. */
  handleTimeUp(): void
  /** Calls `onClose`. @returns what it returned */
  callOnClose(info: CloseInfo): unknown
  handlerFailed(error: unknown): void
  /** `onClose` is done. */
  handleEnded(): void
}

/**
 * The end of one connection for its handlers: `onClose`, once and last. It waits until the handlers of all received messages
 * are done, `closeTimeoutMs` at most.
 */
export class ServiceEnd implements Timed {
  timerSlot = -1
  /** Whether `onClose` is done. */
  isDone = false
  /** Whether `onClose` was called. */
  isCalled = false
  /** Whether all events were pulled, up to the end. */
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
   * @param timeLeftMs milliseconds left until the deadline that a caller set for the whole end
   */
  begin(info: CloseInfo, timeLeftMs: number): void {
    this.info = info
    this.callIfDone()
    if (!this.isCalled) timerWheel.schedule(this, monotonicNow() + Math.min(this.timeoutMs, timeLeftMs))
  }

  /** All events were pulled. */
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
