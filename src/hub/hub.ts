import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { checkOptionNames, unchecked, type Checks } from '../check.js'
import { fanOut, prepare, type Delivery, type FanOutOptions } from '../socket/fan-out.js'
import { HubRegistry, type ConnectionRegistry } from './connection-registry.js'
import { HubGroup, type Group } from './group.js'
import { resolveHubLimits, type HubLimitOptions, type HubLimits } from './hub-limits.js'
import type { Member } from './member.js'
import { Memberships } from './memberships.js'
import { Names } from './names.js'
import type { Publishing } from './publishing.js'
import { fanOutPrepared, outcomeOf, outgoingPayload } from './outgoing.js'
import type {
  Claim,
  IncomingAction,
  Local,
  NamedMessage,
  NamedOutcome,
  Remote,
  RemoteClaim,
} from './remote.js'

export interface HubOptions<S> {
  readonly limits?: HubLimitOptions | undefined
  /** The other nodes. Default null: there are none. */
  readonly remote?: Remote | null | undefined
  /** Whether a connection, open or closed, belongs to the server of this hub. Default: any does. */
  readonly owns?: ((socket: unknown) => boolean) | undefined
  /** The connections of a route's path, or of the whole server for null: those that a broadcast of another node reaches. */
  readonly reach?: ((path: string | null) => Iterable<S>) | undefined
  /** The groups whose messages are kept. Default null: none are. */
  readonly publishing?: Publishing<S> | null | undefined
}

const CHECKS = {
  limits: unchecked(),
  remote: unchecked(),
  owns: unchecked(),
  reach: unchecked(),
  publishing: unchecked(),
} satisfies Checks<HubOptions<unknown>>

/**
 * Names, groups and broadcasts of one server's connections: those of this process. What other nodes have it asks of
 * {@link Remote}. The server calls {@link forget} for each connection at the moment when that is no longer open: then
 * nothing of it is kept.
 */
export class Hub<S extends Member> implements Local {
  /** The connections that have names. */
  readonly connections: ConnectionRegistry<S>
  private readonly limits: HubLimits
  private readonly names: Names<S>
  private readonly memberships: Memberships<S>
  private readonly reach: (path: string | null) => Iterable<S>
  private readonly remote: Remote | null
  private readonly publishing: Publishing<S> | null

  /** @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: HubOptions<S> = {}) {
    checkOptionNames('HubOptions', options, CHECKS)
    const { remote = null, owns = () => true, reach = () => [], publishing = null } = options
    this.limits = resolveHubLimits(options.limits)
    this.reach = reach
    this.remote = remote
    this.publishing = publishing
    this.memberships = new Memberships(this.limits, remote, publishing)
    this.names = new Names(this.limits, remote)
    this.connections = new HubRegistry(this.names, remote, owns)
  }

  /**
   * Puts a connection into a group, which need not exist before.
   * @returns whether the connection is in it now: false if it is no longer open
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
   * A group by its name, with or without members.
   * @throws TypeError or RangeError for a wrong name
   */
  group(name: string): Group<S> {
    return new HubGroup(name, this.memberships, this.remote, this.publishing)
  }

  /** The members of a group here: a list that is never changed. */
  membersOf(group: string): readonly S[] {
    return this.memberships.members(group)
  }

  /** The names of the groups that have members in this process. */
  groups(): string[] {
    return this.memberships.groups()
  }

  /**
   * Sends a message to many connections, encoded and compressed once.
   * @param path the route of these connections, null for the whole server: who gets the message in other nodes
   */
  broadcast(
    members: Iterable<S>,
    data: MessageData | PreparedMessage,
    options?: FanOutOptions<S>,
    path: string | null = null,
  ): Delivery {
    // A list of those that are there now: a handler that hears of a slow member may open and close connections.
    const list = Array.isArray(members) ? (members as readonly S[]) : [...members]
    if (this.remote === null) return fanOut(list, data, options)
    const message = prepare(data, options?.compress)
    const delivery = fanOutPrepared(list, message, options)
    if (options?.filter === undefined) {
      const payload = outgoingPayload(data, message)
      this.remote.send({ kind: 'broadcast', path, payload, compress: message.compress }, null)
    }
    return delivery
  }

  /**
   * Takes all groups and names of a connection away: when it leaves the state OPEN, whatever ends it. Nothing happens for
   * a connection that has none, nor at a second call.
   */
  forget(socket: S): void {
    this.memberships.forget(socket)
    this.names.forget(socket)
  }

  get maxNameLength(): number {
    return this.limits.maxNameLength
  }

  claims(): Iterable<[name: string, claim: Claim]> {
    return this.names.claims()
  }

  groupSizes(): Iterable<[group: string, size: number]> {
    return this.memberships.sizes()
  }

  handleClaim(name: string, claim: RemoteClaim, node: string): void {
    this.names.handleClaim(name, claim, node)
  }

  deliver({ name, payload, compress }: NamedMessage<string | Uint8Array>): NamedOutcome {
    const socket = this.names.get(name)
    return socket === undefined ? 'unknown' : outcomeOf(socket, prepare(payload, compress))
  }

  perform(action: IncomingAction): void {
    switch (action.kind) {
      case 'group': {
        if (action.position !== undefined && this.publishing !== null) {
          this.publishing.received(action.group, action.payload, action.compress, action.position)
          return
        }
        const members = this.memberships.members(action.group)
        if (members.length > 0) fanOut(members, action.payload, { compress: action.compress })
        return
      }
      case 'broadcast':
        fanOut([...this.reach(action.path)], action.payload, { compress: action.compress })
        return
      case 'named': {
        const socket = this.names.get(action.name)
        if (socket !== undefined) fanOut([socket], action.payload, { compress: action.compress })
        return
      }
      case 'deleteGroup':
        this.memberships.empty(action.group)
        return
      case 'closeGroup':
        for (const member of this.memberships.empty(action.group)) close(member, action.code, action.reason)
        return
      case 'deleteNamed':
        this.names.free(action.name)
        return
      case 'closeNamed': {
        const socket = this.names.free(action.name)
        if (socket !== undefined) close(socket, action.code, action.reason)
      }
    }
  }
}

function close(member: Member, code: number | null, reason: string): void {
  if (code === null) void member.close()
  else void member.close(code, reason)
}
