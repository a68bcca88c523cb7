import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { UnknownConnectionError } from '../errors.js'
import { checkCloseArguments, isNoCode } from '../frame/close-code.js'
import { number, oneOf, readOptions, refuseSurplus, type Checks } from '../check.js'
import { showAs } from '../inspect.js'
import { DELIVER, prepare } from '../socket/fan-out.js'
import type { Member } from './member.js'
import type { NameConflictPolicy, Names } from './names.js'
import { outcomeOf, outgoingPayload } from './outgoing.js'
import type { Remote, RemoteOutcome } from './remote.js'

/** The options of `set`. */
export interface SetOptions {
  /**
   * What happens when another connection has the name: `'replace'` (default) takes it and leaves that connection open,
   * `'closePrevious'` closes it with 1000, `'reject'` throws.
   */
  readonly onConflict?: NameConflictPolicy | undefined
}

const CHECKS = {
  onConflict: oneOf<NameConflictPolicy>(['replace', 'reject', 'closePrevious'], 'replace'),
} satisfies Checks<SetOptions>

/** The options of `deliver`. */
export interface DeliverOptions {
  /** How long the answer of another process is waited for, in milliseconds. Default 5 s. */
  readonly timeoutMs?: number | undefined
}

const DELIVER_CHECKS = {
  timeoutMs: number({ min: 0, max: 0x7fff_ffff, integer: false }, 5000),
} satisfies Checks<DeliverOptions>

/** What became of a message to a name. */
export type NameDelivery = RemoteOutcome

/**
 * Connections by name. A name has one connection. A connection may have several names, and loses them when its end begins,
 * from either side: a connection that is closing has no name.
 */
export interface ConnectionRegistry<S> {
  /** The number of names in this process. */
  readonly size: number

  /** The names in this process, in the order in which they were set. */
  names(): string[]

  /**
   * Gives a connection a name. Giving the same name to the same connection again changes nothing.
   * @param name 1 to `hubLimits.maxNameLength` UTF-16 units
   * @returns false: the connection is no longer open, and nothing was changed
   * @throws NameTakenError (HAWSER_NAME_TAKEN) with `onConflict: 'reject'`, if an open connection has the name, in
   *   another process as announced last; RangeError above `maxNamesPerConnection`; TypeError or RangeError for a wrong
   *   name, socket or option
   */
  set(name: string, socket: S, options?: SetOptions): boolean

  /**
   * The same as `set`, decided in one place for all processes, where the backplane has one, as `hawser/redis` does, and
   * `hawser/nats` with `names`: of two claims with `'reject'` at once, one gets the name. A backplane without such a place, and a
   * server without a backplane, decide as `set` does.
   * @returns a promise: false if the connection is no longer open. Rejects with a NameTakenError (HAWSER_NAME_TAKEN), with a
   *   RangeError above `maxNamesPerConnection`, and with an error if the place cannot be reached; nothing was changed then
   * @throws TypeError or RangeError for a wrong name, socket or option
   */
  claim(name: string, socket: S, options?: SetOptions): Promise<boolean>

  /** The open connection of a name in this process; undefined if there is none. */
  get(name: string): S | undefined

  /** Whether a connection has this name: in another process as announced last. */
  has(name: string): boolean

  /**
   * Sends a message to the connection of a name, in this process or another.
   * @returns true: the connection took the message, or it was sent on to another process, at most once. False: the
   *   connection reads too slowly, by its slow-consumer policy
   * @throws UnknownConnectionError (HAWSER_UNKNOWN_CONNECTION) if no connection has the name; TypeError for anything
   *   that is neither text nor bytes
   */
  send(name: string, data: MessageData | PreparedMessage): boolean

  /**
   * Sends a message to the connection of a name, in this process or another, and reports what became of it. A name that
   * another process has just set is found too: all are asked.
   * @returns `'sent'`: the connection took the message. `'dropped'`: it reads too slowly, by its slow-consumer policy.
   *   `'unknown'`: no connection has the name. `'unanswered'`: another process did not answer in time, or there is no
   *   connection to the others; the message was sent, or was not. Never rejects
   * @throws TypeError for anything that is neither text nor bytes; TypeError or RangeError for a wrong name or option
   */
  deliver(name: string, data: MessageData | PreparedMessage, options?: DeliverOptions): Promise<NameDelivery>

  /**
   * Takes a name away; its connection stays open.
   * @returns whether a connection had it
   */
  delete(name: string): boolean

  /**
   * Closes the connection of a name, and takes the name away at once.
   * @param code and `reason` as for the `close` of a socket
   * @returns whether a connection had it
   * @throws TypeError or RangeError for a code that must not be sent
   */
  close(name: string, code?: number, reason?: string): boolean
}

/** The names of one hub. */
export class HubRegistry<S extends Member> implements ConnectionRegistry<S> {
  readonly #names: Names<S>
  readonly #remote: Remote | null
  readonly #owns: (socket: unknown) => boolean

  constructor(names: Names<S>, remote: Remote | null, owns: (socket: unknown) => boolean) {
    this.#names = names
    this.#remote = remote
    this.#owns = owns
  }

  get size(): number {
    return this.#names.size
  }

  names(): string[] {
    return this.#names.list()
  }

  set(name: string, socket: S, options: SetOptions = {}): boolean {
    const onConflict = this.#checkSet(name, socket, options)
    return this.#names.set(name, socket, onConflict)
  }

  claim(name: string, socket: S, options: SetOptions = {}): Promise<boolean> {
    const onConflict = this.#checkSet(name, socket, options)
    return this.#names.claim(name, socket, onConflict)
  }

  get(name: string): S | undefined {
    this.#names.check(name)
    return this.#names.get(name)
  }

  has(name: string): boolean {
    return this.get(name) !== undefined || this.#remote?.findClaim(name) !== undefined
  }

  send(name: string, data: MessageData | PreparedMessage, surplus?: unknown): boolean {
    refuseSurplus(surplus, 'send(name, data)', 'options of a message belong to a PreparedMessage')
    this.#names.check(name)
    const message = prepare(data)
    const socket = this.#names.get(name)
    if (socket !== undefined) return socket[DELIVER](message) === 'sent'
    const claim = this.#remote?.findClaim(name)
    if (claim === undefined) throw new UnknownConnectionError(name)
    this.#remote?.send(
      { kind: 'named', name, payload: outgoingPayload(data, message), compress: message.compress },
      claim.node,
    )
    return true
  }

  deliver(
    name: string,
    data: MessageData | PreparedMessage,
    options: DeliverOptions = {},
  ): Promise<NameDelivery> {
    this.#names.check(name)
    const { timeoutMs } = readOptions('options', options, DELIVER_CHECKS)
    const message = prepare(data)
    const socket = this.#names.get(name)
    if (socket !== undefined) return Promise.resolve(outcomeOf(socket, message))
    if (this.#remote === null) return Promise.resolve('unknown')
    const payload = outgoingPayload(data, message)
    return this.#remote.deliver({ name, payload, compress: message.compress }, timeoutMs)
  }

  delete(name: string): boolean {
    this.#names.check(name)
    if (this.#names.free(name) !== undefined) return true
    const claim = this.#remote?.findClaim(name)
    if (claim === undefined) return false
    this.#remote?.send({ kind: 'deleteNamed', name }, claim.node)
    return true
  }

  close(name: string, code?: number, reason?: string, surplus?: unknown): boolean {
    refuseSurplus(
      surplus,
      'close(name, code, reason)',
      'it does not wait; close the socket of get(name) to wait',
    )
    this.#names.check(name)
    checkCloseArguments(code, reason)
    const socket = this.#names.free(name)
    if (socket !== undefined) {
      void socket.close(code, reason)
      return true
    }
    const claim = this.#remote?.findClaim(name)
    if (claim === undefined) return false
    this.#remote?.send(
      { kind: 'closeNamed', name, code: isNoCode(code) ? null : code, reason: reason ?? '' },
      claim.node,
    )
    return true
  }

  #checkSet(name: string, socket: S, options: SetOptions): NameConflictPolicy {
    this.#names.check(name)
    const { onConflict } = readOptions('options', options, CHECKS)
    if (typeof socket !== 'object' || (socket as unknown) === null || !this.#owns(socket)) {
      throw new TypeError('socket must be a connection of this server')
    }
    return onConflict
  }
}
showAs(HubRegistry, 'ConnectionRegistry', ({ size }) => ({ size }))
