import { checkNumber, isYes, showValue } from '../check.js'
import { readForwarded, readForwardedFor } from '../handshake/forwarded.js'
import type { HeaderFields } from '../handshake/header-fields.js'
import {
  hasHostBits,
  isInBlock,
  ownText,
  parseAddress,
  parseBlock,
  plainAddress,
  type AddressBlock,
} from './ip-address.js'

/**
 * Decides whether a proxy is trusted. It must be synchronous.
 * @param address of the proxy, IPv4 never as IPv6; empty for a Unix socket
 * @param hop 0 for the peer, 1 for the proxy before it, and so on
 */
export type ProxyTrust = (address: string, hop: number) => boolean

/** Which proxies are trusted: a list of addresses, blocks and names, the number of the proxies, or a function. */
export type TrustedProxies = readonly string[] | number | ProxyTrust

/** The header in which trusted proxies report the address of the client. */
export type ForwardedHeader = 'X-Forwarded-For' | 'Forwarded'

/** What stands for several blocks. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10'],
}
/** A peer without an address: a Unix socket, or a stream of the application's own. */
const UNIX = 'unix'

/** More proxies than this are in no row: a count above it is a mistake. */
const MAX_PROXIES = 32

/**
 * Checks the option `trustedProxies`.
 * @returns null: no proxy is trusted
 * @throws TypeError or RangeError with the name, the value and what is legal
 */
export function checkTrustedProxies(name: string, value: unknown): ProxyTrust | null {
  if (value === undefined) return null
  if (typeof value === 'number') {
    const count = checkNumber(name, value, { min: 0, max: MAX_PROXIES, integer: true })
    return count === 0 ? null : (_address, hop) => hop < count
  }
  if (typeof value === 'function') return containedTrust(value as (address: string, hop: number) => unknown)
  if (Array.isArray(value)) return value.length === 0 ? null : trustOf(name, value)
  throw new TypeError(
    `${name} must be an array of addresses, a number of proxies or a function, not ${showValue(value)}`,
  )
}

function containedTrust(trust: (address: string, hop: number) => unknown): ProxyTrust {
  return (address, hop) =>
    isYes(trust(address, hop), 'trustedProxies must return true or false', ': it must not be async')
}

function trustOf(name: string, list: readonly unknown[]): ProxyTrust {
  const blocks: AddressBlock[] = []
  let trustsUnix = false
  list.forEach((entry, i) => {
    if (entry === UNIX) {
      trustsUnix = true
      return
    }
    const texts = typeof entry === 'string' && Object.hasOwn(NAMES, entry) ? NAMES[entry] : [entry]
    for (const text of texts as readonly unknown[]) {
      const block = typeof text === 'string' ? parseBlock(text) : null
      if (block === null) {
        throw new TypeError(
          `${name}[${String(i)}] must be an IP address, a block such as 10.0.0.0/8, 'loopback', 'private' or 'unix', ` +
            `not ${showValue(entry)}${hasHostBits(text) ? ': the bits after the prefix must be 0' : ''}`,
        )
      }
      blocks.push(block)
    }
  })
  return (address) => {
    if (address === '') return trustsUnix
    const groups = parseAddress(address)
    return groups !== null && blocks.some((block) => isInBlock(groups, block))
  }
}

/** What {@link clientAddressOf} asks of a connection. */
export interface PeerOfUpgrade {
  /** The peer's address; empty if it has none, or if the connection is closed. */
  readonly remoteAddress: string
  /** Whether a peer without an address is open: on a Unix socket, or a stream of the application's own. */
  isLocal(): boolean
}

/**
 * The address of the client: the peer's, or, as long as that is a trusted proxy, the one that it reports. So it is the
 * right-most entry of the header that no trusted proxy has; if all of them are trusted, the left-most. What clients write
 * stands to the left of that. Where an entry is not an address, it is that of the proxy that wrote the entry: the last one known.
 * @param trust null: no proxy is trusted
 * @throws what the application's function throws; TypeError if it returns a promise
 */
export function clientAddressOf(
  peerOfUpgrade: PeerOfUpgrade,
  headers: HeaderFields,
  trust: ProxyTrust | null,
  header: ForwardedHeader,
): string {
  const peer = plainAddress(peerOfUpgrade.remoteAddress)
  // Of a connection that was reset there is no address: what it sent proves nothing.
  if (trust === null || (peer === '' && !peerOfUpgrade.isLocal()) || !trust(peer, 0)) return peer
  const value = headers.get(header)
  if (value === undefined) return peer
  const entries = header === 'Forwarded' ? readForwarded(value) : readForwardedFor(value)
  let client = peer
  for (let hop = 1; hop <= entries.length; hop++) {
    const entry = entries[entries.length - hop] as string
    const groups = parseAddress(entry)
    if (groups === null) break
    client = ownText(entry, groups)
    if (!trust(client, hop)) break
  }
  return client
}
