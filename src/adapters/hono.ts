/** Hawser in Hono on Node: `upgradeWebSocket` over @hono/node-server. Of Hono it imports types alone. */
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Context, Env, MiddlewareHandler } from 'hono'
import { checkOptionNames, isThenable, showValue } from '../check.js'
import { toError } from '../errors.js'
import { showAs } from '../inspect.js'
import type { Params } from '../server/path-matching.js'
import type { ServedRoute } from '../server/server-core.js'
import type { ServiceSettings } from '../server/options.js'
import type { ServerSocket } from '../server/server-socket.js'
import type { WebSocketServer } from '../server/websocket-server.js'
import { refuseDecision } from '../server/server-service.js'
import { SETTING_NAMES } from '../service/service-names.js'
import type { Handlers } from '../service/service.js'
import {
  CloseEvent,
  errorEvent,
  messageEvent,
  type CloseEvent as CloseEventType,
  type ErrorEvent,
  type MessageEvent,
} from '../whatwg/events.js'
import { ownBytes } from '../whatwg/own-bytes.js'
import { FrameworkUpgrades, isResponse, textParams, type AttachOptions } from './framework-upgrades.js'

export type { AttachOptions } from './framework-upgrades.js'

/** The options of `send`. */
export interface HonoSendOptions {
  /** Whether to compress the message, where that was agreed. Default true. */
  readonly compress?: boolean
}

/** A connection as Hono's handlers have it: the WSContext of `hono/ws`. */
export interface HonoWebSocket {
  /** Hawser's own socket: groups, `write`, `drained`, `bufferedAmount`. */
  readonly raw: ServerSocket
  /** How bytes are given to `onMessage`. Default `'arraybuffer'`. */
  binaryType: 'arraybuffer' | 'blob'
  /** 1 open, 2 closing, 3 closed. */
  readonly readyState: 0 | 1 | 2 | 3
  /** The URL of the request. */
  readonly url: URL | null
  /** The agreed subprotocol, or empty. */
  readonly protocol: string
  /**
   * Sends a message. What it cannot take because the peer reads too slowly is counted in `raw.bufferedAmount`.
   * @throws TypeError for anything that is neither text nor bytes
   */
  send(data: string | ArrayBuffer | Uint8Array, options?: HonoSendOptions): void
  /** Closes the connection. @throws TypeError or RangeError for a code or a reason that must not be sent */
  close(code?: number, reason?: string): void
}

/** The handlers of a connection: those of `hono/ws`. They may be async: messages then wait for them. */
export interface HonoWebSocketEvents {
  /** The connection is open. */
  onOpen?(event: Event, socket: HonoWebSocket): unknown
  /** A message was received: text as a string, bytes as `binaryType` says. */
  onMessage?(event: MessageEvent, socket: HonoWebSocket): unknown
  /** The connection ended. */
  onClose?(event: CloseEventType, socket: HonoWebSocket): unknown
  /** The peer, the network or a handler failed; `onClose` follows. Without it the server's `onError` gets the error. */
  onError?(event: ErrorEvent, socket: HonoWebSocket): unknown
}

/** A handler of Hono that upgrades. */
export type UpgradeHandler<E extends Env, P extends string> = MiddlewareHandler<E, P, { outputFormat: 'ws' }>

/** As in Hono's own Context. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- with a closer type no variable of an application could be read
type AnyEnv = any

/** The function `upgradeWebSocket`, as Hono has it for each runtime. */
export interface UpgradeWebSocket<AppEnv extends Env = AnyEnv> {
  /**
   * Makes the handler of a WebSocket route, after the middleware of the route.
   * @param createEvents makes the handlers of one connection; what it throws is answered by the application, to whose `onError` it is an Error
   * @param settings of the connections, as those of a service
   * @returns a handler that passes a request that is not an upgrade on by `next()`
   * @throws TypeError or RangeError for wrong arguments
   */
  <E extends Env = AppEnv, P extends string = string>(
    createEvents: (c: Context<E, P>) => HonoWebSocketEvents | Promise<HonoWebSocketEvents>,
    settings?: ServiceSettings,
  ): UpgradeHandler<E, P>
  /**
   * Upgrades the request of a context, in a handler: `return upgradeWebSocket(c, events)`.
   * @throws TypeError or RangeError for wrong arguments; an Error for a request that is not an upgrade
   */
  (c: Context, events: HonoWebSocketEvents, settings?: ServiceSettings): Promise<Response>
}

/** What becomes a connection. */
interface Newcomer {
  readonly events: HonoWebSocketEvents
  readonly url: string
}

const EVENTS: Readonly<Record<keyof HonoWebSocketEvents, true>> = {
  onOpen: true,
  onMessage: true,
  onClose: true,
  onError: true,
}

const NO_SETTINGS: ServiceSettings = Object.freeze({})
const SETTINGS = Object.fromEntries(SETTING_NAMES.map((name) => [name, true]))

/** What `serve` of @hono/node-server returns: in its type, HTTP/2 is among the servers. */
export interface HonoServer {
  /** Where it listens. */
  address(): unknown
  /** Whether it listens. */
  readonly listening: boolean
}

/** The WebSockets of a Hono application. `AppEnv` is that of `new Hono<AppEnv>()`: its variables then have their types. */
export class HonoWebSockets<AppEnv extends Env = AnyEnv> {
  static {
    showAs(HonoWebSockets, 'HonoWebSockets', () => ({}))
  }

  /** `upgradeWebSocket` of this server: it may be taken from the object. */
  readonly upgradeWebSocket: UpgradeWebSocket<AppEnv>
  readonly #upgrades: FrameworkUpgrades
  readonly #routes = new WeakMap<ServiceSettings, ServedRoute>()

  /**
   * @param server has the options, the groups and the connections; it need not listen
   * @throws TypeError for anything else
   */
  constructor(server: WebSocketServer<never> | WebSocketServer) {
    this.#upgrades = new FrameworkUpgrades(server)
    const upgrade = (first: unknown, second: unknown, third: unknown): unknown =>
      isContext(first)
        ? this.#upgradeNow(first, second, third as ServiceSettings | undefined)
        : this.#handlerOf(checkCreateEvents(first), second as ServiceSettings | undefined)
    this.upgradeWebSocket = upgrade as UpgradeWebSocket<AppEnv>
  }

  /**
   * Sends the upgrades of an HTTP server through the application that listens to its requests:
   * `sockets.attach(serve({ fetch: app.fetch, port: 8080 }))`. Middleware runs as it does for every request; where it
   * answers, that answer ends the upgrade. Headers that it sets go into the 101.
   * An HTTP/2 server is in the type because `serve` returns it in its type.
   * @throws TypeError for what is not such a server, HTTP/2 among them, and for wrong options; InvalidStateError if it is attached already or the
   *   WebSocketServer was closed
   */
  readonly attach = (httpServer: HttpServer | HonoServer, options: AttachOptions = {}): this => {
    this.#upgrades.attach(httpServer as HttpServer, options)
    return this
  }

  #handlerOf(
    createEvents: (c: Context) => unknown,
    settings?: ServiceSettings,
  ): (c: Context, next: () => Promise<void>) => Promise<Response | undefined> {
    const route = this.#routeOf(settings)
    return async (c, next) => {
      const pending = this.#pendingOf(c)
      if (pending !== undefined) return choose(pending, route, c, await callOf(createEvents, c))
      await next()
      return undefined
    }
  }

  async #upgradeNow(c: Context, events: unknown, settings?: ServiceSettings): Promise<Response> {
    const pending = this.#pendingOf(c)
    if (pending !== undefined) return choose(pending, this.#routeOf(settings), c, events)
    throw new Error(
      'upgradeWebSocket(c, events) needs the context of an upgrade, which came by the HTTP server that was given to attach',
    )
  }

  #pendingOf({ env }: Context): ReturnType<FrameworkUpgrades['pendingOf']> {
    const { incoming } = (env ?? {}) as { readonly incoming?: IncomingMessage }
    return incoming === undefined ? undefined : this.#upgrades.pendingOf(incoming)
  }

  #routeOf(settings: ServiceSettings = NO_SETTINGS): ServedRoute {
    const known = this.#routes.get(settings)
    if (known !== undefined) return known
    checkOptionNames('settings', settings, SETTINGS)
    const route = this.#upgrades.routeOf(Object.assign(makeHandlers.bind(null), settings))
    this.#routes.set(settings, route)
    return route
  }
}

/** Whether a value is a context of Hono: an object with a request. */
const isContext = (value: unknown): value is Context =>
  typeof value === 'object' && value !== null && 'req' in value

function checkCreateEvents(value: unknown): (c: Context) => unknown {
  if (typeof value === 'function') return value as (c: Context) => unknown
  throw new TypeError(
    `createEvents must be a function that returns the handlers of one connection, not ${showValue(value)}`,
  )
}

/** @throws an Error, whatever was thrown: Hono's `onError` gets nothing else */
async function callOf(createEvents: (c: Context) => unknown, c: Context): Promise<unknown> {
  try {
    return await createEvents(c)
  } catch (error) {
    throw toError(error)
  }
}

type Pending = NonNullable<ReturnType<FrameworkUpgrades['pendingOf']>>

/** The answer that upgrades. A Response cannot have the status 101: the adapter knows it by 200. */
async function choose(pending: Pending, route: ServedRoute, c: Context, events: unknown): Promise<Response> {
  if (typeof events !== 'object' || events === null) {
    throw new TypeError(`events must be an object of handlers, not ${showValue(events)}`)
  }
  refuseDecision(events, 'events')
  if (isResponse(events)) {
    throw new TypeError(
      'events must be an object of handlers, not a Response: return it from a handler before this one',
    )
  }
  checkOptionNames('events', events, EVENTS)
  const newcomer: Newcomer = { events, url: c.req.url }
  const status = await pending.choose(route, textParams(c.req.param()), () => newcomer, 200)
  // With the headers that middleware set on the context before.
  return c.body(null, status as 200)
}

/** The handlers of one connection. They return nothing: a value would be a reply. */
function makeHandlers(raw: ServerSocket<unknown, Params>): Handlers<ServerSocket> {
  const { events, url } = raw.data as Newcomer
  raw.data = undefined
  const socket = new HonoConnection(raw, url)
  return {
    ...(events.onOpen && { onOpen: () => settle(events.onOpen?.(new Event('open'), socket)) }),
    ...(events.onMessage && {
      onMessage: (_: unknown, message: string | Buffer) =>
        settle(events.onMessage?.(socket.eventOf(message), socket)),
    }),
    ...(events.onError && { onError: (_, error) => settle(events.onError?.(errorEvent(error), socket)) }),
    ...(events.onClose && {
      onClose: (_, { code, reason, wasClean }) =>
        settle(events.onClose?.(new CloseEvent('close', { code, reason, wasClean }), socket)),
    }),
  }
}

const settle = (result: unknown): Promise<void> | undefined =>
  isThenable(result) ? Promise.resolve(result).then(() => undefined) : undefined

class HonoConnection implements HonoWebSocket {
  static {
    showAs(HonoConnection, 'WSContext', ({ raw }) => ({ raw }))
  }

  readonly raw: ServerSocket
  binaryType: 'arraybuffer' | 'blob' = 'arraybuffer'
  readonly url: URL | null

  constructor(raw: ServerSocket, url: string) {
    this.raw = raw
    this.url = URL.canParse(url) ? new URL(url) : null
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.raw.readyState
  }

  get protocol(): string {
    return this.raw.protocol
  }

  send(data: string | ArrayBuffer | Uint8Array, options?: HonoSendOptions): void {
    if (options?.compress === undefined) this.raw.send(data)
    else this.raw.send(data, { compress: options.compress })
  }

  close(code?: number, reason?: string): void {
    void this.raw.close(code, reason)
  }

  eventOf(message: string | Buffer): MessageEvent {
    if (typeof message === 'string') return messageEvent(message, '')
    const bytes = ownBytes(message)
    return messageEvent(this.binaryType === 'blob' ? new Blob([bytes]) : bytes.buffer, '')
  }
}
