import { isThenable } from '../check.js'
import { InvalidMessageError, noteRaw } from '../errors.js'
import { CloseCode } from '../frame/close-code.js'
import { refusalOf, type Codec } from './codec.js'
import type { Handlers } from './service.js'
import type { Socket } from '../socket/socket.js'

/** The dispatcher of one connection, as calling a message handler needs it. */
export interface MessageOwner<S extends Socket> {
  readonly socket: S
  readonly handlers: Handlers<S>
  /** Whether a handler is being called: no other handler is called inside it. */
  isCalling: boolean
  /**
   * The codec refused a message, and the service has no `onInvalidMessage`; or the service only has a handler for the other
   * type of message.
   */
  invalidMessage(error: InvalidMessageError): void
}

/** Whether a service has a handler for messages. */
export function handlesMessages(handlers: Handlers<never>): boolean {
  if (handlers.onMessage !== undefined) return true
  return handlers.onTextMessage !== undefined || handlers.onBinaryMessage !== undefined
}

/** The name of the handler that replies to a message, for errors. */
export function handlerNameFor(handlers: Handlers<never>, message: string | Buffer): string {
  if (handlers.onMessage !== undefined) return 'onMessage'
  return typeof message === 'string' ? 'onTextMessage' : 'onBinaryMessage'
}

/**
 * Calls the handler for a message, with the decoded value where the service has a codec. No other handler is being called.
 * @returns what the handler returned
 * @throws what the handler throws
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
      if (handlers.onBinaryMessage !== undefined) refuse(owner, message)
    } else {
      if (handlers.onBinaryMessage !== undefined) return handlers.onBinaryMessage(socket, message)
      if (handlers.onTextMessage !== undefined) refuse(owner, message)
    }
    return undefined
  } finally {
    owner.isCalling = false
  }
}

/** Decodes a message and calls its handler. @returns what the handler returned */
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
    // Not awaited here: only the call itself must not contain another.
    return call()
  } finally {
    owner.isCalling = false
  }
}

/** Handles a message that the codec refused. @returns what its handler returned */
function invalid<S extends Socket>(
  owner: MessageOwner<S>,
  error: unknown,
  message: string | Buffer,
): unknown {
  const failure = refusalOf(error, message)
  const { handlers, socket } = owner
  if (handlers.onInvalidMessage !== undefined) return handlers.onInvalidMessage(socket, failure, message)
  owner.invalidMessage(failure)
  return undefined
}

/** Refuses a message of a type that the service has no handler for (RFC 6455 section 7.4.1). */
function refuse<S extends Socket>(owner: MessageOwner<S>, message: string | Buffer): void {
  const text = 'this type of message is not supported'
  const error = new InvalidMessageError(CloseCode.UNSUPPORTED_DATA, text, { kind: 'type' })
  noteRaw(error, message)
  owner.invalidMessage(error)
}
