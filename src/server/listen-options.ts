/** The options of `listen` of a server. */
import { boolean, checkNumber, readOptions, refuseSurplus, string, showValue, type Checks } from '../check.js'

/** Where a server listens. */
export interface ListenOptions {
  /** From 0 to 65535; 0 takes a free one. Default 0. */
  readonly port?: number | undefined
  /** A name or an address of this machine. Default: all addresses. */
  readonly host?: string | undefined
  /**
   * Share the port with other processes whose servers listen with the same option (`SO_REUSEPORT`): the system gives each
   * connection to one of them. Needs Node 22.12, or 23.1 and later, and a system that spreads connections: Linux 3.9, FreeBSD 12,
   * DragonFly 3.6, Solaris 11.4, AIX 7.2.5 and later. Default false.
   */
  readonly reusePort?: boolean | undefined
}

/** Where a server listens, checked. */
export interface ResolvedListenOptions {
  readonly port: number
  readonly host: string | undefined
  readonly reusePort: boolean
}

const PORT = { min: 0, max: 65_535, integer: true }

/** Whether the `listen` of this Node knows `reusePort`. One that does not would take the port for itself alone, in silence. */
export function knowsReusePort(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
}

const CHECKS = {
  port: (name: string, value: unknown) => (value === undefined ? 0 : checkNumber(name, value, PORT)),
  host: string(undefined),
  reusePort: (name: string, value: unknown) => {
    const wanted = boolean(false)(name, value)
    if (wanted && !knowsReusePort(process.versions.node)) {
      throw new RangeError(
        `${name} must be false in Node ${process.versions.node}: it needs Node 22.12, or 23.1 and later`,
      )
    }
    return wanted
  },
} satisfies Checks<ListenOptions>

/**
 * Reads what `listen` was given: options, or port and host.
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name, or a callback
 */
export function readListenOptions(where: unknown, host: unknown, surplus: unknown): ResolvedListenOptions {
  if (typeof where === 'object' && where !== null) {
    refuseSurplus(host, 'listen(options)', 'it returns a promise')
    return readOptions('ListenOptions', where as ListenOptions, CHECKS)
  }
  refuseSurplus(surplus, 'listen(port, host)', 'it returns a promise')
  const port = where === undefined ? 0 : checkNumber('port', where, PORT)
  if (host !== undefined && typeof host !== 'string') {
    const hint = typeof host === 'function' ? ': listen takes no callback, and returns a promise' : ''
    throw new TypeError(`host must be a string, not ${showValue(host)}${hint}`)
  }
  return { port, host, reusePort: false }
}
