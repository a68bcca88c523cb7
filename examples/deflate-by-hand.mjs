/**
 * permessage-deflate (RFC 7692) by hand: `hawser/deflate` negotiates over headers and compresses whole messages, and
 * what carries the headers and the frames is up to you. After `npm run build`:
 *
 *   node examples/deflate-by-hand.mjs
 */
import {
  acceptOffer,
  createCodecFactory,
  createOffer,
  parseExtensionHeader,
  resolveDeflateOptions,
  verifyResponse,
} from 'hawser/deflate'

const MAX_MESSAGE_BYTES = 1024 * 1024

// Both ends decide what they want.
const clientConfig = resolveDeflateOptions(true, 'client')
const serverConfig = resolveDeflateOptions({ serverMaxWindowBits: 12 }, 'server')

// The client offers, in Sec-WebSocket-Extensions of its request.
const offer = createOffer(clientConfig)
console.log(`client: ${offer}`)

// The server takes the first offer that it can keep, and answers in the same header.
const accepted = acceptOffer(parseExtensionHeader(offer), serverConfig)
if (accepted === null) throw new Error('no offer suits the server: messages would go uncompressed')
console.log(`server: ${accepted.response}`)

// The client checks the answer against its offer.
const verified = verifyResponse(parseExtensionHeader(accepted.response), clientConfig)
if (verified instanceof Error) throw verified

// One factory for each server or client, one codec for each connection.
const server = createCodecFactory(serverConfig).createCodec(accepted.agreed)
const client = createCodecFactory(clientConfig).createCodec(verified.agreed)

/** One message from one end to the other; what goes over the wire is `payload`, with RSV1 set in the frame. */
function exchange(name, sender, receiver, text) {
  const message = Buffer.from(text)
  const deflated = sender.deflate(message)
  if (deflated === null) return console.log(`${name}: ${message.length} bytes, better sent as they are`)
  // A result is valid until the next call on any codec: write it out at once, or copy it, as here.
  const payload = Buffer.from(deflated)
  const inflated = receiver.inflate(payload, MAX_MESSAGE_BYTES)
  // What a peer sends never throws: an error is a value, and says how to close.
  if (inflated instanceof Error) throw new Error(`close with ${inflated.closeCode}: ${inflated.message}`)
  const arrived = Buffer.from(inflated).equals(message) ? 'arrived' : 'was damaged'
  console.log(`${name}: ${message.length} bytes as ${payload.length}, and the message ${arrived}`)
}

const quote = (n) =>
  JSON.stringify({ symbol: 'HWSR', bid: 17.25 + n / 100, ask: 17.3 + n / 100, size: 100 * n })

// The server keeps its context: from the second message on it has one, and the third is mostly references to it.
for (let n = 1; n <= 4; n++) exchange('server to client', server, client, quote(n))

// The client was told to keep none: every message stands by itself.
for (let n = 1; n <= 2; n++) exchange('client to server', client, server, quote(n).repeat(10))
exchange('client to server', client, server, 'ok')

// A bomb stops one byte above the limit.
const bomb = Buffer.from(client.deflate(new Uint8Array(16 * MAX_MESSAGE_BYTES)))
const { code, closeCode } = server.inflate(bomb, MAX_MESSAGE_BYTES)
console.log(`a bomb of ${bomb.length} bytes: ${code}, close with ${closeCode}`)

server.close()
client.close()
