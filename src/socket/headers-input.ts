import { showValue } from '../limits.js'
import type { HeaderPairs } from '../handshake/caller-headers.js'

/** A header, or several of one name: see {@link HeadersInput}. */
type HeaderValue = string | readonly string[]

/**
 * Headers as callers write them: pairs, a `Map`, a `Headers`, or a plain object. A list of values is one field for each,
 * in order, as `Set-Cookie` needs it; those of `Cookie`, of which a request has one field (RFC 6265 section 5.4), are
 * joined with '; '. It is what `node:http` does.
 */
export type HeadersInput =
  Iterable<readonly [name: string, value: HeaderValue]> | Readonly<Record<string, HeaderValue>>

export type HeaderPair = readonly [name: string, value: string]

/** @throws TypeError for what is no object. What is wrong with a name or a value is told by who writes the head */
export function toHeaderPairs(headers: HeadersInput | undefined): HeaderPairs | undefined {
  if (headers === undefined) return undefined
  if (typeof headers !== 'object' || (headers as unknown) === null) {
    throw new TypeError(`headers must be an object or pairs of name and value, not ${showValue(headers)}`)
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

/** @throws TypeError for a value of several that is no string */
function addAll(pairs: HeaderPair[], name: unknown, values: readonly unknown[]): void {
  for (const value of values) {
    if (typeof value === 'string') continue
    throw new TypeError(
      `the values of the header ${showValue(name)} must be strings, not ${showValue(value)}`,
    )
  }
  if (String(name).toLowerCase() === 'cookie' && values.length > 0)
    pairs.push([name as string, values.join('; ')])
  else for (const value of values) pairs.push([name as string, value as string])
}
