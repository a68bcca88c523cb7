import { constants, createDeflateRaw, deflateRawSync, type DeflateRaw } from 'node:zlib'
import type { DeflateCodec } from '../../../src/deflate/deflate-codec.js'
import { inflaterBytes } from '../../../src/deflate/inflater.js'
import { ProtocolError } from '../../../src/errors.js'
import { bytes, WAYS, expectBytes, factory, inflateLater, json, TAKEOVER } from './codec-pair.js'

const MAX = 1 << 24
const HELLO = Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])
/** RFC 7692 section 7.2.3.2: "Hello" again, by the context of the first. */
const HELLO_AGAIN = Buffer.from([0xf2, 0x00, 0x11, 0x00, 0x00])
const FINAL_HELLO = Buffer.from([0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])

/** A peer that keeps its context, as zlib does it: no code of ours. */
class Peer {
  private readonly stream: DeflateRaw
  private readonly chunks: Buffer[] = []

  constructor(windowBits = 15) {
    this.stream = createDeflateRaw({ windowBits: Math.max(9, windowBits) })
    this.stream.on('data', (chunk: Buffer) => this.chunks.push(chunk))
  }

  deflate(message: Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      this.stream.write(message)
      this.stream.flush(constants.Z_SYNC_FLUSH, () => {
        resolve(Buffer.concat(this.chunks.splice(0)).subarray(0, -4))
      })
    })
  }

  close(): void {
    this.stream.destroy()
  }
}

describe.each(WAYS)('the context of what a peer sends (RFC 7692 section 7.2.2), by %s', (_, usesHandles) => {
  test.each([8, 9, 10, 15])('of 2^%d bytes survives any change of who inflates', async (windowBits) => {
    // Room for one decompressor and three connections: it goes round, and copies stand in for it.
    const codecs = factory('server', usesHandles, { maxSharedInflaterBytes: inflaterBytes(windowBits) })
    const agreed = { ...TAKEOVER, clientMaxWindowBits: windowBits }
    const connections = Array.from({ length: 3 }, () => ({
      codec: codecs.createCodec(agreed),
      peer: new Peer(windowBits),
    }))
    for (let i = 0; i < 60; i++) {
      // Now one is busy, now another, now all are.
      const { codec, peer } = connections[(i % 20 < 10 ? Math.floor(i / 5) : i) % 3]!
      const message = json(1 + ((i * 1399) % 7000) * (i % 7 === 0 ? 10 : 1), i % 5)
      const payload = await peer.deflate(message)
      const result = i % 4 === 3 ? await inflateLater(codec, payload, MAX) : codec.inflate(payload, MAX)
      expectBytes(result, message)
      expect(codecs.inflateHistoryBytes).toBeLessThanOrEqual(3 << windowBits)
      expect(codecs.sharedInflaterBytes).toBeLessThanOrEqual(inflaterBytes(windowBits))
    }
    for (const { codec, peer } of connections) {
      codec.close()
      peer.close()
    }
    expect([codecs.inflateHistoryBytes, codecs.sharedInflaterBytes]).toEqual([0, 0])
  })

  test('is nothing before the first compressed message, and the message itself after it', () => {
    const codecs = factory('server', usesHandles)
    const open = Array.from({ length: 100 }, () => codecs.createCodec(TAKEOVER))
    expect(codecs.inflateHistoryBytes).toBe(0)
    for (const codec of open) expect(bytes(codec.inflate(HELLO, MAX)).toString()).toBe('Hello')
    expect([codecs.inflateHistoryBytes, codecs.sharedInflaterBytes]).toEqual([500, 0])
    for (const codec of open) expect(bytes(codec.inflate(HELLO_AGAIN, MAX)).toString()).toBe('Hello')
    for (const codec of open) codec.close()
    expect([codecs.inflateHistoryBytes, codecs.sharedInflaterBytes]).toEqual([0, 0])
  })

  test('starts anew after a final block, and is empty after a message of nothing else', () => {
    const codecs = factory('server', usesHandles, { maxSharedInflaterBytes: 0 })
    const codec = codecs.createCodec(TAKEOVER)
    codec.inflate(HELLO, MAX)
    codec.inflate(Buffer.concat([FINAL_HELLO, HELLO]), MAX)
    expect(codecs.inflateHistoryBytes).toBe(5)
    codec.inflate(Buffer.concat([FINAL_HELLO, Buffer.of(0)]), MAX)
    expect(codecs.inflateHistoryBytes).toBe(0)
    expect(codec.inflate(HELLO_AGAIN, MAX)).toBeInstanceOf(ProtocolError)
    codec.close()
  })

  test('is empty after an error, at once and later', async () => {
    for (const options of [{}, { maxSharedInflaterBytes: 0 }]) {
      const codecs = factory('server', usesHandles, options)
      const codec = codecs.createCodec(TAKEOVER)
      for (let i = 0; i < 3; i++) codec.inflate(HELLO, MAX)
      for (const fail of [
        () => codec.inflate(Buffer.of(0xff), MAX),
        () => inflateLater(codec, Buffer.of(0xff), MAX),
      ]) {
        expect(await fail()).toBeInstanceOf(ProtocolError)
        expect(codecs.inflateHistoryBytes).toBe(0)
        expect(codec.inflate(HELLO_AGAIN, MAX)).toBeInstanceOf(ProtocolError)
        expect(bytes(codec.inflate(HELLO, MAX)).toString()).toBe('Hello')
      }
      codec.close()
    }
  })

  test('an empty message leaves it as it was', async () => {
    const codecs = factory('server', usesHandles, { maxSharedInflaterBytes: 0 })
    const codec = codecs.createCodec(TAKEOVER)
    codec.inflate(HELLO, MAX)
    for (const empty of [codec.inflate(Buffer.of(0), MAX), await inflateLater(codec, Buffer.of(0), MAX)]) {
      expect(bytes(empty)).toHaveLength(0)
    }
    expect(bytes(codec.inflate(HELLO_AGAIN, MAX)).toString()).toBe('Hello')
    codec.close()
  })

  test('says when there is no room for another', () => {
    const codecs = factory('server', usesHandles, { maxInflateHistoryBytes: 10, maxSharedInflaterBytes: 0 })
    const [first, second] = [codecs.createCodec(TAKEOVER), codecs.createCodec(TAKEOVER)]
    expect(codecs.hasRoomForContexts).toBe(true)
    first.inflate(HELLO, MAX)
    expect(codecs.hasRoomForContexts).toBe(true)
    second.inflate(HELLO, MAX)
    expect(codecs.hasRoomForContexts).toBe(false)
    // Those that are open go on.
    expect(bytes(first.inflate(HELLO_AGAIN, MAX)).toString()).toBe('Hello')
    first.close()
    expect(codecs.hasRoomForContexts).toBe(true)
    second.close()
    expect(factory('server', usesHandles, { maxInflateHistoryBytes: 0 }).hasRoomForContexts).toBe(false)
    expect(factory('server', usesHandles, { maxInflateHistoryBytes: Infinity }).hasRoomForContexts).toBe(true)
  })

  test('a result stays valid until the next call, whoever inflates', () => {
    const codecs = factory('server', usesHandles, { maxSharedInflaterBytes: inflaterBytes(15) })
    const [first, second] = [codecs.createCodec(TAKEOVER), codecs.createCodec(TAKEOVER)]
    const maker = factory('client', usesHandles, { maxSharedContextBytes: 0 }).createCodec(TAKEOVER)
    const message = json(3000)
    const payload = bytes(maker.deflate(message))
    for (const codec of [first, first, first, second, second, first, first]) {
      expectBytes(codec.inflate(payload, MAX), message)
    }
    for (const codec of [first, second, maker]) codec.close()
  })
})

describe('decompressors lent', () => {
  const [, usesHandles] = WAYS[0]!
  const message = json(2000)

  const inflate = async (codec: DeflateCodec, peer: Peer): Promise<void> => {
    expectBytes(codec.inflate(await peer.deflate(message), MAX), message)
  }

  test('go to a connection with its second message, and its copy goes', async () => {
    const codecs = factory('server', usesHandles)
    const codec = codecs.createCodec(TAKEOVER)
    const peer = new Peer()
    await inflate(codec, peer)
    expect([codecs.sharedInflaterBytes, codecs.inflateHistoryBytes]).toEqual([0, 2000])
    await inflate(codec, peer)
    expect([codecs.sharedInflaterBytes, codecs.inflateHistoryBytes]).toEqual([inflaterBytes(15), 0])
    await inflate(codec, peer)
    codec.close()
    peer.close()
    expect(codecs.sharedInflaterBytes).toBe(0)
  })

  test('go back before a message on the thread pool, which is inflated by what they knew', async () => {
    const codecs = factory('server', usesHandles)
    const codec = codecs.createCodec(TAKEOVER)
    const peer = new Peer()
    for (let i = 0; i < 3; i++) await inflate(codec, peer)
    const job = inflateLater(codec, await peer.deflate(message), MAX)
    expect(codecs.inflateHistoryBytes).toBe(6000)
    expectBytes(await job, message)
    expect(codecs.inflateHistoryBytes).toBe(8000)
    await inflate(codec, peer)
    expect(codecs.inflateHistoryBytes).toBe(0)
    codec.close()
    peer.close()
  })

  test('give no byte of another connection away after a message that ends in a final block', async () => {
    const codecs = factory('server', usesHandles)
    const [codec, other] = [codecs.createCodec(TAKEOVER), codecs.createCodec(TAKEOVER)]
    for (let i = 0; i < 10; i++) codec.inflate(HELLO, MAX)
    // RFC 1951 section 3.2.4: the header bits of an empty stored block that is the last; the tail has its lengths.
    expect(bytes(codec.inflate(Buffer.of(0x01), MAX))).toHaveLength(0)
    const secret = Buffer.from('what another connection sent')
    const plain = { finishFlush: constants.Z_SYNC_FLUSH }
    bytes(other.inflate(deflateRawSync(secret, plain).subarray(0, -4), MAX))
    // A message that refers to the first of 50 bytes before it, which is all that was received before the final block.
    const dictionary = Buffer.concat([secret, Buffer.alloc(50 - secret.length)])
    const payload = deflateRawSync(secret, { ...plain, dictionary }).subarray(0, -4)
    expect(await inflateLater(codec, payload, MAX)).toBeInstanceOf(ProtocolError)
    codec.close()
    other.close()
  })

  test('of a connection that is closed while its message is on the thread pool leave nothing behind', async () => {
    const codecs = factory('server', usesHandles)
    const [codec, other] = [codecs.createCodec(TAKEOVER), codecs.createCodec(TAKEOVER)]
    const peer = new Peer()
    for (let i = 0; i < 3; i++) await inflate(codec, peer)
    const done = jest.fn()
    codec.inflateAsync(await peer.deflate(json(500_000)), MAX, done)
    codec.close()
    await inflateLater(other, HELLO, MAX)
    expect(codecs.inflateHistoryBytes).toBe(5)
    other.close()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([codecs.inflateHistoryBytes, done.mock.calls.length]).toEqual([0, 0])
    peer.close()
  })

  test('by the documented calls there are none', async () => {
    const codecs = factory('server', false)
    const codec = codecs.createCodec(TAKEOVER)
    const peer = new Peer()
    for (let i = 0; i < 20; i++) await inflate(codec, peer)
    expect([codecs.sharedInflaterBytes, codecs.inflateHistoryBytes]).toEqual([0, 32_768])
    codec.close()
    peer.close()
  })
})
