/** Hawser in Fastify: a plugin for WebSocket routes. Of Fastify it imports types alone. */
import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RouteGenericInterface,
} from 'fastify'
import { optionalFunction, optionalObject, readOptions, type Checks } from '../check.js'
import { InvalidStateError } from '../errors.js'
import type { Params } from '../server/path-matching.js'
import type { ServerService, ServiceFactory } from '../server/server-service.js'
import { WebSocketServer } from '../server/websocket-server.js'
import type { Codec } from '../service/codec.js'
import { textParams, FrameworkUpgrades } from './framework-upgrades.js'

/** The mark of a service that {@link withCodec} took. */
declare const CHECKED: unique symbol

/** What {@link withCodec} returns: a service with a codec, whose types were checked there. */
export interface FastifyCodecService {
  /** In types alone. */
  readonly [CHECKED]: true
}

/**
 * What a WebSocket route of Fastify may have as its service. `Data` is the type of `socket.data`. A service with a codec is given
 * by {@link withCodec}.
 */
export type FastifyService<Data = unknown> =
  ServerService<Data, Params> | ServiceFactory<Data, Params> | FastifyCodecService

/**
 * For types: a service with a codec, whose handlers then have the type of its messages. The options of a route have no
 * type parameter that could say it. At run time it returns the service itself, and a program without types needs none of it.
 */
export function withCodec<Data = unknown, C extends Codec = Codec>(
  service: ServerService<Data, Params, C> & {
    /** The codec of the service. */
    readonly codec: C
  },
): FastifyCodecService {
  return service as unknown as FastifyCodecService
}

/** The options of the plugin. */
export interface FastifyWebSocketsOptions {
  /**
   * The server that has the options, the groups and the connections; it need not listen. Default: a new one, whose `onError`
   * writes into Fastify's log. It closes with the application.
   */
  readonly server?: WebSocketServer<never> | WebSocketServer
}

declare module 'fastify' {
  interface RouteShorthandOptions<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    // eslint-disable-next-line @typescript-eslint/no-unused-vars -- declarations of one interface have the same parameters
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger,
  > {
    /**
     * The service of the upgrades to this route; its handler then answers the other requests. `true`: the handler returns the
     * service of each upgrade, and other requests get 426.
     */
    websocket?: FastifyService | true
    /** Gives `socket.data` from the request, unless the `onUpgrade` of the service does. May be async. */
    websocketData?: (
      request: FastifyRequest<
        RouteGeneric,
        RawServer,
        RawRequest,
        NoInfer<SchemaCompiler>,
        TypeProvider,
        ContextConfig,
        Logger
      >,
    ) => unknown
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
  readonly method: string | readonly string[]
  readonly url: string
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
  upgrades.attach(app.server, {}, (request, response) => {
    response.once('finish', () => {
      if (response.statusCode >= 300 || upgrades.pendingOf(request)?.isChosen !== false) return
      try {
        app.log.warn(
          `an upgrade to ${String(request.url)} was answered with ${String(response.statusCode)} by a route without a WebSocket: ` +
            'await app.register(fastifyWebSockets) before the routes are added',
        )
      } catch (error) {
        upgrades.reportError(error, 'the log of Fastify')
      }
    })
    app.routing(request, response)
  })
  SERVED.add(app.server)
  await Promise.resolve()
}

// What fastify-plugin sets: the hooks and the decorator are for the scope in which the plugin is registered.
Object.assign(fastifyWebSockets, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'hawser',
  [Symbol.for('plugin-meta')]: { name: 'hawser', fastify: '>=5.0.0' },
})

/** Puts the upgrade before the handler of a WebSocket route. @throws TypeError or RangeError for a wrong service or route */
function bindRoute(upgrades: FrameworkUpgrades, route: RouteOptions): void {
  const { websocket, handler } = route
  const place = `${String(route.method)} ${route.url}`
  if (websocket === undefined || websocket === false) {
    if (route.websocketData === undefined) return
    throw new TypeError(`websocketData of ${place} needs websocket, which says the service of the route`)
  }
  // Fastify adds a route for HEAD to each for GET.
  if (!['GET', 'HEAD'].some((method) => [route.method].flat().includes(method))) {
    throw new TypeError(`websocket of ${place} must be of a route for GET: an upgrade is a GET`)
  }
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
