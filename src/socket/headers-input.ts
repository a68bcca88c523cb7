import { showValue } from '../limits.js'
import type { HeaderPairs } from '../handshake/caller-headers.js'

/** Headers as callers write them: pairs, a `Map`, a `Headers`, or a plain object. */
export type HeadersInput = HeaderPairs | Readonly<Record<string, string>>

/** @throws TypeError for what is no object */
export function toHeaderPairs(headers: HeadersInput | undefined): HeaderPairs | undefined {
  if (headers === undefined) return undefined
  if (typeof headers !== 'object' || (headers as unknown) === null) {
    throw new TypeError(`headers must be an object or pairs of name and value, not ${showValue(headers)}`)
  }
  return Symbol.iterator in headers ? headers : Object.entries(headers)
}
