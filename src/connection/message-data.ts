import { MAX_CONTROL_PAYLOAD_BYTES } from '../frame/header.js'
import { showValue } from '../check.js'
import { HELD_PAYLOAD_BYTES } from './held-payload.js'

/** A message to send: text, or bytes in any of their JavaScript forms. */
export type MessageData = string | Uint8Array | ArrayBuffer | SharedArrayBuffer | ArrayBufferView

/**
 * Views the caller's data as bytes, without a copy. Numbers and arrays are refused: implementations that took a
 * number for a length sent uninitialised memory (CVE-2016-10518).
 * @throws TypeError with the argument's name and value
 */
export function viewBytes(name: string, data: Exclude<MessageData, string>): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data)
  throw new TypeError(
    `${name} must be a string, a Uint8Array, an ArrayBuffer or a view of one, not ${showValue(data)}${adviceFor(data)}`,
  )
}

const adviceFor = (data: unknown): string =>
  typeof data === 'object' && data !== null ? '; sendJson, or JSON.stringify, makes text of a value' : ''

/** Whether bytes are worth holding, and their memory stays as it is unless their owner changes it: neither shared nor resizable. */
export function canBeHeld(bytes: Uint8Array): boolean {
  if (bytes.length < HELD_PAYLOAD_BYTES) return false
  // Not before: to ask a view for it costs more than to send a short message.
  const { buffer } = bytes
  return buffer instanceof ArrayBuffer && (buffer as { resizable?: boolean }).resizable !== true
}

/**
 * Encodes the payload of a ping or a pong (RFC 6455 section 5.5).
 * @returns a copy of 0 to 125 bytes, which may be kept after the call
 * @throws TypeError if `data` is neither text nor bytes, RangeError if it has more than 125 bytes
 */
export function controlPayload(name: string, data: MessageData): Buffer {
  const payload = typeof data === 'string' ? Buffer.from(data) : Buffer.from(viewBytes(name, data))
  if (payload.length > MAX_CONTROL_PAYLOAD_BYTES) {
    throw new RangeError(`${name} must have 0 to 125 bytes (RFC 6455 5.5), not ${String(payload.length)}`)
  }
  return payload
}
