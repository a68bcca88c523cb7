import type { MessageCodec } from '../extension/message-codec.js'
import type { Role } from '../frame/frame-parser.js'
import { checkNumber, showValue } from '../check.js'
import { CLIENT_LIMITS, resolveLimits, SERVER_LIMITS, type LimitOptions, type Limits } from '../limits.js'
import type { Waker } from './events.js'

/** The options of a connection. */
export interface ConnectionOptions {
  /** Which side the connection is. */
  readonly role: Role
  /** Any of the limits, or the result of `resolveLimits`. The defaults depend on the role. */
  readonly limits?: LimitOptions
  /** The codec of permessage-deflate, if both sides agreed on it. The connection closes it. Default: none. */
  readonly codec?: MessageCodec | null
  /** Whether the connection answers pings by itself (RFC 6455 section 5.5.2). Default true. */
  readonly autoPong?: boolean
  /**
   * Whether the connection answers the peer's Close frame at once (RFC 6455 section 5.5.1). If false, the owner calls
   * `answerClose` after it has sent what the peer asked for before. Default true.
   */
  readonly autoClose?: boolean
  /** The start time in milliseconds. All later times must come from the same monotonic clock. Default 0. */
  readonly now?: number
  /** Called when work on the thread pool has ended, and there are new events or output to pull. */
  readonly waker?: Waker
}

/** The options of one message. */
export interface SendOptions {
  /** Whether to compress this message, if permessage-deflate is in use and compression pays. Default true. */
  readonly compress?: boolean
}

/** The options with every default filled in. */
export interface ResolvedConnectionOptions extends Required<ConnectionOptions> {
  readonly limits: Limits
}

const NOBODY: Waker = { wake: () => undefined }

/**
 * Checks the options of a connection and fills in the defaults.
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
 * Checks the options of one message. A callback is refused, because it would never be called.
 * @returns whether the caller allows compression
 * @throws TypeError if the options are not an object, or have an unknown name or a value of the wrong type
 */
export function wantsCompression(options: SendOptions): boolean {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw new TypeError(`send options must be an object with compress, not ${showValue(options)}`)
  }
  for (const name in options) {
    if (name !== 'compress')
      throw new TypeError(`send options have no ${showValue(name)}: the only option is compress`)
  }
  const { compress = true } = options
  if (typeof compress !== 'boolean') {
    throw new TypeError(`compress must be true or false, not ${showValue(compress)}`)
  }
  return compress
}
