import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import type { BackplaneStats } from '../backplane/backplane.js'
import { createLocalNode, type LocalNode } from '../backplane/local-node.js'
import { checkCloseArguments, CloseCode } from '../frame/close-code.js'
import type { ConnectionRegistry } from '../hub/connection-registry.js'
import type { Group } from '../hub/group.js'
import { Hub } from '../hub/hub.js'
import { checkNumber } from '../limits.js'
import type { Codec } from '../service/codec.js'
import type { Delivery, FanOutOptions } from '../socket/fan-out.js'
import { checkOptionNames } from '../socket/socket-options.js'
import { Waiters } from '../socket/waiters.js'
import { Gate } from './gate.js'
import { resolveServerOptions, type ResolvedServerOptions, type ServerOptions } from './options.js'
import { Ports } from './ports.js'
import type { PathParams } from './path-pattern.js'
import { checkServerService, RouteEntry, SocketsOf, type Route, type RouteHost } from './route.js'
import { Routes } from './routing.js'
import { ServerSocket } from './server-socket.js'
import type { CodecService, ServerService, ServiceFactory } from './service.js'
import { Tally, type ServerStats, type SocketList } from './stats.js'
import { readRequest, type AcceptedUpgrade } from './upgrade.js'
import { checkUpgrade, StreamPeer } from './upgrade-peer.js'

export interface CloseOptions {
  /** The Close frame's code. Default 1001. */
  readonly code?: number
  readonly reason?: string
  /** Connections that have not ended by then are cut. Default `limits.closeTimeoutMs`. */
  readonly timeoutMs?: number
}

const CLOSE_OPTIONS: ReadonlySet<string> = new Set([
  'code',
  'reason',
  'timeoutMs',
] satisfies (keyof CloseOptions)[])

/**
 * A WebSocket server: on a port of its own (`listen`), on that of an HTTP server (`attach`), or behind whatever
 * routes upgrades (`handleUpgrade`). Nothing that a peer does throws, and a handler that throws harms its own
 * connection alone.
 * @typeParam Data of `socket.data`, for `sockets`, `group(...)` and `connections`, which know nothing of routes: whoever
 *   gives all connections the same says it once, `new WebSocketServer<User>()`. Nothing checks it against what `accept` gives
 */
export class WebSocketServer<Data = unknown> {
  private readonly options: ResolvedServerOptions
  private readonly table = new Routes<RouteEntry>()
  private readonly host: RouteHost
  /** This process as a node of the backplane; null without one. */
  private readonly node: LocalNode | null
  private readonly allSockets: SocketList<ServerSocket>
  /** Services of upgrades that are taken by hand. */
  private readonly byHand = new WeakMap<object, RouteEntry>()
  /** Connections that are there, or of which a handler still runs; and who waits until there are none. */
  private unfinished = 0
  private readonly allFinished = new Waiters<void>()
  private readonly stopper = new AbortController()
  private readonly gate: Gate
  private readonly ports: Ports

  /** Does no I/O. @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: ServerOptions = {}) {
    this.options = resolveServerOptions(options)
    const tally = new Tally()
    this.gate = new Gate(this.options, this.table, tally, (route, accepted) => {
      this.open(route, accepted)
    })
    this.node = createLocalNode(options.backplane, {
      presenceTtlMs: options.presenceTtlMs,
      onError: this.options.isErrorHeard ? this.options.onError : undefined,
    })
    const hub = new Hub<ServerSocket>({
      remote: this.node,
      limits: options.hubLimits,
      owns: (socket) => socket instanceof ServerSocket && socket.isOf(this.host.hub),
      reach: (path) => this.reach(path),
    })
    this.host = {
      options: this.options,
      tally,
      hub,
      inUse: new Set(),
      everyone: null,
      gone: (socket) => {
        this.gate.left(socket.remoteAddress)
        this.host.leaving.add(socket)
      },
      leaving: new Set(),
      done: (socket) => {
        this.host.leaving.delete(socket)
        this.unfinished--
        if (this.unfinished === 0) this.allFinished.resolveAll()
      },
    }
    this.allSockets = new SocketsOf(this.host.inUse)
    this.ports = new Ports(this.options, this.gate)
  }

  /** How many connections are open or closing. */
  get connectionCount(): number {
    return this.gate.connectionCount
  }

  /**
   * Binds a service to a path.
   * @param path its segments are compared as they are sent, without the query; `:name` stands for any one segment, and
   *   `*name` as the last for all the rest, which may be empty. What is equal goes before a parameter, and that before a rest
   * @param service handlers, or a function that makes those of one connection
   * @throws TypeError for a wrong path or service, and for a path that has a service already
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
    const entry = new RouteEntry(path, checked, this.host)
    this.table.add(path, entry)
    return entry
  }

  /**
   * Takes a path out; its connections stay.
   * @returns whether there was one
   */
  unroute(path: string): boolean {
    return this.table.delete(path)
  }

  /** The routes, in the order in which they were added. */
  routes(): Route[] {
    return this.table.targets()
  }

  /** Aborted when the server begins to stop, by `close` or `terminate`: for what runs beside it and should end with it. */
  get signal(): AbortSignal {
    return this.stopper.signal
  }

  /**
   * Listens on a port of its own. Requests that are no upgrade get 426 on the path of a route, else 404.
   * @param port 0 takes a free one
   * @param host default: all addresses
   * @returns the address, once the server listens
   * @throws the system's error, such as EADDRINUSE; InvalidStateError if it listens already or was closed
   */
  async listen(port = 0, host?: string): Promise<AddressInfo> {
    const address = await this.ports.listen(port, host)
    this.node?.start(this.host.hub)
    return address
  }

  /**
   * Shares the port of an http or https server: takes its upgrades to the paths of the routes. Other paths get 404,
   * unless somebody else listens for upgrades there, who may take them. Several of these servers may share a port.
   * Closing this server leaves the other one open.
   * @throws TypeError for what is no server, InvalidStateError if it is attached already or this one was closed
   */
  attach(httpServer: HttpServer): this {
    this.ports.attach(httpServer)
    this.node?.start(this.host.hub)
    return this
  }

  /**
   * Takes one upgrade, for those who route upgrades themselves: call it from an 'upgrade' listener, with what that got.
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
    const entry = service === undefined ? undefined : this.entryOf(service)
    checkUpgrade(request, socket, head)
    if (!this.gate.isClosed) this.node?.startOrReport(this.host.hub)
    const peer = new StreamPeer(request, socket, head, this.options.directIo, null)
    this.gate.upgrade(readRequest(request), request.url ?? '', peer, entry, null)
  }

  /**
   * All connections that are open or closing, by whatever way they came: of all routes, and of services that
   * `handleUpgrade` was given.
   */
  get sockets(): SocketList<ServerSocket<Data>> {
    return this.allSockets as SocketList<ServerSocket<Data>>
  }

  /** The connections that have names. */
  get connections(): ConnectionRegistry<ServerSocket<Data>> {
    return this.host.hub.connections as unknown as ConnectionRegistry<ServerSocket<Data>>
  }

  /**
   * A group of connections by its name, whether it has members or not.
   * @throws TypeError or RangeError for a wrong name
   */
  group<D = Data>(name: string): Group<ServerSocket<D>> {
    return this.host.hub.group(name) as unknown as Group<ServerSocket<D>>
  }

  /** The names of the groups that have members in this process. */
  groups(): string[] {
    return this.host.hub.groups()
  }

  /**
   * Sends a message to all open connections: encoded and compressed once. One that is slow or broken never stops the
   * others.
   * @throws TypeError for anything that is neither text nor bytes, and for wrong options; what `filter` throws
   */
  broadcast(data: MessageData | PreparedMessage, options?: FanOutOptions<ServerSocket<Data>>): Delivery {
    return this.host.hub.broadcast(
      this.openSockets(),
      data,
      options as FanOutOptions<ServerSocket> | undefined,
    )
  }

  /** What went through this server since it was made; counted by the connections themselves, and summed here. */
  stats(): ServerStats {
    const { tally, inUse } = this.host
    return tally.stats(
      this.gate.connectionCount,
      [...inUse].map((route) => route.sockets),
    )
  }

  /** What became of what went over the backplane, its failures included; null where there is none. */
  get backplaneStats(): BackplaneStats | null {
    return this.node?.stats ?? null
  }

  /**
   * Stops to accept, closes every connection, waits for their ends, for the handlers that still run and for `onClose`,
   * and after `timeoutMs` cuts what is left. Nothing keeps the process alive after it. A handler that waits for this
   * waits for itself: until then.
   * @throws TypeError or RangeError for a code that must not be sent
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkOptionNames('CloseOptions', options, CLOSE_OPTIONS)
    const {
      code = CloseCode.GOING_AWAY,
      reason = '',
      timeoutMs = this.options.limits.closeTimeoutMs,
    } = options
    checkCloseArguments(code, reason)
    checkNumber('timeoutMs', timeoutMs, { min: 0, integer: false })
    const deadline = performance.now() + timeoutMs
    const stopped = this.stop()
    const ended: Promise<unknown>[] = [...this.allSockets].map((socket) =>
      socket.close(code, reason, { timeoutMs }),
    )
    this.ports.closeIdle()
    ended.push(this.gate.rejectedLeft(timeoutMs))
    await Promise.all(ended)
    this.cutStrays()
    if (this.unfinished > 0) {
      const timeLeftMs = Math.max(0, deadline - performance.now())
      await this.allFinished.wait({ timeoutMs: timeLeftMs }).catch(() => undefined)
      // What is left has had its time: no further handler begins.
      for (const socket of [...this.host.leaving]) socket.terminate()
    }
    await stopped
    await this.node?.close(Math.max(0, deadline - performance.now()))
  }

  /** Cuts every connection, and stops to accept. */
  terminate(): void {
    void this.stop()
    for (const socket of [...this.allSockets, ...this.host.leaving]) socket.terminate()
    this.cutStrays()
    // What it cannot say any more, others notice by its silence.
    void this.node?.close()
  }

  /** `await using`: closes and waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What a log shows: nothing of the options, which may hold a private key. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `WebSocketServer ${JSON.stringify({ connections: this.gate.connectionCount, address: this.ports.address })}`
  }

  /** All of them that are open now. */
  private openSockets(): readonly ServerSocket[] {
    this.host.everyone ??= [...this.host.inUse].flatMap((route) => route.members)
    return this.host.everyone
  }

  /** Who gets a broadcast from elsewhere. */
  private reach(path: string | null): readonly ServerSocket[] {
    if (path === null) return this.openSockets()
    return [...this.host.inUse].filter((route) => route.path === path).flatMap((route) => route.members)
  }

  private entryOf(service: ServerService | ServiceFactory): RouteEntry {
    const known = this.byHand.get(service)
    if (known !== undefined) return known
    const entry = new RouteEntry('', checkServerService(service), this.host)
    this.byHand.set(service, entry)
    return entry
  }

  private stop(): Promise<void> {
    this.stopper.abort()
    this.gate.stop()
    return this.ports.stop()
  }

  /** Ends the connections that are no WebSockets. */
  private cutStrays(): void {
    this.ports.cut()
    this.gate.cut()
  }

  private open(route: RouteEntry, accepted: AcceptedUpgrade): void {
    const { slowConsumer, keepRequest } = this.options
    const { limits, autoPong } = route.settings
    const { request, info, data, protocol, extensions, transport, early } = accepted
    const { secure, remoteAddress, params } = info
    const codec = extensions === null ? null : extensions.createCodec()
    const socket = new ServerSocket(
      transport,
      {
        info: {
          url: request.target,
          protocol,
          extensions: extensions?.response ?? '',
          secure,
          remoteAddress,
        },
        data,
        params,
        request: keepRequest ? info : undefined,
      },
      { role: 'server', limits, codec, autoPong },
      { limits, slowConsumer },
      route.handlers,
      route,
    )
    this.unfinished++
    route.opened(socket, early)
  }
}
