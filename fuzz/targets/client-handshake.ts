/** The client's side of the opening handshake (RFC 6455 section 4.1). */
import { HandshakeError } from '../../src/errors.js'
import {
  isInterimResponse,
  verifyUpgradeResponse,
  type UpgradeOffer,
} from '../../src/handshake/client-handshake.js'
import { check, checkSame, Choices, inputOf, type Target } from './choices.js'
import { readHead } from './heads.js'

const OFFERED: UpgradeOffer = {
  // The key and the answer to it of RFC 6455 section 1.3.
  key: 'dGhlIHNhbXBsZSBub25jZQ==',
  protocols: ['chat', 'superchat'],
  extensionNames: ['permessage-deflate', 'x'],
}
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
const CODES = [
  'HAWSER_UNEXPECTED_STATUS',
  'HAWSER_HTTP_VERSION',
  'HAWSER_INVALID_UPGRADE_RESPONSE',
  'HAWSER_INVALID_ACCEPT',
  'HAWSER_UNEXPECTED_PROTOCOL',
  'HAWSER_INVALID_EXTENSION_HEADER',
  'HAWSER_UNEXPECTED_EXTENSION',
]

function run(input: Buffer): void {
  const choices = new Choices(input)
  const seen = readHead('response', choices)
  if (seen === null) return
  const { head } = seen
  check(head.status >= 100 && head.status <= 999, 'a status has three digits')
  checkSame(isInterimResponse(head), head.status < 200 && head.status !== 101, 'an interim response is one')
  const result = verifyUpgradeResponse(head, OFFERED)
  const values = (name: string): string[] =>
    head.headers.entries().flatMap(([field, value]) => (field.toLowerCase() === name ? [value] : []))
  if (result instanceof HandshakeError) {
    check(CODES.includes(result.code), 'a response that is refused says why', () => result.code)
    checkSame(result.response?.status, head.status, 'the error has the response')
    return
  }
  checkSame([head.status, head.httpVersion], [101, '1.1'], 'a response that accepts is a 101 of HTTP/1.1')
  checkSame(values('sec-websocket-accept'), [ACCEPT], 'a response that accepts knows the key')
  checkSame(
    values('upgrade').map((value) => value.toLowerCase()),
    ['websocket'],
    'a response upgrades to websocket',
  )
  const connection = values('connection').join(',').toLowerCase().split(',')
  check(
    connection.some((member) => member.trim() === 'upgrade'),
    'Connection names upgrade',
  )
  check(
    result.protocol === '' || OFFERED.protocols.includes(result.protocol),
    'a subprotocol is one that was offered',
  )
  check(values('sec-websocket-protocol').length <= 1, 'a subprotocol is chosen once')
  const names = result.extensions.map(({ name }) => name)
  check(
    names.every((name) => OFFERED.extensionNames.includes(name)),
    'an extension is one that was offered',
  )
  check(new Set(names).size === names.length, 'an extension is chosen once')
}

const HEAD =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  `Sec-WebSocket-Accept: ${ACCEPT}\r\n`

/** The response of RFC 6455 section 1.2, and what is a little other. */
const HEADS = [
  `${HEAD}\r\n`,
  `${HEAD}\r\n\x81\x05Hello`,
  `${HEAD}Sec-WebSocket-Protocol: chat\r\n\r\n`,
  `${HEAD}Sec-WebSocket-Protocol: other\r\n\r\n`,
  `${HEAD}Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n\r\n`,
  `${HEAD}Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n`,
  `${HEAD}Sec-WebSocket-Extensions: x, x\r\n\r\n`,
  `${HEAD}Sec-WebSocket-Extensions: y\r\n\r\n`,
  `${HEAD.replace('101 Switching Protocols', '101')}\r\n`,
  `${HEAD.replace('101', '200')}Content-Length: 2\r\n\r\nok`,
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
  'HTTP/1.1 302 Found\r\nLocation: ws://a/\r\n\r\n',
  `${HEAD.replace('HTTP/1.1', 'HTTP/1.0')}\r\n`,
  `${HEAD.replace('Connection: Upgrade', 'Connection: keep-alive, upgrade')}\r\n`,
  `${HEAD.replace(ACCEPT, 'x'.repeat(28))}\r\n`,
  `${HEAD}Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
  `${HEAD}constructor: x\r\n__proto__: y\r\n\r\n`,
]

export const target: Target = {
  title: "heads of responses, and the client's judgement of them",
  lanes: ['native', 'off'],
  maxBytes: 700,
  seeds: () => HEADS.flatMap((text, i) => [inputOf(text), inputOf(text, i % 3, i % 3, 10, i, 60, 1, 1, 2)]),
  run,
}
