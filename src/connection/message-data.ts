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
