/** permessage-deflate as one of the extensions of a server or a client (RFC 7692 sections 5 and 7). */
import { perMessageDeflate } from '../../../src/deflate/extension.js'
import { HandshakeError } from '../../../src/errors.js'
import type { Agreement, Extension } from '../../../src/extension/extension.js'
import type { MessageCodec } from '../../../src/extension/message-codec.js'
import { parseExtensionHeader, type ExtensionOffer } from '../../../src/handshake/extension-header.js'

const only = (list: readonly Extension[]): Extension => {
  expect(list).toHaveLength(1)
  return list[0] as Extension
}
const offersOf = (header: string): readonly ExtensionOffer[] => parseExtensionHeader(header) ?? []
const server = (options?: Parameters<typeof perMessageDeflate>[0]): Extension =>
  only(perMessageDeflate(options, 'server'))
const client = (options?: Parameters<typeof perMessageDeflate>[0]): Extension =>
  only(perMessageDeflate(options, 'client'))

describe('the option perMessageDeflate', () => {
  test('is one extension, and none where it is false', () => {
    expect(perMessageDeflate(false, 'server')).toEqual([])
    for (const value of [undefined, true, {}] as const) {
      expect(only(perMessageDeflate(value, 'client'))).toMatchObject({
        name: 'permessage-deflate',
        reservedBits: 0x40,
      })
    }
    expect(() => perMessageDeflate({ level: 10 }, 'server')).toThrow(/^perMessageDeflate\.level must be/)
  })
})

describe('both ends', () => {
  test('agree by offer, answer and check, and read what the other one wrote', () => {
    const offer = client().offer()
    expect(offer).toBe('permessage-deflate; client_max_window_bits')
    const accepted = server({ serverMaxWindowBits: 10 }).accept(offersOf(offer)) as Agreement
    expect(accepted.response).toBe('permessage-deflate; server_max_window_bits=10')
    const verified = client().verify(offersOf(accepted.response)[0] as ExtensionOffer) as Agreement
    expect(verified.response).toBe(accepted.response)

    const codecs = [accepted.createCodec(), verified.createCodec()] as const
    const listener = { encoded: jest.fn(), decoded: jest.fn() }
    const message = Buffer.from('Hello, '.repeat(1000))
    const talk = (from: MessageCodec, to: MessageCodec): void => {
      const payload = from.encode(message, listener) as Uint8Array
      expect(payload.length).toBeLessThan(message.length / 10)
      expect(to.decode(Buffer.from(payload), listener, message.length)).toEqual(message)
    }
    for (let i = 0; i < 3; i++) {
      talk(...codecs)
      talk(codecs[1], codecs[0])
    }
    for (const codec of codecs) {
      expect([codec.reservedBits, codec.encodedBits]).toEqual([0x40, 0x40])
      codec.close()
    }
  })

  test('go without where no offer can be kept, and fail for an answer that breaks the offer', () => {
    expect(server().accept(offersOf('permessage-deflate; unknown'))).toBeNull()
    const [broken] = offersOf('permessage-deflate; client_max_window_bits')
    const error = client().verify(broken as ExtensionOffer)
    expect(error).toBeInstanceOf(HandshakeError)
    expect(error).toMatchObject({ code: 'HAWSER_UNEXPECTED_EXTENSION' })
  })

  test('go without where the server has no room for contexts, unless the client needs none', () => {
    const full = server({ maxInflateHistoryBytes: 0 })
    expect(full.accept(offersOf('permessage-deflate'))).toBeNull()
    expect(full.accept(offersOf('permessage-deflate; client_no_context_takeover'))).toMatchObject({
      response: 'permessage-deflate; client_no_context_takeover',
    })
  })
})
