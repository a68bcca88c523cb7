/** The addresses that proxies report: `X-Forwarded-For`, and `Forwarded` (RFC 7239). */

import {
  BACKSLASH,
  COMMA,
  DQUOTE,
  EQUALS,
  equalsIgnoringCase,
  isOwsCode,
  isToken,
  SEMICOLON,
  trimOws,
} from './tokens.js'

/** Of an address with a port, or in brackets: the address. Any other text stays as it is. */
const WITH_PORT = /^(?:\[([\da-fA-F:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/

/** Removes the brackets and the port that some proxies write: `[2001:db8::1]:4711`, `192.0.2.1:4711`. */
const withoutPort = (node: string): string => node.replace(WITH_PORT, '$1$2')

/**
 * The entries of `X-Forwarded-For`, the first proxy's first.
 * @param value of the field; of several fields all values, joined with commas
 * @returns without ports and brackets; what is not an address is not checked
 */
export function readForwardedFor(value: string): string[] {
  return value.split(',').map((entry) => withoutPort(trimOws(entry)))
}

/**
 * The `for` of each element of `Forwarded` (RFC 7239 section 4), the first proxy's first.
 * @param value as for {@link readForwardedFor}
 * @returns as {@link readForwardedFor}; an element without `for`, or with two, is empty; null if the value is malformed
 */
export function readForwarded(value: string): string[] | null {
  const nodes: string[] = []
  let node: string | null = null
  for (let at = 0; ; at++) {
    const equals = endOfName(value, at)
    const name = trimOws(value, at, equals)
    at = equals
    if (value.charCodeAt(at) === EQUALS) {
      const end = endOfValue(value, at + 1)
      const text = readValue(value.slice(at + 1, end))
      if (text === null || !isToken(name)) return null
      if (equalsIgnoringCase(name, 'for')) node = node === null ? withoutPort(text) : ''
      at = skipOws(value, end)
    } else if (name !== '') {
      return null
    }
    const isOver = at >= value.length
    if (isOver || value.charCodeAt(at) === COMMA) {
      nodes.push(node ?? '')
      node = null
    } else if (value.charCodeAt(at) !== SEMICOLON) {
      return null
    }
    if (isOver) return nodes
  }
}

/** @returns the index of the next `=`, `;` or `,`, or the end */
function endOfName(value: string, at: number): number {
  for (; at < value.length; at++) {
    const code = value.charCodeAt(at)
    if (code === EQUALS || code === SEMICOLON || code === COMMA) break
  }
  return at
}

/** @returns the index after a token or a quoted string; -1 is never returned: an open quote ends with the value */
function endOfValue(value: string, at: number): number {
  const isQuoted = value.charCodeAt(at) === DQUOTE
  for (let i = isQuoted ? at + 1 : at; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (isQuoted) {
      if (code === BACKSLASH) i++
      else if (code === DQUOTE) return i + 1
    } else if (code === SEMICOLON || code === COMMA || isOwsCode(code)) {
      return i
    }
  }
  return value.length
}

/** @returns the content of a token or of a quoted string; null if it is neither */
function readValue(text: string): string | null {
  if (text.charCodeAt(0) !== DQUOTE) return isToken(text) ? text : null
  return /^"(?:[^"\\]|\\.)*"$/.test(text) ? text.slice(1, -1).replace(/\\(.)/g, '$1') : null
}

function skipOws(value: string, at: number): number {
  while (at < value.length && isOwsCode(value.charCodeAt(at))) at++
  return at
}
