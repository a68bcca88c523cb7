import type { Agent } from 'node:http'
import { isIP, type LookupFunction } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import {
  number,
  oneOf,
  optionalFunction,
  optionalObject,
  optionalSignal,
  readOptions,
  showKind,
  showValue,
  string,
  unchecked,
  type Advice,
  type Checks,
  type Read,
} from '../check.js'
import { perMessageDeflate } from '../deflate/extension.js'
import type { PerMessageDeflateOptions } from '../deflate/options.js'
import { Extensions } from '../extension/extension.js'
import { checkProtocols } from '../handshake/subprotocol.js'
import {
  CLIENT_LIMITS,
  gatherLimits,
  LIMIT_ADVICE,
  LIMITS_AND_TIMEOUTS,
  type LimitOptions,
  type Limits,
  type TimeoutOptions,
} from '../limits.js'
import type { HeadersInput } from '../socket/headers-input.js'
import { checkCodec, type Codec } from '../service/codec.js'
import { HANDLER_NAMES } from '../service/service-names.js'
import { checkService, type Handlers, type Service } from '../service/service.js'
import { SHARED_CHECKS, type SharedOptions } from '../socket/socket-options.js'
import { checkAgent } from '../dial/agent.js'
import type { ClientSocket } from './client-socket.js'
import type { Incoming } from './connected-socket.js'
import { containedLookup } from '../dial/contained-calls.js'
import type { NetOptions } from '../dial/net-options.js'
import { checkProxy, type ProxyOptions } from '../dial/proxy.js'
import { resolveClientRecovery, type ClientRecoveryOptions } from '../recovery/client-options.js'
import { resolveReconnectOptions, type ReconnectOptions } from './reconnect-options.js'
import { MAX_REDIRECTS } from '../dial/redirects.js'
import type { Target } from '../dial/websocket-url.js'

/**
 * The options of {@link connect}. `C` is the codec of messages that are read one by one, `H` that of the handlers.
 */
export interface ConnectOptions<Data = unknown, C = undefined, H = undefined>
  extends TimeoutOptions, SharedOptions {
  /** Limits, with their units in their names; `Infinity` and `false` turn a limit off. */
  readonly limits?: LimitOptions
  /** Subprotocols to offer, in order of preference. */
  readonly protocols?: string | readonly string[]
  /** Further headers of the request, or a function that returns them for each attempt. */
  readonly headers?: HeadersInput | (() => HeadersInput | Promise<HeadersInput>)
  /** The Origin header. Default: none. */
  readonly origin?: string
  /** Passed to node:tls. `connect` rejects with what `checkServerIdentity` throws, and if it answers anything but an Error or nothing. */
  readonly tls?: TlsOptions
  /**
   * How many redirects to follow: 0 (default) to 20. Credentials stay behind when the scheme, the host or the port changes;
   * a redirect from wss to ws is refused.
   */
  readonly redirects?: number
  /**
   * An HTTP proxy, which opens a tunnel (CONNECT): its URL, `http:` or `https:`, with or without credentials; or an object; or
   * `'env'`, for the proxy that HTTPS_PROXY (wss), HTTP_PROXY (ws) and NO_PROXY name.
   */
  readonly proxy?: string | URL | ProxyOptions
  /** Makes the connection instead: an Agent of node:http, such as one of a package for proxies. */
  readonly agent?: Agent
  /** Finds the addresses of a host, for node:net. `connect` rejects with what it throws or rejects with. Default: `dns.lookup`. */
  readonly lookup?: LookupFunction
  /** The IP address of this machine to connect from. */
  readonly localAddress?: string
  /** Connect by IPv4 (4) or IPv6 (6) alone. Default: 0, either. */
  readonly family?: 0 | 4 | 6
  /** permessage-deflate (RFC 7692). Default: on. */
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions
  /** Ends the attempt: the promise rejects with the signal's reason. It has no effect once the connection is open. */
  readonly signal?: AbortSignal
  /** Handlers of messages and events; without a message handler, messages are read with `receive()` or `for await`. */
  readonly handlers?: Service<ClientSocket<Data>, H>
  /**
   * Reads the messages that `receive` and `for await` return, as {@link json} of `hawser/json` does. Handlers for messages have a
   * codec of their own: `handlers.codec`.
   */
  readonly codec?: C | undefined
  /**
   * What happens to messages without a handler: `'queue'` (default) keeps them for `receive`, and stops reading when its queue
   * is full; `'discard'` drops them, for a client that only sends.
   */
  readonly incoming?: Incoming
  /**
   * Connects again when the connection is lost: `true`, or options. The socket is a ReconnectingSocket then. Default: false.
   */
  readonly reconnect?: boolean | ReconnectOptions
  /**
   * Gets what was published to the groups of the client while it was away, where the server has recovery: `true`, or options. It is
   * of use with `reconnect`, or with positions that were kept. Default: false.
   */
  readonly recovery?: boolean | ClientRecoveryOptions
  /** Becomes `socket.data`. */
  readonly data?: Data
}

const NO_HANDLERS: Handlers<ClientSocket> = Object.freeze({})

const MESSAGE_HANDLERS = ['onMessage', 'onTextMessage', 'onBinaryMessage'] as const

/** The checks of {@link ConnectOptions}. */
export const CONNECT_CHECKS = {
  ...LIMITS_AND_TIMEOUTS,
  ...SHARED_CHECKS,
  protocols: (_name: string, value: unknown) =>
    checkProtocols(typeof value === 'string' ? [value] : ((value ?? []) as readonly string[])),
  headers: (name: string, value: unknown): ConnectOptions['headers'] => {
    // An iterable may be read once only: that is when the request is written.
    if (value !== undefined && typeof value !== 'function' && (typeof value !== 'object' || value === null)) {
      throw new TypeError(
        `${name} must be an object, pairs of name and value, or a function, not ${showKind(value)}`,
      )
    }
    return value as ConnectOptions['headers']
  },
  origin: string(undefined),
  tls: optionalObject<TlsOptions>('an object of node:tls options'),
  redirects: number({ min: 0, max: MAX_REDIRECTS, integer: true }, 0),
  proxy: checkProxy,
  agent: checkAgent,
  lookup: optionalFunction<LookupFunction>(),
  localAddress: (name: string, value: unknown): string | undefined => {
    if (value === undefined || (typeof value === 'string' && isIP(value) !== 0)) return value
    throw new TypeError(`${name} must be an IP address, not ${showValue(value)}`)
  },
  family: (name: string, value: unknown): number | undefined => {
    if (value === undefined || value === 0 || value === 4 || value === 6) return value
    throw new TypeError(`${name} must be 0, 4 or 6, not ${showValue(value)}`)
  },
  perMessageDeflate: (_name: string, value: unknown) =>
    perMessageDeflate(value as ConnectOptions['perMessageDeflate'], 'client'),
  signal: optionalSignal,
  handlers: (name: string, value: unknown) =>
    value === undefined ? NO_HANDLERS : checkService<ClientSocket>(name, value),
  codec: (name: string, value: unknown): Codec | undefined => {
    if (value !== undefined) checkCodec(name, value)
    return value as Codec | undefined
  },
  incoming: oneOf<Incoming>(['queue', 'discard'], 'queue'),
  reconnect: (_name: string, value: unknown) => resolveReconnectOptions(value),
  recovery: (_name: string, value: unknown) => resolveClientRecovery(value),
  data: unchecked<unknown>(),
} satisfies Checks<ConnectOptions>

export const CONNECT_ADVICE = {
  instead: {
    ...LIMIT_ADVICE,
    ...Object.fromEntries(HANDLER_NAMES.map((name) => [name, `use handlers.${name}`])),
    ...Object.fromEntries(
      ['ca', 'cert', 'key', 'rejectUnauthorized', 'servername'].map((name) => [name, `use tls.${name}`]),
    ),
    followRedirects: 'use redirects, with a number',
    maxRedirects: 'use redirects',
  },
} satisfies Advice

type NetNames = keyof NetOptions

/** The options of {@link connect}, checked and with every default filled in. */
export interface ResolvedClientOptions extends Omit<
  Read<typeof CONNECT_CHECKS>,
  'limits' | 'perMessageDeflate' | NetNames
> {
  readonly limits: Limits
  readonly extensions: Extensions
  /** For node:net. */
  readonly net: NetOptions
}

/** The options of an attempt. */
export interface ResolvedConnectOptions extends ResolvedClientOptions {
  readonly target: Target
}

/** @throws TypeError for options that mean nothing beside each other */
function checkReading({
  codec,
  handlers,
  incoming,
}: Pick<Read<typeof CONNECT_CHECKS>, 'codec' | 'handlers' | 'incoming'>): void {
  const taker = MESSAGE_HANDLERS.find((name) => handlers[name] !== undefined)
  if (taker !== undefined && codec !== undefined) {
    throw new TypeError(
      `ConnectOptions has both codec and handlers.${taker}: handlers that take messages have a codec of their own, handlers.codec`,
    )
  }
  if (incoming === 'queue') return
  if (taker !== undefined) {
    throw new TypeError(`incoming must not be 'discard' beside handlers.${taker}, which takes the messages`)
  }
  if (codec !== undefined) {
    throw new TypeError("ConnectOptions has both codec and incoming 'discard': no message is read")
  }
}

export function readConnectOptions(given: object): ResolvedClientOptions {
  const options = given as ConnectOptions<unknown, Codec>
  const all = readOptions('ConnectOptions', options, CONNECT_CHECKS, CONNECT_ADVICE)
  const { perMessageDeflate: deflate, lookup, localAddress, family, ...read } = all
  checkReading(read)
  const { proxy, agent } = read
  if (agent !== undefined && proxy !== undefined) {
    throw new TypeError('agent and proxy must not be given both: each makes the connection')
  }
  const net = {
    ...(lookup === undefined ? {} : { lookup: containedLookup(lookup) }),
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(family === undefined ? {} : { family }),
  }
  // All extensions, in the order in which a message passes them.
  const extensions = new Extensions([...deflate])
  return { ...read, limits: gatherLimits(read, CLIENT_LIMITS), extensions, net }
}

/**
 * The same options with other handlers.
 * @param name how the errors name the handlers
 * @throws TypeError or RangeError: see {@link checkService}; TypeError for handlers that mean nothing beside `codec` or `incoming`
 */
export function withHandlers(
  options: ResolvedClientOptions,
  name: string,
  value: unknown,
): ResolvedClientOptions {
  const read = { ...options, handlers: checkService<ClientSocket>(name, value) }
  checkReading(read)
  return read
}

/** @throws TypeError for a proxy and a Unix socket */
export function withTarget(options: ResolvedClientOptions, target: Target): ResolvedConnectOptions {
  const { proxy } = options
  if (target.socketPath !== undefined && proxy !== undefined && proxy !== 'env') {
    throw new TypeError(`proxy must not be given for a Unix socket, ${target.shown}`)
  }
  return { ...options, target }
}
