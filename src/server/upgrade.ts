import type { IncomingMessage } from 'node:http'
import type { PeerCertificate } from 'node:tls'
import { HandshakeError, toError } from '../errors.js'
import type { Agreement } from '../extension/extension.js'
import { formatRejection, formatUpgradeResponse, type UpgradeRequest } from '../handshake/server-handshake.js'
import { chooseProtocol } from '../handshake/subprotocol.js'
import { refusePromise, showValue } from '../check.js'
import { chooseRecovery, innerProtocols, isRecoveryProtocol } from '../recovery/wire.js'
import type { SocketInfo } from '../socket/socket-core.js'
import { timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { Transport, TransportOwner } from '../transport/transport.js'
import { CHANNELS } from './diagnostics.js'
import { isOriginAllowed } from '../handshake/origin.js'
import { MeteredSocketCore } from './metered-socket.js'
import { NO_PARAMS, type Params } from './path-matching.js'
import type { ServedRoute, ServerCore } from './server-core.js'
import { ServerSocketCore } from './accepted-socket.js'
import { makeRecoveringCore } from './recovering-socket.js'
import { AnswerDecision, LeftDecision, RoutedDecision } from './routed-decision.js'
import { AcceptDecision, checkMade, RejectDecision } from './server-service.js'
import { abortInfo, isAbortOf, RequestInfo } from './upgrade-info.js'

const NO_BYTES = Buffer.alloc(0)

/** A peer that sends more than this before its upgrade is answered is no longer read. */
export const MAX_EARLY_DATA_BYTES = 64 * 1024

/**
 * The bytes that a peer sends before its upgrade is answered. They are copied into one buffer that doubles: the cost grows
 * linearly with the bytes, and one-byte chunks take no more memory than large ones.
 */
export class EarlyData {
  private buffer: Buffer = NO_BYTES
  private length = 0

  /** @returns whether more may come; false: above {@link MAX_EARLY_DATA_BYTES}, stop reading */
  push(chunk: Uint8Array): boolean {
    const length = this.length + chunk.length
    if (length > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.buffer.length))
      this.buffer.copy(larger, 0, 0, this.length)
      this.buffer = larger
    }
    this.buffer.set(chunk, this.length)
    this.length = length
    return length <= MAX_EARLY_DATA_BYTES
  }

  /** All bytes: from now on they are the caller's, and not kept here. */
  take(): Buffer {
    const bytes = this.buffer.subarray(0, this.length)
    this.buffer = NO_BYTES
    this.length = 0
    return bytes
  }
}

/** An owner that ignores every event: for a connection that is cut before its socket exists. */
const NOBODY: TransportOwner = {
  receive: () => undefined,
  receiveEnd: () => undefined,
  transportLost: () => undefined,
  unblock: () => undefined,
}

/** Decides where the service does not. */
const ACCEPT = new AcceptDecision(undefined, undefined, undefined)

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
  /** The answer to a request that has no route, until it is its turn. */
  private refusal: HandshakeError | null = null
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
      if (isOurs || !this.isLeftToOthers(null)) this.rejectInTurn(request)
      return
    }
    const found = byHand === undefined ? core.routes.find(request.path) : { route: byHand, params: NO_PARAMS }
    if (found === undefined) {
      if (!this.isLeftToOthers(pathOf(this.target))) this.rejectInTurn(core.noRoute())
      return
    }
    if (core.isClosing && this.isLeftToSuccessor(request.path)) return
    this.request = request
    this.route = found.route
    this.params = found.params
    this.takeTurn()
  }

  /** Called when all earlier requests of the connection are answered. */
  protected turnCame(): void {
    const { refusal, route, request } = this
    if (refusal !== null) this.rejectBeforeDecision(refusal)
    else if (route !== null && request !== null) this.admit(route, request)
  }

  /** Called when the connection is over before its turn came. */
  protected lostBeforeTurn(): void {
    this.countRejected()
  }

  /** The limits: from here on all earlier requests of the connection are answered. */
  private admit(route: ServedRoute, request: UpgradeRequest): void {
    const { core } = this
    const client = core.clientOf(this, request.headers)
    if (client === null) {
      this.rejectBeforeDecision(new HandshakeError('HAWSER_UPGRADE_FAILED'))
      return
    }
    const refusal =
      this.params === null ? new HandshakeError('HAWSER_INVALID_TARGET') : core.refusal(client, route)
    if (refusal !== null) {
      this.rejectBeforeDecision(refusal)
      return
    }
    this.clientAddress = client
    core.countAddress(client, 1)
    core.undecided.add(this)
    this.checkOrigin(route, request)
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
        this.rejectDecided(formatRejection(status, { body, headers }))
      } else if (decision instanceof AnswerDecision) {
        this.rejectDecided(decision.response)
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
    this.publish(true)
    try {
      const extensions = agreement?.response ?? ''
      const info = { url: request.target, protocol: protocol ?? '', extensions, secure, remoteAddress }
      this.open(transport, route, request, info, decision.data, agreement)
    } catch (error) {
      // The 101 is written. A connection that cannot be made is cut, because it has no owner.
      transport.setOwner(NOBODY)
      transport.destroy()
      core.disconnected(this.clientAddress)
      core.options.onError(toError(error), 'the start of a connection')
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
    if (!this.isOver) this.rejectDecided(this.core.rejectionOf(error))
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
    this.countRejected()
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

  private rejectInTurn(error: HandshakeError): void {
    this.refusal = error
    this.takeTurn()
  }

  /** Rejects before there is anything to decide. */
  private rejectBeforeDecision(error: HandshakeError): void {
    this.isOver = true
    this.reject(this.core.rejectionOf(error))
  }

  /** Decides against the upgrade. */
  private rejectDecided(response: Uint8Array): void {
    this.markDecided()
    this.reject(response)
    this.releaseRejected()
  }

  private failInternally(error: unknown): void {
    // An application that stops because its signal was aborted has not failed.
    if (this.isOver && this.lazyInfo !== null && isAbortOf(this.lazyInfo, error)) return
    this.fail(new HandshakeError('HAWSER_UPGRADE_FAILED'))
    this.core.options.onError(toError(error), 'the decision on an upgrade')
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

  private reject(response: Uint8Array): void {
    this.writeRejection(response)
    this.countRejected()
    if (this.isClosed) return
    this.core.addRejected(this)
    this.watch()
  }

  /** Counts and publishes a rejection: once for each upgrade that gets no 101. */
  private countRejected(): void {
    this.core.counters.rejectedUpgrades++
    if (this.route !== null) this.route.counters.rejectedUpgrades++
    this.publish(false)
  }

  private publish(isAccepted: boolean): void {
    if (!CHANNELS.upgrade.hasSubscribers) return
    CHANNELS.upgrade.publish({ url: this.target, remoteAddress: this.remoteAddress, isAccepted })
  }

  private infoOf(request: UpgradeRequest): RequestInfo {
    this.lazyInfo ??= new RequestInfo(this, request, this.params ?? NO_PARAMS)
    return this.lazyInfo
  }
}
