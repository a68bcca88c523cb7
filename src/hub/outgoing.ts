/** A message that is sent in this process and to other nodes: encoded once, for both. */
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { DELIVER, fanOut, type Delivery, type FanOutOptions } from '../socket/fan-out.js'
import type { Member } from './member.js'
import type { NamedOutcome } from './remote.js'

/** What other nodes get of a message: the text as the caller gave it, else the message in its encoded form. */
export const outgoingPayload = (
  data: MessageData | PreparedMessage,
  message: PreparedMessage,
): string | PreparedMessage => (typeof data === 'string' ? data : message)

/** Sends a message that was prepared with the option `compress`, which `fanOut` takes only where it prepares itself. */
export function fanOutPrepared<S extends Member>(
  members: Iterable<S>,
  message: PreparedMessage,
  options: FanOutOptions<S> | undefined,
): Delivery {
  const rest = options?.compress === undefined ? options : { ...options, compress: undefined }
  return fanOut(members, message, rest)
}

/** Sends to the connection of a name. A connection that ends meanwhile has the name no more. */
export function outcomeOf(member: Member, message: PreparedMessage): NamedOutcome {
  const outcome = member[DELIVER](message)
  return outcome === 'failed' ? 'unknown' : outcome
}
