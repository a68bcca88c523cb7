import type { PreparedMessage } from '../connection/prepared-message.js'
import type { Position } from '../recovery/history.js'

/**
 * What the hub says to other nodes, and what it hears from them. A node is a process or a thread with a server that takes
 * part in a backplane; `remote` is what the other nodes have. This file is the border: the hub calls {@link Remote}, the
 * room `backplane` implements it, and calls {@link Local}.
 */

/** A claim on a name. Of two claims the one that {@link outranks} the other has the name. */
export interface Claim {
  /** Milliseconds since 1970, but always later than the claim that was known before. */
  readonly time: number
  /** Whether the connection that loses the name is closed. */
  readonly closesPrevious: boolean
}

/** A claim of another node. */
export interface RemoteClaim extends Claim {
  readonly node: string
}

/** A claim as it is compared. */
type Rank = Pick<RemoteClaim, 'time' | 'node'>

/** The later claim has the name; of two at the same time that of the greater node id. All nodes decide alike. */
export const outranks = (a: Rank, b: Rank): boolean =>
  a.time > b.time || (a.time === b.time && a.node > b.node)

/** What changed in this process. */
export type Change =
  /** A name was claimed by a connection here, or (null) belongs to none here any more. */
  | { readonly kind: 'name'; readonly name: string; readonly claim: Claim | null }
  /** A group had `before` members here, and has `after` members now. */
  | { readonly kind: 'group'; readonly group: string; readonly before: number; readonly after: number }

/** A Close frame, as it is asked for; code null: without one. */
interface CloseParameters {
  /** The code; null: no code. */
  readonly code: number | null
  /** The reason, or empty. */
  readonly reason: string
}

/** A message, as one node has another send it. */
interface Sending<Payload> {
  /** The message. */
  readonly payload: Payload
  /** Whether the message may be compressed. */
  readonly compress: boolean
}

/** What an action does is done to the members of a group. */
interface ToGroup {
  /** The name of the group. */
  readonly group: string
}

/** What an action does is done to the connection of a name. */
interface ToNamed {
  /** The name of the connection. */
  readonly name: string
}

/** What an action does is done to the connections of a route. */
interface ToRoute {
  /** The path of the route; null: the whole server. */
  readonly path: string | null
}

/** What one node has others do. */
export type Action<Payload> =
  /** Send to the members of a group; a message that was published has its position. */
  | ({
      readonly kind: 'group'
      /** The position in the history of the group; undefined: the message was sent, and is not kept. */
      readonly position?: Position | undefined
    } & ToGroup &
      Sending<Payload>)
  /** Send to the connections of a route, or of the whole server. */
  | ({ readonly kind: 'broadcast' } & ToRoute & Sending<Payload>)
  /** Send to a named connection. */
  | ({ readonly kind: 'named' } & ToNamed & Sending<Payload>)
  /** Take all members out of a group. */
  | ({ readonly kind: 'deleteGroup' } & ToGroup)
  /** The same, and close their connections. */
  | ({ readonly kind: 'closeGroup' } & ToGroup & CloseParameters)
  /** Take a name away. */
  | ({ readonly kind: 'deleteNamed' } & ToNamed)
  /** The same, and close its connection. */
  | ({ readonly kind: 'closeNamed' } & ToNamed & CloseParameters)

/** An action to be sent: its payload is the text that the caller gave, or the message in its encoded form. */
export type OutgoingAction = Action<string | PreparedMessage>

/** An action that was received: its payload is text, or bytes that are not changed any more. */
export type IncomingAction = Action<string | Uint8Array>

/** What became of a message to a name in one node. */
export type NamedOutcome =
  /** The connection took it. */
  | 'sent'
  /** The connection reads too slowly, and its slow-consumer policy dropped it. */
  | 'dropped'
  /** No open connection has the name. */
  | 'unknown'

/** What became of a message to a name in other nodes. */
export type RemoteOutcome =
  | NamedOutcome
  /** No answer came in time: the message was sent, or was not. */
  | 'unanswered'

/** A message to a name. */
export interface NamedMessage<Payload> extends ToNamed, Sending<Payload> {}

/** The other nodes, as the hub sees them. Nothing here throws, and nothing but `deliver` waits. */
export interface Remote {
  /** Tells the other nodes what changed here; changes of some milliseconds go together. */
  announce(change: Change): void
  /**
   * Has an action done by another node, at most once.
   * @param node its id; null: all other nodes
   */
  send(action: OutgoingAction, node: string | null): void
  /**
   * Sends a message to a name in other nodes, and waits for what became of it. Never rejects.
   * @param timeoutMs how long the answer is waited for
   */
  deliver(message: NamedMessage<string | PreparedMessage>, timeoutMs: number): Promise<RemoteOutcome>
  /**
   * Claims a name for this node where all nodes see it, before it is announced.
   * @returns the time of the claim; null: another claim stands; undefined: there is no such place
   * @throws rejects if it cannot be asked
   */
  claim(name: string, time: number, mayReplace: boolean): Promise<number | null | undefined>
  /** Whether a connection here has the name by such a claim, and not only by what is announced. */
  hasClaim(name: string): boolean
  /** The claim that {@link claim} made is now that of a connection here. */
  keepClaim(name: string, time: number): void
  /** The claim was made in vain: its connection is no longer open, or may have no further name. */
  unclaim(name: string, time: number): void
  /** The claim on a name by another node, as announced last. */
  findClaim(name: string): RemoteClaim | undefined
  /** How many members a group has in other nodes, as announced last. */
  groupSize(group: string): number
}

/** The hub of this process, as the other nodes see it. */
export interface Local {
  /** The longest name that is legal here, in UTF-16 units. */
  readonly maxNameLength: number
  /** Each name here, and the claim on it. */
  claims(): Iterable<readonly [name: string, claim: Claim]>
  /** Each group that has members here, and how many. */
  groupSizes(): Iterable<readonly [group: string, size: number]>
  /**
   * Another node claims a name: where its claim outranks the one here, the connection here loses the name.
   * @param node the id of this node
   */
  handleClaim(name: string, claim: RemoteClaim, node: string): void
  /** Sends a message of another node to the connection of a name here. */
  deliver(message: NamedMessage<string | Uint8Array>): NamedOutcome
  /** Does what another node asks for, in this process alone. */
  perform(action: IncomingAction): void
}
