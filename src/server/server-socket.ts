import type { ConnectionOptions } from '../connection/connection.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { Group } from '../hub/group.js'
import type { Hub } from '../hub/hub.js'
import { Dispatcher } from '../service/dispatcher.js'
import type { Handlers } from '../service/service.js'
import { Socket, type SocketInfo } from '../socket/socket.js'
import type { DriverOptions } from '../socket/driver-owner.js'
import type { Transport } from '../transport/transport.js'
import { CHANNELS } from './diagnostics.js'
import type { UpgradeInfo } from './upgrade-info.js'

/** Gets the events of the connections of a route. An interface, so that a connection can be used without a server. */
export interface SocketOwner {
  readonly hub: Hub<ServerSocket>
  /** The connection is no longer open: once, when its end begins, by whatever it does. Before `closed`. */
  closing(socket: ServerSocket): void
  /** The connection is over, before `onClose`. */
  closed(socket: ServerSocket, info: CloseInfo): void
  /** A message that was received before the end is delivered after {@link closed}. */
  received(): void
  /** This many messages reach no handler. */
  dropped(count: number): void
  /** No handler of the connection runs any more. */
  finished(socket: ServerSocket): void
  /** An error occurred; `isHeard`: the service has an `onError`, or need not hear it. */
  failed(socket: ServerSocket, error: Error, isHeard: boolean): void
}

/** The parts of the request that its connection keeps. */
export interface Opening<Data, Params> {
  readonly info: SocketInfo
  readonly data: Data
  readonly params: Params
  readonly request: UpgradeInfo<Params> | undefined
}

/** A connection as a server has it. */
export class ServerSocket<Data = unknown, Params = Readonly<Record<string, string>>> extends Socket<Data> {
  /** The parameters of the route's path, percent-decoded. */
  readonly params: Params
  /** The request as `onUpgrade` gets it, where the server has the option `keepRequest`. */
  readonly request: UpgradeInfo<Params> | undefined
  /** @internal */
  messagesReceived = 0
  /** @internal */
  protected readonly sink: Dispatcher<ServerSocket>
  private readonly owner: SocketOwner
  private isGone = false
  private lazyQuery: URLSearchParams | null = null

  /** @internal Made by the server. */
  constructor(
    transport: Transport,
    opening: Opening<Data, Params>,
    connection: ConnectionOptions,
    options: DriverOptions,
    handlers: Handlers<ServerSocket>,
    owner: SocketOwner,
  ) {
    super(transport, opening.info, opening.data, connection, options)
    this.params = opening.params
    this.request = opening.request
    this.owner = owner
    this.sink = new Dispatcher(this as unknown as ServerSocket, handlers, options.limits)
  }

  /** The query of the request, read when it is first asked for. */
  get query(): URLSearchParams {
    if (this.lazyQuery === null) {
      const question = this.url.indexOf('?')
      this.lazyQuery = new URLSearchParams(question < 0 ? '' : this.url.slice(question))
    }
    return this.lazyQuery
  }

  /**
   * Joins a group, which need not be there before.
   * @returns whether it is in it now: false if the connection is no longer open
   * @throws TypeError or RangeError for a wrong name; RangeError above `maxGroupsPerConnection`
   * @example
   * ```ts
   * server.route('/chat', {
   *   onOpen: (socket) => {
   *     socket.join('everybody')
   *   },
   *   onTextMessage: (socket, text) => {
   *     socket.group('everybody').send(text, { except: socket })
   *   },
   * })
   * ```
   */
  join(group: string): boolean {
    return this.owner.hub.join(this as unknown as ServerSocket, group)
  }

  /** Leaves a group. @returns whether it was in it */
  leave(group: string): boolean {
    return this.owner.hub.leave(this as unknown as ServerSocket, group)
  }

  /**
   * A group of the server by its name, whether this connection is in it or not.
   * @typeParam D of the `data` of its members: whoever knows it says it
   */
  group<D = unknown>(name: string): Group<ServerSocket<D>> {
    return this.owner.hub.group(name) as unknown as Group<ServerSocket<D>>
  }

  /** The groups that this connection is in. */
  groups(): string[] {
    return this.owner.hub.groupsOf(this as unknown as ServerSocket)
  }

  /** @internal Whether this is a connection of the server whose hub this is. */
  isOf(hub: Hub<ServerSocket>): boolean {
    return this.owner.hub === hub
  }

  /** @internal Calls `onOpen`, and begins to read. */
  open(head: Uint8Array): void {
    if (CHANNELS.open.hasSubscribers) CHANNELS.open.publish({ socket: this })
    void this.sink.open()
    this.driver.start(head)
  }

  /** @internal The handlers made for this connection alone; called before `open`. */
  use(handlers: Handlers<ServerSocket>): void {
    this.sink.use(handlers)
  }

  /** @internal They could not be made. */
  failToOpen(error: unknown): void {
    this.sink.handlerFailed(error)
  }

  /** @internal */
  override handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      if (this.isGone) this.owner.received()
      this.messagesReceived++
      if (CHANNELS.message.hasSubscribers) CHANNELS.message.publish({ socket: this, data: event.data })
    } else if (event.type === 'error') {
      this.handleFailure(event.error, true)
    }
    super.handleEvent(event)
  }

  /** @internal */
  override handleFailure(error: Error, isHeard: boolean): void {
    if (CHANNELS.error.hasSubscribers) CHANNELS.error.publish({ socket: this, error })
    this.owner.failed(this as unknown as ServerSocket, error, isHeard)
  }

  /** @internal */
  override handleDropped(count: number): void {
    this.owner.dropped(count)
  }

  /** @internal */
  override handleDone(): void {
    this.owner.finished(this as unknown as ServerSocket)
  }

  protected override detach(info: CloseInfo): void {
    this.isGone = true
    if (CHANNELS.close.hasSubscribers) CHANNELS.close.publish({ socket: this, info })
    this.owner.closed(this as unknown as ServerSocket, info)
  }

  protected override beginClosing(): void {
    this.owner.closing(this as unknown as ServerSocket)
  }
}
