import { viewBytes, type MessageData } from '../connection/message-data.js'
import { firstByteOf, payloadOf, PreparedMessage } from '../connection/prepared-message.js'

const OPCODE_BITS = 0x0f
const TEXT = 1

/**
 * What is kept of a message: text, or bytes that nobody changes any more.
 * @throws TypeError for anything that is neither text nor bytes
 */
export function publishedData(data: MessageData | PreparedMessage): string | Uint8Array {
  if (typeof data === 'string') return data
  if (!(data instanceof PreparedMessage)) return Buffer.from(viewBytes('data', data))
  const payload = payloadOf(data)
  return (firstByteOf(data) & OPCODE_BITS) === TEXT ? payload.toString() : payload
}
