import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { HandshakeError } from '../errors.js'
import { ignoreErrors } from '../socket/handshake-io.js'
import { Waiters } from '../socket/waiters.js'
import type { ResolvedServerOptions } from './options.js'
import { CHANNELS } from './diagnostics.js'
import type { RouteEntry } from './route.js'
import { NO_PARAMS, type Match, type Routes } from './routing.js'
import { isToAnswer, type Claimant } from './shared-port.js'
import type { Tally } from './stats.js'
import { readRequest, rejectWith, Upgrade, type AcceptedUpgrade } from './upgrade.js'

/** Where accepted upgrades go. */
export type Opener = (duplex: Duplex, head: Buffer, route: RouteEntry, accepted: AcceptedUpgrade) => void

/** Who comes in: finds the route of an upgrade, keeps the bounds, has it decided, and answers what is not taken. */
export class Gate implements Claimant {
  private readonly options: ResolvedServerOptions
  private readonly routes: Routes<RouteEntry>
  private readonly tally: Tally
  private readonly open: Opener
  private readonly upgrades = new Set<Upgrade>()
  private readonly perAddress = new Map<string, number>()
  /** Connections that are rejected and still read why, and who waits until there are none. */
  private readonly leaving = new Set<Duplex>()
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
    if (this.leaving.size > 0) await this.rejectedGone.wait({ timeoutMs }).catch(() => undefined)
  }

  /** Cuts those rejected that are still there. */
  cut(): void {
    for (const duplex of [...this.leaving]) duplex.destroy()
  }

  /** A connection that was let in is gone. */
  left(address: string): void {
    this.inside--
    this.count(address, -1)
  }

  /**
   * Takes one upgrade.
   * @param byHand instead of the route for the request's path
   * @param sharedWith the HTTP server whose port others may share
   */
  upgrade(
    raw: IncomingMessage,
    duplex: Duplex,
    head: Buffer,
    byHand: RouteEntry | undefined,
    sharedWith: HttpServer | null,
  ): void {
    const request = readRequest(raw)
    if (request instanceof HandshakeError) {
      // Wrong as it is, a request for a path of ours is nobody else's.
      const isOurs = this.claims((raw.url ?? '').split('?', 1)[0] as string)
      this.decline(duplex, request, isOurs ? null : sharedWith, null)
      return
    }
    const found: Match<RouteEntry> | undefined =
      byHand === undefined ? this.routes.find(request.path) : { target: byHand, params: NO_PARAMS }
    if (found === undefined) {
      this.decline(duplex, new HandshakeError('HAWSER_NOT_FOUND'), sharedWith, request.path)
      return
    }
    const { target: route, params } = found
    const address = (duplex as { remoteAddress?: string }).remoteAddress ?? ''
    const refusal = params === null ? new HandshakeError('HAWSER_INVALID_TARGET') : this.refusal(address)
    if (refusal !== null || params === null) {
      route.tally.rejectedUpgrades++
      this.reject(duplex, refusal as HandshakeError, request.target)
      return
    }
    this.count(address, 1)
    const upgrade = new Upgrade(raw, duplex, request, params, this.options, (accepted) => {
      this.upgrades.delete(upgrade)
      if (accepted !== null) {
        this.inside++
        this.publish(duplex, request.target, true)
        this.open(duplex, head, route, accepted)
        return
      }
      this.count(address, -1)
      route.tally.rejectedUpgrades++
      this.rejected(duplex, request.target)
    })
    this.upgrades.add(upgrade)
    upgrade.decide(route.decider)
  }

  /** Answers what nobody here takes, unless others are there to take it. */
  private decline(
    duplex: Duplex,
    error: HandshakeError,
    sharedWith: HttpServer | null,
    path: string | null,
  ): void {
    if (sharedWith === null || isToAnswer(sharedWith, this, path)) this.reject(duplex, error, path ?? '')
    // If they do not take it either, nobody listens for its errors, and a reset would end the process.
    else ignoreErrors(duplex)
  }

  private reject(duplex: Duplex, error: HandshakeError, url: string): void {
    rejectWith(duplex, error)
    this.rejected(duplex, url)
  }

  private rejected(duplex: Duplex, url: string): void {
    this.tally.rejectedUpgrades++
    this.publish(duplex, url, false)
    this.letGo(duplex)
  }

  private publish(duplex: Duplex, url: string, isAccepted: boolean): void {
    if (!CHANNELS.upgrade.hasSubscribers) return
    const { remoteAddress = '' } = duplex as { remoteAddress?: string }
    CHANNELS.upgrade.publish({ url, remoteAddress, isAccepted })
  }

  /** Keeps in mind what was rejected, until it is gone. */
  private letGo(duplex: Duplex): void {
    if (duplex.destroyed) return
    this.leaving.add(duplex)
    duplex.once('close', () => {
      this.leaving.delete(duplex)
      if (this.leaving.size === 0) this.rejectedGone.resolveAll()
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
