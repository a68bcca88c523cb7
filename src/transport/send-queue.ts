import { tableOf } from './tcp-table.js'

/** One end of a TCP connection, as Node writes it. */
export interface Endpoint {
  /** IPv4 or IPv6, also an IPv4 address as an IPv6 one; a zone (`%eth0`) is left out. */
  readonly address: string
  readonly port: number
}

/** Where Linux tells of the TCP connections of this network namespace (proc(5)). */
const FILES = { 4: '/proc/net/tcp', 16: '/proc/net/tcp6' } as const

function ipv4Octets(text: string): number[] | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  const octets = match === null ? null : match.slice(1).map(Number)
  return octets === null || octets.some((octet) => octet > 255) ? null : octets
}

/** Of groups that are separated by colons; the last may be an IPv4 address. */
function groupOctets(text: string): number[] | null {
  if (text === '') return []
  const octets: number[] = []
  for (const group of text.split(':')) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16)
      octets.push(value >> 8, value & 0xff)
      continue
    }
    const last = ipv4Octets(group)
    if (last === null) return null
    octets.push(...last)
  }
  return octets
}

function addressOctets(address: string): number[] | null {
  const [text = ''] = address.split('%')
  if (!text.includes(':')) return ipv4Octets(text)
  const [start = '', end, more] = text.split('::')
  const before = groupOctets(start)
  const after = groupOctets(end ?? '')
  if (before === null || after === null || more !== undefined) return null
  const zeros = 16 - before.length - after.length
  if (zeros < 0 || (end === undefined && zeros > 0)) return null
  return [...before, ...new Array<number>(zeros).fill(0), ...after]
}

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0')

/** As the system writes it: each 32 bits of the address as a number in the order of the machine. */
function show(octets: readonly number[], port: number): string {
  const words = new Uint32Array(Uint8Array.from(octets).buffer)
  return `${Array.from(words, (word) => hex(word, 8)).join('')}:${hex(port, 4)}`
}

/** Where one end of a connection stands in the tables of the system. */
interface Place {
  readonly file: string
  readonly ends: string
}

function placeOf(from: readonly number[], local: Endpoint, to: readonly number[], remote: Endpoint): Place {
  return { file: FILES[from.length as 4 | 16], ends: `${show(from, local.port)} ${show(to, remote.port)}` }
}

/** How a connection is found in the tables of the system. */
export interface QueueKey {
  readonly own: Place
  /** Where the peer's end stands if it is on this machine. */
  readonly peer: readonly Place[]
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
const isMapped = (octets: readonly number[]): boolean =>
  octets.length === 16 && MAPPED.every((octet, i) => octets[i] === octet)

/** @returns null for addresses that no TCP connection has */
export function queueKey(local: Endpoint, remote: Endpoint): QueueKey | null {
  const from = addressOctets(local.address)
  const to = addressOctets(remote.address)
  if (from === null || to?.length !== from.length) return null
  const own = placeOf(from, local, to, remote)
  // Who connects to an address of its own machine does so from the same address.
  if (from.some((octet, i) => octet !== to[i])) return { own, peer: [] }
  const peer = [placeOf(to, remote, from, local)]
  // Of a dual-stack listener and its IPv4 client each stands in another table.
  const other = isMapped(from) ? from.slice(12) : from.length === 4 ? [...MAPPED, ...from] : null
  if (other !== null) peer.push(placeOf(other, remote, other, local))
  return { own, peer }
}

/** @returns null where it does not stand there; 'asking' while the table is being read */
function queuesAt({ file, ends }: Place, maxAgeMs: number): string | null {
  const table = tableOf(file, maxAgeMs)
  return table === 'reading' ? 'asking' : (table.get(ends) ?? null)
}

/**
 * Asks the system how many bytes of a TCP connection it took and the peer did not: those that the peer's system has not
 * acknowledged, and, of a peer on this machine, also those that it has not read. On Linux it tells. Never throws.
 * @param maxAgeMs how old the answer may be; see {@link tableOf}
 * @returns null where it does not tell; 'asking' while a long table is read: ask again
 */
export function queuedBytes(key: QueueKey, maxAgeMs = Infinity): number | 'asking' | null {
  const queues = queuesAt(key.own, maxAgeMs)
  // All are asked before there is an answer: they are read at the same time.
  const atPeers = key.peer.map((place) => queuesAt(place, maxAgeMs))
  if (queues === 'asking' || atPeers.includes('asking')) return 'asking'
  if (queues === null) return null
  const unacknowledged = Number.parseInt(queues.slice(0, 8), 16)
  const atPeer = atPeers.find((one) => one !== null)
  return atPeer === undefined || atPeer === null
    ? unacknowledged
    : unacknowledged + Number.parseInt(atPeer.slice(9), 16)
}
