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
 * The `for` of each element of `Forwarded` (RFC 7239 section 4), the first proxy's first. The value is cut into elements from
 * its end, so that nothing that a client wrote changes how what its proxies appended is read: an open quote ends before it.
 * @param value as for {@link readForwardedFor}
 * @returns as {@link readForwardedFor}; an element that is malformed, has no `for`, or two, is empty
 */
export function readForwarded(value: string): string[] {
  const nodes: string[] = []
  for (let end = value.length; end >= 0;) {
    const comma = lastComma(value, end)
    nodes.push(readElement(value.slice(comma + 1, end)))
    end = comma
  }
  return nodes.reverse()
}

/** @returns the index of the last comma before `end` that is not in a quoted string, or -1 */
function lastComma(value: string, end: number): number {
  for (let i = end - 1; i >= 0; i--) {
    const code = value.charCodeAt(i)
    if (code === COMMA) return i
    if (code === DQUOTE) i = openingQuote(value, i)
  }
  return -1
}

/** @returns the index of the quote that begins the quoted string which ends at `closing`, or -1 */
function openingQuote(value: string, closing: number): number {
  let i = closing - 1
  while (i >= 0 && (value.charCodeAt(i) !== DQUOTE || isEscaped(value, i))) i--
  return i
}

/** Whether an odd number of backslashes stands before a character. */
function isEscaped(value: string, at: number): boolean {
  let first = at
  while (value.charCodeAt(first - 1) === BACKSLASH) first--
  return (at - first) % 2 === 1
}

/** @returns the `for` of one element, without port and brackets; empty if there is none, or two, or the element is malformed */
function readElement(element: string): string {
  let node: string | null = null
  for (let at = 0; ; at++) {
    const equals = endOfName(element, at)
    const name = trimOws(element, at, equals)
    at = equals
    if (element.charCodeAt(at) === EQUALS) {
      const end = endOfValue(element, at + 1)
      const text = readValue(element.slice(at + 1, end))
      if (text === null || !isToken(name)) return ''
      if (equalsIgnoringCase(name, 'for')) node = node === null ? withoutPort(text) : ''
      at = skipOws(element, end)
    } else if (name !== '') {
      return ''
    }
    if (at >= element.length) return node ?? ''
    if (element.charCodeAt(at) !== SEMICOLON) return ''
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

/** @returns the index after a token or a quoted string; an open quote ends with the value */
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

/** @returns the content of a token, or of a quoted string that ends the text; null if it is neither */
function readValue(text: string): string | null {
  if (text.charCodeAt(0) !== DQUOTE) return isToken(text) ? text : null
  let value = ''
  let start = 1
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === DQUOTE) return value + text.slice(start, i)
    if (code !== BACKSLASH) continue
    value += text.slice(start, i)
    // What follows a backslash stands for itself.
    start = ++i
  }
  return null
}

function skipOws(value: string, at: number): number {
  while (at < value.length && isOwsCode(value.charCodeAt(at))) at++
  return at
}
