import { number, readOptions, type Checks } from '../check.js'
import { HandshakeError, withoutStack, type HandshakeErrorCode } from '../errors.js'
import { addressKey } from './ip-address.js'
import { average, burst, needs, rateOf } from './quota-options.js'
import type { QuotaStats } from './quota-stats.js'
import type { RateLimit } from './rate-limit.js'

/** How many handshakes a server takes. A quota whose average is not given, or is `false` or `Infinity`, is off. */
export interface HandshakeQuotaOptions {
  /** Handshakes of all addresses together, each second on average. Above it an upgrade gets 503. */
  readonly perSecond?: number | false | undefined
  /** How many of them may come at once. Default: those of one second. */
  readonly burst?: number | undefined
  /** Handshakes of one address, each second on average; IPv6 by its first 64 bits. Above it an upgrade gets 429. */
  readonly perSecondPerAddress?: number | false | undefined
  /** How many of them may come at once. Default: those of one second. */
  readonly burstPerAddress?: number | undefined
  /** How many addresses are kept; above it those that were seen longest ago are forgotten. Default 65,536. */
  readonly maxAddresses?: number | undefined
}

const DEFAULT_MAX_ADDRESSES = 65_536

const CHECKS = {
  perSecond: average,
  burst,
  perSecondPerAddress: average,
  burstPerAddress: burst,
  maxAddresses: number({ min: 2, max: 2 ** 24, integer: true }, undefined),
} satisfies Checks<HandshakeQuotaOptions>

/** The names of the options. */
export const HANDSHAKE_QUOTA_NAMES = Object.freeze(Object.keys(CHECKS))

/** Clients that a busy server refuses are told to come back at any time of this many seconds, so that they do not all come at once. */
const SPREAD_SECONDS = 10

/** A handshake above a quota. */
export class HandshakeRefusal extends HandshakeError {
  /** When to come back, in whole seconds: the value of Retry-After. */
  readonly retryAfterSeconds: number
  /** What counts it. */
  readonly counted: keyof QuotaStats

  constructor(code: HandshakeErrorCode, retryAfterSeconds: number, counted: keyof QuotaStats) {
    super(code)
    this.retryAfterSeconds = retryAfterSeconds
    this.counted = counted
  }
}

const refuse = (code: HandshakeErrorCode, waitMs: number, counted: keyof QuotaStats): HandshakeRefusal =>
  withoutStack(() => new HandshakeRefusal(code, Math.max(1, Math.ceil(waitMs / 1000)), counted))

/**
 * The states of the buckets of many addresses: of two generations, of which the older is dropped when the younger is full, or
 * when every bucket in it is full again. So a lookup and a change are one or two steps each, whatever the number of addresses,
 * and nothing sweeps.
 */
export class AddressTable {
  private young = new Map<string, number>()
  private old = new Map<string, number>()
  private readonly maxYoung: number
  private readonly fillMs: number
  private turnedAt = -Infinity

  /**
   * @param maxAddresses how many addresses are kept at most, at least 2
   * @param fillMs how long after its last change a bucket is full, and needs no entry
   */
  constructor(maxAddresses: number, fillMs: number) {
    this.maxYoung = Math.floor(maxAddresses / 2)
    this.fillMs = fillMs
  }

  /** How many entries there are. */
  get size(): number {
    return this.young.size + this.old.size
  }

  get(key: string): number {
    return this.young.get(key) ?? this.old.get(key) ?? -Infinity
  }

  set(key: string, fullAt: number, now: number): void {
    if ((this.young.size >= this.maxYoung && !this.young.has(key)) || now - this.turnedAt >= this.fillMs) {
      this.old = this.young
      this.young = new Map()
      this.turnedAt = now
    }
    this.young.set(key, fullAt)
  }
}

/** The handshakes of a server against its quotas. It has no clock: the caller passes times in milliseconds. */
export class HandshakeQuotas {
  private readonly all: RateLimit | null
  private readonly each: RateLimit | null
  private allFullAt = -Infinity
  private readonly addresses: AddressTable | null

  constructor(all: RateLimit | null, each: RateLimit | null, maxAddresses: number) {
    this.all = all
    this.each = each
    this.addresses = each === null ? null : new AddressTable(maxAddresses, each.fillMs)
  }

  /** How many addresses are kept. */
  get addressCount(): number {
    return this.addresses?.size ?? 0
  }

  /**
   * Counts a handshake. One that is refused takes nothing from any quota, so that an address which is over its own leaves that
   * of all to the others.
   * @param address of the client; empty: none, and only the quota of all counts
   * @returns null: it may go on
   */
  refusal(address: string, now: number): HandshakeRefusal | null {
    const { all, each, addresses } = this
    const key = each === null || address === '' ? '' : addressKey(address)
    const fullAt = addresses === null || key === '' ? -Infinity : addresses.get(key)
    if (each !== null && key !== '' && !each.admits(fullAt, now, 1)) {
      return refuse('HAWSER_TOO_MANY_HANDSHAKES', each.nextAt(fullAt) - now, 'handshakesOfAddress')
    }
    if (all !== null) {
      if (!all.admits(this.allFullAt, now, 1)) {
        const waitMs = all.nextAt(this.allFullAt) - now + Math.random() * SPREAD_SECONDS * 1000
        return refuse('HAWSER_SERVER_BUSY', waitMs, 'handshakes')
      }
      this.allFullAt = all.take(this.allFullAt, now, 1)
    }
    if (each !== null && key !== '') addresses?.set(key, each.take(fullAt, now, 1), now)
    return null
  }
}

/**
 * Checks the option `handshakeQuotas` and makes the quotas.
 * @returns null: all are off
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function readHandshakeQuotas(name: string, value: unknown): HandshakeQuotas | null {
  if (value === undefined || value === false) return null
  const prefix = `${name}.`
  const read = readOptions(name, value as HandshakeQuotaOptions, CHECKS, { prefix })
  const all = rateOf([`${prefix}perSecond`, `${prefix}burst`], read.perSecond, read.burst)
  const each = rateOf(
    [`${prefix}perSecondPerAddress`, `${prefix}burstPerAddress`],
    read.perSecondPerAddress,
    read.burstPerAddress,
  )
  if (each === null && read.maxAddresses !== undefined) {
    throw needs(`${prefix}maxAddresses`, prefix, ['perSecondPerAddress'])
  }
  if (all === null && each === null) return null
  return new HandshakeQuotas(all, each, read.maxAddresses ?? DEFAULT_MAX_ADDRESSES)
}
