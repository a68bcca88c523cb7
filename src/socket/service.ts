import { showValue } from '../limits.js'
import type { ProtocolError, TransportError } from '../errors.js'
import type { CloseInfo } from '../connection/events.js'
import { checkCloseArguments } from '../frame/close-code.js'
import type { MessageData } from '../connection/message-data.js'

/** What a handler returns to close the connection: made by {@link closeWith}. */
export class CloseReply {
  readonly code: number
  readonly reason: string

  constructor(code: number, reason: string) {
    this.code = code
    this.reason = reason
  }
}

/**
 * A handler's reply that closes the connection.
 * @throws TypeError or RangeError for a code that must not be sent
 */
export function closeWith(code = 1000, reason = ''): CloseReply {
  checkCloseArguments(code, reason)
  return new CloseReply(code, reason)
}

/** What a handler may return: text or bytes are sent, {@link closeWith} closes, anything else is no reply. */
export type Reply = MessageData | CloseReply | undefined | null | boolean | number | void

type Handled = Reply | Promise<Reply>

/** What has no reply may return anything; one that is async and fails is treated as one that throws. */
interface Lifecycle<S> {
  /** The connection is open. Awaited: nothing that the peer sent is delivered before it returns. */
  onOpen?(socket: S): Handled
  /** A ping came; it is answered already, unless `autoPong` is off. */
  onPing?(socket: S, data: Buffer): unknown
  onPong?(socket: S, data: Buffer): unknown
  /** `bufferedAmount` is below the high-water mark again, after `send` returned false. */
  onDrain?(socket: S): unknown
  /** No message came for `idleTimeoutMs`. Return `'keep'` to keep the connection; else it is closed with 1001. */
  onIdleTimeout?(socket: S): 'keep' | undefined | void
  /** The end: exactly once for each connection that was opened, behind all its messages. */
  onClose?(socket: S, info: CloseInfo): unknown
  /** What went wrong: the peer, the network, or a handler that threw. `onClose` follows. */
  onError?(socket: S, error: ProtocolError | TransportError | Error): unknown
}

interface OneHandler<S> {
  /** Every message: text as a string, bytes as a Buffer that is the receiver's for ever. */
  onMessage?(socket: S, message: string | Buffer): Handled
  onTextMessage?: never
  onBinaryMessage?: never
}

interface HandlerByType<S> {
  onMessage?: never
  onTextMessage?(socket: S, text: string): Handled
  /** The bytes are the receiver's for ever. */
  onBinaryMessage?(socket: S, bytes: Buffer): Handled
}

/**
 * What to do with a connection. Handlers may be async: one message is handled at a time, in order, and what a
 * handler returns is the reply. `onMessage` excludes the other two. A message that only the other type has a
 * handler for closes the connection with 1003.
 */
export type Service<S> = Lifecycle<S> & (OneHandler<S> | HandlerByType<S>)

/** A service as the engine calls it. */
export interface Handlers<S> extends Lifecycle<S> {
  onMessage?(socket: S, message: string | Buffer): Handled
  onTextMessage?(socket: S, text: string): Handled
  onBinaryMessage?(socket: S, bytes: Buffer): Handled
}

const HANDLER_NAMES = [
  'onOpen',
  'onMessage',
  'onTextMessage',
  'onBinaryMessage',
  'onPing',
  'onPong',
  'onDrain',
  'onIdleTimeout',
  'onClose',
  'onError',
] as const

/**
 * Checks a service.
 * @param name of the argument, for the error
 * @param others further names that are legal here
 * @throws TypeError for what is no object, a handler that is no function, an unknown `on…` name, and `onMessage`
 *   beside `onTextMessage` or `onBinaryMessage`
 */
export function checkService<S>(name: string, service: unknown, others: readonly string[] = []): Handlers<S> {
  if (typeof service !== 'object' || service === null) {
    throw new TypeError(`${name} must be an object with handlers, not ${showValue(service)}`)
  }
  const known: readonly string[] = [...HANDLER_NAMES, ...others]
  // The browser's spelling, onmessage, would never be called either.
  const spellings = new Set(known.map((one) => one.toLowerCase()))
  for (const key in service) {
    if (!known.includes(key) && (/^on[A-Z]/.test(key) || spellings.has(key.toLowerCase()))) {
      throw new TypeError(`${name} has no handler named ${showValue(key)}; there are ${known.join(', ')}`)
    }
  }
  const handlers = service as Record<string, unknown>
  for (const key of known) {
    if (handlers[key] !== undefined && typeof handlers[key] !== 'function') {
      throw new TypeError(`${name}.${key} must be a function, not ${showValue(handlers[key])}`)
    }
  }
  if (handlers['onMessage'] !== undefined) {
    const other = ['onTextMessage', 'onBinaryMessage'].find((key) => handlers[key] !== undefined)
    if (other !== undefined)
      throw new TypeError(`${name} has both onMessage and ${other}: onMessage gets every message`)
  }
  return service
}
