import { toError } from '../errors.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import { CloseCode } from '../frame/close-code.js'
import type { Limits } from '../limits.js'
import { Inbox } from './inbox.js'
import { CloseReply, type Handlers, type Reply } from './service.js'
import type { EventSink, Socket } from './socket.js'

const isThenable = (value: unknown): value is PromiseLike<Reply> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'

const isBytes = (value: unknown): value is Exclude<MessageData, string> =>
  ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer

/**
 * Calls the handlers of a service: messages one at a time and in order, everything else at once. While a handler
 * runs, messages wait in a bounded inbox and control frames are served; when the inbox is full, reading stops.
 */
export class Dispatcher<S extends Socket> implements EventSink {
  private readonly socket: S
  private readonly handlers: Handlers<S>
  private readonly limits: Limits
  private inbox: Inbox | null = null
  /** A handler is under way, or its reply has not left yet. */
  private isBusy = false
  /** A handler is being called: whatever it calls in turn, no other is called inside it. */
  private isCalling = false
  private awaitsDrain = false
  private isHeld = false
  private closeInfo: CloseInfo | null = null
  /** What no longer fits is dropped, so that the peer's Close frame behind it is reached. */
  private isClosing = false
  private isOver = false

  constructor(socket: S, handlers: Handlers<S>, limits: Limits) {
    this.socket = socket
    this.handlers = handlers
    this.limits = limits
  }

  /**
   * Calls `onOpen`.
   * @returns undefined if it is done, or a promise that never rejects
   */
  open(): Promise<void> | undefined {
    if (this.handlers.onOpen === undefined) return undefined
    this.isCalling = true
    try {
      const result: unknown = this.handlers.onOpen(this.socket)
      if (isThenable(result)) {
        this.isCalling = false
        return this.finishOpen(result)
      }
      this.reply(result as Reply)
    } catch (error) {
      this.handlerFailed(error)
    }
    this.isCalling = false
    this.closeIfDone()
    return undefined
  }

  handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      const mustWait = this.isBusy || this.isCalling || (this.inbox !== null && this.inbox.length > 0)
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
    if (this.awaitsDrain || !this.isBusy) {
      this.awaitsDrain = false
      this.release()
    }
    // A handler is still under way.
    if (!this.isHeld) return
    this.isHeld = false
    this.socket.driver.unhold()
  }

  private async finishOpen(opened: PromiseLike<Reply>): Promise<void> {
    this.isBusy = true
    try {
      this.reply(await opened)
    } catch (error) {
      this.handlerFailed(error)
    }
    if (!this.awaitsDrain) this.release()
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
        if (handlers.onIdleTimeout?.(socket) !== 'keep') void socket.close(CloseCode.GOING_AWAY, 'idle')
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

  private deliver(message: string | Buffer): void {
    const { handlers, socket } = this
    this.isCalling = true
    try {
      if (handlers.onMessage !== undefined) {
        this.finish(handlers.onMessage(socket, message))
      } else if (typeof message === 'string') {
        if (handlers.onTextMessage !== undefined) this.finish(handlers.onTextMessage(socket, message))
        else this.refuse(handlers.onBinaryMessage !== undefined)
      } else if (handlers.onBinaryMessage !== undefined) {
        this.finish(handlers.onBinaryMessage(socket, message))
      } else {
        this.refuse(handlers.onTextMessage !== undefined)
      }
    } catch (error) {
      this.handlerFailed(error)
    }
    this.isCalling = false
  }

  /** A service that has a handler for the other type only cannot take this message (RFC 6455 section 7.4.1). */
  private refuse(handlesOther: boolean): void {
    if (handlesOther)
      this.socket.driver.fail(CloseCode.UNSUPPORTED_DATA, 'this type of message is not supported')
  }

  /** What a handler returned: the reply, or a promise of it. */
  private finish(result: unknown): void {
    if (result === undefined) return
    if (!isThenable(result)) {
      this.reply(result as Reply)
      return
    }
    this.isBusy = true
    // Not its own `then`: that may call back at once, or throw.
    Promise.resolve(result).then(
      (value) => {
        this.settle(value)
      },
      (error: unknown) => {
        this.handlerFailed(error)
        this.release()
      },
    )
  }

  private settle(value: Reply): void {
    try {
      this.reply(value)
    } catch (error) {
      this.handlerFailed(error)
    }
    if (!this.awaitsDrain) this.release()
  }

  private reply(value: Reply): void {
    if (value instanceof CloseReply) {
      void this.socket.close(value.code, value.reason)
    } else if (typeof value === 'string' || isBytes(value)) {
      const isOver = !this.socket.send(value)
      // A peer that does not take replies is not asked for more messages.
      if (isOver && this.socket.readyState === 1) {
        this.isBusy = true
        this.awaitsDrain = true
      }
    }
  }

  /** 1011 on this connection alone, with a reason that gives nothing away. */
  private handlerFailed(error: unknown): void {
    this.inbox?.clear()
    this.socket.driver.fail(CloseCode.INTERNAL_ERROR, 'internal error')
    try {
      const result: unknown = this.handlers.onError?.(this.socket, toError(error))
      if (isThenable(result)) Promise.resolve(result).catch(() => undefined)
    } catch {
      // The handler for errors failed as well, now or later: there is nobody left to tell.
    }
  }

  /** A handler whose end nobody waits for may be async all the same, and fail. */
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

  /** The handler is done: on with what waits, until one is async again. */
  private release(): void {
    // Called out of a handler: the loop below that called it goes on by itself.
    if (this.isCalling) return
    this.isBusy = false
    const { inbox } = this
    if (inbox !== null) {
      // Busy again: an async handler, called in deliver.
      while (!(this.isBusy as boolean) && !this.socket.driver.isPausedByCaller) {
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
    if (this.closeInfo === null || this.isBusy || this.isOver) return
    if (this.inbox !== null && this.inbox.length > 0) return
    this.isOver = true
    const info = this.closeInfo
    try {
      this.watch(this.handlers.onClose?.(this.socket, info))
    } catch (error) {
      this.handlerFailed(error)
    }
  }
}
