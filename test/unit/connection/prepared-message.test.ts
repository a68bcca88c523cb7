/** A message that is encoded once, and what goes over the wire of each connection that it is sent to. */
import { constants, inflateRawSync } from 'node:zlib'
import { Connection } from '../../../src/connection/connection.js'
import { frameOf, PreparedMessage, prepareTransient } from '../../../src/connection/prepared-message.js'
import type { MessageCodec } from '../../../src/extension/message-codec.js'
import { ControlledCodec } from '../../helpers/controlled-codec.js'
import { closeFrame, frame, hex, OP, readFrames, type WireFrame } from '../../helpers/frame-builder.js'
import { takeAll, takeFrames, takeLines } from '../../helpers/pull.js'
import { WAYS, factory, json, NO_TAKEOVER, noise, TAKEOVER } from '../deflate/codec-pair.js'

const SIZES = [0, 1, 125, 126, 127, 16_000, 65_535, 65_536, 100_000]
const KINDS = SIZES.flatMap((size) => [
  ['text', size, 'x'.repeat(size)] as const,
  ['binary', size, noise(size)] as const,
])

const server = (codec: MessageCodec | null = null): Connection => new Connection({ role: 'server', codec })
const client = (codec: MessageCodec | null = null): Connection => new Connection({ role: 'client', codec })

/** Made for a moment, as `broadcast` does it. */
const brief = (data: string | Uint8Array): PreparedMessage => prepareTransient(data)

/** The compressed messages of a connection, inflated by zlib itself with its context kept from one to the next. */
function inflateAll(frames: readonly WireFrame[]): string {
  expect(frames.every(({ rsv1, fin }) => rsv1 && fin)).toBe(true)
  const stream = Buffer.concat(frames.flatMap(({ payload }) => [payload, hex('00 00 ff ff')]))
  return inflateRawSync(stream, { finishFlush: constants.Z_SYNC_FLUSH }).toString()
}

describe('RFC 6455 5.2: the frame of a prepared message', () => {
  test.each(KINDS)(
    'a %s message of %i bytes has the same frame as send makes, transient or not',
    (kind, size, data) => {
      const expected = frame({ opcode: kind === 'text' ? OP.TEXT : OP.BINARY, payload: data })
      for (const message of [new PreparedMessage(data), brief(data)]) {
        const [one, two, plain] = [server(), server(), server()]
        expect(message.byteLength).toBe(size)
        expect(one.send(message)).toBe(true)
        expect(two.sendPrepared(message)).toBe(true)
        plain.send(data)
        for (const connection of [one, two, plain]) expect(takeAll(connection).equals(expected)).toBe(true)
      }
    },
  )

  test.each(KINDS)(
    'RFC 6455 5.3: a client masks a %s message of %i bytes anew each time',
    (kind, size, data) => {
      const message = new PreparedMessage(data)
      const connection = client()
      for (let i = 0; i < 4; i++) connection.send(message)
      const frames = takeFrames(connection)
      expect(frames).toHaveLength(4)
      for (const one of frames) {
        expect([one.opcode, one.fin, one.rsv1]).toEqual([kind === 'text' ? 1 : 2, true, false])
        expect(one.lengthForm).toBe(size < 126 ? 7 : size < 65_536 ? 16 : 64)
        expect(one.payload.equals(Buffer.from(data))).toBe(true)
      }
      // Four times the same by chance: once in 2^96.
      expect(new Set(frames.map(({ key }) => String(key))).size).toBeGreaterThan(1)
      // What is shared stays unmasked.
      const other = server()
      other.send(message)
      expect(takeFrames(other)[0]!.payload.equals(Buffer.from(data))).toBe(true)
    },
  )

  test('byteLength counts the bytes of text, and lone surrogates become U+FFFD', () => {
    const message = new PreparedMessage('\u20ac\u{1f4a9}\ud800')
    expect(message.byteLength).toBe(10)
    const connection = server()
    connection.send(message)
    expect(takeAll(connection)).toEqual(frame({ opcode: OP.TEXT, payload: '\u20ac\u{1f4a9}\ufffd' }))
  })

  test('bytes in every JavaScript form are accepted', () => {
    const bytes = Uint8Array.of(9, 1, 2, 3, 4, 9)
    const connection = server()
    for (const data of [
      bytes.subarray(1, 5),
      new DataView(bytes.buffer, 1, 4),
      bytes.buffer.slice(1, 5),
      Buffer.from([1, 2, 3, 4]),
    ]) {
      connection.send(new PreparedMessage(data))
    }
    expect(takeFrames(connection).map(({ payload }) => [...payload])).toEqual(Array(4).fill([1, 2, 3, 4]))
  })

  test.each([
    ['kept', false],
    ['for a moment', true],
  ])('a later change of the source does not change the message: %s', (_, isTransient) => {
    const source = Buffer.from('Hello')
    const message = isTransient ? prepareTransient(source) : new PreparedMessage(source)
    source.fill(0xaa)
    const connection = server()
    connection.send(message)
    source.fill(0xbb)
    connection.send(message)
    expect(takeFrames(connection).map(({ text }) => text)).toEqual(['Hello', 'Hello'])
  })

  test('wrong data and wrong options throw at once', () => {
    expect(() => new PreparedMessage(5 as unknown as string)).toThrow(TypeError)
    expect(() => new PreparedMessage('x', { compres: true } as never)).toThrow(
      'options has no option "compres"',
    )
    expect(() => new PreparedMessage('x', { compress: 1 as unknown as boolean })).toThrow(/compress/)
    expect(() => server().send(new PreparedMessage('x'), { compress: true })).toThrow(
      'send options belong to the PreparedMessage itself',
    )
  })

  test('RFC 6455 7.1.2: no prepared message is sent after the Close frame', () => {
    const connection = server()
    connection.close(1000)
    const message = new PreparedMessage('late')
    expect(connection.send(message)).toBe(false)
    expect(connection.sendPrepared(message)).toBe(false)
    expect(takeAll(connection)).toEqual(closeFrame(1000))
  })
})

describe('the memory of prepared messages', () => {
  test('connections share the frame, but a blocked connection has a copy', () => {
    const message = new PreparedMessage('Hello')
    const [free, blocked] = [server(), server()]
    blocked.setBlocked(true)
    for (const connection of [free, blocked]) connection.send(message)
    expect(free.bufferedBytes).toBe(7)
    expect(blocked.bufferedBytes).toBe(7)
    const [shared, copied] = [free.takeOutput()!, blocked.takeOutput()!]
    expect(shared).toEqual(hex('81 05 48 65 6c 6c 6f'))
    expect(copied).toEqual(shared)
    expect(shared.buffer).toBe(frameOf(message).buffer.buffer)
    expect(copied.buffer).not.toBe(frameOf(message).buffer.buffer)
  })

  test('transient messages lie next to each other and leave in one piece', () => {
    const [a, b, c] = [brief('first'), brief('second'), brief('third')]
    expect(frameOf(b).buffer).toBe(frameOf(a).buffer)
    expect(frameOf(c).buffer).toBe(frameOf(a).buffer)
    expect([frameOf(b).start, frameOf(c).start]).toEqual([frameOf(a).end, frameOf(b).end])
    const connection = server()
    for (const message of [a, b, c]) connection.send(message)
    const output = connection.takeOutput()!
    expect(output.buffer).toBe(frameOf(a).buffer.buffer)
    expect(readFrames(output).frames.map(({ text }) => text)).toEqual(['first', 'second', 'third'])
    expect(connection.takeOutput()).toBeNull()
  })

  test('prepared messages keep their bytes in any order and between other frames', () => {
    const [a, b] = [brief('a'), brief('b')]
    const connection = server()
    connection.send('before')
    connection.send(b)
    connection.send(a)
    connection.send('between')
    connection.send(a)
    connection.send(a)
    connection.setBlocked(true)
    connection.send(b)
    connection.ping('p')
    connection.setBlocked(false)
    connection.send(b)
    expect(takeLines(connection)).toEqual([
      ...['1 before', '1 b', '1 a', '1 between', '1 a', '1 a', '1 b', '9 p', '1 b'],
    ])
  })

  test('a full slab is replaced, and its messages do not change', () => {
    const texts = Array.from({ length: 30 }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(10_000))
    const messages = texts.map(brief)
    expect(new Set(messages.map((one) => frameOf(one).buffer)).size).toBeGreaterThan(4)
    const connection = server()
    for (const message of messages) connection.send(message)
    expect(takeFrames(connection).map(({ text }) => text)).toEqual(texts)
  })

  test('a large message and a kept message have buffers of their own', () => {
    for (const message of [brief('x'.repeat(20_000)), new PreparedMessage('Hello')]) {
      const { buffer, start, end } = frameOf(message)
      expect([start, end]).toEqual([0, buffer.length])
      expect(buffer.buffer.byteLength).toBe(buffer.length)
    }
  })

  test('recycling does not overwrite a prepared message that a connection took', () => {
    const message = new PreparedMessage('x'.repeat(65_526))
    const connection = server()
    connection.send(message)
    const output = connection.takeOutput()!
    connection.recycleOutput()
    connection.send('y'.repeat(40_000))
    connection.takeOutput()
    expect(output.subarray(4).toString()).toBe('x'.repeat(65_526))
  })
})

describe.each(WAYS)('RFC 7692 6.1: a prepared message compressed by %s', (_, usesHandles) => {
  const text = json(3000).toString()

  test('is compressed once for all codecs with the same parameters, transient or not', () => {
    for (const message of [new PreparedMessage(text), brief(text)]) {
      const codecs = [TAKEOVER, NO_TAKEOVER, TAKEOVER].map((agreed) =>
        factory('server', usesHandles).createCodec(agreed),
      )
      const shared = codecs[0]!.shared
      expect(codecs.every((codec) => codec.shared === shared)).toBe(true)
      const deflate = jest.spyOn(shared, 'encode')
      const outputs = codecs.map((codec) => {
        const connection = server(codec)
        connection.send(message)
        return takeAll(connection)
      })
      expect(deflate).toHaveBeenCalledTimes(1)
      deflate.mockRestore()
      for (const output of outputs) {
        expect(output.equals(outputs[0]!)).toBe(true)
        expect(inflateAll(readFrames(output).frames)).toBe(text)
      }
      for (const codec of codecs) codec.close()
    }
  })

  test('is compressed once for each set of parameters, and only a few results are kept', () => {
    const message = new PreparedMessage(text)
    // Nine: the first was given up for the last, and is made again.
    for (const level of [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) {
      const codec = factory('server', usesHandles, { level }).createCodec(TAKEOVER)
      const connection = server(codec)
      connection.send(message)
      expect(inflateAll(takeFrames(connection))).toBe(text)
      codec.close()
    }
  })

  test('7.2.3.2: a later compressed message still inflates at a peer that keeps its context', () => {
    const codec = factory('server', usesHandles).createCodec(TAKEOVER)
    const connection = server(codec)
    const sent: string[] = []
    const message = new PreparedMessage(json(2000, 7).toString())
    for (let i = 0; i < 12; i++) {
      const own = json(1500, i % 3).toString()
      connection.send(own)
      sent.push(own)
      if (i % 3 !== 2) continue
      connection.send(message)
      sent.push(json(2000, 7).toString())
    }
    const frames = takeFrames(connection)
    expect(frames).toHaveLength(sent.length)
    expect(inflateAll(frames)).toBe(sent.join(''))
    codec.close()
  })

  test('is not compressed if it does not shrink, is too short, or compress is false', () => {
    const codec = factory('server', usesHandles, { thresholdBytes: 100 }).createCodec(TAKEOVER)
    const noisy = new PreparedMessage(noise(300))
    const deflate = jest.spyOn(codec.shared, 'encode')
    const connection = server(codec)
    connection.send(noisy)
    connection.send(noisy)
    expect(deflate).toHaveBeenCalledTimes(1)
    connection.send(new PreparedMessage('x'.repeat(99)))
    connection.send(new PreparedMessage(text, { compress: false }))
    expect(deflate).toHaveBeenCalledTimes(1)
    deflate.mockRestore()
    expect(takeFrames(connection).map(({ rsv1 }) => rsv1)).toEqual([false, false, false, false])
    codec.close()
  })

  test('may be empty', () => {
    const codec = factory('server', usesHandles).createCodec(TAKEOVER)
    const connection = server(codec)
    connection.send(new PreparedMessage(''))
    connection.send(text)
    const peer = factory('client', usesHandles).createCodec(TAKEOVER)
    const received = takeFrames(connection).map(({ rsv1, payload }) =>
      rsv1 ? Buffer.from(peer.inflate(payload, 10_000) as Uint8Array).toString() : payload.toString(),
    )
    expect(received).toEqual(['', text])
    codec.close()
    peer.close()
  })

  test('is compressed by a client with its own context, and masked', () => {
    const codec = factory('client', usesHandles).createCodec(TAKEOVER)
    const connection = client(codec)
    const message = new PreparedMessage(text)
    for (let i = 0; i < 4; i++) connection.send(message)
    connection.send(new PreparedMessage(Buffer.from(text), { compress: false }))
    const frames = takeFrames(connection)
    expect(frames.every(({ key }) => key !== null)).toBe(true)
    expect(inflateAll(frames.slice(0, 4))).toBe(text.repeat(4))
    expect(frames[4]).toMatchObject({ rsv1: false, opcode: 2, text })
    codec.close()
  })
})

describe('RFC 6455 5.4: after a message that is compressed on the thread pool', () => {
  test("a client's prepared message waits in order and is compressed as requested", () => {
    const codec = new ControlledCodec({ asyncDeflateBytes: 100, thresholdBytes: 10 })
    const connection = client(codec)
    connection.send('x'.repeat(100))
    connection.send(new PreparedMessage('y'.repeat(50)))
    connection.send(new PreparedMessage('z'.repeat(50), { compress: false }))
    connection.send(new PreparedMessage(Buffer.from('short')))
    expect(connection.takeOutput()).toBeNull()
    codec.finishDeflate()
    const frames = takeFrames(connection)
    expect(frames.map(({ opcode, rsv1 }) => [opcode, rsv1])).toEqual([
      [1, true],
      [1, true],
      [1, false],
      [2, false],
    ])
    expect(frames.slice(2).map((one) => one.text)).toEqual(['z'.repeat(50), 'short'])
    const peer = new ControlledCodec()
    expect(
      frames
        .slice(0, 2)
        .map(({ payload }) => Buffer.from(peer.inflate(payload, 1000) as Uint8Array).toString()),
    ).toEqual(['x'.repeat(100), 'y'.repeat(50)])
    connection.transportLost()
    connection.nextEvent()
  })
})
