/** The server's side of the opening handshake (RFC 6455 section 4.2). */
import { HandshakeError } from '../../src/errors.js'
import { verifyUpgradeResponse } from '../../src/handshake/client-handshake.js'
import { formatExtension } from '../../src/handshake/extension-header.js'
import { HeadScanner, type RequestHead, type ResponseHead } from '../../src/handshake/http1.js'
import {
  formatRejection,
  formatUpgradeResponse,
  readUpgradeRequest,
} from '../../src/handshake/server-handshake.js'
import type { UpgradeRequest } from '../../src/handshake/server-handshake.js'
import { check, checkSame, Choices, inputOf, type Target } from './choices.js'
import { readHead } from './heads.js'

const STATUSES = [400, 405, 426, 505]
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** The unused bits of the last character may have any value, as in the RFC's own example (section 4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/

/** The members of a list (RFC 9110 section 5.6.1), in lower case. */
const members = (value: string): string[] => value.split(',').map((member) => member.trim().toLowerCase())

/** A request that is accepted keeps RFC 6455 section 4.2.1, read anew from the fields alone. */
function checkAccepted(head: RequestHead, request: UpgradeRequest): void {
  const values = (name: string): string[] =>
    head.headers.entries().flatMap(([field, value]) => (field.toLowerCase() === name ? [value] : []))
  checkSame([head.method, head.httpVersion], ['GET', '1.1'], 'a handshake is a GET of HTTP/1.1')
  check(values('host').length === 1, 'a handshake has one Host')
  checkSame(values('sec-websocket-version'), ['13'], 'a handshake has version 13, once')
  check(
    values('sec-websocket-key').length === 1 && KEY.test(request.key),
    'a handshake has one key of 16 bytes',
  )
  check(members(values('upgrade').join(',')).includes('websocket'), 'a handshake upgrades to websocket')
  check(members(values('connection').join(',')).includes('upgrade'), 'Connection names upgrade')
  check(values('transfer-encoding').length === 0, 'a handshake has no body in chunks')
  check(
    values('content-length').every((length) => length === '0'),
    'a handshake has no body',
  )
  check(values('origin').length <= 1, 'a handshake has one origin at most')
  check(
    request.protocols.every((protocol) => TOKEN.test(protocol)),
    'subprotocols are tokens',
  )
  check(new Set(request.protocols).size === request.protocols.length, 'no subprotocol stands twice')
  checkSame(request.path + request.search, request.target, 'a target is a path and a query')
  check(request.path.startsWith('/') && /^[\x21-\x7e]+$/.test(request.target), 'a path begins with a slash')
  check(!request.target.includes('#'), 'a target has no fragment')
}

/** The response that accepts is one that a client takes, whatever was chosen of what was offered. */
function checkResponse(request: UpgradeRequest, choices: Choices): void {
  const protocol = choices.flag ? (request.protocols.at(-1) ?? '') : ''
  const [extension] = choices.flag ? request.extensions : []
  const extensions = extension === undefined ? '' : formatExtension(extension)
  const text = formatUpgradeResponse(request, { protocol, extensions })
  const scanner = new HeadScanner('response', { maxHeaderBytes: Infinity })
  checkSame(scanner.push(Buffer.from(text, 'latin1')), 'done', 'the response that accepts is a head')
  const agreed = verifyUpgradeResponse(scanner.head as ResponseHead, {
    key: request.key,
    protocols: request.protocols,
    extensionNames: request.extensions.map(({ name }) => name),
  })
  checkSame(
    agreed,
    { protocol, extensions: extension === undefined ? [] : [extension] },
    'a client takes the response',
  )
}

function checkRejection(error: HandshakeError): void {
  const status = error.httpStatus ?? 0
  check(STATUSES.includes(status), 'a request that is refused has a status', () => `${error.code} ${status}`)
  const scanner = new HeadScanner('response', { maxHeaderBytes: Infinity })
  checkSame(scanner.push(formatRejection(status, { body: error.message })), 'done', 'a rejection is a head')
  checkSame(
    scanner.head?.headers.get('content-length'),
    String(scanner.rest.length),
    'the body is as long as announced',
  )
}

function run(input: Buffer): void {
  const choices = new Choices(input)
  const seen = readHead('request', choices)
  if (seen === null) return
  const request = readUpgradeRequest(seen.head)
  if (request instanceof HandshakeError) {
    checkRejection(request)
    return
  }
  checkAccepted(seen.head, request)
  checkResponse(request, choices)
}

const HEAD =
  'GET /chat?a=b HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'

/** The head of RFC 6455 section 1.2, and what is a little other. */
export const REQUEST_HEADS: readonly string[] = [
  `${HEAD}\r\n`,
  `\r\n${HEAD}\r\n`,
  `${HEAD}Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n`,
  `${HEAD}Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n\x81\x85`,
  `${HEAD}Sec-WebSocket-Extensions: \r\n\r\n`,
  `${HEAD}Content-Length: 0\r\n\r\n`,
  `${HEAD}Content-Length: 5\r\n\r\nhello`,
  `${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  `${HEAD}__proto__: x\r\nconstructor: y\r\n\r\n`,
  `${HEAD}Host: twice\r\n\r\n`,
  `${HEAD.replace('Upgrade\r\n', 'keep-alive, Upgrade\r\n')}\r\n`,
  `${HEAD.replace('websocket', 'WebSocket')}\r\n`,
  `${HEAD.replace('/chat?a=b', 'http://a.example:8080/x?y')}\r\n`,
  `${HEAD.replace('/chat?a=b', '*')}\r\n`,
  `${HEAD.replace('/chat?a=b', 'a.example:443')}\r\n`,
  `${HEAD.replace('server.example.com', '[::1]:80')}\r\n`,
  `${HEAD.replace('13', '8')}\r\n`,
  `${HEAD.replace('HTTP/1.1', 'HTTP/1.0')}\r\n`,
  `${HEAD.replace('GET', 'POST')}\r\n`,
  `${HEAD.replaceAll('\r\n', '\n')}\n`,
  `${HEAD} folded\r\n\r\n`,
  `${HEAD}Space : x\r\n\r\n`,
  HEAD.slice(0, 100),
]

export const target: Target = {
  title: "heads of requests, and the server's answers to them",
  lanes: ['native', 'off'],
  maxBytes: 900,
  seeds: () =>
    REQUEST_HEADS.flatMap((text, i) => [inputOf(text), inputOf(text, i % 3, i % 3, 10, i, 60, 1, 1, 2)]),
  run,
}
