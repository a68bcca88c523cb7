import {
  acceptOffer,
  createOffer,
  resolveDeflateOptions,
  verifyResponse,
} from '../../../src/deflate/negotiation.js'
import type { PerMessageDeflateOptions } from '../../../src/deflate/negotiation.js'
import { HandshakeError } from '../../../src/errors.js'
import { parseExtensionHeader } from '../../../src/handshake/extension-header.js'

const server = (options: PerMessageDeflateOptions = {}) => resolveDeflateOptions(options, 'server')!
const client = (options: PerMessageDeflateOptions = {}) => resolveDeflateOptions(options, 'client')!

/** What a server with these options answers to a header value. */
function answerTo(header: string, options: PerMessageDeflateOptions = {}): string | null {
  return acceptOffer(parseExtensionHeader(header)!, server(options))?.response ?? null
}

function agreedBy(header: string, options: PerMessageDeflateOptions = {}): unknown {
  return acceptOffer(parseExtensionHeader(header)!, server(options))?.agreed ?? null
}

/** How a client with these options takes an answer: what is agreed, or the words of the error. */
function verify(header: string, options: PerMessageDeflateOptions = {}): unknown {
  const result = verifyResponse(parseExtensionHeader(header)!, client(options))
  if (!(result instanceof HandshakeError)) return result.agreed
  expect(result.code).toBe('HAWSER_UNEXPECTED_EXTENSION')
  return result.message.replace(/^the server chose an extension, or parameters, that were not offered: /, '')
}

const PLAIN = 'permessage-deflate'

describe('the offer of a client (RFC 7692 section 7.1)', () => {
  test.each<[PerMessageDeflateOptions, string]>([
    [{}, 'permessage-deflate; client_max_window_bits'],
    [{ clientMaxWindowBits: false }, 'permessage-deflate'],
    [{ clientMaxWindowBits: 10 }, 'permessage-deflate; client_max_window_bits=10'],
    [
      { serverMaxWindowBits: 8 },
      'permessage-deflate; server_max_window_bits=8; client_max_window_bits, permessage-deflate; client_max_window_bits',
    ],
    [
      { serverMaxWindowBits: 8, strictNegotiation: true },
      'permessage-deflate; server_max_window_bits=8; client_max_window_bits',
    ],
    [
      { serverMaxWindowBits: 14, serverNoContextTakeover: true, clientMaxWindowBits: false },
      'permessage-deflate; server_no_context_takeover; server_max_window_bits=14, permessage-deflate; server_no_context_takeover',
    ],
    [
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits',
    ],
  ])('%j', (options, header) => {
    expect(createOffer(client(options))).toBe(header)
  })
})

describe('the choice of a server (RFC 7692 sections 5.1 and 7.1)', () => {
  test('demands nothing that was not offered', () => {
    expect(answerTo('permessage-deflate; client_max_window_bits')).toBe(PLAIN)
    expect(agreedBy('permessage-deflate; client_max_window_bits')).toEqual({
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
    })
  })

  test('is none where nothing, or only other extensions, are offered', () => {
    expect(acceptOffer([], server())).toBeNull()
    expect(answerTo('permessage-brotli, x-webkit-deflate-frame')).toBeNull()
    expect(answerTo('PERMESSAGE-DEFLATE')).toBeNull()
  })

  test('finds the extension among others', () => {
    expect(answerTo('x-custom; server_max_window_bits=99, permessage-deflate')).toBe(PLAIN)
  })

  describe('server_no_context_takeover (7.1.1.1)', () => {
    test('is honoured', () => {
      expect(answerTo('permessage-deflate; server_no_context_takeover')).toBe(
        'permessage-deflate; server_no_context_takeover',
      )
      expect(agreedBy('permessage-deflate; server_no_context_takeover')).toMatchObject({
        serverNoContextTakeover: true,
      })
    })

    test('is declared also where it was not asked for', () => {
      expect(answerTo('permessage-deflate', { serverNoContextTakeover: true })).toBe(
        'permessage-deflate; server_no_context_takeover',
      )
    })
  })

  describe('client_no_context_takeover (7.1.1.2)', () => {
    test('is asked of the client only where the server is told to', () => {
      expect(answerTo('permessage-deflate', { clientNoContextTakeover: true })).toBe(
        'permessage-deflate; client_no_context_takeover',
      )
      expect(agreedBy('permessage-deflate', { clientNoContextTakeover: true })).toMatchObject({
        clientNoContextTakeover: true,
      })
    })

    test('is relied on where the client declares it', () => {
      expect(answerTo('permessage-deflate; client_no_context_takeover')).toBe(
        'permessage-deflate; client_no_context_takeover',
      )
      expect(agreedBy('permessage-deflate; client_no_context_takeover')).toMatchObject({
        clientNoContextTakeover: true,
      })
    })
  })

  describe('server_max_window_bits (7.1.2.1)', () => {
    test.each<[string, PerMessageDeflateOptions, string]>([
      ['server_max_window_bits=10', {}, 'server_max_window_bits=10'],
      ['server_max_window_bits=15', {}, 'server_max_window_bits=15'],
      ['server_max_window_bits=8', {}, 'server_max_window_bits=8'],
      ['server_max_window_bits=12', { serverMaxWindowBits: 10 }, 'server_max_window_bits=10'],
      ['server_max_window_bits=9', { serverMaxWindowBits: 10 }, 'server_max_window_bits=9'],
      ['server_max_window_bits="10"', {}, 'server_max_window_bits=10'],
    ])('%s with %j is answered %s', (parameter, options, answer) => {
      expect(answerTo(`permessage-deflate; ${parameter}`, options)).toBe(`${PLAIN}; ${answer}`)
      expect(agreedBy(`permessage-deflate; ${parameter}`, options)).toMatchObject({
        serverMaxWindowBits: Number(answer.slice(answer.indexOf('=') + 1)),
      })
    })

    test('a smaller window of the server is declared without being asked for', () => {
      expect(answerTo('permessage-deflate', { serverMaxWindowBits: 10 })).toBe(
        `${PLAIN}; server_max_window_bits=10`,
      )
    })
  })

  describe('client_max_window_bits (7.1.2.2)', () => {
    test.each<[string, PerMessageDeflateOptions, string, number]>([
      ['; client_max_window_bits=10', {}, '; client_max_window_bits=10', 10],
      ['; client_max_window_bits=15', {}, '', 15],
      ['; client_max_window_bits=12', { clientMaxWindowBits: 10 }, '; client_max_window_bits=10', 10],
      ['; client_max_window_bits=9', { clientMaxWindowBits: 10 }, '; client_max_window_bits=9', 9],
      ['; client_max_window_bits', { clientMaxWindowBits: 9 }, '; client_max_window_bits=9', 9],
      ['; client_max_window_bits=10', { clientMaxWindowBits: false }, '', 10],
      ['; client_max_window_bits', { clientMaxWindowBits: false }, '', 15],
      ['', { clientMaxWindowBits: false }, '', 15],
      ['', {}, '', 15],
    ])('"%s" with %j is answered "%s", and %d agreed', (parameter, options, answer, bits) => {
      expect(answerTo(`permessage-deflate${parameter}`, options)).toBe(`${PLAIN}${answer}`)
      expect(agreedBy(`permessage-deflate${parameter}`, options)).toMatchObject({ clientMaxWindowBits: bits })
    })

    test('a client that cannot be told a window is declined where the server wants a smaller one', () => {
      expect(answerTo('permessage-deflate', { clientMaxWindowBits: 10 })).toBeNull()
      expect(
        answerTo('permessage-deflate, permessage-deflate; client_max_window_bits', {
          clientMaxWindowBits: 10,
        }),
      ).toBe(`${PLAIN}; client_max_window_bits=10`)
    })
  })

  describe('where there is no room for the contexts of clients', () => {
    const scarce = (header: string, options: PerMessageDeflateOptions = {}) =>
      acceptOffer(parseExtensionHeader(header)!, server(options), false)?.response ?? null

    test.each([
      'permessage-deflate',
      'permessage-deflate; server_no_context_takeover',
      'permessage-deflate; client_max_window_bits',
      'permessage-deflate; client_max_window_bits=8',
    ])('%s is declined: a demand could make the client fail', (header) => {
      expect(scarce(header)).toBeNull()
      expect(scarce(`${header}, permessage-deflate; client_no_context_takeover`)).toBe(
        'permessage-deflate; client_no_context_takeover',
      )
      expect(scarce(header, { clientNoContextTakeover: true })).toMatch(/; client_no_context_takeover/)
    })

    test('a client that drops its context of its own accord is accepted', () => {
      expect(scarce('permessage-deflate; client_no_context_takeover; client_max_window_bits=9')).toBe(
        'permessage-deflate; client_no_context_takeover; client_max_window_bits=9',
      )
    })
  })

  describe('several offers, in the order of preference (5.1)', () => {
    test('the first that can be kept is taken', () => {
      expect(answerTo('permessage-deflate; server_max_window_bits=9, permessage-deflate')).toBe(
        `${PLAIN}; server_max_window_bits=9`,
      )
      expect(
        answerTo('permessage-deflate; new_parameter, permessage-deflate; server_max_window_bits=9'),
      ).toBe(`${PLAIN}; server_max_window_bits=9`)
    })
  })

  describe('an offer that is passed over (7.1)', () => {
    test.each([
      'unknown',
      'unknown=1',
      '__proto__',
      'constructor',
      'toString=1',
      'Server_No_Context_Takeover',
      'server_no_context_takeover; server_no_context_takeover',
      'client_no_context_takeover; client_no_context_takeover',
      'server_max_window_bits=10; server_max_window_bits=10',
      'client_max_window_bits; client_max_window_bits',
      'client_max_window_bits; client_max_window_bits=10',
      'server_no_context_takeover=1',
      'server_no_context_takeover=true',
      'client_no_context_takeover=0',
      'server_max_window_bits',
      ...[
        '0',
        '7',
        '16',
        '08',
        '010',
        '00010',
        '+10',
        '-10',
        '1e1',
        '0x0a',
        '10.0',
        '"7"',
        '"16"',
        '255',
        '8796093022218',
      ].flatMap((value) => [`server_max_window_bits=${value}`, `client_max_window_bits=${value}`]),
    ])('permessage-deflate; %s', (parameters) => {
      expect(answerTo(`permessage-deflate; ${parameters}`)).toBeNull()
      expect(answerTo(`permessage-deflate; ${parameters}, permessage-deflate`)).toBe(PLAIN)
    })

    test('an empty value, were it to get past the header', () => {
      for (const name of ['server_max_window_bits', 'client_max_window_bits', 'server_no_context_takeover']) {
        expect(acceptOffer([{ name: 'permessage-deflate', parameters: [[name, '']] }], server())).toBeNull()
      }
    })
  })
})

describe('the check of a client (RFC 7692 sections 5.1 and 7.1)', () => {
  test('no extension in the answer: messages go uncompressed', () => {
    expect(verifyResponse([], client())).toEqual({ agreed: null })
  })

  test('what the answer says is agreed', () => {
    expect(verify('permessage-deflate')).toEqual({
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
    })
    expect(
      verify(
        'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=8',
      ),
    ).toEqual({
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 9,
      clientMaxWindowBits: 8,
    })
  })

  test('a client keeps its own promises where the answer does not repeat them', () => {
    expect(
      verify('permessage-deflate', { clientNoContextTakeover: true, clientMaxWindowBits: 10 }),
    ).toMatchObject({
      clientNoContextTakeover: true,
      clientMaxWindowBits: 10,
    })
    expect(verify('permessage-deflate', { clientMaxWindowBits: false })).toMatchObject({
      clientMaxWindowBits: 15,
    })
  })

  test('what was asked for and is answered, or bettered, is agreed', () => {
    expect(
      verify('permessage-deflate; server_max_window_bits=10', { serverMaxWindowBits: 10 }),
    ).toMatchObject({
      serverMaxWindowBits: 10,
    })
    expect(verify('permessage-deflate; server_max_window_bits=8', { serverMaxWindowBits: 10 })).toMatchObject(
      {
        serverMaxWindowBits: 8,
      },
    )
    expect(verify('permessage-deflate; server_max_window_bits="9"')).toMatchObject({ serverMaxWindowBits: 9 })
    expect(
      verify('permessage-deflate; server_no_context_takeover', { serverNoContextTakeover: true }),
    ).toMatchObject({
      serverNoContextTakeover: true,
    })
    expect(
      verify('permessage-deflate; client_max_window_bits=10', { clientMaxWindowBits: 10 }),
    ).toMatchObject({
      clientMaxWindowBits: 10,
    })
  })

  describe('an answer that grants less than was asked for, and can be read all the same', () => {
    const cases: [string, PerMessageDeflateOptions, string, object][] = [
      [
        'permessage-deflate',
        { serverNoContextTakeover: true },
        'the server left out the server_no_context_takeover that was asked for',
        { serverNoContextTakeover: false },
      ],
      [
        'permessage-deflate',
        { serverMaxWindowBits: 10 },
        'the server left out the server_max_window_bits that was asked for',
        { serverMaxWindowBits: 15 },
      ],
      [
        'permessage-deflate; server_max_window_bits=15',
        { serverMaxWindowBits: 10 },
        'server_max_window_bits=15 to an offer of 10',
        { serverMaxWindowBits: 15 },
      ],
      [
        'permessage-deflate; server_max_window_bits=11',
        { serverMaxWindowBits: 8 },
        'server_max_window_bits=11 to an offer of 8',
        { serverMaxWindowBits: 11 },
      ],
      [
        'permessage-deflate; client_max_window_bits=11',
        { clientMaxWindowBits: 10 },
        'client_max_window_bits=11 to an offer of 10',
        { clientMaxWindowBits: 10 },
      ],
    ]

    test.each(cases)('%s to an offer of %j is taken', (header, options, _words, agreed) => {
      expect(verify(header, options)).toMatchObject(agreed)
    })

    test.each(cases)('%s to an offer of %j fails under strictNegotiation', (header, options, words) => {
      expect(verify(header, { ...options, strictNegotiation: true })).toBe(words)
    })

    test('strictNegotiation takes what was asked for, or better', () => {
      const options = {
        strictNegotiation: true,
        serverNoContextTakeover: true,
        serverMaxWindowBits: 10,
        clientMaxWindowBits: 11,
      } as const
      for (const [serverBits, clientBits] of [
        [10, 11],
        [8, 9],
      ]) {
        const answer = `permessage-deflate; server_no_context_takeover; server_max_window_bits=${String(serverBits)}`
        expect(verify(answer, options)).toMatchObject({
          serverMaxWindowBits: serverBits,
          clientMaxWindowBits: 11,
        })
        expect(verify(`${answer}; client_max_window_bits=${String(clientBits)}`, options)).toMatchObject({
          serverNoContextTakeover: true,
          clientMaxWindowBits: clientBits,
        })
      }
    })
  })

  test.each<[string, PerMessageDeflateOptions, string]>([
    [
      'permessage-deflate; client_max_window_bits=10',
      { clientMaxWindowBits: false },
      'client_max_window_bits was not offered',
    ],
    ['permessage-deflate; client_max_window_bits', {}, 'client_max_window_bits needs a value in an answer'],
    ['permessage-deflate; server_max_window_bits', {}, 'server_max_window_bits must be 8 to 15, not true'],
    ['permessage-deflate; server_max_window_bits=7', {}, 'server_max_window_bits must be 8 to 15, not "7"'],
    ['permessage-deflate; server_max_window_bits=16', {}, 'server_max_window_bits must be 8 to 15, not "16"'],
    ['permessage-deflate; client_max_window_bits=08', {}, 'client_max_window_bits must be 8 to 15, not "08"'],
    ['permessage-deflate; unknown', {}, 'an unknown parameter "unknown"'],
    ['permessage-deflate; __proto__=1', {}, 'an unknown parameter "__proto__"'],
    ['permessage-deflate; server_no_context_takeover=1', {}, 'server_no_context_takeover takes no value'],
    ['permessage-deflate; client_no_context_takeover=1', {}, 'client_no_context_takeover takes no value'],
    [
      'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
      {},
      '"server_no_context_takeover" stands twice',
    ],
    ['permessage-deflate, permessage-deflate', {}, 'permessage-deflate stands twice'],
    ['permessage-deflate, permessage-deflate; unknown', {}, 'permessage-deflate stands twice'],
    ['permessage-brotli', {}, '"permessage-brotli"'],
    ['permessage-deflate, permessage-brotli', {}, '"permessage-brotli"'],
    ['permessage-brotli, permessage-deflate', {}, '"permessage-brotli"'],
  ])('%s to an offer of %j fails the handshake', (header, options, words) => {
    for (const strictNegotiation of [false, true]) {
      expect(verify(header, { ...options, strictNegotiation })).toBe(words)
    }
  })
})

describe('both ends together', () => {
  const OPTIONS: PerMessageDeflateOptions[] = [
    {},
    { serverNoContextTakeover: true },
    { clientNoContextTakeover: true },
    { clientNoContextTakeover: false, strictNegotiation: true },
    { serverMaxWindowBits: 9 },
    { clientMaxWindowBits: 11 },
    { clientMaxWindowBits: false },
    {
      serverMaxWindowBits: 12,
      clientMaxWindowBits: 8,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
    },
  ]

  test('agree on the same, whatever their options', () => {
    for (const clientOptions of OPTIONS) {
      for (const serverOptions of OPTIONS) {
        const offer = createOffer(client(clientOptions))
        const accepted = acceptOffer(parseExtensionHeader(offer)!, server(serverOptions))
        if (accepted === null) {
          expect([clientOptions.clientMaxWindowBits, typeof serverOptions.clientMaxWindowBits]).toEqual([
            false,
            'number',
          ])
          continue
        }
        expect(verifyResponse(parseExtensionHeader(accepted.response)!, client(clientOptions))).toEqual({
          agreed: accepted.agreed,
        })
      }
    }
  })
})
