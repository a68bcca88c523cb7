import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { showValue } from '../limits.js'
import { fanOut, type Delivery, type FanOutOptions } from '../socket/fan-out.js'
import { ConnectionRegistry } from './connection-registry.js'
import type { Elsewhere } from './elsewhere.js'
import { Group, sendEverywhere } from './group.js'
import { resolveHubLimits, type HubLimitOptions, type Member } from './member.js'
import { Memberships } from './memberships.js'

export interface HubOptions<S> {
  readonly limits?: HubLimitOptions | undefined
  /** Whether a connection, open or closed, is of the server that this hub is for. Default: any. */
  readonly owns?: ((socket: S) => boolean) | undefined
  /** The connections of a route's path, or of the whole server for null: who gets a broadcast from elsewhere. */
  readonly reach?: ((path: string | null) => Iterable<S>) | undefined
}

const OPTIONS: ReadonlySet<string> = new Set([
  'limits',
  'owns',
  'reach',
] satisfies (keyof HubOptions<unknown>)[])

/**
 * Names, groups and broadcasts of one server's connections. Whoever makes it tells it by {@link forget} of each connection
 * that ended: then nothing of it is kept.
 */
export class Hub<S extends Member> {
  /** The connections that have names. */
  readonly connections: ConnectionRegistry<S>
  private readonly memberships: Memberships<S>
  private readonly elsewhere: Elsewhere | null

  /** @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: HubOptions<S> = {}) {
    for (const name of Object.keys(options)) {
      if (!OPTIONS.has(name)) throw new TypeError(`HubOptions has no option ${showValue(name)}`)
    }
    const limits = resolveHubLimits(options.limits)
    this.elsewhere = null
    this.memberships = new Memberships(limits, this.elsewhere)
    this.connections = new ConnectionRegistry(limits, this.elsewhere, options.owns ?? (() => true))
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
    return new Group(name, this.memberships, this.elsewhere)
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
    if (this.elsewhere === null) return fanOut(list, data, options)
    return sendEverywhere(this.elsewhere, { kind: 'broadcast', path }, list, data, options)
  }

  /** Takes a connection that ended out of everything: before its `onClose`. */
  forget(socket: S): void {
    this.memberships.forget(socket)
    this.connections.forget(socket)
  }

  /** Joins the backplane, where there is one. */
  start(): void {
    // Nothing to join yet.
  }

  /** Leaves the backplane, where there is one. */
  close(): Promise<void> {
    return Promise.resolve()
  }
}
