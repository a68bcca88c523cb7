/**
 * The headers that a caller adds to a head. No name and no value can end a line, and no header of the handshake can
 * appear twice. No error shows a value: it may be a password, a token or a cookie. Nor does one show what stands in the place
 * of a name and is not a name.
 */

import { showFlaw, showKind, showValue } from '../check.js'
import { isFieldValue, isFieldValueCode, isToken, isTokenCode } from './tokens.js'

/** Headers as names and values: an array of pairs, a `Map`, a `Headers`, or the `entries()` of HeaderFields. */
export type HeaderPairs = Iterable<readonly [name: string, value: string]>

/**
 * Names that the handshake writes itself, or that would announce a body. Names that start with `Sec-WebSocket-` are
 * reserved too.
 */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  'connection',
  'upgrade',
  'content-length',
  'transfer-encoding',
])

/**
 * Checks a value for a header (RFC 9110 section 5.5).
 * @returns the value
 * @throws TypeError with the name if the value is not a string, or holds a control character (such as CR or LF)
 *   or a character beyond latin1
 */
export function checkFieldValue(name: string, value: unknown): string {
  if (typeof value === 'string' && isFieldValue(value)) return value
  throw new TypeError(
    `the value of the header ${showValue(name)} must be latin1 without control characters, not ${showFlaw(value, isFieldValueCode)}`,
  )
}

/**
 * Checks and formats the headers that a caller adds.
 * @param alsoReserved further reserved names in lower case, each with the text that says what to use instead
 * @returns the lines, each ending in CRLF, and the names in lower case
 * @throws TypeError, with the name where there is one, for an entry that is not a pair of strings, a name that is not a token, a
 *   value that {@link checkFieldValue} refuses, and a name that the handshake reserves
 */
export function formatCallerHeaders(
  headers: HeaderPairs | undefined,
  alsoReserved: ReadonlyMap<string, string> = new Map(),
): { readonly lines: string; readonly names: ReadonlySet<string> } {
  const names = new Set<string>()
  let lines = ''
  for (const pair of checkIterable(headers ?? [])) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new TypeError(`headers must hold pairs of name and value, not ${showKind(pair)}`)
    }
    const [name, value] = pair as readonly unknown[]
    if (typeof name !== 'string' || !isToken(name)) {
      const flaw = showFlaw(name, isTokenCode)
      throw new TypeError(`the name of a header must be a token (RFC 9110 5.6.2), not ${flaw}`)
    }
    const lowerCase = name.toLowerCase()
    if (RESERVED_NAMES.has(lowerCase) || lowerCase.startsWith('sec-websocket-')) {
      throw new TypeError(`the header ${showValue(name)} is reserved for the handshake and cannot be set`)
    }
    const instead = alsoReserved.get(lowerCase)
    if (instead !== undefined) {
      throw new TypeError(`the header ${showValue(name)} cannot be set: ${instead}`)
    }
    lines += `${name}: ${checkFieldValue(name, value)}\r\n`
    names.add(lowerCase)
  }
  return { lines, names }
}

function checkIterable(headers: unknown): Iterable<unknown> {
  if (typeof headers === 'object' && headers !== null && Symbol.iterator in headers) {
    return headers as Iterable<unknown>
  }
  throw new TypeError(`headers must be an iterable of [name, value] pairs, not ${showKind(headers)}`)
}
