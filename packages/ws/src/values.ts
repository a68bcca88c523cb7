/** What goes into a WebSocket and comes out of it, as bytes; and where its opening is published. */
import { channel } from 'node:diagnostics_channel'
import { types } from 'node:util'
import { encodeClosePayload, isValidCloseCode } from '../../../src/frame/close-code.js'
import { MAX_CONTROL_PAYLOAD_BYTES } from '../../../src/frame/header.js'
import { isBlob, toPayload } from './payload.js'

export const EMPTY = Buffer.alloc(0)

/** The extensions of a connection that has none. */
export const NO_EXTENSIONS: Readonly<Record<string, never>> = Object.freeze({})
const MAX_REASON_BYTES = MAX_CONTROL_PAYLOAD_BYTES - 2

/** The states of a connection, by the names and numbers of the standard. */
export const READY_STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const
const STATE_NAMES = Object.keys(READY_STATES)

/** The error of what is sent in another state than OPEN. */
export const notOpen = (state: number): Error =>
  new Error(`WebSocket is not open: readyState ${String(state)} (${STATE_NAMES[state] ?? ''})`)

/** Gets `{ socket }` before each 'open': how a process sees that the drop-in carries its connections. */
export const OPENED = channel('hawser-ws:open')

export const BINARY_TYPES = ['nodebuffer', 'arraybuffer', 'fragments', 'blob'] as const
/** How bytes are given to listeners of 'message'. */
export type BinaryType = (typeof BINARY_TYPES)[number]

/** How many bytes a message has; 0 for all that is falsy, which `ws` sends as an empty message. */
export function lengthOf(data: unknown): number {
  if (!data) return 0
  return isBlob(data) ? data.size : toPayload(data).byteLength
}

/** @throws TypeError for a code or a reason that must not be sent, RangeError for a reason of more than 123 bytes */
export function closePayload(code: unknown, reason: unknown): Buffer {
  if (code === undefined) return EMPTY
  if (typeof code !== 'number' || !isValidCloseCode(code)) {
    throw new TypeError('First argument must be a valid error code number')
  }
  // As `ws`: what has no length is no reason.
  if (reason === undefined || !(reason as Uint8Array).length) return encodeClosePayload(code)
  if (Buffer.byteLength(reason as Uint8Array) > MAX_REASON_BYTES) {
    throw new RangeError('The message must not be greater than 123 bytes')
  }
  if (typeof reason !== 'string' && !types.isUint8Array(reason)) {
    throw new TypeError('Second argument must be a string or a Uint8Array')
  }
  const text = typeof reason === 'string' ? Buffer.from(reason) : reason
  return Buffer.concat([encodeClosePayload(code), text])
}

/** Bytes as `binaryType` says. */
export function asBinaryType(data: Buffer, type: BinaryType): unknown {
  if (type === 'nodebuffer') return data
  if (type === 'fragments') return data.length === 0 ? [] : [data]
  if (type === 'blob') return new Blob([data])
  const { buffer, byteOffset, byteLength } = data
  return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)
}
