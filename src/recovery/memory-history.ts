import { randomUUID } from 'node:crypto'
import { number, readOptions, showValue, type Checks } from '../check.js'
import { showAs } from '../inspect.js'
import type { HistoryLimits, HistoryPage, HistoryStore, KeptMessage, Position } from './history.js'

/** The options of {@link memoryHistory}. */
export interface MemoryHistoryOptions {
  /** How many groups are kept; above it the one that was used least recently is forgotten. Default 10,000. */
  readonly maxGroups?: number | undefined
  /** The size of all messages together, in bytes; above it the oldest of the groups used least recently go. Default 64 MiB. */
  readonly maxBytes?: number | undefined
}

const CHECKS = {
  maxGroups: number({ min: 1, integer: true }, 10_000),
  maxBytes: number({ min: 1, integer: true }, 64 * 1024 * 1024),
} satisfies Checks<MemoryHistoryOptions>

/** What a message costs in memory beside its data, roughly, in bytes. */
const MESSAGE_BYTES = 96

interface Entry extends KeptMessage {
  readonly at: number
  readonly bytes: number
}

/** The messages of one group, the oldest first. */
class Ring {
  readonly epoch: string
  newest = 0
  bytes = 0
  maxAgeMs = Infinity
  private entries: Entry[] = []
  private head = 0

  constructor(epoch: string) {
    this.epoch = epoch
  }

  get size(): number {
    return this.entries.length - this.head
  }

  get oldest(): number {
    return this.newest - this.size + 1
  }

  push(data: string | Uint8Array, bytes: number, at: number): void {
    this.entries.push({ offset: ++this.newest, data, at, bytes })
    this.bytes += bytes
  }

  shift(): void {
    this.bytes -= (this.entries[this.head] as Entry).bytes
    this.head++
    if (this.head * 2 < this.entries.length) return
    this.entries = this.entries.slice(this.head)
    this.head = 0
  }

  /** Drops what is over the limits. */
  trim({ maxMessages, maxAgeMs }: HistoryLimits, now: number): void {
    this.maxAgeMs = maxAgeMs
    while (this.size > maxMessages || this.isOld(now)) this.shift()
  }

  /** Whether the oldest message is over its age. */
  isOld(now: number): boolean {
    return this.size > 0 && now - (this.entries[this.head] as Entry).at > this.maxAgeMs
  }

  after(offset: number, maxMessages: number): KeptMessage[] {
    const start = this.head + Math.max(0, offset + 1 - this.oldest)
    return this.entries.slice(start, start + maxMessages).map((entry) => ({
      offset: entry.offset,
      data: entry.data,
    }))
  }
}

/**
 * Whether epochs are those of a history in memory.
 * @returns null: the store is another one, which other processes may share
 */
export let epochsOf: (store: HistoryStore) => ((epoch: string) => boolean) | null

/** A history in the memory of this process. */
class MemoryHistory implements HistoryStore {
  static {
    epochsOf = (store) => {
      if (!(store instanceof MemoryHistory)) return null
      const start = `${store.#life}.`
      return (epoch) => epoch.startsWith(start)
    }
  }

  readonly #maxGroups: number
  readonly #maxBytes: number
  readonly #life = randomUUID()
  /** All groups, the one that was used least recently first. */
  readonly #rings = new Map<string, Ring>()
  /** Those that keep messages, by their last message. */
  readonly #filled = new Set<Ring>()
  /** How many groups were made: one that was forgotten and is made again has another epoch. */
  #made = 0
  #bytes = 0

  constructor({ maxGroups, maxBytes }: { readonly maxGroups: number; readonly maxBytes: number }) {
    this.#maxGroups = maxGroups
    this.#maxBytes = maxBytes
  }

  get groups(): number {
    return this.#rings.size
  }

  get bytes(): number {
    return this.#bytes
  }

  append(group: string, data: string | Uint8Array, limits: HistoryLimits): Position {
    const ring = this.#use(group)
    const kept = typeof data === 'string' ? data : new Uint8Array(data)
    const bytes = (typeof kept === 'string' ? Buffer.byteLength(kept) : kept.length) + MESSAGE_BYTES
    const now = performance.now()
    this.#change(ring, () => {
      ring.push(kept, bytes, now)
      ring.trim(limits, now)
    })
    this.#filled.delete(ring)
    if (ring.size > 0) this.#filled.add(ring)
    this.#makeRoom(now)
    return { epoch: ring.epoch, offset: ring.newest }
  }

  read(group: string, after: number, maxMessages: number, limits: HistoryLimits): HistoryPage {
    const ring = this.#use(group)
    this.#change(ring, () => {
      ring.trim(limits, performance.now())
    })
    const { epoch, newest, oldest } = ring
    return { epoch, newest, oldest, messages: ring.after(after, maxMessages) }
  }

  #use(group: string): Ring {
    const known = this.#rings.get(group)
    const ring = known ?? new Ring(`${this.#life}.${String(++this.#made)}`)
    if (known !== undefined) this.#rings.delete(group)
    this.#rings.set(group, ring)
    if (this.#rings.size > this.#maxGroups) {
      const [[name, least]] = this.#rings as unknown as [[string, Ring]]
      this.#rings.delete(name)
      this.#filled.delete(least)
      this.#bytes -= least.bytes
    }
    return ring
  }

  #change(ring: Ring, change: () => void): void {
    const { bytes } = ring
    change()
    this.#bytes += ring.bytes - bytes
    if (ring.size === 0) this.#filled.delete(ring)
  }

  #makeRoom(now: number): void {
    for (const ring of this.#filled) {
      // Also what is too old in groups that are quiet goes by and by.
      if (this.#bytes <= this.#maxBytes && !ring.isOld(now)) return
      const { bytes } = ring
      const others = this.#bytes - bytes
      while (ring.size > 0 && (others + ring.bytes > this.#maxBytes || ring.isOld(now))) ring.shift()
      this.#bytes = others + ring.bytes
      if (ring.size === 0) this.#filled.delete(ring)
    }
  }
}
showAs(MemoryHistory, 'MemoryHistory', ({ groups, bytes }) => ({ groups, bytes }))

/**
 * A history in memory: for one process, whose servers may share it. It is lost with the process: members are then told that what
 * they missed is gone.
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function memoryHistory(options: MemoryHistoryOptions = {}): HistoryStore {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw new TypeError(
      `MemoryHistoryOptions must be an object with maxGroups or maxBytes, or left out, not ${showValue(options)}`,
    )
  }
  return new MemoryHistory(readOptions('MemoryHistoryOptions', options, CHECKS))
}
