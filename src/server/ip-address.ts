import { isIP } from 'node:net'

/** An address as eight groups of 16 bits; an IPv4 address is one that is mapped into IPv6 (RFC 4291 section 2.5.5.2). */
export type AddressGroups = readonly number[]

const MAPPED: AddressGroups = [0, 0, 0, 0, 0, 0xffff]
/** What the system writes before an IPv4 address on a socket of both families. */
const MAPPED_TEXT = '::ffff:'

/** Whether an address is IPv4, or IPv4 mapped into IPv6. */
export const isIPv4 = (groups: AddressGroups): boolean => MAPPED.every((group, i) => groups[i] === group)

/**
 * Reads an IP address: IPv4 or IPv6, without a zone.
 * @returns null for any other text
 */
export function parseAddress(text: string): AddressGroups | null {
  const kind = isIP(text)
  if (kind === 4) return [...MAPPED, ...groupsOfIPv4(text)]
  return kind === 6 && !text.includes('%') ? groupsOfIPv6(text) : null
}

function groupsOfIPv4(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number)
  return [(a << 8) | b, (c << 8) | d]
}

/** @param text a legal IPv6 address */
function groupsOfIPv6(text: string): number[] {
  const [head = '', tail] = text.split('::')
  const before = groupsOf(head)
  if (tail === undefined) return before
  const after = groupsOf(tail)
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}

const groupsOf = (text: string): number[] =>
  text === ''
    ? []
    : text.split(':').flatMap((part) => (part.includes('.') ? groupsOfIPv4(part) : [parseInt(part, 16)]))

const bytesText = (group: number): string => `${String(group >>> 8)}.${String(group & 0xff)}`

/** The text of an IPv4 address. */
const ipv4Text = (groups: AddressGroups): string =>
  `${bytesText(groups[6] as number)}.${bytesText(groups[7] as number)}`

/**
 * An address as the application gets it: IPv4 that is mapped into IPv6 as IPv4, anything else as it is.
 * @param address of the system
 */
export function plainAddress(address: string): string {
  if (!address.startsWith(MAPPED_TEXT)) return address
  const groups = parseAddress(address)
  return groups === null || !isIPv4(groups) ? address : ipv4Text(groups)
}

/**
 * The text of an address, in memory of its own: that of the head, of which it may be a part, is not kept.
 * @param text a legal address, which has the given groups
 */
export function ownText(text: string, groups: AddressGroups): string {
  return isIPv4(groups) ? ipv4Text(groups) : Buffer.from(text, 'latin1').toString('latin1')
}

/** The longest key of what is not an IP address, such as that of a stream of the application's own. */
const MAX_KEY_LENGTH = 64

/**
 * What counts as one address: IPv4 (also as mapped into IPv6) by itself, IPv6 by its first 64 bits, which are what a single host
 * or household gets; link-local IPv6 (fe80::/10) by itself, since all of it shares these bits.
 * @param address of a peer or a client; empty: none
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address.slice(0, MAX_KEY_LENGTH)
  const groups = parseAddress(address.split('%', 1)[0] as string)
  if (groups === null) return address.slice(0, MAX_KEY_LENGTH)
  if (isIPv4(groups)) return ipv4Text(groups)
  const isLinkLocal = ((groups[0] as number) & 0xffc0) === 0xfe80
  return (isLinkLocal ? groups : groups.slice(0, 4)).map((group) => group.toString(16)).join(':')
}

/** A block of addresses. */
export interface AddressBlock {
  readonly groups: AddressGroups
  /** How many bits are the same for all of the block; of an IPv4 block with the 96 before it. */
  readonly bits: number
}

const PREFIX = /^(0|[1-9]\d{0,2})$/

/**
 * Reads a block in CIDR notation, or one address.
 * @returns null for any other text, and for a block whose address has bits set after its prefix
 */
export function parseBlock(text: string): AddressBlock | null {
  const block = readBlock(text)
  return block === null || isSetAfter(block) ? null : block
}

/** Whether a text would be a block, but for bits that are set after its prefix. */
export function hasHostBits(text: unknown): boolean {
  const block = typeof text === 'string' ? readBlock(text) : null
  return block !== null && isSetAfter(block)
}

function readBlock(text: string): AddressBlock | null {
  const slash = text.indexOf('/')
  const groups = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (groups === null) return null
  if (slash < 0) return { groups, bits: 128 }
  const prefix = text.slice(slash + 1)
  const skipped = text.includes(':') ? 0 : 96
  const bits = Number(prefix) + skipped
  return PREFIX.test(prefix) && bits <= 128 ? { groups, bits } : null
}

const isSetAfter = ({ groups, bits }: AddressBlock): boolean =>
  groups.some((group, i) => (group & ~maskOf(i, bits) & 0xffff) !== 0)

/** The bits of a group that belong to a prefix. */
function maskOf(group: number, bits: number): number {
  const count = Math.min(16, Math.max(0, bits - 16 * group))
  return (0xffff << (16 - count)) & 0xffff
}

/** Whether an address is in a block. IPv6 blocks hold no IPv4 addresses, mapped as these may be, unless they are mapped as well. */
export function isInBlock(groups: AddressGroups, { groups: block, bits }: AddressBlock): boolean {
  if (isIPv4(groups) && bits < 96) return false
  return groups.every((group, i) => ((group ^ (block[i] as number)) & maskOf(i, bits)) === 0)
}
