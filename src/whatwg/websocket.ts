import { InvalidStateError } from '../errors.js'
import { showAs } from '../inspect.js'
import type { ClientSocket } from '../client/client-socket.js'
import { ReadyState } from '../connection/ready-state.js'
import type { LimitOptions } from '../limits.js'
import { checkProtocols, parseUrl, toProtocols, withoutCredentials } from './address.js'
import { checkClose } from './closing.js'
import {
  CloseEvent,
  errorEvent,
  EventHandlers,
  messageEvent,
  type ErrorEvent,
  type MessageEvent,
} from './events.js'
import { readInit, type ConnectionInit, type WebSocketInit } from './init.js'
import { Link, type Ending, type LinkOwner } from './link.js'
import { Outgoing, type Sendable } from './outgoing.js'
import { ownBytes } from './own-bytes.js'
import { Tasks } from './tasks.js'
import {
  bytesOf,
  describeInterface,
  isSequence,
  needArguments,
  toClampedUnsignedShort,
  toUSVString,
} from './web-idl.js'

/** What the data of a binary message is. */
export type BinaryType = 'blob' | 'arraybuffer'

/** The events of a {@link WebSocket}, by their types. */
export interface WebSocketEventMap {
  /** The connection is open. */
  readonly open: Event
  /** A message was received. */
  readonly message: MessageEvent
  /** The connection failed; `close` follows. */
  readonly error: ErrorEvent
  /** The connection is over. */
  readonly close: CloseEvent
}

/** A handler that is an attribute. */
type EventHandler<E> = ((this: WebSocket, event: E) => unknown) | null
/** The options of a listener. */
type ListenerOptions = Parameters<EventTarget['addEventListener']>[2]
/** An object that listens. */
interface ListenerObject<E> {
  /** Called with each event. */
  handleEvent(event: E): unknown
}
/** A listener of events. */
type Listener<E> = ((this: WebSocket, event: E) => unknown) | ListenerObject<E>

/** An EventTarget that knows the types of a WebSocket's events. */
export interface WebSocketEventTarget extends EventTarget {
  /** Adds a listener. */
  addEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: Listener<WebSocketEventMap[K]>,
    options?: ListenerOptions,
  ): void
  /** Adds a listener of any event. */
  addEventListener(type: string, listener: Listener<Event>, options?: ListenerOptions): void
  /** Removes a listener. */
  removeEventListener<K extends keyof WebSocketEventMap>(
    type: K,
    listener: Listener<WebSocketEventMap[K]>,
    options?: ListenerOptions,
  ): void
  /** Removes a listener of any event. */
  removeEventListener(type: string, listener: Listener<Event>, options?: ListenerOptions): void
}

/** EventTarget, with the types of the events. */
const Base = EventTarget as unknown as new () => WebSocketEventTarget

/** The standard has no other way to say that the peer is slow than to close: so much may wait. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024

const EVENT_TYPES = ['open', 'error', 'close', 'message']
const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const

/**
 * The WebSocket of browsers (https://websockets.spec.whatwg.org): same constructor, attributes, events and errors. See
 * docs/whatwg.md for what holds, and for the options that a program has besides.
 */
export class WebSocket extends Base {
  /** The value of `readyState` while the connection is not open yet. */
  declare static readonly CONNECTING: 0
  /** The value of `readyState` while the connection is open. */
  declare static readonly OPEN: 1
  /** The value of `readyState` while the connection is closing. */
  declare static readonly CLOSING: 2
  /** The value of `readyState` while the connection is over. */
  declare static readonly CLOSED: 3
  /** The value of `readyState` while the connection is not open yet. */
  declare readonly CONNECTING: 0
  /** The value of `readyState` while the connection is open. */
  declare readonly OPEN: 1
  /** The value of `readyState` while the connection is closing. */
  declare readonly CLOSING: 2
  /** The value of `readyState` while the connection is over. */
  declare readonly CLOSED: 3

  readonly #url: URL
  readonly #link: Link
  readonly #tasks = new Tasks()
  readonly #outgoing: Outgoing
  readonly #handlers: EventHandlers
  #state: ReadyState = ReadyState.CONNECTING
  #binaryType: BinaryType = 'blob'
  #protocol = ''
  #extensions = ''

  /**
   * Begins to connect.
   * @param url absolute: ws, wss, or http and https for them; credentials become basic authentication
   * @param protocols a subprotocol or a list of them; or Hawser's options
   * @throws DOMException SyntaxError for a URL or a subprotocol that is none; TypeError or RangeError for a wrong option, and for
   *   options in a third argument
   */
  constructor(url: string | URL, protocols: string | Iterable<string> | WebSocketInit = []) {
    needArguments('WebSocket', arguments.length, 1)
    // eslint-disable-next-line prefer-rest-params -- a rest parameter would show in the types
    refuseThird(arguments[2])
    super()
    const record = parseUrl(url)
    const { offered, init } = readProtocols(protocols)
    checkProtocols(offered)
    this.#url = record
    this.#handlers = new EventHandlers(this)
    this.#outgoing = new Outgoing((error) => {
      this.#link.fail(error)
    })
    const limits: LimitOptions = { maxBufferedOutputBytes: MAX_BUFFERED_BYTES, ...init.limits }
    const owner: LinkOwner = {
      opened: (socket) => {
        this.#opened(socket)
      },
      received: (message) => {
        this.#received(message)
      },
      ended: (ending) => {
        this.#ended(ending)
      },
    }
    this.#link = new Link(record.href, { protocols: offered, init, limits }, owner)
  }

  /** The URL of the connection, with ws or wss. */
  get url(): string {
    return this.#url.href
  }

  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  get readyState(): ReadyState {
    return this.#currentState()
  }

  /**
   * The bytes of messages that `send` took and the transport did not, without frames. It grows with each `send` after the
   * connection began to close, and never returns to 0 then.
   */
  get bufferedAmount(): number {
    return this.#outgoing.bufferedAmount
  }

  /** The extensions in use, as the server's answer named them; empty before `open`. */
  get extensions(): string {
    return this.#extensions
  }

  /** The subprotocol in use; empty before `open`. */
  get protocol(): string {
    return this.#protocol
  }

  /** What the data of a binary message is: a Blob, which is the default, or an ArrayBuffer. */
  get binaryType(): BinaryType {
    return this.#binaryType
  }

  set binaryType(type: BinaryType) {
    // An enumeration ignores other values.
    const value = toUSVString(type)
    if (value === 'blob' || value === 'arraybuffer') this.#binaryType = value
  }

  /** The handler of `open`, or null. */
  get onopen(): EventHandler<Event> {
    return this.#handlers.get('open') as EventHandler<Event>
  }

  set onopen(handler: EventHandler<Event>) {
    this.#handlers.set('open', handler)
  }

  /** The handler of `message`, or null. */
  get onmessage(): EventHandler<MessageEvent> {
    return this.#handlers.get('message') as EventHandler<MessageEvent>
  }

  set onmessage(handler: EventHandler<MessageEvent>) {
    this.#handlers.set('message', handler)
  }

  /** The handler of `error`, or null. */
  get onerror(): EventHandler<ErrorEvent> {
    return this.#handlers.get('error') as EventHandler<ErrorEvent>
  }

  set onerror(handler: EventHandler<ErrorEvent>) {
    this.#handlers.set('error', handler)
  }

  /** The handler of `close`, or null. */
  get onclose(): EventHandler<CloseEvent> {
    return this.#handlers.get('close') as EventHandler<CloseEvent>
  }

  set onclose(handler: EventHandler<CloseEvent>) {
    this.#handlers.set('close', handler)
  }

  /**
   * Sends a message: a string, and anything that is none of the others, as text; a Blob, an ArrayBuffer or a view as bytes.
   * Bytes are read during the call; what follows a Blob waits until the Blob is read.
   * @throws DOMException InvalidStateError before `open`; TypeError for shared or resizable memory
   */
  send(data: string | Blob | ArrayBuffer | ArrayBufferView): void {
    const state = this.#currentState()

    needArguments('send', arguments.length, 1)
    const message = toSendable(data)
    if (state === ReadyState.CONNECTING) {
      throw new DOMException('send must be called after the open event', 'InvalidStateError')
    }
    if (state === ReadyState.OPEN) this.#outgoing.send(message)
    else this.#outgoing.lose(message)
  }

  /**
   * Starts the closing handshake after everything that was sent; while connecting it gives up.
   * @param code 1000, or 3000 to 4999. Default: none, or 1000 where there is a reason
   * @param reason at most 123 bytes of UTF-8
   * @throws DOMException InvalidAccessError for another code, SyntaxError for a longer reason
   */
  close(code?: number, reason?: string): void {
    const state = this.#currentState()
    const how = checkClose(
      code === undefined ? undefined : toClampedUnsignedShort(code),
      reason === undefined ? '' : toUSVString(reason),
    )
    if (state === ReadyState.CONNECTING) {
      this.#state = ReadyState.CLOSING
      this.#link.fail(new InvalidStateError('close() was called before the connection was open'))
    } else if (state === ReadyState.OPEN) {
      this.#state = ReadyState.CLOSING
      this.#outgoing.close(how)
    }
  }

  #currentState(): ReadyState {
    // The peer's Close frame was received, and every message before it is delivered.
    const { socket } = this.#link
    const isClosing = this.#state === ReadyState.OPEN && this.#tasks.isEmpty
    if (isClosing && socket !== null && socket.readyState !== ReadyState.OPEN) {
      this.#state = ReadyState.CLOSING
    }
    return this.#state
  }

  #opened(socket: ClientSocket): void {
    this.#outgoing.opened(socket)
    this.#tasks.push(() => {
      if (this.#state !== ReadyState.CONNECTING) return
      this.#state = ReadyState.OPEN
      this.#protocol = socket.protocol
      this.#extensions = socket.extensions
      this.dispatchEvent(new Event('open'))
    })
  }

  #received(message: string | Buffer): void {
    const { socket } = this.#link
    if (socket === null) return
    this.#tasks.pushMessage(socket, message, () => {
      if (this.#state !== ReadyState.OPEN) return
      this.dispatchEvent(messageEvent(this.#dataOf(message), this.#url.origin))
    })
  }

  #dataOf(message: string | Buffer): string | Blob | ArrayBuffer {
    if (typeof message === 'string') return message
    return this.#binaryType === 'blob' ? new Blob([message]) : ownBytes(message).buffer
  }

  #ended({ code, reason, wasClean, unsentBytes, error }: Ending): void {
    this.#outgoing.ended(unsentBytes)
    this.#tasks.push(() => {
      this.#state = ReadyState.CLOSED
      if (!wasClean) this.dispatchEvent(errorEvent(error))
    })
    this.#tasks.push(() => {
      this.dispatchEvent(new CloseEvent('close', { wasClean, code, reason }))
    })
  }
}

describeInterface(WebSocket, {
  name: 'WebSocket',
  attributes: [
    ...['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol', 'binaryType'],
    ...EVENT_TYPES.map((type) => `on${type}`),
  ],
  operations: { close: 0, send: 1 },
  constants: STATES,
})

showAs(WebSocket, 'WebSocket', ({ url, readyState, protocol, bufferedAmount }) => ({
  ...{ url: withoutCredentials(url), readyState, protocol, bufferedAmount },
}))

interface ReadProtocols {
  readonly offered: readonly string[]
  readonly init: ConnectionInit
}

/**
 * A third argument is ignored, as in a browser; but options there are those of the package ws, and matter.
 * @throws TypeError for an object
 */
function refuseThird(given: unknown): void {
  if (typeof given !== 'object' || given === null) return
  throw new TypeError(
    'new WebSocket(url, protocols) takes no third argument: options stand in the place of protocols, { protocols, headers, ... }',
  )
}

/** Reads the second argument of the constructor: a string, a sequence of them, or options. */
function readProtocols(given: unknown): ReadProtocols {
  const isObject = (typeof given === 'object' && given !== null) || typeof given === 'function'
  if (!isObject || isSequence(given)) return { offered: toProtocols(given), init: {} }
  const init = readInit('WebSocketInit', given, ['protocols'])
  const { protocols } = given as WebSocketInit
  return { offered: protocols === undefined ? [] : toProtocols(protocols), init }
}

function toSendable(data: unknown): Sendable {
  if (typeof data === 'string') return data
  if (data instanceof Blob) return data
  return bytesOf('data', data) ?? toUSVString(data)
}
