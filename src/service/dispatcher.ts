import { toError, type InvalidMessageError } from '../errors.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import { CloseCode } from '../frame/close-code.js'
import type { Limits } from '../limits.js'
import { callOnError, isLoss, isOfTheEnd, reportError } from './handler-errors.js'
import { askWhetherToKeep } from './idle-question.js'
import { Inbox } from './inbox.js'
import { callHandler, handlerNameFor, handlesMessages, type MessageOwner } from './message-calls.js'
import { Replies, type RepliesOwner } from './replies.js'
import { isThenable } from '../socket/no-reply.js'
import { ServiceEnd, type EndOwner } from './service-end.js'
import type { Handlers } from './service.js'
import type { EventSink, Socket } from '../socket/socket.js'

type Observation = Extract<ConnectionEvent, { type: 'ping' | 'pong' }>

/**
 * Calls the handlers of a service: messages one at a time and in order (or `concurrency` of them), everything else at
 * once. While a handler runs, messages wait in a bounded inbox and control frames are served; when the inbox is full,
 * reading stops.
 */
export class Dispatcher<S extends Socket> implements EventSink, MessageOwner<S>, RepliesOwner, EndOwner {
  droppedMessages = 0
  readonly socket: S
  handlers: Handlers<S>
  isCalling = false
  private readonly limits: Limits
  /** Made for the first handler that returns something. */
  private replies: Replies | null = null
  private inbox: Inbox | null = null
  /** Handlers of messages that are under way, those included whose reply waits for room. */
  private running = 0
  /** `onOpen` is under way; and what is observed until it is done. */
  private isOpening = false
  private observations: Observation[] | null = null
  private asksIdle = false
  /** The peer's Close frame came: it is answered when nothing of what came before is left to do. */
  private owesClose = false
  /** What comes is dropped: the connection failed, or the time for handlers is up. */
  private isDropping = false
  /** Made at the end. */
  private end: ServiceEnd | null = null

  constructor(socket: S, handlers: Handlers<S>, limits: Limits) {
    this.socket = socket
    this.handlers = handlers
    this.limits = limits
  }

  /** Other handlers, before the first is called. */
  use(handlers: Handlers<S>): void {
    this.handlers = handlers
  }

  /** Whether messages go to a handler. */
  get handlesMessages(): boolean {
    return handlesMessages(this.handlers)
  }

  /**
   * Calls `onOpen`. Messages wait for it, and so do `onPing` and `onPong`; nothing else does.
   * @param failed gets what it throws, instead of `onError`
   * @returns undefined if it is done, or a promise that never rejects
   */
  open(failed?: (error: unknown) => void): Promise<void> | undefined {
    if (this.handlers.onOpen === undefined) return undefined
    const fail = (error: unknown): void => {
      if (failed === undefined) {
        this.handlerFailed(error)
        return
      }
      this.failConnection()
      failed(error)
    }
    this.isOpening = true
    this.isCalling = true
    let result: unknown
    try {
      result = this.handlers.onOpen(this.socket)
      if (isThenable(result)) return this.finishOpen(result, fail)
    } catch (error) {
      fail(error)
    } finally {
      this.isCalling = false
    }
    this.opened()
    return undefined
  }

  handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      if (this.isDropping) this.drop(1)
      else if (this.isCalling || this.isBusy || (this.inbox !== null && this.inbox.length > 0))
        this.enqueue(event.data)
      else this.deliver(event.data)
      return
    }
    try {
      this.observe(event)
    } catch (error) {
      this.handlerFailed(error)
    }
  }

  handleDrain(): void {
    try {
      this.watch(this.handlers.onDrain?.(this.socket))
    } catch (error) {
      this.handlerFailed(error)
    }
    if (this.replies?.isWaiting !== true) return
    this.replies.goOn()
    this.release()
  }

  handleResume(): void {
    this.releaseSoon()
  }

  handleSendingOver(): void {
    const { replies } = this
    if (replies !== null) replies.isOver = true
    if (replies === null || replies.isIdle) {
      // Messages that waited for a caller who paused are handled.
      this.releaseSoon()
      return
    }
    // Generators clean up, and messages that waited for room are handled: not inside the call that closes.
    process.nextTick(() => {
      replies.stop()
      this.release()
    })
  }

  handleEnd(info: CloseInfo): void {
    this.serviceEnd.begin(info, this.socket.driver.timeLeftMs)
  }

  get isWorking(): boolean {
    return this.hasWork || this.isOpening || this.isCalling || this.replies?.isWaiting === true
  }

  callOnClose(info: CloseInfo): unknown {
    // The final count: a message may have been dropped since the end.
    return this.handlers.onClose?.(this.socket, this.socket.finalInfo(info))
  }

  handleTimeUp(): void {
    this.dropMessages()
    this.socket.handleTimeUp()
  }

  handleTerminated(): void {
    this.dropMessages()
  }

  handleEnded(): void {
    if (this.streamCount === 0) this.socket.handleDone()
  }

  /** A handler threw, or what stands for one: 1011 on this connection alone, with a reason that gives nothing away. */
  handlerFailed(error: unknown): void {
    // What `socket.signal` made a handler throw says nothing new.
    if (isOfTheEnd(this.socket, error)) return
    this.failConnection()
    reportError(this.socket, this.handlers, toError(error))
  }

  streamEnded(): void {
    this.release()
    if (this.end?.isDone === true && this.streamCount === 0) this.socket.handleDone()
  }

  private get concurrency(): number {
    return Math.min(this.handlers.concurrency ?? 1, this.limits.maxQueuedMessages)
  }

  private get sentReplies(): Replies {
    this.replies ??= new Replies(this.socket, this.handlers.codec, this)
    return this.replies
  }

  private get streamCount(): number {
    return this.replies === null ? 0 : this.replies.streamCount
  }

  private get serviceEnd(): ServiceEnd {
    this.end ??= new ServiceEnd(this.limits.closeTimeoutMs, this)
    return this.end
  }

  /** Whether the next message has to wait. */
  private get isBusy(): boolean {
    if (this.isOpening || this.replies?.isWaiting === true || this.running >= this.concurrency) return true
    if (this.running > 0 && this.inbox?.isBusy === true) return true
    // A peer could ask for any number of streams.
    return this.streamCount >= this.limits.maxQueuedMessages
  }

  private async finishOpen(result: PromiseLike<unknown>, fail: (error: unknown) => void): Promise<void> {
    try {
      await result
    } catch (error) {
      fail(error)
    }
    this.opened()
  }

  private opened(): void {
    this.isOpening = false
    const observations = this.observations ?? []
    this.observations = null
    for (const event of observations) if (this.end?.isCalled !== true) this.handleEvent(event)
    this.release()
  }

  /** What is no message: reported at once, but what only observes waits for `onOpen`. */
  private observe(event: Exclude<ConnectionEvent, { type: 'message' }>): void {
    const { handlers, socket } = this
    switch (event.type) {
      case 'ping':
      case 'pong':
        if (this.isOpening) this.observeLater(event)
        else if (event.type === 'ping') this.watch(handlers.onPing?.(socket, event.data))
        else this.watch(handlers.onPong?.(socket, event.data))
        break
      case 'idleTimeout':
        if (!this.asksIdle) this.askWhetherToKeep()
        break
      case 'error':
        // RFC 6455 section 7.1.7: a failed connection delivers nothing more. A lost one does.
        if (!isLoss(event.error)) this.dropMessages()
        callOnError(this.socket, this.handlers, event.error)
        break
      case 'closeReceived':
        this.owesClose = true
        this.answerIfDone()
        break
      case 'closed':
        this.serviceEnd.pulled()
    }
  }

  /** As few as messages may wait: the peer can send any number of pings. */
  private observeLater(event: Observation): void {
    this.observations ??= []
    if (this.observations.length < this.limits.maxQueuedMessages) this.observations.push(event)
  }

  private askWhetherToKeep(): void {
    const answered = askWhetherToKeep(this.socket, this.handlers)
    this.asksIdle = answered !== undefined
    answered?.then(
      () => {
        this.asksIdle = false
      },
      (error: unknown) => {
        this.handlerFailed(error)
      },
    )
  }

  private deliver(message: string | Buffer): void {
    try {
      this.finish(callHandler(this, message), message)
    } catch (error) {
      this.handlerFailed(error)
    }
  }

  /** What a handler returned: the reply, or a promise of it. */
  private finish(result: unknown, message: string | Buffer): void {
    if (result === undefined) return
    if (isThenable(result)) {
      this.finishLater(result, message)
    } else if (typeof result === 'object' && result instanceof Blob) {
      this.finishLater(result.arrayBuffer(), message)
    } else if (this.sentReplies.hasRoomFor(result)) {
      this.sentReplies.send(result, message)
    } else {
      this.begin(message)
      this.settle(result, message)
    }
  }

  private finishLater(result: PromiseLike<unknown>, message: string | Buffer): void {
    this.begin(message)
    this.whenDone(result, message)
  }

  private whenDone(result: PromiseLike<unknown>, message: string | Buffer): void {
    // Not its own `then`: that may call back at once, or throw.
    Promise.resolve(result).then(
      (value) => {
        if (value instanceof Blob) this.whenDone(value.arrayBuffer(), message)
        else this.settle(value, message)
      },
      (error: unknown) => {
        this.handlerFailed(error)
        this.settle(undefined, message)
      },
    )
  }

  /** The handler of a message is under way. */
  private begin(message: string | Buffer): void {
    this.running++
    if (this.concurrency === 1) return
    this.inbox ??= new Inbox(this.limits, this.socket.driver)
    this.inbox.begin(message)
  }

  /** The handler is done; it counts as running until there is room for its reply. */
  settle(value: unknown, message: string | Buffer): void {
    const replies = this.sentReplies
    if (!replies.hasRoomFor(value)) {
      replies.keep(value, message)
      return
    }
    this.running--
    if (this.concurrency > 1) this.inbox?.finish(message)
    try {
      replies.send(value, message)
    } catch (error) {
      this.handlerFailed(error)
    }
    this.release()
  }

  nameFor(message: string | Buffer): string {
    return handlerNameFor(this.handlers, message)
  }

  invalidMessage(error: InvalidMessageError): void {
    this.dropMessages()
    this.socket.driver.fail(error.closeCode, error.message)
    reportError(this.socket, this.handlers, error, true)
  }

  unsupportedMessage(code: number, reason: string): void {
    this.dropMessages()
    this.socket.driver.fail(code, reason)
  }

  private failConnection(): void {
    this.dropMessages()
    this.socket.driver.fail(CloseCode.INTERNAL_ERROR, 'internal error')
  }

  /** Messages that wait, and those that come, reach no handler any more. */
  dropMessages(): void {
    this.isDropping = true
    this.drop(this.inbox?.length ?? 0)
    this.inbox?.clear()
  }

  private drop(count: number): void {
    if (count === 0) return
    this.droppedMessages += count
    this.socket.handleDropped(count)
  }

  /** A handler that nobody waits for may be async all the same, and fail. */
  private watch(result: unknown): void {
    if (!isThenable(result)) return
    Promise.resolve(result).then(undefined, (error: unknown) => {
      this.handlerFailed(error)
    })
  }

  private enqueue(message: string | Buffer): void {
    this.inbox ??= new Inbox(this.limits, this.socket.driver)
    this.inbox.push(message)
  }

  private releaseSoon(): void {
    if (this.inbox === null || this.inbox.length === 0) return
    process.nextTick(() => {
      this.release()
    })
  }

  /** There may be room for more: on with what waits, until there is none. */
  private release(): void {
    // Called out of a handler: the loop below that called it goes on by itself.
    if (this.isCalling) return
    const { inbox } = this
    if (inbox !== null) {
      while (!this.isBusy && !this.socket.driver.isPausedByCaller) {
        const message = inbox.shift()
        if (message === undefined) break
        this.deliver(message)
      }
    }
    this.answerIfDone()
    this.end?.callIfDone()
  }

  /** Whether a message is still to be handled, or its reply to be queued. */
  private get hasWork(): boolean {
    return this.running > 0 || (this.inbox !== null && this.inbox.length > 0)
  }

  private answerIfDone(): void {
    if (!this.owesClose || this.hasWork || this.streamCount > 0) return
    this.owesClose = false
    this.socket.driver.answerClose()
  }
}
