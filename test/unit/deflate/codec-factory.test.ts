/** What the codecs of one server share, and what becomes of it when one of them is closed. */
import { constants, deflateRawSync } from 'node:zlib'
import { createCodecFactory, type DeflateCodec } from '../../../src/deflate/deflate-codec.js'
import { contextBytes } from '../../../src/deflate/deflater.js'
import { inflaterBytes } from '../../../src/deflate/inflater.js'
import { resolveDeflateOptions } from '../../../src/deflate/negotiation.js'
import type { DecodeResult } from '../../../src/extension/message-codec.js'
import {
  bytes,
  deflateLater,
  expectBytes,
  factory,
  inflateLater,
  json,
  NO_TAKEOVER,
  pair,
  TAKEOVER,
  WAYS,
} from './codec-pair.js'
import { madeStreams } from './made-streams.js'

const MAX = 1 << 24
const CONTEXT_BYTES = contextBytes({ windowBits: 15, level: 2, memLevel: 8 })
const HELLO = Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])

const message = json(400)

/** The length of a message as compressed: a few bytes where the context knows it. */
const size = (codec: DeflateCodec): number => bytes(codec.deflate(message)).length

const never = { encoded: jest.fn(), decoded: jest.fn() }

describe('a codec that is closed', () => {
  test.each([1, 2])('%d times leaves the others what is lent to them', (times) => {
    const codecs = factory('server', true)
    const [closed, other] = [codecs.createCodec(TAKEOVER), codecs.createCodec(TAKEOVER)]
    for (let i = 0; i < 3; i++) size(other)
    for (let i = 0; i < 3; i++) bytes(other.inflate(HELLO, MAX))
    for (let i = 0; i < times; i++) closed.close()
    expect([codecs.sharedContextBytes, codecs.sharedInflaterBytes]).toEqual([
      CONTEXT_BYTES,
      inflaterBytes(15),
    ])
    expect(size(other)).toBeLessThan(20)
    other.close()
    expect([codecs.sharedContextBytes, codecs.sharedInflaterBytes]).toEqual([0, 0])
  })

  test('gives its context to a connection that was less busy', () => {
    const codecs = factory('server', true, { maxSharedContextBytes: CONTEXT_BYTES })
    const [busy, idle] = [codecs.createCodec(TAKEOVER), codecs.createCodec(TAKEOVER)]
    const alone = size(idle)
    for (let i = 0; i < 3; i++) size(busy)
    busy.close()
    expect(size(idle)).toBe(alone)
    expect(size(idle)).toBeLessThan(20)
    expect(codecs.sharedContextBytes).toBe(CONTEXT_BYTES)
    idle.close()
  })
})

describe('what a codec keeps by what both ends agreed to (RFC 7692 section 7.1.1)', () => {
  test.each([
    ['server', { ...TAKEOVER, serverNoContextTakeover: true }, false, true],
    ['server', { ...TAKEOVER, clientNoContextTakeover: true }, true, false],
    ['client', { ...TAKEOVER, serverNoContextTakeover: true }, true, false],
    ['client', { ...TAKEOVER, clientNoContextTakeover: true }, false, true],
  ] as const)('as a %s, by %j', async (role, agreed, sends, receives) => {
    const codecs = factory(role, true)
    const codec = codecs.createCodec(agreed)
    for (let i = 0; i < 3; i++) size(codec)
    bytes(codec.inflate(HELLO, MAX))
    expect(codecs.inflateHistoryBytes).toBe(receives ? 5 : 0)
    bytes(await inflateLater(codec, HELLO, MAX))
    expect(codecs.inflateHistoryBytes).toBe(receives ? 10 : 0)
    for (let i = 0; i < 3; i++) bytes(codec.inflate(HELLO, MAX))
    expect([codecs.sharedContextBytes, codecs.sharedInflaterBytes]).toEqual([
      sends ? CONTEXT_BYTES : 0,
      receives ? inflaterBytes(15) : 0,
    ])
    codec.close()
  })

  test('what encodes for many is the same for all codecs of the same window, and knows no message before', () => {
    const codecs = factory('server', true)
    const [one, other] = [codecs.createCodec(TAKEOVER), codecs.createCodec(NO_TAKEOVER)]
    const small = codecs.createCodec({ ...TAKEOVER, serverMaxWindowBits: 9 })
    expect(one.shared).toBe(other.shared)
    expect(small.shared).not.toBe(one.shared)
    const { length } = bytes(one.shared.encode(message))
    for (let i = 0; i < 3; i++) expect(bytes(one.shared.encode(message))).toHaveLength(length)
    for (const codec of [one, other, small]) codec.close()
  })

  test('one decompressor serves all that keep nothing, of every server and client', async () => {
    const made = await madeStreams('createInflateRaw', () => {
      for (const role of ['server', 'client', 'server'] as const) {
        const codec = factory(role, true).createCodec(NO_TAKEOVER)
        expect(bytes(codec.inflate(HELLO, 5)).toString()).toBe('Hello')
        codec.close()
      }
    })
    expect(made.length).toBeLessThanOrEqual(1)
  })

  test('a compressor that is lent has the level and memLevel of the options, and the window agreed to', () => {
    for (const options of [
      { level: 1, memLevel: 8 },
      { level: 9, memLevel: 2 },
    ]) {
      for (const serverMaxWindowBits of [9, 15]) {
        const text = Buffer.concat([json(2000, 1), json(2000, 2), json(2000, 1)])
        const codecs = factory('server', true, options)
        const codec = codecs.createCodec({ ...TAKEOVER, serverMaxWindowBits })
        const expected = deflateRawSync(text, {
          ...options,
          windowBits: serverMaxWindowBits,
          finishFlush: constants.Z_SYNC_FLUSH,
        }).subarray(0, -4)
        // The second time by a compressor that is lent, which knows nothing yet.
        for (let i = 0; i < 2; i++) expectBytes(codec.deflate(text), expected)
        expect(codecs.sharedContextBytes).toBe(contextBytes({ ...options, windowBits: serverMaxWindowBits }))
        codec.close()
      }
    }
  })
})

describe.each(WAYS)('what encode and decode are given, by %s', (_, usesHandles) => {
  test('is copied for the thread pool where nothing is said about it', async () => {
    const { server, client, close } = pair(usesHandles, NO_TAKEOVER, { asyncThresholdBytes: 100 })
    const given = Buffer.from(message)
    const payload = await new Promise<Uint8Array | null>((encoded) => {
      expect(server.encode(given, { encoded })).toBe('later')
      given.fill(0)
    })
    const compressed = bytes(payload)
    expect(compressed.length).toBeGreaterThan(100)
    const result = await new Promise<DecodeResult>((decoded) => {
      expect(client.decode(compressed, { decoded }, MAX)).toBe('later')
      compressed.fill(0xff)
    })
    expectBytes(result, message)
    close()
  })

  test('is text of any length, also where all is compressed at once', () => {
    const { server, client, close } = pair(usesHandles, NO_TAKEOVER, { asyncThresholdBytes: Infinity })
    for (const units of [16 * 1024, 16 * 1024 + 1, 40_000]) {
      const text = '\u20ac'.repeat(units)
      const payload = bytes(server.encode(text, never) as Uint8Array)
      expectBytes(client.decode(payload, never, MAX) as DecodeResult, Buffer.from(text))
    }
    close()
  })

  test('is text that lasts on the thread pool, whatever text is encoded meanwhile', async () => {
    const one = factory('server', usesHandles, { asyncThresholdBytes: 1500 }).createCodec(NO_TAKEOVER)
    const kept = new Promise<string>((resolve) => {
      const encoded = (_payload: Uint8Array | null, bytesOfText: Uint8Array): void => {
        resolve(Buffer.from(bytesOfText).toString())
      }
      expect(one.encode('a'.repeat(1600), { encoded })).toBe('later')
    })
    for (const asyncThresholdBytes of [1600, 4799, 4800, Infinity]) {
      const other = factory('server', usesHandles, { asyncThresholdBytes }).createCodec(NO_TAKEOVER)
      expect(other.encode('b'.repeat(1600), never)).toBeInstanceOf(Uint8Array)
      other.close()
    }
    expect(await kept).toBe('a'.repeat(1600))
    one.close()
  })

  test('is decompressed at once up to asyncThresholdBytes, as compressed', async () => {
    const payload = bytes(factory('client', usesHandles).createCodec(NO_TAKEOVER).deflate(message))
    for (const missing of [0, 1]) {
      const asyncThresholdBytes = payload.length - missing
      const codec = factory('server', usesHandles, { asyncThresholdBytes }).createCodec(NO_TAKEOVER)
      const result = await new Promise<DecodeResult>((decoded) => {
        const atOnce = codec.decode(payload, { decoded }, MAX)
        expect(atOnce === 'later').toBe(missing === 1)
        if (atOnce !== 'later') decoded(atOnce)
      })
      expectBytes(result, message)
      codec.close()
    }
  })

  test('is left as it is where the caller does not want it compressed', () => {
    const { server, close } = pair(usesHandles, TAKEOVER)
    for (let i = 0; i < 3; i++) expect(server.encode(message, never, false, false)).toBeNull()
    expect(server.encode(message, never, false, true)).toBeInstanceOf(Uint8Array)
    close()
  })
})

test('a short message is compressed by the context of those before it', () => {
  const codecs = createCodecFactory(resolveDeflateOptions({}, 'server')!, true)
  const codec = codecs.createCodec(TAKEOVER)
  const short = json(300)
  const encode = (): number => bytes(codec.encode(short, never) as Uint8Array).length
  expect(codec.encode(short, never)).toBeNull()
  const first = encode()
  expect(first).toBeGreaterThan(50)
  expect(encode()).toBeLessThan(20)
  codec.close()
})

describe('what the caller does wrong', () => {
  const { server, client, close } = pair(true, TAKEOVER)

  afterAll(close)

  test.each([
    [-1, '-1'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    ['1', '"1"'],
  ])('throws with name, value and range: a limit of %p', (maxBytes, shown) => {
    const words = `maxBytes must be an integer from 0 to Infinity, not ${shown}`
    expect(() => client.inflate(HELLO, maxBytes as number)).toThrow(words)
    expect(() => client.inflateAsync(HELLO, maxBytes as number, never.decoded)).toThrow(words)
  })

  test('throws with the name of the call that is under way', async () => {
    const jobs = Promise.all([deflateLater(server, message), inflateLater(server, HELLO, MAX)])
    const deflating = 'deflateAsync has not called done yet'
    expect(() => server.encode(message, never)).toThrow(deflating)
    expect(() => server.deflate(message)).toThrow(deflating)
    expect(() => server.deflateAsync(message, never.encoded)).toThrow(deflating)
    const inflating = 'inflateAsync has not called done yet'
    expect(() => server.decode(HELLO, never, MAX)).toThrow(inflating)
    expect(() => server.inflate(HELLO, MAX)).toThrow(inflating)
    expect(() => server.inflateAsync(HELLO, MAX, never.decoded)).toThrow(inflating)
    expectBytes((await jobs)[1], Buffer.from('Hello'))
  })
})
