import { createCodecFactory, type DeflateCodec } from '../../../src/deflate/deflate-codec.js'
import { resolveDeflateOptions } from '../../../src/deflate/negotiation.js'
import { canUseZlibHandles } from '../../../src/native/zlib-handle.js'
import type { DecodeResult, EncodeListener } from '../../../src/extension/message-codec.js'
import { InvalidStateError, LimitError, ProtocolError } from '../../../src/errors.js'
import {
  bytes,
  expectBytes,
  deflateLater,
  WAYS,
  factory,
  inflateLater,
  json,
  NO_TAKEOVER,
  noise,
  pair,
  TAKEOVER,
} from './codec-pair.js'

const MAX = 1 << 24

const noisy = Buffer.concat([noise(1500), json(1500)])

function encodeNow(
  codec: DeflateCodec,
  message: string | Uint8Array,
  listener: EncodeListener,
): Uint8Array | null {
  const payload = codec.encode(message, listener)
  if (payload === 'later') throw new Error('it was to be encoded at once')
  return payload
}

function encodeLater(
  codec: DeflateCodec,
  message: string | Uint8Array,
  isLasting?: boolean,
): Promise<{ payload: Uint8Array | null; message: Uint8Array }> {
  return new Promise((resolve) => {
    const encoded = (payload: Uint8Array | null, kept: Uint8Array): void => {
      resolve({ payload, message: kept })
    }
    expect(codec.encode(message, { encoded }, isLasting)).toBe('later')
  })
}

/** Whether a message of so many bytes, which shrinks, is encoded. */
const isEncoded = (codec: DeflateCodec, length: number): boolean =>
  encodeNow(codec, 'a'.repeat(length), { encoded: jest.fn() }) !== null

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

describe.each(WAYS)('a codec by %s', (_, usesHandles) => {
  describe('compression (RFC 7692 section 7.2.1)', () => {
    test.each([
      ['with context takeover', TAKEOVER],
      ['without', NO_TAKEOVER],
    ])('both ends understand each other, %s', (_name, agreed) => {
      const { server, client, close } = pair(usesHandles, agreed)
      for (let i = 0; i < 20; i++) {
        const message = json(100 + i * 331, i)
        expectBytes(client.inflate(bytes(server.deflate(message)), MAX), message)
        expectBytes(server.inflate(bytes(client.deflate(message)), MAX), message)
      }
      close()
    })

    test.each([
      ['ASCII', 'a', 2000],
      ['three bytes for each unit', '€', 2000],
      ['surrogates that have no partner', '\ud800', 2000],
      ['the longest that is encoded without a buffer of its own', 'ä', 16 * 1024],
      ['a longer one', 'ä', 16 * 1024 + 1],
    ])('encodes text as UTF-8: %s', (_name, unit, units) => {
      const { server, client, close } = pair(usesHandles, NO_TAKEOVER)
      const text = unit.repeat(units)
      const payload = bytes(encodeNow(server, text, { encoded: jest.fn() }))
      expectBytes(client.inflate(payload, MAX), Buffer.from(text))
      close()
    })

    test('text that the thread pool compresses is not changed by the next message', async () => {
      const one = factory('server', usesHandles, { asyncThresholdBytes: 1500 }).createCodec(NO_TAKEOVER)
      const later = encodeLater(one, 'a'.repeat(1600), false)
      const other = factory('server', usesHandles).createCodec(NO_TAKEOVER)
      encodeNow(other, 'b'.repeat(1600), { encoded: jest.fn() })
      const { payload, message } = await later
      expect(message.toString()).toBe('a'.repeat(1600))
      expectBytes(other.inflate(bytes(payload), MAX), Buffer.from('a'.repeat(1600)))
      one.close()
      other.close()
    })

    test('the tail 00 00 ff ff is not sent', () => {
      const { server, close } = pair(usesHandles, NO_TAKEOVER)
      expect(
        bytes(server.deflate(Buffer.from('HelloHelloHello')))
          .subarray(-4)
          .toString('hex'),
      ).not.toBe('0000ffff')
      close()
    })

    test('messages of all sizes around the shared memory', () => {
      const { server, client, close } = pair(usesHandles, NO_TAKEOVER)
      for (const length of [65_531, 65_532, 65_535, 65_536, 65_537, 131_072, 300_000]) {
        const message = json(length)
        expectBytes(client.inflate(bytes(server.deflate(message)), MAX), message)
      }
      close()
    })

    test('a result larger than the shared memory', () => {
      const { server, client, close } = pair(usesHandles, NO_TAKEOVER)
      const message = Buffer.concat([noise(200_000), Buffer.alloc(20_000)])
      expectBytes(client.inflate(bytes(server.deflate(message)), MAX), message)
      close()
    })

    test('the bytes given are not changed', () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER)
      const message = json(5000)
      const before = Buffer.from(message)
      const payload = bytes(server.deflate(message))
      const payloadBefore = Buffer.from(payload)
      client.inflate(payload, MAX)
      expect(message).toEqual(before)
      expect(payload).toEqual(payloadBefore)
      close()
    })

    test('what was inflated can be deflated as it is', () => {
      const { server, client, close } = pair(usesHandles, NO_TAKEOVER)
      const message = json(5000)
      const inflated = client.inflate(bytes(server.deflate(message)), MAX) as Uint8Array
      expectBytes(server.inflate(bytes(client.deflate(inflated)), MAX), message)
      close()
    })

    test('a plain Uint8Array in the middle of its buffer', () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER)
      const message = Uint8Array.from(json(3000)).subarray(7, 1507)
      const padded = new Uint8Array(5000)
      const payload = bytes(server.deflate(message))
      padded.set(payload, 11)
      const result = client.inflate(padded.subarray(11, 11 + payload.length), MAX)
      expectBytes(result, Buffer.from(message))
      close()
    })
  })

  describe('a message that does not shrink', () => {
    test.each([
      ['one byte', Buffer.from('a')],
      ['noise', noise(1000)],
      ['noise beyond the shared memory', noise(200_000)],
    ])('is not compressed: %s', async (_name, message) => {
      const { server, close } = pair(usesHandles, NO_TAKEOVER)
      expect(server.deflate(message)).toBeNull()
      await expect(deflateLater(server, message)).resolves.toBeNull()
      close()
    })

    test('leaves nothing behind in the context, since the peer never sees it', () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER)
      const secret = noise(500)
      for (let i = 0; i < 4; i++) {
        const text = json(400, i)
        expectBytes(client.inflate(bytes(server.deflate(text)), MAX), text)
        expect(server.deflate(Buffer.concat([secret.subarray(i), noise(100, i + 2)]))).toBeNull()
      }
      // Were it in the context, this would shrink to a few bytes that the peer could not resolve.
      const payload = server.deflate(Buffer.concat([secret, Buffer.alloc(100)]))
      expect(bytes(client.inflate(bytes(payload), MAX)).subarray(0, 500)).toEqual(secret)
      close()
    })
  })

  describe('an empty message (RFC 7692 section 7.2.3.6)', () => {
    test('is a single 00, and leaves the context as it was', async () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER)
      for (let i = 0; i < 3; i++) {
        const empty = bytes(server.deflate(Buffer.alloc(0)))
        expect(empty).toEqual(Buffer.from([0x00]))
        expect(bytes(client.inflate(empty, MAX))).toHaveLength(0)
        const text = json(300)
        expectBytes(client.inflate(bytes(server.deflate(text)), MAX), text)
      }
      expect(await deflateLater(server, Buffer.alloc(0))).toEqual(Buffer.from([0x00]))
      expect(bytes(await inflateLater(client, Buffer.from([0x00]), MAX))).toHaveLength(0)
      close()
    })

    test('no payload at all is not one', async () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER)
      const alone = factory('server', usesHandles).createCodec(NO_TAKEOVER)
      expect(client.inflate(Buffer.alloc(0), MAX)).toBeInstanceOf(ProtocolError)
      expect(alone.inflate(Buffer.alloc(0), MAX)).toBeInstanceOf(ProtocolError)
      expect(await inflateLater(client, Buffer.alloc(0), MAX)).toBeInstanceOf(ProtocolError)
      expect(await inflateLater(alone, Buffer.alloc(0), MAX)).toBeInstanceOf(ProtocolError)
      alone.close()
      close()
      server.close()
    })
  })

  describe('the limit acts during inflate', () => {
    test('a message of exactly the limit passes, one more byte does not', async () => {
      for (const agreed of [TAKEOVER, NO_TAKEOVER]) {
        for (const length of [1, 1000, 65_535, 65_536, 65_537, 200_000]) {
          const { server, client, close } = pair(usesHandles, agreed)
          const message = Buffer.alloc(length, 'ab')
          const payload = length === 1 ? Buffer.from([0x4a, 0x04, 0x00]) : bytes(server.deflate(message))
          expect(bytes(client.inflate(payload, length))).toHaveLength(length)
          const error = client.inflate(payload, length - 1)
          expect(error).toBeInstanceOf(LimitError)
          expect(error).toMatchObject({
            code: 'HAWSER_MESSAGE_TOO_BIG',
            closeCode: 1009,
            limit: length - 1,
            actual: length,
          })
          expect(await inflateLater(client, payload, length - 1)).toMatchObject({
            limit: length - 1,
            actual: length,
          })
          expect(bytes(await inflateLater(client, payload, length))).toHaveLength(length)
          close()
        }
      }
    })

    test('a limit of 0 lets the empty message pass', () => {
      const { client, close } = pair(usesHandles, TAKEOVER)
      expect(bytes(client.inflate(Buffer.from([0x00]), 0))).toHaveLength(0)
      expect(client.inflate(Buffer.from([0x4a, 0x04, 0x00]), 0)).toBeInstanceOf(LimitError)
      close()
    })

    test('Infinity is no limit', async () => {
      const { server, client, close } = pair(usesHandles, NO_TAKEOVER)
      const payload = bytes(server.deflate(Buffer.alloc(3_000_000)))
      expect(bytes(client.inflate(payload, Infinity))).toHaveLength(3_000_000)
      expect(bytes(await inflateLater(client, payload, Infinity))).toHaveLength(3_000_000)
      close()
    })
  })

  describe('a payload that does not inflate (RFC 7692 section 7.2.2)', () => {
    const CORRUPT: [string, number[]][] = [
      ['a reserved block type', [0xff]],
      ['a stored block whose lengths differ', [0x00, 0x05, 0x00, 0x00, 0x00]],
      ['a distance before the beginning', [0x02, 0x01, 0x00]],
      ['a message that breaks off in a fixed block', [0xf2, 0x48, 0xcd]],
      ['a message that breaks off in a stored block', [0x00, 0x08, 0x00, 0xf7, 0xff, 0x48]],
      [
        'a message with its tail left on it, cut short',
        [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00],
      ],
      ['nothing after a final block', [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]],
      ['rubbish after a final block', [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xff, 0xff]],
    ]

    test.each(CORRUPT)('%s is an error value', async (_name, octets) => {
      for (const agreed of [TAKEOVER, NO_TAKEOVER]) {
        const { client, close } = pair(usesHandles, agreed)
        for (const result of [
          client.inflate(Buffer.from(octets), MAX),
          await inflateLater(client, Buffer.from(octets), MAX),
        ]) {
          expect(result).toBeInstanceOf(ProtocolError)
          expect(result).toMatchObject({ code: 'HAWSER_INVALID_DEFLATE', closeCode: 1007 })
        }
        // The handle is of use again, or there is another.
        const hello = Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])
        expect(bytes(client.inflate(hello, MAX)).toString()).toBe('Hello')
        expect(bytes(await inflateLater(client, hello, MAX)).toString()).toBe('Hello')
        close()
      }
    })

    test.each(CORRUPT)('%s from one peer does the others no harm', (_name, octets) => {
      const codecs = factory('server', usesHandles)
      const [bad, good] = [codecs.createCodec(NO_TAKEOVER), codecs.createCodec(NO_TAKEOVER)]
      const { client, close } = pair(usesHandles, NO_TAKEOVER)
      const message = json(2000)
      for (let i = 0; i < 3; i++) {
        expect(bad.inflate(Buffer.from(octets), MAX)).toBeInstanceOf(ProtocolError)
        expectBytes(good.inflate(bytes(client.deflate(message)), MAX), message)
        expectBytes(client.inflate(bytes(good.deflate(message)), MAX), message)
      }
      for (const codec of [bad, good]) codec.close()
      close()
    })
  })

  describe('final blocks (RFC 7692 sections 7.2.1 and 7.2.3.4)', () => {
    const FINAL = Buffer.from([0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])
    const HELLO = Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])

    test('what follows one in the same message is another stream', async () => {
      for (const agreed of [TAKEOVER, NO_TAKEOVER]) {
        const { client, close } = pair(usesHandles, agreed)
        const payload = Buffer.concat([FINAL, FINAL, HELLO])
        expect(bytes(client.inflate(payload, MAX)).toString()).toBe('HelloHelloHello')
        expect(bytes(await inflateLater(client, payload, MAX)).toString()).toBe('HelloHelloHello')
        expect(client.inflate(payload, 14)).toBeInstanceOf(LimitError)
        expect(await inflateLater(client, payload, 14)).toBeInstanceOf(LimitError)
        close()
      }
    })

    test('the context starts anew behind one', () => {
      const { client, close } = pair(usesHandles, TAKEOVER)
      expect(bytes(client.inflate(Buffer.concat([FINAL, Buffer.of(0)]), MAX)).toString()).toBe('Hello')
      // RFC 7692 section 7.2.3.2, second message: refers to the "Hello" before it.
      expect(client.inflate(Buffer.from([0xf2, 0x00, 0x11, 0x00, 0x00]), MAX)).toBeInstanceOf(ProtocolError)
      expect(bytes(client.inflate(Buffer.concat([FINAL, HELLO]), MAX)).toString()).toBe('HelloHello')
      expect(bytes(client.inflate(Buffer.from([0xf2, 0x00, 0x11, 0x00, 0x00]), MAX)).toString()).toBe('Hello')
      close()
    })

    test('1024 in a message are enough for any sender', async () => {
      const { client, close } = pair(usesHandles, NO_TAKEOVER)
      const kept = pair(usesHandles, TAKEOVER)
      const emptyFinal = Buffer.from([0x03, 0x00])
      const most = Buffer.concat([...Array.from({ length: 1024 }, () => emptyFinal), HELLO])
      for (const codec of [client, kept.client]) {
        expect(bytes(codec.inflate(most, MAX)).toString()).toBe('Hello')
        expect(bytes(await inflateLater(codec, most, MAX)).toString()).toBe('Hello')
        const tooMany = Buffer.concat([emptyFinal, most])
        for (const result of [codec.inflate(tooMany, MAX), await inflateLater(codec, tooMany, MAX)]) {
          expect(result).toMatchObject({ code: 'HAWSER_INVALID_DEFLATE' })
          expect(String(result)).toMatch(/more than 1024 final blocks$/)
        }
      }
      kept.close()
      close()
    })
  })

  describe('on the thread pool', () => {
    test('messages longer than asyncThresholdBytes go there, and the listener gets what comes of them', async () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER, { asyncThresholdBytes: 1000 })
      const [short, long] = [json(1000), json(1001)]
      const never = { encoded: jest.fn(), decoded: jest.fn() }
      expectBytes(client.decode(bytes(encodeNow(server, short, never)), never, MAX) as Uint8Array, short)
      for (const [message, isLasting] of [
        [long, undefined],
        [long, false],
        [long, true],
        [long.toString(), false],
      ] as const) {
        const { payload, message: kept } = await encodeLater(server, message, isLasting)
        expectBytes(kept, long)
        expect(kept === message).toBe(isLasting === true)
        expectBytes(client.inflate(bytes(payload), MAX), long)
      }
      const compressed = Buffer.concat([bytes(server.deflate(noisy)), Buffer.alloc(0)])
      expect(compressed.length).toBeGreaterThan(1000)
      const inflated = jest.spyOn(client, 'inflateAsync')
      for (const isLasting of [undefined, false, true]) {
        const given = Buffer.from(compressed)
        const later = new Promise<DecodeResult>((decoded) => {
          expect(client.decode(given, { decoded }, MAX, isLasting)).toBe('later')
        })
        if (isLasting !== true) given.fill(0xff)
        expectBytes(await later, noisy)
        // The pool may have read it before it was filled.
        expect(inflated.mock.lastCall?.[0] === given).toBe(isLasting === true)
      }
      expect([never.encoded.mock.calls.length, never.decoded.mock.calls.length]).toEqual([0, 0])
      close()
    })

    test('bytes that the caller changes after the call are copied before', async () => {
      const { server, client, close } = pair(usesHandles, NO_TAKEOVER, { asyncThresholdBytes: 1000 })
      const message = json(5000)
      const given = Buffer.from(message)
      const later = encodeLater(server, given, false)
      given.fill(0)
      expectBytes(client.inflate(bytes((await later).payload), MAX), message)
      close()
    })

    test.each([
      ['with context takeover', TAKEOVER],
      ['without', NO_TAKEOVER],
    ])('and at once, in any mixture, %s', async (_name, agreed) => {
      const { server, client, close } = pair(usesHandles, agreed)
      for (let i = 0; i < 24; i++) {
        const message =
          i % 5 === 4 ? noise(2000, i) : json(500 + ((i * 7919) % 3000) * (i % 3 === 0 ? 100 : 1), i)
        const payload = i & 1 ? server.deflate(message) : await deflateLater(server, message)
        if (payload === null) continue
        const copy = Buffer.from(payload)
        const result = i & 2 ? client.inflate(copy, MAX) : await inflateLater(client, copy, MAX)
        expectBytes(result, message)
      }
      close()
    })

    test('results are the receiver’s', async () => {
      const { server, client, close } = pair(usesHandles, NO_TAKEOVER)
      const messages = [json(5000, 1), json(5000, 2)] as const
      const first = await deflateLater(server, messages[0])
      const second = await deflateLater(server, messages[1])
      const inflated = await inflateLater(client, first!, MAX)
      expectBytes(client.inflate(bytes(second), MAX), messages[1])
      expectBytes(inflated, messages[0])
      close()
    })

    test('done may start the next job, or close the codec', async () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER)
      const message = json(100_000)
      await new Promise<void>((resolve) => {
        server.deflateAsync(message, (first) => {
          const payload = bytes(first)
          server.deflateAsync(message, (second) => {
            client.inflateAsync(payload, MAX, (result) => {
              expectBytes(result, message)
              client.inflateAsync(bytes(second), MAX, (again) => {
                expectBytes(again, message)
                close()
                resolve()
              })
            })
          })
        })
      })
    })

    test('both directions at once', async () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER)
      const message = json(200_000)
      const payload = bytes(client.deflate(message))
      const [deflated, inflated] = await Promise.all([
        deflateLater(server, message),
        inflateLater(server, payload, MAX),
      ])
      expectBytes(inflated, message)
      expectBytes(client.inflate(bytes(deflated), MAX), message)
      close()
    })

    test('more jobs than run at once all come to their end', async () => {
      const codecs = Array.from({ length: 30 }, () => pair(usesHandles, TAKEOVER))
      const message = json(100_000)
      const payloads = await Promise.all(codecs.map(({ server }) => deflateLater(server, message)))
      const results = await Promise.all(
        codecs.map(({ client }, i) => inflateLater(client, payloads[i]!, MAX)),
      )
      for (const result of results) expectBytes(result, message)
      for (const { close } of codecs) close()
    })

    test('closing while jobs run or wait: done is never called', async () => {
      const done = jest.fn()
      for (const agreed of [TAKEOVER, NO_TAKEOVER]) {
        const codecs = Array.from({ length: 30 }, () => pair(usesHandles, agreed))
        const message = json(300_000)
        const payload = bytes(codecs[0]!.server.deflate(message))
        for (const { server, client } of codecs) {
          server.deflateAsync(message, done)
          client.inflateAsync(payload, MAX, done)
        }
        codecs.forEach(({ close }, i) => (i % 2 ? close() : setImmediate(close)))
      }
      await nextTurn()
      await nextTurn()
      expect(done).not.toHaveBeenCalled()
      // The queue goes on for others.
      const { server, close } = pair(usesHandles, TAKEOVER)
      await expect(deflateLater(server, json(100_000))).resolves.toBeInstanceOf(Uint8Array)
      close()
    })

    test('closing while a corrupt message, or a bomb, is under way', async () => {
      const done = jest.fn()
      const { server, close } = pair(usesHandles, NO_TAKEOVER)
      const bomb = bytes(server.deflate(Buffer.alloc(5_000_000)))
      for (const agreed of [TAKEOVER, NO_TAKEOVER]) {
        for (const payload of [noise(100_000), bomb]) {
          const other = pair(usesHandles, agreed)
          other.client.inflateAsync(payload, 1000, done)
          other.close()
        }
      }
      await nextTurn()
      expect(done).not.toHaveBeenCalled()
      close()
    })
  })

  describe('what encode leaves as it is', () => {
    test('shorter than thresholdBytes, where no context may be kept', () => {
      const codec = createCodecFactory(resolveDeflateOptions({}, 'server')!, usesHandles).createCodec(
        NO_TAKEOVER,
      )
      for (let i = 0; i < 3; i++) {
        expect([isEncoded(codec, 1023), isEncoded(codec, 1024)]).toEqual([false, true])
      }
      codec.close()
    })

    test('shorter than a threshold that is given, whether a context is kept or not', () => {
      const codecs = createCodecFactory(resolveDeflateOptions({ thresholdBytes: 10 }, 'server')!, usesHandles)
      const codec = codecs.createCodec(TAKEOVER)
      for (let i = 0; i < 3; i++) expect([isEncoded(codec, 9), isEncoded(codec, 10)]).toEqual([false, true])
      codec.close()
    })

    test('what does not shrink', () => {
      const { server, close } = pair(usesHandles, TAKEOVER)
      expect(encodeNow(server, noise(500), { encoded: jest.fn() })).toBeNull()
      close()
    })
  })

  describe('what the caller does wrong', () => {
    test('throws at once', async () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER)
      for (const wrong of [
        'text',
        null,
        undefined,
        5,
        [1, 2],
        new ArrayBuffer(4),
        new DataView(new ArrayBuffer(4)),
      ]) {
        expect(() => server.deflate(wrong as never)).toThrow(TypeError)
        expect(() => server.deflateAsync(wrong as never, () => {})).toThrow(TypeError)
        expect(() => server.inflate(wrong as never, 1)).toThrow(/^message must be a Uint8Array, not /)
        expect(() => server.inflateAsync(wrong as never, 1, () => {})).toThrow(TypeError)
      }
      for (const wrong of [-1, 1.5, NaN]) {
        expect(() => client.inflate(Buffer.of(0), wrong)).toThrow(RangeError)
        expect(() => client.inflateAsync(Buffer.of(0), wrong, () => {})).toThrow(RangeError)
      }
      expect(() => client.inflate(Buffer.of(0), '1' as never)).toThrow(TypeError)
      close()
    })

    test('a call while a job of the same direction runs', async () => {
      const { server, client, close } = pair(usesHandles, TAKEOVER)
      const message = json(100_000)
      const payload = bytes(client.deflate(message))
      const jobs = Promise.all([deflateLater(server, message), inflateLater(server, payload, MAX)])
      expect(() => server.deflate(message)).toThrow(InvalidStateError)
      expect(() => server.deflateAsync(message, () => {})).toThrow('deflateAsync has not called done yet')
      expect(() => server.inflate(payload, MAX)).toThrow(InvalidStateError)
      expect(() => server.inflateAsync(payload, MAX, () => {})).toThrow(
        'inflateAsync has not called done yet',
      )
      expectBytes((await jobs)[1], message)
      close()
    })

    test('a call on a codec that is closed', () => {
      const { server, close } = pair(usesHandles, TAKEOVER)
      close()
      close()
      expect(() => server.deflate(Buffer.of(1))).toThrow(InvalidStateError)
      expect(() => server.deflateAsync(Buffer.of(1), () => {})).toThrow(InvalidStateError)
      expect(() => server.inflate(Buffer.of(1), MAX)).toThrow('the codec is closed')
      expect(() => server.inflateAsync(Buffer.of(1), MAX, () => {})).toThrow(InvalidStateError)
      expect(() => server.dropContext()).not.toThrow()
    })
  })
})

describe('contexts lent (RFC 7692 section 7.1.1: a sender may drop its context)', () => {
  /** What one context of window 15 and memLevel 8 is reckoned at. */
  const CONTEXT_BYTES = 282_624
  const message = json(400)

  /** The length of a message as compressed: a few bytes where the context knows it. */
  const size = (codec: DeflateCodec): number => bytes(codec.deflate(message)).length

  test('a connection is lent one from its second message on', () => {
    const codecs = factory('server', true)
    const codec = codecs.createCodec(TAKEOVER)
    expect(codecs.sharedContextBytes).toBe(0)
    const alone = size(codec)
    expect(codecs.sharedContextBytes).toBe(0)
    expect(size(codec)).toBe(alone)
    expect(codecs.sharedContextBytes).toBe(CONTEXT_BYTES)
    expect(size(codec)).toBeLessThan(20)
    codec.close()
    expect(codecs.sharedContextBytes).toBe(0)
  })

  test('and short messages are encoded from then on', () => {
    const codecs = createCodecFactory(resolveDeflateOptions({}, 'server')!, true)
    const codec = codecs.createCodec(TAKEOVER)
    expect(isEncoded(codec, 64)).toBe(false)
    expect([isEncoded(codec, 63), isEncoded(codec, 64)]).toEqual([false, true])
    expect(codecs.sharedContextBytes).toBe(CONTEXT_BYTES)
    codec.close()
    expect(() => isEncoded(codec, 64)).toThrow(InvalidStateError)
  })

  test('no context is lent where the connection agreed to none', () => {
    const codecs = factory('server', true)
    const codec = codecs.createCodec(NO_TAKEOVER)
    const alone = size(codec)
    for (let i = 0; i < 5; i++) expect(size(codec)).toBe(alone)
    expect(codecs.sharedContextBytes).toBe(0)
    codec.close()
  })

  test('nor by the documented calls, where it costs more than it saves', () => {
    const codecs = factory('server', false)
    const codec = codecs.createCodec(TAKEOVER)
    const alone = size(codec)
    for (let i = 0; i < 5; i++) expect(size(codec)).toBe(alone)
    expect(codecs.sharedContextBytes).toBe(0)
    codec.close()
  })

  test('the bound holds, and who has none compresses each message by itself', () => {
    const codecs = factory('server', true, { maxSharedContextBytes: 2 * CONTEXT_BYTES })
    const peers = factory('client', true)
    const connections = Array.from(
      { length: 5 },
      () => [codecs.createCodec(TAKEOVER), peers.createCodec(TAKEOVER)] as const,
    )
    for (let round = 0; round < 6; round++) {
      for (const [codec, peer] of connections) {
        expectBytes(peer.inflate(bytes(codec.deflate(message)), MAX), message)
        expect(codecs.sharedContextBytes).toBeLessThanOrEqual(2 * CONTEXT_BYTES)
      }
    }
    // All equally busy: a connection that has one keeps it.
    expect(connections.map(([codec]) => size(codec) < 20)).toEqual([true, true, false, false, false])
    for (const [codec, peer] of connections) {
      codec.close()
      peer.close()
    }
    expect(codecs.sharedContextBytes).toBe(0)
  })

  test('one that becomes busier takes the context of the least recently used', () => {
    const codecs = factory('server', true, { maxSharedContextBytes: CONTEXT_BYTES })
    const peers = factory('client', true)
    const [first, second] = [codecs.createCodec(TAKEOVER), codecs.createCodec(TAKEOVER)]
    const [firstPeer, secondPeer] = [peers.createCodec(TAKEOVER), peers.createCodec(TAKEOVER)]
    const exchange = (codec: DeflateCodec, peer: DeflateCodec): number => {
      const payload = bytes(codec.deflate(message))
      expectBytes(peer.inflate(payload, MAX), message)
      return payload.length
    }
    for (let i = 0; i < 3; i++) exchange(first, firstPeer)
    expect(exchange(first, firstPeer)).toBeLessThan(20)
    for (let i = 0; i < 3; i++) exchange(second, secondPeer)
    expect(exchange(second, secondPeer)).toBeLessThan(20)
    expect(exchange(first, firstPeer)).toBeGreaterThan(20)
    for (const codec of [first, second, firstPeer, secondPeer]) codec.close()
  })

  test('a message on the thread pool leaves the context behind the peer’s, and so it is dropped', async () => {
    const { server, client, close } = pair(true, TAKEOVER)
    for (let i = 0; i < 3; i++) expectBytes(client.inflate(bytes(server.deflate(message)), MAX), message)
    const large = json(100_000)
    expectBytes(client.inflate(bytes(await deflateLater(server, large)), MAX), large)
    expect(size(server)).toBeGreaterThan(20)
    close()
  })

  test('one that did not shrink there was never sent, and the context stays', async () => {
    const { server, close } = pair(true, TAKEOVER)
    for (let i = 0; i < 3; i++) size(server)
    await expect(deflateLater(server, noise(100_000))).resolves.toBeNull()
    expect(size(server)).toBeLessThan(20)
    close()
  })

  test('the context can be dropped, when something else was sent', () => {
    const { server, client, close } = pair(true, TAKEOVER)
    for (let i = 0; i < 3; i++) bytes(client.inflate(bytes(server.deflate(message)), MAX))
    // A message made for many: longer than what a window holds, so that no old reference could be right.
    const alone = factory('server', true).createCodec(NO_TAKEOVER)
    const forMany = json(60_000, 9)
    bytes(client.inflate(bytes(alone.deflate(forMany)), MAX))
    server.dropContext()
    expectBytes(client.inflate(bytes(server.deflate(message)), MAX), message)
    alone.close()
    close()
  })
})

describe('the way zlib is used', () => {
  test('is chosen without being told: native handles where they may be used', () => {
    const codecs = createCodecFactory(resolveDeflateOptions({ thresholdBytes: 0 }, 'client')!)
    const codec = codecs.createCodec(TAKEOVER)
    const message = json(2000)
    for (let i = 0; i < 2; i++) expectBytes(codec.inflate(bytes(codec.deflate(message)), MAX), message)
    // By documented calls alone no context is lent.
    expect(codecs.sharedContextBytes > 0).toBe(canUseZlibHandles())
    codec.close()
  })
})
