import { InvalidMessageError, toError } from '../errors.js'
import { CloseCode } from '../frame/close-code.js'
import { SchemaFailure, type Codec } from './codec.js'
import { isThenable } from '../socket/no-reply.js'
import type { Handlers } from './service.js'
import type { Socket } from '../socket/socket.js'

/** Whose messages they are. */
export interface MessageOwner<S extends Socket> {
  readonly socket: S
  readonly handlers: Handlers<S>
  /** A handler is being called: whatever it calls in turn, no other is called inside it. */
  isCalling: boolean
  /** The codec did not take a message, and the service has no `onInvalidMessage`. */
  invalidMessage(error: InvalidMessageError): void
  /** The service has a handler for the other type of message only. */
  unsupportedMessage(code: number, reason: string): void
}

/** Whether messages go to a handler. */
export function handlesMessages(handlers: Handlers<never>): boolean {
  if (handlers.onMessage !== undefined) return true
  return handlers.onTextMessage !== undefined || handlers.onBinaryMessage !== undefined
}

/** Which handler replies to a message, for errors. */
export function handlerNameFor(handlers: Handlers<never>, message: string | Buffer): string {
  if (handlers.onMessage !== undefined) return 'onMessage'
  return typeof message === 'string' ? 'onTextMessage' : 'onBinaryMessage'
}

/**
 * Calls the handler that a message is for, decoded where the service has a codec. No other is being called.
 * @returns what it returned
 * @throws what it throws
 */
export function callHandler<S extends Socket>(owner: MessageOwner<S>, message: string | Buffer): unknown {
  const { handlers, socket } = owner
  owner.isCalling = true
  try {
    if (handlers.onMessage !== undefined) {
      const { codec } = handlers
      return codec === undefined ? handlers.onMessage(socket, message) : decode(owner, codec, message)
    }
    if (typeof message === 'string') {
      if (handlers.onTextMessage !== undefined) return handlers.onTextMessage(socket, message)
      if (handlers.onBinaryMessage !== undefined) refuse(owner)
    } else {
      if (handlers.onBinaryMessage !== undefined) return handlers.onBinaryMessage(socket, message)
      if (handlers.onTextMessage !== undefined) refuse(owner)
    }
    return undefined
  } finally {
    owner.isCalling = false
  }
}

/** Has the message read, and handled. @returns what the handler does */
function decode<S extends Socket>(owner: MessageOwner<S>, codec: Codec, message: string | Buffer): unknown {
  let value
  try {
    value = codec.decode(message)
  } catch (error) {
    return invalid(owner, error, message)
  }
  return isThenable(value)
    ? decodeLater(owner, value, message)
    : owner.handlers.onMessage?.(owner.socket, value)
}

async function decodeLater<S extends Socket>(
  owner: MessageOwner<S>,
  decoding: PromiseLike<unknown>,
  message: string | Buffer,
): Promise<unknown> {
  let call
  try {
    const value = await decoding
    call = (): unknown => owner.handlers.onMessage?.(owner.socket, value)
  } catch (error) {
    call = (): unknown => invalid(owner, error, message)
  }
  owner.isCalling = true
  try {
    // Not awaited here: only the call itself must have no other inside it.
    return call()
  } finally {
    owner.isCalling = false
  }
}

/** What the codec did not take. @returns what the handler for it does */
function invalid<S extends Socket>(
  owner: MessageOwner<S>,
  error: unknown,
  message: string | Buffer,
): unknown {
  if (error instanceof SchemaFailure) throw toError(error.cause)
  const failure =
    error instanceof InvalidMessageError
      ? error
      : new InvalidMessageError(1003, 'a message that the codec cannot read', { cause: error })
  const { handlers, socket } = owner
  if (handlers.onInvalidMessage !== undefined) return handlers.onInvalidMessage(socket, failure, message)
  owner.invalidMessage(failure)
  return undefined
}

/** A service that has a handler for the other type only cannot take this message (RFC 6455 section 7.4.1). */
function refuse<S extends Socket>(owner: MessageOwner<S>): void {
  owner.unsupportedMessage(CloseCode.UNSUPPORTED_DATA, 'this type of message is not supported')
}
