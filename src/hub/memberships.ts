import { ReadyState } from '../connection/ready-state.js'
import { checkName, type HubLimits } from './hub-limits.js'
import type { Member } from './member.js'
import type { Publishing } from './publishing.js'
import type { Remote } from './remote.js'

/** The members of a group that has any. */
interface Members<S> {
  readonly group: string
  readonly set: Set<S>
  /**
   * The same as a list, for sending: made at the first use after a change, and never changed. A loop over it sees those
   * that were members at its beginning, even if connections join and leave meanwhile.
   */
  list: readonly S[] | null
}

const NO_MEMBERS: readonly never[] = Object.freeze([])

/**
 * Which connections are in which groups of this process. A group exists while it has members, and a connection that is in
 * no group costs nothing.
 */
export class Memberships<S extends Member> {
  private readonly byGroup = new Map<string, Members<S>>()
  /** The groups of each connection that is in any, in the order in which it joined. */
  private readonly bySocket = new Map<S, Members<S>[]>()
  private readonly limits: HubLimits
  private readonly remote: Remote | null
  /** The groups whose messages are kept; null: none are. */
  private readonly publishing: Publishing<S> | null

  constructor(limits: HubLimits, remote: Remote | null, publishing: Publishing<S> | null = null) {
    this.limits = limits
    this.remote = remote
    this.publishing = publishing
  }

  /** See {@link checkName}. */
  check(group: unknown): asserts group is string {
    checkName('group', group, this.limits.maxNameLength)
  }

  join(socket: S, group: string): boolean {
    this.check(group)
    if (socket.readyState !== ReadyState.OPEN) return false
    let members = this.byGroup.get(group)
    if (members?.set.has(socket) === true) return true
    const joined = this.bySocket.get(socket)
    if (joined !== undefined && joined.length >= this.limits.maxGroupsPerConnection) {
      throw new RangeError(
        `a connection must be in at most ${String(this.limits.maxGroupsPerConnection)} groups, hubLimits.maxGroupsPerConnection`,
      )
    }
    if (members === undefined) {
      members = { group, set: new Set(), list: null }
      this.byGroup.set(group, members)
    }
    const before = members.set.size
    members.set.add(socket)
    members.list = null
    if (joined === undefined) this.bySocket.set(socket, [members])
    else joined.push(members)
    this.remote?.announce({ kind: 'group', group, before, after: before + 1 })
    this.publishing?.joined(socket, group)
    return true
  }

  leave(socket: S, group: string): boolean {
    this.check(group)
    const members = this.byGroup.get(group)
    if (members?.set.has(socket) !== true) return false
    const joined = this.bySocket.get(socket) as Members<S>[]
    if (joined.length === 1) this.bySocket.delete(socket)
    else joined.splice(joined.indexOf(members), 1)
    this.remove(socket, members)
    return true
  }

  /** Takes a connection out of all groups. */
  forget(socket: S): void {
    const joined = this.bySocket.get(socket)
    if (joined === undefined) return
    this.bySocket.delete(socket)
    for (const members of joined) this.remove(socket, members)
  }

  /** Takes all members out of a group. @returns those that were in it */
  empty(group: string): readonly S[] {
    const members = this.members(group)
    for (const member of members) this.leave(member, group)
    return members
  }

  groupsOf(socket: S): string[] {
    return this.bySocket.get(socket)?.map(({ group }) => group) ?? []
  }

  /** The members as of now: a list that is never changed. */
  members(group: string): readonly S[] {
    const members = this.byGroup.get(group)
    if (members === undefined) return NO_MEMBERS
    members.list ??= [...members.set]
    return members.list
  }

  has(socket: S, group: string): boolean {
    return this.byGroup.get(group)?.set.has(socket) === true
  }

  size(group: string): number {
    return this.byGroup.get(group)?.set.size ?? 0
  }

  groups(): string[] {
    return [...this.byGroup.keys()]
  }

  /** Each group and how many members it has. */
  *sizes(): Generator<[group: string, size: number]> {
    for (const { group, set } of this.byGroup.values()) yield [group, set.size]
  }

  private remove(socket: S, members: Members<S>): void {
    const { group, set } = members
    const before = set.size
    set.delete(socket)
    members.list = null
    if (set.size === 0) this.byGroup.delete(group)
    this.remote?.announce({ kind: 'group', group, before, after: set.size })
    this.publishing?.left(socket, group, set.size === 0, socket.readyState === ReadyState.OPEN)
  }
}
