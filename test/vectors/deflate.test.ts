/** The examples of RFC 7692, literally: sections 7.1.3 and 7.2.3. */
import {
  acceptOffer,
  createOffer,
  resolveDeflateOptions,
  verifyResponse,
} from '../../src/deflate/negotiation.js'
import { parseExtensionHeader } from '../../src/handshake/extension-header.js'
import {
  bytes,
  deflateLater,
  WAYS,
  factory,
  inflateLater,
  NO_TAKEOVER,
  TAKEOVER,
} from '../unit/deflate/codec-pair.js'
import { inflatePlainly } from '../unit/deflate/max-distance.js'

const octets = (hex: string): Buffer => Buffer.from(hex.replaceAll(/0x| /g, ''), 'hex')

const VECTORS: readonly (readonly [section: string, payload: string])[] = [
  ['7.2.3.1: one compressed DEFLATE block', '0xf2 0x48 0xcd 0xc9 0xc9 0x07 0x00'],
  ['7.2.3.3: a DEFLATE block with no compression', '0x00 0x05 0x00 0xfa 0xff 0x48 0x65 0x6c 0x6c 0x6f 0x00'],
  ['7.2.3.4: a DEFLATE block with BFINAL set to 1', '0xf3 0x48 0xcd 0xc9 0xc9 0x07 0x00 0x00'],
  [
    '7.2.3.5: two DEFLATE blocks in one message',
    '0xf2 0x48 0x05 0x00 0x00 0x00 0xff 0xff 0xca 0xc9 0xc9 0x07 0x00',
  ],
]

describe.each(WAYS)('RFC 7692 section 7.2.3, by %s', (_, usesHandles) => {
  const client = factory('client', usesHandles)

  describe.each([
    ['with context takeover', TAKEOVER],
    ['without', NO_TAKEOVER],
  ])('%s', (_name, agreed) => {
    test.each(VECTORS)('%s', async (_section, payload) => {
      const codec = client.createCodec(agreed)
      for (let i = 0; i < 3; i++) {
        expect(bytes(codec.inflate(octets(payload), 5)).toString()).toBe('Hello')
        expect(bytes(await inflateLater(codec, octets(payload), 5)).toString()).toBe('Hello')
      }
      codec.close()
    })

    test('7.2.3.6: an empty message', async () => {
      const codec = client.createCodec(agreed)
      expect(bytes(codec.inflate(octets('0x00'), 0))).toHaveLength(0)
      expect(bytes(await inflateLater(codec, octets('0x00'), 0))).toHaveLength(0)
      expect(bytes(codec.deflate(Buffer.alloc(0)))).toEqual(octets('0x00'))
      expect(await deflateLater(codec, Buffer.alloc(0))).toEqual(octets('0x00'))
      codec.close()
    })
  })

  test('7.2.3.2: sharing the LZ77 sliding window', async () => {
    const codec = client.createCodec(TAKEOVER)
    expect(bytes(codec.inflate(octets('0xf2 0x48 0xcd 0xc9 0xc9 0x07 0x00'), 5)).toString()).toBe('Hello')
    expect(bytes(codec.inflate(octets('0xf2 0x00 0x11 0x00 0x00'), 5)).toString()).toBe('Hello')
    expect(bytes(await inflateLater(codec, octets('0xf2 0x00 0x11 0x00 0x00'), 5)).toString()).toBe('Hello')
    codec.close()

    const alone = client.createCodec(NO_TAKEOVER)
    expect(bytes(alone.inflate(octets('0xf2 0x48 0xcd 0xc9 0xc9 0x07 0x00'), 5)).toString()).toBe('Hello')
    expect(alone.inflate(octets('0xf2 0x00 0x11 0x00 0x00'), 5)).toMatchObject({
      code: 'HAWSER_INVALID_DEFLATE',
    })
    alone.close()
  })

  test('the same blocks, by an inflater that is not zlib', () => {
    for (const [, payload] of VECTORS) {
      const { output } = inflatePlainly(Buffer.concat([octets(payload), octets('0x00 0x00 0xff 0xff')]))
      expect(output.toString()).toBe('Hello')
    }
  })
})

describe('RFC 7692 section 7.1.3: examples of negotiation', () => {
  const server = resolveDeflateOptions({ clientNoContextTakeover: false }, 'server')!
  const respond = (offer: string): string | undefined =>
    acceptOffer(parseExtensionHeader(offer)!, server)?.response

  test('the simplest offer, and its acceptance', () => {
    expect(respond('permessage-deflate')).toBe('permessage-deflate')
    expect(
      verifyResponse(parseExtensionHeader('permessage-deflate')!, resolveDeflateOptions({}, 'client')!),
    ).toMatchObject({ agreed: { serverMaxWindowBits: 15 } })
  })

  test('a window of 1,024 bytes asked of the server', () => {
    expect(respond('permessage-deflate; client_max_window_bits; server_max_window_bits=10')).toBe(
      'permessage-deflate; server_max_window_bits=10',
    )
  })

  test('the same with a fallback', () => {
    expect(
      respond(
        'permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits',
      ),
    ).toBe('permessage-deflate; server_max_window_bits=10')
  })

  test('an offer of our own in these words', () => {
    expect(createOffer(resolveDeflateOptions({ serverMaxWindowBits: 10 }, 'client')!)).toBe(
      'permessage-deflate; server_max_window_bits=10; client_max_window_bits, permessage-deflate; client_max_window_bits',
    )
  })
})
