/** Messages that break off (RFC 7692 section 7.2.2): each way of decompressing refuses them, and takes what is whole. */
import { constants, deflateRawSync } from 'node:zlib'
import type { DecodeResult } from '../../../src/extension/message-codec.js'
import { bytes, factory, inflateLater, json, noise, NO_TAKEOVER, TAKEOVER, WAYS } from './codec-pair.js'

const MAX = 100_000
const HELLO = Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])
/** RFC 7692 section 7.2.3.4, without the block after it. */
const FINAL_HELLO = Buffer.from([0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])

/** RFC 1951 section 3.2.4: a stored block with these lengths, and as much of its data as is given. */
function stored(header: 0 | 1, length: number, data: Uint8Array): Buffer {
  const head = Buffer.of(header, 0, 0, 0, 0)
  head.writeUInt16LE(length, 1)
  head.writeUInt16LE(length ^ 0xffff, 3)
  return Buffer.concat([head, data])
}

/** The first bits of a payload, padded with zeros to a byte (RFC 1951 section 3.1.1: the lowest bit comes first). */
function firstBits(payload: Uint8Array, count: number): Buffer {
  const cut = Buffer.from(payload.subarray(0, Math.ceil(count / 8)))
  if (count % 8 !== 0) cut[cut.length - 1]! &= (1 << (count % 8)) - 1
  return cut
}

/** Few symbols, and none of them rare: worth a table of its own. */
const DIGITS = Buffer.from(
  noise(150)
    .join('')
    .replace(/[^0-7]/g, ''),
)

interface Payload {
  readonly block: string
  /** RFC 1951 section 3.2.3. */
  readonly type: number
  /** Where to cut. Inside a byte zeros fill it up, which in a dynamic block may be the code of its end. */
  readonly every: 'bit' | 'byte'
  /** One block, and the header bits of the tail's. */
  readonly payload: Buffer
}

const PAYLOADS: readonly Payload[] = [
  { block: 'stored', type: 0, every: 'bit', payload: Buffer.concat([stored(0, 40, json(40)), Buffer.of(0)]) },
  { block: 'fixed Huffman', type: 1, every: 'bit', payload: HELLO },
  {
    block: 'dynamic Huffman',
    type: 2,
    every: 'byte',
    payload: deflateRawSync(DIGITS, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4),
  },
]

/** At once, and on the thread pool. */
const REFUSED = [{ code: 'HAWSER_INVALID_DEFLATE' }, { code: 'HAWSER_INVALID_DEFLATE' }]

describe.each(WAYS)('a message that breaks off, with %s', (_, usesHandles) => {
  describe.each([
    ['context kept', TAKEOVER],
    ['each message by itself', NO_TAKEOVER],
  ])('%s', (_name, agreed) => {
    const codecs = factory('server', usesHandles)
    const codec = codecs.createCodec(agreed)
    // From its second message on a connection may be lent a decompressor.
    for (let i = 0; i < 2; i++) bytes(codec.inflate(HELLO, MAX))
    const pooled = codecs.createCodec(agreed)

    afterAll(() => {
      codec.close()
      pooled.close()
    })

    /** At once, and on the thread pool. A copy: what the call at once gives is valid only until the next. */
    async function inflateBothWays(payload: Uint8Array): Promise<(Buffer | { readonly code: string })[]> {
      const copy = (result: DecodeResult): Buffer | { readonly code: string } =>
        result instanceof Error ? { code: result.code } : Buffer.from(result)
      return [copy(codec.inflate(payload, MAX)), copy(await inflateLater(pooled, payload, MAX))]
    }

    test.each(PAYLOADS)(
      'is refused after each $every of a $block block',
      async ({ type, every, payload }) => {
        expect((payload[0]! >> 1) & 0b11).toBe(type)
        for (let count = 0; count < payload.length * 8; count += every === 'bit' ? 1 : 8) {
          const cut = firstBits(payload, count)
          // Zeros alone are the header of a stored block: an empty message.
          if (cut.equals(payload) || cut.equals(Buffer.of(0))) continue
          expect([count, await inflateBothWays(cut)]).toEqual([count, REFUSED])
        }
        const [atOnce, later] = await inflateBothWays(payload)
        expect(atOnce).toBeInstanceOf(Buffer)
        expect(later).toEqual(atOnce)
      },
    )

    test.each([
      ['a stored block', 0],
      ['a final stored block', 1],
    ] as const)('is refused however many bytes %s lacks', async (_block, header) => {
      for (let missing = 1; missing <= 40; missing++) {
        const result = await inflateBothWays(stored(header, 60, json(60 - missing)))
        expect([missing, result]).toEqual([missing, REFUSED])
      }
    })

    test.each([
      ['the tail', [0x00, 0x00, 0xff, 0xff]],
      ['the tail and a final block', [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff]],
      ['the lengths of a stored block of eight bytes', [0x08, 0x00, 0xf7, 0xff]],
    ])('is told from a whole message whose text ends as %s', async (_end, octets) => {
      const text = Buffer.from([0x61, ...octets])
      const [atOnce, later] = await inflateBothWays(
        Buffer.concat([stored(0, text.length, text), Buffer.of(0)]),
      )
      expect(atOnce).toEqual(text)
      expect(later).toEqual(text)
      const cut = stored(0, text.length + 8, text)
      expect(await inflateBothWays(cut)).toEqual(REFUSED)
    })

    test('is refused where a final block ended it, and no stored block begins after that', async () => {
      expect(await inflateBothWays(FINAL_HELLO)).toEqual(REFUSED)
      for (let byte = 0; byte < 256; byte++) {
        const result = await inflateBothWays(Buffer.concat([FINAL_HELLO, Buffer.of(byte)]))
        // After BFINAL, two bits of zeros; the rest of the byte is padding.
        const isStored = (byte & 0b110) === 0
        const expected = isStored ? [Buffer.from('Hello'), Buffer.from('Hello')] : REFUSED
        expect([byte, result]).toEqual([byte, expected])
      }
    })

    test('is whole where the block of the tail is a final one, and nothing is known after it', async () => {
      for (const header of [0x00, 0x01]) {
        const payload = Buffer.concat([stored(0, 5, Buffer.from('Hello')), Buffer.of(header)])
        expect(await inflateBothWays(payload)).toEqual([Buffer.from('Hello'), Buffer.from('Hello')])
        // RFC 7692 section 7.2.3.2: "Hello" by the context of the one before.
        const again = await inflateBothWays(Buffer.from([0xf2, 0x00, 0x11, 0x00, 0x00]))
        const isKnown = agreed === TAKEOVER && header === 0x00
        expect(again).toEqual(isKnown ? [Buffer.from('Hello'), Buffer.from('Hello')] : REFUSED)
      }
    })
  })
})
