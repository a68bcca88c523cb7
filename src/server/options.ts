import type { TlsOptions } from 'node:tls'
import { perMessageDeflate } from '../deflate/extension.js'
import type { PerMessageDeflateOptions } from '../deflate/options.js'
import { Extensions } from '../extension/extension.js'
import { checkProtocols } from '../handshake/subprotocol.js'
import { checkNumber, checkOptionNames, showValue } from '../check.js'
import {
  gatherLimits,
  overrideLimits,
  SERVER_LIMITS,
  TIMEOUT_NAMES,
  type LimitOptions,
  type Limits,
  type TimeoutOptions,
} from '../limits.js'
import type { Backplane } from '../backplane/backplane.js'
import type { HubLimitOptions } from '../hub/hub-limits.js'
import type { SlowConsumerPolicy } from '../socket/driver-owner.js'
import { resolveSharedOptions, type SharedOptions } from '../socket/socket-options.js'
import { warnOnce } from '../socket/warnings.js'
import { checkOrigins, type OriginRule } from './origin.js'
import type { UpgradeInfo } from './upgrade-info.js'

/** Chooses the subprotocol: one of those offered, or undefined for none. */
export type ProtocolChooser = (offered: readonly string[], request: UpgradeInfo) => string | undefined

/** What a service may set for its own connections, before what its server has. A factory has them as properties. */
export interface ServiceSettings {
  /** Close a connection on which no byte of a data frame was received for this long. `false` and `Infinity`: never. */
  readonly idleTimeoutMs?: number | false | undefined
  /** The size of a message after inflating and over all its fragments, in bytes. `false` and `Infinity`: off. */
  readonly maxMessageBytes?: number | false | undefined
  /** The size of the payload of one frame, in bytes. `false` and `Infinity`: off. */
  readonly maxFrameBytes?: number | false | undefined
  /** The subprotocols of this service, in place of the server's; an empty list: none. Or a function that chooses. */
  readonly protocols?: readonly string[] | ProtocolChooser | undefined
  /** Answer pings by itself. */
  readonly autoPong?: boolean | undefined
}

const LIMITS_OF_SERVICES = [
  'idleTimeoutMs',
  'maxMessageBytes',
  'maxFrameBytes',
] as const satisfies readonly (keyof ServiceSettings)[]

/** The settings of a service with those of its server filled in. */
export interface ResolvedServiceSettings {
  readonly limits: Limits
  readonly protocols: readonly string[] | ProtocolChooser
  readonly autoPong: boolean
}

/**
 * Checks the settings of a service, and fills in those of its server.
 * @param name of the service, for the error
 * @throws TypeError or RangeError with the setting's name, value and range
 */
export function resolveServiceSettings(
  name: string,
  service: ServiceSettings,
  server: ResolvedServiceSettings,
): ResolvedServiceSettings {
  const { protocols = server.protocols, autoPong = server.autoPong } = service
  if (typeof autoPong !== 'boolean') {
    throw new TypeError(`${name}.autoPong must be true or false, not ${showValue(autoPong)}`)
  }
  return {
    limits: overrideLimits(server.limits, name, service, LIMITS_OF_SERVICES),
    protocols: typeof protocols === 'function' ? protocols : checkProtocols(protocols, `${name}.protocols`),
    autoPong,
  }
}

/** The options of a server. */
export interface ServerOptions extends TimeoutOptions, SharedOptions {
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
  /** Upgrades above this are answered with 503. Default: off. */
  readonly maxConnections?: number | false
  /** The same for each remote address. Default: off. */
  readonly maxConnectionsPerAddress?: number | false
  /** The way to other processes, for groups, named connections and broadcasts. Default: this process alone. */
  readonly backplane?: Backplane | undefined
  /** Another process that was silent for so long is forgotten, with its names and groups. Default 15 s. */
  readonly presenceTtlMs?: number | undefined
  /** Bounds of groups and names. */
  readonly hubLimits?: HubLimitOptions | undefined
  /** Keep the request of each upgrade as `socket.request`. Default false: nothing of it but the URL is kept. */
  readonly keepRequest?: boolean
  /**
   * Told of errors that nobody else is told of: an `onUpgrade` that threw or returned something else than a decision, a
   * function in `origins` or `protocols` that threw, an HTTP server that failed, a handler that failed where its service
   * has no `onError`. Without it, and where it throws or rejects itself, the process gets a warning.
   */
  readonly onError?: (error: Error) => void
}

export interface ResolvedServerOptions extends ResolvedServiceSettings {
  readonly tls: TlsOptions | undefined
  readonly origins: readonly OriginRule[] | undefined
  /** Those that are agreed to where the client offers them. */
  readonly extensions: Extensions
  readonly slowConsumer: SlowConsumerPolicy
  readonly directIo: boolean
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly keepRequest: boolean
  /**
   * Tells the application, and throws nothing: what nobody hears is a warning of the process.
   * @param what what failed, for the warning
   */
  readonly onError: (error: Error, what?: string) => void
  /** Whether somebody gave `onError`. */
  readonly isErrorHeard: boolean
}

const NAMES = new Set<string>([
  ...TIMEOUT_NAMES,
  'limits',
  'tls',
  'origins',
  'protocols',
  'perMessageDeflate',
  'slowConsumer',
  'autoPong',
  'directIo',
  'maxConnections',
  'maxConnectionsPerAddress',
  'backplane',
  'presenceTtlMs',
  'hubLimits',
  'keepRequest',
  'onError',
])

const checkCount = (name: string, value: number | false | undefined): number =>
  value === undefined || value === false ? Infinity : checkNumber(name, value, { min: 1, integer: true })

/** @throws TypeError or RangeError with the option's name, value and range */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  checkOptionNames('ServerOptions', options, NAMES)
  const { tls, protocols = [], keepRequest = false, onError } = options
  const { slowConsumer, autoPong, directIo } = resolveSharedOptions(options)
  if (onError !== undefined && typeof onError !== 'function')
    throw new TypeError(`onError must be a function, not ${showValue(onError)}`)
  if (typeof keepRequest !== 'boolean') {
    throw new TypeError(`keepRequest must be true or false, not ${showValue(keepRequest)}`)
  }
  return {
    limits: gatherLimits(options, SERVER_LIMITS),
    tls,
    origins: checkOrigins(options.origins),
    protocols: typeof protocols === 'function' ? protocols : checkProtocols(protocols),
    extensions: new Extensions(perMessageDeflate(options.perMessageDeflate, 'server')),
    slowConsumer,
    autoPong,
    directIo,
    maxConnections: checkCount('maxConnections', options.maxConnections),
    maxConnectionsPerAddress: checkCount('maxConnectionsPerAddress', options.maxConnectionsPerAddress),
    keepRequest,
    onError: contained(onError, {}),
    isErrorHeard: onError !== undefined,
  }
}

/**
 * Calls the application's `onError`, which harms nobody: what it throws, now or later, is a warning of the process, and so
 * is every error where there is none.
 * @param owner of the warnings
 */
function contained(
  onError: ((error: Error) => unknown) | undefined,
  owner: object,
): (error: Error, what?: string) => void {
  return (error, what = 'the server') => {
    if (onError === undefined) {
      warnOnce(owner, 'HAWSER_UNHANDLED_SERVER_ERROR', `${what} failed, and the server has no onError`, error)
      return
    }
    const failed = (thrown: unknown): void => {
      warnOnce(
        owner,
        'HAWSER_ON_ERROR_FAILED',
        `onError failed, called with ${showValue(error.message)}`,
        thrown,
      )
    }
    try {
      Promise.resolve(onError(error)).catch(failed)
    } catch (thrown) {
      failed(thrown)
    }
  }
}
