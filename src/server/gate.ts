import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { HandshakeError } from '../errors.js'
import { ignoreErrors } from '../socket/handshake-io.js'
import { Waiters } from '../socket/waiters.js'
import type { ResolvedServerOptions } from './options.js'
import type { Routes } from './routing.js'
import type { ServerService } from './service.js'
import { isToAnswer, type Claimant } from './shared-port.js'
import { readRequest, rejectWith, Upgrade, type AcceptedUpgrade } from './upgrade.js'

/** Where accepted upgrades go. */
export type Opener = (duplex: Duplex, head: Buffer, service: ServerService, accepted: AcceptedUpgrade) => void

/** Who comes in: finds the route of an upgrade, keeps the bounds, has it decided, and answers what is not taken. */
export class Gate implements Claimant {
  private readonly options: ResolvedServerOptions
  private readonly routes: Routes
  private readonly open: Opener
  private readonly upgrades = new Set<Upgrade>()
  private readonly perAddress = new Map<string, number>()
  /** Connections that are rejected and still read why, and who waits until there are none. */
  private readonly rejected = new Set<Duplex>()
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
    for (const duplex of [...this.rejected]) duplex.destroy()
  }

  /** A connection that was let in is gone. */
  left(address: string): void {
    this.inside--
    this.count(address, -1)
  }

  /**
   * Takes one upgrade.
   * @param service default: that of the route for the request's path
   * @param sharedWith the HTTP server whose port others may share
   */
  upgrade(
    raw: IncomingMessage,
    duplex: Duplex,
    head: Buffer,
    service: ServerService | undefined,
    sharedWith: HttpServer | null,
  ): void {
    const request = readRequest(raw)
    if (request instanceof HandshakeError) {
      // Wrong as it is, a request for a path of ours is nobody else's.
      const isOurs = this.claims((raw.url ?? '').split('?', 1)[0] as string)
      this.decline(duplex, request, isOurs ? null : sharedWith, null)
      return
    }
    const found = service ?? this.routes.find(request.path)
    if (found === undefined) {
      this.decline(duplex, new HandshakeError('HAWSER_NOT_FOUND'), sharedWith, request.path)
      return
    }
    const address = (duplex as { remoteAddress?: string }).remoteAddress ?? ''
    const refusal = this.refusal(address)
    if (refusal !== null) {
      this.reject(duplex, refusal)
      return
    }
    this.count(address, 1)
    const upgrade = new Upgrade(raw, duplex, request, this.options, (accepted) => {
      this.upgrades.delete(upgrade)
      if (accepted !== null) {
        this.inside++
        this.open(duplex, head, found, accepted)
        return
      }
      this.count(address, -1)
      this.letGo(duplex)
    })
    this.upgrades.add(upgrade)
    upgrade.decide(found)
  }

  /** Answers what nobody here takes, unless others are there to take it. */
  private decline(
    duplex: Duplex,
    error: HandshakeError,
    sharedWith: HttpServer | null,
    path: string | null,
  ): void {
    if (sharedWith === null || isToAnswer(sharedWith, this, path)) this.reject(duplex, error)
    // If they do not take it either, nobody listens for its errors, and a reset would end the process.
    else ignoreErrors(duplex)
  }

  private reject(duplex: Duplex, error: HandshakeError): void {
    rejectWith(duplex, error)
    this.letGo(duplex)
  }

  /** Keeps in mind what was rejected, until it is gone. */
  private letGo(duplex: Duplex): void {
    if (duplex.destroyed) return
    this.rejected.add(duplex)
    duplex.once('close', () => {
      this.rejected.delete(duplex)
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
