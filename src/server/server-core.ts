import { createLocalNode, type LocalNode } from '../backplane/local-node.js'
import { HandshakeError, toError } from '../errors.js'
import type { HeaderFields } from '../handshake/header-fields.js'
import { formatRejection } from '../handshake/server-handshake.js'
import type { CloseInfo } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { ReadyState } from '../connection/ready-state.js'
import { Hub } from '../hub/hub.js'
import type { Recovery } from '../recovery/recovery.js'
import { showValue } from '../check.js'
import type { Handlers } from '../service/service.js'
import type { Delivery, FanOutOptions } from '../socket/fan-out.js'
import { Waiters } from '../socket/waiters.js'
import { warnAtIntervals } from '../socket/warnings.js'
import { monotonicNow } from '../transport/timer-wheel.js'
import { CHANNELS, Counters, type ServerStats, type SocketList } from './diagnostics.js'
import type { SpreadClose } from './spread-close.js'
import {
  resolveServiceSettings,
  type ResolvedServerOptions,
  type ResolvedServiceSettings,
} from './options.js'
import { RouteTable } from './path-matching.js'
import type { ObservedServer, ServerMessages } from './server-messages.js'
import { RouteView, SocketsView } from './route-view.js'
import { isSocketOf, type AcceptedSocket, type ServerSocketCore } from './accepted-socket.js'
import { HandshakeRefusal } from './handshake-quotas.js'
import { addressKey } from './ip-address.js'
import type { MeteredOwner } from './metering.js'
import type { QuotaStats } from './quota-stats.js'
import { clientAddressOf, type PeerOfUpgrade } from './trusted-proxies.js'
import { makeRecovery } from './server-recovery.js'
import type { ServerSocket } from './server-socket.js'
import type { AnyService, Route, ServerService, ServiceFactory } from './server-service.js'

/** The state of a server: options, routes, connections, counts, and the hub of names and groups. */
export class ServerCore {
  readonly options: ResolvedServerOptions
  readonly routes = new RouteTable<ServedRoute>()
  readonly hub: Hub<AcceptedSocket>
  /** This process as a node of the backplane; null without one. */
  readonly node: LocalNode | null
  /** The groups whose messages are kept; null: none are. */
  readonly recovery: Recovery<AcceptedSocket> | null
  readonly counters = new Counters()
  /** All connections that are open or closing. */
  readonly sockets: SocketList<AcceptedSocket>
  /** How many connections are open or closing. */
  connectionCount = 0
  /** No upgrade is accepted any more. */
  isClosing = false
  /** The closes of the connections, spread over a time; null: `close` was not called with one. */
  spread: SpreadClose | null = null
  /** Over which time those that a spread refuses come back, and how long after it that begins; null: they are not told. */
  retryAfter: { readonly spreadMs: number; readonly retryAfterMs: number } | null = null
  /** Called when the last connection is over. */
  whenEmpty: (() => void) | null = null
  /** Upgrades that are not decided yet. */
  readonly undecided = new Set<{ fail(error: HandshakeError): void }>()
  /** Connections that are over, while a handler of them still runs or a message waits. */
  readonly ending = new Set<ServerSocketCore>()
  /** The routes that have connections: also those that were removed, and those without a path. */
  private readonly inUse = new Set<ServedRoute>()
  private readonly perAddress = new Map<string, number>()
  /** Rejected upgrades whose connections are not closed yet. */
  private readonly rejected = new Set<{ destroy(): void }>()
  private readonly rejectedClosed = new Waiters<void>()
  /** Connections that exist, or of which a handler still runs. */
  private unfinished = 0
  private readonly allFinished = new Waiters<void>()
  /** All open connections, for sending: made when it is first used after a change, and never modified. */
  private openList: readonly AcceptedSocket[] | null = null
  /** The server as the application has it, for observers. */
  private readonly server: ObservedServer

  /** @param server as the application has it */
  constructor(options: ResolvedServerOptions, server: ObservedServer) {
    this.server = server
    this.options = options
    this.sockets = new SocketsView(this.inUse)
    this.node = createLocalNode(options.backplane, {
      presenceTtlMs: options.presenceTtlMs,
      onError: (error) => this.reportBackplane(error),
    })
    this.recovery = makeRecovery(this)
    this.hub = new Hub<AcceptedSocket>({
      remote: this.node,
      limits: options.hubLimits,
      owns: (socket) => isSocketOf(this.hub, socket),
      reach: (path) => this.openSockets(path),
      publishing: this.recovery,
    })
  }

  /** Whether there is a route for a path. */
  hasRoute(path: string): boolean {
    return this.routes.find(path) !== undefined
  }

  /** The reason to reject a request for a path without a route. The version of the server that comes next may have one. */
  noRoute(): HandshakeError {
    return new HandshakeError(this.retryAfter === null ? 'HAWSER_NOT_FOUND' : 'HAWSER_SERVER_CLOSING')
  }

  /**
   * The address of the client of an upgrade.
   * @returns null: a function of the application failed, which is reported
   */
  clientOf(peer: PeerOfUpgrade, headers: HeaderFields): string | null {
    const { trustedProxies, forwardedHeader } = this.options
    try {
      return clientAddressOf(peer, headers, trustedProxies, forwardedHeader)
    } catch (error) {
      this.reportError(toError(error), 'the decision on an upgrade')
      return null
    }
  }

  /**
   * Counts a handshake, for a route or for none, against the quotas.
   * @returns the reason to reject it; null: there is room for it
   */
  overQuota(address: string, route: ServedRoute | null): HandshakeError | null {
    const { handshakeQuotas } = this.options
    const refusal = handshakeQuotas === null ? null : handshakeQuotas.refusal(address, monotonicNow())
    if (refusal === null) return null
    if (route === null) this.counters.quotas[refusal.counted]++
    else route.quotaExceeded(refusal.counted)
    return refusal
  }

  /** Whether there is no room for another connection of an address. */
  isFull(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.options
    return (
      this.connectionCount + this.undecided.size >= maxConnections ||
      (maxConnectionsPerAddress !== Infinity &&
        (this.perAddress.get(addressKey(address)) ?? 0) >= maxConnectionsPerAddress)
    )
  }

  /** Reports an error that is none of a connection's: to observers, and to the `onError` of the server. */
  reportError(error: Error, what: string): void {
    this.publishError(error, what)
    this.options.onError(error, what)
  }

  /** Counts connections and undecided upgrades by address, only where there is a limit. */
  countAddress(address: string, change: 1 | -1): void {
    if (this.options.maxConnectionsPerAddress === Infinity) return
    const key = addressKey(address)
    const count = (this.perAddress.get(key) ?? 0) + change
    if (count === 0) this.perAddress.delete(key)
    else this.perAddress.set(key, count)
  }

  /** A connection is over, or could not be made after its 101. */
  disconnected(address: string): void {
    this.connectionCount--
    this.countAddress(address, -1)
    if (this.connectionCount === 0) this.whenEmpty?.()
  }

  /** The response for an error; above a quota, and when closes are spread, it says when to come back. */
  rejectionOf(error: HandshakeError): Uint8Array {
    let seconds
    if (error instanceof HandshakeRefusal) seconds = error.retryAfterSeconds
    else if (error.code === 'HAWSER_SERVER_CLOSING') seconds = this.retryAfterSeconds()
    const headers = seconds === undefined ? undefined : [['Retry-After', String(seconds)] as const]
    return formatRejection(error.httpStatus ?? 500, { body: `${error.message}\n`, headers })
  }

  /** When one that is refused now may come back: any time of the spread, so that not all of them come at once. */
  retryAfterSeconds(): number | undefined {
    if (this.retryAfter === null) return undefined
    const { spreadMs, retryAfterMs } = this.retryAfter
    return Math.max(1, Math.ceil((retryAfterMs + Math.random() * spreadMs) / 1000))
  }

  /** The connections of each route that has some, the oldest first. */
  connectionsByRoute(): ReadonlySet<ServerSocketCore>[] {
    return [...this.inUse].map(({ connections }) => connections)
  }

  /** Accepts no more upgrades; those that are not decided get 503. */
  stopAccepting(): void {
    this.isClosing = true
    for (const upgrade of [...this.undecided]) upgrade.fail(new HandshakeError('HAWSER_SERVER_CLOSING'))
  }

  addRejected(upgrade: { destroy(): void }): void {
    this.rejected.add(upgrade)
  }

  removeRejected(upgrade: { destroy(): void }): void {
    this.rejected.delete(upgrade)
    if (this.rejected.size === 0) this.rejectedClosed.resolveAll()
  }

  /** Waits until the connections of rejected upgrades are closed, for at most this long. */
  async rejectedEnd(timeoutMs: number): Promise<void> {
    if (this.rejected.size > 0) await this.rejectedClosed.wait({ timeoutMs }).catch(() => undefined)
  }

  cutRejected(): void {
    for (const upgrade of [...this.rejected]) upgrade.destroy()
  }

  opened(route: ServedRoute): void {
    this.inUse.add(route)
    this.unfinished++
    this.counters.opened++
  }

  closed(connection: ServerSocketCore, route: ServedRoute): void {
    if (route.connections.size === 0) this.inUse.delete(route)
    this.disconnected(connection.clientAddress)
    this.ending.add(connection)
  }

  finished(connection: ServerSocketCore): void {
    this.ending.delete(connection)
    this.unfinished--
    if (this.unfinished === 0) this.allFinished.resolveAll()
  }

  /** Waits until no connection is left, and no handler runs any more: however long that takes. */
  async untilFinished(): Promise<void> {
    if (this.unfinished > 0) await this.allFinished.wait({})
  }

  /** Waits until no handler runs any more; what is left at `deadline`, of `performance.now()`, is cut. */
  async handlersEnd(deadline: number): Promise<void> {
    if (this.unfinished === 0) return
    const timeoutMs = Math.max(0, deadline - performance.now())
    await this.allFinished.wait({ timeoutMs }).catch(() => undefined)
    // What is left has had its time: no further handler begins.
    for (const connection of [...this.ending]) connection.terminate()
  }

  /** The connections that are open now, of all routes or of one path: a list that is never modified. */
  openSockets(path: string | null = null): readonly AcceptedSocket[] {
    if (path !== null) {
      return [...this.inUse].filter((route) => route.path === path).flatMap((route) => route.openSockets)
    }
    this.openList ??= [...this.inUse].flatMap((route) => route.openSockets)
    return this.openList
  }

  openSocketsChanged(): void {
    this.openList = null
  }

  stats(): ServerStats {
    return this.counters.stats(this.connectionCount, this.connectionsByRoute(), this.closingStats())
  }

  /** Whether the server closes, and how many open connections wait for their turn: of all routes, or of one. */
  closingStats(route?: ServedRoute): Pick<ServerStats, 'isClosing' | 'waitingToClose'> {
    return { isClosing: this.isClosing, waitingToClose: this.spread?.countWaiting(route) ?? 0 }
  }

  /** @returns false: it is to become a warning */
  private reportBackplane(error: Error): boolean {
    const { isErrorHeard, onError } = this.options
    this.publishError(error, 'the backplane')
    if (isErrorHeard) onError(error, 'the backplane')
    return isErrorHeard
  }

  private publishError(error: Error, what: string): void {
    if (!CHANNELS.serverError.hasSubscribers) return
    const { server } = this
    CHANNELS.serverError.publish({ server, error, what } satisfies ServerMessages['hawser:server-error'])
  }
}

const NO_HANDLERS: Handlers<ServerSocket> = Object.freeze({})

/** A route as its server has it: a service, and the connections that it has. */
export class ServedRoute implements MeteredOwner {
  readonly path: string
  /** The route as the application has it. */
  readonly view: Route = new RouteView(this)
  /** The connections that are open or closing. */
  readonly connections = new Set<ServerSocketCore>()
  readonly counters = new Counters()
  /** The service itself; without handlers where a function makes those of each connection. */
  readonly service: ServerService
  readonly factory: ServiceFactory | null
  readonly settings: ResolvedServiceSettings
  private readonly core: ServerCore
  /** As {@link ServerCore.openSockets}, of this route. */
  private openList: readonly AcceptedSocket[] | null = null

  /**
   * @param path empty: the service of upgrades that are taken by hand
   * @throws TypeError or RangeError for a wrong setting of the service
   */
  constructor(path: string, service: AnyService, core: ServerCore) {
    this.path = path
    this.core = core
    this.settings = resolveServiceSettings('service', service, core.options)
    this.factory = typeof service === 'function' ? service : null
    this.service = typeof service === 'function' ? (NO_HANDLERS as ServerService) : service
  }

  get hub(): Hub<AcceptedSocket> {
    return this.core.hub
  }

  get openSockets(): readonly AcceptedSocket[] {
    this.openList ??= [...this.connections]
      .map(({ socket }) => socket)
      .filter((socket) => socket.readyState === ReadyState.OPEN)
    return this.openList
  }

  broadcast(data: MessageData | PreparedMessage, options?: FanOutOptions<ServerSocket>): Delivery {
    // Its filter gets sockets of this server.
    const forSockets = options as FanOutOptions<object> | undefined
    return this.hub.broadcast(this.openSockets, data, forSockets, this.path)
  }

  stats(): ServerStats {
    return this.counters.stats(this.connections.size, [this.connections], this.core.closingStats(this))
  }

  opened(connection: ServerSocketCore): void {
    this.connections.add(connection)
    this.openSocketsChanged()
    this.counters.opened++
    this.core.opened(this)
  }

  closing({ socket }: ServerSocketCore): void {
    this.openSocketsChanged()
    this.hub.forget(socket)
  }

  closed(connection: ServerSocketCore, info: CloseInfo): void {
    this.connections.delete(connection)
    for (const counters of [this.counters, this.core.counters]) {
      counters.closed++
      counters.add(connection)
      counters.bytesUnsent += info.unsentBytes
    }
    this.core.closed(connection, this)
  }

  received(): void {
    this.counters.messagesReceived++
    this.core.counters.messagesReceived++
  }

  dropped(count: number): void {
    this.counters.messagesDropped += count
    this.core.counters.messagesDropped += count
  }

  quotaExceeded(what: keyof QuotaStats): void {
    this.counters.quotas[what]++
    this.core.counters.quotas[what]++
  }

  finished(connection: ServerSocketCore): void {
    this.core.finished(connection)
  }

  failed(connection: ServerSocketCore, error: Error, isHeard: boolean): void {
    this.counters.errors++
    this.core.counters.errors++
    if (isHeard) return
    const { options } = this.core
    if (options.isErrorHeard) options.onError(error)
    else this.warn(error, connection.url)
  }

  private openSocketsChanged(): void {
    this.openList = null
    this.core.openSocketsChanged()
  }

  private warn(error: Error, url: string): void {
    // Of an upgrade that was taken by hand, or of a route of a framework, only the request says where it was.
    const name =
      this.path === ''
        ? `the upgrade to ${showValue(url.split('?', 1)[0])}`
        : `the route ${showValue(this.path)}`
    warnAtIntervals(
      this,
      'HAWSER_UNHANDLED_HANDLER_ERROR',
      `a handler of ${name} failed, and no onError heard it`,
      error,
    )
  }
}
