import { viewBytes, type MessageData } from '../connection/message-data.js'
import { firstByteOf, payloadOf, PreparedMessage } from '../connection/prepared-message.js'

/** Strings of Node 20, of which the types of ES2023 know less. */
type WellFormed = string & { toWellFormed(): string }

const OPCODE_BITS = 0x0f
const TEXT = 1

/**
 * What is kept of a message: text, or bytes that nobody changes any more. Lone surrogates become U+FFFD here, as they do on every wire, so
 * that what comes live and what comes from the history are the same.
 * @throws TypeError for anything that is neither text nor bytes
 */
export function publishedData(data: MessageData | PreparedMessage): string | Uint8Array {
  if (typeof data === 'string') return (data as WellFormed).toWellFormed()
  if (!(data instanceof PreparedMessage)) return Buffer.from(viewBytes('data', data))
  const payload = payloadOf(data)
  return (firstByteOf(data) & OPCODE_BITS) === TEXT ? payload.toString() : payload
}
