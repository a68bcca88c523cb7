/** Header fields as a peer sent them (RFC 9110 section 5). */

import { showValue } from '../check.js'
import { isSameName } from './tokens.js'

const NONE: readonly string[] = Object.freeze([])

/**
 * The fields of a head. Names are compared without case (RFC 9110 section 5.1). Lookups search a list: a head has few
 * fields and a handshake needs each about once, so a Map costs more than it saves (a third of the time of a
 * handshake's checks, Node 20, 2026-11). No name that a peer sends, such as `__proto__` or `constructor`, has a
 * special meaning.
 */
export class HeaderFields {
  /** Names and values alternate. */
  readonly #raw: readonly string[]
  #entries: readonly (readonly [name: string, value: string])[] | null = null

  private constructor(raw: readonly string[]) {
    this.#raw = raw
  }

  /**
   * @param raw names and values alternate, as in `rawHeaders` of node:http; the caller must not change it afterwards
   * @throws TypeError if an element is not a string, or the last value is missing
   */
  static fromRawHeaders(raw: readonly string[]): HeaderFields {
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]
      const value = raw[i + 1]
      if (typeof name !== 'string' || typeof value !== 'string') {
        throw new TypeError(
          `rawHeaders must alternate names and values, not ${showValue(value)} for ${showValue(name)}`,
        )
      }
    }
    return new HeaderFields(raw)
  }

  /** As {@link fromRawHeaders}, for a list of strings in pairs. */
  static fromPairs(raw: readonly string[]): HeaderFields {
    return new HeaderFields(raw)
  }

  /** The number of fields, duplicates included. */
  get size(): number {
    return this.#raw.length / 2
  }

  /** The value of a field; if several have this name, all their values in order, joined with ', '. */
  get(name: string): string | undefined {
    const raw = this.#raw
    let found: string | undefined
    for (let i = 0; i < raw.length; i += 2) {
      if (!isSameName(raw[i] as string, name)) continue
      const value = raw[i + 1] as string
      found = found === undefined ? value : `${found}, ${value}`
    }
    return found
  }

  /** The values of all fields with this name, in order; an empty list if there are none. */
  getAll(name: string): readonly string[] {
    const raw = this.#raw
    let values: string[] | undefined
    for (let i = 0; i < raw.length; i += 2) {
      if (!isSameName(raw[i] as string, name)) continue
      if (values === undefined) values = [raw[i + 1] as string]
      else values.push(raw[i + 1] as string)
    }
    return values ?? NONE
  }

  /** The number of fields with this name. */
  count(name: string): number {
    const raw = this.#raw
    let count = 0
    for (let i = 0; i < raw.length; i += 2) if (isSameName(raw[i] as string, name)) count++
    return count
  }

  /** Whether a field has this name. */
  has(name: string): boolean {
    return this.count(name) > 0
  }

  /** All fields as received: order, case and duplicates kept. */
  entries(): readonly (readonly [name: string, value: string])[] {
    if (this.#entries === null) {
      const entries: [string, string][] = []
      for (let i = 0; i < this.#raw.length; i += 2) {
        entries.push([this.#raw[i] as string, this.#raw[i + 1] as string])
      }
      this.#entries = entries
    }
    return this.#entries
  }

  /** As {@link entries}: `for (const [name, value] of headers)`, and `new Headers([...headers])`. */
  [Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    return this.entries()[Symbol.iterator]()
  }
}
