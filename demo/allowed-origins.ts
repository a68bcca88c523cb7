import { hostname, networkInterfaces } from 'node:os'

const WILDCARDS: readonly string[] = ['0.0.0.0', '::']

/** Whether a host means every address of this machine. */
export const isWildcard = (host: string): boolean => WILDCARDS.includes(host)

/** A host as URLs have it: IPv6 addresses stand in brackets. */
export const hostInUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/**
 * Whether an origin is a page of the machine that the browser runs on, at any port: a port that is forwarded to this
 * server (`ssh -L`, a container) shows its page under a number of its own.
 */
export function isLoopbackOrigin(origin: string): boolean {
  if (!URL.canParse(origin)) return false
  const url = new URL(origin)
  return /^https?:$/.test(url.protocol) && LOOPBACK.includes(url.hostname) && url.origin === origin
}

/**
 * The origins of the page itself (RFC 6455 section 10.2), by every name that it can be reached under.
 *
 * A list, not a comparison of Origin with Host: a hostile name that is made to resolve to this machine would pass
 * such a comparison. Where the server listens on all addresses, the machine's own addresses and name are listed.
 */
export function ownOrigins(host: string, port: number): string[] {
  const hosts = ['localhost', '127.0.0.1', '::1', host]
  if (isWildcard(host)) {
    hosts.push(hostname())
    for (const addresses of Object.values(networkInterfaces())) {
      for (const { address } of addresses ?? []) hosts.push(address)
    }
  }
  // As browsers write an origin: lower case, no default port. A host that no URL can hold (with a zone index) has no origin.
  const urls = hosts.map((name) => `http://${hostInUrl(name)}:${String(port)}`)
  return [...new Set(urls.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin))]
}
