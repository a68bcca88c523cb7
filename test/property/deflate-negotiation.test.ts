/** The negotiation of permessage-deflate: nothing a peer writes throws, and both ends agree on the same. */
import fc from 'fast-check'
import {
  acceptOffer,
  createOffer,
  resolveDeflateOptions,
  verifyResponse,
} from '../../src/deflate/negotiation.js'
import type { PerMessageDeflateOptions } from '../../src/deflate/negotiation.js'
import { HandshakeError } from '../../src/errors.js'
import { parseExtensionHeader } from '../../src/handshake/extension-header.js'

const name = fc.oneof(
  fc.constantFrom(
    'server_no_context_takeover',
    'client_no_context_takeover',
    'server_max_window_bits',
    'client_max_window_bits',
    '__proto__',
    'constructor',
    'hasOwnProperty',
  ),
  fc.string(),
)
const value = fc.oneof(
  fc.constant<true>(true),
  fc.integer({ min: -1, max: 17 }).map(String),
  fc.constantFrom('', '08', '+9', '1e1', '0x8', ' 8', '8 ', 'true', '__proto__'),
  fc.string(),
)
const extension = fc.record({
  name: fc.oneof({ weight: 9, arbitrary: fc.constant('permessage-deflate') }, fc.string()),
  parameters: fc.array(fc.tuple(name, value), { maxLength: 5 }),
})

const bits = fc.constantFrom<8 | 9 | 10 | 11 | 12 | 13 | 14 | 15>(8, 9, 10, 11, 12, 13, 14, 15)
const options: fc.Arbitrary<PerMessageDeflateOptions> = fc.record(
  {
    serverNoContextTakeover: fc.boolean(),
    clientNoContextTakeover: fc.boolean(),
    serverMaxWindowBits: bits,
    clientMaxWindowBits: fc.oneof(bits, fc.constant<false>(false)),
    strictNegotiation: fc.boolean(),
  },
  { requiredKeys: [] },
)

const server = (given: PerMessageDeflateOptions) => resolveDeflateOptions(given, 'server')!
const client = (given: PerMessageDeflateOptions) => resolveDeflateOptions(given, 'client')!

describe('negotiation (RFC 7692 section 7.1)', () => {
  test('no offer throws, and an answer fits the offer that it accepts', () => {
    fc.assert(
      fc.property(fc.array(extension, { maxLength: 4 }), options, fc.boolean(), (offers, given, hasRoom) => {
        const accepted = acceptOffer(offers, server(given), hasRoom)
        if (accepted === null) return
        expect(hasRoom || accepted.agreed.clientNoContextTakeover).toBe(true)
        const answer = parseExtensionHeader(accepted.response)!
        expect(answer).toHaveLength(1)
        const parameters = new Map(answer[0]!.parameters)
        // One of the offers has no more parameters than the four, each once, and is not broken by the answer.
        expect(
          offers.some((offer) => {
            const asked = new Map(offer.parameters)
            const within = (key: string): boolean => {
              const limit = asked.get(key)
              const got = parameters.get(key)
              return typeof limit !== 'string' || got === undefined || Number(got) <= Number(limit)
            }
            return (
              offer.name === 'permessage-deflate' &&
              asked.size === offer.parameters.length &&
              (!asked.has('server_no_context_takeover') || parameters.has('server_no_context_takeover')) &&
              (!asked.has('server_max_window_bits') || parameters.has('server_max_window_bits')) &&
              (!parameters.has('client_max_window_bits') || asked.has('client_max_window_bits')) &&
              // The answer demands only what was offered.
              (!parameters.has('client_no_context_takeover') ||
                asked.has('client_no_context_takeover') ||
                given.clientNoContextTakeover === true) &&
              within('server_max_window_bits') &&
              within('client_max_window_bits')
            )
          }),
        ).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test('no answer throws', () => {
    fc.assert(
      fc.property(fc.array(extension, { maxLength: 3 }), options, (answer, given) => {
        const result = verifyResponse(answer, client(given))
        if (result instanceof HandshakeError) expect(result.code).toBe('HAWSER_UNEXPECTED_EXTENSION')
        else expect(result.agreed === null).toBe(answer.length === 0)
      }),
      { numRuns: 2000 },
    )
  })

  test('client and server agree on the same parameters or on none, with or without room for contexts', () => {
    fc.assert(
      fc.property(options, options, fc.boolean(), (ofClient, ofServer, hasRoom) => {
        const offers = parseExtensionHeader(createOffer(client(ofClient)))!
        const accepted = acceptOffer(offers, server(ofServer), hasRoom)
        if (accepted === null) {
          // The only reasons: no room for a context, or a server that wants a smaller window of a client that cannot
          // be told.
          const needsRoom = ![ofClient, ofServer].some((one) => one.clientNoContextTakeover === true)
          const cannotBeTold =
            ofClient.clientMaxWindowBits === false && Number(ofServer.clientMaxWindowBits) < 15
          expect((!hasRoom && needsRoom) || cannotBeTold).toBe(true)
        } else {
          expect(verifyResponse(parseExtensionHeader(accepted.response)!, client(ofClient))).toEqual({
            agreed: accepted.agreed,
          })
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('a client accepts less than it asked for unless it is strict, and uses what the server chose', () => {
    fc.assert(
      fc.property(options, options, (ofClient, other) => {
        // What a server answers that ignores what this client asked of it.
        const offers = parseExtensionHeader(createOffer(client(other)))!
        const answer = acceptOffer(offers, server({ clientMaxWindowBits: false }))!
        const parameters = new Map(parseExtensionHeader(answer.response)![0]!.parameters)
        const { serverNoContextTakeover, serverMaxWindowBits } = answer.agreed
        const isLess =
          (ofClient.serverNoContextTakeover === true && !serverNoContextTakeover) ||
          serverMaxWindowBits > (ofClient.serverMaxWindowBits ?? 15) ||
          (ofClient.serverMaxWindowBits !== undefined &&
            ofClient.serverMaxWindowBits < 15 &&
            !parameters.has('server_max_window_bits'))
        const result = verifyResponse(parseExtensionHeader(answer.response)!, client(ofClient))
        if (ofClient.strictNegotiation === true && isLess) expect(result).toBeInstanceOf(HandshakeError)
        else expect(result).toMatchObject({ agreed: { serverNoContextTakeover, serverMaxWindowBits } })
      }),
      { numRuns: 1000 },
    )
  })
})
