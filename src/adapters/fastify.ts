/** Hawser in Fastify: a plugin for WebSocket routes. Of Fastify it imports types alone. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { optionalFunction, optionalObject, readOptions, type Checks } from '../check.js'
import { InvalidStateError } from '../errors.js'
import type { Params } from '../server/path-matching.js'
import type { CodecService, ServerService, ServiceFactory } from '../server/server-service.js'
import { WebSocketServer } from '../server/websocket-server.js'
import { textParams, FrameworkUpgrades } from './framework-upgrades.js'

/** What a WebSocket route of Fastify may have as its service. */
export type FastifyService =
  | ServerService<unknown, Params>
  | CodecService<unknown, Params>
  // Without the property no literal of a service would say by its `codec` which of these it is.
  | (ServiceFactory<unknown, Params> & {
      /** None: a codec is a property of a service. */
      readonly codec?: undefined
    })

/** The options of the plugin. */
export interface FastifyWebSocketsOptions {
  /**
   * The server that has the options, the groups and the connections; it need not listen. Default: a new one, whose `onError`
   * writes into Fastify's log. It closes with the application.
   */
  readonly server?: WebSocketServer<never> | WebSocketServer
}

declare module 'fastify' {
  interface RouteShorthandOptions {
    /**
     * The service of the upgrades to this route; its handler then answers the other requests. `true`: the handler returns the
     * service of each upgrade, and other requests get 426.
     */
    websocket?: FastifyService | true
    /** Gives `socket.data` from the request, unless the `onUpgrade` of the service does. May be async. */
    websocketData?: (request: FastifyRequest) => unknown
  }

  interface FastifyInstance {
    /** The server of the WebSocket routes, by hawser/fastify. */
    readonly websocketServer: WebSocketServer
  }
}

const OPTIONS = {
  server: optionalObject<WebSocketServer>('a WebSocketServer'),
} satisfies Checks<FastifyWebSocketsOptions>

type DataOf = (request: FastifyRequest) => unknown
type Handler = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => unknown

/** What `onRoute` gives, as far as it is used here. */
interface RouteOptions {
  handler: Handler
  readonly websocket?: unknown
  readonly websocketData?: unknown
}

/** The HTTP servers of applications that have the plugin. */
const SERVED = new WeakSet<object>()

/**
 * The plugin: `await app.register(fastifyWebSockets)`, before the routes. All hooks up to `preHandler` run before an upgrade and
 * may reply, which ends the upgrade with that reply; headers and cookies go into the 101.
 * @throws TypeError for wrong options; InvalidStateError if the application has the plugin already
 */
export const fastifyWebSockets: FastifyPluginAsync<FastifyWebSocketsOptions> = async (app, options) => {
  const { server } = readOptions('FastifyWebSocketsOptions', options, OPTIONS)
  if (SERVED.has(app.server))
    throw new InvalidStateError('this Fastify has the plugin already: register it once')
  const own = server ?? new WebSocketServer({ onError: (error) => app.log.error(error) })
  const upgrades = new FrameworkUpgrades(own)
  app.decorate('websocketServer', own)
  app.addHook('onRoute', (route) => bindRoute(upgrades, route as unknown as RouteOptions))
  // Closing waits for all connections of the HTTP server; 'onClose' would come after them.
  app.addHook('preClose', () => own.close())
  upgrades.attach(app.server, {}, (request, response) => app.routing(request, response))
  SERVED.add(app.server)
  await Promise.resolve()
}

// What fastify-plugin sets: the hooks and the decorator are for the scope in which the plugin is registered.
Object.assign(fastifyWebSockets, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'hawser',
  [Symbol.for('plugin-meta')]: { name: 'hawser', fastify: '>=5.0.0' },
})

/** Puts the upgrade before the handler of a WebSocket route. @throws TypeError or RangeError for a wrong service */
function bindRoute(upgrades: FrameworkUpgrades, route: RouteOptions): void {
  const { websocket, handler } = route
  if (websocket === undefined || websocket === false) return
  const data = optionalFunction<DataOf>()('websocketData', route.websocketData)
  const fixed = websocket === true ? null : upgrades.routeOf(websocket)
  route.handler = function (request, reply) {
    const pending = upgrades.pendingOf(request.raw)
    if (pending === undefined) {
      return fixed === null ? refuse(reply) : handler.call(this, request, reply)
    }
    return (async () => {
      let chosen = fixed
      if (chosen === null) {
        const service = await handler.call(this, request, reply)
        if (reply.sent) return reply
        chosen = upgrades.routeOf(service)
      }
      const params = textParams(request.params)
      return reply.code(await pending.choose(chosen, params, () => data?.(request), 101)).send()
    })()
  }
}

/** A request that is not an upgrade, for a route that has nothing else. */
const refuse = (reply: FastifyReply): FastifyReply =>
  reply
    .code(426)
    .headers({ Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13' })
    .type('text/plain; charset=utf-8')
    .send('this path is for WebSockets\n')
