/** The options of permessage-deflate: defaults, validation. */
import { boolean, number, readOptions, showValue, type Advice, type Checks } from '../check.js'

/** An LZ77 window of 2^8 to 2^15 bytes (RFC 7692 section 7.1.2). */
export type WindowBits = 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15

/** The options of permessage-deflate. All sizes are in bytes. */
export interface PerMessageDeflateOptions {
  /**
   * The server compresses each message by itself (RFC 7692 section 7.1.1.1). A client demands it of the server,
   * a server declares it. Default false.
   */
  readonly serverNoContextTakeover?: boolean | undefined
  /**
   * The client compresses each message by itself (RFC 7692 section 7.1.1.2). A server demands it of the client,
   * a client declares it. Default false: some clients refuse a server that demands it unasked (Netty's), or fail
   * after it (Jetty's). With true one inflater serves all connections of a server, and nothing is kept for them.
   */
  readonly clientNoContextTakeover?: boolean | undefined
  /**
   * The largest window of the server's compressor (RFC 7692 section 7.1.2.1). A client asks for it, and offers to do without
   * it for servers that cannot keep to it (with `strictNegotiation` it demands it); a server keeps to it. Default 15.
   */
  readonly serverMaxWindowBits?: WindowBits | undefined
  /**
   * The largest window of the client's compressor (RFC 7692 section 7.1.2.2). A server demands it, and declines
   * offers without `client_max_window_bits`; a client keeps to it. `false` leaves the parameter out of offers and
   * answers. Default 15.
   */
  readonly clientMaxWindowBits?: WindowBits | false | undefined
  /**
   * Shorter messages are sent uncompressed. Default: 1024 if a message is compressed by itself, 64 with the context of
   * earlier messages. A number given here applies to both. (Varied JSON of 64 bytes shrinks to
   * 30 % in 2 us with its context, and not at all without; measured 2026-11.)
   */
  readonly thresholdBytes?: number | undefined
  /**
   * zlib's level: 0 (none) to 9 (smallest), -1 for zlib's own default, 6. Default 2: echoing varied JSON of 1 KiB, context
   * kept, is 1.5 times as fast as at level 3 and twice as fast as at 6, for 6 and 17 % more bytes (Node 20, 2026-11).
   */
  readonly level?: number | undefined
  /** zlib's memory for compressor state, 1 to 9. Default 8. */
  readonly memLevel?: number | undefined
  /**
   * Larger messages (outgoing: as given; incoming: as compressed) are processed on the thread pool. `Infinity`
   * keeps all on the event loop. Default 64 KiB: JSON of this size blocks the loop for 0.3 ms (deflate, level 3) or
   * 0.35 ms (inflate); a job on the pool costs the loop 0.03 to 0.05 ms (Node 26, 2026-11).
   */
  readonly asyncThresholdBytes?: number | undefined
  /**
   * The memory of all compressors lent to busy connections of one server or client. 0 lends none. Default 16 MiB.
   */
  readonly maxSharedContextBytes?: number | undefined
  /**
   * The memory of all decompressors lent to connections whose peers keep their context. 0 lends none. Without a
   * decompressor, a message costs two more copies of the peer's window. Default 16 MiB, which are 356 of the largest window.
   */
  readonly maxSharedInflaterBytes?: number | undefined
  /**
   * The bytes of received messages that a server keeps for connections whose peers keep their context and that have no
   * decompressor: at most one window for each (32 KiB), nothing before the first compressed message. Above this size new
   * connections do without compression, unless their clients compress each message by itself
   * (`clientNoContextTakeover`). A client counts and never declines. Default 64 MiB; `Infinity`: no limit.
   */
  readonly maxInflateHistoryBytes?: number | undefined
  /**
   * A client fails the handshake if the server's answer leaves out a `serverNoContextTakeover` or a
   * `serverMaxWindowBits` that the client asked for, or has a larger window; a server that declines the window then goes
   * without compression. Default false: such an answer is accepted,
   * because Hawser's inflater reads any message of such a server. A server ignores this option.
   */
  readonly strictNegotiation?: boolean | undefined
}

/** The options with every default filled in; frozen. */
export interface ResolvedDeflateOptions {
  /** Whose options these are. */
  readonly role: 'client' | 'server'
  /** See `serverNoContextTakeover` of {@link PerMessageDeflateOptions}. */
  readonly serverNoContextTakeover: boolean
  /** See `clientNoContextTakeover` of {@link PerMessageDeflateOptions}. */
  readonly clientNoContextTakeover: boolean
  /** See `serverMaxWindowBits` of {@link PerMessageDeflateOptions}. */
  readonly serverMaxWindowBits: number
  /** See `clientMaxWindowBits` of {@link PerMessageDeflateOptions}. */
  readonly clientMaxWindowBits: number | false
  /** The threshold where a message is compressed by itself. */
  readonly thresholdBytes: number
  /** The threshold where the context of earlier messages is at hand. */
  readonly contextThresholdBytes: number
  /** See `level` of {@link PerMessageDeflateOptions}. */
  readonly level: number
  /** See `memLevel` of {@link PerMessageDeflateOptions}. */
  readonly memLevel: number
  /** See `asyncThresholdBytes` of {@link PerMessageDeflateOptions}. */
  readonly asyncThresholdBytes: number
  /** See `maxSharedContextBytes` of {@link PerMessageDeflateOptions}. */
  readonly maxSharedContextBytes: number
  /** See `maxSharedInflaterBytes` of {@link PerMessageDeflateOptions}. */
  readonly maxSharedInflaterBytes: number
  /** See `maxInflateHistoryBytes` of {@link PerMessageDeflateOptions}. */
  readonly maxInflateHistoryBytes: number
  /** See `strictNegotiation` of {@link PerMessageDeflateOptions}. */
  readonly strictNegotiation: boolean
}

const BYTES = { min: 0, integer: true }
const WINDOW_BITS = number({ min: 8, max: 15, integer: true }, 15)

const THRESHOLD_BYTES = 1024
const CONTEXT_THRESHOLD_BYTES = 64

const CHECKS = {
  serverNoContextTakeover: boolean(false),
  clientNoContextTakeover: boolean(false),
  serverMaxWindowBits: WINDOW_BITS,
  clientMaxWindowBits: (name: string, value: unknown) => (value === false ? false : WINDOW_BITS(name, value)),
  thresholdBytes: number(BYTES, undefined),
  level: number({ min: -1, max: 9, integer: true }, 2),
  memLevel: number({ min: 1, max: 9, integer: true }, 8),
  asyncThresholdBytes: number(BYTES, 64 * 1024),
  maxSharedContextBytes: number(BYTES, 16 * 1024 * 1024),
  maxSharedInflaterBytes: number(BYTES, 16 * 1024 * 1024),
  maxInflateHistoryBytes: number(BYTES, 64 * 1024 * 1024),
  strictNegotiation: boolean(false),
} satisfies Checks<PerMessageDeflateOptions>

const ADVICE = {
  prefix: 'perMessageDeflate.',
  instead: {
    zlibDeflateOptions: 'use level and memLevel',
    zlibInflateOptions: 'limits.maxMessageBytes bounds it',
  },
} satisfies Advice

/**
 * Checks the options of permessage-deflate and fills in the defaults.
 * @param value `true` or `undefined` for the defaults, `false` for off, or any part of the options
 * @param role the end whose options they are
 * @returns a frozen object with every option, or null if the extension is off
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name
 */
export function resolveDeflateOptions(
  value: boolean | PerMessageDeflateOptions | undefined,
  role: 'client' | 'server',
): ResolvedDeflateOptions | null {
  if (value === false) return null
  const given: unknown = value === undefined || value === true ? {} : value
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`perMessageDeflate must be true, false or an object, not ${showValue(given)}`)
  }
  const options = given as PerMessageDeflateOptions
  const read = readOptions('perMessageDeflate', options, CHECKS, ADVICE)
  return Object.freeze({
    role,
    ...read,
    thresholdBytes: read.thresholdBytes ?? THRESHOLD_BYTES,
    contextThresholdBytes: read.thresholdBytes ?? CONTEXT_THRESHOLD_BYTES,
  })
}
