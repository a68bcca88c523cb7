import { closeSync, openSync, readSync } from 'node:fs'
import { monotonicNow } from './timer-wheel.js'

/** A table that is read at once is good for so many times what that took: all looks together cost a twentieth of the time at most. */
const KEPT_PER_COST = 20
/**
 * A long table is good for half as long, and for a second at most, as a peer that stalls is found late by that: while one may stall, a
 * tenth of the time is spent on it, up to a quarter with 30,000 rows.
 */
const LONG_KEPT_PER_COST = 10
const MAX_LONG_KEPT_MS = 1_000
const MIN_KEPT_MS = 50
/** So much of a table is read in one turn of the event loop, some 850 rows: that took 5 ms where 30,000 rows took 190. */
const BYTES_PER_TURN = 128 * 1024
/** A longer table, of more than some 50,000 connections, is not read to its end: each reading costs its time. */
const MAX_TABLE_BYTES = 8 * 1024 * 1024

/** `local remote` to `tx_queue:rx_queue`: bytes that were sent and not acknowledged, and received and not read. */
export type Table = ReadonlyMap<string, string>

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
    this.keep(read)
    return read
  }

  /** A table that is not good any more is not kept: it can have megabytes. */
  private keep(read: KeptTable): void {
    kept.set(this.path, read)
    const drop = (): void => {
      if (kept.get(this.path) === read) kept.delete(this.path)
    }
    setTimeout(drop, read.goodUntil - read.readAt).unref()
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

/** How many tables are kept. */
export const keptCount = (): number => kept.size

/**
 * The table at a path. Never throws: a file that cannot be read is an empty table.
 * @param maxAgeMs how old it may be. It may be {@link MIN_KEPT_MS} old all the same, or so old that all reading takes a twentieth of the
 *   time; a long one a second and a reading
 * @returns 'reading' while a long table is read, in turns: ask again
 */
export function tableOf(path: string, maxAgeMs: number): Table | 'reading' {
  const now = monotonicNow()
  const known = kept.get(path)
  if (known !== undefined && now < known.goodUntil) {
    if (now < known.readAt + maxAgeMs) return known.table
    if (known.isLong) return 'reading'
  }
  if (readings.has(path)) return 'reading'
  const reading = new Reading(path)
  const read = reading.next()
  if (read !== null) return read.table
  readings.set(path, reading)
  readOn(reading)
  return 'reading'
}
