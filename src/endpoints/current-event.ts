import { AsyncLocalStorage } from 'node:async_hooks'
import { checkService, type Handlers } from '../service/service.js'
import { SETTING_NAMES } from '../service/service-names.js'
import type { ServerSocket } from '../server/server-socket.js'

/** The call of a handler that the code runs in, however deep below it. */
export interface CurrentEvent {
  /** The handler, such as `onMessage`. */
  readonly handler: string
  /** The connection that the handler was called for. */
  readonly socket: ServerSocket
  /** What the handler got behind the socket: the message, the data of a ping, the error, the CloseInfo. */
  readonly value: unknown
}

const STORAGE = new AsyncLocalStorage<CurrentEvent>()

const TRACKED = [
  'onOpen',
  'onMessage',
  'onTextMessage',
  'onBinaryMessage',
  'onInvalidMessage',
  'onPing',
  'onPong',
  'onDrain',
  'onIdleTimeout',
  'onClose',
  'onError',
] as const satisfies readonly (keyof Handlers<never>)[]

/**
 * The event that the code runs for: of the handler that called it, also behind an `await`. Only for services that were
 * given through {@link trackEvents}; undefined everywhere else.
 */
export function currentEvent(): CurrentEvent | undefined {
  return STORAGE.getStore()
}

/**
 * The same service, whose handlers run with {@link currentEvent}. It costs each call an object and a context, so that it
 * is asked for by service.
 * @returns a service of its own; the one given stays as it is, and is `this` in its handlers
 * @throws TypeError or RangeError: as `route` does, also for a function
 */
export function trackEvents<Service extends object>(service: Service): Service {
  checkService('service', service, ['onUpgrade'], SETTING_NAMES)
  const tracked = Object.create(service) as Record<string, unknown>
  for (const handler of TRACKED) {
    const inner: unknown = (service as Record<string, unknown>)[handler]
    if (typeof inner !== 'function') continue
    const call = inner as (this: unknown, socket: ServerSocket, ...values: unknown[]) => unknown
    tracked[handler] = (socket: ServerSocket, ...values: unknown[]): unknown =>
      STORAGE.run({ handler, socket, value: values[0] }, () => call.call(service, socket, ...values))
  }
  return tracked as Service
}
