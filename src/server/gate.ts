import type { Server as HttpServer } from 'node:http'
import { HandshakeError, toError } from '../errors.js'
import type { UpgradeRequest } from '../handshake/server-handshake.js'
import type { TransportOwner } from '../transport/transport.js'
import { Waiters } from '../socket/waiters.js'
import type { ResolvedServerOptions } from './options.js'
import { CHANNELS } from './diagnostics.js'
import type { RouteEntry } from './route.js'
import { NO_PARAMS, type Match, type Params, type Routes } from './routing.js'
import { isToAnswer, type Claimant } from './shared-port.js'
import type { Tally } from './stats.js'
import { rejectionOf, Upgrade, type AcceptedUpgrade } from './upgrade.js'
import type { UpgradePeer } from './upgrade-peer.js'

/** Where accepted upgrades go. It throws only if there is no connection. */
export type Opener = (route: RouteEntry, accepted: AcceptedUpgrade) => void

/** Owns a connection that is cut before anybody has it. */
const NOBODY: TransportOwner = {
  receive: () => undefined,
  receiveEnd: () => undefined,
  transportLost: () => undefined,
  unblock: () => undefined,
}

/** Who comes in: finds the route of an upgrade, keeps the bounds, has it decided, and answers what is not taken. */
export class Gate implements Claimant {
  private readonly options: ResolvedServerOptions
  private readonly routes: Routes<RouteEntry>
  private readonly tally: Tally
  private readonly open: Opener
  private readonly upgrades = new Set<Upgrade>()
  private readonly perAddress = new Map<string, number>()
  /** Connections that are rejected and still read why, and who waits until there are none. */
  private readonly rejected = new Set<UpgradePeer>()
  private readonly rejectedGone = new Waiters<void>()
  /** Connections that are open or closing. */
  private inside = 0
  private isClosing = false

  constructor(options: ResolvedServerOptions, routes: Routes<RouteEntry>, tally: Tally, open: Opener) {
    this.tally = tally
    this.options = options
    this.routes = routes
    this.open = open
  }

  /** How many connections are open or closing. */
  get connectionCount(): number {
    return this.inside
  }

  get isClosed(): boolean {
    return this.isClosing
  }

  claims(path: string): boolean {
    return this.routes.find(path) !== undefined
  }

  /** Lets nobody in any more; upgrades that are not decided get 503. */
  stop(): void {
    this.isClosing = true
    for (const upgrade of [...this.upgrades]) upgrade.fail(new HandshakeError('HAWSER_SERVER_CLOSING'))
  }

  /** Waits until those rejected are gone, or for so long. */
  async rejectedLeft(timeoutMs: number): Promise<void> {
    if (this.rejected.size > 0) await this.rejectedGone.wait({ timeoutMs }).catch(() => undefined)
  }

  /** Cuts those rejected that are still there. */
  cut(): void {
    for (const peer of [...this.rejected]) peer.destroy()
  }

  /** A connection that was let in is gone. */
  left(address: string): void {
    this.inside--
    this.count(address, -1)
  }

  /**
   * Takes one upgrade.
   * @param request what was asked for, or why it is no handshake
   * @param target the request target, as sent
   * @param byHand instead of the route for the request's path
   * @param sharedWith the HTTP server whose port others may share
   */
  upgrade(
    request: UpgradeRequest | HandshakeError,
    target: string,
    peer: UpgradePeer,
    byHand: RouteEntry | undefined,
    sharedWith: HttpServer | null,
  ): void {
    if (request instanceof HandshakeError) {
      // Wrong as it is, a request for a path of ours is nobody else's.
      const isOurs = this.claims(target.split('?', 1)[0] as string)
      this.decline(peer, request, isOurs ? null : sharedWith, target, true)
      return
    }
    const found: Match<RouteEntry> | undefined =
      byHand === undefined ? this.routes.find(request.path) : { target: byHand, params: NO_PARAMS }
    if (found === undefined) {
      this.decline(peer, new HandshakeError('HAWSER_NOT_FOUND'), sharedWith, target)
      return
    }
    const { target: route, params } = found
    peer.take()
    if (peer.isInTurn) {
      this.decide(request, target, peer, route, params)
      return
    }
    peer.awaitTurn(this.dueAt(peer), (isInTurn) => {
      if (isInTurn) this.decide(request, target, peer, route, params)
      else this.lost(peer, target, route)
    })
  }

  /** Lets it in, or not: all earlier requests of its connection are answered. */
  private decide(
    request: UpgradeRequest,
    target: string,
    peer: UpgradePeer,
    route: RouteEntry,
    params: Params | null,
  ): void {
    const address = peer.remoteAddress
    const refusal = params === null ? new HandshakeError('HAWSER_INVALID_TARGET') : this.refusal(address)
    if (refusal !== null || params === null) {
      route.tally.rejectedUpgrades++
      this.answer(peer, refusal as HandshakeError, target)
      return
    }
    this.count(address, 1)
    const upgrade = new Upgrade(peer, request, params, this.options, (accepted) => {
      this.upgrades.delete(upgrade)
      if (accepted !== null) {
        this.inside++
        if (CHANNELS.upgrade.hasSubscribers) publish(peer, target, true)
        this.begin(route, accepted, address)
        return
      }
      this.count(address, -1)
      route.tally.rejectedUpgrades++
      this.letGo(peer, target)
    })
    this.upgrades.add(upgrade)
    upgrade.decide(route)
  }

  /** The 101 is written: a connection that cannot be made is cut, for nobody would own it. */
  private begin(route: RouteEntry, accepted: AcceptedUpgrade, address: string): void {
    try {
      this.open(route, accepted)
    } catch (error) {
      accepted.transport.setOwner(NOBODY)
      accepted.transport.destroy()
      this.left(address)
      this.options.onError(toError(error), 'the start of a connection')
    }
  }

  /** Answers what nobody here takes, unless others are there to take it. */
  private decline(
    peer: UpgradePeer,
    error: HandshakeError,
    sharedWith: HttpServer | null,
    target: string,
    isMalformed = false,
  ): void {
    const path = isMalformed ? null : (target.split('?', 1)[0] as string)
    if (sharedWith === null || isToAnswer(sharedWith, this, path)) this.reject(peer, error, target)
    // If they do not take it either, nobody listens for its errors, and a reset would end the process.
    else peer.leave()
  }

  /** Rejects, when it is in turn. */
  private reject(peer: UpgradePeer, error: HandshakeError, target: string): void {
    peer.take()
    if (peer.isInTurn) {
      this.answer(peer, error, target)
      return
    }
    peer.awaitTurn(this.dueAt(peer), (isInTurn) => {
      if (isInTurn) this.answer(peer, error, target)
      else this.lost(peer, target, null)
    })
  }

  private answer(peer: UpgradePeer, error: HandshakeError, target: string): void {
    peer.reject(rejectionOf(error))
    this.letGo(peer, target)
  }

  /** The connection was over before its turn came. */
  private lost(peer: UpgradePeer, target: string, route: RouteEntry | null): void {
    this.tally.rejectedUpgrades++
    if (route !== null) route.tally.rejectedUpgrades++
    if (CHANNELS.upgrade.hasSubscribers) publish(peer, target, false)
  }

  /** A handshake that is not done by then has failed. */
  private dueAt(peer: UpgradePeer): number {
    return peer.startedAt + this.options.limits.handshakeTimeoutMs
  }

  /** Keeps in mind what was rejected, until it is gone. */
  private letGo(peer: UpgradePeer, target: string): void {
    this.tally.rejectedUpgrades++
    if (CHANNELS.upgrade.hasSubscribers) publish(peer, target, false)
    this.rejected.add(peer)
    peer.whenGone(() => {
      this.rejected.delete(peer)
      if (this.rejected.size === 0) this.rejectedGone.resolveAll()
    })
  }

  private refusal(address: string): HandshakeError | null {
    if (this.isClosing) return new HandshakeError('HAWSER_SERVER_CLOSING')
    const { maxConnections, maxConnectionsPerAddress } = this.options
    if (this.inside + this.upgrades.size >= maxConnections) {
      return new HandshakeError('HAWSER_TOO_MANY_CONNECTIONS')
    }
    if ((this.perAddress.get(address) ?? 0) >= maxConnectionsPerAddress) {
      return new HandshakeError('HAWSER_TOO_MANY_CONNECTIONS')
    }
    return null
  }

  /** Counts connections by address, only where there is a limit to keep. */
  private count(address: string, change: 1 | -1): void {
    if (this.options.maxConnectionsPerAddress === Infinity) return
    const count = (this.perAddress.get(address) ?? 0) + change
    if (count === 0) this.perAddress.delete(address)
    else this.perAddress.set(address, count)
  }
}

function publish(peer: UpgradePeer, url: string, isAccepted: boolean): void {
  CHANNELS.upgrade.publish({ url, remoteAddress: peer.remoteAddress, isAccepted })
}
