import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { checkCloseArguments, isNoCode } from '../frame/close-code.js'
import { fanOut, prepare, type Delivery, type FanOutOptions } from '../socket/fan-out.js'
import type { Elsewhere } from './elsewhere.js'
import type { Member } from './member.js'
import type { Memberships } from './memberships.js'

/**
 * A group of connections, by its name. Its members are open: who is closing has left. It is a name and no more: it may be kept, and made anew at no cost. A group
 * without members is like one that never was: sending to it reaches nobody.
 */
export class Group<S extends Member> {
  readonly name: string
  private readonly memberships: Memberships<S>
  private readonly elsewhere: Elsewhere | null

  /** @internal Made by the hub. */
  constructor(name: string, memberships: Memberships<S>, elsewhere: Elsewhere | null) {
    memberships.check(name)
    this.name = name
    this.memberships = memberships
    this.elsewhere = elsewhere
  }

  /** How many members are here, in this process. */
  get size(): number {
    return this.memberships.size(this.name)
  }

  /** How many members there are in all processes: those elsewhere by what was announced last. */
  get sizeEverywhere(): number {
    return this.size + (this.elsewhere?.groupSize(this.name) ?? 0)
  }

  /** The members in this process, in the order in which they joined. A list of the caller's own. */
  members(): S[] {
    return [...this.memberships.members(this.name)]
  }

  /** Whether a connection is in it. */
  has(socket: S): boolean {
    return this.memberships.has(socket, this.name)
  }

  /**
   * Sends a message to all that are members now: encoded once, compressed once. One that is slow, closing or broken never
   * stops the others. Members in other processes get it through the backplane, at most once, unless there is a `filter`:
   * that is a function of this process.
   * @param options `except`: one or several that do not get it, such as its sender
   * @returns what became of it in this process
   * @throws TypeError for anything that is neither text nor bytes, and for wrong options
   */
  send(data: MessageData | PreparedMessage, options?: FanOutOptions<S>): Delivery {
    const members = this.memberships.members(this.name)
    if (this.elsewhere === null) return fanOut(members, data, options)
    return sendEverywhere(this.elsewhere, { kind: 'group', group: this.name }, members, data, options)
  }

  /**
   * Takes all members out, here and elsewhere; their connections stay. A later `join` makes a new group.
   * @returns whether there was one, elsewhere by what was announced last
   */
  delete(): boolean {
    const isElsewhere = this.elsewhere !== null && this.elsewhere.groupSize(this.name) > 0
    this.elsewhere?.order({ kind: 'deleteGroup', group: this.name })
    return this.memberships.empty(this.name).length > 0 || isElsewhere
  }

  /**
   * Closes the connections of all members, here and elsewhere, and takes them out at once.
   * @param code and `reason` as for the `close` of a socket
   * @returns how many are closed in this process
   * @throws TypeError or RangeError for a code that must not be sent
   */
  close(code?: number, reason?: string): number {
    checkCloseArguments(code, reason)
    this.elsewhere?.order({
      kind: 'closeGroup',
      group: this.name,
      code: isNoCode(code) ? null : code,
      reason: reason ?? '',
    })
    const members = this.memberships.empty(this.name)
    for (const member of members) void member.close(code, reason)
    return members.length
  }
}

/** Sends to those that are here, and by the backplane to the same elsewhere. */
export function sendEverywhere<S extends Member>(
  elsewhere: Elsewhere,
  notice:
    | { readonly kind: 'group'; readonly group: string }
    | { readonly kind: 'broadcast'; readonly path: string | null },
  members: Iterable<S>,
  data: MessageData | PreparedMessage,
  options?: FanOutOptions<S>,
): Delivery {
  const compress = options?.compress
  const message = prepare(data, compress)
  // The message has it by now, and fanOut takes it for messages of its own making alone.
  const rest = compress === undefined ? options : { ...options, compress: undefined }
  const delivery = fanOut(members, message, rest)
  if (options?.filter === undefined) elsewhere.publish(notice, data, message)
  return delivery
}
