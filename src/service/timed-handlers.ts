import { isThenable } from '../check.js'
import { toError } from '../errors.js'
import { monotonicNow } from '../transport/timer-wheel.js'
import { HANDLER_NAMES } from './service-names.js'

/** A call of a handler that is over. */
export interface HandlerCall {
  /** The socket that the handler got. */
  readonly socket: object
  /** The name of the handler. */
  readonly handler: string
  /** From the call to the return or to the end of the promise, in milliseconds. */
  readonly durationMs: number
  /** What the handler threw or rejected with; null: it did not fail. */
  readonly error: Error | null
}

type Call = (this: unknown, socket: object, ...values: unknown[]) => unknown

const NAMES: ReadonlySet<unknown> = new Set(HANDLER_NAMES)

/**
 * The same handlers, each call of which is reported when it is over. A proxy, so that `this` and the properties of the
 * handlers stay what they are, whatever their class. It costs each call a lookup more: it is for connections that open while a
 * channel has a subscriber, and no other connection knows of it.
 * @param report must not throw
 */
export function timedHandlers<H extends object>(handlers: H, report: (call: HandlerCall) => void): H {
  const known = new Map<unknown, { readonly inner: unknown; readonly timed: Call }>()
  // Of an object of its own: a proxy of a frozen one must give its properties as they are.
  return new Proxy({} as H, {
    has: (_, name) => name in handlers,
    get(_, name) {
      const inner: unknown = Reflect.get(handlers, name, handlers)
      if (typeof inner !== 'function' || !NAMES.has(name)) return inner
      let entry = known.get(name)
      if (entry?.inner !== inner) {
        entry = { inner, timed: timed(handlers, name as string, inner as Call, report) }
        known.set(name, entry)
      }
      return entry.timed
    },
  })
}

function timed(service: object, handler: string, inner: Call, report: (call: HandlerCall) => void): Call {
  return (socket, ...values) => {
    const startedAt = monotonicNow()
    const over = (error: Error | null): void => {
      report({ socket, handler, durationMs: monotonicNow() - startedAt, error })
    }
    let result: unknown
    try {
      result = inner.call(service, socket, ...values)
    } catch (thrown) {
      over(toError(thrown))
      throw thrown
    }
    if (!isThenable(result)) {
      over(null)
      return result
    }
    // Wrapped, because its own `then` may call back at once, or throw; and called once, since it may start the work.
    return Promise.resolve(result).then(
      (value) => {
        over(null)
        return value
      },
      (reason: unknown) => {
        over(toError(reason))
        throw reason
      },
    )
  }
}
