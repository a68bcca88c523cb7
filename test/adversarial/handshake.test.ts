// slow: cost is compared between sizes, byte by byte
import {
  computeAccept,
  createKey,
  formatRejection,
  formatUpgradeResponse,
  HandshakeError,
  HeaderFields,
  HeadScanner,
  parseExtensionHeader,
  parseProtocolHeader,
  readUpgradeRequest,
  verifyUpgradeResponse,
} from '../../src/handshake/index.js'
import type { HeadScannerOptions, RequestHead, UpgradeRequest } from '../../src/handshake/index.js'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

const LINES = [
  'Host: server.example.com',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
]

const requestText = (lines: readonly string[], start = 'GET /chat HTTP/1.1'): string =>
  `${[start, ...lines].join('\r\n')}\r\n\r\n`

/** What a server makes of these bytes: a handshake, or the status it answers with. */
const serve = (text: string, options?: HeadScannerOptions): UpgradeRequest | number => {
  const scanner = new HeadScanner('request', options)
  const answer = scanner.push(bytes(text))
  if (answer === 'failed') return scanner.error?.httpStatus ?? 0
  if (scanner.head === null) throw new Error('the head is not complete')
  const request = readUpgradeRequest(scanner.head)
  return request instanceof HandshakeError ? (request.httpStatus ?? 0) : request
}

/** The least time of some runs, in milliseconds a run: what else the machine does only ever adds. */
const leastTime = (run: () => void): number => {
  let least = Infinity
  for (let round = 0; round < 5; round++) {
    const start = performance.now()
    run()
    run()
    least = Math.min(least, (performance.now() - start) / 2)
  }
  return least
}

/**
 * From 1 k to 32 k the cost of linear work grows 32-fold and that of quadratic work 1024-fold. The floor of
 * 0.02 ms keeps the clock's grain out of the ratio.
 */
const expectLinear = (work: (size: number) => () => void): void => {
  const small = leastTime(work(1024))
  expect(leastTime(work(32768)) / Math.max(small, 0.02)).toBeLessThan(32 * 6)
}

describe("names of Object.prototype in a peer's head", () => {
  const names = [...Object.getOwnPropertyNames(Object.prototype), 'prototype']

  it.each(names)('have no special meaning: %s', (name) => {
    expect(parseExtensionHeader(`${name}; ${name}; ${name}=${name}`)).toEqual([
      {
        name,
        parameters: [
          [name, true],
          [name, name],
        ],
      },
    ])
    const request = serve(
      requestText([
        ...LINES,
        `Sec-WebSocket-Extensions: ${name}; ${name}="1", x; ${name}`,
        `Sec-WebSocket-Protocol: ${name}`,
        `${name}: 1`,
      ]),
    )
    if (typeof request === 'number') throw new Error(`refused with ${String(request)}`)
    expect(request.extensions.map((offer) => offer.name)).toEqual([name, 'x'])
    expect(request.protocols).toEqual([name])
    expect(request.headers.get(name)).toBe('1')
    expect(formatUpgradeResponse(request, { protocol: name, extensions: name })).toContain(
      `Extensions: ${name}\r\n`,
    )

    const key = createKey()
    const head = {
      status: 101,
      statusText: '',
      httpVersion: '1.1',
      headers: HeaderFields.fromRawHeaders(
        Object.entries({
          Upgrade: 'websocket',
          Connection: 'Upgrade',
          'Sec-WebSocket-Accept': computeAccept(key),
          'Sec-WebSocket-Extensions': name,
        }).flat(),
      ),
    }
    expect(verifyUpgradeResponse(head, { key, protocols: [], extensionNames: ['x'] })).toMatchObject({
      code: 'HAWSER_UNEXPECTED_EXTENSION',
    })
  })

  it('leave Object.prototype unchanged', () => {
    expect(({} as Record<string, unknown>)['1']).toBeUndefined()
    expect(Object.keys(Object.prototype)).toEqual([])
  })
})

describe('the cost from 1 k to 32 k grows at most linearly', () => {
  const values: readonly (readonly [string, (size: number) => string])[] = [
    ['spaces', (size) => ' '.repeat(size)],
    ['spaces inside', (size) => `a${' '.repeat(size)}b`],
    ['spaces before each comma', (size) => 'a ,'.repeat(size / 3)],
    ['tabs and spaces', (size) => '\t '.repeat(size / 2)],
    ['a quote left open', (size) => `a; b="${'c'.repeat(size)}`],
    ['quotes', (size) => '"'.repeat(size)],
    ['quoted values, the last left open', (size) => `${'a; b="c", '.repeat(size / 10)}a; b="`],
    ['escapes in a quote left open', (size) => `a; b="${'\\c'.repeat(size / 2)}`],
    ['backslashes in a quote', (size) => `a; b="${'\\'.repeat(size)}"`],
    ['commas', (size) => ','.repeat(size)],
    ['commas and spaces', (size) => ', '.repeat(size / 2)],
    ['semicolons', (size) => `a${';'.repeat(size)}`],
    ['parameters', (size) => `a${';b'.repeat(size / 2)}`],
    ['equals signs', (size) => `a; b${'='.repeat(size)}`],
    ['one long token', (size) => 'a'.repeat(size)],
    ['distinct names', (size) => Array.from({ length: size / 8 }, (_, i) => `n${String(i)}`).join(', ')],
  ]

  it.each(values)('of Sec-WebSocket-Extensions: %s', (_, make) => {
    expectLinear((size) => {
      const value = make(size)
      return () => parseExtensionHeader(value)
    })
  })

  it.each(values)('of Sec-WebSocket-Protocol: %s', (_, make) => {
    expectLinear((size) => {
      const value = make(size)
      return () => parseProtocolHeader(value)
    })
  })

  it.each(['Host', 'Connection', 'Upgrade', 'Content-Length', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version'])(
    'of %s',
    (name) => {
      for (const [, make] of values) {
        expectLinear((size) => {
          const raw = LINES.flatMap((line) => line.split(': '))
          const at = raw.indexOf(name)
          if (at === -1) raw.push(name, make(size))
          else raw[at + 1] = make(size)
          const head: RequestHead = {
            method: 'GET',
            target: '/',
            httpVersion: '1.1',
            headers: HeaderFields.fromRawHeaders(raw),
          }
          return () => readUpgradeRequest(head)
        })
      }
    },
  )

  it.each<[string, (size: number) => string]>([
    ['a long target', (size) => `/${'a'.repeat(size)}`],
    ['slashes', (size) => '/'.repeat(size)],
    ['question marks', (size) => `/${'?'.repeat(size)}`],
    ['an absolute form with a long authority', (size) => `http://${'a'.repeat(size)}/`],
    ['an absolute form with many colons', (size) => `http://${':'.repeat(size)}/`],
    ['a scheme without end', (size) => 'http'.repeat(size / 4)],
  ])('of the target: %s', (_, make) => {
    expectLinear((size) => {
      const head = {
        method: 'GET',
        target: make(size),
        httpVersion: '1.1',
        headers: HeaderFields.fromRawHeaders([]),
      }
      return () => readUpgradeRequest(head)
    })
  })

  const heads: readonly (readonly [string, (size: number) => string])[] = [
    ['a long value', (size) => requestText([`A: ${'x'.repeat(size)}`])],
    ['spaces before a value', (size) => requestText([`A: ${' '.repeat(size)}x`])],
    ['spaces after a value', (size) => requestText([`A: x${' '.repeat(size)}`])],
    ['nothing but spaces', (size) => requestText([`A:${' '.repeat(size)}`])],
    ['a long name', (size) => requestText([`${'x'.repeat(size)}: a`])],
    ['a long target', (size) => requestText([], `GET /${'x'.repeat(size)} HTTP/1.1`)],
    ['many headers', (size) => requestText(new Array<string>(size / 8).fill('aa: bb'))],
    [
      'many distinct headers',
      (size) => requestText(Array.from({ length: size / 8 }, (_, i) => `a${String(i)}: b`)),
    ],
  ]
  const off = { maxHeaderBytes: Infinity, maxHeaderCount: Infinity }

  it.each(heads)('of a head in one chunk: %s', (_, make) => {
    expectLinear((size) => {
      const chunk = bytes(make(size))
      return () => {
        expect(new HeadScanner('request', off).push(chunk)).toBe('done')
      }
    })
  })

  it.each(heads)('of a head byte by byte: %s', (_, make) => {
    expectLinear((size) => {
      const chunks = Array.from(bytes(make(size)), (byte) => Uint8Array.of(byte))
      return () => {
        const scanner = new HeadScanner('request', off)
        let answer = 'more'
        for (const chunk of chunks) answer = scanner.push(chunk)
        expect(answer).toBe('done')
      }
    })
  })
})

describe('many headers', () => {
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `a${String(i)}: b`)

  it('2,000 fields before or after the required ones are refused with 431', () => {
    expect(serve(requestText([...many(2000), ...LINES]))).toBe(431)
    expect(serve(requestText([...LINES, ...many(2000)]))).toBe(431)
  })

  it('2,000 fields are read if the limits allow them', () => {
    const request = serve(requestText([...many(2000), ...LINES]), {
      maxHeaderBytes: Infinity,
      maxHeaderCount: 2005,
    })
    if (typeof request === 'number') throw new Error(`refused with ${String(request)}`)
    expect(request.headers.size).toBe(2005)
    expect(request.headers.get('a1999')).toBe('b')
  })

  it('fields that another HTTP parser cut off, as node:http does, give an error and do not throw', () => {
    const raw = [...many(2000), ...LINES].flatMap((line) => line.split(': '))
    for (const count of [1999, 2000, 2001, 2002, 2003, 2004]) {
      const headers = HeaderFields.fromRawHeaders(raw.slice(0, count * 2))
      const head = { method: 'GET', target: '/', httpVersion: '1.1', headers }
      expect(readUpgradeRequest(head)).toBeInstanceOf(HandshakeError)
    }
  })

  it('fields of one name are kept in order and found in linear time', () => {
    expectLinear((size) => {
      const headers = HeaderFields.fromRawHeaders(new Array<string>(size).fill('a'))
      return () => headers.getAll('A')
    })
  })
})

describe('a head whose required headers are missing or doubled', () => {
  it.each([
    ['Host', 400],
    ['Upgrade', 426],
    ['Connection', 426],
    ['Sec-WebSocket-Key', 400],
    ['Sec-WebSocket-Version', 426],
  ])('is refused without %s', (name, status) => {
    expect(serve(requestText(LINES.filter((line) => !line.startsWith(`${name}:`))))).toBe(status)
  })

  it('is refused with a second Host, key or version, but not with a second Upgrade or Connection', () => {
    const doubled = LINES.map((line) => serve(requestText([...LINES, line])))
    expect(doubled.map((answer) => (typeof answer === 'number' ? answer : 101))).toEqual([
      400, 101, 101, 400, 400,
    ])
  })

  it('is refused without all of them', () => {
    expect(serve(requestText([]))).toBe(400)
  })

  it('is refused in a response without one of them', () => {
    const key = createKey()
    const raw = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', computeAccept(key)]
    const codes = [0, 2, 4].map((at) => {
      const headers = HeaderFields.fromRawHeaders([...raw.slice(0, at), ...raw.slice(at + 2)])
      const head = { status: 101, statusText: '', httpVersion: '1.1', headers }
      const result = verifyUpgradeResponse(head, { key, protocols: [], extensionNames: [] })
      return result instanceof HandshakeError ? result.code : 'accepted'
    })
    expect(codes).toEqual([
      'HAWSER_INVALID_UPGRADE_RESPONSE',
      'HAWSER_INVALID_UPGRADE_RESPONSE',
      'HAWSER_INVALID_ACCEPT',
    ])
  })
})

describe('the forms of the request target', () => {
  it.each([
    ['/', '/'],
    ['http://server.example.com/chat?x', '/chat?x'],
    ['http://169.254.169.254/latest/meta-data', '/latest/meta-data'],
    ['https://internal:8443', '/'],
    ['ws://internal/chat', '/chat'],
  ])('%s does not change the host', (target, reduced) => {
    expect(serve(requestText(LINES, `GET ${target} HTTP/1.1`))).toMatchObject({
      target: reduced,
      host: 'server.example.com',
    })
  })

  it.each([
    '*',
    'server.example.com:80',
    'ftp://server.example.com/',
    'http://a@b/',
    'http:///chat',
    '/#',
    'chat',
  ])('%s is refused', (target) => {
    expect(serve(requestText(LINES, `GET ${target} HTTP/1.1`))).toBe(400)
  })
})

describe('smuggled requests', () => {
  it.each([
    ['Content-Length: 5'],
    ['Content-Length: 0', 'Content-Length: 5'],
    ['Content-Length: 0, 5'],
    ['Content-Length: -1'],
    ['Content-Length: 0x0'],
    ['Content-Length:'],
    ['Transfer-Encoding: chunked'],
    ['Transfer-Encoding: identity'],
    ['transfer-encoding: x', 'Content-Length: 0'],
    ['Transfer-Encoding : chunked'],
    ['Transfer-Encoding\t: chunked'],
    [' Transfer-Encoding: chunked'],
    ['X: a', ' b: c'],
    ['X: a\nTransfer-Encoding: chunked'],
    ['X: a\rTransfer-Encoding: chunked'],
    ['X: a\0'],
    ['\0: a'],
    [': a'],
    ['X'],
  ])('are refused: %j', (...lines) => {
    expect(serve(requestText([...LINES, ...lines]))).toBe(400)
    expect(serve(requestText([...lines, ...LINES]))).toBe(400)
  })
})

describe('bytes after the head', () => {
  it('are not lost in the same chunk as the 101, cut anywhere', () => {
    const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'
    const frames = '\x81\x05hello\x88\x02\x03\xe8'
    const all = bytes(head + frames)
    for (let at = 0; at <= all.length; at++) {
      const scanner = new HeadScanner('response')
      const rest: number[] = []
      for (const chunk of [all.subarray(0, at), all.subarray(at)]) {
        if (scanner.head !== null) rest.push(...chunk)
        else if (scanner.push(chunk) === 'done') rest.push(...scanner.rest)
      }
      expect(String.fromCharCode(...rest)).toBe(frames)
    }
  })

  it('do not count against the limit of the head', () => {
    const scanner = new HeadScanner('response', { maxHeaderBytes: 64 })
    const rest = 'x'.repeat(100_000)
    expect(scanner.push(bytes(`HTTP/1.1 101 Switching Protocols\r\n\r\n${rest}`))).toBe('done')
    expect(scanner.rest).toHaveLength(100_000)
  })
})

describe('an endless head', () => {
  it.each([
    ['a method', 'x'],
    ['a target', 'GET /x'],
    ['a name', 'GET / HTTP/1.1\r\nx'],
    ['a value', 'GET / HTTP/1.1\r\nx: x'],
  ])('fails at its limit: %s', (_, start) => {
    const scanner = new HeadScanner('request', { maxHeaderBytes: 1024 })
    expect(scanner.push(bytes(start))).toBe('more')
    const chunk = bytes('x'.repeat(100))
    let pushes = 1
    while (scanner.push(chunk) === 'more') pushes++
    expect(pushes).toBeLessThan(12)
    expect(scanner.error?.httpStatus).toBe(431)
  })

  it.each(['\x16\x03\x01\x02\x00\x01', 'SSH-2.0-OpenSSH_9.2\r\n', '\x81\x05hello', '\0'])(
    'fails at once if it is not HTTP: %j',
    (text) => {
      expect(new HeadScanner('response').push(bytes(text))).toBe('failed')
    },
  )
})

describe('unusual and valid handshakes', () => {
  it.each([
    ['Connection: keep-alive, Upgrade'],
    ['Connection: UPGRADE,keep-alive'],
    ['Connection: keep-alive', 'Connection: upgrade'],
  ])('are accepted: %s', (...lines) => {
    expect(
      serve(requestText([...LINES.filter((line) => !line.startsWith('Connection')), ...lines])),
    ).toHaveProperty('key')
  })

  it('are accepted with the header upgrade: WebSocket', () => {
    expect(
      serve(requestText(LINES.map((line) => line.replace('Upgrade: websocket', 'upgrade: WebSocket')))),
    ).toHaveProperty('key')
  })

  it('are accepted with unknown, duplicate or out-of-range parameters of an extension', () => {
    const offers = ['x; x; x=1', 'x=0; x=7; x=16', 'x="15"', 'x=+10', 'x=-1', 'unknown']
    for (const offer of offers) {
      expect(
        serve(requestText([...LINES, `Sec-WebSocket-Extensions: permessage-deflate; ${offer}`])),
      ).toHaveProperty('key')
    }
  })
})

describe('every refusal', () => {
  it('can be sent and is read by a client', () => {
    for (const status of [400, 405, 426, 431, 505]) {
      const scanner = new HeadScanner('response')
      expect(scanner.push(formatRejection(status, { body: 'no\n' }))).toBe('done')
      if (scanner.head === null) throw new Error('no head')
      const result = verifyUpgradeResponse(scanner.head, {
        key: createKey(),
        protocols: [],
        extensionNames: [],
      })
      expect(result).toMatchObject({ code: 'HAWSER_UNEXPECTED_STATUS', httpStatus: status })
    }
  })
})
