import type { IncomingMessage } from 'node:http'
import type { PeerCertificate } from 'node:tls'
import { HandshakeError, toError } from '../errors.js'
import type { Agreement } from '../extension/extension.js'
import { formatRejection, formatUpgradeResponse, type UpgradeRequest } from '../handshake/server-handshake.js'
import { chooseProtocol } from '../handshake/subprotocol.js'
import { HeaderFields } from '../handshake/header-fields.js'
import { refusePromise, showValue } from '../check.js'
import { chooseRecovery, innerProtocols, isRecoveryProtocol } from '../recovery/wire.js'
import type { SocketInfo } from '../socket/socket-core.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { Transport, TransportOwner } from '../transport/transport.js'
import { CHANNELS } from './diagnostics.js'
import type { ServerMessages } from './server-messages.js'
import { plainAddress } from './ip-address.js'
import { isOriginAllowed } from '../handshake/origin.js'
import { MeteredSocketCore } from './metered-socket.js'
import { NO_PARAMS, type Params } from './path-matching.js'
import type { ServedRoute, ServerCore } from './server-core.js'
import { ServerSocketCore } from './accepted-socket.js'
import { makeRecoveringCore } from './recovering-socket.js'
import { AnswerDecision, LeftDecision, RoutedDecision } from './routed-decision.js'
import { AcceptDecision, checkMade, RejectDecision, thrownOrDecided } from './server-service.js'
import { abortInfo, isAbortOf, RequestInfo } from './upgrade-info.js'

/** An owner that ignores every event: for a connection that is cut before its socket exists. */
const NOBODY: TransportOwner = {
  receive: () => undefined,
  receiveEnd: () => undefined,
  transportLost: () => undefined,
  unblock: () => undefined,
}

/** Decides where the service does not. */
const ACCEPT = new AcceptDecision(undefined, undefined, undefined)

/** The fields of a request of which no field is known. */
export const NO_FIELDS = HeaderFields.fromPairs([])

/** The status of a response: three digits after `HTTP/1.1 `. */
const statusOf = (response: Uint8Array): number => Number(String.fromCharCode(...response.subarray(9, 12)))

const pathOf = (target: string): string => target.split('?', 1)[0] as string

/**
 * One upgrade, from the request to `onOpen`: route, limits, origin, `onUpgrade`, subprotocol
 * and extension, 101, open. The peer may disconnect at any point. A subclass holds the connection of the upgrade.
 */
export abstract class Upgrade implements Timed {
  timerSlot = -1
  abstract readonly remoteAddress: string
  /** The address of the client; empty before the limits are looked at. */
  clientAddress = ''
  abstract readonly secure: boolean
  abstract readonly certificate: PeerCertificate | undefined
  /** The request of node:http, if the HTTP server is not Hawser's own. */
  abstract readonly raw: IncomingMessage | undefined
  /** When the handshake began, of `monotonicNow`: its time runs from there. */
  readonly startedAt: number
  protected readonly core: ServerCore
  private readonly target: string
  private route: ServedRoute | null = null
  private request: UpgradeRequest | null = null
  private params: Params | null = NO_PARAMS
  private lazyInfo: RequestInfo | null = null
  /** Why the request is not a handshake; null: it is one. */
  private malformed: HandshakeError | null = null
  /** Whether the upgrade is decided. */
  private isOver = false

  /** @param target the request target, as sent */
  constructor(core: ServerCore, target: string, startedAt: number) {
    this.core = core
    this.target = target
    this.startedAt = startedAt
  }

  /**
   * The route: of the request's path, or the one that is given. A request without one is left to other listeners of the
   * same port, or else rejected.
   * @param request the handshake, or the reason why it is not one
   */
  start(request: UpgradeRequest | HandshakeError, byHand?: ServedRoute): void {
    const { core } = this
    if (request instanceof HandshakeError) {
      // Malformed as it is, a request for the path of a route is for this server.
      const isOurs = core.hasRoute(pathOf(this.target))
      if (!isOurs && this.isLeftToOthers(null)) return
      this.malformed = request
      this.takeTurn()
      return
    }
    const found = byHand === undefined ? core.routes.find(request.path) : { route: byHand, params: NO_PARAMS }
    if (found === undefined) {
      if (this.isLeftToOthers(pathOf(this.target))) return
    } else {
      if (core.isClosing && this.isLeftToSuccessor(request.path)) return
      this.route = found.route
      this.params = found.params
    }
    this.request = request
    this.takeTurn()
  }

  /** Called when all earlier requests of the connection are answered: the address of the client, and the limits. */
  protected turnCame(): void {
    const { core, route, request } = this
    const client = core.clientOf(this, request?.headers ?? this.malformedHeaders)
    if (client === null) {
      this.rejectBeforeDecision(new HandshakeError('HAWSER_UPGRADE_FAILED'))
      return
    }
    this.clientAddress = client
    const refusal = this.refusalOf(client)
    if (refusal !== null) {
      this.rejectBeforeDecision(refusal)
      return
    }
    core.countAddress(client, 1)
    core.undecided.add(this)
    // What has neither is refused above.
    this.checkOrigin(route as ServedRoute, request as UpgradeRequest)
  }

  /** Called when the connection is over before its turn came, or has no address any more: no quota can count it, nobody waits for an answer. */
  protected lostBeforeTurn(): void {
    this.isOver = true
    this.countRejected(null, null)
  }

  /**
   * The reason to refuse the request before the application decides; null: there is none. A request that is refused for any
   * of these reasons counts for the quotas as well, or a flood of them would be free.
   */
  private refusalOf(client: string): HandshakeError | null {
    const { core, route } = this
    if (route !== null && core.isClosing) return new HandshakeError('HAWSER_SERVER_CLOSING')
    const overQuota = core.overQuota(client, route)
    if (overQuota !== null) return overQuota
    if (this.malformed !== null) return this.malformed
    if (route === null) return core.noRoute()
    if (this.params === null) return new HandshakeError('HAWSER_INVALID_TARGET')
    return core.isFull(client) ? new HandshakeError('HAWSER_TOO_MANY_CONNECTIONS') : null
  }

  private checkOrigin(route: ServedRoute, request: UpgradeRequest): void {
    try {
      if (isOriginAllowed(request.origin, this.core.options.origins)) this.ask(route, request)
      else this.fail(new HandshakeError('HAWSER_FORBIDDEN_ORIGIN'))
    } catch (error) {
      this.failInternally(error)
    }
  }

  /** `onUpgrade` decides: now or, within the time of the handshake, later. */
  private ask({ service }: ServedRoute, request: UpgradeRequest): void {
    const decision: unknown =
      service.onUpgrade === undefined ? ACCEPT : service.onUpgrade(this.infoOf(request))
    if (decision instanceof AcceptDecision || decision instanceof RejectDecision) {
      this.answer(decision)
      return
    }
    timerWheel.schedule(this, this.dueAt)
    this.watch()
    Promise.resolve(decision).then(
      (value) => {
        this.answer(value)
      },
      (error: unknown) => {
        this.failInternally(error)
      },
    )
  }

  private answer(decision: unknown): void {
    const { route, request } = this
    if (this.isOver || route === null || request === null) return
    try {
      if (decision instanceof AcceptDecision) {
        this.accept(decision instanceof RoutedDecision ? this.moveTo(decision) : route, request, decision)
      } else if (decision instanceof RejectDecision) {
        const { status, body, headers } = decision
        this.rejectDecided(formatRejection(status, { body, headers }), null)
      } else if (decision instanceof AnswerDecision) {
        this.rejectDecided(decision.response, null)
      } else if (decision instanceof LeftDecision) {
        this.markDecided()
        this.leave()
        this.releaseRejected()
      } else {
        throw new TypeError(`onUpgrade must return accept(...) or reject(...), not ${showValue(decision)}`)
      }
    } catch (error) {
      this.failInternally(error)
    }
  }

  /** The routing of a framework found another service than the one that began. */
  private moveTo({ route, params }: RoutedDecision): ServedRoute {
    this.route = route
    this.params = params
    return route
  }

  /** Subprotocol and extension, then the 101. */
  private accept(route: ServedRoute, request: UpgradeRequest, decision: AcceptDecision<unknown>): void {
    const { core, secure, remoteAddress } = this
    const chosen = decision.protocol ?? this.chooseProtocol(route, request)
    const protocol = core.recovery === null ? chosen : chooseRecovery(chosen, request.protocols)
    const agreement = core.options.extensions.accept(request.extensions)
    const head = formatUpgradeResponse(request, {
      protocol,
      extensions: agreement?.response,
      headers: decision.headers,
    })
    const transport = this.writeAccept(head)
    this.markDecided()
    core.connectionCount++
    this.publish(101, null)
    try {
      const extensions = agreement?.response ?? ''
      const info = { url: request.target, protocol: protocol ?? '', extensions, secure, remoteAddress }
      this.open(transport, route, request, info, decision.data, agreement)
    } catch (error) {
      // The 101 is written. A connection that cannot be made is cut, because it has no owner.
      transport.setOwner(NOBODY)
      transport.destroy()
      core.disconnected(this.clientAddress)
      core.reportError(toError(error), 'the start of a connection')
    }
  }

  private chooseProtocol({ settings }: ServedRoute, request: UpgradeRequest): string | undefined {
    const { protocols } = settings
    const offered = this.core.recovery === null ? request.protocols : innerProtocols(request.protocols)
    if (typeof protocols !== 'function') {
      return protocols.length === 0 ? undefined : chooseProtocol(offered, protocols)
    }
    const chosen: unknown = protocols(offered, this.infoOf(request))
    refusePromise(
      chosen,
      'protocols must return one of the subprotocols offered, or undefined, not a promise: decide in onUpgrade instead, which may be async',
    )
    return chosen as string | undefined
  }

  /** The connection: its handlers, `onOpen`, and what the peer sent with its request. */
  private open(
    transport: Transport,
    route: ServedRoute,
    request: UpgradeRequest,
    info: SocketInfo,
    data: unknown,
    agreement: Agreement | null,
  ): void {
    const { slowConsumer, keepRequest } = this.core.options
    const { limits, autoPong, quotas } = route.settings
    const codec = agreement?.createCodec() ?? null
    const kept = keepRequest ? this.infoOf(request) : undefined
    const opening = { info, data, params: this.params ?? NO_PARAMS, request: kept }
    const connection = { role: 'server' as const, limits, codec, autoPong }
    const driver = { limits, slowConsumer }
    const { service } = route
    const core =
      this.core.recovery !== null && isRecoveryProtocol(info.protocol)
        ? makeRecoveringCore(transport, opening, connection, driver, service, route, quotas)
        : quotas !== null
          ? new MeteredSocketCore(transport, opening, connection, driver, service, route, quotas)
          : new ServerSocketCore(transport, opening, connection, driver, service, route)
    if (this.clientAddress !== core.clientAddress) core.clientAddress = this.clientAddress
    route.opened(core)
    if (route.factory !== null) {
      try {
        core.use(checkMade(route.factory(core.socket)))
      } catch (error) {
        core.applicationFailed(error)
      }
    }
    core.open(this.takeEarlyData())
  }

  /** Rejects the upgrade, if it is not decided. */
  fail(error: HandshakeError): void {
    if (!this.isOver) this.rejectDecided(this.core.rejectionOf(error), error)
  }

  timeIsUp(_now: number): void {
    this.fail(new HandshakeError('HAWSER_HANDSHAKE_TIMEOUT'))
  }

  /** Called when the connection is closed while the decision takes time, or after a rejection. */
  protected closed(): void {
    this.core.removeRejected(this)
    if (this.isOver || this.route === null) return
    this.markDecided()
    this.releaseRejected()
    this.countRejected(null, null)
  }

  /** When the handshake fails if it is not done, of `monotonicNow`. */
  protected get dueAt(): number {
    return this.startedAt + this.core.options.limits.handshakeTimeoutMs
  }

  /** Takes the upgrade for this server, and has {@link turnCame} called when it may be answered (RFC 9112 9.3.2). */
  protected abstract takeTurn(): void
  /** From now on {@link closed} is called when the connection is closed. */
  protected abstract watch(): void
  /** @returns the transport of the connection from now on */
  protected abstract writeAccept(head: string): Transport
  /** Returns the bytes that were received after the request, and does not keep them: they belong to the caller. */
  protected abstract takeEarlyData(): Uint8Array
  /** Writes a rejection and ends the connection. A reset at any point must not throw or emit an error. */
  protected abstract writeRejection(response: Uint8Array): void
  protected abstract get isClosed(): boolean
  /** Gives the connection to the application, which has taken it. */
  protected leave(): void {
    // A port of Hawser's own gives no connection away.
    this.destroy()
  }
  abstract destroy(): void

  /** Whether the peer is open and has no address: see `PeerOfUpgrade`. */
  isLocal(): boolean {
    return false
  }

  /**
   * Whether a request that is not for this server is for another listener on the same port, which then answers it.
   * @param path the path of the request; null: the request is not a handshake
   */
  protected isLeftToOthers(_path: string | null): boolean {
    return false
  }

  /** Whether another server on the same port, which does not close, has a route for a path: that one then takes the request. */
  protected isLeftToSuccessor(_path: string): boolean {
    return false
  }

  /** The header fields of a request that is not a handshake, as far as they are known. */
  protected get malformedHeaders(): HeaderFields {
    return NO_FIELDS
  }

  /** Rejects before there is anything to decide. */
  private rejectBeforeDecision(error: HandshakeError): void {
    this.isOver = true
    this.reject(this.core.rejectionOf(error), error)
  }

  /** Decides against the upgrade. @param error the reason; null: the application decided */
  private rejectDecided(response: Uint8Array, error: HandshakeError | null): void {
    this.markDecided()
    this.reject(response, error)
    this.releaseRejected()
  }

  private failInternally(error: unknown): void {
    // An application that stops because its signal was aborted has not failed.
    if (this.isOver && this.lazyInfo !== null && isAbortOf(this.lazyInfo, error)) return
    this.fail(new HandshakeError('HAWSER_UPGRADE_FAILED'))
    this.core.reportError(toError(thrownOrDecided(error)), 'the decision on an upgrade')
  }

  private markDecided(): void {
    this.isOver = true
    timerWheel.cancel(this)
    this.core.undecided.delete(this)
  }

  /** Gives the upgrade's place among those of its address back, and aborts the `signal` of its request. */
  private releaseRejected(): void {
    if (this.lazyInfo !== null) abortInfo(this.lazyInfo)
    this.core.countAddress(this.clientAddress, -1)
  }

  private reject(response: Uint8Array, error: HandshakeError | null): void {
    this.writeRejection(response)
    this.countRejected(response, error)
    if (this.isClosed) return
    this.core.addRejected(this)
    this.watch()
  }

  /**
   * Counts and publishes a rejection: once for each upgrade that gets no 101.
   * @param response null: the peer was gone before there was one
   */
  private countRejected(response: Uint8Array | null, error: HandshakeError | null): void {
    this.core.counters.rejectedUpgrades++
    if (this.route !== null) this.route.counters.rejectedUpgrades++
    this.publish(response === null ? null : statusOf(response), error)
  }

  private publish(status: number | null, error: HandshakeError | null): void {
    if (!CHANNELS.upgrade.hasSubscribers) return
    const { target, route, remoteAddress, startedAt } = this
    CHANNELS.upgrade.publish({
      url: target,
      route: route === null ? null : route.path,
      remoteAddress,
      clientAddress: this.clientAddress === '' ? plainAddress(remoteAddress) : this.clientAddress,
      isAccepted: status === 101,
      status,
      error,
      durationMs: monotonicNow() - startedAt,
    } satisfies ServerMessages['hawser:upgrade'])
  }

  private infoOf(request: UpgradeRequest): RequestInfo {
    this.lazyInfo ??= new RequestInfo(this, request, this.params ?? NO_PARAMS)
    return this.lazyInfo
  }
}
