import { showFlaw, showUrl } from '../check.js'
import { isToken, isTokenCode } from '../handshake/tokens.js'
import { isSequence, toUSVString } from './web-idl.js'

const SCHEMES: Readonly<Record<string, string>> = { 'http:': 'ws:', 'https:': 'wss:' }

const syntaxError = (message: string): DOMException => new DOMException(message, 'SyntaxError')

/**
 * Gets a URL record: http and https stand for ws and wss. A program has no base URL, so the URL is absolute.
 * @throws DOMException SyntaxError for what is not such a URL, or has a fragment
 */
export function parseUrl(given: unknown): URL {
  const text = toUSVString(given)
  if (!URL.canParse(text)) throw syntaxError(`url must be absolute and well-formed, not ${showUrl(text)}`)
  let url = new URL(text)
  const scheme = SCHEMES[url.protocol]
  // The scheme is set in the text: the setter would keep a port that is the default of the other scheme.
  if (scheme !== undefined) url = new URL(`${scheme}${url.href.slice(url.protocol.length)}`)
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw syntaxError(`url must start with ws:, wss:, http: or https:, not ${showUrl(text)}`)
  }
  if (url.href.includes('#')) throw syntaxError(`url must have no fragment, not ${showUrl(text)}`)
  return url
}

/** A URL as a log shows it: without user and password. */
export function withoutCredentials(href: string): string {
  const url = new URL(href)
  url.username = ''
  url.password = ''
  return url.href
}

/** Reads `DOMString or sequence<DOMString>`. */
export function toProtocols(given: unknown): readonly string[] {
  return isSequence(given) ? Array.from(given, toUSVString) : [toUSVString(given)]
}

/** @throws DOMException SyntaxError for a name that is not a token, or that appears twice, in whatever case */
export function checkProtocols(protocols: readonly string[]): void {
  const seen = new Set<string>()
  for (const [i, protocol] of protocols.entries()) {
    const name = `protocols[${String(i)}]`
    if (!isToken(protocol)) {
      const flaw = showFlaw(protocol, isTokenCode)
      throw syntaxError(`protocols must be tokens (RFC 6455 11.3.4), and ${name} is ${flaw}`)
    }
    const folded = protocol.toLowerCase()
    if (seen.has(folded)) throw syntaxError(`protocols must hold each name once, and ${name} repeats one`)
    seen.add(folded)
  }
}
