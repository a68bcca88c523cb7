import { describeInterface, needArguments, toDictionary, toUnsignedShort, toUSVString } from './web-idl.js'

/** The attributes of a CloseEvent that a program makes. */
export interface CloseEventInit {
  /** Default false. */
  readonly bubbles?: boolean
  /** Default false. */
  readonly cancelable?: boolean
  /** Default false. */
  readonly composed?: boolean
  /** Default false. */
  readonly wasClean?: boolean
  /** Default 0. */
  readonly code?: number
  /** Default: empty. */
  readonly reason?: string
}

/** The connection is over. */
export interface CloseEvent extends Event {
  /** Whether both Close frames were exchanged. */
  readonly wasClean: boolean
  /** The code of the peer's Close frame: 1005 for a frame without a code, 1006 where no frame was received. */
  readonly code: number
  /** The reason in the peer's Close frame. */
  readonly reason: string
}

/** A message was received. */
export interface MessageEvent<Data = string | Blob | ArrayBuffer> extends Event {
  /** Text as a string; bytes as a Blob or an ArrayBuffer, as `binaryType` says when the event is dispatched. */
  readonly data: Data
  /** The origin of the connection's URL, such as `ws://localhost:8080`. */
  readonly origin: string
  /** Always empty. */
  readonly lastEventId: string
  /** Always null. */
  readonly source: null
  /** Always empty. */
  readonly ports: readonly never[]
}

/** The connection failed; `close` follows. */
export interface ErrorEvent extends Event {
  /** Hawser's own: what went wrong, where that is known. */
  readonly error: Error | undefined
  /** Hawser's own: the message of `error`, or empty. */
  readonly message: string
}

/** How a CloseEvent is made. */
type CloseEventConstructor = new (type: string, init?: CloseEventInit) => CloseEvent

class OwnCloseEvent extends Event implements CloseEvent {
  readonly #wasClean: boolean
  readonly #code: number
  readonly #reason: string

  constructor(type: string, init: CloseEventInit = {}) {
    needArguments('CloseEvent', arguments.length, 1)
    const given = toDictionary('init', init)
    super(type, given)
    const { wasClean, code, reason } = given
    this.#wasClean = Boolean(wasClean)
    this.#code = code === undefined ? 0 : toUnsignedShort(code)
    this.#reason = reason === undefined ? '' : toUSVString(reason)
  }

  get wasClean(): boolean {
    return this.#wasClean
  }

  get code(): number {
    return this.#code
  }

  get reason(): string {
    return this.#reason
  }
}

Object.defineProperty(OwnCloseEvent, 'name', { value: 'CloseEvent' })
describeInterface(OwnCloseEvent, { name: 'CloseEvent', attributes: ['wasClean', 'code', 'reason'] })

const globals = globalThis as unknown as {
  readonly CloseEvent?: CloseEventConstructor
  readonly MessageEvent: new (
    type: string,
    init: { readonly data: unknown; readonly origin: string },
  ) => MessageEvent
}

/** Node's own where it has one (since Node 23). */
export const CloseEvent: CloseEventConstructor = globals.CloseEvent ?? OwnCloseEvent

export const messageEvent = (data: unknown, origin: string): MessageEvent =>
  new globals.MessageEvent('message', { data, origin })

export function errorEvent(error: Error | undefined): ErrorEvent {
  return Object.defineProperties(new Event('error'), {
    error: { value: error, enumerable: true },
    message: { value: error?.message ?? '', enumerable: true },
  }) as ErrorEvent
}

/**
 * Event handlers that are attributes, such as `onopen` (HTML 8.1.8.1): each is one listener, in the place that it got when it
 * was first set, until it is set to null.
 */
export class EventHandlers {
  readonly #target: EventTarget
  readonly #handlers = new Map<string, { value: object; readonly listener: (event: Event) => void }>()

  constructor(target: EventTarget) {
    this.#target = target
  }

  get(type: string): object | null {
    return this.#handlers.get(type)?.value ?? null
  }

  /** @param value anything that is not an object stands for null; an object that is not a function is kept and not called */
  set(type: string, value: unknown): void {
    const known = this.#handlers.get(type)
    const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
    if (!isObject) {
      if (known === undefined) return
      this.#handlers.delete(type)
      this.#target.removeEventListener(type, known.listener)
    } else if (known === undefined) {
      const handler = {
        value,
        listener: (event: Event): void => {
          if (typeof handler.value !== 'function') return
          const result = (handler.value as (this: EventTarget, event: Event) => unknown).call(
            this.#target,
            event,
          )
          if (result === false) event.preventDefault()
        },
      }
      this.#handlers.set(type, handler)
      this.#target.addEventListener(type, handler.listener)
    } else {
      known.value = value
    }
  }
}
