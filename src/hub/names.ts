import { ReadyState } from '../connection/ready-state.js'
import { NameTakenError } from '../errors.js'
import { checkName, type HubLimits } from './hub-limits.js'
import type { Member } from './member.js'
import { outranks, type Claim, type Remote, type RemoteClaim } from './remote.js'

/** What happens when another connection has the name already. */
export type NameConflictPolicy = 'replace' | 'reject' | 'closePrevious'

const REPLACED_CODE = 1000
const REPLACED_REASON = 'replaced by another connection'

/** A name's connection, and its claim on the name. */
interface Entry<S> extends Claim {
  readonly socket: S
}

/** Which connection of this process has which name. A connection that has no name costs nothing. */
export class Names<S extends Member> {
  private readonly entries = new Map<string, Entry<S>>()
  /** The names of each connection that has any. */
  private readonly bySocket = new Map<S, string[]>()
  private readonly limits: HubLimits
  private readonly remote: Remote | null

  constructor(limits: HubLimits, remote: Remote | null) {
    this.limits = limits
    this.remote = remote
  }

  get size(): number {
    return this.entries.size
  }

  /** In the order in which they were set. */
  list(): string[] {
    return [...this.entries.keys()]
  }

  /** See {@link checkName}. */
  check(name: unknown): asserts name is string {
    checkName('name', name, this.limits.maxNameLength)
  }

  get(name: string): S | undefined {
    return this.entries.get(name)?.socket
  }

  /** Claims a name where all nodes see it. @returns false: the connection is no longer open, and nothing was changed */
  async claim(name: string, socket: S, onConflict: NameConflictPolicy): Promise<boolean> {
    if (this.remote === null) return this.set(name, socket, onConflict)
    if (socket.readyState !== ReadyState.OPEN) return false
    const { remote } = this
    const isClaimed = (): boolean => this.get(name) === socket && remote.hasClaim(name)
    if (isClaimed()) return true
    // A connection that was given the name without a claim is not in its own way.
    const time = this.nextTime(name, this.get(name) === socket ? 'replace' : onConflict)
    const claimed = await remote.claim(name, time, onConflict !== 'reject')
    if (claimed === undefined) return this.set(name, socket, onConflict)
    if (claimed === null) {
      // The claim that stands may be one that this connection made at the same time.
      if (isClaimed()) return true
      throw new NameTakenError(name)
    }
    let isSet = false
    try {
      // The store has decided: what was announced meanwhile does not.
      isSet = this.set(name, socket, onConflict === 'reject' ? 'replace' : onConflict, claimed)
    } finally {
      if (!isSet) remote.unclaim(name, claimed)
    }
    return isSet
  }

  /**
   * @param claimed the time of a claim that was made already
   * @returns false: the connection is no longer open, and nothing was changed
   */
  set(name: string, socket: S, onConflict: NameConflictPolicy, claimed?: number): boolean {
    if (socket.readyState !== ReadyState.OPEN) return false
    const previous = this.entries.get(name)
    const closesPrevious = onConflict === 'closePrevious'
    if (previous?.socket === socket) {
      if (claimed !== undefined) this.enter(name, { socket, time: claimed, closesPrevious }, true)
      return true
    }
    const time = claimed ?? this.nextTime(name, onConflict)
    const names = this.bySocket.get(socket)
    if (names !== undefined && names.length >= this.limits.maxNamesPerConnection) {
      throw new RangeError(
        `a connection must have at most ${String(this.limits.maxNamesPerConnection)} names, hubLimits.maxNamesPerConnection`,
      )
    }
    if (previous !== undefined) this.remove(name, previous)
    if (names === undefined) this.bySocket.set(socket, [name])
    else names.push(name)
    this.enter(name, { socket, time, closesPrevious }, claimed !== undefined)
    if (previous !== undefined && closesPrevious) void previous.socket.close(REPLACED_CODE, REPLACED_REASON)
    return true
  }

  /** Takes a name away from the connection that has it here. @returns that connection */
  free(name: string): S | undefined {
    const entry = this.entries.get(name)
    if (entry === undefined) return undefined
    this.remove(name, entry)
    this.remote?.announce({ kind: 'name', name, claim: null })
    return entry.socket
  }

  /** Takes all names of a connection away. */
  forget(socket: S): void {
    const names = this.bySocket.get(socket)
    if (names === undefined) return
    this.bySocket.delete(socket)
    for (const name of names) {
      this.entries.delete(name)
      this.remote?.announce({ kind: 'name', name, claim: null })
    }
  }

  /** Each name and the claim on it. */
  *claims(): Generator<[name: string, claim: Claim]> {
    for (const [name, { time, closesPrevious }] of this.entries) yield [name, { time, closesPrevious }]
  }

  /** See `handleClaim` of the interface `Local`. */
  handleClaim(name: string, claim: RemoteClaim, node: string): void {
    const entry = this.entries.get(name)
    if (entry === undefined || outranks({ time: entry.time, node }, claim)) return
    this.free(name)
    if (claim.closesPrevious) void entry.socket.close(REPLACED_CODE, REPLACED_REASON)
  }

  /** @returns the time of the next claim @throws NameTakenError if the name is taken and is not to be replaced */
  private nextTime(name: string, onConflict: NameConflictPolicy): number {
    const previous = this.entries.get(name)
    const remoteClaim = this.remote?.findClaim(name)
    if ((previous !== undefined || remoteClaim !== undefined) && onConflict === 'reject') {
      throw new NameTakenError(name)
    }
    return Math.max(Date.now(), (previous?.time ?? 0) + 1, (remoteClaim?.time ?? 0) + 1)
  }

  private enter(name: string, entry: Entry<S>, isClaimed: boolean): void {
    const { time, closesPrevious } = entry
    this.entries.set(name, entry)
    if (isClaimed) this.remote?.keepClaim(name, time)
    this.remote?.announce({ kind: 'name', name, claim: { time, closesPrevious } })
  }

  private remove(name: string, { socket }: Entry<S>): void {
    this.entries.delete(name)
    const names = this.bySocket.get(socket) as string[]
    if (names.length === 1) this.bySocket.delete(socket)
    else names.splice(names.indexOf(name), 1)
  }
}
