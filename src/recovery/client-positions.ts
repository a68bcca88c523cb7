import type { Position } from './history.js'
import {
  encodePosition,
  encodePositions,
  MAX_CONTROL_LENGTH,
  MAX_POSITIONS,
  POSITIONS_BYTES,
  type ServerControl,
} from './wire.js'

/** Where a client is in the history of a group: after this message. Plain data, for JSON. */
export interface GroupPosition extends Position {
  /** The name of the group. */
  readonly group: string
}

/** What a client is told of a group that it comes back to. */
export type RecoveryEvent =
  /** It gets, or got, all that it missed. */
  | {
      /** The name of the group. */
      readonly group: string
      /** All that was missed was received. */
      readonly recovered: true
      /** How many messages were missed, and received now. */
      readonly count: number
    }
  /** It does not get all of what it missed. */
  | {
      /** The name of the group. */
      readonly group: string
      /** Something is missing; what comes from now on is complete again. */
      readonly recovered: false
      /**
       * Why: `'epoch'`, the history began anew; `'trimmed'`, it is no longer kept; `'ahead'`, the history lost its newest messages;
       * `'unavailable'`, the history could not be read; `'unsupported'`, the server has no recovery; `'limit'`, the client had
       * too many groups to name; `'joined'`, the server took the client out of the group and into it again. A server may have others.
       */
      readonly reason: string
    }

/** A published message, as a client receives it. */
export interface PublishedMessage {
  /** The name of the group. */
  readonly group: string
  /** The position of the message. */
  readonly position: Position
  /** The message: text, or bytes that belong to the handler or reader of messages. */
  readonly data: string | Buffer
}

/** How much the positions of a client take by default, in bytes: those of some 10,000 groups. */
export const MAX_POSITIONS_BYTES = 4 * 1024 * 1024
/** What a position costs in memory beside its name and epoch, roughly, in bytes. */
const POSITION_BYTES = 256

/** What the position of a group costs in memory, roughly, in bytes. */
export const costOf = (group: string, epoch: string): number =>
  2 * (group.length + epoch.length) + POSITION_BYTES

/** What is around the entries of a message, and a comma for each of two, in UTF-16 units at most. */
const AROUND_LENGTH = encodePositions([], false).length + 2

/** The positions of one client, over all of its connections. */
export class ClientPositions {
  readonly maxBytes: number
  /** After the last message of each group that the application got. */
  private readonly delivered = new Map<string, Position>()
  private bytes = 0
  /** Where groups begin of which the application has not got anything, though it was received. */
  private readonly pending = new Map<string, Position>()
  private pendingBytes = 0

  constructor(positions: readonly GroupPosition[], maxBytes = MAX_POSITIONS_BYTES) {
    this.maxBytes = maxBytes
    for (const { group, epoch, offset } of positions) this.set(group, { epoch, offset })
  }

  /** How many groups have a position. */
  get size(): number {
    return this.delivered.size
  }

  get(group: string): Position | undefined {
    return this.delivered.get(group)
  }

  /** @returns false: there is no room for another group */
  set(group: string, position: Position): boolean {
    const known = this.delivered.get(group)
    if (known?.epoch !== position.epoch) {
      const bytes =
        this.bytes + costOf(group, position.epoch) - (known === undefined ? 0 : costOf(group, known.epoch))
      if (bytes > this.maxBytes) return false
      this.bytes = bytes
    }
    this.delivered.set(group, position)
    if (this.pending.size > 0) this.forgetPending(group)
    return true
  }

  delete(group: string): void {
    const known = this.delivered.get(group)
    if (known !== undefined) this.bytes -= costOf(group, known.epoch)
    this.delivered.delete(group)
    this.forgetPending(group)
  }

  /** A group begins: what follows may be lost with its connection before the application gets it. */
  note(group: string, position: Position): void {
    this.forgetPending(group)
    const bytes = this.pendingBytes + costOf(group, position.epoch)
    if (this.pending.size >= MAX_POSITIONS || bytes > this.maxBytes) return
    this.pendingBytes = bytes
    this.pending.set(group, position)
  }

  list(): GroupPosition[] {
    return [...this.delivered].map(([group, { epoch, offset }]) => ({ group, epoch, offset }))
  }

  /** The first messages of a connection, and the groups for which they have no room. */
  opening(): { readonly texts: readonly string[]; readonly left: readonly string[] } {
    const all = [...new Map([...this.pending, ...this.delivered])]
    this.clearPending()
    const messages: string[][] = [[]]
    const left: string[] = []
    let length = AROUND_LENGTH
    let bytes = AROUND_LENGTH
    // The newest groups are the likelier to be joined again.
    for (const [at, [group, position]] of all.reverse().entries()) {
      const entry = encodePosition(group, position)
      const entryBytes = Buffer.byteLength(entry) + 1
      const isFull = bytes > AROUND_LENGTH && bytes + entryBytes > POSITIONS_BYTES
      length += entry.length + 1 + (isFull ? AROUND_LENGTH : 0)
      if (at >= MAX_POSITIONS || length > MAX_CONTROL_LENGTH) {
        left.push(group)
        continue
      }
      if (isFull) {
        messages.push([])
        bytes = AROUND_LENGTH
      }
      bytes += entryBytes
      messages.at(-1)?.push(entry)
    }
    left.reverse()
    for (const group of left) this.delete(group)
    return { texts: messages.map((entries, i) => encodePositions(entries, i === messages.length - 1)), left }
  }

  /** All positions, which are worth nothing any more. */
  takeAll(): readonly string[] {
    const groups = [...this.delivered.keys()]
    this.delivered.clear()
    this.bytes = 0
    this.clearPending()
    return groups
  }

  private forgetPending(group: string): void {
    const known = this.pending.get(group)
    if (known === undefined) return
    this.pendingBytes -= costOf(group, known.epoch)
    this.pending.delete(group)
  }

  private clearPending(): void {
    this.pending.clear()
    this.pendingBytes = 0
  }
}

/** A control message that tells a group its position. */
export type BeginControl = Extract<ServerControl, { readonly group: string }>
