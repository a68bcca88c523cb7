/**
 * Frames (RFC 6455 section 5) by hand: `hawser/frame` turns bytes into frames and frames into bytes, and knows
 * nothing of sockets. After `npm run build`:
 *
 *   node examples/frames-by-hand.mjs
 */
import {
  createMaskingKey,
  decodeClosePayload,
  encodeClosePayload,
  FrameParser,
  isControlOpcode,
  MessageAssembler,
  Opcode,
  ProtocolError,
  serializeFrame,
} from 'hawser/frame'

const names = Object.fromEntries(Object.entries(Opcode).map(([name, opcode]) => [opcode, name]))

/** One side of a connection: takes bytes in any pieces, prints what they are. */
class Reader {
  #parser
  #message = null
  #control = null

  constructor(options) {
    this.#parser = new FrameParser(options)
  }

  /** Returns what the peer did wrong, or null. The chunk is the parser's from here on. */
  receive(chunk) {
    this.#parser.push(chunk)
    for (let event = this.#parser.next(); event !== null; event = this.#parser.next()) {
      const error = event.type === 'violation' ? event.error : this.#take(event)
      if (error !== null) return error
    }
    return null
  }

  #take(part) {
    if (part.isFirst) {
      const flags = [part.fin ? 'FIN' : '', part.rsv1 ? 'RSV1' : '', part.isMasked ? 'masked' : '']
      console.log(`  ${names[part.opcode]} ${part.payloadLength} bytes ${flags.filter(Boolean).join(' ')}`)
    }
    if (isControlOpcode(part.opcode)) return this.#takeControl(part)
    this.#message ??= new MessageAssembler(part)
    const error = this.#message.append(part)
    if (error !== null || !part.fin || !part.isLast) return error
    const bytes = this.#message.finish()
    const { opcode } = this.#message
    this.#message = null
    if (bytes instanceof ProtocolError) return bytes
    console.log(
      `  => ${opcode === Opcode.TEXT ? JSON.stringify(bytes.toString()) : `<${bytes.toString('hex')}>`}`,
    )
    return null
  }

  /** Control frames stand alone, between the fragments of a message too, and can be cut like any other. */
  #takeControl(part) {
    this.#control = Buffer.concat(part.isFirst ? [part.payload] : [this.#control, part.payload])
    if (!part.isLast) return null
    if (part.opcode !== Opcode.CLOSE) {
      console.log(`  => ${JSON.stringify(this.#control.toString())}`)
      return null
    }
    const said = decodeClosePayload(this.#control)
    if (said instanceof ProtocolError) return said
    console.log(`  => closed with ${said.code} ${JSON.stringify(said.reason)}`)
    return null
  }
}

// What a client sends is masked, each frame with a fresh key.
const fromClient = (fields) => serializeFrame({ ...fields, maskingKey: createMaskingKey() })

const wire = Buffer.concat([
  fromClient({ opcode: Opcode.TEXT, payload: 'Hello' }),
  // One message in three fragments, a ping between them; the fragments cut a character in two.
  fromClient({ opcode: Opcode.TEXT, payload: Buffer.from('10 \u20ac').subarray(0, 4), fin: false }),
  fromClient({ opcode: Opcode.PING, payload: 'still there?' }),
  fromClient({ opcode: Opcode.CONTINUATION, payload: Buffer.from('10 \u20ac').subarray(4), fin: false }),
  fromClient({ opcode: Opcode.CONTINUATION, payload: ' a head' }),
  fromClient({ opcode: Opcode.BINARY, payload: Uint8Array.of(0xca, 0xfe) }),
  fromClient({ opcode: Opcode.CLOSE, payload: encodeClosePayload(1000, 'that was all') }),
])

console.log(`${wire.length} bytes from a client:\n  ${wire.toString('hex')}\n`)

console.log('The server reads them in one piece:')
const server = new Reader({ role: 'server' })
server.receive(Buffer.from(wire))

console.log('\nor as a network may cut them:')
const patient = new Reader({ role: 'server' })
for (let at = 0; at < wire.length; at += 5) patient.receive(Buffer.from(wire.subarray(at, at + 5)))

console.log('\nThe server answers, unmasked:')
const client = new Reader({ role: 'client' })
client.receive(serializeFrame({ opcode: Opcode.PONG, payload: 'still there?' }))
client.receive(serializeFrame({ opcode: Opcode.TEXT, payload: 'Hello yourself' }))

console.log('\nWhat a peer does wrong is a value, never a throw, and comes as early as it can be known:')
const wrong = {
  'a text that is not masked': Buffer.from([0x81, 0x05]),
  'a reserved opcode': Buffer.from([0x83]),
  'a ping in fragments': Buffer.from([0x09]),
  'a message of 4 GiB': Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0]),
  'text that is not UTF-8': fromClient({ opcode: Opcode.TEXT, payload: Buffer.of(0x61, 0xff) }),
  'a close code that must not be sent': fromClient({ opcode: Opcode.CLOSE, payload: Buffer.of(0x03, 0xed) }),
}
for (const [what, bytes] of Object.entries(wrong)) {
  console.log(`  ${what}:`)
  const error = new Reader({ role: 'server', maxMessageBytes: 1024 * 1024 }).receive(bytes)
  console.log(`  => ${error.code}, Close ${error.closeCode}, ${error.rfcSection}: ${error.message}`)
}
