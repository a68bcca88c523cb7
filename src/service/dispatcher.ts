import { isThenable } from '../check.js'
import { toError, type InvalidMessageError } from '../errors.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import { CloseCode } from '../frame/close-code.js'
import type { Limits } from '../limits.js'
import { callOnError, isLoss, isOfCancel, isOfTheEnd, reportError } from './handler-errors.js'
import { askWhetherToKeep } from './idle-question.js'
import { Inbox } from './inbox.js'
import { callHandler, handlerNameFor, handlesMessages, type MessageOwner } from './message-calls.js'
import { Replies, type RepliesOwner } from './replies.js'
import { bytesOf, isBlob } from './reply-values.js'
import { ServiceEnd, type EndOwner } from './service-end.js'
import type { Handlers } from './service.js'
import type { EventSink, SocketCore } from '../socket/socket-core.js'
import type { Socket } from '../socket/socket.js'

type Observation = Extract<ConnectionEvent, { type: 'ping' | 'pong' }>

/**
 * Calls the handlers of a service: for messages one at a time and in order (or `concurrency` of them), for everything else at
 * once. While a handler runs, messages wait in a bounded inbox and control frames are answered; a full inbox stops reading.
 */
export class Dispatcher<S extends Socket> implements EventSink, MessageOwner<S>, RepliesOwner, EndOwner {
  droppedMessages = 0
  handlers: Handlers<S>
  isCalling = false
  private readonly core: SocketCore<S>
  private readonly limits: Limits
  /** Created when a handler first returns something. */
  private replies: Replies | null = null
  private inbox: Inbox | null = null
  /** The number of message handlers that run, including those whose reply waits for room. */
  private running = 0
  /** Whether `onOpen` still runs, and the pings and pongs received meanwhile. */
  private isOpening = false
  private observations: Observation[] | null = null
  private asksIdle = false
  /** The peer's Close frame was received: it is answered once everything before it is handled. */
  private owesClose = false
  /** Further messages are dropped: the connection failed, or the time for handlers is up. */
  private isDropping = false
  /** Created at the end. */
  private end: ServiceEnd | null = null

  constructor(core: SocketCore<S>, handlers: Handlers<S>, limits: Limits) {
    this.core = core
    this.handlers = handlers
    this.limits = limits
  }

  /** The socket, as handlers get it. */
  get socket(): S {
    return this.core.socket
  }

  /** Replaces the handlers. Legal before the first of them is called. */
  use(handlers: Handlers<S>): void {
    this.handlers = handlers
  }

  /** Whether the service has a handler for messages. */
  get handlesMessages(): boolean {
    return handlesMessages(this.handlers)
  }

  /**
   * Calls `onOpen`. Messages, `onPing` and `onPong` wait for it; nothing else does.
   * @param failed gets what `onOpen` throws, instead of `onError`
   * @returns undefined if `onOpen` is done, or a promise that never rejects
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
      // Messages that waited because the caller had paused are handled.
      this.releaseSoon()
      return
    }
    // Generators clean up and waiting messages are handled, but not inside the call that closes.
    process.nextTick(() => {
      replies.stop()
      this.release()
    })
  }

  handleEnd(info: CloseInfo): void {
    this.serviceEnd.begin(info, this.core.driver.timeLeftMs)
  }

  get isWorking(): boolean {
    return this.hasWork || this.isOpening || this.isCalling || this.replies?.isWaiting === true
  }

  callOnClose(info: CloseInfo): unknown {
    // With the final count: messages may have been dropped since the end.
    return this.handlers.onClose?.(this.socket, this.core.finalInfo(info))
  }

  handleTimeUp(): void {
    this.dropMessages()
    this.core.handleTimeUp()
  }

  handleTerminated(): void {
    this.dropMessages()
  }

  handleEnded(): void {
    if (this.streamTaskCount === 0) this.core.handleDone()
  }

  /** A handler failed: this connection alone closes with 1011, with a reason that gives nothing away. */
  handlerFailed(error: unknown): void {
    // An error that `socket.signal` caused is not reported again.
    if (isOfTheEnd(this.socket, error)) return
    this.failConnection()
    reportError(this.core, this.handlers, toError(error))
  }

  cancelFailed(error: unknown): void {
    if (!isOfCancel(error)) reportError(this.core, this.handlers, toError(error))
  }

  streamEnded(): void {
    this.release()
    if (this.end?.isDone === true && this.streamTaskCount === 0) this.core.handleDone()
  }

  private get concurrency(): number {
    return Math.min(this.handlers.concurrency ?? 1, this.limits.maxQueuedMessages)
  }

  private get sentReplies(): Replies {
    this.replies ??= new Replies(this.core, this.handlers.codec, this)
    return this.replies
  }

  private get streamTaskCount(): number {
    return this.replies === null ? 0 : this.replies.streamTaskCount
  }

  private get serviceEnd(): ServiceEnd {
    this.end ??= new ServiceEnd(this.limits.closeTimeoutMs, this)
    return this.end
  }

  /** Whether the next message has to wait. */
  private get isBusy(): boolean {
    if (this.isOpening || this.replies?.isWaiting === true || this.running >= this.concurrency) return true
    if (this.running > 0 && this.inbox?.isBusy === true) return true
    // The peer could cause any number of streams.
    return this.streamTaskCount >= this.limits.maxQueuedMessages
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

  /** Handles an event that is not a message: at once, except that pings and pongs wait for `onOpen`. */
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
        // RFC 6455 section 7.1.7: a failed connection delivers no more messages. A lost one does.
        if (!isLoss(event.error)) this.dropMessages()
        this.core.handleConnectionError(event.error)
        callOnError(this.core, this.handlers, event.error)
        break
      case 'closeReceived':
        this.owesClose = true
        this.answerIfDone()
        break
      case 'closed':
        this.serviceEnd.pulled()
    }
  }

  /** Bounded as messages are: the peer can send any number of pings. */
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

  /** Calls the handler of a message: it is its turn. */
  protected deliver(message: string | Buffer): void {
    try {
      this.finish(callHandler(this, message), message)
    } catch (error) {
      this.handlerFailed(error)
    }
  }

  /** Handles what a handler returned: the reply, or a promise of it. */
  private finish(result: unknown, message: string | Buffer): void {
    if (result === undefined) return
    if (isThenable(result)) {
      this.finishLater(result, message)
    } else if (isBlob(result)) {
      this.finishLater(bytesOf(result), message)
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
    // Wrapped, because its own `then` may call back at once, or throw.
    Promise.resolve(result).then(
      (value) => {
        if (isBlob(value)) this.whenDone(bytesOf(value), message)
        else this.settle(value, message)
      },
      (error: unknown) => {
        this.handlerFailed(error)
        this.settle(undefined, message)
      },
    )
  }

  /** The handler of a message runs on. */
  private begin(message: string | Buffer): void {
    this.running++
    if (this.concurrency === 1) return
    this.inbox ??= new Inbox(this.limits, this.core.driver)
    this.inbox.begin(message)
  }

  /** The handler of a message is done; it counts as running until there is room for its reply. */
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
    this.core.driver.fail(error.closeCode, error.message)
    reportError(this.core, this.handlers, error, true)
  }

  private failConnection(): void {
    this.dropMessages()
    this.core.driver.fail(CloseCode.INTERNAL_ERROR, 'internal error')
  }

  /** Drops the waiting messages and those that follow. */
  dropMessages(): void {
    this.isDropping = true
    this.drop(this.inbox?.length ?? 0)
    this.inbox?.clear()
  }

  /** Counts messages that reach no handler. */
  drop(count: number): void {
    if (count === 0) return
    this.droppedMessages += count
    this.core.handleDropped(count)
  }

  /** Watches a handler whose result is not used: it may be async, and fail. */
  private watch(result: unknown): void {
    if (!isThenable(result)) return
    Promise.resolve(result).then(undefined, (error: unknown) => {
      this.handlerFailed(error)
    })
  }

  private enqueue(message: string | Buffer): void {
    this.inbox ??= new Inbox(this.limits, this.core.driver)
    this.inbox.push(message)
  }

  private releaseSoon(): void {
    if (this.inbox === null || this.inbox.length === 0) return
    process.nextTick(() => {
      this.release()
    })
  }

  /** Handles waiting messages until there is no room for more, then checks whether the end can go on. */
  private release(): void {
    // Called inside a handler: the loop that called the handler continues by itself.
    if (this.isCalling) return
    const { inbox } = this
    if (inbox !== null) {
      while (!this.isBusy && !this.core.driver.isPausedByCaller) {
        const message = inbox.shift()
        if (message === undefined) break
        this.deliver(message)
      }
    }
    this.answerIfDone()
    this.end?.callIfDone()
  }

  /** Whether a message still waits to be handled, or its reply to be queued. */
  private get hasWork(): boolean {
    return this.running > 0 || (this.inbox !== null && this.inbox.length > 0)
  }

  private answerIfDone(): void {
    if (!this.owesClose || this.hasWork || this.streamTaskCount > 0) return
    this.owesClose = false
    this.core.driver.answerClose()
  }
}
