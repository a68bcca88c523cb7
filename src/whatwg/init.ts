import { checkOptionNames } from '../check.js'
import type { ConnectOptions } from '../client/connect.js'
import { CLIENT_LIMITS, resolveLimits } from '../limits.js'

/**
 * What a browser has no place for. It stands where the standard has the protocols, as undici has it; `connect` has the same
 * options and describes them.
 */
export type WebSocketInit = Pick<
  ConnectOptions,
  | 'protocols'
  | 'headers'
  | 'origin'
  | 'tls'
  | 'perMessageDeflate'
  | 'limits'
  | 'redirects'
  | 'proxy'
  | 'agent'
  | 'lookup'
  | 'localAddress'
  | 'family'
>

/** The options that go to `connect` as they are. */
export type ConnectionInit = Omit<WebSocketInit, 'protocols'>

/** Each of them, once: a name that is missing does not compile. */
const NAMES_OF: Readonly<Record<keyof ConnectionInit, true>> = {
  headers: true,
  origin: true,
  tls: true,
  perMessageDeflate: true,
  limits: true,
  redirects: true,
  proxy: true,
  agent: true,
  lookup: true,
  localAddress: true,
  family: true,
}
const NAMES = Object.keys(NAMES_OF) as (keyof ConnectionInit)[]

/**
 * Checks the names of options, and the limits, which are joined with others.
 * @param what how the error names the options
 * @param further the names of the standard
 * @returns the part that goes to `connect`, which checks the other values
 * @throws TypeError or RangeError for an unknown name or a wrong limit
 */
export function readInit(what: string, given: object, further: readonly string[]): ConnectionInit {
  checkOptionNames(what, given, Object.fromEntries([...further, ...NAMES].map((name) => [name, true])))
  const options: ConnectionInit = given
  resolveLimits(options.limits, CLIENT_LIMITS)
  const present = NAMES.filter((name) => options[name] !== undefined)
  return Object.fromEntries(present.map((name) => [name, options[name]]))
}
