import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { boolean, readOptions, refuseSurplus, showValue, type Checks } from '../check.js'
import { checkCloseArguments, isNoCode } from '../frame/close-code.js'
import { showAs } from '../inspect.js'
import { fanOut, NO_CALLBACK, prepare, type Delivery, type FanOutOptions } from '../socket/fan-out.js'
import type { Member } from './member.js'
import type { Memberships } from './memberships.js'
import type { Publishing } from './publishing.js'
import { fanOutPrepared, outgoingPayload } from './outgoing.js'
import type { Remote } from './remote.js'
import type { Position } from '../recovery/history.js'

/** The options of `publish`. */
export interface PublishOptions {
  /** Compress the message where compression is in use and worth it. Default true. */
  readonly compress?: boolean | undefined
}

const PUBLISH_CHECKS = { compress: boolean(true) } satisfies Checks<PublishOptions>

/**
 * A group of connections, by its name. Its members are open: a connection that is closing has left. This object holds the
 * name and no members, so it may be kept, and getting it again costs nothing. A group without members is like one that
 * never existed: a message to it reaches no connection.
 */
export interface Group<S> {
  /** The name, as it was given. */
  readonly name: string
  /** The number of members in this process. */
  readonly size: number
  /** The number of members in all processes: in the others as announced last. */
  readonly sizeEverywhere: number

  /** The members in this process, in the order in which they joined. The list belongs to the caller. */
  members(): S[]

  /** Whether a connection is a member. */
  has(socket: S): boolean

  /**
   * Sends a message to all that are members now: encoded once, compressed once. A member that is slow, closing or broken
   * never stops the others. Members in other processes get the message through the backplane, at most once, unless there
   * is a `filter`, which is a function of this process.
   * @param options `except`: one or several connections that do not get it, such as its sender
   * @returns what became of it in this process
   * @throws TypeError for anything that is neither text nor bytes, and for wrong options; what `filter` throws
   */
  send(data: MessageData | PreparedMessage, options?: FanOutOptions<S>): Delivery

  /**
   * Sends a message that is kept: to all members everywhere, in the order of its group, and later to those that missed it. Needs
   * the option `recovery` of the server, with this group among its `groups`. Members without the subprotocol of recovery get it
   * as they get what `send` sends.
   * @param data text, or bytes, which are copied
   * @returns its position, once the history has it. Rejects if the history cannot be reached or does not answer in time: members
   *   get the message all the same if the history did take it
   * @throws TypeError for another group, for anything that is neither text nor bytes, and for wrong options: at once
   * @example
   * ```ts
   * const { offset } = await server.group('room:1').publish('hello')
   * console.log(`message ${offset} of the room`)
   * ```
   */
  publish(data: MessageData | PreparedMessage, options?: PublishOptions): Promise<Position>

  /**
   * Takes all members out, in all processes; their connections stay open. A later `join` makes a new group.
   * @returns whether there were members: in other processes as announced last
   */
  delete(): boolean

  /**
   * Closes the connections of all members, in all processes, and takes them out at once.
   * @param code and `reason` as for the `close` of a socket
   * @returns how many connections are closed in this process
   * @throws TypeError or RangeError for a code that must not be sent
   */
  close(code?: number, reason?: string): number
}

/** A group of one hub. */
export class HubGroup<S extends Member> implements Group<S> {
  readonly name: string
  readonly #memberships: Memberships<S>
  readonly #remote: Remote | null
  readonly #publishing: Publishing<S> | null

  constructor(
    name: string,
    memberships: Memberships<S>,
    remote: Remote | null,
    publishing: Publishing<S> | null,
  ) {
    memberships.check(name)
    this.name = name
    this.#memberships = memberships
    this.#remote = remote
    this.#publishing = publishing
  }

  get size(): number {
    return this.#memberships.size(this.name)
  }

  get sizeEverywhere(): number {
    return this.size + (this.#remote?.groupSize(this.name) ?? 0)
  }

  members(): S[] {
    return [...this.#memberships.members(this.name)]
  }

  has(socket: S): boolean {
    return this.#memberships.has(socket, this.name)
  }

  send(data: MessageData | PreparedMessage, options?: FanOutOptions<S>, surplus?: unknown): Delivery {
    refuseSurplus(surplus, 'send(data, options)', NO_CALLBACK)
    const members = this.#memberships.members(this.name)
    if (this.#remote === null) return fanOut(members, data, options)
    const message = prepare(data, options?.compress)
    const delivery = fanOutPrepared(members, message, options)
    if (options?.filter === undefined) {
      const payload = outgoingPayload(data, message)
      this.#remote.send({ kind: 'group', group: this.name, payload, compress: message.compress }, null)
    }
    return delivery
  }

  publish(
    data: MessageData | PreparedMessage,
    options: PublishOptions = {},
    surplus?: unknown,
  ): Promise<Position> {
    refuseSurplus(surplus, 'publish(data, options)', 'there is no callback; the call returns a promise')
    const { compress } = readOptions('options', options, PUBLISH_CHECKS)
    if (this.#publishing === null) {
      throw new TypeError(
        `publish needs the option recovery of the server, with ${showValue(this.name)} among its groups`,
      )
    }
    return this.#publishing.publish(this.name, data, compress)
  }

  delete(): boolean {
    const isRemote = this.#remote !== null && this.#remote.groupSize(this.name) > 0
    this.#remote?.send({ kind: 'deleteGroup', group: this.name }, null)
    return this.#memberships.empty(this.name).length > 0 || isRemote
  }

  close(code?: number, reason?: string, surplus?: unknown): number {
    refuseSurplus(
      surplus,
      'close(code, reason)',
      'it waits for no connection; close each of members() to wait',
    )
    checkCloseArguments(code, reason)
    this.#remote?.send(
      {
        kind: 'closeGroup',
        group: this.name,
        code: isNoCode(code) ? null : code,
        reason: reason ?? '',
      },
      null,
    )
    const members = this.#memberships.empty(this.name)
    for (const member of members) void member.close(code, reason)
    return members.length
  }
}
showAs(HubGroup, 'Group', ({ name, size }) => ({ name, size }))
