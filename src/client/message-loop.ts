import { offAbort, onAbort } from '../socket/abort-listeners.js'
import { checkWaitOptions, type WaitOptions } from '../socket/waiters.js'
import { ConnectionClosedError } from '../errors.js'
import { CloseCode } from '../frame/close-code.js'

/** Ends that are not a failure: iteration just ends. */
export const NORMAL_ENDS: readonly number[] = [
  CloseCode.NORMAL_CLOSURE,
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RECEIVED,
]

/** Whether a connection ended as connections do. */
export const isNormalEnd = ({ closeCode }: ConnectionClosedError): boolean => NORMAL_ENDS.includes(closeCode)

/** What loops read. */
export interface LoopedMessages<Message> {
  /** A loop begins, or ends. */
  beginLoop(): void
  endLoop(): void
  /**
   * Waits for the next message.
   * @param loop whose wait this is: one at a time
   * @throws the reason of {@link leave}; ConnectionClosedError after the last message
   */
  next(within: WaitOptions, loop: object): Promise<Message>
  /** Rejects the wait of a loop, if it waits. */
  leave(loop: object, reason: unknown): void
  /** Whether a loop that meets this error ends quietly. */
  isQuietEnd(error: ConnectionClosedError): boolean
}

/** Whether a loop is over: its caller has left it, or its signal was aborted. */
export let isLeft: (loop: object) => boolean

type Result<Message> = IteratorResult<Message, void>

const done = (): IteratorReturnResult<undefined> => ({ done: true, value: undefined })

/**
 * The messages of a socket, until its connection ends. Not a generator: `return()` of a generator waits until the next message
 * is received.
 */
export class MessageLoop<Message> implements AsyncGenerator<Message, void, undefined> {
  static {
    isLeft = (loop) => #isOver in loop && loop.#isOver
  }

  readonly #messages: LoopedMessages<Message>
  readonly #signal: AbortSignal | undefined
  readonly #within: WaitOptions
  #hasBegun = false
  #isOver = false
  /** The signal was aborted, and no call has thrown its reason yet. */
  #owesReason = false
  /** The wait for the next message. */
  #reading: Promise<Message> | null = null

  /** @throws TypeError or RangeError with the option's name, value and range */
  constructor(messages: LoopedMessages<Message>, options: WaitOptions) {
    checkWaitOptions(options)
    const { signal, timeoutMs } = options
    this.#messages = messages
    this.#signal = signal
    this.#within = { timeoutMs }
  }

  async next(): Promise<Result<Message>> {
    while (this.#reading !== null) await this.#reading.catch(() => undefined)
    if (!this.#hasBegun) this.#begin()
    if (this.#isOver) return this.#endOfLoop()
    try {
      const reading = this.#messages.next(this.#within, this)
      this.#reading = reading
      const value = await reading
      this.#reading = null
      return { done: false, value }
    } catch (error) {
      this.#reading = null
      if (this.#isOver) return this.#endOfLoop()
      this.#end()
      if (error instanceof ConnectionClosedError && this.#messages.isQuietEnd(error)) return done()
      throw error
    }
  }

  async return(value?: void | PromiseLike<void>): Promise<Result<Message>> {
    this.#leave()
    this.#owesReason = false
    await value
    return done()
  }

  throw(error: unknown): Promise<Result<Message>> {
    this.#leave()
    this.#owesReason = false
    return Promise.reject(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #begin(): void {
    this.#hasBegun = true
    if (this.#isOver) return
    if (this.#signal?.aborted === true) {
      this.#isOver = true
      this.#owesReason = true
      return
    }
    this.#messages.beginLoop()
    if (this.#signal !== undefined) onAbort(this.#signal, this.#aborted)
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (!this.#hasBegun) return
    this.#messages.endLoop()
    if (this.#signal !== undefined) offAbort(this.#signal, this.#aborted)
  }

  #leave(): void {
    this.#end()
    this.#messages.leave(this, undefined)
  }

  #endOfLoop(): Result<Message> {
    if (!this.#owesReason) return done()
    this.#owesReason = false
    throw this.#signal?.reason
  }

  readonly #aborted = (): void => {
    this.#owesReason = true
    this.#leave()
  }
}
