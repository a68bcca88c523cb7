/** What goes into a WebSocket and comes out of it, as bytes; and where its opening is published. */
import { channel } from 'node:diagnostics_channel'
import { encodeClosePayload, isValidCloseCode } from '../../../src/frame/close-code.js'
import { MAX_CONTROL_PAYLOAD_BYTES } from '../../../src/frame/header.js'
import { isBlob, toPayload } from './payload.js'

const EMPTY = Buffer.alloc(0)
const MAX_REASON_BYTES = MAX_CONTROL_PAYLOAD_BYTES - 2

/** Gets `{ socket }` before each 'open': how a process sees that the drop-in carries its connections. */
export const OPENED = channel('hawser-ws:open')

export const BINARY_TYPES = ['nodebuffer', 'arraybuffer', 'fragments', 'blob'] as const
/** How bytes are given to listeners of 'message'. */
export type BinaryType = (typeof BINARY_TYPES)[number]

/** How many bytes a message has. */
export function lengthOf(data: unknown): number {
  if (data === undefined || data === null || data === '') return 0
  return isBlob(data) ? data.size : toPayload(data).byteLength
}

/** @throws TypeError for a code that must not be sent, RangeError for a reason of more than 123 bytes */
export function closePayload(code: unknown, reason: string | Buffer | undefined): Buffer {
  if (code === undefined) return EMPTY
  if (typeof code !== 'number' || !isValidCloseCode(code)) {
    throw new TypeError('First argument must be a valid error code number')
  }
  if (reason === undefined || reason.length === 0) return encodeClosePayload(code)
  const text = typeof reason === 'string' ? Buffer.from(reason) : reason
  if (text.length > MAX_REASON_BYTES) {
    throw new RangeError('The message must not be greater than 123 bytes')
  }
  return Buffer.concat([encodeClosePayload(code), text])
}

/** Bytes as `binaryType` says. */
export function asBinaryType(data: Buffer, type: BinaryType): unknown {
  if (type === 'nodebuffer') return data
  if (type === 'fragments') return [data]
  if (type === 'blob') return new Blob([data])
  const { buffer, byteOffset, byteLength } = data
  return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)
}
