import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { SERVER_LIMITS } from '../limits.js'
import { checkServiceNames, SETTING_NAMES } from '../service/service-names.js'
import { checkService, type Handlers } from '../service/service.js'
import type { Delivery, FanOutOptions } from '../socket/fan-out.js'
import { isThenable } from '../socket/no-reply.js'
import type { ServerStats, SocketList } from './diagnostics.js'
import { resolveServiceSettings, type ResolvedServiceSettings } from './options.js'
import type { ServerSocket } from './server-socket.js'
import type { ServerService, ServiceFactory } from './service.js'

/** A path with its service, and the connections that came by it. */
export interface Route<Data = unknown, Params = Readonly<Record<string, string>>> {
  /** As it was given. */
  readonly path: string
  /** The connections that are open or closing; live, so that a loop over it sees those that come and go. */
  readonly sockets: SocketList<ServerSocket<Data, Params>>
  /** How many they are. */
  readonly connectionCount: number
  /**
   * Sends a message to all of them that are open: encoded and compressed once. One that is slow or broken never stops
   * the others.
   * @throws TypeError for anything that is neither text nor bytes, and for wrong options; what `filter` throws
   */
  broadcast(
    data: MessageData | PreparedMessage,
    options?: FanOutOptions<ServerSocket<Data, Params>>,
  ): Delivery
  /** What went through it since it was made. */
  stats(): ServerStats
}

export type AnyService = ServerService | ServiceFactory

/** Only for the check of a service's own settings. */
const ANY_SERVER: ResolvedServiceSettings = { limits: SERVER_LIMITS, protocols: [], autoPong: true }

/** @throws TypeError or RangeError: see {@link checkService} and {@link resolveServiceSettings} */
export function checkServerService(service: unknown): AnyService {
  if (typeof service === 'function') checkServiceNames('service', service, [], SETTING_NAMES)
  else checkService<ServerSocket>('service', service, ['onUpgrade'], SETTING_NAMES)
  resolveServiceSettings('service', service as AnyService, ANY_SERVER)
  return service as AnyService
}

/**
 * Checks what a factory made.
 * @throws TypeError or RangeError: see {@link checkService}; TypeError for a setting, which would come too late
 */
export function checkMade(made: unknown): Handlers<ServerSocket> {
  // It would have no handlers, and fail where nobody waits for it.
  if (isThenable(made)) {
    Promise.resolve(made).catch(() => undefined)
    throw new TypeError('the function of a route must return handlers, not a promise')
  }
  const handlers = checkService<ServerSocket>('handlers', made, [], SETTING_NAMES)
  const late = SETTING_NAMES.find((name) => name in handlers)
  if (late === undefined) return handlers
  throw new TypeError(
    `handlers.${late} comes too late, after the handshake: make ${late} a property of the function that makes the handlers`,
  )
}
