/** Reads and chooses subprotocols: Sec-WebSocket-Protocol (RFC 6455 sections 1.9, 4.1 and 11.3.4). */

import { showFlaw, showValue } from '../check.js'
import { isToken, isTokenCode, trimOws } from './tokens.js'

/**
 * Reads the subprotocols that a client offers.
 * @param value the value of Sec-WebSocket-Protocol; several headers are joined with ', '
 * @returns the names in the client's order of preference, or null if the value is malformed: it has no name, a member
 *   is not a token, or a name appears twice. Empty members are skipped (RFC 9110 section 5.6.1.2).
 */
export function parseProtocolHeader(value: string): readonly string[] | null {
  const names = new Set<string>()
  for (const member of value.split(',')) {
    const name = trimOws(member)
    if (name === '') continue
    if (!isToken(name) || names.has(name)) return null
    names.add(name)
  }
  return names.size === 0 ? null : [...names]
}

/**
 * Checks the caller's list of subprotocols.
 * @param protocols tokens, each once; may be empty
 * @param option the name of the list in errors
 * @returns a copy of the list
 * @throws TypeError if it is not an array, a name is not a token, or a name appears twice
 */
export function checkProtocols(protocols: readonly string[], option = 'protocols'): readonly string[] {
  if (!Array.isArray(protocols)) {
    throw new TypeError(`${option} must be an array of names, not ${showValue(protocols)}`)
  }
  const names = new Set<string>()
  for (const [i, name] of (protocols as readonly unknown[]).entries()) {
    // Programs put tokens of authentication into subprotocols: an error shows none of them.
    const which = `${option}[${String(i)}]`
    if (typeof name !== 'string' || !isToken(name)) {
      const flaw = showFlaw(name, isTokenCode)
      throw new TypeError(`${option} must hold tokens (RFC 6455 11.3.4), and ${which} is ${flaw}`)
    }
    if (names.has(name)) {
      throw new TypeError(`${option} must hold each name once, and ${which} repeats one`)
    }
    names.add(name)
  }
  return [...names]
}

/**
 * Chooses the first name in the client's list that the server supports. Names are case-sensitive (RFC 6455 section
 * 4.2.2).
 * @returns undefined if the lists share no name; the handshake then continues without a subprotocol
 */
export function chooseProtocol(
  requested: readonly string[],
  supported: readonly string[],
): string | undefined {
  return requested.find((name) => supported.includes(name))
}
