import { closeSync, openSync, readSync } from 'node:fs'
import { monotonicNow } from './timer-wheel.js'

/** One end of a TCP connection, as Node writes it. */
export interface Endpoint {
  /** IPv4 or IPv6, also an IPv4 address as an IPv6 one; a zone (`%eth0`) is left out. */
  readonly address: string
  readonly port: number
}

/** Where Linux tells of the TCP connections of this network namespace (proc(5)). */
const FILES = { 4: '/proc/net/tcp', 16: '/proc/net/tcp6' } as const

/** A table that is read at once is good for so many times what that took: all looks together cost a twentieth of the time at most. */
const KEPT_PER_COST = 20
/**
 * A long table is good for half as long, and for a second at most, as a peer that stalls is found late by that: while one may stall, a
 * tenth of the time is spent on it, a quarter with 15,000 connections, half at {@link MAX_TABLE_BYTES}.
 */
const LONG_KEPT_PER_COST = 10
const MAX_LONG_KEPT_MS = 1_000
const MIN_KEPT_MS = 50
/** So much of a table is read in one turn of the event loop, some 850 connections: a few milliseconds. */
const BYTES_PER_TURN = 128 * 1024
/** A longer table, of more than some 50,000 connections, is not read to its end: each reading costs its time. */
const MAX_TABLE_BYTES = 8 * 1024 * 1024

/** `local remote` to `tx_queue:rx_queue`: bytes that were sent and not acknowledged, and received and not read. */
type Table = ReadonlyMap<string, string>

interface KeptTable {
  readonly table: Table
  readonly readAt: number
  readonly goodUntil: number
  /** Whether it took more than one turn of the event loop. It is not read again before {@link goodUntil}. */
  readonly isLong: boolean
}

const kept = new Map<string, KeptTable>()
/** What is being read. */
const readings = new Map<string, Reading>()

/** The system gives a page at each read. */
const PAGE = Buffer.allocUnsafeSlow(16 * 1024)

/** A line's addresses, and its queues: `0: 0100007F:A15F 0100007F:9015 01 0000FFFF:00000000 …`. */
const LINE = /^ *\d+: ([0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4}) [0-9A-F]{2} ([0-9A-F]{8}:[0-9A-F]{8}) /gm

/** One reading of a table: a part of it in each turn of the event loop. */
class Reading {
  private readonly path: string
  private readonly table = new Map<string, string>()
  /** null: the file could not be opened, or was read to its end. */
  private file: number | null
  private rest = ''
  private total = 0
  private costMs = 0
  private turns = 0
  private readonly beganAt = monotonicNow()

  constructor(path: string) {
    this.path = path
    try {
      this.file = openSync(path, 'r')
    } catch {
      this.file = null
    }
  }

  /** Reads the next part. @returns the table, if that was the last one */
  next(): KeptTable | null {
    const from = monotonicNow()
    try {
      const until = Math.min(this.total + BYTES_PER_TURN, MAX_TABLE_BYTES)
      while (this.file !== null && this.total < until) this.readPage(this.file)
      if (this.total >= MAX_TABLE_BYTES) this.close()
    } catch {
      // What was read so far is as good as ever.
      this.close()
    }
    const readAt = monotonicNow()
    this.costMs += readAt - from
    this.turns++
    if (this.file !== null) return null
    const isLong = this.turns > 1
    const keptMs = isLong
      ? Math.min(LONG_KEPT_PER_COST * this.costMs, MAX_LONG_KEPT_MS)
      : KEPT_PER_COST * this.costMs
    // As long as reading it took by the clock: two tables that are asked together are good at the same time.
    const goodUntil = readAt + Math.max(keptMs, MIN_KEPT_MS, readAt - this.beganAt)
    const read = { table: this.table, readAt, goodUntil, isLong }
    readings.delete(this.path)
    kept.set(this.path, read)
    return read
  }

  private readPage(file: number): void {
    const count = readSync(file, PAGE)
    this.total += count
    if (count === 0) this.close()
    const text = this.rest + PAGE.toString('latin1', 0, count)
    const end = text.lastIndexOf('\n') + 1
    for (const [, ends, queues] of text.slice(0, end).matchAll(LINE)) {
      this.table.set(ends as string, queues as string)
    }
    this.rest = text.slice(end)
  }

  private close(): void {
    if (this.file === null) return
    const { file } = this
    this.file = null
    closeSync(file)
  }
}

/** Reads on in later turns, to the end: the event loop does not sleep before it. */
function readOn(reading: Reading): void {
  setImmediate(() => {
    if (reading.next() === null) readOn(reading)
  })
}

/** @returns undefined while it is being read */
function tableOf(path: string, maxAgeMs: number): Table | undefined {
  const now = monotonicNow()
  const known = kept.get(path)
  if (known !== undefined && now < known.goodUntil) {
    if (now < known.readAt + maxAgeMs) return known.table
    if (known.isLong) return undefined
  }
  if (readings.has(path)) return undefined
  const reading = new Reading(path)
  const read = reading.next()
  if (read !== null) return read.table
  readings.set(path, reading)
  readOn(reading)
  return undefined
}

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

/** @returns null where it does not stand there; undefined while the table is being read */
function queuesAt({ file, ends }: Place, maxAgeMs: number): string | null | undefined {
  const table = tableOf(file, maxAgeMs)
  return table === undefined ? undefined : (table.get(ends) ?? null)
}

/**
 * Asks the system how many bytes of a TCP connection it took and the peer did not: those that the peer's system has not
 * acknowledged, and, of a peer on this machine, also those that it has not read. On Linux it tells. Never throws. The answer
 * may be {@link MIN_KEPT_MS} old, or so old that all asking takes a twentieth of the time; with a long
 * table a second and a reading old.
 * @param maxAgeMs and not older than this
 * @returns null where it does not tell; undefined while a long table is read, in turns: ask again
 */
export function queuedBytes(key: QueueKey, maxAgeMs = Infinity): number | null | undefined {
  const queues = queuesAt(key.own, maxAgeMs)
  // All are asked before there is an answer: they are read at the same time.
  const atPeers = key.peer.map((place) => queuesAt(place, maxAgeMs))
  if (queues === undefined || atPeers.includes(undefined)) return undefined
  if (queues === null) return null
  const unacknowledged = Number.parseInt(queues.slice(0, 8), 16)
  const atPeer = atPeers.find((one) => typeof one === 'string')
  return typeof atPeer === 'string' ? unacknowledged + Number.parseInt(atPeer.slice(9), 16) : unacknowledged
}
