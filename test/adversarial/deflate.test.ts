// slow: memory of 10,000 codecs
/** permessage-deflate under hostile peers: bombs, streams gone wrong, memory, keys of Object.prototype. */
import zlib from 'node:zlib'
import type { DeflateCodec } from '../../src/deflate/deflate-codec.js'
import { acceptOffer, resolveDeflateOptions, verifyResponse } from '../../src/deflate/negotiation.js'
import { HandshakeError, LimitError, ProtocolError } from '../../src/errors.js'
import { parseExtensionHeader } from '../../src/handshake/extension-header.js'
import { arrayBufferBytes } from '../helpers/memory.js'
import {
  bytes,
  deflateLater,
  WAYS,
  expectBytes,
  factory,
  inflateLater,
  json,
  NO_TAKEOVER,
  noise,
  TAKEOVER,
} from '../unit/deflate/codec-pair.js'

/** The real thing, watched. */
jest.mock('node:zlib', () => {
  const actual = jest.requireActual<Record<string, (...args: unknown[]) => unknown>>('node:zlib')
  return {
    ...actual,
    createDeflateRaw: jest.fn(actual['createDeflateRaw']),
    createInflateRaw: jest.fn(actual['createInflateRaw']),
  }
})
const created = { deflate: jest.mocked(zlib.createDeflateRaw), inflate: jest.mocked(zlib.createInflateRaw) }

const MIB = 1024 * 1024

/** What `Buffer` is asked for while something runs, in bytes. */
function bytesAllocated(run: () => void): number {
  let sum = 0
  const spies = (['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const).map((name) => {
    const original: (size: number) => Buffer<ArrayBuffer> = Buffer[name].bind(Buffer)
    const counting = (size: number): Buffer<ArrayBuffer> => {
      sum += size
      return original(size)
    }
    return jest.spyOn(Buffer, name as 'allocUnsafe').mockImplementation(counting)
  })
  run()
  for (const spy of spies) spy.mockRestore()
  return sum
}

describe.each(WAYS)('inflate bombs, with %s', (_, usesHandles) => {
  /** 64 MiB in 64 KiB: 1000 to 1. */
  const bomb = zlib
    .deflateRawSync(Buffer.alloc(64 * MIB), { finishFlush: zlib.constants.Z_SYNC_FLUSH })
    .subarray(0, -4)

  describe.each([
    ['context kept', TAKEOVER],
    ['each message by itself', NO_TAKEOVER],
  ])('%s', (_name, agreed) => {
    test('a message of 1000 : 1 is stopped at the limit, synchronously and on the thread pool', async () => {
      expect(bomb.length * 1000).toBeLessThan(64 * MIB)
      const codec = factory('server', usesHandles).createCodec(agreed)
      for (const result of [codec.inflate(bomb, MIB), await inflateLater(codec, bomb, MIB)]) {
        expect(result).toBeInstanceOf(LimitError)
        expect(result).toMatchObject({ closeCode: 1009, limit: MIB, actual: MIB + 1 })
      }
      codec.close()
    })

    test('a bomb holds no more memory than the limit and a chunk', () => {
      const codec = factory('server', usesHandles).createCodec(agreed)
      for (const maxBytes of [0, 1, 1000, 100_000, MIB]) {
        const allocated = bytesAllocated(() =>
          expect(codec.inflate(bomb, maxBytes)).toBeInstanceOf(LimitError),
        )
        // Beside the output: the copy that the documented calls need of what came in, and their chunk.
        expect(allocated).toBeLessThan(maxBytes + bomb.length + 3 * 65_536)
      }
      codec.close()
    })

    test('repeated bombs are stopped, also between honest messages', async () => {
      const codec = factory('server', usesHandles).createCodec(agreed)
      const hello = Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])
      for (let i = 0; i < 20; i++) {
        expect(codec.inflate(bomb, 1000)).toBeInstanceOf(LimitError)
        if (i % 4 === 0) expect(await inflateLater(codec, bomb, 1000)).toBeInstanceOf(LimitError)
        expect(bytes(codec.inflate(hello, 1000)).toString()).toBe('Hello')
      }
      codec.close()
    })

    test('the limit counts all final blocks of a message together', async () => {
      const part = zlib.deflateRawSync(Buffer.alloc(100_000))
      const payload = Buffer.concat([part, part, part, part, Buffer.of(0x00)])
      const codec = factory('server', usesHandles).createCodec(agreed)
      expect(bytes(codec.inflate(payload, 400_000))).toHaveLength(400_000)
      expect(codec.inflate(payload, 399_999)).toBeInstanceOf(LimitError)
      expect(await inflateLater(codec, payload, 399_999)).toBeInstanceOf(LimitError)
      codec.close()
    })

    test('a megabyte of empty final blocks is stopped early', async () => {
      const payload = Buffer.alloc(MIB, Buffer.from([0x03, 0x00]))
      const codec = factory('server', usesHandles).createCodec(agreed)
      for (const result of [codec.inflate(payload, MIB), await inflateLater(codec, payload, MIB)]) {
        expect(result).toMatchObject({ code: 'HAWSER_INVALID_DEFLATE' })
      }
      codec.close()
    })

    test('a megabyte of empty stored blocks is an empty message', () => {
      const payload = Buffer.concat([
        Buffer.alloc(5 * 200_000, Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff])),
        Buffer.of(0),
      ])
      const codec = factory('server', usesHandles).createCodec(agreed)
      expect(bytes(codec.inflate(payload, 0))).toHaveLength(0)
      codec.close()
    })
  })

  test('corrupt messages of one peer do not disturb others, synchronously and on the thread pool', async () => {
    const codecs = factory('server', usesHandles)
    const peers = factory('client', usesHandles)
    const good = codecs.createCodec(NO_TAKEOVER)
    const peer = peers.createCodec(NO_TAKEOVER)
    for (let i = 0; i < 50; i++) {
      const bad = codecs.createCodec(i & 1 ? TAKEOVER : NO_TAKEOVER)
      const rubbish = Buffer.concat([Buffer.of(0xff), noise(2000, i)])
      const later = inflateLater(bad, rubbish, MIB)
      const message = json(3000, i)
      expectBytes(good.inflate(bytes(peer.deflate(message)), MIB), message)
      expect(await later).toBeInstanceOf(ProtocolError)
      expect(bad.inflate(rubbish, MIB)).toBeInstanceOf(ProtocolError)
      expectBytes(peer.inflate(bytes(good.deflate(message)), MIB), message)
      bad.close()
    }
    good.close()
    peer.close()
  })
})

describe('the memory of many connections', () => {
  const [, usesHandles] = WAYS[0]!
  const message = json(200)
  /** The default of maxSharedContextBytes. */
  const BOUND = 16 * MIB

  test('10,000 busy codecs hold no more contexts than the limit allows, and none after they are closed', () => {
    const codecs = factory('server', usesHandles)
    const connections = Array.from({ length: 10_000 }, () => codecs.createCodec(TAKEOVER))
    let most = 0
    for (let round = 0; round < 3; round++) {
      for (const codec of connections) {
        expect(codec.deflate(message)).not.toBeNull()
        most = Math.max(most, codecs.sharedContextBytes)
      }
    }
    expect(most).toBeLessThanOrEqual(BOUND)
    // The bound is used, too.
    expect(most).toBeGreaterThan(BOUND * 0.95)
    for (const codec of connections) codec.close()
    expect(codecs.sharedContextBytes).toBe(0)
  })

  test('the limit holds for windows of mixed sizes, and while connections open and close', () => {
    const codecs = factory('server', usesHandles, { maxSharedContextBytes: MIB })
    const open: DeflateCodec[] = []
    const random = noise(4000, 7)
    for (let i = 0; i < 2000; i++) {
      const windowBits = 8 + (random[i]! % 8)
      open.push(codecs.createCodec({ ...TAKEOVER, serverMaxWindowBits: windowBits }))
      for (let j = 0; j < 3; j++) open[random[i + j + 1]! % open.length]!.deflate(message)
      if (open.length > 40) open.splice(random[i + 1000]! % open.length, 1)[0]!.close()
      expect(codecs.sharedContextBytes).toBeLessThanOrEqual(MIB)
    }
    for (const codec of open) codec.close()
    expect(codecs.sharedContextBytes).toBe(0)
  })

  test('10,000 codecs that each sent one message hold no memory', () => {
    const codecs = factory('server', usesHandles)
    const connections = Array.from({ length: 10_000 }, () => codecs.createCodec(TAKEOVER))
    for (const codec of connections) codec.deflate(message)
    expect(codecs.sharedContextBytes).toBe(0)
    for (const codec of connections) codec.close()
  })

  test('one zlib stream serves all codecs whose peers keep no context', () => {
    const codecs = factory('server', usesHandles)
    const payload = bytes(codecs.createCodec(NO_TAKEOVER).deflate(message))
    for (const made of Object.values(created)) made.mockClear()
    for (let i = 0; i < 1000; i++) {
      const codec = codecs.createCodec({ ...TAKEOVER, clientNoContextTakeover: true })
      expectBytes(codec.inflate(payload, 1000), message)
      codec.deflate(message)
    }
    for (const made of Object.values(created)) expect(made).not.toHaveBeenCalled()
  })

  test('codecs whose peers keep their context hold no memory while silent, and within the limits while busy', () => {
    const codecs = factory('server', usesHandles)
    const peers = factory('client', usesHandles)
    const bound = 16 * MIB
    // One peer's messages stand for those of all: each is the same for each connection.
    const peer = peers.createCodec(TAKEOVER)
    const messages = Array.from({ length: 4 }, (_, i) => json(1024, i))
    const payloads = messages.map((each) => bytes(peer.deflate(each)))
    peer.close()
    for (const made of Object.values(created)) made.mockClear()
    const connections = Array.from({ length: 2000 }, () => codecs.createCodec(TAKEOVER))
    expect([codecs.sharedInflaterBytes, codecs.inflateHistoryBytes]).toEqual([0, 0])
    const before = arrayBufferBytes()
    for (const codec of connections) expectBytes(codec.inflate(payloads[0]!, 2000), messages[0]!)
    expect(created.inflate).not.toHaveBeenCalled()
    expect([codecs.sharedInflaterBytes, codecs.inflateHistoryBytes]).toEqual([0, 2000 * 1024])
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2000 * 3 * 1024)
    for (const at of [1, 2, 3]) {
      for (const codec of connections) {
        expectBytes(codec.inflate(payloads[at]!, 2000), messages[at]!)
        expect(codecs.sharedInflaterBytes).toBeLessThanOrEqual(bound)
      }
    }
    expect(codecs.sharedInflaterBytes).toBeGreaterThan(bound * 0.95)
    expect(created.inflate.mock.calls.length).toBeLessThan(bound / 32_768)
    expect(codecs.inflateHistoryBytes).toBeLessThan(2000 * 4 * 1024)
    for (const codec of connections) codec.close()
    expect([codecs.sharedInflaterBytes, codecs.inflateHistoryBytes]).toEqual([0, 0])
  })

  test('streams are closed with their connection at any point', async () => {
    created.inflate.mockClear()
    const done = jest.fn()
    const large = json(300_000)
    const maker = factory('client', usesHandles).createCodec(NO_TAKEOVER)
    const payloads = [
      bytes(maker.deflate(large)),
      noise(100_000),
      bytes(maker.deflate(Buffer.alloc(9_000_000))),
    ]
    for (const agreed of [TAKEOVER, NO_TAKEOVER]) {
      for (const payload of payloads) {
        for (let turns = 0; turns < 12; turns++) {
          const codec = factory('server', usesHandles).createCodec(agreed)
          codec.inflateAsync(payload, MIB, done)
          codec.deflateAsync(large, done)
          for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
          codec.close()
          const calls = done.mock.calls.length
          await new Promise((resolve) => setImmediate(resolve))
          expect(done.mock.calls).toHaveLength(calls)
          // Cancelled work keeps its place until it has ended: the next is to start all the same.
          await deflateLater(maker, large)
        }
      }
    }
    // What was cancelled ends with the trip to the thread pool that was under way.
    const openStreams = (): zlib.InflateRaw[] =>
      created.inflate.mock.results
        .map((result) => result.value as zlib.InflateRaw)
        .filter(({ destroyed }) => !destroyed)
    for (let turns = 0; turns < 500 && openStreams().length > 0; turns++) await deflateLater(maker, large)
    const streams = created.inflate.mock.results.map((result) => result.value as zlib.InflateRaw)
    expect(streams.length).toBeGreaterThan(50)
    expect(openStreams()).toEqual([])
    maker.close()
  })
})

describe('names from Object.prototype (ws 3.3.1)', () => {
  const NAMES = Object.getOwnPropertyNames(Object.prototype)
  const server = resolveDeflateOptions({}, 'server')!
  const client = resolveDeflateOptions({}, 'client')!

  test.each(NAMES)('%s as extension, parameter or value is declined, or fails the client', (name) => {
    for (const header of [
      name,
      `${name}; server_max_window_bits=10`,
      `permessage-deflate; ${name}`,
      `permessage-deflate; ${name}=1`,
      `permessage-deflate; ${name}; ${name}`,
      `permessage-deflate; server_max_window_bits=${name}`,
      `permessage-deflate; client_max_window_bits="${name}"`,
      `permessage-deflate; server_no_context_takeover=${name}`,
    ]) {
      const offers = parseExtensionHeader(header)!
      expect(acceptOffer(offers, server)).toBeNull()
      expect(acceptOffer([...offers, ...parseExtensionHeader('permessage-deflate')!], server)).not.toBeNull()
      expect(verifyResponse(offers, client)).toBeInstanceOf(HandshakeError)
    }
  })

  test('a thousand offers cost time in proportion to their size, and the last may be accepted', () => {
    const bad = 'permessage-deflate; server_max_window_bits=7; server_max_window_bits=7'
    const offers = parseExtensionHeader(`${`${bad}, `.repeat(1000)}permessage-deflate`)!
    expect(acceptOffer(offers, server)?.response).toBe('permessage-deflate')
  })
})
