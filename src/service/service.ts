import { checkNumber, isThenable, refuseSurplus, showValue } from '../check.js'
import type { InvalidMessageError, ProtocolError, TransportError } from '../errors.js'
import type { CloseInfo } from '../connection/events.js'
import { checkCloseArguments } from '../frame/close-code.js'
import type { MessageData } from '../connection/message-data.js'
import { checkCodec, type Codec, type MessageOf } from './codec.js'
import { checkServiceNames, HANDLER_NAMES } from './service-names.js'

/** A reply that closes the connection: made by {@link closeWith}. */
export interface CloseReply {
  /** The Close frame's code. */
  readonly code: number
  /** The Close frame's reason. */
  readonly reason: string
}

/** What {@link closeWith} makes: nothing else closes the connection. */
export class ClosingReply implements CloseReply {
  readonly code: number
  readonly reason: string

  constructor(code: number, reason: string) {
    this.code = code
    this.reason = reason
  }
}

/**
 * Makes a reply that closes the connection.
 * @throws TypeError or RangeError for a code that must not be sent
 */
export function closeWith(code?: number, reason?: string): CloseReply
export function closeWith(code = 1000, reason = '', surplus?: unknown): CloseReply {
  refuseSurplus(surplus, 'closeWith(code, reason)', 'a reply is not waited for')
  checkCloseArguments(code, reason)
  return new ClosingReply(code, reason)
}

/** A reply in parts: each part is sent as a reply of its own, at the pace of the peer. */
export type ReplyStream<T = MessageData | CloseReply> = AsyncIterable<T>

/**
 * The values that a handler may return: text or bytes are sent, {@link closeWith} closes the connection, each part of an async
 * iterable is sent, anything else is not a reply.
 */
export type Reply = MessageData | CloseReply | ReplyStream | undefined | null | boolean | number | void

/** A reply, or a promise of one. */
type Handled = Reply | Promise<Reply>

/** With a codec a handler may return anything: undefined is not a reply, every other value is encoded. */
type HandledBy<C> = [C] extends [Codec] ? unknown : Handled

/** Handlers without a reply may return anything. An async handler that rejects is treated as one that throws. */
interface Lifecycle<S> {
  /**
   * The connection is open. No message is delivered before `onOpen` is done. What it returns is not a reply.
   */
  onOpen?(socket: S): unknown
  /** A ping was received. Its pong is already queued, unless `autoPong` is off. */
  onPing?(socket: S, data: Buffer): unknown
  /** A pong was received, asked for or not. */
  onPong?(socket: S, data: Buffer): unknown
  /** `bufferedAmount` is at or below the high-water mark again, after `send` returned false. */
  onDrain?(socket: S): unknown
  /**
   * No byte of a data frame was received for `idleTimeoutMs`. Return `'keep'`, or a promise of it, to keep the connection;
   * otherwise it is closed with 1001. Not called again before it is done.
   */
  onIdleTimeout?(socket: S): 'keep' | undefined | void | Promise<'keep' | undefined | void>
  /** The connection is over: called exactly once for each connection that was opened, after all its messages. */
  onClose?(socket: S, info: CloseInfo): unknown
  /** The peer, the network or a handler failed. `onClose` follows. */
  onError?(socket: S, error: ProtocolError | TransportError | InvalidMessageError | Error): unknown
  /**
   * How many messages may be handled at the same time. Default 1: the next handler begins when the one before is done and its
   * reply is queued. Above 1 replies are sent in the order in which handlers finish. At most `limits.maxQueuedMessages`.
   */
  readonly concurrency?: number | undefined
}

/** Handlers where one takes all messages, or the values that a codec reads. */
interface OneHandler<S, C> {
  /** Converts messages to values, and replies to messages. */
  readonly codec?: C | undefined
  /**
   * A message was received: text as a string, bytes as a Buffer that belongs to the handler; or the value that the codec
   * reads. The type of the socket is not inferred from here: a router that is spread in knows less of it than `onUpgrade`.
   */
  onMessage?(socket: NoInfer<S>, message: MessageOf<C>): HandledBy<C>
  /**
   * The codec refused a message. Without this handler the connection is closed with the error's `closeCode`. With it the
   * connection stays open, and what the handler returns is the reply.
   */
  onInvalidMessage?(socket: S, error: InvalidMessageError, raw: string | Buffer): HandledBy<C>
  onTextMessage?: never
  onBinaryMessage?: never
}

/** Handlers where text and bytes have one each. */
interface HandlerByType<S> {
  /** A codec needs `onMessage`. */
  readonly codec?: undefined
  onMessage?: never
  onInvalidMessage?: never
  /** A text message was received. */
  onTextMessage?(socket: S, text: string): Handled
  /** A binary message was received. The bytes belong to the handler. */
  onBinaryMessage?(socket: S, bytes: Buffer): Handled
}

/**
 * The handlers of a connection. They may be async: one message is handled at a time, in order, and what a handler returns is
 * the reply. `onMessage` excludes the other two. A message of a type that has no handler while the other type has one closes
 * the connection with 1003.
 */
export type Service<S, C = undefined> = Lifecycle<S> & (OneHandler<S, C> | HandlerByType<S>)

/** A service as the engine calls it. */
export interface Handlers<S> extends Lifecycle<S> {
  readonly codec?: Codec | undefined
  onMessage?(socket: S, message: unknown): unknown
  onTextMessage?(socket: S, text: string): unknown
  onBinaryMessage?(socket: S, bytes: Buffer): unknown
  onInvalidMessage?(socket: S, error: InvalidMessageError, raw: string | Buffer): unknown
}

/**
 * Checks a service.
 * @param name the name of the argument, for the error
 * @param others further legal handlers
 * @param settings further legal options; the caller checks their values
 * @param passed prototypes whose names were checked before: see {@link checkServiceNames}
 * @throws TypeError for what is not an object, an array, a promise, a module with a default export, a handler that is not a
 *   function, a name that is neither a handler nor an option (see {@link checkServiceNames}), `onMessage` beside `onTextMessage` or
 *   `onBinaryMessage`, either of them beside `codec`, a wrong codec, one without `onMessage`; TypeError or RangeError for a wrong `concurrency`
 */
export function checkService<S>(
  name: string,
  service: unknown,
  others: readonly string[] = [],
  settings: readonly string[] = [],
  passed?: WeakSet<object>,
): Handlers<S> {
  if (typeof service !== 'object' || service === null) {
    throw new TypeError(`${name} must be an object with handlers, not ${showValue(service)}`)
  }
  const other = kindOf(service)
  if (other !== null) throw new TypeError(`${name} must be an object with handlers, not ${other}`)
  const known = others.length === 0 ? HANDLER_NAMES : [...HANDLER_NAMES, ...others]
  checkServiceNames(name, service, known, settings, passed)
  const handlers = service as Record<string, unknown>
  for (const key of known) {
    const handler = handlers[key]
    if (handler !== undefined && typeof handler !== 'function') {
      throw new TypeError(`${name}.${key} must be a function, not ${showValue(handler)}`)
    }
    if (handler !== undefined) checkRuns(name, key, handler)
  }
  const byType = ['onTextMessage', 'onBinaryMessage'].find((key) => handlers[key] !== undefined)
  if (handlers['onMessage'] !== undefined && byType !== undefined) {
    throw new TypeError(`${name} has both onMessage and ${byType}: onMessage gets every message`)
  }
  const { codec, concurrency } = handlers
  if (codec !== undefined) {
    checkCodec(`${name}.codec`, codec)
    if (byType !== undefined)
      throw new TypeError(`${name} has both codec and ${byType}: a codec needs onMessage`)
    if (handlers['onMessage'] === undefined) {
      throw new TypeError(`${name} has codec and no onMessage: a codec needs onMessage`)
    }
  } else if (handlers['onInvalidMessage'] !== undefined) {
    throw new TypeError(`${name} has onInvalidMessage and no codec: without one no message is invalid`)
  }
  if (concurrency !== undefined) checkNumber(`${name}.concurrency`, concurrency, { min: 1, integer: true })
  return service
}

/** Names a value that cannot have been meant as a service: it would be a service without handlers. */
function kindOf(service: object): string | null {
  if (Array.isArray(service)) return 'an array'
  if (isThenable(service)) return 'a promise: await it'
  const { default: main, [Symbol.toStringTag]: tag } = service as {
    default?: unknown
    [Symbol.toStringTag]?: unknown
  }
  if (tag === 'Module' && main !== undefined) return 'a module: give its default export'
  // A Map, a Response, an Error: what has a kind of its own has handlers only if it was made for it.
  if (Object.getPrototypeOf(service) === Object.prototype) return null
  const kind = Object.prototype.toString.call(service).slice('[object '.length, -1)
  if (kind === 'Object' || kind === 'Module') return null
  return [...HANDLER_NAMES, 'onUpgrade'].some((name) => name in service)
    ? null
    : `a value of the kind ${kind}`
}

/** The handlers whose values are replies, which generators may make. */
const REPLYING: ReadonlySet<string> = new Set([
  'onMessage',
  'onTextMessage',
  'onBinaryMessage',
  'onInvalidMessage',
])

const GENERATORS: ReadonlySet<unknown> = new Set([
  Object.getPrototypeOf(function* () {
    yield
  }),
  Object.getPrototypeOf(async function* () {
    yield await Promise.resolve(1)
  }),
])

/** @throws TypeError for a generator where nobody would run it */
function checkRuns(name: string, key: string, handler: object): void {
  if (REPLYING.has(key) || !GENERATORS.has(Object.getPrototypeOf(handler))) return
  throw new TypeError(
    `${name}.${key} must not be a generator: its value is not a reply, so that nothing would run it`,
  )
}
