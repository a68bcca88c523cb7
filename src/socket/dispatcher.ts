import { InvalidMessageError, toError } from '../errors.js'
import { ReadyState } from '../connection/connection.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import { CloseCode } from '../frame/close-code.js'
import type { Limits } from '../limits.js'
import { SchemaFailure, type Codec } from './codec.js'
import { Inbox } from './inbox.js'
import { ReplyStreams, type StreamOwner } from './reply-streams.js'
import { isBytes, isStream, isThenable } from './reply-values.js'
import { CloseReply, type Handlers } from './service.js'
import type { EventSink, Socket } from './socket.js'

/**
 * Calls the handlers of a service: messages one at a time and in order (or `concurrency` of them), everything else at
 * once. While a handler runs, messages wait in a bounded inbox and control frames are served; when the inbox is full,
 * reading stops.
 */
export class Dispatcher<S extends Socket> implements EventSink, StreamOwner {
  private readonly socket: S
  private handlers!: Handlers<S>
  private readonly limits: Limits
  private codec: Codec | null = null
  private concurrency = 1
  private inbox: Inbox | null = null
  private streams: ReplyStreams | null = null
  /** Handlers that are under way. */
  private running = 0
  /** A handler is being called: whatever it calls in turn, no other is called inside it. */
  private isCalling = false
  /** A reply has not left yet. */
  private awaitsDrain = false
  private isHeld = false
  private asksIdle = false
  private closeInfo: CloseInfo | null = null
  /** What no longer fits is dropped, so that the peer's Close frame behind it is reached. */
  private isClosing = false
  /** `onClose` was called; and it is done. */
  private end: 'no' | 'told' | 'done' = 'no'

  constructor(socket: S, handlers: Handlers<S>, limits: Limits) {
    this.socket = socket
    this.limits = limits
    this.use(handlers)
  }

  /** Other handlers, before the first is called. */
  use(handlers: Handlers<S>): void {
    this.handlers = handlers
    this.codec = handlers.codec ?? null
    this.concurrency = Math.min(handlers.concurrency ?? 1, this.limits.maxQueuedMessages)
  }

  /**
   * Calls `onOpen`.
   * @returns undefined if it is done, or a promise that never rejects
   */
  open(): Promise<void> | undefined {
    if (this.handlers.onOpen === undefined) return undefined
    this.isCalling = true
    try {
      const result = this.handlers.onOpen(this.socket)
      if (isThenable(result)) {
        this.isCalling = false
        return this.finishOpen(result)
      }
      this.reply(result)
    } catch (error) {
      this.handlerFailed(error)
    }
    this.isCalling = false
    this.closeIfDone()
    return undefined
  }

  handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      const mustWait = this.isCalling || this.isBusy || (this.inbox !== null && this.inbox.length > 0)
      if (mustWait) this.enqueue(event.data)
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
    if (!this.awaitsDrain) return
    this.awaitsDrain = false
    this.release()
  }

  handleResume(): void {
    if (!this.isBusy) this.release()
  }

  /** This side closes, or the transport is gone: nobody waits for room any more, and what is there is told. */
  closing(): void {
    this.isClosing = true
    this.streams?.stop()
    if (this.awaitsDrain || !this.isBusy) {
      this.awaitsDrain = false
      this.release()
    }
    // A handler is still under way.
    if (!this.isHeld) return
    this.isHeld = false
    this.socket.driver.unhold()
  }

  /** A handler threw, or what stands for one: 1011 on this connection alone, with a reason that gives nothing away. */
  handlerFailed(error: unknown): void {
    this.inbox?.clear()
    this.socket.driver.fail(CloseCode.INTERNAL_ERROR, 'internal error')
    this.tell(toError(error))
  }

  sendPart(part: unknown): boolean {
    if (part instanceof CloseReply) {
      void this.socket.close(part.code, part.reason)
      return false
    }
    this.socket.send(this.codec === null ? (part as MessageData) : this.codec.encode(part))
    return this.socket.readyState === ReadyState.OPEN
  }

  streamFailed(error: unknown): void {
    this.handlerFailed(error)
  }

  streamEnded(): void {
    this.release()
    this.finishIfDone()
  }

  /** Whether the next message has to wait. */
  private get isBusy(): boolean {
    if (this.running === 0 && !this.awaitsDrain && this.streams === null) return false
    if (this.awaitsDrain || this.running >= this.concurrency) return true
    if (this.running > 0 && this.inbox?.holdsAll === true) return true
    // A peer could ask for any number of them.
    return this.streams !== null && !this.isClosing && this.streams.count >= this.limits.maxQueuedMessages
  }

  private async finishOpen(opened: PromiseLike<unknown>): Promise<void> {
    this.running++
    try {
      this.reply(await opened)
    } catch (error) {
      this.handlerFailed(error)
    }
    this.running--
    this.release()
  }

  /** What is no message: told at once. */
  private observe(event: Exclude<ConnectionEvent, { type: 'message' }>): void {
    const { handlers, socket } = this
    switch (event.type) {
      case 'ping':
        this.watch(handlers.onPing?.(socket, event.data))
        break
      case 'pong':
        this.watch(handlers.onPong?.(socket, event.data))
        break
      case 'idleTimeout':
        this.askWhetherToKeep()
        break
      case 'error':
        this.watch(handlers.onError?.(socket, event.error))
        break
      case 'closeReceived':
        break
      case 'closed':
        this.closeInfo = {
          code: event.code,
          reason: event.reason,
          wasClean: event.wasClean,
          initiator: event.initiator,
        }
        // A reply that waits to leave never will; and who paused is told what is left.
        this.closing()
    }
  }

  private askWhetherToKeep(): void {
    if (this.asksIdle) return
    const answer: unknown = this.handlers.onIdleTimeout?.(this.socket)
    const take = (value: unknown): void => {
      this.asksIdle = false
      if (value !== 'keep') void this.socket.close(CloseCode.GOING_AWAY, 'idle')
    }
    if (!isThenable(answer)) {
      take(answer)
      return
    }
    this.asksIdle = true
    Promise.resolve(answer).then(take, (error: unknown) => {
      this.handlerFailed(error)
    })
  }

  private deliver(message: string | Buffer): void {
    const { handlers, socket } = this
    this.isCalling = true
    try {
      if (handlers.onMessage !== undefined) {
        if (this.codec === null) this.finish(handlers.onMessage(socket, message), message)
        else this.finish(this.decode(this.codec, message), message)
      } else if (this.codec !== null) {
        // Nobody wants it.
      } else if (typeof message === 'string') {
        if (handlers.onTextMessage !== undefined)
          this.finish(handlers.onTextMessage(socket, message), message)
        else this.refuse(handlers.onBinaryMessage !== undefined)
      } else if (handlers.onBinaryMessage !== undefined) {
        this.finish(handlers.onBinaryMessage(socket, message), message)
      } else {
        this.refuse(handlers.onTextMessage !== undefined)
      }
    } catch (error) {
      this.handlerFailed(error)
    }
    this.isCalling = false
  }

  /** Has the message read, and handled. @returns what the handler does */
  private decode(codec: Codec, message: string | Buffer): unknown {
    let value
    try {
      value = codec.decode(message)
    } catch (error) {
      return this.invalid(error, message)
    }
    return isThenable(value)
      ? this.decodeLater(value, message)
      : this.handlers.onMessage?.(this.socket, value)
  }

  private async decodeLater(decoding: PromiseLike<unknown>, message: string | Buffer): Promise<unknown> {
    let call
    try {
      const value = await decoding
      call = (): unknown => this.handlers.onMessage?.(this.socket, value)
    } catch (error) {
      call = (): unknown => this.invalid(error, message)
    }
    this.isCalling = true
    try {
      // Not awaited here: only the call itself must have no other inside it.
      return call()
    } finally {
      this.isCalling = false
    }
  }

  /** What the codec did not take. @returns what the handler for it does */
  private invalid(error: unknown, message: string | Buffer): unknown {
    if (error instanceof SchemaFailure) throw toError(error.cause)
    const invalid =
      error instanceof InvalidMessageError
        ? error
        : new InvalidMessageError(1003, 'a message that the codec cannot read', { cause: error })
    if (this.handlers.onInvalidMessage !== undefined) {
      return this.handlers.onInvalidMessage(this.socket, invalid, message)
    }
    this.inbox?.clear()
    this.socket.driver.fail(invalid.closeCode, invalid.message)
    this.tell(invalid, true)
    return undefined
  }

  /** A service that has a handler for the other type only cannot take this message (RFC 6455 section 7.4.1). */
  private refuse(handlesOther: boolean): void {
    if (handlesOther)
      this.socket.driver.fail(CloseCode.UNSUPPORTED_DATA, 'this type of message is not supported')
  }

  /** What a handler returned: the reply, or a promise of it. */
  private finish(result: unknown, message: string | Buffer): void {
    if (result === undefined) return
    if (!isThenable(result)) {
      this.reply(result)
      return
    }
    this.running++
    if (this.concurrency > 1) {
      this.inbox ??= new Inbox(this.limits)
      this.inbox.hold(message)
    }
    // Not its own `then`: that may call back at once, or throw.
    Promise.resolve(result).then(
      (value) => {
        this.settle(value, message)
      },
      (error: unknown) => {
        this.handlerFailed(error)
        this.settle(undefined, message)
      },
    )
  }

  private settle(value: unknown, message: string | Buffer): void {
    this.running--
    if (this.concurrency > 1) this.inbox?.unhold(message)
    try {
      this.reply(value)
    } catch (error) {
      this.handlerFailed(error)
    }
    if (!this.awaitsDrain) this.release()
  }

  private reply(value: unknown): void {
    if (value === undefined) return
    if (this.codec === null && (typeof value === 'string' || isBytes(value))) {
      this.sendReply(value)
    } else if (value instanceof CloseReply) {
      void this.socket.close(value.code, value.reason)
    } else if (isStream(value)) {
      this.streams ??= new ReplyStreams(this.socket, this)
      if (this.isClosing) this.streams.stop()
      this.streams.start(value)
    } else if (this.codec !== null) {
      this.sendReply(this.codec.encode(value))
    }
  }

  private sendReply(data: MessageData): void {
    // A peer that does not take replies is not asked for more messages.
    if (!this.socket.send(data) && this.socket.readyState === ReadyState.OPEN) this.awaitsDrain = true
  }

  /** Tells what went wrong here, and the socket whether anybody heard. */
  private tell(error: Error, isOfPeer = false): void {
    this.socket.handleFailure(error, isOfPeer || this.handlers.onError !== undefined)
    try {
      const result: unknown = this.handlers.onError?.(this.socket, error)
      if (isThenable(result)) Promise.resolve(result).catch(() => undefined)
    } catch {
      // The handler for errors failed as well, now or later: there is nobody left to tell.
    }
  }

  /** A handler that nobody waits for may be async all the same, and fail. */
  private watch(result: unknown): void {
    if (!isThenable(result)) return
    Promise.resolve(result).then(undefined, (error: unknown) => {
      this.handlerFailed(error)
    })
  }

  private enqueue(message: string | Buffer): void {
    this.inbox ??= new Inbox(this.limits)
    if (this.isClosing && this.inbox.isFull) return
    this.inbox.push(message)
    if (this.inbox.isFull && !this.isHeld && !this.isClosing) {
      this.isHeld = true
      this.socket.driver.hold()
    }
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
      if (this.isHeld && inbox.hasRoom) {
        this.isHeld = false
        this.socket.driver.unhold()
      }
    }
    this.closeIfDone()
  }

  private closeIfDone(): void {
    if (this.closeInfo === null || this.running > 0 || this.awaitsDrain || this.end !== 'no') return
    if (this.inbox !== null && this.inbox.length > 0) return
    this.end = 'told'
    const info = this.closeInfo
    let result: unknown
    try {
      result = this.handlers.onClose?.(this.socket, info)
    } catch (error) {
      this.handlerFailed(error)
    }
    if (!isThenable(result)) {
      this.end = 'done'
      this.finishIfDone()
      return
    }
    Promise.resolve(result)
      .catch((error: unknown) => {
        this.handlerFailed(error)
      })
      .finally(() => {
        this.end = 'done'
        this.finishIfDone()
      })
  }

  /** Nothing of this connection runs any more. */
  private finishIfDone(): void {
    if (this.end === 'done' && (this.streams === null || this.streams.count === 0)) this.socket.handleDone()
  }
}
