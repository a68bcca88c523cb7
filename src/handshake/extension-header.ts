/** Extensions: Sec-WebSocket-Extensions (RFC 6455 section 9.1), read in one pass and written. */

import { showValue } from '../limits.js'
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

/** One extension with its parameters: an offer of a client, or what a server chose (RFC 6455 section 9.1). */
export interface ExtensionOffer {
  readonly name: string
  /** In the order of the header, doubles kept; `true` where a parameter has no value. */
  readonly parameters: readonly (readonly [name: string, value: string | true])[]
}

/** A place in a header value; every method moves it forward only, and so the whole costs one pass. */
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

  /** Steps over this character, if it is next. */
  take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at++
    return true
  }

  /** Steps over a token; empty where none is next. */
  token(): string {
    const start = this.#at
    while (isTokenCode(this.#text.charCodeAt(this.#at))) this.#at++
    return this.#text.slice(start, this.#at)
  }

  /**
   * Steps over what follows an opening quote, its closing quote included. Once unescaped it must be a token
   * (RFC 6455 section 9.1), and so a backslash may only stand before a tchar. Empty where it is anything
   * else.
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

/** One parameter after its semicolon, or null. */
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
 * Reads a Sec-WebSocket-Extensions header, of a request or a response (RFC 6455 section 9.1). One pass,
 * whatever the input.
 * @param value the header's value; several headers joined with ', '
 * @returns the extensions in order, or null where the value is malformed: a name or a value that is no token (also
 *   once unquoted), a parameter left out. Empty members of the list are skipped (RFC 9110 section 5.6.1.2), but a list
 *   has one extension at least. An empty value is no extension: some clients send one when they want none.
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
 * Reads the Sec-WebSocket-Extensions fields of a head. A field without a value counts as none: Python's `websockets`
 * sends one where it has no extension to offer.
 * @returns as {@link parseExtensionHeader}; an empty list where no field has a value
 */
export function readExtensions(headers: HeaderFields): readonly ExtensionOffer[] | null {
  const value = headers.get('Sec-WebSocket-Extensions')
  if (value === undefined || value === '') return NONE
  const offers = parseExtensionHeader(value)
  if (offers !== null) return offers
  return headers.getAll('Sec-WebSocket-Extensions').every((one) => trimOws(one) === '') ? NONE : null
}

const NONE: readonly ExtensionOffer[] = Object.freeze([])

/** The header read last: most clients send the same one. */
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
  // Commas with nothing between them are a list of nothing, and no empty value.
  return offers.length === 0 && value.includes(',') ? null : Object.freeze(offers)
}

function checkToken(what: string, value: unknown): string {
  if (typeof value === 'string' && isToken(value)) return value
  throw new TypeError(`${what} must be a token (RFC 6455 9.1), not ${showValue(value)}`)
}

/**
 * Writes one extension, for a Sec-WebSocket-Extensions header (RFC 6455 section 9.1); join several with ', '.
 * @returns for example `permessage-deflate; client_max_window_bits; server_max_window_bits=10`
 * @throws TypeError where a name or a value is no token
 */
export function formatExtension(offer: ExtensionOffer): string {
  let text = checkToken('the name of an extension', offer.name)
  for (const [name, value] of offer.parameters) {
    text += `; ${checkToken('the name of an extension parameter', name)}`
    if (value !== true) text += `=${checkToken(`the extension parameter ${name}`, value)}`
  }
  return text
}
