/** Subprotocols: Sec-WebSocket-Protocol (RFC 6455 sections 1.9, 4.1 and 11.3.4). */

import { showValue } from '../limits.js'
import { isToken, trimOws } from './tokens.js'

/**
 * Reads what a client offers.
 * @param value the value of Sec-WebSocket-Protocol; several headers joined with ', '
 * @returns the names in the client's order of preference, or null where the value is malformed: no name at
 *   all, something that is no token, or a name that comes twice. Empty members are skipped (RFC 9110 section
 *   5.6.1.2).
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
 * Checks a list of subprotocols that the caller gives.
 * @param protocols tokens, each once; may be empty
 * @param option what the error calls the list
 * @returns the same names, in a list of their own
 * @throws TypeError for what is no list, for a name that is no token, for a name that comes twice
 */
export function checkProtocols(protocols: readonly string[], option = 'protocols'): readonly string[] {
  if (!Array.isArray(protocols)) {
    throw new TypeError(`${option} must be an array of names, not ${showValue(protocols)}`)
  }
  const names = new Set<string>()
  for (const name of protocols as readonly unknown[]) {
    if (typeof name !== 'string' || !isToken(name)) {
      throw new TypeError(`${option} must hold tokens (RFC 6455 11.3.4), not ${showValue(name)}`)
    }
    if (names.has(name)) {
      throw new TypeError(`${option} must hold each name once, and has ${showValue(name)} twice`)
    }
    names.add(name)
  }
  return [...names]
}

/**
 * The server's choice: the first name that the client lists and the server has. Names are compared with their
 * case (RFC 6455 section 4.2.2).
 * @returns undefined where they share none; the handshake then goes on without a subprotocol
 */
export function chooseProtocol(
  requested: readonly string[],
  supported: readonly string[],
): string | undefined {
  return requested.find((name) => supported.includes(name))
}
