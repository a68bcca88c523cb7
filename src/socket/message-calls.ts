import { InvalidMessageError, toError } from '../errors.js'
import { CloseCode } from '../frame/close-code.js'
import { SchemaFailure, type Codec } from './codec.js'
import { isThenable } from './reply-values.js'
import type { Handlers } from './service.js'
import type { Socket } from './socket.js'

/** Receives the messages that no handler takes. */
export interface MessageCallsOwner {
  /** The codec did not take a message, and the service has no `onInvalidMessage`. */
  invalidMessage(error: InvalidMessageError): void
  /** The service has a handler for the other type of message only. */
  unsupportedMessage(code: number, reason: string): void
}

/** Calls the handler that a message is for, decoded where the service has a codec. */
export class MessageCalls<S extends Socket> {
  /** A handler is being called: whatever it calls in turn, no other is called inside it. */
  isCalling = false
  private readonly socket: S
  private readonly owner: MessageCallsOwner
  private handlers!: Handlers<S>
  private codec: Codec | null = null

  constructor(socket: S, owner: MessageCallsOwner) {
    this.socket = socket
    this.owner = owner
  }

  use(handlers: Handlers<S>): void {
    this.handlers = handlers
    this.codec = handlers.codec ?? null
  }

  /** Whether messages go to a handler. */
  get hasHandler(): boolean {
    const { handlers } = this
    if (handlers.onMessage !== undefined) return true
    return handlers.onTextMessage !== undefined || handlers.onBinaryMessage !== undefined
  }

  /** Which handler replies to a message, for errors. */
  nameFor(message: string | Buffer): string {
    if (this.handlers.onMessage !== undefined) return 'onMessage'
    return typeof message === 'string' ? 'onTextMessage' : 'onBinaryMessage'
  }

  /**
   * Calls the handler, once no other is being called.
   * @returns what it returned
   * @throws what it throws
   */
  call(message: string | Buffer): unknown {
    const { handlers, socket, codec } = this
    this.isCalling = true
    try {
      if (handlers.onMessage !== undefined) {
        return codec === null ? handlers.onMessage(socket, message) : this.decode(codec, message)
      }
      if (typeof message === 'string') {
        if (handlers.onTextMessage !== undefined) return handlers.onTextMessage(socket, message)
        this.refuse(handlers.onBinaryMessage !== undefined)
      } else {
        if (handlers.onBinaryMessage !== undefined) return handlers.onBinaryMessage(socket, message)
        this.refuse(handlers.onTextMessage !== undefined)
      }
      return undefined
    } finally {
      this.isCalling = false
    }
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
    this.owner.invalidMessage(invalid)
    return undefined
  }

  /** A service that has a handler for the other type only cannot take this message (RFC 6455 section 7.4.1). */
  private refuse(handlesOther: boolean): void {
    if (!handlesOther) return
    this.owner.unsupportedMessage(CloseCode.UNSUPPORTED_DATA, 'this type of message is not supported')
  }
}
