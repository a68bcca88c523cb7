/** The server's side of the opening handshake (RFC 6455 section 4.2): checks the request, writes the response. */

import { HandshakeError } from '../errors.js'
import { checkNumber, checkOptionNames, showValue, unchecked, type Checks } from '../check.js'
import { formatCallerHeaders } from './caller-headers.js'
import type { HeaderPairs } from './caller-headers.js'
import { parseExtensionHeader, readExtensions } from './extension-header.js'
import type { ExtensionOffer } from './extension-header.js'
import type { HeaderFields, RequestHead } from './http1.js'
import { computeAccept, isValidKey } from './key.js'
import { REASON_PHRASES } from './reason-phrases.js'
import { parseTarget } from './request-target.js'
import { parseProtocolHeader } from './subprotocol.js'
import { isHost, isToken, listHas } from './tokens.js'

/** A request that is a valid opening handshake (RFC 6455 section 4.2.1). */
export interface UpgradeRequest {
  /** Sec-WebSocket-Key, as sent. */
  readonly key: string
  /** The offered subprotocols, in the client's order of preference. */
  readonly protocols: readonly string[]
  /** The offered extensions, in the client's order of preference. A name may appear more than once. */
  readonly extensions: readonly ExtensionOffer[]
  /** The Origin header: browsers always send it, other clients hardly ever. */
  readonly origin: string | undefined
  /** Path and query as sent, not decoded. An absolute-form is reduced to these. */
  readonly target: string
  /** The path as sent, not decoded. */
  readonly path: string
  /** The query with its question mark, or empty. */
  readonly search: string
  /** The Host header: the host, and the port if one is given. */
  readonly host: string
  /** The header fields of the request. */
  readonly headers: HeaderFields
}

/** The server's answer to a valid handshake. */
export interface UpgradeChoice {
  /** One of the offered subprotocols; undefined or empty for none. */
  readonly protocol?: string | undefined
  /** The value of Sec-WebSocket-Extensions, with offered extensions only; undefined or empty for none. */
  readonly extensions?: string | undefined
  /** Additional headers, for example Set-Cookie. */
  readonly headers?: HeaderPairs | undefined
}

/** The headers and body of a rejection. */
export interface RejectionOptions {
  /** Further headers. */
  readonly headers?: HeaderPairs | undefined
  /**
   * A string is sent as UTF-8, with the type text/plain unless `headers` has a Content-Type. Bytes are sent
   * unchanged.
   */
  readonly body?: string | Uint8Array | undefined
}

const CHOICE = {
  protocol: unchecked(),
  extensions: unchecked(),
  headers: unchecked(),
} satisfies Checks<UpgradeChoice>

const REJECTION = { headers: unchecked(), body: unchecked() } satisfies Checks<RejectionOptions>

/** The only version of the protocol (RFC 6455 section 4.1). */
const VERSION = '13'

/** The value of a header that must appear once; undefined if it is missing or appears more than once. */
function single(headers: HeaderFields, name: string): string | undefined {
  const values = headers.getAll(name)
  return values.length === 1 ? values[0] : undefined
}

/**
 * Checks that a request is an opening handshake (RFC 6455 section 4.2.1) and reads it. No request makes it throw.
 * @param head from {@link HeadScanner}, or made from the result of another HTTP parser
 * @returns the handshake, or an error whose `httpStatus` is the status to answer: 505 if it is not HTTP/1.1, 405 if
 *   it is not a GET, 426 if it is not an upgrade to WebSocket or the version is not 13, 400 for anything else
 */
export function readUpgradeRequest(head: RequestHead): UpgradeRequest | HandshakeError {
  const { headers } = head
  if (head.httpVersion !== '1.1') return new HandshakeError('HAWSER_HTTP_VERSION')
  if (head.method !== 'GET') return new HandshakeError('HAWSER_METHOD_NOT_ALLOWED')

  const target = parseTarget(head.target)
  if (target === null) return new HandshakeError('HAWSER_INVALID_TARGET')
  const host = single(headers, 'Host')
  if (host === undefined || !isHost(host)) return new HandshakeError('HAWSER_INVALID_HOST')
  // Frames follow the head. With a body before them, two readers could disagree on where the frames start.
  if (headers.has('Transfer-Encoding') || headers.getAll('Content-Length').some((length) => length !== '0')) {
    return new HandshakeError('HAWSER_UNEXPECTED_BODY')
  }

  if (
    !listHas(headers.get('Upgrade') ?? '', 'websocket') ||
    !listHas(headers.get('Connection') ?? '', 'upgrade')
  ) {
    return new HandshakeError('HAWSER_UPGRADE_REQUIRED')
  }
  if (headers.count('Sec-WebSocket-Version') > 1) {
    return new HandshakeError('HAWSER_INVALID_VERSION_HEADER')
  }
  if (headers.get('Sec-WebSocket-Version') !== VERSION) {
    return new HandshakeError('HAWSER_UNSUPPORTED_VERSION')
  }
  const key = single(headers, 'Sec-WebSocket-Key')
  if (key === undefined || !isValidKey(key)) return new HandshakeError('HAWSER_INVALID_KEY')
  if (headers.count('Origin') > 1) return new HandshakeError('HAWSER_INVALID_ORIGIN_HEADER')

  const protocolHeader = headers.get('Sec-WebSocket-Protocol')
  const protocols = protocolHeader === undefined ? [] : parseProtocolHeader(protocolHeader)
  if (protocols === null) return new HandshakeError('HAWSER_INVALID_PROTOCOL_HEADER')
  const extensions = readExtensions(headers)
  if (extensions === null) return new HandshakeError('HAWSER_INVALID_EXTENSION_HEADER')

  return {
    key,
    protocols,
    extensions,
    origin: headers.get('Origin'),
    // Field by field: to spread the target takes three times as long as all the checks (Node 20, 2026-11).
    target: target.target,
    path: target.path,
    search: target.search,
    host,
    headers,
  }
}

/**
 * Formats the response that accepts a handshake (RFC 6455 section 4.2.2).
 * @returns the whole head with its blank line, to be written as latin1
 * @throws TypeError for a subprotocol or an extension that was not offered, for a malformed extension header, and for
 *   headers that are malformed or reserved
 */
export function formatUpgradeResponse(request: UpgradeRequest, choice: UpgradeChoice = {}): string {
  checkOptionNames('UpgradeChoice', choice, CHOICE)
  const { protocol = '', extensions = '', headers } = choice
  let head =
    'HTTP/1.1 101 Switching Protocols\r\n' +
    'Upgrade: websocket\r\n' +
    'Connection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${computeAccept(request.key)}\r\n`
  if (protocol !== '') {
    if (!request.protocols.includes(protocol) || !isToken(protocol)) {
      throw new TypeError(`protocol must be one that the client offered, not ${showValue(protocol)}`)
    }
    head += `Sec-WebSocket-Protocol: ${protocol}\r\n`
  }
  if (extensions !== '') {
    const chosen = typeof extensions === 'string' ? parseExtensionHeader(extensions) : null
    const offered = new Set(request.extensions.map((offer) => offer.name))
    if (chosen === null || chosen.length === 0 || !chosen.every(({ name }) => offered.has(name))) {
      throw new TypeError(
        `extensions must hold extensions that the client offered, not ${showValue(extensions)}`,
      )
    }
    head += `Sec-WebSocket-Extensions: ${extensions}\r\n`
  }
  return `${head}${formatCallerHeaders(headers).lines}\r\n`
}

/**
 * Formats a response that rejects a handshake and ends the connection. It has `Connection: close`, a Content-Length,
 * and the headers that the status requires: `Allow` with 405, `Upgrade` and `Sec-WebSocket-Version: 13` with 426 (RFC
 * 9110 sections 15.5.6 and 15.5.22, RFC 6455 section 4.4).
 * @param status an HTTP status, 300 to 599
 * @returns head and body in bytes, owned by the caller
 * @throws RangeError for a status out of range; TypeError for a status that is not a number, for headers that are
 *   malformed or reserved, for a body that is neither a string nor bytes, and for a body with 304, which must not
 *   have one
 */
export function formatRejection(status: number, options: RejectionOptions = {}): Uint8Array {
  checkNumber('status', status, { min: 300, max: 599, integer: true })
  checkOptionNames('RejectionOptions', options, REJECTION)
  const { lines, names } = formatCallerHeaders(options.headers)
  const body = encodeBody(options.body ?? '')
  checkBodyOf(status, body)
  let head = `HTTP/1.1 ${String(status)} ${REASON_PHRASES.get(status) ?? ''}\r\n`
  if (status === 426) {
    // A sender of Upgrade must name it in Connection (RFC 9110 section 7.8).
    head += `Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ${VERSION}\r\n`
  } else {
    head += 'Connection: close\r\n'
  }
  if (status === 405 && !names.has('allow')) head += 'Allow: GET\r\n'
  if (typeof options.body === 'string' && options.body !== '' && !names.has('content-type')) {
    head += 'Content-Type: text/plain; charset=utf-8\r\n'
  }
  if (status !== 304) head += `Content-Length: ${String(body.length)}\r\n`
  head += `${lines}\r\n`

  const response = new Uint8Array(head.length + body.length)
  for (let i = 0; i < head.length; i++) response[i] = head.charCodeAt(i)
  response.set(body, head.length)
  return response
}

/** @throws TypeError for a body with 304, which must not have one (RFC 9110 section 15.4.5) */
export function checkBodyOf(status: number, body: string | Uint8Array | undefined): void {
  if (status !== 304 || body === undefined || body.length === 0) return
  throw new TypeError('body must be empty with status 304 (RFC 9110 15.4.5)')
}

function encodeBody(body: unknown): Uint8Array {
  if (typeof body === 'string') return new TextEncoder().encode(body)
  if (body instanceof Uint8Array) return body
  throw new TypeError(`body must be a string or a Uint8Array, not ${showValue(body)}`)
}
