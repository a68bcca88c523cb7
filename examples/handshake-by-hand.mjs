/**
 * The opening handshake of both roles (RFC 6455 section 4), in memory and by hand: `hawser/handshake` reads and
 * writes heads, and what carries the bytes is up to you. After `npm run build`:
 *
 *   node examples/handshake-by-hand.mjs
 */
import {
  chooseProtocol,
  createKey,
  formatRejection,
  formatUpgradeRequest,
  formatUpgradeResponse,
  HandshakeError,
  HeadScanner,
  readUpgradeRequest,
  verifyUpgradeResponse,
} from 'hawser/handshake'

/** The server: bytes of a request in, bytes of a response out. */
function serve(bytes) {
  const scanner = new HeadScanner('request', { maxHeaderBytes: 16 * 1024 })
  if (scanner.push(bytes) === 'more') throw new Error('a real server would wait for the rest of the head')
  const request = scanner.error ?? readUpgradeRequest(scanner.head)
  if (request instanceof HandshakeError) {
    return formatRejection(request.httpStatus, { body: `${request.message}\n` })
  }
  const head = formatUpgradeResponse(request, {
    protocol: chooseProtocol(request.protocols, ['chat.v1', 'chat.v2']),
    headers: [['Set-Cookie', 'session=1; HttpOnly']],
  })
  return Buffer.from(head, 'latin1')
}

// The client asks.
const offer = { key: createKey(), protocols: ['chat.v2', 'chat.v1'], extensionNames: [] }
const requestHead = formatUpgradeRequest({
  target: '/rooms/dogs?since=10',
  host: 'localhost:8080',
  key: offer.key,
  protocols: offer.protocols,
  origin: 'http://localhost:8080',
})
console.log(requestHead)

// The server answers; the answer reaches the client in two pieces, a first message right behind it.
const firstMessage = Uint8Array.of(0x81, 0x02, 0x68, 0x69)
const answer = Buffer.concat([serve(Buffer.from(requestHead, 'latin1')), firstMessage])
const scanner = new HeadScanner('response')
scanner.push(answer.subarray(0, 40))
scanner.push(answer.subarray(40))
console.log(answer.subarray(0, -scanner.rest.length).toString('latin1'))

// The client checks what came.
const agreed = scanner.error ?? verifyUpgradeResponse(scanner.head, offer)
if (agreed instanceof HandshakeError) throw agreed
console.log(`subprotocol: ${agreed.protocol}, extensions: ${agreed.extensions.length}`)
console.log(`bytes after the head, for the frame parser: ${Buffer.from(scanner.rest).toString('hex')}`)

// What is no handshake is answered, too.
console.log(`\n${Buffer.from(serve(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))).toString()}`)
