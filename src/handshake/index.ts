/**
 * `hawser/handshake`: the opening handshake of RFC 6455 (section 4) for both roles, as pure functions over HTTP/1.1
 * heads, without sockets. For bad input of a peer the functions return a HandshakeError; for bad arguments of the
 * caller they throw.
 *
 * ```js
 * // a server
 * const scanner = new HeadScanner('request')
 * if (scanner.push(chunk) === 'done') {
 *   const request = readUpgradeRequest(scanner.head)
 *   if (request instanceof HandshakeError) write(formatRejection(request.httpStatus ?? 500))
 *   else write(formatUpgradeResponse(request, { protocol: chooseProtocol(request.protocols, ['chat']) }))
 * }
 *
 * // a client
 * const key = createKey()
 * write(formatUpgradeRequest({ target: '/', host: 'localhost', key }))
 * const scanner = new HeadScanner('response')
 * if (scanner.push(chunk) === 'done') {
 *   const agreed = verifyUpgradeResponse(scanner.head, { key, protocols: [], extensionNames: [] })
 * }
 * ```
 */

export { HandshakeError } from '../errors.js'
export type { HandshakeErrorCode, HandshakeResponse } from '../errors.js'
export type { HeaderPairs } from './caller-headers.js'
export { formatUpgradeRequest, isInterimResponse, verifyUpgradeResponse } from './client-handshake.js'
export type { UpgradeOffer, UpgradeRequestOptions, UpgradeResult } from './client-handshake.js'
export { formatExtension, parseExtensionHeader } from './extension-header.js'
export type { ExtensionOffer } from './extension-header.js'
export { HeaderFields } from './header-fields.js'
export { HeadScanner } from './http1.js'
export type { HeadScannerOptions, HeadTypes, RequestHead, ResponseHead } from './http1.js'
export { computeAccept, createKey, isValidKey } from './key.js'
export { formatRejection, formatUpgradeResponse, readUpgradeRequest } from './server-handshake.js'
export type { RejectionOptions, UpgradeChoice, UpgradeRequest } from './server-handshake.js'
export { checkProtocols, chooseProtocol, parseProtocolHeader } from './subprotocol.js'
