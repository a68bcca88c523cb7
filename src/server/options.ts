import type { TlsOptions } from 'node:tls'
import {
  resolveDeflateOptions,
  type PerMessageDeflateOptions,
  type ResolvedDeflateOptions,
} from '../deflate/options.js'
import { checkProtocols } from '../handshake/subprotocol.js'
import {
  checkNumber,
  resolveLimits,
  SERVER_LIMITS,
  showValue,
  type LimitOptions,
  type Limits,
} from '../limits.js'
import type { SlowConsumerPolicy } from '../socket/socket-driver.js'
import { checkOrigins, type OriginRule } from './origin.js'
import type { UpgradeInfo } from './service.js'

/** Chooses the subprotocol: one of those offered, or undefined for none. */
export type ProtocolChooser = (offered: readonly string[], request: UpgradeInfo) => string | undefined

export interface ServerOptions {
  /** Bounds, units in their names; `Infinity` and `false` mean off. */
  readonly limits?: LimitOptions
  /** Passed to node:tls as it is; `listen` then serves wss. */
  readonly tls?: TlsOptions
  /** Which browser pages may connect (RFC 6455 section 10.2). Default: any. */
  readonly origins?: readonly OriginRule[]
  /** The subprotocols that the server has: the first that the client lists is taken; or a function that chooses. */
  readonly protocols?: readonly string[] | ProtocolChooser
  /** permessage-deflate (RFC 7692). Default: on. */
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions
  /** What becomes of a peer that does not read, above `limits.maxBufferedOutputBytes`. Default `'close'`, with 1008. */
  readonly slowConsumer?: SlowConsumerPolicy
  /** Answer pings by itself. Default true. */
  readonly autoPong?: boolean
  /** Upgrades above this are answered with 503. Default: off. */
  readonly maxConnections?: number | false
  /** The same for each remote address. Default: off. */
  readonly maxConnectionsPerAddress?: number | false
  /** Told of errors that belong to no connection: an `onUpgrade` that threw, an HTTP server that failed. */
  readonly onError?: (error: Error) => void
}

export interface ResolvedServerOptions {
  readonly limits: Limits
  readonly tls: TlsOptions | undefined
  readonly origins: readonly OriginRule[] | undefined
  readonly protocols: readonly string[] | ProtocolChooser
  readonly deflate: ResolvedDeflateOptions | null
  readonly slowConsumer: SlowConsumerPolicy
  readonly autoPong: boolean
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly onError: (error: Error) => void
}

const POLICIES: readonly unknown[] = ['close', 'drop', 'buffer']

const NAMES = new Set<string>([
  'limits',
  'tls',
  'origins',
  'protocols',
  'perMessageDeflate',
  'slowConsumer',
  'autoPong',
  'maxConnections',
  'maxConnectionsPerAddress',
  'onError',
])

/** @throws TypeError for a name that is no option */
export function checkOptionNames(what: string, options: unknown, names: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${what} must be an object, not ${showValue(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (!names.has(name))
      throw new TypeError(`${what} has no option ${showValue(name)}; there are ${[...names].join(', ')}`)
  }
}

const checkCount = (name: string, value: number | false | undefined): number =>
  value === undefined || value === false ? Infinity : checkNumber(name, value, { min: 1, integer: true })

/** @throws TypeError or RangeError with the option's name, value and range */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  checkOptionNames('ServerOptions', options, NAMES)
  const { tls, protocols = [], slowConsumer = 'close', autoPong = true, onError = () => undefined } = options
  if (tls !== undefined && (typeof tls !== 'object' || (tls as unknown) === null)) {
    throw new TypeError(`tls must be an object of node:tls options, not ${showValue(tls)}`)
  }
  if (!POLICIES.includes(slowConsumer)) {
    throw new TypeError(`slowConsumer must be 'close', 'drop' or 'buffer', not ${showValue(slowConsumer)}`)
  }
  if (typeof autoPong !== 'boolean')
    throw new TypeError(`autoPong must be true or false, not ${showValue(autoPong)}`)
  if (typeof onError !== 'function')
    throw new TypeError(`onError must be a function, not ${showValue(onError)}`)
  return {
    limits: resolveLimits(options.limits, SERVER_LIMITS),
    tls,
    origins: checkOrigins(options.origins),
    protocols: typeof protocols === 'function' ? protocols : checkProtocols(protocols),
    deflate: resolveDeflateOptions(options.perMessageDeflate, 'server'),
    slowConsumer,
    autoPong,
    maxConnections: checkCount('maxConnections', options.maxConnections),
    maxConnectionsPerAddress: checkCount('maxConnectionsPerAddress', options.maxConnectionsPerAddress),
    onError,
  }
}
