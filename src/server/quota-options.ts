import {
  checkNumber,
  numberOrOff,
  readOptions,
  showValue,
  type Check,
  type Checks,
  type NumberRule,
  type Read,
} from '../check.js'
import { RateLimit } from './rate-limit.js'
import type { ServerSocket } from './server-socket.js'

/** What a peer may have too much of. */
export type QuotaKind = 'messages' | 'bytes' | 'controlFrames'

/** What happens to a message or a control frame above a quota. */
export type QuotaAction = 'close' | 'pause' | 'drop' | 'allow'

/** What a function as `onExceeded` gets. */
export interface QuotaInfo {
  /** The quota that is exceeded. */
  readonly quota: QuotaKind
  /** The quota's average, as it is set. */
  readonly perSecond: number
  /** The quota's burst. */
  readonly burst: number
  /** How often this connection has exceeded a quota, this time included. */
  readonly excesses: number
}

/** Decides what happens above a quota. It must be synchronous. */
export type QuotaDecider = (socket: ServerSocket, info: QuotaInfo) => QuotaAction

/** How much one connection may send. A quota whose average is not given, or is `false` or `Infinity`, is off. */
export interface QuotaOptions {
  /** Messages, each second on average. */
  readonly messagesPerSecond?: number | false | undefined
  /** How many messages may come at once. Default: those of one second. */
  readonly messageBurst?: number | undefined
  /** Bytes of data frames, each second on average; a compressed message counts what it inflates to. */
  readonly bytesPerSecond?: number | false | undefined
  /** How many bytes may come at once. Default: those of one second, and at least twice `maxMessageBytes`. */
  readonly byteBurst?: number | undefined
  /** Pings and pongs, each second on average. */
  readonly controlFramesPerSecond?: number | false | undefined
  /** How many pings and pongs may come at once. Default: those of one second. */
  readonly controlFrameBurst?: number | undefined
  /**
   * What happens above a quota. Default `'close'`: the connection fails with 1008. `'pause'`: what came is taken, and the
   * socket does not read until the quota has room. `'drop'`: what came reaches no handler, and is counted.
   */
  readonly onExceeded?: 'close' | 'pause' | 'drop' | QuotaDecider | undefined
}

/** An average: at least one in 1000 s, so that every wait is finite. */
const AVERAGE: NumberRule = { min: 0.001, integer: false }
const BURST: NumberRule = { min: 1, max: Number.MAX_SAFE_INTEGER, integer: true }

/** A check for an average of a quota; `false` becomes `Infinity`, which is off. */
export const average: Check<number> = numberOrOff(AVERAGE, Infinity)
/** A check for a burst of a quota. */
export const burst: Check<number | undefined> = (name, value) =>
  value === undefined ? undefined : checkNumber(name, value, BURST)

const ACTIONS: readonly unknown[] = ['close', 'pause', 'drop']

function readAction(name: string, value: unknown): Exclude<QuotaAction, 'allow'> | QuotaDecider | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'function' && !ACTIONS.includes(value)) {
    throw new TypeError(`${name} must be 'close', 'pause', 'drop' or a function, not ${showValue(value)}`)
  }
  return value as Exclude<QuotaAction, 'allow'> | QuotaDecider
}

const CHECKS = {
  messagesPerSecond: average,
  messageBurst: burst,
  bytesPerSecond: average,
  byteBurst: burst,
  controlFramesPerSecond: average,
  controlFrameBurst: burst,
  onExceeded: readAction,
} satisfies Checks<QuotaOptions>

/** The options that turn a quota on. */
const AVERAGES = ['messagesPerSecond', 'bytesPerSecond', 'controlFramesPerSecond']

/** The names of the options. */
export const QUOTA_NAMES = Object.freeze(Object.keys(CHECKS))

/**
 * The error for an option that has no effect without others.
 * @param prefix stands before the names of the others
 */
export function needs(option: string, prefix: string, others: readonly string[]): TypeError {
  const [last = '', ...rest] = others.map((name) => prefix + name).reverse()
  const list =
    rest.length === 0 ? `${last}, which is off` : `${rest.reverse().join(', ')} or ${last}, which are off`
  return new TypeError(`${option} needs ${list}`)
}

/**
 * Makes the limit of an average and a burst.
 * @param names of the two options, as errors name them
 * @param least what the default of the burst is at least
 * @returns null: there is no average, so that the quota is off
 * @throws TypeError for a burst without an average
 */
export function rateOf(
  [perSecondName, burstName]: readonly [string, string],
  perSecond: number,
  given: number | undefined,
  least = 1,
): RateLimit | null {
  if (perSecond !== Infinity) {
    return new RateLimit(perSecond, given ?? Math.max(Math.ceil(perSecond), least))
  }
  if (given !== undefined) throw needs(burstName, '', [perSecondName])
  return null
}

/** The quotas of the connections of a server or a service: checked, with every default filled in. */
export class ConnectionQuotas {
  readonly messages: RateLimit | null
  readonly bytes: RateLimit | null
  readonly controlFrames: RateLimit | null
  readonly onExceeded: Exclude<QuotaAction, 'allow'> | QuotaDecider
  private readonly read: Read<typeof CHECKS>
  private readonly prefix: string

  /** @param maxMessageBytes the largest message, which the default of `byteBurst` lets pass */
  constructor(read: Read<typeof CHECKS>, prefix: string, maxMessageBytes: number) {
    this.read = read
    this.prefix = prefix
    this.onExceeded = read.onExceeded ?? 'close'
    const names = (average: string, burst: string): readonly [string, string] => [
      prefix + average,
      prefix + burst,
    ]
    this.messages = rateOf(
      names('messagesPerSecond', 'messageBurst'),
      read.messagesPerSecond,
      read.messageBurst,
    )
    this.bytes = rateOf(
      names('bytesPerSecond', 'byteBurst'),
      read.bytesPerSecond,
      read.byteBurst,
      Math.max(1, 2 * maxMessageBytes),
    )
    this.controlFrames = rateOf(
      names('controlFramesPerSecond', 'controlFrameBurst'),
      read.controlFramesPerSecond,
      read.controlFrameBurst,
    )
  }

  /** Whether every quota is off. */
  get isOff(): boolean {
    return this.messages === null && this.bytes === null && this.controlFrames === null
  }

  /** The same quotas for connections with another `maxMessageBytes`. */
  withMaxMessageBytes(maxMessageBytes: number): ConnectionQuotas {
    return new ConnectionQuotas(this.read, this.prefix, maxMessageBytes)
  }
}

/**
 * Checks the quotas of a server or a service.
 * @returns null: all are off; undefined: none are given
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for an option that needs a quota which is off
 */
export function readQuotas(name: string, value: unknown): ConnectionQuotas | null | undefined {
  if (value === undefined) return undefined
  if (value === false) return null
  const prefix = `${name}.`
  const read = readOptions(name, value as QuotaOptions, CHECKS, { prefix })
  const quotas = new ConnectionQuotas(read, prefix, 0)
  if (!quotas.isOff) return quotas
  if (read.onExceeded !== undefined) throw needs(`${prefix}onExceeded`, prefix, AVERAGES)
  return null
}
