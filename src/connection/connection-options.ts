import type { MessageCodec } from '../deflate/codec.js'
import type { Role } from '../frame/frame-parser.js'
import {
  checkNumber,
  CLIENT_LIMITS,
  resolveLimits,
  SERVER_LIMITS,
  showValue,
  type LimitOptions,
  type Limits,
} from '../limits.js'
import type { Waker } from './events.js'

export interface ConnectionOptions {
  readonly role: Role
  /** The bounds: any part of them, or those of `resolveLimits`. Defaults by role. */
  readonly limits?: LimitOptions
  /** permessage-deflate, where it was agreed. The connection closes it. Default: none. */
  readonly codec?: MessageCodec | null
  /** Answer pings by itself (RFC 6455 section 5.5.2). Default true. */
  readonly autoPong?: boolean
  /**
   * Answer the peer's Close frame at once (RFC 6455 section 5.5.1). Where this is false the owner calls `answerClose` once
   * what the peer asked for before is sent. Default true.
   */
  readonly autoClose?: boolean
  /** The time of the start, in milliseconds of a monotonic clock: whatever clock the later times are of. */
  readonly now?: number
  /** Told when a compression or an inflation off the loop ended, and there is something new to pull. */
  readonly waker?: Waker
}

export interface SendOptions {
  /** Compress this message, where permessage-deflate was agreed and it pays. Default true. */
  readonly compress?: boolean
}

/** The options with every default filled in. */
export interface ResolvedConnectionOptions extends Required<ConnectionOptions> {
  readonly limits: Limits
}

const NOBODY: Waker = { wake: () => undefined }

/**
 * Fills in and checks the options of a connection.
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function resolveConnectionOptions(options: ConnectionOptions): ResolvedConnectionOptions {
  const { role, codec = null, autoPong = true, autoClose = true, now = 0, waker = NOBODY } = options
  if (role !== 'client' && role !== 'server') {
    throw new TypeError(`role must be 'client' or 'server', not ${showValue(role)}`)
  }
  if (typeof autoPong !== 'boolean') {
    throw new TypeError(`autoPong must be true or false, not ${showValue(autoPong)}`)
  }
  if (typeof autoClose !== 'boolean') {
    throw new TypeError(`autoClose must be true or false, not ${showValue(autoClose)}`)
  }
  checkNumber('now', now, { min: -Infinity, integer: false })
  const limits = resolveLimits(options.limits, role === 'client' ? CLIENT_LIMITS : SERVER_LIMITS)
  return { role, codec, autoPong, autoClose, now, waker, limits }
}

/**
 * Reads the options of one message.
 * @throws TypeError for what is no such options (a callback, for one, which would never be called), and for a name that
 *   is no option
 */
export function wantsCompression(options: SendOptions): boolean {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw new TypeError(`send options must be an object with compress, not ${showValue(options)}`)
  }
  for (const name in options) {
    if (name !== 'compress') throw new TypeError(`send options have no ${showValue(name)}; there is compress`)
  }
  const { compress = true } = options
  if (typeof compress !== 'boolean') {
    throw new TypeError(`compress must be true or false, not ${showValue(compress)}`)
  }
  return compress
}
