/**
 * The characters of HTTP fields (RFC 9110 section 5.6) as tables, and functions on them: tokens, comma lists,
 * comparison without case. Every function reads each character at most a fixed number of times.
 */

export const HTAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SP = 0x20
export const DQUOTE = 0x22
export const COMMA = 0x2c
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const EQUALS = 0x3d
export const BACKSLASH = 0x5c

const DIGITS = '0123456789'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/**
 * Makes a table of 128 entries with 1 for each of the given ASCII characters. Any character beyond ASCII reads past
 * the end of the table and gives `undefined`, which is not 1.
 */
export function characterTable(characters: string): Uint8Array {
  const table = new Uint8Array(128)
  for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)] = 1
  return table
}

const TOKEN = characterTable(`!#$%&'*+-.^_\`|~${DIGITS}${LETTERS}`)
const REG_NAME = characterTable(`-._~%!$&'()*+,;=${DIGITS}${LETTERS}`)
const IP_LITERAL = characterTable(`:.${DIGITS}ABCDEFabcdef`)

/** Whether this is the code of a tchar (RFC 9110 section 5.6.2). */
export function isTokenCode(code: number): boolean {
  return TOKEN[code] === 1
}

/** Whether this is the code of an ASCII digit. */
export function isDigitCode(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

/** Whether this is the code of optional white space (RFC 9110 section 5.6.3). */
export function isOwsCode(code: number): boolean {
  return code === SP || code === HTAB
}

/** Whether this octet may stand in a field value: HTAB, SP, VCHAR or obs-text (RFC 9110 section 5.5). */
export function isFieldValueCode(code: number): boolean {
  return code === HTAB || (code >= SP && code !== 0x7f && code <= 0xff)
}

/** What an octet may be part of, by its code: a token (1), a field value (2), a request target (4). */
const KINDS = new Uint8Array(256)
for (let code = 0; code < KINDS.length; code++) {
  KINDS[code] =
    (isTokenCode(code) ? 1 : 0) | (isFieldValueCode(code) ? 2 : 0) | (code > SP && code < 0x7f ? 4 : 0)
}

/** @returns the index of the first octet from `at` on that no token has */
export function skipToken(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && ((KINDS[bytes[at] as number] as number) & 1) !== 0) at++
  return at
}

/** @returns the index of the first octet from `at` on that no field value has */
export function skipFieldValue(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && ((KINDS[bytes[at] as number] as number) & 2) !== 0) at++
  return at
}

/** @returns the index of the first octet from `at` on that no request target has */
export function skipTarget(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && ((KINDS[bytes[at] as number] as number) & 4) !== 0) at++
  return at
}

/** Whether the whole string is a token (RFC 9110 section 5.6.2). The empty string is not. */
export function isToken(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    if (!isTokenCode(value.charCodeAt(i))) return false
  }
  return value !== ''
}

/** Whether the whole string is a field value in latin1 (RFC 9110 section 5.5). The empty string is. */
export function isFieldValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    if (!isFieldValueCode(value.charCodeAt(i))) return false
  }
  return true
}

/** Removes optional white space from both ends of a string, or of a part of one. */
export function trimOws(value: string, from = 0, to = value.length): string {
  let start = from
  let end = to
  while (start < end && isOwsCode(value.charCodeAt(start))) start++
  while (end > start && isOwsCode(value.charCodeAt(end - 1))) end--
  return value.slice(start, end)
}

/**
 * Whether two strings differ at most in the case of ASCII letters. `toLowerCase` does not serve here because it also
 * folds letters beyond ASCII: the Kelvin sign becomes a k.
 */
export function equalsIgnoringCase(value: string, lowerCase: string): boolean {
  if (value.length !== lowerCase.length) return false
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    const folded = code >= 0x41 && code <= 0x5a ? code + 0x20 : code
    if (folded !== lowerCase.charCodeAt(i)) return false
  }
  return true
}

/**
 * Whether two names of fields are the same (RFC 9110 section 5.1). Nearly every peer writes a name as its RFC does, and
 * the loop over characters is never reached: the checks of a handshake take a third of the time (Node 20, 2026-11).
 */
export function isSameName(one: string, other: string): boolean {
  return one.length === other.length && (one === other || equalsIgnoringCase(one, other.toLowerCase()))
}

/**
 * Whether a comma list (RFC 9110 section 5.6.1) has this member, in any case.
 * @param lowerCase the member in lower case
 */
export function listHas(list: string, lowerCase: string): boolean {
  // It is nearly always the only member.
  if (equalsIgnoringCase(list, lowerCase)) return true
  return list.split(',').some((member) => equalsIgnoringCase(trimOws(member), lowerCase))
}

/** Whether this is `uri-host [ ":" port ]` (RFC 9110 section 7.2) with a host that is not empty. */
export function isHost(value: string): boolean {
  let i = 0
  if (value.startsWith('[')) {
    i = 1
    while (IP_LITERAL[value.charCodeAt(i)] === 1) i++
    // The shortest is '[::]'.
    if (i < 3 || value[i] !== ']') return false
    i++
  } else {
    while (REG_NAME[value.charCodeAt(i)] === 1) i++
    if (i === 0) return false
  }
  if (i === value.length) return true
  if (value.charCodeAt(i) !== COLON) return false
  for (i++; i < value.length; i++) {
    if (!isDigitCode(value.charCodeAt(i))) return false
  }
  return true
}
