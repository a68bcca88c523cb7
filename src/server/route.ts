import { SERVER_LIMITS, showValue } from '../limits.js'
import { ReadyState } from '../connection/ready-state.js'
import type { CloseInfo } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import type { Hub } from '../hub/hub.js'
import type { Delivery, FanOutOptions } from '../socket/fan-out.js'
import { isThenable } from '../socket/no-reply.js'
import { checkServiceNames, SETTING_NAMES } from '../service/service-names.js'
import { checkService, type Handlers } from '../service/service.js'
import { warnOnce } from '../socket/warnings.js'
import {
  resolveServiceSettings,
  type ResolvedServerOptions,
  type ResolvedServiceSettings,
} from './options.js'
import type { ServerSocket, SocketOwner } from './server-socket.js'
import type { ServerService, ServiceFactory } from './service.js'
import { Tally, type ServerStats, type SocketList } from './stats.js'

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

/** What all routes of a server share. */
export interface RouteHost {
  readonly options: ResolvedServerOptions
  readonly tally: Tally
  readonly hub: Hub<ServerSocket>
  /** The routes that have connections, those included that were taken out and those without a path. */
  readonly inUse: Set<RouteEntry>
  /** All open connections as a list, for sending: made when it is first wanted after a change, and never changed. */
  everyone: readonly ServerSocket[] | null
  /** A connection is over, before `onClose`. */
  gone(socket: ServerSocket): void
  /** Connections that are over, and of which a handler still runs or a message waits. */
  readonly leaving: Set<ServerSocket>
  /** Nothing of a connection runs any more. */
  done(socket: ServerSocket): void
}

export type AnyService = ServerService | ServiceFactory

const NO_HANDLERS: Handlers<ServerSocket> = Object.freeze({})

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
function checkMade(made: unknown): Handlers<ServerSocket> {
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

/** A route as its server has it: the owner of its connections. */
export class RouteEntry implements Route, SocketOwner {
  readonly path: string
  readonly sockets = new Set<ServerSocket>()
  readonly tally = new Tally()
  /** Who decides on upgrades. */
  readonly decider: Pick<ServerService, 'onUpgrade'>
  readonly settings: ResolvedServiceSettings
  private readonly factory: ServiceFactory | null
  private readonly host: RouteHost
  /** As `RouteHost.everyone`, of this route. */
  private list: readonly ServerSocket[] | null = null

  /** @param path empty: the service of upgrades that are taken by hand */
  constructor(path: string, service: AnyService, host: RouteHost) {
    this.path = path
    this.host = host
    this.settings = resolveServiceSettings('service', service, host.options)
    this.factory = typeof service === 'function' ? service : null
    this.decider = typeof service === 'function' ? (NO_HANDLERS as ServerService) : service
  }

  get connectionCount(): number {
    return this.sockets.size
  }

  /** What a log shows: not the server inside. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Route ${JSON.stringify({ path: this.path, connections: this.connectionCount })}`
  }

  get hub(): Hub<ServerSocket> {
    return this.host.hub
  }

  /** The handlers that a connection starts with. */
  get handlers(): Handlers<ServerSocket> {
    return this.decider as Handlers<ServerSocket>
  }

  broadcast(data: MessageData | PreparedMessage, options?: FanOutOptions<ServerSocket>): Delivery {
    return this.hub.broadcast(this.members, data, options, this.path)
  }

  /** The connections that are open now: a list that nobody changes. */
  get members(): readonly ServerSocket[] {
    this.list ??= [...this.sockets].filter((socket) => socket.readyState === ReadyState.OPEN)
    return this.list
  }

  stats(): ServerStats {
    return this.tally.stats(this.sockets.size, [this.sockets])
  }

  /** A connection came; makes its handlers where each has its own, and opens it. */
  opened(socket: ServerSocket, head: Uint8Array): void {
    this.sockets.add(socket)
    this.changed()
    this.host.inUse.add(this)
    this.tally.opened++
    this.host.tally.opened++
    if (this.factory !== null) {
      try {
        socket.use(checkMade(this.factory(socket)))
      } catch (error) {
        socket.failToOpen(error)
      }
    }
    socket.open(head)
  }

  closing(socket: ServerSocket): void {
    this.changed()
    this.hub.forget(socket)
  }

  gone(socket: ServerSocket, info: CloseInfo): void {
    this.sockets.delete(socket)
    if (this.sockets.size === 0) this.host.inUse.delete(this)
    for (const tally of [this.tally, this.host.tally]) {
      tally.closed++
      tally.add(socket)
      tally.bytesUnsent += info.unsentBytes
    }
    this.host.gone(socket)
  }

  received(): void {
    this.tally.messagesReceived++
    this.host.tally.messagesReceived++
  }

  dropped(count: number): void {
    this.tally.messagesDropped += count
    this.host.tally.messagesDropped += count
  }

  private changed(): void {
    this.list = null
    this.host.everyone = null
  }

  done(socket: ServerSocket): void {
    this.host.done(socket)
  }

  failed(_socket: ServerSocket, error: Error, isHeard: boolean): void {
    this.tally.errors++
    this.host.tally.errors++
    if (isHeard) return
    const { options } = this.host
    if (options.isErrorHeard) options.onError(error)
    else this.warn(error)
  }

  private warn(error: Error): void {
    const name = this.path === '' ? 'an upgrade taken by hand' : `the route ${showValue(this.path)}`
    warnOnce(
      this,
      'HAWSER_UNHANDLED_HANDLER_ERROR',
      `a handler of ${name} failed, and no onError heard it`,
      error,
    )
  }
}

/** The connections of several routes. */
export class SocketsOf implements SocketList<ServerSocket> {
  private readonly routes: ReadonlySet<RouteEntry>

  constructor(routes: ReadonlySet<RouteEntry>) {
    this.routes = routes
  }

  get size(): number {
    let size = 0
    for (const { sockets } of this.routes) size += sockets.size
    return size
  }

  /** What a log shows: not the routes inside. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `SocketList ${JSON.stringify({ size: this.size })}`
  }

  *[Symbol.iterator](): Generator<ServerSocket, void, undefined> {
    // The routes as they are now: one that loses its last connection and gets another would come twice.
    for (const { sockets } of [...this.routes]) yield* sockets
  }
}
