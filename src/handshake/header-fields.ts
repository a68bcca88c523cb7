/** Header fields as a peer sent them (RFC 9110 section 5). */

import { showValue } from '../limits.js'
import { isToken } from './tokens.js'

/**
 * The fields of a head, looked up without regard to case (RFC 9110 section 5.1). Kept in a Map, so that no
 * name that a peer sends (`__proto__`, `constructor`) means anything.
 */
export class HeaderFields {
  readonly #entries: readonly (readonly [name: string, value: string])[]
  readonly #values = new Map<string, string[]>()

  private constructor(entries: readonly (readonly [name: string, value: string])[]) {
    this.#entries = entries
    for (const [name, value] of entries) {
      // toLowerCase folds some letters beyond ASCII into ASCII ones: what is no token stays as it is
      const key = isToken(name) ? name.toLowerCase() : name
      const values = this.#values.get(key)
      if (values === undefined) this.#values.set(key, [value])
      else values.push(value)
    }
  }

  /**
   * @param raw names and values in turn, as `rawHeaders` of a request of node:http holds them
   * @throws TypeError where a value is missing at the end
   */
  static fromRawHeaders(raw: readonly string[]): HeaderFields {
    const entries: [string, string][] = []
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]
      const value = raw[i + 1]
      if (typeof name !== 'string' || typeof value !== 'string') {
        throw new TypeError(
          `rawHeaders must hold names and values in turn, not ${showValue(value)} for ${showValue(name)}`,
        )
      }
      entries.push([name, value])
    }
    return new HeaderFields(entries)
  }

  /** How many fields there are, doubles counted. */
  get size(): number {
    return this.#entries.length
  }

  /** The value of a field; of several with this name, all in order, joined with ', '. */
  get(name: string): string | undefined {
    return this.#values.get(name.toLowerCase())?.join(', ')
  }

  /** The values of all fields with this name, in order; none gives an empty list. */
  getAll(name: string): readonly string[] {
    return this.#values.get(name.toLowerCase()) ?? []
  }

  /** Is there a field with this name? */
  has(name: string): boolean {
    return this.#values.has(name.toLowerCase())
  }

  /** All fields as they came: order, case and doubles kept. */
  entries(): readonly (readonly [name: string, value: string])[] {
    return this.#entries
  }
}
