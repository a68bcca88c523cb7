import { AsyncLocalStorage } from 'node:async_hooks'
import type { ClientSocket } from '../client/client-socket.js'
import { checkService, type Handlers } from '../service/service.js'
import { SETTING_NAMES } from '../service/service-names.js'
import type { ServerSocket } from '../server/server-socket.js'

/** The call of a handler that the code runs in, however deep below it. */
export interface CurrentEvent {
  /** The handler, such as `onMessage`. */
  readonly handler: string
  /** The connection that the handler was called for: of a server or, if its service was given to `connect`, of a client. */
  readonly socket: ServerSocket | ClientSocket
  /** The argument of the handler after the socket: the message, the data of a ping, the error, the CloseInfo. */
  readonly value: unknown
}

type AnySocket = CurrentEvent['socket']

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
 * The event that the code runs for: of the handler that called it, also after an `await`. Only for services that were
 * given through {@link trackEvents}, to a server or to a client; undefined everywhere else.
 */
export function currentEvent(): CurrentEvent | undefined {
  return STORAGE.getStore()
}

/**
 * The same service, whose handlers run with {@link currentEvent}: for `route` and `serveEndpoint`, and for the handlers of a
 * client. It costs each call an object and a context, so that it is asked for by service.
 * @returns a service of its own; the one given stays as it is, and is `this` in its handlers
 * @throws TypeError or RangeError: as `route` does, also for a function
 */
export function trackEvents<Service extends object>(service: Service): Service {
  checkService('service', service, ['onUpgrade'], SETTING_NAMES)
  const tracked = Object.create(service) as Record<string, unknown>
  for (const handler of TRACKED) {
    const inner: unknown = (service as Record<string, unknown>)[handler]
    if (typeof inner !== 'function') continue
    const call = inner as (this: unknown, socket: AnySocket, ...values: unknown[]) => unknown
    tracked[handler] = (socket: AnySocket, ...values: unknown[]): unknown =>
      STORAGE.run({ handler, socket, value: values[0] }, () => call.call(service, socket, ...values))
  }
  return tracked as Service
}
