import { isUtf8 } from 'node:buffer'
import { ProtocolError } from '../errors.js'
import { checkNumber, showValue } from '../check.js'
import { MAX_CLOSE_REASON_BYTES } from './header.js'

/** Status codes of a Close frame (RFC 6455 section 7.4.1 and the IANA registry). */
export const CloseCode = {
  NORMAL_CLOSURE: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  /** Never on the wire: reported when the Close frame has no code. */
  NO_STATUS_RECEIVED: 1005,
  /** Never on the wire: reported when no Close frame was received. */
  ABNORMAL_CLOSURE: 1006,
  INVALID_FRAME_PAYLOAD_DATA: 1007,
  POLICY_VIOLATION: 1008,
  MESSAGE_TOO_BIG: 1009,
  MANDATORY_EXTENSION: 1010,
  INTERNAL_ERROR: 1011,
  SERVICE_RESTART: 1012,
  TRY_AGAIN_LATER: 1013,
  BAD_GATEWAY: 1014,
  /** Never on the wire: reported when the TLS handshake failed. */
  TLS_HANDSHAKE: 1015,
} as const

export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

/**
 * Whether a code may stand in a Close frame (RFC 6455 section 7.4): 1000 to 1003, 1007 to 1014, and 3000 to
 * 4999. 1004, 1005, 1006 and 1015 are reserved; all other codes are undefined.
 */
export function isValidCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)
}

/**
 * Cuts a reason to at most 123 bytes of UTF-8, at a code point boundary (RFC 6455 section 5.5.1). Lone
 * surrogates become U+FFFD.
 * @returns the bytes, owned by the caller
 */
export function encodeCloseReason(reason: string): Buffer {
  // 123 UTF-16 units take at least 123 bytes: anything after them never fits.
  const bytes = Buffer.from(reason.slice(0, MAX_CLOSE_REASON_BYTES + 1), 'utf8')
  if (bytes.length <= MAX_CLOSE_REASON_BYTES) return bytes
  let end = MAX_CLOSE_REASON_BYTES
  while (((bytes[end] as number) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

/**
 * Checks the arguments of `close`. `onClose` reports 1005 for a Close frame without a code, and here too 1005 means
 * "no code": a proxy can pass on the code that it received.
 * @throws TypeError or RangeError with the value and the range
 */
export function checkCloseArguments(code: number | undefined, reason: string | undefined): void {
  if (code !== undefined) {
    checkNumber('close code', code, { min: 0, max: 65_535, integer: true })
    if (code === CloseCode.ABNORMAL_CLOSURE) {
      throw new RangeError(
        'close code must not be 1006, which means that there was no Close frame (RFC 6455 7.4.1): ' +
          'use terminate(), or another code',
      )
    }
    if (!isValidCloseCode(code) && !isNoCode(code)) {
      throw new RangeError(
        `close code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455 7.4), or 1005 for none, not ${String(code)}`,
      )
    }
  }
  if (reason === undefined) return
  if (typeof reason !== 'string') {
    throw new TypeError(`close reason must be a string, not ${showValue(reason)}`)
  }
  if (reason !== '' && isNoCode(code)) {
    throw new TypeError('close reason must come with a close code (RFC 6455 5.5.1)')
  }
}

/**
 * Checks the arguments of `fail`. A failure has a reason, so 1005 ("no code") is refused.
 * @throws TypeError or RangeError with the value and the range
 */
export function checkFailArguments(code: number, reason: string): void {
  checkNumber('close code', code, { min: 0, max: 65_535, integer: true })
  if (code === CloseCode.NO_STATUS_RECEIVED) {
    throw new RangeError(
      'close code must not be 1005, which means that there is no code: a failure needs one',
    )
  }
  checkCloseArguments(code, reason)
}

/** Whether the Close frame gets no code: the code is undefined or 1005. */
export const isNoCode = (code: number | undefined): code is undefined | 1005 =>
  code === undefined || code === CloseCode.NO_STATUS_RECEIVED

/**
 * Encodes the body of a Close frame: two octets of code, then the reason (RFC 6455 section 5.5.1).
 * @param code a valid code, or undefined or 1005 for an empty body
 * @param reason at most 123 bytes of UTF-8; a longer reason is cut at a code point boundary
 * @returns 0 or 2 to 125 bytes, owned by the caller
 * @throws TypeError or RangeError with the value and the range
 */
export function encodeClosePayload(code?: number, reason = ''): Buffer {
  checkCloseArguments(code, reason)
  if (isNoCode(code)) return Buffer.alloc(0)
  const text = encodeCloseReason(reason)
  const payload = Buffer.allocUnsafe(2 + text.length)
  payload.writeUInt16BE(code, 0)
  payload.set(text, 2)
  return payload
}

/** The body of a Close frame. `code` is 1005 if the body is empty. */
export interface ClosePayload {
  /** The code; 1005 for an empty payload. */
  readonly code: number
  /** The reason, or empty. */
  readonly reason: string
}

/**
 * Reads the body of a Close frame (RFC 6455 section 5.5.1).
 * @param payload unmasked; read during the call only
 * @returns code and reason, or the violation: 1002 for a body of one byte or a code that must not be sent, 1007
 *   for a reason that is not UTF-8
 */
export function decodeClosePayload(payload: Uint8Array): ClosePayload | ProtocolError {
  if (payload.length === 0) return { code: CloseCode.NO_STATUS_RECEIVED, reason: '' }
  if (payload.length === 1) return new ProtocolError('HAWSER_INVALID_CLOSE_PAYLOAD')
  const code = ((payload[0] as number) << 8) | (payload[1] as number)
  if (!isValidCloseCode(code)) return new ProtocolError('HAWSER_INVALID_CLOSE_CODE', String(code))
  const text = payload.subarray(2)
  if (!isUtf8(text)) return new ProtocolError('HAWSER_INVALID_UTF8', 'in the reason of a Close frame')
  return { code, reason: Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8') }
}
