/**
 * Every bound of the engine: one frozen object, units in the names. `Infinity` and `false` mean off.
 */

import { checkNumber, showValue } from './check.js'

/** The bounds, as a connection uses them. All sizes in bytes, all times in (fractions of) milliseconds. */
export interface Limits {
  /** A message, after inflate and across fragments. Default: server 1 MiB, client 16 MiB. */
  readonly maxMessageBytes: number
  /** The payload of one frame. Default: off (the message's bound holds). */
  readonly maxFrameBytes: number
  /** What may wait after the message on its way, before the slow-consumer policy acts. Default 1 MiB. */
  readonly maxBufferedOutputBytes: number
  /** `send` returns false above this. Default 64 KiB. */
  readonly highWaterMarkBytes: number
  /** Pongs that may wait unsent; above it only the newest ping is answered (RFC 6455 5.5.3). Default 16. */
  readonly maxPendingPongs: number
  /** Messages that may wait for a handler or a reader, before the socket's reading stops. Default 64. */
  readonly maxQueuedMessages: number
  /** The same in bytes. Default 1 MiB. */
  readonly maxQueuedBytes: number
  /** The head of a handshake. Default 16 KiB. */
  readonly maxHeaderBytes: number
  /** The opening handshake in total: DNS, TCP, TLS and HTTP. Default 10 s. */
  readonly handshakeTimeoutMs: number
  /** While output waits, the system takes at least 1 KiB of it in each such time; else the peer is cut. Default 30 s. */
  readonly sendTimeoutMs: number
  /** While the connection closes, bytes move in each such time; else it is cut. Default 10 s. */
  readonly closeTimeoutMs: number
  /** Send a ping when nothing has moved for this long, and again after each further such time. Default 30 s. */
  readonly heartbeatIntervalMs: number
  /** Cut the connection when nothing has moved for this long after the first of these pings. Default 30 s. */
  readonly heartbeatTimeoutMs: number
  /** No byte of a data frame was received for this long: `onIdleTimeout`, then Close 1001. Default: off. */
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

/** The defaults of a server: the exposed side is tight. */
export const SERVER_LIMITS: Limits = Object.freeze({ maxMessageBytes: 1024 * 1024, ...SHARED })

/** The defaults of a client. */
export const CLIENT_LIMITS: Limits = Object.freeze({ maxMessageBytes: 16 * 1024 * 1024, ...SHARED })

/** What callers may give: any part of the bounds; `false` turns one off. */
export type LimitOptions = { readonly [Name in keyof Limits]?: number | false | undefined }

/**
 * A text message becomes one string, and V8 holds no longer one (0x1fffffe8 characters, Node 20). An infinite
 * `maxMessageBytes` therefore means this.
 */
export const MAX_MESSAGE_BYTES_CEILING = 0x1fffffe8

/** The smallest legal value and whether a fraction is legal, for each bound. */
const RULES: { readonly [Name in keyof Limits]: { readonly min: number; readonly integer: boolean } } = {
  maxMessageBytes: { min: 0, integer: true },
  maxFrameBytes: { min: 0, integer: true },
  maxBufferedOutputBytes: { min: 0, integer: true },
  highWaterMarkBytes: { min: 0, integer: true },
  maxPendingPongs: { min: 1, integer: true },
  maxQueuedMessages: { min: 1, integer: true },
  maxQueuedBytes: { min: 1, integer: true },
  maxHeaderBytes: { min: 64, integer: true },
  // Zero would mean off to node:http, and always too late to everyone else.
  handshakeTimeoutMs: { min: 1, integer: false },
  sendTimeoutMs: { min: 1, integer: false },
  closeTimeoutMs: { min: 0, integer: false },
  heartbeatIntervalMs: { min: 0, integer: false },
  heartbeatTimeoutMs: { min: 0, integer: false },
  idleTimeoutMs: { min: 0, integer: false },
}

/** Bounds that were filled in and checked: a server checks once, its connections share the result. */
const RESOLVED = new WeakSet<object>([SERVER_LIMITS, CLIENT_LIMITS])

/** The names of all bounds, to tell a limit from any other option. */
export const LIMIT_NAMES = Object.freeze(Object.keys(RULES)) as readonly (keyof Limits)[]

/**
 * Fills in and checks bounds.
 * @param options any part of the bounds; `Infinity` and `false` mean off, `undefined` the default
 * @param defaults {@link SERVER_LIMITS} or {@link CLIENT_LIMITS}
 * @returns a frozen object with every bound
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name
 */
export function resolveLimits(options: LimitOptions | undefined, defaults: Limits): Limits {
  if (options === undefined) return defaults
  if (RESOLVED.has(options)) return options as Limits
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`limits must be an object, not ${showValue(options)}`)
  }
  const limits: Record<string, number> = { ...defaults }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(RULES, name)) {
      throw new TypeError(`limits has no option ${showValue(name)}; there are ${LIMIT_NAMES.join(', ')}`)
    }
    const key = name as keyof Limits
    const given: unknown = options[key]
    if (given === undefined) continue
    limits[key] = given === false ? Infinity : checkNumber(`limits.${name}`, given, RULES[key])
  }
  limits['maxMessageBytes'] = Math.min(limits['maxMessageBytes'] as number, MAX_MESSAGE_BYTES_CEILING)
  keepMarkBelowLimit(limits, options)
  RESOLVED.add(limits)
  return Object.freeze(limits) as unknown as Limits
}

/** A high-water mark above the limit would never be told: the peer would be given up before. */
function keepMarkBelowLimit(limits: Record<string, number>, options: LimitOptions): void {
  const limit = limits['maxBufferedOutputBytes'] as number
  const mark = limits['highWaterMarkBytes'] as number
  if (mark <= limit || (mark === Infinity && options.highWaterMarkBytes !== undefined)) return
  if (options.highWaterMarkBytes !== undefined) {
    throw new RangeError(
      `limits.highWaterMarkBytes must be at most limits.maxBufferedOutputBytes, ${String(limit)}, not ${String(mark)}`,
    )
  }
  limits['highWaterMarkBytes'] = limit
}

/** The times among the bounds: these may also be given beside `limits`, as options of their own. */
export const TIMEOUT_NAMES = Object.freeze([
  'handshakeTimeoutMs',
  'sendTimeoutMs',
  'closeTimeoutMs',
  'idleTimeoutMs',
  'heartbeatIntervalMs',
  'heartbeatTimeoutMs',
] as const)

/** The same as a type: see {@link Limits} for each. */
export type TimeoutOptions = Pick<LimitOptions, (typeof TIMEOUT_NAMES)[number]>

/**
 * Fills in and checks the bounds of a server or a client: `limits`, and the times beside it.
 * @returns a frozen object with every bound
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for a time that is given twice
 */
export function gatherLimits(
  options: TimeoutOptions & { readonly limits?: LimitOptions | undefined },
  defaults: Limits,
): Limits {
  const limits = resolveLimits(options.limits, defaults)
  const merged: Record<string, number> = { ...limits }
  for (const name of TIMEOUT_NAMES) {
    const given: unknown = options[name]
    if (given === undefined) continue
    if (options.limits?.[name] !== undefined) {
      throw new TypeError(`${name} is given twice: by itself and in limits`)
    }
    merged[name] = given === false ? Infinity : checkNumber(name, given, RULES[name])
  }
  RESOLVED.add(merged)
  return Object.freeze(merged) as unknown as Limits
}

/**
 * Puts some bounds in the place of others.
 * @param limits filled in and checked
 * @param owner of the bounds given, for the error: `service` for `service.idleTimeoutMs`
 * @param names the bounds that the owner may have
 * @returns a frozen object with every bound; `limits` itself where none is given
 * @throws TypeError or RangeError with owner, name, value and range
 */
export function overrideLimits(
  limits: Limits,
  owner: string,
  given: LimitOptions,
  names: readonly (keyof Limits)[],
): Limits {
  let merged: Record<string, number> | null = null
  for (const name of names) {
    const value: unknown = given[name]
    if (value === undefined) continue
    merged ??= { ...limits }
    merged[name] = value === false ? Infinity : checkNumber(`${owner}.${name}`, value, RULES[name])
  }
  if (merged === null) return limits
  merged['maxMessageBytes'] = Math.min(merged['maxMessageBytes'] as number, MAX_MESSAGE_BYTES_CEILING)
  RESOLVED.add(merged)
  return Object.freeze(merged) as unknown as Limits
}
