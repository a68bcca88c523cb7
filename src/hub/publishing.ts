import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import type { Position } from '../recovery/history.js'

/** The groups whose messages are kept, as the hub sees them: the room `recovery` implements it. Nothing but `publish` throws. */
export interface Publishing<S> {
  /** A connection is a member of a group now, and the other nodes know. */
  joined(socket: S, group: string): void
  /**
   * A connection is not a member any more.
   * @param isLast whether the group has no members here
   * @param isOpen whether the connection stays open
   */
  left(socket: S, group: string, isLast: boolean, isOpen: boolean): void
  /** See `publish` of a group. */
  publish(group: string, data: MessageData | PreparedMessage, compress: boolean): Promise<Position>
  /** A message that another node published. */
  received(group: string, data: string | Uint8Array, compress: boolean, position: Position): void
}
