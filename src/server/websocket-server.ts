import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import type { BackplaneStats } from '../backplane/backplane.js'
import type { ConnectionRegistry } from '../hub/connection-registry.js'
import type { Group } from '../hub/group.js'
import { refuseSurplus } from '../check.js'
import { showAs } from '../inspect.js'
import type { Codec } from '../service/codec.js'
import { NO_CALLBACK, type Delivery, type FanOutOptions } from '../socket/fan-out.js'
import type { CloseOptions } from './close-options.js'
import { Closing } from './closing.js'
import { CHANNELS, type ServerStats, type SocketList } from './diagnostics.js'
import { checkUpgrade, HttpUpgrade, readRequest } from './http-upgrade.js'
import { readListenOptions, type ListenOptions } from './listen-options.js'
import { Listener } from './listener.js'
import { resolveServerOptions, type ServerOptions } from './options.js'
import type { PathParams } from './path-matching.js'
import { ServedRoute, ServerCore } from './server-core.js'
import type { ServerMessages } from './server-messages.js'
import type { ServerSocket } from './server-socket.js'
import {
  checkServerService,
  type CodecService,
  type Route,
  type ServerService,
  type ServiceFactory,
} from './server-service.js'

/** The core of a server, which the application does not get. */
export let coreOfServer: (server: WebSocketServer) => ServerCore

/**
 * A WebSocket server: on a port of its own (`listen`), on the port of an HTTP server (`attach`), or for an application that
 * routes upgrades itself (`handleUpgrade`). Nothing that a peer does throws, and a handler that throws ends its own connection
 * alone.
 * @typeParam Data the type of `socket.data` in `sockets`, `group(...)` and `connections`, which know nothing of routes. An
 *   application whose connections all have the same type gives it once: `new WebSocketServer<User>()`. It is not compared with
 *   what `accept` gives
 */
export class WebSocketServer<Data = unknown> {
  static {
    coreOfServer = (server) => server.#core
    // Without the options, which may hold a private key.
    showAs<WebSocketServer>(WebSocketServer, 'WebSocketServer', (server) => ({
      connections: server.connectionCount,
      address: server.#listener.address,
    }))
  }

  readonly #core: ServerCore
  readonly #listener: Listener
  /** Services of upgrades that are taken by hand. */
  readonly #byHand = new WeakMap<object, ServedRoute>()
  readonly #closing: Closing

  /** Does no I/O. @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: ServerOptions = {}) {
    this.#core = new ServerCore(resolveServerOptions(options), this)
    this.#listener = new Listener(this.#core)
    this.#closing = new Closing(this, this.#core, this.#listener)
    if (CHANNELS.server.hasSubscribers) {
      CHANNELS.server.publish({ server: this } satisfies ServerMessages['hawser:server'])
    }
  }

  /** How many connections are open or closing. */
  get connectionCount(): number {
    return this.#core.connectionCount
  }

  /**
   * Binds a service to a path.
   * @param path its segments are compared as they are sent, without the query; `:name` stands for any one segment, and
   *   `*name` as the last for all the rest, which may be empty. What is equal goes before a parameter, and that before a rest
   * @param service handlers, or a function that makes those of one connection
   * @throws TypeError for a wrong path or service, and for a path that has a service already
   * @example
   * ```ts
   * server.route('/rooms/:room', {
   *   onOpen: (socket) => {
   *     socket.send(`welcome to ${socket.params.room}`)
   *   },
   *   onTextMessage: (socket, text) => `you said ${text}`,
   * })
   * ```
   */
  route<D = Data, Path extends string = string, C extends Codec | undefined = undefined>(
    path: Path,
    service: ServerService<D, PathParams<Path>, C> | ServiceFactory<D, PathParams<Path>, C>,
  ): Route<D, PathParams<Path>>
  route<D, Path extends string = string>(
    path: Path,
    service: CodecService<D, PathParams<Path>>,
  ): Route<D, PathParams<Path>>
  route(path: string, service: unknown): unknown {
    const checked = checkServerService(service)
    const entry = new ServedRoute(path, checked, this.#core)
    this.#core.routes.add(path, entry)
    return entry.view
  }

  /**
   * Removes a path; its connections stay.
   * @returns whether the path had a service
   */
  unroute(path: string): boolean {
    return this.#core.routes.delete(path)
  }

  /** The routes, in the order in which they were added. */
  routes(): Route[] {
    return this.#core.routes.all().map(({ view }) => view)
  }

  /**
   * Aborted when the server begins to stop, by `close` or `terminate`: for what runs beside it and should end with it. With
   * `spreadMs` that is when every connection has had its turn.
   */
  get signal(): AbortSignal {
    return this.#closing.stopper.signal
  }

  /**
   * Listens on a port of its own. Requests that are not upgrades get 426 on the path of a route, else 404.
   * @param port 0 takes a free one
   * @param host default: all addresses
   * @returns the address, once the server listens
   * @throws the system's error, such as EADDRINUSE; InvalidStateError if it listens already or was closed; RangeError for
   *   `reusePort` in a Node that does not have it
   * @example
   * ```ts
   * const { port } = await server.listen(8080)
   * console.log(`listening on port ${port}`)
   * ```
   */
  listen(port?: number, host?: string): Promise<AddressInfo>
  /**
   * Listens on a port of its own, which it may share with other processes: `listen({ port: 8080, reusePort: true })`.
   * @throws as the other form; TypeError or RangeError with the option's name, value and range
   */
  listen(options: ListenOptions): Promise<AddressInfo>
  async listen(where?: number | ListenOptions, host?: unknown, surplus?: unknown): Promise<AddressInfo> {
    const address = await this.#listener.listen(readListenOptions(where, host, surplus))
    this.#core.node?.start(this.#core.hub)
    return address
  }

  /**
   * Shares the port of an http or https server: takes its upgrades to the paths of the routes. Other paths get 404,
   * unless the application listens for upgrades there as well, and may take them. Several of these servers may share a port.
   * Closing this server leaves the other one open.
   * @throws TypeError for what is not such a server, InvalidStateError if it is attached already or this one was closed
   * @example
   * ```ts
   * const http = createServer((request, response) => response.end('hello over HTTP'))
   * server.attach(http)
   * http.listen(8081)
   * ```
   */
  attach(httpServer: HttpServer): this
  attach(httpServer: HttpServer, surplus?: unknown): this {
    refuseSurplus(surplus, 'attach(httpServer)', 'the paths are those of route(path, service)')
    this.#listener.attach(httpServer)
    this.#core.node?.start(this.#core.hub)
    return this
  }

  /**
   * Takes one upgrade, for applications that route upgrades themselves: call it from an 'upgrade' listener, with the
   * arguments of that listener.
   * @param service default: that of the route for the request's path
   * @throws TypeError for arguments that are not those of an 'upgrade' event, and for a wrong service; InvalidStateError
   *   if the upgrade on this socket was taken already
   */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    service?: ServerService | ServiceFactory,
  ): void {
    const entry = service === undefined ? undefined : this.#entryOf(service)
    checkUpgrade(request, socket, head)
    if (!this.#core.isClosing) this.#core.node?.startOrReport(this.#core.hub)
    new HttpUpgrade(this.#core, request, socket, head, null, null).start(readRequest(request), entry)
  }

  /**
   * All connections that are open or closing, by whatever way they came: of all routes, and of services that
   * `handleUpgrade` was given.
   */
  get sockets(): SocketList<ServerSocket<Data>> {
    return this.#core.sockets as SocketList<ServerSocket<Data>>
  }

  /** The connections that have names. */
  get connections(): ConnectionRegistry<ServerSocket<Data>> {
    return this.#core.hub.connections as unknown as ConnectionRegistry<ServerSocket<Data>>
  }

  /**
   * A group of connections by its name, whether it has members or not.
   * @throws TypeError or RangeError for a wrong name
   */
  group<D = Data>(name: string): Group<ServerSocket<D>> {
    return this.#core.hub.group(name) as unknown as Group<ServerSocket<D>>
  }

  /** The names of the groups that have members in this process. */
  groups(): string[] {
    return this.#core.hub.groups()
  }

  /**
   * Sends a message to all open connections: encoded and compressed once. One that is slow or broken never stops the
   * others.
   * @throws TypeError for anything that is neither text nor bytes, and for wrong options; what `filter` throws
   * @example
   * ```ts
   * const { sent, dropped } = server.broadcast('closing in five minutes')
   * console.log(`${sent} connections took it, ${dropped} read too slowly`)
   * ```
   */
  broadcast(data: MessageData | PreparedMessage, options?: FanOutOptions<ServerSocket<Data>>): Delivery
  broadcast(data: MessageData | PreparedMessage, options?: unknown, surplus?: unknown): Delivery {
    refuseSurplus(surplus, 'broadcast(data, options)', NO_CALLBACK)
    return this.#core.hub.broadcast(
      this.#core.openSockets(),
      data,
      options as FanOutOptions<object> | undefined,
    )
  }

  /** Counts since the server was made. Each connection counts for itself; the sums are made here. */
  stats(): ServerStats {
    const recovery = this.#core.recovery?.stats ?? null
    return { ...this.#core.stats(), backplane: this.backplaneStats, recovery }
  }

  /** Counts of what was sent over the backplane, failures included; null without a backplane. */
  get backplaneStats(): BackplaneStats | null {
    return this.#core.node?.stats ?? null
  }

  /**
   * Stops accepting, closes every connection, waits for their ends, for running handlers and for `onClose`, and after
   * `timeoutMs` cuts the rest. Nothing keeps the process alive after it. A handler that waits for this promise waits for
   * itself, until the time is over.
   *
   * With `spreadMs` the connections are closed one after another, evenly over that time, and go on until then; upgrades get 503
   * with a `Retry-After`. A further call hastens the rest, and never puts it off: without `spreadMs` the rest is closed at once.
   * @throws TypeError or RangeError for a code that must not be sent, and for an option with its name, value and range
   */
  async close(options: CloseOptions = {}): Promise<void> {
    await this.#closing.close(options)
  }

  /** Cuts every connection, and stops accepting. */
  terminate(): void {
    this.#closing.terminate()
  }

  /** `await using`: closes and waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #entryOf(service: ServerService | ServiceFactory): ServedRoute {
    const known = this.#byHand.get(service)
    if (known !== undefined) return known
    const entry = new ServedRoute('', checkServerService(service), this.#core)
    this.#byHand.set(service, entry)
    return entry
  }
}
