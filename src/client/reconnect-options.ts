import {
  boolean,
  number,
  oneOf,
  optionalFunction,
  readOptions,
  showValue,
  type Advice,
  type Check,
  type Checks,
  type Read,
} from '../check.js'
import type { OutboxBounds } from './outbox.js'
import type { ReconnectCause } from './retry-rule.js'

/** The option `outbox` of {@link ReconnectOptions}. */
export interface OutboxOptions {
  /** How many messages wait for a connection, at most. Default: 1,000. */
  readonly maxMessages?: number
  /** How many bytes of messages wait for a connection, at most. Default: 1 MiB. */
  readonly maxBytes?: number
  /**
   * Whether messages are sent again, before the others, if bytes were still unsent when the connection was lost: those sent
   * since the system had last taken everything. They may arrive twice. Default: false.
   */
  readonly resend?: boolean
}

/** The option `reconnect` of {@link connect}: when a client connects again, and what it does meanwhile. */
export interface ReconnectOptions {
  /** Whether a failure of the first attempt is retried as well. Default: false, `connect` rejects with it. */
  readonly retryFirst?: boolean
  /** The delay before the first attempt, in milliseconds. Default: 500. */
  readonly minDelayMs?: number
  /** The upper end of the delay, in milliseconds. Default: 30 s. */
  readonly maxDelayMs?: number
  /** By which the delay grows with each failed attempt. Default: 2. */
  readonly factor?: number
  /** The part of the delay that is random, 0 to 1. Default: 1, anything between 0 and the delay. */
  readonly jitter?: number
  /** Failed attempts in a row, after which the client gives up. Default: Infinity. */
  readonly maxAttempts?: number
  /** A connection that lived this long, in milliseconds, is a success; a shorter one is a failed attempt. Default: 5 s. */
  readonly stableAfterMs?: number
  /** A longer `Retry-After` is cut to this, in milliseconds. Default: 5 min. */
  readonly maxRetryAfterMs?: number
  /**
   * Whether to connect again: undefined is the default rule. Not asked after a close by this side. What it throws is reported
   * as a handler's error, and the default rule decides.
   */
  readonly shouldReconnect?: ((cause: ReconnectCause) => boolean | undefined) | undefined
  /**
   * `'wait'` (default): `receive`, loops, `write` and `drained` wait for the next connection; `'fail'`: they reject with the
   * ConnectionClosedError of the lost one.
   */
  readonly whileReconnecting?: 'wait' | 'fail'
  /** Keeps messages that are sent while there is no connection. Default: false, `send` returns false and drops them. */
  readonly outbox?: boolean | OutboxOptions
  /** Called before each delay. */
  readonly onReconnecting?:
    | ((event: {
        /** 1 for the first attempt since a connection was good. */
        readonly attempt: number
        /** The delay before the attempt, in milliseconds. */
        readonly delayMs: number
        /** Why there is no connection. */
        readonly cause: ReconnectCause
      }) => unknown)
    | undefined
  /** Called once there is a connection again, after `onOpen`. */
  readonly onReconnected?:
    | ((event: {
        /** The number of the attempt that succeeded. */
        readonly attempt: number
        /** The URL of the connection, without credentials. */
        readonly url: string
      }) => unknown)
    | undefined
  /** Called when the client stops by itself, before `socket.closed` resolves. */
  readonly onGivenUp?:
    | ((event: {
        /** Why there is no connection. */
        readonly cause: ReconnectCause
        /** Failed attempts since a connection was good. */
        readonly attempts: number
      }) => unknown)
    | undefined
}

/** What a timer of Node holds, in milliseconds. */
const MAX_TIMER_MS = 0x7fff_ffff

const delay = { min: 0, max: MAX_TIMER_MS, integer: false } as const

const OUTBOX_CHECKS = {
  maxMessages: number({ min: 1, integer: true }, 1_000),
  maxBytes: number({ min: 1, integer: true }, 1024 * 1024),
  resend: boolean(false),
} satisfies Checks<OutboxOptions>

/** The options of an outbox, with every default filled in. */
export interface ResolvedOutboxOptions extends OutboxBounds {
  readonly resend: boolean
}

const outbox: Check<ResolvedOutboxOptions | null> = (name, value) => {
  if (value === undefined || value === false) return null
  const given = value === true ? {} : value
  return readOptions(name, given as OutboxOptions, OUTBOX_CHECKS, { prefix: `${name}.` })
}

const CHECKS = {
  retryFirst: boolean(false),
  minDelayMs: number(delay, 500),
  maxDelayMs: number(delay, 30_000),
  factor: number({ min: 1, max: 1_000, integer: false }, 2),
  jitter: number({ min: 0, max: 1, integer: false }, 1),
  maxAttempts: number({ min: 1, integer: true }, Infinity),
  stableAfterMs: number({ min: 0, integer: false }, 5_000),
  maxRetryAfterMs: number(delay, 300_000),
  shouldReconnect: optionalFunction<ReconnectOptions['shouldReconnect']>(),
  whileReconnecting: oneOf<'wait' | 'fail'>(['wait', 'fail'], 'wait'),
  outbox,
  onReconnecting: optionalFunction<ReconnectOptions['onReconnecting']>(),
  onReconnected: optionalFunction<ReconnectOptions['onReconnected']>(),
  onGivenUp: optionalFunction<ReconnectOptions['onGivenUp']>(),
} satisfies Checks<ReconnectOptions>

const ADVICE = {
  prefix: 'reconnect.',
  instead: {
    interval: 'use minDelayMs',
    maxWaitInterval: 'use maxDelayMs',
    backOffFactor: 'use factor',
    maxCount: 'use maxAttempts',
    maxRetries: 'use maxAttempts',
    minReconnectionDelay: 'use minDelayMs',
    maxReconnectionDelay: 'use maxDelayMs',
    reconnectionDelayGrowFactor: 'use factor',
    minUptime: 'use stableAfterMs',
    maxEnqueuedMessages: 'use outbox.maxMessages',
  },
} satisfies Advice

/** The options of reconnecting, with every default filled in. */
export type ResolvedReconnectOptions = Read<typeof CHECKS>

/**
 * Checks the option `reconnect`.
 * @returns null: it is off
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function resolveReconnectOptions(value: unknown): ResolvedReconnectOptions | null {
  if (value === undefined || value === false) return null
  if (value !== true && (typeof value !== 'object' || value === null)) {
    throw new TypeError(`reconnect must be true, false or an object, not ${showValue(value)}`)
  }
  const given = value === true ? {} : (value as ReconnectOptions)
  const options = readOptions('reconnect', given, CHECKS, ADVICE)
  const { minDelayMs, maxDelayMs } = options
  if (minDelayMs <= maxDelayMs) return options
  // The caller set one of the two: the other follows.
  if (given.maxDelayMs === undefined) return { ...options, maxDelayMs: minDelayMs }
  if (given.minDelayMs === undefined) return { ...options, minDelayMs: maxDelayMs }
  throw new RangeError(
    `reconnect.minDelayMs must be at most reconnect.maxDelayMs, ${String(maxDelayMs)}, not ${String(minDelayMs)}`,
  )
}
