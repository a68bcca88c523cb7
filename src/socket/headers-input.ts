import { showKind, showValue, type Check } from '../check.js'
import type { HeaderPairs } from '../handshake/caller-headers.js'

/** The value of a header, or several values of one name: see {@link HeadersInput}. */
type HeaderValue = string | readonly string[]

/**
 * Headers as callers write them: pairs, a `Map`, a `Headers`, or a plain object. A list of values becomes one field for each
 * value, in order, as `Set-Cookie` needs it. The values of `Cookie`, which a request has only once (RFC 6265 section 5.4),
 * are joined with '; '. `node:http` does the same.
 */
export type HeadersInput =
  Iterable<readonly [name: string, value: HeaderValue]> | Readonly<Record<string, HeaderValue>>

export type HeaderPair = readonly [name: string, value: string]

/** Checks for headers, or none. Their names and values are checked when the head is written. */
export const optionalHeaders: Check<HeadersInput | undefined> = (name, value) => {
  if (value === undefined || (typeof value === 'object' && value !== null))
    return value as HeadersInput | undefined
  throw new TypeError(`${name} must be an object, or pairs of name and value, not ${showKind(value)}`)
}

/**
 * Turns any form of headers into pairs. It checks no name and no value: `formatCallerHeaders` of `src/handshake` does that.
 * @throws TypeError for what is not an object, and for a list with a value that is not a string
 */
export function toHeaderPairs(headers: HeadersInput | undefined): HeaderPairs | undefined {
  if (headers === undefined) return undefined
  if (typeof headers !== 'object' || (headers as unknown) === null) {
    throw new TypeError(`headers must be an object or pairs of name and value, not ${showKind(headers)}`)
  }
  const pairs: HeaderPair[] = []
  const given: Iterable<unknown> = Symbol.iterator in headers ? headers : Object.entries(headers)
  for (const pair of given) {
    if (Array.isArray(pair) && pair.length === 2 && Array.isArray(pair[1])) {
      addAll(pairs, pair[0], pair[1])
    } else {
      pairs.push(pair as HeaderPair)
    }
  }
  return pairs
}

/** @throws TypeError for a list with a value that is not a string */
function addAll(pairs: HeaderPair[], name: unknown, values: readonly unknown[]): void {
  for (const value of values) {
    if (typeof value === 'string') continue
    throw new TypeError(`the values of the header ${showValue(name)} must be strings, not ${showKind(value)}`)
  }
  if (String(name).toLowerCase() === 'cookie' && values.length > 0)
    pairs.push([name as string, values.join('; ')])
  else for (const value of values) pairs.push([name as string, value as string])
}
