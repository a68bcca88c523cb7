import { MAX_CONTROL_PAYLOAD_BYTES } from '../frame/header.js'
import { showValue } from '../limits.js'

/** What may be sent: text, or bytes in any of their JavaScript forms. */
export type MessageData = string | Uint8Array | ArrayBuffer | SharedArrayBuffer | ArrayBufferView

/**
 * The bytes of what a caller gave; no copy. A number or an array is refused: implementations that took them
 * for a length sent uninitialised memory (CVE-2016-10518).
 * @throws TypeError with the argument's name and what it was
 */
export function viewBytes(name: string, data: Exclude<MessageData, string>): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data)
  throw new TypeError(
    `${name} must be a string, a Uint8Array, an ArrayBuffer or a view of one, not ${showValue(data)}`,
  )
}

/**
 * The payload of a ping or a pong, from what a caller gave (RFC 6455 section 5.5).
 * @returns 0 to 125 bytes of our own: they may stay in memory after the call
 * @throws TypeError for what is neither text nor bytes, RangeError for more than 125 bytes
 */
export function controlPayload(name: string, data: MessageData): Buffer {
  const payload = typeof data === 'string' ? Buffer.from(data) : Buffer.from(viewBytes(name, data))
  if (payload.length > MAX_CONTROL_PAYLOAD_BYTES) {
    throw new RangeError(`${name} must have 0 to 125 bytes (RFC 6455 5.5), not ${String(payload.length)}`)
  }
  return payload
}
