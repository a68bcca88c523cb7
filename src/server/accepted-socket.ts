import type { ConnectionOptions } from '../connection/connection.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { Group } from '../hub/group.js'
import type { Hub } from '../hub/hub.js'
import { showAs } from '../inspect.js'
import { Dispatcher } from '../service/dispatcher.js'
import type { Handlers } from '../service/service.js'
import { timedHandlers } from '../service/timed-handlers.js'
import { BaseSocket, coreOf, shownFields } from '../socket/base-socket.js'
import type { DriverOptions } from '../socket/driver-owner.js'
import { SocketCore, type SocketInfo } from '../socket/socket-core.js'
import { trafficOf } from '../socket/traffic.js'
import type { Transport } from '../transport/transport.js'
import { CHANNELS } from './diagnostics.js'
import { plainAddress } from './ip-address.js'
import type { ServerMessages } from './server-messages.js'
import type { ServerSocket } from './server-socket.js'
import type { UpgradeInfo } from './upgrade-info.js'

/** Gets the events of the connections of a route. An interface, so that a connection can be used without a server. */
export interface SocketOwner {
  readonly hub: Hub<AcceptedSocket>
  /** The path of the route, for observers. */
  readonly path: string
  /** Called once, before `closed`, when the connection stops being open. */
  closing(core: ServerSocketCore): void
  /** The connection is over, before `onClose`. */
  closed(core: ServerSocketCore, info: CloseInfo): void
  /** A message that was received before the end is delivered after {@link closed}. */
  received(): void
  /** This many messages reach no handler. */
  dropped(count: number): void
  /** No handler of the connection runs any more. */
  finished(core: ServerSocketCore): void
  /** An error occurred; `isHeard`: the service has an `onError`, or need not hear it. */
  failed(core: ServerSocketCore, error: Error, isHeard: boolean): void
}

/** The handlers of a connection: where the channel has a subscriber, each call is published when it is over. */
function observed(handlers: Handlers<ServerSocket>, { path }: SocketOwner): Handlers<ServerSocket> {
  if (!CHANNELS.handler.hasSubscribers) return handlers
  return timedHandlers(handlers, (call) => {
    CHANNELS.handler.publish({
      ...call,
      socket: call.socket as ServerSocket,
      route: path,
    } satisfies ServerMessages['hawser:handler'])
  })
}

/** The parts of the request that its connection keeps. */
export interface Opening {
  readonly info: SocketInfo
  readonly data: unknown
  readonly params: Readonly<Record<string, string>>
  readonly request: UpgradeInfo | undefined
}

/** The state of a connection that a server accepted. */
export class ServerSocketCore extends SocketCore<AcceptedSocket> {
  readonly socket: AcceptedSocket
  readonly owner: SocketOwner
  messagesReceived = 0
  protected readonly sink: Dispatcher<ServerSocket>

  constructor(
    transport: Transport,
    opening: Opening,
    connection: ConnectionOptions,
    options: DriverOptions,
    handlers: Handlers<ServerSocket>,
    owner: SocketOwner,
  ) {
    super(transport, opening.info, connection, options)
    this.socket = new AcceptedSocket(this, opening)
    this.owner = owner
    this.sink = new Dispatcher<ServerSocket>(this, observed(handlers, owner), options.limits)
  }

  /** See `ServerSocket.clientAddress`. */
  get clientAddress(): string {
    const known = this.lazyAsked?.clientAddress ?? ''
    return known === '' ? plainAddress(this.remoteAddress) : known
  }

  /** The client is not the peer, but behind it. */
  set clientAddress(address: string) {
    this.asked.clientAddress = address
  }

  get query(): URLSearchParams {
    const { asked, url } = this
    if (asked.query === null) {
      const question = url.indexOf('?')
      asked.query = new URLSearchParams(question < 0 ? '' : url.slice(question))
    }
    return asked.query
  }

  /** Calls `onOpen`, and begins to read. */
  open(head: Uint8Array): void {
    if (CHANNELS.open.hasSubscribers) {
      CHANNELS.open.publish({
        socket: this.socket,
        route: this.owner.path,
      } satisfies ServerMessages['hawser:open'])
    }
    void this.sink.open()
    this.driver.start(head)
  }

  /** The handlers made for this connection alone; called before `open`. */
  use(handlers: Handlers<ServerSocket>): void {
    this.sink.use(observed(handlers, this.owner))
  }

  /** Reports that a function of the application failed that is none of the handlers. */
  applicationFailed(error: unknown): void {
    this.sink.handlerFailed(error)
  }

  /** Counts a message that was received and reaches no handler. */
  dropReceived(): void {
    if (this.isOver) this.owner.received()
    this.messagesReceived++
    this.sink.drop(1)
  }

  /** Closes the connection, and cuts it after this time. Nobody waits for it here. */
  closeWithin(code: number, reason: string, timeoutMs: number): void {
    if (!this.isOver) this.driver.close(code, reason, timeoutMs)
  }

  override handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      if (this.isOver) this.owner.received()
      this.messagesReceived++
      if (CHANNELS.message.hasSubscribers) this.publishMessage(event.data)
    } else if (event.type === 'error') {
      this.handleFailure(event.error, true)
    }
    super.handleEvent(event)
  }

  override handleFailure(error: Error, isHeard: boolean): void {
    if (CHANNELS.error.hasSubscribers) {
      const { socket, owner } = this
      CHANNELS.error.publish({ socket, route: owner.path, error } satisfies ServerMessages['hawser:error'])
    }
    this.owner.failed(this, error, isHeard)
  }

  override handleDropped(count: number): void {
    this.owner.dropped(count)
  }

  override handleDone(): void {
    this.owner.finished(this)
  }

  protected override detach(info: CloseInfo): void {
    if (CHANNELS.close.hasSubscribers) {
      CHANNELS.close.publish({
        socket: this.socket,
        route: this.owner.path,
        info,
        messagesReceived: this.messagesReceived,
        ...trafficOf(this.driver),
      } satisfies ServerMessages['hawser:close'])
    }
    this.owner.closed(this, info)
  }

  private publishMessage(data: string | Buffer): void {
    CHANNELS.message.publish({
      socket: this.socket,
      route: this.owner.path,
      data,
    } satisfies ServerMessages['hawser:message'])
  }

  protected override beginClosing(): void {
    this.owner.closing(this)
  }
}

/** The connection as the application has it. */
export class AcceptedSocket extends BaseSocket<unknown> implements ServerSocket {
  readonly params: Readonly<Record<string, string>>
  readonly request: UpgradeInfo | undefined

  constructor(core: ServerSocketCore, { data, params, request }: Opening) {
    super(core, data)
    this.params = params
    this.request = request
  }

  get clientAddress(): string {
    return serverCoreOf(this).clientAddress
  }

  get query(): URLSearchParams {
    return serverCoreOf(this).query
  }

  join(group: string): boolean {
    return serverCoreOf(this).owner.hub.join(this, group)
  }

  leave(group: string): boolean {
    return serverCoreOf(this).owner.hub.leave(this, group)
  }

  group<D = unknown>(name: string): Group<ServerSocket<D>> {
    return serverCoreOf(this).owner.hub.group(name) as unknown as Group<ServerSocket<D>>
  }

  groups(): string[] {
    return serverCoreOf(this).owner.hub.groupsOf(this)
  }
}
showAs(AcceptedSocket, 'ServerSocket', shownFields)

/** The state behind a socket of a server. */
export const serverCoreOf = (socket: ServerSocket): ServerSocketCore => coreOf(socket) as ServerSocketCore

/** Whether a value is a socket of the server whose hub this is, open or not. */
export function isSocketOf(hub: Hub<AcceptedSocket>, value: unknown): boolean {
  const core = coreOf(value)
  return core instanceof ServerSocketCore && core.owner.hub === hub
}
