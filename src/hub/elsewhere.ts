import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'

/** Who took a name, and how: the later one wins, and of two at once the one with the greater node id. */
export interface Claim {
  /** When: in milliseconds since 1970, but always later than the claim that was known before. */
  readonly time: number
  /** Whether the connection that loses the name is closed. */
  readonly closesPrevious: boolean
}

/** A claim, and the node that made it. */
export interface RemoteClaim extends Claim {
  readonly node: string
}

/** What is told to other nodes: fire and forget. */
export type Notice =
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'broadcast'; readonly path: string | null }
  | { readonly kind: 'named'; readonly to: string; readonly name: string }

/** The same for what carries no message. */
export type Order =
  | { readonly kind: 'deleteGroup'; readonly group: string }
  | {
      readonly kind: 'closeGroup'
      readonly group: string
      readonly code: number | null
      readonly reason: string
    }
  | { readonly kind: 'deleteNamed'; readonly to: string; readonly name: string }
  | {
      readonly kind: 'closeNamed'
      readonly to: string
      readonly name: string
      readonly code: number | null
      readonly reason: string
    }

/** The other processes, as groups and names see them; null where there is no backplane. */
export interface Elsewhere {
  /** A group has members here now, and before it had none. */
  groupAppeared(group: string): void
  groupVanished(group: string): void
  /** So many members of a group are here now. */
  groupChanged(group: string, size: number): void
  /** A name belongs to a connection here now, or to none. */
  nameChanged(name: string, claim: Claim | null): void
  /** Sends a message on; `message` holds its bytes, `data` is what the caller gave. */
  publish(notice: Notice, data: MessageData | PreparedMessage, message: PreparedMessage): void
  order(order: Order): void
  /** Who has a name elsewhere, by what was announced last. */
  find(name: string): RemoteClaim | undefined
  /** How many members a group has elsewhere, by what was announced last. */
  groupSize(group: string): number
}
