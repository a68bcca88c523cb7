/** The client's side of the opening handshake (RFC 6455 section 4.1): writes the request, checks the response. */

import { HandshakeError } from '../errors.js'
import type { HandshakeErrorCode } from '../errors.js'
import { checkOptionNames, showValue, unchecked, type Checks } from '../check.js'
import { checkFieldValue, formatCallerHeaders } from './caller-headers.js'
import type { HeaderPairs } from './caller-headers.js'
import { parseExtensionHeader, readExtensions } from './extension-header.js'
import type { ExtensionOffer } from './extension-header.js'
import type { ResponseHead } from './http1.js'
import { computeAccept, isValidKey } from './key.js'
import { isOriginForm } from './request-target.js'
import { checkProtocols } from './subprotocol.js'
import { equalsIgnoringCase, isHost, listHas } from './tokens.js'

/** The contents of a client's handshake request. */
export interface UpgradeRequestOptions {
  /** Path and query, percent-encoded; it starts with a slash. */
  readonly target: string
  /** The Host header: the host and, unless it is the scheme's default, the port. IPv6 addresses are in brackets. */
  readonly host: string
  /** A key from `createKey()`, a new one for each connection. */
  readonly key: string
  /** Subprotocols in order of preference. */
  readonly protocols?: readonly string[] | undefined
  /** The value of Sec-WebSocket-Extensions; undefined or empty for none. */
  readonly extensions?: string | undefined
  /** Additional headers, for example Authorization or Cookie. */
  readonly headers?: HeaderPairs | undefined
  /** The Origin header. Only browsers must send it (RFC 6455 section 4.1). */
  readonly origin?: string | undefined
}

/** What the request offered: the response is checked against it. */
export interface UpgradeOffer {
  /** The key of the request. */
  readonly key: string
  /** The offered subprotocols. */
  readonly protocols: readonly string[]
  /** The names of the offered extensions. */
  readonly extensionNames: readonly string[]
}

/** What both sides agreed on. */
export interface UpgradeResult {
  /** The subprotocol, or an empty string for none. */
  readonly protocol: string
  /**
   * The extensions in the server's order, each name once. Each extension itself checks whether its parameters fit the
   * offer.
   */
  readonly extensions: readonly ExtensionOffer[]
}

const CHECKS = {
  target: unchecked(),
  host: unchecked(),
  key: unchecked(),
  protocols: unchecked(),
  extensions: unchecked(),
  headers: unchecked(),
  origin: unchecked(),
} satisfies Checks<UpgradeRequestOptions>

const USE_HOST: ReadonlyMap<string, string> = new Map([['host', 'use the option host']])
const USE_HOST_AND_ORIGIN: ReadonlyMap<string, string> = new Map([
  ...USE_HOST,
  ['origin', 'the option origin already sets it'],
])

/**
 * Formats the request that opens a handshake (RFC 6455 section 4.1).
 * @returns the whole head with its blank line, to be written as latin1
 * @throws TypeError with name and value for a malformed option, and for headers that are malformed or reserved
 */
export function formatUpgradeRequest(options: UpgradeRequestOptions): string {
  checkOptionNames('UpgradeRequestOptions', options, CHECKS)
  const { target, host, key, extensions = '', origin } = options
  if (typeof target !== 'string' || !isOriginForm(target)) {
    throw new TypeError(
      `target must be a percent-encoded path with or without a query, not ${showValue(target)}`,
    )
  }
  if (typeof host !== 'string' || !isHost(host)) {
    throw new TypeError(`host must be a host with or without a port, not ${showValue(host)}`)
  }
  if (typeof key !== 'string' || !isValidKey(key)) {
    throw new TypeError(`key must be 16 bytes in base64, not ${showValue(key)}`)
  }
  let head =
    `GET ${target} HTTP/1.1\r\n` +
    `Host: ${host}\r\n` +
    'Upgrade: websocket\r\n' +
    'Connection: Upgrade\r\n' +
    `Sec-WebSocket-Key: ${key}\r\n` +
    'Sec-WebSocket-Version: 13\r\n'
  const protocols = checkProtocols(options.protocols ?? [])
  if (protocols.length > 0) head += `Sec-WebSocket-Protocol: ${protocols.join(', ')}\r\n`
  if (extensions !== '') {
    const offered = typeof extensions === 'string' ? parseExtensionHeader(extensions) : null
    if (offered === null || offered.length === 0) {
      throw new TypeError(
        `extensions must be a Sec-WebSocket-Extensions header (RFC 6455 9.1), not ${showValue(extensions)}`,
      )
    }
    head += `Sec-WebSocket-Extensions: ${extensions}\r\n`
  }
  if (origin !== undefined) head += `Origin: ${checkFieldValue('Origin', origin)}\r\n`
  const reserved = origin === undefined ? USE_HOST : USE_HOST_AND_ORIGIN
  return `${head}${formatCallerHeaders(options.headers, reserved).lines}\r\n`
}

/**
 * Whether this is an interim response (RFC 9110 section 15.2), such as 103 Early Hints. The final response follows
 * it: read on with a new scanner, starting with `rest`.
 */
export function isInterimResponse(head: ResponseHead): boolean {
  return head.status < 200 && head.status !== 101
}

/**
 * Checks that a response completes the requested handshake (RFC 6455 section 4.1). No response makes it throw.
 * @param head from {@link HeadScanner}
 * @param offered what the request offered
 * @returns what both sides agreed on, or an error that carries the response with an empty body:
 *   HAWSER_UNEXPECTED_STATUS for a status other than 101, or the code for what is wrong with the 101
 */
export function verifyUpgradeResponse(
  head: ResponseHead,
  offered: UpgradeOffer,
): UpgradeResult | HandshakeError {
  const { status, statusText, headers } = head
  const fail = (code: HandshakeErrorCode, detail: string): HandshakeError =>
    new HandshakeError(code, {
      detail,
      response: { status, statusText, headers: headers.entries(), body: new Uint8Array(0) },
    })

  if (status !== 101) {
    return fail('HAWSER_UNEXPECTED_STATUS', `${String(status)} ${statusText}`.trimEnd())
  }
  if (head.httpVersion !== '1.1') return fail('HAWSER_HTTP_VERSION', `HTTP/${head.httpVersion}`)

  const upgrade = headers.get('Upgrade')
  if (upgrade === undefined || !equalsIgnoringCase(upgrade, 'websocket')) {
    return fail('HAWSER_INVALID_UPGRADE_RESPONSE', `Upgrade is ${showValue(upgrade)}`)
  }
  const connection = headers.get('Connection')
  if (connection === undefined || !listHas(connection, 'upgrade')) {
    return fail('HAWSER_INVALID_UPGRADE_RESPONSE', `Connection is ${showValue(connection)}`)
  }
  // Several headers are joined into one value, which is never equal.
  const accept = headers.get('Sec-WebSocket-Accept')
  if (accept !== computeAccept(offered.key)) {
    return fail('HAWSER_INVALID_ACCEPT', `it is ${showValue(accept)}`)
  }

  const protocol = headers.get('Sec-WebSocket-Protocol')
  if (protocol !== undefined && !offered.protocols.includes(protocol)) {
    return fail('HAWSER_UNEXPECTED_PROTOCOL', showValue(protocol))
  }

  const extensions = readExtensions(headers)
  if (extensions === null) {
    return fail('HAWSER_INVALID_EXTENSION_HEADER', showValue(headers.get('Sec-WebSocket-Extensions')))
  }
  const expected = new Set(offered.extensionNames)
  for (const { name } of extensions) {
    // An extension that is chosen twice is as unexpected as one that was not offered.
    if (!expected.delete(name)) return fail('HAWSER_UNEXPECTED_EXTENSION', showValue(name))
  }

  return { protocol: protocol ?? '', extensions }
}
