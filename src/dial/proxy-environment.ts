/** The proxy that the environment names for a URL, as curl reads it. */
import { BlockList, isIP, isIPv6 } from 'node:net'
import type { Target } from './websocket-url.js'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The proxy for a target: `https_proxy` for wss, `http_proxy` for ws, else `all_proxy`; none if `no_proxy` names the host.
 * The lower case of each name comes before the upper case, and an empty value counts as none. `HTTP_PROXY` is not read where
 * `REQUEST_METHOD` is set: in a CGI program a client sets it by the header `Proxy`.
 * @returns the value as it is, not checked, and the name of its variable; undefined for none
 */
export function proxyFromEnvironment(
  target: Target,
  environment: Environment,
): { readonly name: string; readonly value: string } | undefined {
  if (target.socketPath !== undefined) return undefined
  const isCgi = environment['REQUEST_METHOD'] !== undefined
  const firstOf = (names: readonly string[]): string | undefined =>
    names.find((name) => environment[name] !== undefined && environment[name] !== '')
  const names = target.secure
    ? ['https_proxy', 'HTTPS_PROXY']
    : ['http_proxy', ...(isCgi ? [] : ['HTTP_PROXY'])]
  const name = firstOf([...names, 'all_proxy', 'ALL_PROXY'])
  if (name === undefined) return undefined
  const noProxy = environment[firstOf(['no_proxy', 'NO_PROXY']) ?? ''] ?? ''
  return isExempt(target, noProxy) ? undefined : { name, value: environment[name] as string }
}

/**
 * Whether `NO_PROXY` names a host. Its entries are separated by commas or blanks. A name stands for itself and all names below
 * it, with a leading dot or without; an address for itself or, as in `10.0.0.0/8`, for a range; `*` alone for everything. An
 * entry with a port, which curl does not know, stands for that port alone.
 */
export function isExempt({ hostname, port }: Pick<Target, 'hostname' | 'port'>, noProxy: string): boolean {
  if (noProxy.trim() === '*') return true
  const entries = noProxy.split(/[\s,]+/).filter((entry) => entry !== '')
  return entries.some((entry) => {
    const { host, onlyPort } = splitPort(entry)
    if (onlyPort !== undefined && onlyPort !== port) return false
    return isIP(hostname) === 0 ? isWithinName(hostname, host) : isWithinRange(hostname, host)
  })
}

/** Splits `host:port` and `[address]:port`; an IPv6 address without brackets has no port. */
function splitPort(entry: string): { readonly host: string; readonly onlyPort: number | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? []
  return { host: bracketed ?? plain ?? entry, onlyPort: port === undefined ? undefined : Number(port) }
}

/** Dots at both ends of a name mean nothing. */
const bare = (name: string): string => name.toLowerCase().replace(/^\./, '').replace(/\.$/, '')

function isWithinName(hostname: string, entry: string): boolean {
  const name = bare(entry)
  const host = bare(hostname)
  return name !== '' && (host === name || host.endsWith(`.${name}`))
}

function isWithinRange(address: string, entry: string): boolean {
  const [network = '', bits, more] = entry.split('/')
  if (isIP(network) === 0 || isIP(network) !== isIP(address) || more !== undefined) return false
  const family = isIPv6(network) ? 'ipv6' : 'ipv4'
  const longest = family === 'ipv6' ? 128 : 32
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > longest)) return false
  const range = new BlockList()
  range.addSubnet(network, bits === undefined ? longest : Number(bits), family)
  return range.check(address, family)
}
