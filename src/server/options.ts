import type { TlsOptions } from 'node:tls'
import { perMessageDeflate } from '../deflate/extension.js'
import type { PerMessageDeflateOptions } from '../deflate/options.js'
import { Extensions } from '../extension/extension.js'
import { messageOf } from '../errors.js'
import { checkProtocols } from '../handshake/subprotocol.js'
import {
  boolean,
  contain,
  numberOrOff,
  requiredOneOf,
  optionalFunction,
  optionalObject,
  readOptions,
  readValues,
  showValue,
  unchecked,
  type Advice,
  type Check,
  type Checks,
} from '../check.js'
import {
  gatherLimits,
  LIMIT_ADVICE,
  LIMIT_CHECKS,
  LIMITS_AND_TIMEOUTS,
  overrideLimits,
  SERVER_LIMITS,
  type LimitOptions,
  type Limits,
  type TimeoutOptions,
} from '../limits.js'
import type { Backplane } from '../backplane/backplane.js'
import { resolveRecovery, type RecoveryOptions, type ResolvedRecovery } from '../recovery/options.js'
import type { HubLimitOptions } from '../hub/hub-limits.js'
import type { SlowConsumerPolicy } from '../socket/driver-owner.js'
import { HANDLER_NAMES, type SETTING_NAMES } from '../service/service-names.js'
import { SHARED_CHECKS, type SharedOptions } from '../socket/socket-options.js'
import { warnAtIntervals } from '../socket/warnings.js'
import { checkOrigins, type OriginRule } from '../handshake/origin.js'
import { readHandshakeQuotas, type HandshakeQuotaOptions, type HandshakeQuotas } from './handshake-quotas.js'
import { readQuotas, type ConnectionQuotas, type QuotaOptions } from './quota-options.js'
import {
  checkTrustedProxies,
  type ForwardedHeader,
  type ProxyTrust,
  type TrustedProxies,
} from './trusted-proxies.js'
import type { UpgradeInfo } from './upgrade-info.js'

/** Chooses the subprotocol: one that the client offered, or undefined for none. */
export type ProtocolChooser = (offered: readonly string[], request: UpgradeInfo) => string | undefined

/** The settings of a service, which replace those of its server. A function that makes handlers has them as properties. */
export interface ServiceSettings {
  /** Close a connection on which no byte of a data frame was received for this long. `false` and `Infinity`: never. */
  readonly idleTimeoutMs?: number | false | undefined
  /** The size of a message after inflating and over all its fragments, in bytes. `false` and `Infinity`: off. */
  readonly maxMessageBytes?: number | false | undefined
  /** The size of the payload of one frame, in bytes. `false` and `Infinity`: off. */
  readonly maxFrameBytes?: number | false | undefined
  /** The subprotocols of this service, or a function that chooses one. An empty list means none. */
  readonly protocols?: readonly string[] | ProtocolChooser | undefined
  /** Answer pings automatically. */
  readonly autoPong?: boolean | undefined
  /** How much one connection may send, in place of all quotas of the server. `false`: no quotas. */
  readonly quotas?: QuotaOptions | false | undefined
}

/** A check for each setting of a service: `undefined` leaves it to the server. */
const SETTINGS = {
  idleTimeoutMs: LIMIT_CHECKS.idleTimeoutMs,
  maxMessageBytes: LIMIT_CHECKS.maxMessageBytes,
  maxFrameBytes: LIMIT_CHECKS.maxFrameBytes,
  protocols: (name: string, value: unknown) => (value === undefined ? undefined : readProtocols(name, value)),
  autoPong: boolean(undefined),
  quotas: readQuotas,
} satisfies Checks<ServiceSettings> & Record<(typeof SETTING_NAMES)[number], Check<unknown>>

/** The settings of a service, with those of its server filled in. */
export interface ResolvedServiceSettings {
  readonly limits: Limits
  readonly protocols: readonly string[] | ProtocolChooser
  readonly autoPong: boolean
  /** How much one connection may send; null: no quotas. */
  readonly quotas: ConnectionQuotas | null
}

/**
 * Checks the settings of a service and fills in those of its server.
 * @param name the name of the service in errors
 * @throws TypeError or RangeError with the setting's name, value and range
 */
export function resolveServiceSettings(
  name: string,
  service: ServiceSettings,
  server: ResolvedServiceSettings,
): ResolvedServiceSettings {
  const { protocols, autoPong, quotas, ...given } = readValues<ServiceSettings, typeof SETTINGS>(
    service,
    SETTINGS,
    `${name}.`,
  )
  const limits = overrideLimits(server.limits, given)
  const chosen = quotas === undefined ? server.quotas : quotas
  return {
    limits,
    protocols: protocols ?? server.protocols,
    autoPong: autoPong ?? server.autoPong,
    quotas: chosen === null ? null : chosen.withMaxMessageBytes(limits.maxMessageBytes),
  }
}

function readProtocols(name: string, value: unknown): readonly string[] | ProtocolChooser {
  return typeof value === 'function'
    ? (value as ProtocolChooser)
    : checkProtocols(value as readonly string[], name)
}

/** The options of a server. */
export interface ServerOptions extends TimeoutOptions, SharedOptions {
  /** Limits, with units in their names. `Infinity` and `false` turn a limit off. */
  readonly limits?: LimitOptions
  /** Passed to node:tls as it is; `listen` then serves wss. */
  readonly tls?: TlsOptions
  /** Which browser pages may connect (RFC 6455 section 10.2). Default: any. */
  readonly origins?: readonly OriginRule[]
  /** The subprotocols of the server, of which the first in the client's list is used; or a function that chooses one. */
  readonly protocols?: readonly string[] | ProtocolChooser
  /** permessage-deflate (RFC 7692). Default: on. */
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions
  /** Upgrades above this are answered with 503. Default: off. */
  readonly maxConnections?: number | false
  /** Upgrades of one client address above this get 503; IPv6 counts by its first 64 bits. Default: off. */
  readonly maxConnectionsPerAddress?: number | false
  /** How much one connection may send: messages, bytes, control frames. Default: no quotas. */
  readonly quotas?: QuotaOptions | false | undefined
  /** How many handshakes the server takes, in all and of one address. Default: no quotas. */
  readonly handshakeQuotas?: HandshakeQuotaOptions | false | undefined
  /**
   * The proxies that are believed when they report the client's address: a list of addresses, blocks (`10.0.0.0/8`), `'loopback'`,
   * `'private'` and `'unix'`; the number of proxies; or a synchronous function. Default: none.
   */
  readonly trustedProxies?: TrustedProxies | undefined
  /** The header in which they report it. Default `'X-Forwarded-For'`. */
  readonly forwardedHeader?: ForwardedHeader | undefined
  /** Connects groups, named connections and broadcasts with those of other processes. Default: this process alone. */
  readonly backplane?: Backplane | undefined
  /** Forget another process, with its names and groups, when it was silent for this long. Default 15 s. */
  readonly presenceTtlMs?: number | undefined
  /** Limits of groups and names. */
  readonly hubLimits?: HubLimitOptions | undefined
  /** Keeps what is published to groups, for members that were away. Default: nothing is kept. */
  readonly recovery?: RecoveryOptions | undefined
  /** Keep the request of each upgrade as `socket.request`. Default false: only its URL is kept. */
  readonly keepRequest?: boolean
  /**
   * Receives the errors that no other handler receives: from an `onUpgrade` that throws or returns no decision, a function
   * in `origins` or `protocols` that throws, an HTTP server that fails, or a handler that fails in a service without
   * `onError`. Without this function, or if it throws or rejects, Hawser emits a process warning.
   */
  readonly onError?: (error: Error) => void
}

/** The options of a server, checked and with every default filled in. */
export interface ResolvedServerOptions extends ResolvedServiceSettings {
  readonly tls: TlsOptions | undefined
  readonly origins: readonly OriginRule[] | undefined
  /** The extensions that the server agrees to if a client offers them. */
  readonly extensions: Extensions
  readonly slowConsumer: SlowConsumerPolicy
  readonly directIo: boolean
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  /** The state as well: it counts. Null: no quotas. */
  readonly handshakeQuotas: HandshakeQuotas | null
  /** Null: no proxy is trusted. */
  readonly trustedProxies: ProxyTrust | null
  readonly forwardedHeader: ForwardedHeader
  /** As given: the node of the backplane checks these two, and the hub checks its limits. */
  readonly backplane: Backplane | undefined
  readonly presenceTtlMs: number | undefined
  readonly hubLimits: HubLimitOptions | undefined
  /** null: nothing is kept. */
  readonly recovery: ResolvedRecovery | null
  readonly keepRequest: boolean
  /**
   * Calls the `onError` of the application and never throws. An error that no `onError` hears becomes a process warning.
   * @param what what failed, for the warning
   */
  readonly onError: (error: Error, what?: string) => void
  /** Whether the application gave `onError`. */
  readonly isErrorHeard: boolean
}

const forwarded = requiredOneOf<ForwardedHeader>(['X-Forwarded-For', 'Forwarded'])
const COUNT = numberOrOff({ min: 1, integer: true }, Infinity)

const CHECKS = {
  ...LIMITS_AND_TIMEOUTS,
  ...SHARED_CHECKS,
  tls: optionalObject<TlsOptions>('an object of node:tls options'),
  origins: (_name: string, value: unknown) => checkOrigins(value as readonly OriginRule[] | undefined),
  protocols: (name: string, value: unknown) => readProtocols(name, value ?? []),
  perMessageDeflate: (_name: string, value: unknown) =>
    perMessageDeflate(value as ServerOptions['perMessageDeflate'], 'server'),
  maxConnections: COUNT,
  maxConnectionsPerAddress: COUNT,
  quotas: (name: string, value: unknown) => readQuotas(name, value) ?? null,
  handshakeQuotas: readHandshakeQuotas,
  trustedProxies: checkTrustedProxies,
  forwardedHeader: (name: string, value: unknown) =>
    value === undefined ? undefined : forwarded(name, value),
  backplane: unchecked<Backplane | undefined>(),
  presenceTtlMs: unchecked<number | undefined>(),
  hubLimits: unchecked<HubLimitOptions | undefined>(),
  recovery: (_name: string, value: unknown) => resolveRecovery(value),
  keepRequest: boolean(false),
  onError: optionalFunction<(error: Error) => unknown>(),
} satisfies Checks<ServerOptions>

const ADVICE = {
  instead: {
    ...LIMIT_ADVICE,
    ...Object.fromEntries(HANDLER_NAMES.map((name) => [name, 'give handlers to route(path, service)'])),
    port: 'give the port to listen(port, host)',
    host: 'give the host to listen(port, host)',
    server: 'call attach(httpServer)',
    noServer: 'call handleUpgrade(request, socket, head)',
    path: 'call route(path, service)',
    verifyClient: 'decide in the onUpgrade of a service',
    handleProtocols: 'use protocols, which may be a function',
    trustProxy: 'name the proxies in trustedProxies',
    trustedProxy: 'name the proxies in trustedProxies',
    rateLimit: 'use quotas for messages, and handshakeQuotas for handshakes',
    messagesPerSecond: 'give it in quotas',
    bytesPerSecond: 'give it in quotas',
    clientTracking: 'the property sockets always has the connections',
  },
} satisfies Advice

/** @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  const {
    perMessageDeflate: deflate,
    onError,
    forwardedHeader,
    ...read
  } = readOptions('ServerOptions', options, CHECKS, ADVICE)
  if (forwardedHeader !== undefined && read.trustedProxies === null) {
    throw new TypeError('forwardedHeader needs trustedProxies, which names no proxy')
  }
  return {
    ...read,
    limits: gatherLimits(read, SERVER_LIMITS),
    // All extensions, in the order in which a message passes them.
    extensions: new Extensions([...deflate]),
    forwardedHeader: forwardedHeader ?? 'X-Forwarded-For',
    onError: contained(onError, {}),
    isErrorHeard: onError !== undefined,
  }
}

/**
 * Calls the application's `onError` and contains it: an error that it throws or rejects with becomes a process warning, and
 * so does every error if there is no `onError`.
 * @param owner the object whose warnings are counted together
 */
function contained(
  onError: ((error: Error) => unknown) | undefined,
  owner: object,
): (error: Error, what?: string) => void {
  return (error, what = 'the server') => {
    if (onError === undefined) {
      warnAtIntervals(
        owner,
        'HAWSER_UNHANDLED_SERVER_ERROR',
        `${what} failed, and the server has no onError`,
        error,
      )
      return
    }
    contain(
      () => onError(error),
      (thrown) => {
        const what = `onError failed, called with ${showValue(messageOf(error))}`
        warnAtIntervals(owner, 'HAWSER_ON_ERROR_FAILED', what, thrown)
      },
    )
  }
}
