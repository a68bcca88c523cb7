import type { Server as HttpServer } from 'node:http'
import { HandshakeError } from '../errors.js'
import type { UpgradeRequest } from '../handshake/server-handshake.js'
import { Waiters } from '../socket/waiters.js'
import type { ResolvedServerOptions } from './options.js'
import type { Routes } from './routing.js'
import type { ServerService } from './service.js'
import { isToAnswer, type Claimant } from './shared-port.js'
import { rejectionOf, Upgrade, type AcceptedUpgrade } from './upgrade.js'
import type { UpgradePeer } from './upgrade-peer.js'

/** Where accepted upgrades go. */
export type Opener = (service: ServerService, accepted: AcceptedUpgrade) => void

/** Who comes in: finds the route of an upgrade, keeps the bounds, has it decided, and answers what is not taken. */
export class Gate implements Claimant {
  private readonly options: ResolvedServerOptions
  private readonly routes: Routes
  private readonly open: Opener
  private readonly upgrades = new Set<Upgrade>()
  private readonly perAddress = new Map<string, number>()
  /** Connections that are rejected and still read why, and who waits until there are none. */
  private readonly rejected = new Set<UpgradePeer>()
  private readonly rejectedGone = new Waiters<void>()
  /** Connections that are open or closing. */
  private inside = 0
  private isClosing = false

  constructor(options: ResolvedServerOptions, routes: Routes, open: Opener) {
    this.options = options
    this.routes = routes
    this.open = open
  }

  /** How many connections are open or closing. */
  get connectionCount(): number {
    return this.inside
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
   * @param service default: that of the route for the request's path
   * @param sharedWith the HTTP server whose port others may share
   */
  upgrade(
    request: UpgradeRequest | HandshakeError,
    target: string,
    peer: UpgradePeer,
    service: ServerService | undefined,
    sharedWith: HttpServer | null,
  ): void {
    if (request instanceof HandshakeError) {
      // Wrong as it is, a request for a path of ours is nobody else's.
      const isOurs = this.claims(target.split('?', 1)[0] as string)
      this.decline(peer, request, isOurs ? null : sharedWith, null)
      return
    }
    const found = service ?? this.routes.find(request.path)
    if (found === undefined) {
      this.decline(peer, new HandshakeError('HAWSER_NOT_FOUND'), sharedWith, request.path)
      return
    }
    const address = peer.remoteAddress
    const refusal = this.refusal(address)
    if (refusal !== null) {
      this.reject(peer, refusal)
      return
    }
    this.count(address, 1)
    const upgrade = new Upgrade(peer, request, this.options, (accepted) => {
      this.upgrades.delete(upgrade)
      if (accepted !== null) {
        this.inside++
        this.open(found, accepted)
        return
      }
      this.count(address, -1)
      this.letGo(peer)
    })
    this.upgrades.add(upgrade)
    upgrade.decide(found)
  }

  /** Answers what nobody here takes, unless others are there to take it. */
  private decline(
    peer: UpgradePeer,
    error: HandshakeError,
    sharedWith: HttpServer | null,
    path: string | null,
  ): void {
    if (sharedWith === null || isToAnswer(sharedWith, this, path)) this.reject(peer, error)
    // If they do not take it either, nobody listens for its errors, and a reset would end the process.
    else peer.leave()
  }

  private reject(peer: UpgradePeer, error: HandshakeError): void {
    peer.reject(rejectionOf(error))
    this.letGo(peer)
  }

  /** Keeps in mind what was rejected, until it is gone. */
  private letGo(peer: UpgradePeer): void {
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
