import { ReadyState } from '../connection/ready-state.js'
import type { Elsewhere } from './elsewhere.js'
import { checkName, type HubLimits, type Member } from './member.js'

/** A group that has members. */
interface Room<S> {
  readonly name: string
  readonly members: Set<S>
  /**
   * The members as a list, for sending: made when it is first wanted after a change, and never changed. Whoever goes
   * through it sees those that were there at its beginning, whoever joins and leaves meanwhile.
   */
  list: readonly S[] | null
}

const NOBODY: readonly never[] = Object.freeze([])

/**
 * Who is in which group. A group is there as long as somebody is in it, and a connection that is in none costs nothing.
 */
export class Memberships<S extends Member> {
  private readonly rooms = new Map<string, Room<S>>()
  /** The groups of each connection that is in any, in the order in which it joined. */
  private readonly joined = new Map<S, Room<S>[]>()
  private readonly limits: HubLimits
  private readonly elsewhere: Elsewhere | null

  constructor(limits: HubLimits, elsewhere: Elsewhere | null) {
    this.limits = limits
    this.elsewhere = elsewhere
  }

  /** See {@link checkName}. */
  check(name: unknown): asserts name is string {
    checkName('group', name, this.limits.maxNameLength)
  }

  join(socket: S, name: string): boolean {
    this.check(name)
    if (socket.readyState !== ReadyState.OPEN) return false
    let room = this.rooms.get(name)
    if (room?.members.has(socket) === true) return true
    const rooms = this.joined.get(socket)
    if (rooms !== undefined && rooms.length >= this.limits.maxGroupsPerConnection) {
      throw new RangeError(
        `a connection must be in at most ${String(this.limits.maxGroupsPerConnection)} groups, hubLimits.maxGroupsPerConnection`,
      )
    }
    if (room === undefined) {
      room = { name, members: new Set(), list: null }
      this.rooms.set(name, room)
      this.elsewhere?.groupAppeared(name)
    }
    room.members.add(socket)
    room.list = null
    if (rooms === undefined) this.joined.set(socket, [room])
    else rooms.push(room)
    this.elsewhere?.groupChanged(name, room.members.size)
    return true
  }

  leave(socket: S, name: string): boolean {
    this.check(name)
    const room = this.rooms.get(name)
    if (room?.members.has(socket) !== true) return false
    const rooms = this.joined.get(socket) as Room<S>[]
    if (rooms.length === 1) this.joined.delete(socket)
    else rooms.splice(rooms.indexOf(room), 1)
    this.remove(socket, room)
    return true
  }

  /** Takes a connection out of all groups. */
  forget(socket: S): void {
    const rooms = this.joined.get(socket)
    if (rooms === undefined) return
    this.joined.delete(socket)
    for (const room of rooms) this.remove(socket, room)
  }

  /** Takes everybody out. @returns who was in it */
  empty(name: string): readonly S[] {
    const members = this.members(name)
    for (const member of members) this.leave(member, name)
    return members
  }

  groupsOf(socket: S): string[] {
    return this.joined.get(socket)?.map(({ name }) => name) ?? []
  }

  /** The members as of now: a list that nobody changes. */
  members(name: string): readonly S[] {
    const room = this.rooms.get(name)
    if (room === undefined) return NOBODY
    room.list ??= [...room.members]
    return room.list
  }

  has(socket: S, name: string): boolean {
    return this.rooms.get(name)?.members.has(socket) === true
  }

  size(name: string): number {
    return this.rooms.get(name)?.members.size ?? 0
  }

  names(): string[] {
    return [...this.rooms.keys()]
  }

  /** Each group and how many members it has. */
  *sizes(): Generator<[name: string, size: number]> {
    for (const { name, members } of this.rooms.values()) yield [name, members.size]
  }

  private remove(socket: S, room: Room<S>): void {
    room.members.delete(socket)
    room.list = null
    if (room.members.size === 0) {
      this.rooms.delete(room.name)
      this.elsewhere?.groupVanished(room.name)
    }
    this.elsewhere?.groupChanged(room.name, room.members.size)
  }
}
