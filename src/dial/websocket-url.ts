import { showUrl, showValue } from '../check.js'

/** The target of a URL: the address of the transport, and parts of the request head. */
export interface Target {
  /** The URL without credentials. */
  readonly href: string
  /** The URL as errors show it: without the query as well, which may hold a token. */
  readonly shown: string
  readonly secure: boolean
  /** The path of a Unix socket, or undefined. */
  readonly socketPath: string | undefined
  readonly hostname: string
  readonly port: number
  /** The Host header. */
  readonly host: string
  /** Path and query. */
  readonly target: string
  /** The Authorization header that credentials in the URL stand for, or undefined. */
  readonly authorization: string | undefined
}

const SCHEMES: ReadonlyMap<
  string,
  { readonly secure: boolean; readonly port: number; readonly unix: boolean }
> = new Map([
  ['ws:', { secure: false, port: 80, unix: false }],
  ['http:', { secure: false, port: 80, unix: false }],
  ['wss:', { secure: true, port: 443, unix: false }],
  ['https:', { secure: true, port: 443, unix: false }],
  ['ws+unix:', { secure: false, port: 0, unix: true }],
  ['wss+unix:', { secure: true, port: 0, unix: true }],
])

/**
 * Reads the URL of a WebSocket (RFC 6455 section 3): ws, wss, and http and https for them; `ws+unix:/path/to/socket`
 * and `wss+unix:`, with the request target after a second colon.
 * @throws SyntaxError for what is not such a URL, or has a fragment
 */
export function parseTarget(url: string | URL): Target {
  const text = url instanceof URL ? url.href : url
  if (typeof text !== 'string') throw new TypeError(`url must be a string or a URL, not ${showValue(url)}`)
  if (!URL.canParse(text))
    throw new SyntaxError(`url must be an absolute, well-formed URL, not ${showUrl(text)}`)
  const parsed = new URL(text)
  const scheme = SCHEMES.get(parsed.protocol)
  if (scheme === undefined) {
    throw new SyntaxError(
      `url must start with ws:, wss:, http:, https:, ws+unix: or wss+unix:, not ${showUrl(text)}`,
    )
  }
  if (text.includes('#'))
    throw new SyntaxError(`url must have no fragment (RFC 6455 section 3), not ${showUrl(text)}`)
  const { secure } = scheme
  if (scheme.unix) return unixTarget(parsed, secure)
  const { username, password } = parsed
  parsed.username = ''
  parsed.password = ''
  const port = parsed.port === '' ? scheme.port : Number(parsed.port)
  const isDefaultPort = port === (secure ? 443 : 80)
  return {
    href: parsed.href,
    shown: parsed.href.split('?', 1)[0] as string,
    secure,
    socketPath: undefined,
    hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
    port,
    host: isDefaultPort ? parsed.hostname : `${parsed.hostname}:${String(port)}`,
    target: `${parsed.pathname}${parsed.search}`,
    authorization: basicAuthorization(username, password),
  }
}

function unixTarget(parsed: URL, secure: boolean): Target {
  const colon = parsed.pathname.indexOf(':')
  const socketPath = colon < 0 ? parsed.pathname : parsed.pathname.slice(0, colon)
  const pathname = colon < 0 ? '/' : parsed.pathname.slice(colon + 1)
  if (parsed.hostname !== '' || socketPath === '' || socketPath === '/') {
    throw new SyntaxError(
      `url must name a socket by its whole path, as in ws+unix:/run/app.sock:/chat, not ${showUrl(parsed.href)}`,
    )
  }
  return {
    href: parsed.href,
    shown: parsed.href.split('?', 1)[0] as string,
    secure,
    socketPath: decode('url', 'a socket path', socketPath),
    hostname: 'localhost',
    port: 0,
    host: 'localhost',
    target: `${pathname.startsWith('/') ? pathname : `/${pathname}`}${parsed.search}`,
    authorization: undefined,
  }
}

/**
 * The credentials of a URL as basic authentication (RFC 7617), or undefined for none.
 * @param name how an error names the URL
 * @throws SyntaxError for credentials that are not percent-encoded UTF-8, and for a user name with a colon
 */
export function basicAuthorization(username: string, password: string, name = 'url'): string | undefined {
  if (username === '' && password === '') return undefined
  const [user, pass] = [username, password].map((text) => decode(name, 'credentials', text))
  if (String(user).includes(':'))
    throw new SyntaxError(`${name} must have no colon in the user name (RFC 7617 section 2)`)
  const credentials = `${String(user)}:${String(pass)}`
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}

/** @throws SyntaxError instead of the URIError of `decodeURIComponent`, which names nothing */
function decode(name: string, what: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new SyntaxError(
      `${name} must have ${what} that ${what === 'credentials' ? 'are' : 'is'} percent-encoded UTF-8`,
    )
  }
}
