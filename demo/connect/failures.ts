import { HandshakeError, ProtocolError, TransportError, type CloseInfo } from 'hawser'
import { EXIT } from './exit-codes.js'

/** Why there is no connection: the exit code, and what to print. */
export interface Failure {
  readonly code: number
  readonly message: string
}

/** The start of the body of a refusal, as far as it is printed. */
const MAX_BODY_CHARACTERS = 2000

/** Headers that say what to do about a refusal. */
const TELLING_HEADERS = ['location', 'retry-after', 'www-authenticate', 'proxy-authenticate']

/** A redirect that is not followed is an answer of the server like any other. */
const REFUSED_REDIRECTS: readonly string[] = ['HAWSER_REDIRECT_REFUSED', 'HAWSER_TOO_MANY_REDIRECTS']

/** What OpenSSL and Node say of a certificate that is not trusted. */
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|ALTNAME_INVALID|CERT_(HAS_EXPIRED|UNTRUSTED)/

/** What a failure of `connect` means for a script, or null: it is a wrong command line. */
export function explainHandshake(error: unknown): Failure | null {
  if (!(error instanceof HandshakeError)) return null
  const { response } = error
  if (response !== undefined && error.code === 'HAWSER_UNEXPECTED_STATUS') {
    return { code: EXIT.REFUSED, message: refusal('the server refused the connection', response) }
  }
  if (response !== undefined && REFUSED_REDIRECTS.includes(error.code)) {
    return { code: EXIT.REFUSED, message: refusal(error.message, response) }
  }
  if (response !== undefined && error.code === 'HAWSER_PROXY_REFUSED') {
    return {
      code: EXIT.NOT_CONNECTED,
      message: refusal('the proxy opened no tunnel to the server', response),
    }
  }
  const { code } = (error.cause ?? {}) as { readonly code?: unknown }
  const hint =
    typeof code === 'string' && UNTRUSTED.test(code)
      ? '; --ca FILE trusts its authority, --insecure accepts any certificate'
      : ''
  return { code: EXIT.NOT_CONNECTED, message: `${error.message}${hint}` }
}

/** A well-formed URL, absolute or not, without what may be a secret: user, password, and what query and fragment say. */
export const withoutSecrets = (url: string): string =>
  url.replace(/([?#]).*$/s, '$1***').replace(/^([a-z][a-z\d+.-]*:)?\/\/[^/]*@/i, '$1//***@')

const isLocation = (name: string): boolean => name.toLowerCase() === 'location'

function refusal(
  what: string,
  { status, statusText, headers, body }: NonNullable<HandshakeError['response']>,
): string {
  const told = headers.filter(([name]) => TELLING_HEADERS.includes(name.toLowerCase()))
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString().trim()
  const lines = [
    `${what}: HTTP ${String(status)} ${statusText}`.trimEnd(),
    ...told.map(([name, value]) => `${name}: ${isLocation(name) ? withoutSecrets(value) : value}`),
    ...(text === '' ? [] : [text.slice(0, MAX_BODY_CHARACTERS)]),
  ]
  return lines.join('\n')
}

/**
 * The end of a connection in words.
 * @param cause the error that ended it, if there is one
 */
export function describeEnd({ code, reason, initiator }: CloseInfo, cause: unknown): string {
  const why = reason === '' ? '' : `, ${JSON.stringify(reason)}`
  if (code === 1006) {
    const detail =
      cause instanceof ProtocolError || cause instanceof TransportError ? `: ${cause.message}` : ''
    return `the connection was lost (1006)${detail}`
  }
  if (initiator === 'engine') {
    const detail = cause instanceof Error ? `: ${cause.message}` : why
    return `the connection failed with ${String(code)}${detail}`
  }
  const by = initiator === 'local' ? 'closed' : 'the server closed the connection'
  return `${by} with ${code === 1005 ? 'no code' : String(code)}${why}`
}
