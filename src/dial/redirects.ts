import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { HandshakeErrorCode } from '../errors.js'
import type { ResponseHead } from '../handshake/http1.js'
import type { HeaderPair } from '../socket/headers-input.js'
import { parseTarget, type Target } from './websocket-url.js'

/** Where an attempt goes, with what belongs to that place alone. A redirect makes the next one. */
export interface Hop {
  readonly target: Target
  readonly headers: readonly HeaderPair[]
  readonly tls: TlsOptions | undefined
}

/** A redirect that is not followed. */
export interface RefusedRedirect {
  readonly code: HandshakeErrorCode
  readonly detail: string
}

/** More redirects than this are never followed. */
export const MAX_REDIRECTS = 20

const STATUSES: readonly number[] = [301, 302, 303, 307, 308]
/** Headers that say who the caller is. */
const CREDENTIALS: readonly string[] = ['authorization', 'cookie', 'proxy-authorization']
/** Options of TLS that say who the caller is, or which server to expect. */
const TLS_CREDENTIALS = [
  'cert',
  'key',
  'passphrase',
  'pfx',
  'pskCallback',
  'secureContext',
  'servername',
] as const

/** Whether a response leads somewhere else (RFC 9110 section 15.4). A handshake stays a GET for each of these. */
export const isRedirect = ({ status, headers }: ResponseHead): boolean =>
  STATUSES.includes(status) && headers.has('Location')

/**
 * Follows redirects: at most so many, none in a circle, and none that takes the encryption away. Credentials stay behind at
 * the first change of the origin (scheme, host and port).
 */
export class Redirects {
  private readonly max: number
  private readonly visited = new Set<string>()

  constructor(max: number) {
    this.max = max
  }

  /**
   * @param head of a response for which {@link isRedirect} holds
   * @returns where to go next, or why not
   */
  next(hop: Hop, head: ResponseHead): Hop | RefusedRedirect {
    this.visited.add(hop.target.href)
    const target = resolveLocation(hop.target, head.headers.getAll('Location'))
    if (typeof target === 'string') return { code: 'HAWSER_REDIRECT_REFUSED', detail: target }
    if (hop.target.secure && !target.secure) {
      return { code: 'HAWSER_REDIRECT_REFUSED', detail: `from wss to ${target.shown}` }
    }
    if (this.visited.has(target.href)) {
      return { code: 'HAWSER_TOO_MANY_REDIRECTS', detail: `in a circle, to ${target.shown} again` }
    }
    if (this.visited.size > this.max) {
      return {
        code: 'HAWSER_TOO_MANY_REDIRECTS',
        detail: `${String(this.max)}, and one more to ${target.shown}`,
      }
    }
    if (isSameOrigin(hop.target, target)) return { ...hop, target }
    return {
      target: { ...target, authorization: undefined },
      headers: hop.headers.filter(([name]) => !CREDENTIALS.includes(name.toLowerCase())),
      tls: withoutCredentials(hop.tls),
    }
  }
}

/**
 * Resolves the Location of a response (RFC 9110 section 10.2.2). Its fragment means nothing here, and its credentials are
 * those of the server's choice: both are left out.
 * @returns the target, or what is wrong with it
 */
function resolveLocation(from: Target, values: readonly string[]): Target | string {
  if (values.length > 1) return 'several Location headers'
  // Servers write UTF-8 where it should be percent-encoded.
  const location = Buffer.from(values[0] as string, 'latin1').toString()
  const base = `${from.secure ? 'https' : 'http'}://${from.host}${from.target}`
  if (!URL.canParse(location, base)) return 'a malformed Location'
  const url = new URL(location, base)
  url.hash = ''
  if (from.socketPath !== undefined && url.origin === new URL(base).origin) {
    return { ...from, href: `${hrefStart(from)}${url.pathname}${url.search}`, ...shownAt(from, url) }
  }
  const scheme = SCHEMES.get(url.protocol)
  if (scheme === undefined) return `to ${url.protocol}, which is not a scheme of WebSockets`
  url.protocol = scheme
  url.username = ''
  url.password = ''
  return { ...parseTarget(url), authorization: from.authorization }
}

const SCHEMES: ReadonlyMap<string, string> = new Map([
  ['ws:', 'ws:'],
  ['http:', 'ws:'],
  ['wss:', 'wss:'],
  ['https:', 'wss:'],
])

/** The URL of a Unix socket up to the target of the request. */
const hrefStart = ({ secure, socketPath }: Target): string =>
  `ws${secure ? 's' : ''}+unix:${encodeURI(socketPath as string)}:`

const shownAt = (from: Target, { pathname, search }: URL): Pick<Target, 'shown' | 'target'> => ({
  shown: `${hrefStart(from)}${pathname}`,
  target: `${pathname}${search}`,
})

const isSameOrigin = (one: Target, other: Target): boolean =>
  one.secure === other.secure &&
  one.hostname === other.hostname &&
  one.port === other.port &&
  one.socketPath === other.socketPath

function withoutCredentials(tls: TlsOptions | undefined): TlsOptions | undefined {
  if (tls === undefined) return undefined
  const rest = { ...tls }
  for (const name of TLS_CREDENTIALS) Reflect.deleteProperty(rest, name)
  return rest
}
