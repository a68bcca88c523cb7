/**
 * Hawser for crossws, and so for H3, Nitro and others on it: an adapter with crossws's hooks, peers and topics, on a server of
 * Hawser's. Of crossws it imports nothing: the package does not give out the classes that its own adapters are made of, and its
 * contract is its documentation.
 */
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  checkNumber,
  optionalFunction,
  optionalObject,
  readOptions,
  showValue,
  type Checks,
} from '../check.js'
import type { Group } from '../hub/group.js'
import type { ServerOptions } from '../server/options.js'
import type { ServerSocket } from '../server/server-socket.js'
import { WebSocketServer } from '../server/websocket-server.js'
import { Connections, type CrosswsSyncFailure } from './crossws-connections.js'
import { checkHooks, HOOK_NAMES, resolveByFetch } from './crossws-hooks.js'
import type {
  CrosswsHooks,
  CrosswsPeer,
  CrosswsPublishOptions,
  CrosswsRequest,
  CrosswsResolve,
  CrosswsSync,
  CrosswsSyncDriver,
} from './crossws-types.js'

export type { CrosswsSyncFailure } from './crossws-connections.js'
export type {
  CrosswsClose,
  CrosswsDrainOptions,
  CrosswsHeaders,
  CrosswsHooks,
  CrosswsInstance,
  CrosswsMessage,
  CrosswsPeer,
  CrosswsPublishOptions,
  CrosswsRequest,
  CrosswsResolve,
  CrosswsSendOptions,
  CrosswsSync,
  CrosswsSyncDriver,
  CrosswsSyncMessage,
  CrosswsUpgrade,
  CrosswsWebSocket,
} from './crossws-types.js'
export { backplaneSync } from './crossws-sync.js'

/** The options of {@link crosswsAdapter}: those of crossws's own adapters, but for `server` and `serverOptions`. */
export interface CrosswsAdapterOptions {
  /** The hooks of all connections. */
  readonly hooks?: CrosswsHooks | undefined
  /** Finds further hooks for each request; those of `hooks` are called before them. */
  readonly resolve?: CrosswsResolve | undefined
  /**
   * Gives the namespace of a request: a string that is not empty. For anything else, a promise included, the upgrade gets 500, and
   * `onError` of the server a TypeError. Default: the path of its URL.
   */
  readonly getNamespace?: ((request: Request) => string) | undefined
  /**
   * Chooses a subprotocol of those offered, where the hook `upgrade` does not; false, undefined, null and an empty text choose none.
   * For anything else the upgrade gets 500. May be async.
   */
  readonly handleProtocols?: ((protocols: Set<string>, request: Request) => unknown) | undefined
  /**
   * Carries what is published to other instances: not for a server with a `backplane`, which does that itself. It must not be async:
   * `subscribe` of its driver may be.
   */
  readonly sync?: CrosswsSync | undefined
  /** Gets the errors of `sync`. Default: the `onError` of the server, which also gets what this one throws or rejects with. */
  readonly onError?: ((error: unknown, failure: CrosswsSyncFailure) => void) | undefined
  /** The heartbeat, in seconds: the interval of pings, and the time for their answer. 0: none. Default: as the server has it, 30 s. */
  readonly idleTimeout?: number | undefined
  /** The options of the server that the adapter makes. */
  readonly serverOptions?: ServerOptions | undefined
  /** A server for the connections, beside its other routes; it need not listen. Default: a new one, which ends with the adapter. */
  readonly server?: WebSocketServer<never> | WebSocketServer | undefined
}

const CHECKS = {
  hooks: (name: string, value: unknown) => (value === undefined ? {} : checkHooks(name, value)),
  resolve: optionalFunction<CrosswsResolve>(),
  getNamespace: optionalFunction<NonNullable<CrosswsAdapterOptions['getNamespace']>>(),
  handleProtocols: optionalFunction<NonNullable<CrosswsAdapterOptions['handleProtocols']>>(),
  sync: optionalFunction<CrosswsSync>(),
  onError: optionalFunction<NonNullable<CrosswsAdapterOptions['onError']>>(),
  idleTimeout: (name: string, value: unknown) =>
    value === undefined ? undefined : checkNumber(name, value, { min: 0, integer: false }),
  serverOptions: optionalObject<ServerOptions>('the options of a WebSocketServer'),
  server: optionalObject<WebSocketServer>('a WebSocketServer'),
} satisfies Checks<CrosswsAdapterOptions>

/** An adapter of crossws. Its functions may be taken from it. */
export interface CrosswsAdapter {
  /** Hawser's server of the connections: its counts, its groups, its options. */
  readonly server: WebSocketServer
  /** The connections, by their namespaces. */
  readonly peers: ReadonlyMap<string, ReadonlySet<CrosswsPeer>>
  /** The driver of `sync`, where that was given. */
  readonly sync: CrosswsSyncDriver | undefined
  /** Takes an upgrade, with the arguments of an 'upgrade' event. @throws TypeError for others; InvalidStateError if it was taken */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    webRequest?: CrosswsRequest,
  ): Promise<void>
  /**
   * Takes all upgrades of an HTTP server, but for the paths of routes of a server of Hawser's that is attached to it as well.
   * @throws InvalidStateError if the adapter was closed
   */
  attach(httpServer: HttpServer): void
  /**
   * Sends a message to all subscribers of a topic: encoded once and compressed once for each namespace.
   * @throws TypeError for an object that is neither bytes nor a plain one
   */
  publish(topic: string, data: unknown, options?: CrosswsPublishOptions): void
  /** The group of Hawser's that a topic is. @throws RangeError for names that are too long together */
  group(topic: string, namespace: string): Group<ServerSocket>
  /** Begins to close all connections, or cuts them. @throws TypeError or RangeError for a code that must not be sent */
  closeAll(code?: number, reason?: string, force?: boolean): void
  /** Closes all connections with 1001 or `code`, waits for their ends, and ends `sync` and a server that the adapter made. */
  close(code?: number, reason?: string): Promise<void>
}

/**
 * Makes an adapter with the hooks, peers and topics of crossws. A topic is a group of Hawser's: one that is published is encoded
 * once and compressed once. The hook `drain` is Hawser's `onDrain`.
 * @throws TypeError or RangeError for wrong options, TypeError for a `sync` that makes no driver; what `sync` throws
 */
export function crosswsAdapter(options: CrosswsAdapterOptions = {}): CrosswsAdapter {
  const read = readOptions('CrosswsAdapterOptions', options, CHECKS)
  const { server } = read
  if (server !== undefined) {
    if (!(server instanceof WebSocketServer)) {
      throw new TypeError(`server must be a WebSocketServer, not ${showValue(server)}`)
    }
    for (const name of ['serverOptions', 'idleTimeout'] as const) {
      if (read[name] !== undefined)
        throw new TypeError(`${name} is for a server that the adapter makes: give it to yours`)
    }
  }
  const isOwn = server === undefined
  return new Connections(server ?? new WebSocketServer(serverOptionsOf(read)), { ...read, isOwn })
}

function serverOptionsOf(read: Pick<ReadOptions, 'serverOptions' | 'idleTimeout'>): ServerOptions {
  const { serverOptions = {}, idleTimeout } = read
  if (idleTimeout === undefined) return serverOptions
  const timeMs = idleTimeout === 0 ? false : idleTimeout * 1000
  return { ...serverOptions, heartbeatIntervalMs: timeMs, heartbeatTimeoutMs: timeMs }
}

type ReadOptions = { readonly [Name in keyof typeof CHECKS]: ReturnType<(typeof CHECKS)[Name]> }

/** Options by runtime. */
export interface CrosswsRuntimes {
  /** Those of this adapter. */
  readonly hawser?: CrosswsAdapterOptions | undefined
  /** Those of others, which are not looked at. */
  readonly [runtime: string]: unknown
}

/** The server of node:http of a server of srvx. */
export interface SrvxNode {
  /** There once the server of srvx was made. */
  readonly server?: unknown
}

/** The options of {@link plugin}: hooks, or how they are found, and those of the adapter. */
export interface CrosswsPluginOptions extends CrosswsHooks {
  /** Finds the hooks of a request. Default: by the `fetch` of the server, unless hooks are given here. */
  resolve?(request: CrosswsRequest): object | undefined | null | Promise<object | undefined | null>
  /** Options by runtime, of which this adapter has its own; those of others are not looked at. */
  readonly options?: CrosswsRuntimes
}

/** A server of srvx, as far as the plugin needs it. */
export interface SrvxServer {
  /** Its options: `fetch` answers requests. */
  readonly options: object
  /** With node:http: its server. */
  readonly node?: SrvxNode | undefined
  /** Begins to listen. */
  serve(): unknown
  /** Ends. */
  close(closeActiveConnections?: boolean): Promise<void>
}

/**
 * Makes the plugin of srvx, in the place of that of `crossws/server`: `serve(app, { plugins: [plugin()] })` in H3. Upgrades run
 * through the routing of the application; `close` of the server closes the connections first, with 1001.
 * @throws TypeError or RangeError for wrong options
 */
export function plugin(options: CrosswsPluginOptions = {}): (server: SrvxServer) => void {
  const { options: byRuntime, resolve, ...hooks } = options as PluginParts
  const checked = checkHooks('options', hooks)
  return (server) => {
    const adapter = crosswsAdapter({
      hooks: checked,
      resolve: resolve ?? defaultResolve(server, checked),
      ...byRuntime?.hawser,
    })
    const serve = server.serve.bind(server)
    const close = server.close.bind(server)
    server.serve = () => {
      adapter.attach(server.node?.server as HttpServer)
      return serve()
    }
    server.close = async (closeActiveConnections) => {
      await adapter.close()
      return close(closeActiveConnections)
    }
  }
}

/** Options without the method, which would be one of its object. */
type PluginParts = Omit<CrosswsPluginOptions, 'resolve'> & { readonly resolve?: CrosswsResolve }

function defaultResolve({ options }: SrvxServer, hooks: CrosswsHooks): CrosswsResolve | undefined {
  if (HOOK_NAMES.some((name) => hooks[name] !== undefined)) return undefined
  const { fetch } = options as { readonly fetch?: unknown }
  if (typeof fetch !== 'function') {
    throw new TypeError(`the server must have a function fetch, which finds hooks, not ${showValue(fetch)}`)
  }
  return resolveByFetch(fetch as (request: Request) => unknown)
}
