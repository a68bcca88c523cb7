/** Reads and writes the Sec-WebSocket-Extensions header (RFC 6455 section 9.1). */

import { showValue } from '../check.js'
import type { HeaderFields } from './header-fields.js'
import {
  BACKSLASH,
  COMMA,
  DQUOTE,
  EQUALS,
  isOwsCode,
  isToken,
  isTokenCode,
  SEMICOLON,
  trimOws,
} from './tokens.js'

/** One extension with its parameters: a client's offer, or a server's choice (RFC 6455 section 9.1). */
export interface ExtensionOffer {
  /** The name of the extension, such as `permessage-deflate`. */
  readonly name: string
  /** In the order of the header, duplicates kept; `true` for a parameter without a value. */
  readonly parameters: readonly (readonly [name: string, value: string | true])[]
}

/** A position in a header value. Methods only move it forward, so reading the value takes one pass. */
class Cursor {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get atEnd(): boolean {
    return this.#at === this.#text.length
  }

  skipOws(): void {
    while (isOwsCode(this.#text.charCodeAt(this.#at))) this.#at++
  }

  /** Skips this character if it is next. @returns whether it was */
  take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at++
    return true
  }

  /** Reads a token. @returns an empty string if no token is next */
  token(): string {
    const start = this.#at
    while (isTokenCode(this.#text.charCodeAt(this.#at))) this.#at++
    return this.#text.slice(start, this.#at)
  }

  /**
   * Reads the rest of a quoted string, after its opening quote and including its closing quote. The unescaped value
   * must be a token (RFC 6455 section 9.1), so a backslash may only stand before a tchar.
   * @returns the token, or an empty string for anything else
   */
  quotedToken(): string {
    let value = ''
    let start = this.#at
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (isTokenCode(code)) {
        this.#at++
        continue
      }
      value += this.#text.slice(start, this.#at)
      this.#at++
      if (code === DQUOTE) return value
      if (code !== BACKSLASH || !isTokenCode(this.#text.charCodeAt(this.#at))) return ''
      start = this.#at
    }
  }
}

/** Reads one parameter, after its semicolon. @returns null if it is malformed */
function readParameter(cursor: Cursor): readonly [string, string | true] | null {
  const name = cursor.token()
  if (name === '') return null
  cursor.skipOws()
  if (!cursor.take(EQUALS)) return [name, true]
  cursor.skipOws()
  const value = cursor.take(DQUOTE) ? cursor.quotedToken() : cursor.token()
  return value === '' ? null : [name, value]
}

/**
 * Reads a Sec-WebSocket-Extensions header of a request or a response (RFC 6455 section 9.1), in one pass for any
 * input.
 * @param value the header's value; several headers are joined with ', '
 * @returns the extensions in order, or null if the value is malformed: a name or value is not a token (after
 *   unquoting), or a parameter is missing. Empty list members are skipped (RFC 9110 section 5.6.1.2), but a list with
 *   commas needs at least one extension. An empty value gives an empty list: some clients send one when they want no
 *   extension.
 */
export function parseExtensionHeader(value: string): readonly ExtensionOffer[] | null {
  if (value === lastValue) return lastOffers
  const offers = readOffers(value)
  if (value.length <= MAX_KEPT_CHARACTERS) {
    lastValue = value
    lastOffers = offers
  }
  return offers
}

/**
 * Reads the Sec-WebSocket-Extensions fields of a head. A field without a value counts as absent: Python's
 * `websockets` sends one if it offers no extension.
 * @returns as {@link parseExtensionHeader}; an empty list if no field has a value
 */
export function readExtensions(headers: HeaderFields): readonly ExtensionOffer[] | null {
  const value = headers.get('Sec-WebSocket-Extensions')
  if (value === undefined || value === '') return NONE
  const offers = parseExtensionHeader(value)
  if (offers !== null) return offers
  return headers.getAll('Sec-WebSocket-Extensions').every((one) => trimOws(one) === '') ? NONE : null
}

const NONE: readonly ExtensionOffer[] = Object.freeze([])

/** The value that was parsed last, and its result: most clients send the same value. */
let lastValue: string | undefined
let lastOffers: readonly ExtensionOffer[] | null = null
const MAX_KEPT_CHARACTERS = 256

function readOffers(value: string): readonly ExtensionOffer[] | null {
  const cursor = new Cursor(value)
  const offers: ExtensionOffer[] = []
  for (;;) {
    cursor.skipOws()
    if (cursor.take(COMMA)) continue
    if (cursor.atEnd) break
    const name = cursor.token()
    if (name === '') return null
    cursor.skipOws()
    const parameters: (readonly [string, string | true])[] = []
    while (cursor.take(SEMICOLON)) {
      cursor.skipOws()
      const parameter = readParameter(cursor)
      if (parameter === null) return null
      cursor.skipOws()
      parameters.push(Object.freeze(parameter))
    }
    offers.push(Object.freeze({ name, parameters: Object.freeze(parameters) }))
    if (!cursor.atEnd && !cursor.take(COMMA)) return null
  }
  // Commas with nothing between them are a malformed list, not an empty value.
  return offers.length === 0 && value.includes(',') ? null : Object.freeze(offers)
}

function checkToken(what: string, value: unknown): string {
  if (typeof value === 'string' && isToken(value)) return value
  throw new TypeError(`${what} must be a token (RFC 6455 9.1), not ${showValue(value)}`)
}

/**
 * Formats one extension for a Sec-WebSocket-Extensions header (RFC 6455 section 9.1). Join several with ', '.
 * @returns for example `permessage-deflate; client_max_window_bits; server_max_window_bits=10`
 * @throws TypeError if a name or a value is not a token
 */
export function formatExtension(offer: ExtensionOffer): string {
  let text = checkToken('the name of an extension', offer.name)
  for (const [name, value] of offer.parameters) {
    text += `; ${checkToken('the name of an extension parameter', name)}`
    if (value !== true) text += `=${checkToken(`the extension parameter ${name}`, value)}`
  }
  return text
}
