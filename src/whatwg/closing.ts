import { toDictionary, toEnforcedUnsignedShort, toUSVString } from './web-idl.js'

/** The bytes of UTF-8 that a reason may have: a Close frame holds 125, and the code takes two. */
const MAX_REASON_BYTES = 123

/** How a connection is closed, or was: of a WebSocketStream. */
export interface WebSocketCloseInfo {
  /** 1000, or 3000 to 4999. Default: none, or 1000 where there is a reason. */
  readonly closeCode?: number
  /** At most 123 bytes of UTF-8. Default: empty. */
  readonly reason?: string
}

/** Code and reason of a Close frame that is to be sent. */
export interface CloseArguments {
  readonly code: number | undefined
  readonly reason: string
}

/**
 * Validates close code and reason; a reason without a code gets 1000.
 * @throws DOMException InvalidAccessError for another code than 1000 and 3000 to 4999, SyntaxError for a longer reason
 */
export function checkClose(code: number | undefined, reason: string): CloseArguments {
  if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
    throw new DOMException(
      `close code must be 1000, or 3000 to 4999, not ${String(code)}`,
      'InvalidAccessError',
    )
  }
  if (Buffer.byteLength(reason) > MAX_REASON_BYTES) {
    throw new DOMException(
      `close reason must have at most ${String(MAX_REASON_BYTES)} bytes of UTF-8`,
      'SyntaxError',
    )
  }
  return { code: code ?? (reason === '' ? undefined : 1000), reason }
}

/**
 * Reads and validates a {@link WebSocketCloseInfo}.
 * @throws TypeError for what is none, and as {@link checkClose} does
 */
export function readCloseInfo(name: string, given: unknown): CloseArguments {
  const { closeCode, reason } = toDictionary(name, given)
  return checkClose(
    closeCode === undefined ? undefined : toEnforcedUnsignedShort('closeCode', closeCode),
    reason === undefined ? '' : toUSVString(reason),
  )
}
