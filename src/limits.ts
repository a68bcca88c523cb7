/**
 * The limits of one connection that an application may set, in one frozen object, with units in the names. `Infinity` and
 * `false` turn a limit off. Limits of other things are options of their rooms, such as `hub/hub-limits.ts`.
 */

import { numberOrOff, readOptions, unchecked, type Check, type Checks, type NumberRule } from './check.js'

/** The limits as a connection uses them. All sizes are in bytes, all times in milliseconds or fractions of them. */
export interface Limits {
  /** The size of a message, after inflating and over all its fragments. Default: server 1 MiB, client 16 MiB. */
  readonly maxMessageBytes: number
  /** The size of the payload of one frame. Default: off, so that only `maxMessageBytes` applies. */
  readonly maxFrameBytes: number
  /** How much output may wait after the message on its way, before `slowConsumer` decides. Default 1 MiB. */
  readonly maxBufferedOutputBytes: number
  /** `send` returns false while more output than this waits. Default 64 KiB. */
  readonly highWaterMarkBytes: number
  /** How many pongs may wait unsent. Above it only the newest ping is answered (RFC 6455 5.5.3). Default 16. */
  readonly maxPendingPongs: number
  /** How many messages may wait for a handler or a reader, before the socket stops reading. Default 64. */
  readonly maxQueuedMessages: number
  /** The size of these messages together, before the socket stops reading. Default 1 MiB. */
  readonly maxQueuedBytes: number
  /** The size of the head of a handshake. Default 16 KiB. */
  readonly maxHeaderBytes: number
  /** How long the opening handshake may take in total: DNS, TCP, TLS and HTTP. Default 10 s. */
  readonly handshakeTimeoutMs: number
  /** While output waits, cut a peer that takes less than 1 KiB of it within this time. Default 30 s. */
  readonly sendTimeoutMs: number
  /** While the connection closes, cut it when no byte moves for this long. Default 10 s. */
  readonly closeTimeoutMs: number
  /** Send a ping when nothing has moved for this long, and again after each further interval. Default 30 s. */
  readonly heartbeatIntervalMs: number
  /** Cut the connection when nothing has moved for this long after the first of these pings. Default 30 s. */
  readonly heartbeatTimeoutMs: number
  /** Close the connection with 1001, after `onIdleTimeout`, when no byte of a data frame was received for this long. Default: off. */
  readonly idleTimeoutMs: number
}

const SHARED = {
  maxFrameBytes: Infinity,
  maxBufferedOutputBytes: 1024 * 1024,
  highWaterMarkBytes: 64 * 1024,
  maxPendingPongs: 16,
  maxQueuedMessages: 64,
  maxQueuedBytes: 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  handshakeTimeoutMs: 10_000,
  sendTimeoutMs: 30_000,
  closeTimeoutMs: 10_000,
  heartbeatIntervalMs: 30_000,
  heartbeatTimeoutMs: 30_000,
  idleTimeoutMs: Infinity,
}

/** The defaults of a server: it is exposed, so they are tight. */
export const SERVER_LIMITS: Limits = Object.freeze({ maxMessageBytes: 1024 * 1024, ...SHARED })

/** The defaults of a client. */
export const CLIENT_LIMITS: Limits = Object.freeze({ maxMessageBytes: 16 * 1024 * 1024, ...SHARED })

/** Any part of the limits, as a caller gives them. `false` turns a limit off. */
export type LimitOptions = { readonly [Name in keyof Limits]?: number | false | undefined }

/**
 * A text message becomes one string, and this is the length of the longest string of V8 (0x1fffffe8 characters, Node
 * 20). A `maxMessageBytes` that is off, or larger, is lowered to it.
 */
export const MAX_MESSAGE_BYTES_CEILING = 0x1fffffe8

const bytes: NumberRule = { min: 0, integer: true }
const count: NumberRule = { min: 1, integer: true }
const time: NumberRule = { min: 0, integer: false }
// node:http takes zero for "off", and everything else for "always too late".
const longTime: NumberRule = { min: 1, integer: false }

const RULES: { readonly [Name in keyof Limits]: NumberRule } = {
  maxMessageBytes: bytes,
  maxFrameBytes: bytes,
  maxBufferedOutputBytes: bytes,
  highWaterMarkBytes: bytes,
  maxPendingPongs: count,
  maxQueuedMessages: count,
  maxQueuedBytes: count,
  maxHeaderBytes: { min: 64, integer: true },
  handshakeTimeoutMs: longTime,
  sendTimeoutMs: longTime,
  closeTimeoutMs: time,
  heartbeatIntervalMs: time,
  heartbeatTimeoutMs: time,
  idleTimeoutMs: time,
}

type LimitCheck = Check<number | undefined>

/** A check for each limit: `undefined` stays `undefined`, and `false` becomes `Infinity`. */
export const LIMIT_CHECKS = Object.freeze(
  Object.fromEntries(Object.entries(RULES).map(([name, rule]) => [name, numberOrOff(rule, undefined)])),
) as { readonly [Name in keyof Limits]: LimitCheck } satisfies Checks<LimitOptions>

/** The names of all limits. */
export const LIMIT_NAMES = Object.freeze(Object.keys(RULES)) as readonly (keyof Limits)[]

/** The results of this file: a server checks its limits once, and its connections share them. */
const RESOLVED = new WeakSet<object>([SERVER_LIMITS, CLIENT_LIMITS])

function resolved(limits: Record<string, number>): Limits {
  limits['maxMessageBytes'] = Math.min(limits['maxMessageBytes'] as number, MAX_MESSAGE_BYTES_CEILING)
  RESOLVED.add(limits)
  return Object.freeze(limits) as unknown as Limits
}

/**
 * Checks limits and fills in the defaults.
 * @param options any part of the limits; `Infinity` and `false` mean off, `undefined` means the default
 * @param defaults {@link SERVER_LIMITS} or {@link CLIENT_LIMITS}
 * @returns a frozen object with every limit
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name
 */
export function resolveLimits(options: LimitOptions | undefined, defaults: Limits): Limits {
  if (options === undefined) return defaults
  if (RESOLVED.has(options)) return options as Limits
  const given = readOptions('limits', options, LIMIT_CHECKS, { prefix: 'limits.' })
  const limits: Record<string, number> = { ...defaults }
  for (const name of LIMIT_NAMES) limits[name] = given[name] ?? defaults[name]
  keepMarkBelowLimit(limits, given.highWaterMarkBytes !== undefined)
  return resolved(limits)
}

/** A high-water mark above the limit would have no effect: the connection would be given up before. */
function keepMarkBelowLimit(limits: Record<string, number>, isMarkGiven: boolean): void {
  const limit = limits['maxBufferedOutputBytes'] as number
  const mark = limits['highWaterMarkBytes'] as number
  if (mark <= limit || (mark === Infinity && isMarkGiven)) return
  if (isMarkGiven) {
    throw new RangeError(
      `limits.highWaterMarkBytes must be at most limits.maxBufferedOutputBytes, ${String(limit)}, not ${String(mark)}`,
    )
  }
  limits['highWaterMarkBytes'] = limit
}

/** The times among the limits. They may also be given beside `limits`, as options of their own. */
export const TIMEOUT_NAMES = Object.freeze([
  'handshakeTimeoutMs',
  'sendTimeoutMs',
  'closeTimeoutMs',
  'idleTimeoutMs',
  'heartbeatIntervalMs',
  'heartbeatTimeoutMs',
] as const)

/** The times as options beside `limits`. {@link Limits} describes each. */
export type TimeoutOptions = Pick<LimitOptions, (typeof TIMEOUT_NAMES)[number]>

/** A check for each time, and for the `limits` beside them, which {@link gatherLimits} checks. */
export const LIMITS_AND_TIMEOUTS = {
  limits: unchecked<LimitOptions | undefined>(),
  ...(Object.fromEntries(TIMEOUT_NAMES.map((name) => [name, LIMIT_CHECKS[name]])) as Pick<
    typeof LIMIT_CHECKS,
    (typeof TIMEOUT_NAMES)[number]
  >),
} satisfies Checks<TimeoutOptions & { readonly limits?: LimitOptions | undefined }>

/** For limits that are given beside `limits`: what to use instead. `maxPayload` is the name that `ws` has. */
export const LIMIT_ADVICE: Readonly<Record<string, string>> = {
  ...Object.fromEntries(LIMIT_NAMES.map((name) => [name, `use limits.${name}`])),
  maxPayload: 'use limits.maxMessageBytes',
}

/**
 * Checks the limits of a server or a client and fills in the defaults: `limits`, and the times beside it.
 * @returns a frozen object with every limit: the defaults themselves if nothing is given
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for a time that is given twice
 */
export function gatherLimits(
  options: TimeoutOptions & { readonly limits?: LimitOptions | undefined },
  defaults: Limits,
): Limits {
  const limits = resolveLimits(options.limits, defaults)
  let merged: Record<string, number> | null = null
  for (const name of TIMEOUT_NAMES) {
    const given = LIMIT_CHECKS[name](name, options[name])
    if (given === undefined) continue
    if (options.limits?.[name] !== undefined) {
      throw new TypeError(`${name} is given twice: by itself and in limits`)
    }
    ;(merged ??= { ...limits })[name] = given
  }
  return merged === null ? limits : resolved(merged)
}

/**
 * Replaces some limits by others.
 * @param limits checked, with every limit
 * @param given checked: `undefined` keeps the limit
 * @returns a frozen object with every limit; `limits` itself if none is given
 */
export function overrideLimits(
  limits: Limits,
  given: { readonly [Name in keyof Limits]?: number | undefined },
): Limits {
  let merged: Record<string, number> | null = null
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) (merged ??= { ...limits })[name] = value
  }
  return merged === null ? limits : resolved(merged)
}
