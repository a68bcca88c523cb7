import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { checkNumber, showValue } from '../limits.js'
import { fanOut, type Delivery, type FanOutOptions } from '../socket/fan-out.js'
import type { Backplane, BackplaneStats, Envelope } from './backplane.js'
import { ConnectionRegistry } from './connection-registry.js'
import { Group, sendEverywhere } from './group.js'
import { Link } from './link.js'
import { resolveHubLimits, type HubLimitOptions, type Member } from './member.js'
import { Memberships } from './memberships.js'

export interface HubOptions<S> {
  readonly limits?: HubLimitOptions | undefined
  /** The way to other processes. Default: there are none. */
  readonly backplane?: Backplane | undefined
  /** Another process that was silent for so long is forgotten, with its names and groups. Default 15 s. */
  readonly presenceTtlMs?: number | undefined
  /** Whether a connection, open or closed, is of the server that this hub is for. Default: any. */
  readonly owns?: ((socket: unknown) => boolean) | undefined
  /** The connections of a route's path, or of the whole server for null: who gets a broadcast from elsewhere. */
  readonly reach?: ((path: string | null) => Iterable<S>) | undefined
  /** Told of each failure of the backplane. Default: a warning of the process, once a minute. */
  readonly onError?: ((error: Error) => void) | undefined
}

const OPTIONS: ReadonlySet<string> = new Set([
  'limits',
  'backplane',
  'presenceTtlMs',
  'owns',
  'reach',
  'onError',
] satisfies (keyof HubOptions<unknown>)[])

/** What a backplane has. */
const METHODS = ['start', 'publish', 'watch', 'unwatch', 'close'] satisfies (keyof Backplane)[]

const PRESENCE_TTL_MS = 15_000
const MAX_TIMER_MS = 0x7fff_ffff
/** A failure that nobody hears is a warning of the process, once in so long. */
const WARNING_INTERVAL_MS = 60_000

/**
 * Names, groups and broadcasts of one server's connections. Whoever makes it tells it by {@link forget} of each connection
 * that is no longer open, at that moment: then nothing of it is kept.
 */
export class Hub<S extends Member> {
  /** The connections that have names. */
  readonly connections: ConnectionRegistry<S>
  private readonly memberships: Memberships<S>
  private readonly reach: (path: string | null) => Iterable<S>
  /** null: this process is alone. */
  private readonly link: Link | null
  private readonly onError: ((error: Error) => void) | undefined
  private warnedAt = -Infinity

  /** @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: HubOptions<S> = {}) {
    for (const name of Object.keys(options)) {
      if (!OPTIONS.has(name)) throw new TypeError(`HubOptions has no option ${showValue(name)}`)
    }
    const limits = resolveHubLimits(options.limits)
    const { backplane, presenceTtlMs = PRESENCE_TTL_MS, reach = () => [] } = options
    checkNumber('presenceTtlMs', presenceTtlMs, { min: 10, max: MAX_TIMER_MS, integer: false })
    this.reach = reach
    this.onError = options.onError
    this.link =
      backplane === undefined ? null : this.createLink(backplane, limits.maxNameLength, presenceTtlMs)
    this.memberships = new Memberships(limits, this.link)
    this.connections = new ConnectionRegistry(limits, this.link, options.owns ?? (() => true))
  }

  /** What became of what went over the backplane; null where there is none. */
  get backplaneStats(): BackplaneStats | null {
    return this.link?.stats ?? null
  }

  /**
   * Puts a connection into a group, which need not be there before.
   * @returns whether it is in it now: false if it is no longer open
   * @throws TypeError or RangeError for a wrong name; RangeError above `maxGroupsPerConnection`
   */
  join(socket: S, group: string): boolean {
    return this.memberships.join(socket, group)
  }

  /**
   * Takes a connection out of a group.
   * @returns whether it was in it
   * @throws TypeError or RangeError for a wrong name
   */
  leave(socket: S, group: string): boolean {
    return this.memberships.leave(socket, group)
  }

  /** The groups of a connection, in the order in which it joined. */
  groupsOf(socket: S): string[] {
    return this.memberships.groupsOf(socket)
  }

  /**
   * A group by its name, whether it has members or not.
   * @throws TypeError or RangeError for a wrong name
   */
  group(name: string): Group<S> {
    return new Group(name, this.memberships, this.link)
  }

  /** The names of the groups that have members in this process. */
  groups(): string[] {
    return this.memberships.names()
  }

  /**
   * Sends a message to many connections, encoded and compressed once.
   * @param path the route that they are of, null for the whole server: who gets it elsewhere
   */
  broadcast(
    members: Iterable<S>,
    data: MessageData | PreparedMessage,
    options?: FanOutOptions<S>,
    path: string | null = null,
  ): Delivery {
    // As they are now: handlers that are told of a slow member may open and close connections.
    const list = Array.isArray(members) ? (members as readonly S[]) : [...members]
    if (this.link === null) return fanOut(list, data, options)
    return sendEverywhere(this.link, { kind: 'broadcast', path }, list, data, options)
  }

  /**
   * Takes a connection out of everything: when it leaves the state OPEN, by whatever ends it. Nothing happens for one that
   * is in nothing, nor at a second call.
   */
  forget(socket: S): void {
    this.memberships.forget(socket)
    this.connections.forget(socket)
  }

  /**
   * Joins the backplane, where there is one. What is sent before stays in this process.
   * @throws what the backplane throws at once, such as the TypeError of one that belongs to another server; then, and at
   *   every later call, this process stays alone
   */
  start(): void {
    this.link?.start()
  }

  /**
   * Leaves the backplane, where there is one, for good. Never rejects: a failure is told as all others are.
   * @param timeoutMs after so long nobody waits for the backplane any more. Default: never
   */
  async close(timeoutMs = Infinity): Promise<void> {
    if (this.link === null) return
    const left = this.link.close()
    if (timeoutMs === Infinity) {
      await left
      return
    }
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, Math.min(timeoutMs, MAX_TIMER_MS), true)
    })
    if ((await Promise.race([left, timeUp])) === true) {
      this.backplaneFailed(new Error(`the backplane did not close within ${String(timeoutMs)} ms`))
    }
    clearTimeout(timer)
  }

  private createLink(backplane: Backplane, maxNameLength: number, ttlMs: number): Link {
    if (
      typeof backplane !== 'object' ||
      (backplane as unknown) === null ||
      METHODS.some((name) => typeof backplane[name] !== 'function')
    ) {
      throw new TypeError(
        `backplane must be one of hawser/backplane or an object with ${METHODS.join(', ')}, not ${showValue(backplane)}`,
      )
    }
    const link: Link = new Link(
      backplane,
      {
        claims: () => this.connections.claims(),
        groups: () => this.memberships.sizes(),
        claimed: (name, claim) => {
          this.connections.handleClaim(name, claim, link.node)
        },
        handle: (envelope) => {
          this.handle(envelope)
        },
        failed: (error) => {
          this.backplaneFailed(error)
        },
      },
      maxNameLength,
      ttlMs,
    )
    return link
  }

  /** @internal Tells what the backplane did wrong: whoever listens, else the process, once in a while. */
  backplaneFailed(error: Error): void {
    if (this.onError !== undefined) {
      this.onError(error)
      return
    }
    const now = performance.now()
    if (now - this.warnedAt < WARNING_INTERVAL_MS) return
    this.warnedAt = now
    process.emitWarning(`the backplane failed, and the server has no onError: ${error.message}`, {
      code: 'HAWSER_BACKPLANE_ERROR',
      detail: error.stack ?? '',
    })
  }

  /** Does here what was asked for elsewhere, and tells nobody else of it. */
  private handle(envelope: Envelope): void {
    switch (envelope.kind) {
      case 'group': {
        const members = this.memberships.members(envelope.group)
        if (members.length > 0) fanOut(members, envelope.payload, { compress: envelope.compress })
        return
      }
      case 'broadcast':
        fanOut([...this.reach(envelope.path)], envelope.payload, { compress: envelope.compress })
        return
      case 'named': {
        const socket = this.connections.get(envelope.name)
        if (socket !== undefined) fanOut([socket], envelope.payload, { compress: envelope.compress })
        return
      }
      case 'deleteGroup':
        this.memberships.empty(envelope.group)
        return
      case 'closeGroup':
        for (const member of this.memberships.empty(envelope.group)) close(member, envelope)
        return
      case 'deleteNamed':
        this.connections.free(envelope.name)
        return
      case 'closeNamed': {
        const socket = this.connections.free(envelope.name)
        if (socket !== undefined) close(socket, envelope)
        return
      }
      default:
    }
  }
}

function close(
  member: Member,
  { code, reason }: { readonly code: number | null; readonly reason: string },
): void {
  if (code === null) void member.close()
  else void member.close(code, reason)
}
