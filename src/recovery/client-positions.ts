import type { Position } from './history.js'
import { encodePositions, MAX_CONTROL_LENGTH, MAX_POSITIONS, type ServerControl } from './wire.js'

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

/** The positions of one client, over all of its connections. */
export class ClientPositions {
  /** After the last message of each group that the application got. */
  private readonly delivered = new Map<string, Position>()
  /** Where groups begin of which the application has not got anything, though it was received. */
  private readonly pending = new Map<string, Position>()

  constructor(positions: readonly GroupPosition[]) {
    for (const { group, epoch, offset } of positions) this.delivered.set(group, { epoch, offset })
  }

  get(group: string): Position | undefined {
    return this.delivered.get(group)
  }

  set(group: string, position: Position): void {
    this.delivered.set(group, position)
    this.pending.delete(group)
  }

  delete(group: string): void {
    this.delivered.delete(group)
    this.pending.delete(group)
  }

  /** A group begins: what follows may be lost with its connection before the application gets it. */
  note(group: string, position: Position): void {
    if (this.pending.size < MAX_POSITIONS) this.pending.set(group, position)
  }

  list(): GroupPosition[] {
    return [...this.delivered].map(([group, { epoch, offset }]) => ({ group, epoch, offset }))
  }

  /** The first message of a connection, and the groups for which it has no room. */
  opening(): { readonly text: string; readonly left: readonly string[] } {
    const all = [...new Map([...this.pending, ...this.delivered])]
    this.pending.clear()
    // The newest groups are the likelier to be joined again.
    let first = Math.max(0, all.length - MAX_POSITIONS)
    let text = encodePositions(all.slice(first))
    while (text.length > MAX_CONTROL_LENGTH) {
      first += Math.ceil((all.length - first) / 8)
      text = encodePositions(all.slice(first))
    }
    const left = all.slice(0, first).map(([group]) => group)
    for (const group of left) this.delivered.delete(group)
    return { text, left }
  }

  /** All positions, which are worth nothing any more. */
  takeAll(): readonly string[] {
    const groups = [...this.delivered.keys()]
    this.delivered.clear()
    this.pending.clear()
    return groups
  }
}

/** A control message that tells a group its position. */
export type BeginControl = Extract<ServerControl, { readonly group: string }>
