/** The seam for extensions: negotiation, reserved bits and messages, with a second extension beside permessage-deflate. */
import { connect as connectTcp } from 'node:net'
import { once } from 'node:events'
import { inflateRawSync } from 'node:zlib'
import { Connection, PreparedMessage } from '../../../src/connection/index.js'
import { perMessageDeflate } from '../../../src/deflate/extension.js'
import { HandshakeError } from '../../../src/errors.js'
import { Extensions, type Agreement, type Extension } from '../../../src/extension/extension.js'
import { parseExtensionHeader } from '../../../src/handshake/extension-header.js'
import { coreOfServer, WebSocketServer } from '../../../src/server/websocket-server.js'
import { frame, KEY, OP, readFrames } from '../../helpers/frame-builder.js'
import { takeFrames } from '../../helpers/pull.js'
import { json, noise } from '../deflate/codec-pair.js'
import { RSV2, xor, xorExtension } from '../../helpers/xor-extension.js'

const parse = (header: string) => parseExtensionHeader(header)!

/** What both ends make of their lists: as over the wire, by the headers alone. */
function negotiate(
  client: readonly Extension[],
  server: readonly Extension[],
): { header: string; client: Agreement | null; server: Agreement | null } {
  const [offering, choosing] = [new Extensions(client), new Extensions(server)]
  const chosen = choosing.accept(parse(offering.offer()!))
  const header = chosen?.response ?? ''
  const verified = offering.verify(header === '' ? [] : parse(header))
  if (verified instanceof HandshakeError) throw verified
  return { header, client: verified, server: chosen }
}

const DEFLATE = { thresholdBytes: 0, asyncThresholdBytes: 2000 }
const deflate = (role: 'client' | 'server') => perMessageDeflate(DEFLATE, role)

/** Two connections joined in memory; `pass` moves bytes until nothing is left and nothing is worked on. */
function joined(agreed: { client: Agreement | null; server: Agreement | null }) {
  const make = (role: 'client' | 'server') =>
    new Connection({
      role,
      codec: agreed[role]?.createCodec() ?? null,
      limits: { heartbeatIntervalMs: false },
    })
  const ends = { client: make('client'), server: make('server') }
  const received = { client: [] as string[], server: [] as string[] }
  const bits: number[] = []
  const pass = async (messages: number): Promise<void> => {
    const end = Date.now() + 10_000
    while (received.client.length + received.server.length < messages) {
      if (Date.now() > end) throw new Error('a message does not come')
      for (const [from, to] of [
        ['client', 'server'],
        ['server', 'client'],
      ] as const) {
        for (let out = ends[from].takeOutput(); out !== null; out = ends[from].takeOutput()) {
          for (const { rsv1, rsv2, rsv3 } of readFrames(Buffer.from(out)).frames) {
            bits.push((rsv1 ? 0x40 : 0) | (rsv2 ? 0x20 : 0) | (rsv3 ? 0x10 : 0))
          }
          ends[to].receiveBytes(Buffer.from(out))
        }
        for (let event = ends[to].nextEvent(); event !== null; event = ends[to].nextEvent()) {
          if (event.type !== 'message') throw new Error(`${event.type} in the place of a message`)
          received[to].push(Buffer.from(event.data as string).toString())
        }
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { ...ends, received, bits, pass }
}

describe('RFC 6455 9.1: extensions are negotiated', () => {
  test('a server without extensions, or a client that offers none it knows, has none in use', () => {
    expect(new Extensions([]).offer()).toBeUndefined()
    expect(new Extensions([]).accept(parse('x-xor; key=1'))).toBeNull()
    expect(new Extensions([xorExtension(1)]).accept([])).toBeNull()
    expect(new Extensions([xorExtension(1)]).accept(parse('permessage-deflate'))).toBeNull()
    expect(new Extensions([xorExtension(1)]).accept(parse('x-xor'))).toBeNull()
    expect(new Extensions([xorExtension(1)]).verify([])).toBeNull()
  })

  test('the server answers in its own order, whatever the order of the offers', () => {
    const both = [...deflate('client'), xorExtension(7)]
    expect(new Extensions(both).names).toEqual(['permessage-deflate', 'x-xor'])
    for (const client of [both, [...both].reverse()]) {
      const { header } = negotiate(client, [...deflate('server'), xorExtension(0)])
      expect(header).toBe('permessage-deflate, x-xor; key=7')
    }
  })

  test('the server takes the first of two that need the same reserved bit', () => {
    const rival = xorExtension(1, { name: 'x-rival' })
    expect(negotiate([rival, xorExtension(2)], [xorExtension(0), rival]).header).toBe('x-xor; key=2')
  })

  test('the client fails an answer that was not offered, appears twice, shares a bit or has wrong parameters', () => {
    const client = new Extensions([
      xorExtension(1),
      xorExtension(2, { name: 'x-rival' }),
      ...deflate('client'),
    ])
    for (const [answer, detail] of [
      ['x-other', '"x-other"'],
      ['permessage-deflate, permessage-deflate', 'stands twice'],
      ['x-xor; key=1, x-rival; key=2', 'x-rival needs a reserved bit that another extension has'],
      ['x-xor', 'a wrong key'],
      ['permessage-deflate; unknown', 'unknown'],
    ] as const) {
      const result = client.verify(parse(answer))
      expect(result).toMatchObject({ code: 'HAWSER_UNEXPECTED_EXTENSION' })
      expect((result as Error).message).toContain(detail)
    }
  })
})

describe('RFC 6455 5.8: messages pass through the extensions in use', () => {
  test('through one extension alone, also without compression and in messages to many', async () => {
    const { client, server, received, bits, pass } = joined(negotiate([xorExtension(9)], [xorExtension(0)]))
    client.send('Hello')
    expect(takeFrames(client)[0]).toMatchObject({ rsv2: true, payload: xor(Buffer.from('Hello'), 9) })
    client.send('plain', { compress: false })
    server.send(new PreparedMessage('to many'))
    server.send(Buffer.from('bytes'))
    await pass(3)
    expect(received).toEqual({ server: ['plain'], client: ['to many', 'bytes'] })
    expect(bits).toEqual([RSV2, RSV2, RSV2])
  })

  test('in the order of the answer, so that the wire has x-xor(permessage-deflate(data))', () => {
    const both = negotiate([...deflate('client'), xorExtension(9)], [...deflate('server'), xorExtension(0)])
    const { server } = joined(both)
    const message = json(500)
    server.send(message)
    const [sent] = takeFrames(server)
    expect(sent).toMatchObject({ rsv1: true, rsv2: true, rsv3: false })
    const deflated = Buffer.concat([
      xor(sent!.payload, 9),
      Buffer.from([0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]),
    ])
    expect(inflateRawSync(deflated).equals(message)).toBe(true)
  })

  describe.each([
    ['at once', false],
    ['later', true],
  ])('both together, where the second one works %s', (_, isLater) => {
    const agreed = () =>
      negotiate(
        [...deflate('client'), xorExtension(9, { isLater })],
        [...deflate('server'), xorExtension(0, { isLater })],
      )

    test('return every message unchanged and in order, whatever is compressed', async () => {
      const { client, server, received, bits, pass } = joined(agreed())
      const sent = [
        'short',
        json(900, 1),
        json(20_000, 2),
        noise(300).toString('latin1'),
        '',
        json(900, 1),
      ].map(String)
      for (const text of sent) {
        client.send(text)
        server.send(new PreparedMessage(text))
        server.send(text, { compress: false })
      }
      await pass(sent.length * 3)
      expect(received.server).toEqual(sent)
      expect(received.client).toEqual(sent.flatMap((text) => [text, text]))
      expect(new Set(bits)).toEqual(new Set([RSV2, RSV2 | 0x40]))
    })

    test('fail the connection for an error of one, and stop working at the close', async () => {
      const { server } = joined(agreed())
      const rubbish = xor(Buffer.from([0xff, 0xff, 0xff]), 9)
      server.receiveBytes(frame({ opcode: OP.BINARY, rsv1: true, rsv2: true, key: KEY, payload: rubbish }))
      let event = server.nextEvent()
      for (let i = 0; i < 5 && event === null; i++) {
        await new Promise((resolve) => setImmediate(resolve))
        event = server.nextEvent()
      }
      expect(event).toMatchObject({ type: 'error', error: { code: 'HAWSER_INVALID_DEFLATE' } })
      server.abandon()
    })
  })

  test('report a violation for a bit that no extension in use has', () => {
    const { server } = joined(negotiate([xorExtension(9)], [xorExtension(0)]))
    server.receiveBytes(frame({ opcode: OP.TEXT, rsv1: true, key: KEY, payload: 'x' }))
    expect(server.nextEvent()).toMatchObject({ type: 'error', error: { code: 'HAWSER_RESERVED_BITS' } })
  })
})

describe('over a real socket', () => {
  test('a server answers, encodes and decodes with both extensions', async () => {
    const server = new WebSocketServer({ perMessageDeflate: DEFLATE })
    const { options } = coreOfServer(server) as { options: { extensions: Extensions } }
    options.extensions = new Extensions([...deflate('server'), xorExtension(0)])
    server.route('/', { onMessage: (socket, message) => `${socket.extensions} ${message as string}` })
    const { port } = await server.listen(0, '127.0.0.1')
    const client = new Extensions([...deflate('client'), xorExtension(42)])
    const socket = connectTcp(port, '127.0.0.1')
    socket.write(
      'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: ${client.offer()!}\r\n\r\n`,
    )
    const [head] = (await once(socket, 'data')) as [Buffer]
    const header = /Sec-WebSocket-Extensions: (.*)\r\n/.exec(head.toString('latin1'))![1]!
    const agreed = client.verify(parse(header)) as Agreement
    const connection = new Connection({ role: 'client', codec: agreed.createCodec() })
    const message = json(600).toString()
    connection.send(message)
    socket.write(connection.takeOutput()!)
    const [reply] = (await once(socket, 'data')) as [Buffer]
    expect(reply[0]).toBe(0x81 | 0x40 | RSV2)
    connection.receiveBytes(reply)
    expect(connection.nextEvent()).toMatchObject({ type: 'message', data: `${header} ${message}` })
    socket.destroy()
    connection.abandon()
    await server.close({ timeoutMs: 100 })
  })
})
