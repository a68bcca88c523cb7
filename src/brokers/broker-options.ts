import { number, readOptions, showValue, type Check, type Checks } from '../check.js'

/** The options of a backplane over a broker. */
export interface BrokerOptions {
  /**
   * What the names of all channels and keys begin with: the servers that share it form one whole. 1 to 64 letters, digits and
   * `_ - .`. Default `hawser`.
   */
  readonly prefix?: string | undefined
  /** How many bytes may be published and not yet confirmed before more is lost. Default 16 MiB. */
  readonly maxQueuedBytes?: number | undefined
  /** The largest message to and from the broker, in bytes: a larger one is lost. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /**
   * A connection over which no message comes back to this node for this long is given up, and made again. Also how long
   * each answer of the broker may take while one is made. Default 10 s.
   */
  readonly stallTimeoutMs?: number | undefined
}

const MAX_TIMER_MS = 0x7fff_ffff
const BYTES = { min: 1024, max: 512 * 1024 * 1024, integer: true }
const PREFIX = /^[\w.-]{1,64}$/

const prefix: Check<string> = (name, value) => {
  if (value === undefined) return 'hawser'
  if (typeof value === 'string' && PREFIX.test(value)) return value
  const message = `${name} must be 1 to 64 letters, digits, and _ - ., not ${showValue(value)}`
  throw typeof value === 'string' ? new RangeError(message) : new TypeError(message)
}

/** The checks of {@link BrokerOptions}. */
export const BROKER_CHECKS = {
  prefix,
  maxQueuedBytes: number({ min: 1024, integer: false }, 16 * 1024 * 1024),
  maxMessageBytes: number(BYTES, 16 * 1024 * 1024),
  stallTimeoutMs: number({ min: 100, max: MAX_TIMER_MS, integer: false }, 10_000),
} satisfies Checks<BrokerOptions>

/** The options, with their defaults. */
export type ResolvedBrokerOptions = {
  readonly [Name in keyof BrokerOptions]-?: NonNullable<BrokerOptions[Name]>
}

/** @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name */
export const resolveBrokerOptions = (options: BrokerOptions): ResolvedBrokerOptions =>
  readOptions('options', options, BROKER_CHECKS)
