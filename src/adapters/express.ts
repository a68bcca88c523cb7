/** Hawser in Express, and in every framework whose handlers are `(request, response, next)`. Imports nothing of them. */
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http'
import { optionalFunction, readOptions, type Checks } from '../check.js'
import { showAs } from '../inspect.js'
import type { Params } from '../server/path-matching.js'
import type { CodecService, ServerService, ServiceFactory } from '../server/server-service.js'
import type { WebSocketServer } from '../server/websocket-server.js'
import type { Codec } from '../service/codec.js'
import { FrameworkUpgrades, textParams, type AttachOptions } from './framework-upgrades.js'

export type { AttachOptions } from './framework-upgrades.js'

/** A handler of Express 4 and 5, of Connect and of their like. */
export type ExpressHandler<Request extends IncomingMessage = IncomingMessage> = (
  request: Request,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** The options of a WebSocket route. */
export interface ExpressRouteOptions<Data, Request extends IncomingMessage = IncomingMessage> {
  /**
   * Gives `socket.data`, from the request as middleware left it: `(request) => request.session.user`. May be async. Data that
   * the service's own `onUpgrade` accepts with goes before it.
   */
  readonly data?: (request: Request) => Data | Promise<Data>
}

/** The parameters of a route, all as text: by the type of its request, where that is given. */
export type ExpressParams<Request> = 0 extends 1 & Request
  ? Params
  : Request extends {
        /** Those of the route. */
        readonly params: infer P
      }
    ? { readonly [Name in keyof P]: string }
    : Params

type DataOf = (request: IncomingMessage) => unknown

const ROUTE = { data: optionalFunction<DataOf>() } satisfies Checks<ExpressRouteOptions<unknown>>

/** The WebSockets of an Express application. */
export class ExpressWebSockets {
  static {
    showAs(ExpressWebSockets, 'ExpressWebSockets', () => ({}))
  }

  readonly #upgrades: FrameworkUpgrades

  /**
   * @param server has the options, the groups and the connections; it need not listen
   * @throws TypeError for anything else
   */
  constructor(server: WebSocketServer<never> | WebSocketServer) {
    this.#upgrades = new FrameworkUpgrades(server)
  }

  /**
   * Makes the last handler of a WebSocket route, after the middleware of the route: `app.get('/chat/:room', login,
   * sockets.route(service))`. It upgrades the request, and passes a request that is not an upgrade on by `next()`. `socket.params`
   * are `request.params`; of a parameter that stands for several segments they are joined by slashes. What `data` and `onUpgrade`
   * throw goes to `next`, as an error whatever it is; what `next` throws, and an `onUpgrade` that decides nothing, to `onError` of the server.
   * @throws TypeError or RangeError for a wrong service or wrong options
   */
  route<
    Data = undefined,
    C extends Codec | undefined = undefined,
    Request extends IncomingMessage = IncomingMessage,
  >(
    service: ServerService<Data, ExpressParams<Request>, C> | ServiceFactory<Data, ExpressParams<Request>, C>,
    options?: ExpressRouteOptions<Data, Request>,
  ): ExpressHandler<Request>
  route<Data, Request extends IncomingMessage = IncomingMessage>(
    service: CodecService<Data, ExpressParams<Request>>,
    options?: ExpressRouteOptions<Data, Request>,
  ): ExpressHandler<Request>
  route(service: unknown, options: ExpressRouteOptions<unknown> = {}): ExpressHandler {
    const { data } = readOptions('ExpressRouteOptions', options, ROUTE)
    const route = this.#upgrades.routeOf(service)
    return (request, response, next) => {
      const pending = this.#upgrades.pendingOf(request)
      if (pending === undefined) {
        next()
        return
      }
      pending
        .choose(route, textParams((request as { params?: unknown }).params), () => data?.(request), 101)
        .then((status) => response.writeHead(status).end())
        .catch(next)
        .catch((error: unknown) => {
          // Above `next` is nobody who would hear it.
          pending.fail(error)
        })
    }
  }

  /**
   * Sends the upgrades of an HTTP server through the application that listens to its requests: `sockets.attach(app.listen(8080))`.
   * Middleware runs as it does for every request; where it answers, that answer ends the upgrade. Headers that it sets, such as
   * Set-Cookie, go into the 101. An upgrade to a path without a WebSocket route gets the answer of the application, which is
   * 404 by default. Closing the WebSocketServer ends this, and leaves the HTTP server open.
   * @throws TypeError for what is not such a server, and for wrong options; InvalidStateError if it is attached already or the
   *   WebSocketServer was closed
   */
  attach(httpServer: HttpServer, options: AttachOptions = {}): this {
    this.#upgrades.attach(httpServer, options)
    return this
  }
}
