import { ReadyState } from '../connection/ready-state.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { NameTakenError, UnknownConnectionError } from '../errors.js'
import { checkCloseArguments, isNoCode } from '../frame/close-code.js'
import { showValue } from '../limits.js'
import { prepare } from '../socket/fan-out.js'
import type { Claim, Elsewhere, RemoteClaim } from './elsewhere.js'
import { checkName, type HubLimits, type Member } from './member.js'

/** What becomes of the connection that has a name already. */
export type NameConflictPolicy = 'replace' | 'reject' | 'closePrevious'

export interface SetOptions {
  /**
   * What to do where another connection has the name: `'replace'` (default) takes it and leaves that connection open,
   * `'closePrevious'` closes it with 1000, `'reject'` throws.
   */
  readonly onConflict?: NameConflictPolicy | undefined
}

const POLICIES: readonly unknown[] = ['replace', 'reject', 'closePrevious'] satisfies NameConflictPolicy[]

const REPLACED_CODE = 1000
const REPLACED_REASON = 'replaced by another connection'

interface Entry<S> extends Claim {
  readonly socket: S
}

/**
 * Connections by name. A name has one connection. A connection may have several names, and loses them at the moment when
 * its end begins, by either side: who is closing has no name.
 */
export class ConnectionRegistry<S extends Member> {
  private readonly entries = new Map<string, Entry<S>>()
  /** The names of each connection that has any. */
  private readonly namesBySocket = new Map<S, string[]>()
  private readonly limits: HubLimits
  private readonly elsewhere: Elsewhere | null
  private readonly owns: (socket: unknown) => boolean

  /** @internal Made by the hub. */
  constructor(limits: HubLimits, elsewhere: Elsewhere | null, owns: (socket: unknown) => boolean) {
    this.limits = limits
    this.elsewhere = elsewhere
    this.owns = owns
  }

  /** How many names there are in this process. */
  get size(): number {
    return this.entries.size
  }

  /** The names in this process, in the order in which they were set. */
  names(): string[] {
    return [...this.entries.keys()]
  }

  /**
   * Gives a connection a name. Again the same name to the same connection changes nothing.
   * @returns false: the connection is no longer open, and nothing was changed
   * @throws NameTakenError (HAWSER_NAME_TAKEN) with `onConflict: 'reject'`, where an open connection has the name, in
   *   another process by what was announced last; RangeError above `maxNamesPerConnection`; TypeError or RangeError for a
   *   wrong name, socket or option
   */
  set(name: string, socket: S, options: SetOptions = {}): boolean {
    this.check(name)
    const onConflict = checkSetOptions(options)
    if (typeof socket !== 'object' || (socket as unknown) === null || !this.owns(socket)) {
      throw new TypeError('socket must be a connection of this server')
    }
    if (socket.readyState !== ReadyState.OPEN) return false
    const previous = this.entries.get(name)
    if (previous?.socket === socket) return true
    const remote = this.elsewhere?.find(name)
    if ((previous !== undefined || remote !== undefined) && onConflict === 'reject')
      throw new NameTakenError(name)
    const names = this.namesBySocket.get(socket)
    if (names !== undefined && names.length >= this.limits.maxNamesPerConnection) {
      throw new RangeError(
        `a connection must have at most ${String(this.limits.maxNamesPerConnection)} names, hubLimits.maxNamesPerConnection`,
      )
    }
    const closesPrevious = onConflict === 'closePrevious'
    const time = Math.max(Date.now(), (previous?.time ?? 0) + 1, (remote?.time ?? 0) + 1)
    if (previous !== undefined) this.remove(name, previous)
    this.entries.set(name, { socket, time, closesPrevious })
    if (names === undefined) this.namesBySocket.set(socket, [name])
    else names.push(name)
    this.elsewhere?.nameChanged(name, { time, closesPrevious })
    if (previous !== undefined && closesPrevious) void previous.socket.close(REPLACED_CODE, REPLACED_REASON)
    return true
  }

  /** The connection of a name, in this process; undefined where there is none that is open. */
  get(name: string): S | undefined {
    this.check(name)
    return this.entries.get(name)?.socket
  }

  /** Whether there is a connection of this name: in another process by what was announced last. */
  has(name: string): boolean {
    this.check(name)
    return this.entries.has(name) || this.elsewhere?.find(name) !== undefined
  }

  /**
   * Sends a message to the connection of a name, wherever it is.
   * @returns false: not taken, since the connection is too slow by its slow-consumer policy. True: taken, or
   *   sent on to another process, at most once
   * @throws UnknownConnectionError (HAWSER_UNKNOWN_CONNECTION) where no connection has the name; TypeError for anything
   *   that is neither text nor bytes
   */
  send(name: string, data: MessageData | PreparedMessage): boolean {
    this.check(name)
    const message = prepare(data)
    const entry = this.entries.get(name)
    if (entry !== undefined) return entry.socket.deliver(message) === 'sent'
    const remote = this.elsewhere?.find(name)
    if (remote === undefined) throw new UnknownConnectionError(name)
    this.elsewhere?.publish({ kind: 'named', to: remote.node, name }, data, message)
    return true
  }

  /**
   * Takes a name away; its connection stays.
   * @returns whether there was one
   */
  delete(name: string): boolean {
    this.check(name)
    if (this.free(name) !== undefined) return true
    const remote = this.elsewhere?.find(name)
    if (remote === undefined) return false
    this.elsewhere?.order({ kind: 'deleteNamed', to: remote.node, name })
    return true
  }

  /**
   * Closes the connection of a name, and takes the name away at once.
   * @param code and `reason` as for the `close` of a socket
   * @returns whether there was one
   * @throws TypeError or RangeError for a code that must not be sent
   */
  close(name: string, code?: number, reason?: string): boolean {
    this.check(name)
    checkCloseArguments(code, reason)
    const socket = this.free(name)
    if (socket !== undefined) {
      void socket.close(code, reason)
      return true
    }
    const remote = this.elsewhere?.find(name)
    if (remote === undefined) return false
    this.elsewhere?.order({
      kind: 'closeNamed',
      to: remote.node,
      name,
      code: isNoCode(code) ? null : code,
      reason: reason ?? '',
    })
    return true
  }

  /** @internal Takes a name away from the connection that has it in this process. @returns that connection */
  free(name: string): S | undefined {
    const entry = this.entries.get(name)
    if (entry === undefined) return undefined
    this.remove(name, entry)
    this.elsewhere?.nameChanged(name, null)
    return entry.socket
  }

  /** @internal Takes away all names of a connection, where it has any. */
  forget(socket: S): void {
    const names = this.namesBySocket.get(socket)
    if (names === undefined) return
    this.namesBySocket.delete(socket)
    for (const name of names) {
      this.entries.delete(name)
      this.elsewhere?.nameChanged(name, null)
    }
  }

  /** @internal Each name and the claim on it. */
  *claims(): Generator<[name: string, claim: Claim]> {
    for (const [name, { time, closesPrevious }] of this.entries) yield [name, { time, closesPrevious }]
  }

  /** @internal Another node claims a name: whoever claimed it later has it. */
  handleClaim(name: string, claim: RemoteClaim, self: string): void {
    const entry = this.entries.get(name)
    if (entry === undefined) return
    if (entry.time > claim.time || (entry.time === claim.time && self > claim.node)) return
    this.remove(name, entry)
    this.elsewhere?.nameChanged(name, null)
    if (claim.closesPrevious) void entry.socket.close(REPLACED_CODE, REPLACED_REASON)
  }

  private check(name: unknown): asserts name is string {
    checkName('name', name, this.limits.maxNameLength)
  }

  private remove(name: string, { socket }: Entry<S>): void {
    this.entries.delete(name)
    const names = this.namesBySocket.get(socket) as string[]
    if (names.length === 1) this.namesBySocket.delete(socket)
    else names.splice(names.indexOf(name), 1)
  }
}

/** @throws TypeError with the option's name and value */
function checkSetOptions(options: SetOptions): NameConflictPolicy {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw new TypeError(`options must be an object with onConflict, not ${showValue(options)}`)
  }
  for (const name in options) {
    if (name !== 'onConflict') throw new TypeError(`options has no ${showValue(name)}; there is onConflict`)
  }
  const { onConflict = 'replace' } = options
  if (!POLICIES.includes(onConflict)) {
    throw new TypeError(
      `onConflict must be 'replace', 'reject' or 'closePrevious', not ${showValue(onConflict)}`,
    )
  }
  return onConflict
}
