import fc from 'fast-check'
import {
  createKey,
  formatExtension,
  formatRejection,
  formatUpgradeRequest,
  formatUpgradeResponse,
  HandshakeError,
  HeadScanner,
  parseExtensionHeader,
  parseProtocolHeader,
  readUpgradeRequest,
  verifyUpgradeResponse,
} from '../../src/handshake/index.js'
import type { HeadTypes } from '../../src/handshake/index.js'

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

const TCHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const token = fc.string({ unit: fc.constantFrom(...Array.from(TCHARS)), minLength: 1, maxLength: 12 })

const value = fc
  .string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .map((code) => String.fromCharCode(code === 0x7f ? 0x09 : code)),
    maxLength: 30,
  })
  // what is around a value is not part of it; `trim` would take the no-break space, too
  .map((text) => text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, ''))

const OWN = /^(connection|upgrade|content-length|transfer-encoding|host|origin|sec-websocket-.*)$/i
const headers = fc.array(
  fc.tuple(
    token.filter((name) => !OWN.test(name)),
    value,
  ),
  { maxLength: 8 },
)

const target = fc
  .string({
    unit: fc.constantFrom(...Array.from(`${TCHARS}/?=;:@[]()\\"<>{}`)).filter((c) => c !== '#'),
    maxLength: 30,
  })
  .map((text) => `/${text}`)

const extension = fc.record({
  name: token,
  parameters: fc.array(fc.tuple(token, fc.oneof(fc.constant<true>(true), token)), { maxLength: 4 }),
})

/** Bytes cut into chunks at these places. */
const cut = (bytes: Uint8Array, places: readonly number[]): Uint8Array[] => {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  const bounds = [0, ...sorted, bytes.length]
  return bounds.slice(1).map((end, i) => bytes.slice(bounds[i], end))
}

interface Outcome {
  answer: string
  head: unknown
  error: string | undefined
  rest: number[]
}

/** What a scanner makes of these chunks, the rest being all that follows the head. */
const outcome = (kind: keyof HeadTypes, chunks: readonly Uint8Array[]): Outcome => {
  const scanner = new HeadScanner(kind, { maxHeaderBytes: 512, maxHeaderCount: 12 })
  let answer = 'more'
  const rest: number[] = []
  for (const chunk of chunks) {
    if (answer === 'done') rest.push(...chunk)
    else {
      answer = scanner.push(chunk)
      rest.push(...scanner.rest)
    }
  }
  const { head } = scanner
  return {
    answer,
    head: head === null ? null : { ...head, headers: head.headers.entries() },
    error: scanner.error?.message,
    rest,
  }
}

const headOf = <Kind extends keyof HeadTypes>(kind: Kind, bytes: Uint8Array): HeadTypes[Kind] => {
  const scanner = new HeadScanner(kind, { maxHeaderBytes: Infinity })
  scanner.push(bytes)
  if (scanner.head === null) throw scanner.error ?? new Error('the head is not complete')
  return scanner.head
}

/** Bytes that look like a head here and there. */
const headLike = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'GET / HTTP/1.1\r\n',
        'HTTP/1.1 101 Switching Protocols\r\n',
        'Host: a\r\n',
        'Upgrade: websocket\r\n',
        'Connection: Upgrade\r\n',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
        'Sec-WebSocket-Version: 13\r\n',
        '\r\n',
        '\n',
        ' ',
        ':',
        '\0',
        'x',
      ),
      fc.string({ unit: 'binary-ascii', maxLength: 20 }),
    ),
    { maxLength: 14 },
  )
  .map((parts) => latin1(parts.join('')))

describe('a head in any chunks', () => {
  const places = fc.array(fc.nat(2000), { maxLength: 10 })

  it.each(['request', 'response'] as const)('gives the same %s', (kind) => {
    fc.assert(
      fc.property(fc.oneof(headLike, fc.uint8Array({ maxLength: 100 })), places, (bytes, at) => {
        const whole = outcome(kind, [bytes])
        expect(outcome(kind, cut(bytes, at))).toEqual(whole)
        expect(
          outcome(
            kind,
            Array.from(bytes, (byte) => Uint8Array.of(byte)),
          ),
        ).toEqual(whole)
      }),
      { numRuns: 500 },
    )
  })

  it('gives the same rest, to the byte', () => {
    fc.assert(
      fc.property(headers, fc.uint8Array({ maxLength: 40 }), places, (pairs, rest, at) => {
        const lines = pairs.map(([name, text]) => `${name}: ${text}\r\n`).join('')
        const head = latin1(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`)
        const got = outcome('response', cut(new Uint8Array([...head, ...rest]), at))
        expect(got).toEqual({
          answer: 'done',
          error: undefined,
          head: { status: 101, statusText: 'Switching Protocols', httpVersion: '1.1', headers: pairs },
          rest: [...rest],
        })
      }),
    )
  })
})

describe('anything that a peer may send', () => {
  it('gives a handshake or an error, and never throws', () => {
    fc.assert(
      fc.property(headLike, (bytes) => {
        const request = new HeadScanner('request')
        request.push(bytes)
        if (request.head !== null) {
          const read = readUpgradeRequest(request.head)
          if (read instanceof HandshakeError) expect(read.httpStatus).toBeGreaterThanOrEqual(400)
          else expect(formatUpgradeResponse(read)).toContain('101')
        }
        const response = new HeadScanner('response')
        response.push(bytes)
        if (response.head !== null) {
          const offered = { key: createKey(), protocols: [], extensionNames: [] }
          expect(verifyUpgradeResponse(response.head, offered)).toBeInstanceOf(HandshakeError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('gives a list or null, and never throws', () => {
    const soup = fc.string({ unit: fc.constantFrom(...Array.from('ab,;="\\ \t\0é')), maxLength: 60 })
    fc.assert(
      fc.property(fc.oneof(soup, fc.string()), (text) => {
        const offers = parseExtensionHeader(text)
        // No extension at all is an empty value, and nothing else.
        expect(offers?.length === 0).toBe(/^[ \t]*$/.test(text))
        // whatever was read can be written, and then says the same
        if (offers !== null) {
          expect(parseExtensionHeader(offers.map(formatExtension).join(', '))).toEqual(offers)
        }
        const names = parseProtocolHeader(text)
        expect(names === null || new Set(names).size === names.length).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('reading what was written', () => {
  it('gives the same extensions', () => {
    fc.assert(
      fc.property(fc.array(extension, { minLength: 1, maxLength: 5 }), (offers) => {
        expect(parseExtensionHeader(offers.map(formatExtension).join(', '))).toEqual(offers)
      }),
    )
  })

  it('gives the same extensions with quoted values', () => {
    fc.assert(
      fc.property(token, token, token, fc.array(fc.boolean()), (name, parameter, text, escaped) => {
        const quoted = Array.from(text)
          .map((character, i) => (escaped[i] === true ? `\\${character}` : character))
          .join('')
        expect(parseExtensionHeader(`${name}; ${parameter}="${quoted}"`)).toEqual([
          { name, parameters: [[parameter, text]] },
        ])
      }),
    )
  })

  it('gives the same handshake', () => {
    fc.assert(
      fc.property(
        target,
        fc.uniqueArray(token, { maxLength: 4 }),
        fc.uniqueArray(extension, { maxLength: 3, selector: ({ name }) => name }),
        headers,
        headers,
        fc.option(value, { nil: undefined }),
        (path, protocols, offers, asked, answered, origin) => {
          const key = createKey()
          const extensions = offers.map(formatExtension).join(', ')
          const options = {
            target: path,
            host: 'localhost:1',
            key,
            protocols,
            extensions,
            headers: asked,
            origin,
          }
          const request = readUpgradeRequest(headOf('request', latin1(formatUpgradeRequest(options))))
          if (request instanceof HandshakeError) throw request
          expect(request).toMatchObject({
            target: path,
            host: 'localhost:1',
            key,
            protocols,
            extensions: offers,
            origin,
          })
          expect(request.path + request.search).toBe(path)
          expect(request.headers.entries().slice(-asked.length || Infinity)).toEqual(asked)

          const protocol = protocols.at(-1) ?? ''
          const answer = formatUpgradeResponse(request, { protocol, extensions, headers: answered })
          const head = headOf('response', latin1(answer))
          const extensionNames = offers.map(({ name }) => name)
          expect(head.headers.entries().slice(-answered.length || Infinity)).toEqual(answered)
          expect(verifyUpgradeResponse(head, { key, protocols, extensionNames })).toEqual({
            protocol,
            extensions: offers,
          })
        },
      ),
    )
  })

  it('gives the same rejection, with a body of the announced length', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 300, max: 599 }).filter((status) => status !== 304),
        headers,
        fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array()),
        (status, pairs, body) => {
          const scanner = new HeadScanner('response', { maxHeaderBytes: Infinity })
          expect(scanner.push(formatRejection(status, { headers: pairs, body }))).toBe('done')
          expect(scanner.head?.status).toBe(status)
          expect(scanner.head?.headers.get('content-length')).toBe(String(scanner.rest.length))
          expect(Buffer.from(scanner.rest)).toEqual(Buffer.from(body as string))
        },
      ),
    )
  })
})

describe('what the caller passes in', () => {
  it('is refused, or stays on its own line of the head', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('a\r\nb: c', '\n', 'x\r', '\0', 'ok'),
    )
    fc.assert(
      fc.property(anything, anything, (name, text) => {
        let head: string
        try {
          head = formatUpgradeRequest({ target: '/', host: 'a', key: createKey(), headers: [[name, text]] })
        } catch (error) {
          if (!(error instanceof TypeError)) throw error
          return
        }
        expect(head.split('\r\n')).toHaveLength(9)
        expect(head.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
      }),
      { numRuns: 1000 },
    )
  })
})
