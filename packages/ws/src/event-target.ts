/**
 * The events of browsers over an EventEmitter, as `ws` has them: addEventListener, removeEventListener, and the attributes
 * onopen, onmessage, onclose and onerror. A listener of an event is a listener of the emitter that makes the Event object.
 */
import type { EventEmitter } from 'node:events'

/** An object that has the events. */
export interface EventHost extends EventEmitter {
  readonly _closeFrameReceived?: boolean
  readonly _closeFrameSent?: boolean
}

/** What a listener gets. */
class Event<Host = unknown> {
  readonly #type: string
  readonly #target: Host

  constructor(type: string, target: Host) {
    this.#type = type
    this.#target = target
  }

  /** The object that emitted the event. */
  get target(): Host {
    return this.#target
  }

  /** Its name. */
  get type(): string {
    return this.#type
  }
}

class MessageEvent extends Event {
  readonly #data: unknown

  constructor(target: unknown, data: unknown) {
    super('message', target)
    this.#data = data
  }

  /** Text as a string; bytes as `binaryType` says. */
  get data(): unknown {
    return this.#data
  }
}

class CloseEvent extends Event {
  readonly #code: number
  readonly #reason: string
  readonly #wasClean: boolean

  constructor(target: unknown, code: number, reason: string, wasClean: boolean) {
    super('close', target)
    this.#code = code
    this.#reason = reason
    this.#wasClean = wasClean
  }

  /** The code of the peer's Close frame; 1005 for a frame without a code, 1006 where no frame was received. */
  get code(): number {
    return this.#code
  }

  /** The reason in the peer's Close frame. */
  get reason(): string {
    return this.#reason
  }

  /** Whether both Close frames were exchanged. */
  get wasClean(): boolean {
    return this.#wasClean
  }
}

class ErrorEvent extends Event {
  readonly #error: unknown
  readonly #message: string

  constructor(target: unknown, error: unknown, message: string) {
    super('error', target)
    this.#error = error
    this.#message = message
  }

  /** What the 'error' event of the emitter has. */
  get error(): unknown {
    return this.#error
  }

  /** The message of {@link error}, or empty. */
  get message(): string {
    return this.#message
  }
}

// As those of the DOM: programs enumerate events to copy them.
for (const [type, names] of [
  [Event, ['target', 'type']],
  [MessageEvent, ['data']],
  [CloseEvent, ['code', 'reason', 'wasClean']],
  [ErrorEvent, ['error', 'message']],
] as const) {
  for (const name of names) Object.defineProperty(type.prototype, name, { enumerable: true })
}

/** A function, or an object with the method `handleEvent`. */
export type EventHandler = ((event: Event) => void) | { handleEvent(event: Event): void }

/** Makes the Event from what the emitter gives its listeners. */
const FACTORIES = {
  open: (host: EventHost): Event => new Event('open', host),
  message: (host: EventHost, data: unknown, isBinary: unknown): Event =>
    new MessageEvent(host, isBinary === true ? data : String(data)),
  close: (host: EventHost, code: unknown, reason: unknown): Event =>
    new CloseEvent(
      host,
      code as number,
      String(reason),
      host._closeFrameReceived === true && host._closeFrameSent === true,
    ),
  error: (host: EventHost, error: unknown): Event => {
    const message = (error as { readonly message?: unknown } | null | undefined)?.message
    return new ErrorEvent(host, error, typeof message === 'string' ? message : '')
  },
} as const

/** The types that have Events: listeners of any other type are not added. */
type EventType = keyof typeof FACTORIES

const isEventType = (type: string): type is EventType => Object.hasOwn(FACTORIES, type)

/** The listener of an emitter that calls a handler with an Event. */
interface Wrapper {
  (...values: unknown[]): void
  readonly handler: EventHandler
  /** Whether the handler is that of an attribute, such as `onopen`. */
  readonly isAttribute: boolean
}

/** The handlers that were given here, by the listeners that call them. */
const wrappers = new WeakMap<object, Wrapper>()

function wrap(host: EventHost, type: EventType, handler: EventHandler, isAttribute: boolean): Wrapper {
  const make: (host: EventHost, first: unknown, second: unknown) => Event = FACTORIES[type]
  const wrapper = Object.assign(
    (first: unknown, second: unknown): void => {
      const event = make(host, first, second)
      if (typeof handler === 'function') handler.call(host, event)
      else handler.handleEvent(event)
    },
    { handler, isAttribute },
  )
  wrappers.set(wrapper, wrapper)
  return wrapper
}

/** The listener that calls this handler; with null, the one that is an attribute. */
function findWrapper(host: EventHost, type: string, handler: unknown, isAttribute: boolean): Wrapper | null {
  for (const listener of host.listeners(type)) {
    const wrapper = wrappers.get(listener)
    if (wrapper?.isAttribute === isAttribute && (isAttribute || wrapper.handler === handler)) return wrapper
  }
  return null
}

/**
 * Adds a handler, once for each type. Types that have no Event are ignored.
 * @param handler a function, called with the host as `this`; or an object, whose method `handleEvent` is called
 * @param options `once`: it is called for the next event alone
 */
export function addEventListener(
  this: EventHost,
  type: string,
  handler: EventHandler,
  options?: { readonly once?: boolean | undefined } | boolean | null,
): void {
  if (!isEventType(type) || findWrapper(this, type, handler, false) !== null) return
  const wrapper = wrap(this, type, handler, false)
  if (typeof options === 'object' && options?.once) this.once(type, wrapper)
  else this.on(type, wrapper)
}

/** Removes a handler that {@link addEventListener} added. */
export function removeEventListener(this: EventHost, type: string, handler: EventHandler): void {
  const wrapper = findWrapper(this, type, handler, false)
  if (wrapper !== null) this.removeListener(type, wrapper)
}

/** Defines the methods, and the attributes onopen, onmessage, onclose and onerror, as enumerable members of a prototype. */
export function defineEventTarget(prototype: EventHost): void {
  for (const method of [addEventListener, removeEventListener]) {
    Object.defineProperty(prototype, method.name, {
      value: method,
      writable: true,
      enumerable: true,
      configurable: true,
    })
  }
  for (const type of Object.keys(FACTORIES) as EventType[]) {
    Object.defineProperty(prototype, `on${type}`, {
      get(this: EventHost): EventHandler | null {
        return findWrapper(this, type, null, true)?.handler ?? null
      },
      set(this: EventHost, handler: unknown): void {
        const present = findWrapper(this, type, null, true)
        if (present !== null) this.removeListener(type, present)
        if (typeof handler === 'function') this.on(type, wrap(this, type, handler as EventHandler, true))
      },
      enumerable: true,
      configurable: true,
    })
  }
}

export { CloseEvent, ErrorEvent, Event, MessageEvent }
