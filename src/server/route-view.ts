import { refuseSurplus } from '../check.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { showAs } from '../inspect.js'
import { NO_CALLBACK, type Delivery, type FanOutOptions } from '../socket/fan-out.js'
import type { AcceptedSocket } from './accepted-socket.js'
import type { ServerStats, SocketList } from './diagnostics.js'
import type { ServerSocket } from './server-socket.js'
import type { Route } from './server-service.js'

/** A route as its view and lists of its connections need it. */
export interface ViewedRoute {
  readonly path: string
  /** The connections that are open or closing. */
  readonly connections: ReadonlySet<{ readonly socket: AcceptedSocket }>
  broadcast(data: MessageData | PreparedMessage, options?: FanOutOptions<ServerSocket>): Delivery
  stats(): ServerStats
}

/** A route as the application has it: what {@link Route} says, and nothing else. */
export class RouteView implements Route {
  readonly #route: ViewedRoute
  readonly #sockets: SocketList<ServerSocket>

  constructor(route: ViewedRoute) {
    this.#route = route
    this.#sockets = new SocketsView([route])
  }

  get path(): string {
    return this.#route.path
  }

  get sockets(): SocketList<ServerSocket> {
    return this.#sockets
  }

  get connectionCount(): number {
    return this.#route.connections.size
  }

  broadcast(
    data: MessageData | PreparedMessage,
    options?: FanOutOptions<ServerSocket>,
    surplus?: unknown,
  ): Delivery {
    refuseSurplus(surplus, 'broadcast(data, options)', NO_CALLBACK)
    return this.#route.broadcast(data, options)
  }

  stats(): ServerStats {
    return this.#route.stats()
  }
}
showAs(RouteView, 'Route', ({ path, connectionCount }) => ({ path, connections: connectionCount }))

/** The connections of one route or several, as the application has them. */
export class SocketsView implements SocketList<AcceptedSocket> {
  readonly #routes: Iterable<ViewedRoute>

  constructor(routes: Iterable<ViewedRoute>) {
    this.#routes = routes
  }

  get size(): number {
    let size = 0
    for (const { connections } of this.#routes) size += connections.size
    return size
  }

  *[Symbol.iterator](): Generator<AcceptedSocket, void, undefined> {
    // A copy of the routes: one that loses its last connection and gets another would come twice.
    for (const { connections } of [...this.#routes]) for (const { socket } of connections) yield socket
  }
}
showAs(SocketsView, 'SocketList', ({ size }) => ({ size }))
