import { InvalidStateError } from '../../../src/errors.js'
import { HeadScanner } from '../../../src/handshake/http1.js'
import type { HeadScannerOptions, HeadTypes } from '../../../src/handshake/http1.js'

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

const scan = <Kind extends keyof HeadTypes>(
  kind: Kind,
  text: string,
  options?: HeadScannerOptions,
): HeadScanner<Kind> => {
  const scanner = new HeadScanner(kind, options)
  scanner.push(bytes(text))
  return scanner
}

const GET = 'GET / HTTP/1.1\r\n'
const OK = 'HTTP/1.1 101 Switching Protocols\r\n'

describe('RFC 9112 3: the head of a request', () => {
  it('is read whole', () => {
    const scanner = new HeadScanner('request')
    expect(
      scanner.push(bytes('GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade:websocket\r\n\r\n')),
    ).toBe('done')
    expect(scanner.error).toBeNull()
    expect(scanner.rest).toHaveLength(0)
    expect(scanner.head?.method).toBe('GET')
    expect(scanner.head?.target).toBe('/chat?x=1')
    expect(scanner.head?.httpVersion).toBe('1.1')
    expect(scanner.head?.headers.entries()).toEqual([
      ['Host', 'server.example.com'],
      ['Upgrade', 'websocket'],
    ])
  })

  it('may arrive byte by byte', () => {
    const text = '\r\nGET /chat HTTP/1.1\r\nHost: \t a b \t\r\nX:\r\n\r\n'
    const scanner = new HeadScanner('request')
    const answers = Array.from(text, (character) => scanner.push(bytes(character)))
    expect(answers.slice(0, -1).every((answer) => answer === 'more')).toBe(true)
    expect(answers.at(-1)).toBe('done')
    expect(scanner.head?.target).toBe('/chat')
    expect(scanner.head?.headers.entries()).toEqual([
      ['Host', 'a b'],
      ['X', ''],
    ])
  })

  it('may have any method and any version', () => {
    expect(scan('request', 'M-SEARCH * HTTP/2.0\r\n\r\n').head).toMatchObject({
      method: 'M-SEARCH',
      target: '*',
      httpVersion: '2.0',
    })
  })

  it('may follow one empty line (section 2.2), but not two', () => {
    expect(scan('request', `\r\n${GET}\r\n`).head?.method).toBe('GET')
    expect(scan('request', `\r\n\r\n${GET}\r\n`).error?.message).toBe(
      'a malformed HTTP head: unexpected byte 0x0d at the start of the request, at offset 2',
    )
  })

  it.each([
    ['', ''],
    [' \t', ''],
    [' a', 'a'],
    ['a \t ', 'a'],
    [' a  b ', 'a  b'],
    [' \xe9\x80\xff', '\xe9\x80\xff'],
  ])('loses white space around a value: %j', (sent, value) => {
    expect(scan('request', `${GET}X:${sent}\r\n\r\n`).head?.headers.get('x')).toBe(value)
  })

  it.each([
    [' GET / HTTP/1.1\r\n\r\n', 'byte 0x20 at the start of the request, at offset 0'],
    ['\nGET / HTTP/1.1\r\n\r\n', 'byte 0x0a at the start of the request, at offset 0'],
    ['\rGET / HTTP/1.1\r\n\r\n', 'byte 0x47 after a carriage return, at offset 1'],
    ['GE\0 / HTTP/1.1\r\n\r\n', 'byte 0x00 in the method, at offset 2'],
    ['GET\t/ HTTP/1.1\r\n\r\n', 'byte 0x09 in the method, at offset 3'],
    ['GET\r\n\r\n', 'byte 0x0d in the method, at offset 3'],
    ['GET  / HTTP/1.1\r\n\r\n', 'byte 0x20 in the request target, at offset 4'],
    ['GET /\r\n\r\n', 'byte 0x0d in the request target, at offset 5'],
    ['GET /\xe9 HTTP/1.1\r\n\r\n', 'byte 0xe9 in the request target, at offset 5'],
    ['GET /\x7f HTTP/1.1\r\n\r\n', 'byte 0x7f in the request target, at offset 5'],
    ['GET /  HTTP/1.1\r\n\r\n', 'byte 0x20 in the HTTP version, at offset 6'],
    ['GET / http/1.1\r\n\r\n', 'byte 0x68 in the HTTP version, at offset 6'],
    ['GET / HTTP/x.1\r\n\r\n', 'byte 0x78 in the HTTP version, at offset 11'],
    ['GET / HTTP/1,1\r\n\r\n', 'byte 0x2c in the HTTP version, at offset 12'],
    ['GET / HTTP/1.x\r\n\r\n', 'byte 0x78 in the HTTP version, at offset 13'],
    ['GET / HTTP/1.1 \r\n\r\n', 'byte 0x20 after the HTTP version, at offset 14'],
    ['GET / HTTP/1.10\r\n\r\n', 'byte 0x30 after the HTTP version, at offset 14'],
    ['GET / HTTP/1.1\n\r\n', 'byte 0x0a after the HTTP version, at offset 14'],
    ['GET / HTTP/1.1\r\r\n', 'byte 0x0d after a carriage return, at offset 15'],
    [`${GET} Host: a\r\n\r\n`, 'byte 0x20 at the start of a header line, at offset 16'],
    [`${GET}: a\r\n\r\n`, 'byte 0x3a at the start of a header line, at offset 16'],
    [`${GET}\n`, 'byte 0x0a at the start of a header line, at offset 16'],
    [`${GET}Host : a\r\n\r\n`, 'byte 0x20 in a header name, at offset 20'],
    [`${GET}Host\r\n\r\n`, 'byte 0x0d in a header name, at offset 20'],
    [`${GET}H\xf6st: a\r\n\r\n`, 'byte 0xf6 in a header name, at offset 17'],
    [`${GET}Host: a\n\r\n`, 'byte 0x0a in a header value, at offset 23'],
    [`${GET}Host: a\0\r\n\r\n`, 'byte 0x00 in a header value, at offset 23'],
    [`${GET}Host: a\x7f\r\n\r\n`, 'byte 0x7f in a header value, at offset 23'],
    [`${GET}Host: a\rb\r\n\r\n`, 'byte 0x62 after a carriage return, at offset 24'],
    [`${GET}Host: a\r\n b\r\n\r\n`, 'byte 0x20 at the start of a header line, at offset 25'],
    [`${GET}Host: a\r\n\tb\r\n\r\n`, 'byte 0x09 at the start of a header line, at offset 25'],
    [`${GET}\rX`, 'byte 0x58 after a carriage return, at offset 17'],
  ])('is refused if it is malformed: %j', (text, detail) => {
    const scanner = scan('request', text)
    expect(scanner.head).toBeNull()
    expect(scanner.error?.code).toBe('HAWSER_MALFORMED_HEAD')
    expect(scanner.error?.httpStatus).toBe(400)
    expect(scanner.error?.message).toBe(`a malformed HTTP head: unexpected ${detail}`)
  })

  it('fails at the first wrong byte, and stays failed', () => {
    const scanner = new HeadScanner('request')
    expect(scanner.push(bytes('GET /'))).toBe('more')
    expect(scanner.push(bytes('\x16'))).toBe('failed')
    const { error } = scanner
    expect(error?.message).toContain('offset 5')
    expect(scanner.push(bytes(' HTTP/1.1\r\n\r\n'))).toBe('failed')
    expect(scanner.error).toBe(error)
    expect(scanner.head).toBeNull()
  })
})

describe('RFC 9112 4: the head of a response', () => {
  it('is read, and the bytes after it are kept', () => {
    const scanner = new HeadScanner('response')
    const chunk = bytes(`${OK}Upgrade: websocket\r\n\r\n\x81\x02hi\r\n\r\n`)
    expect(scanner.push(chunk)).toBe('done')
    expect(scanner.head).toMatchObject({ status: 101, statusText: 'Switching Protocols', httpVersion: '1.1' })
    expect(scanner.head?.headers.entries()).toEqual([['Upgrade', 'websocket']])
    expect(Buffer.from(scanner.rest)).toEqual(Buffer.from('\x81\x02hi\r\n\r\n', 'latin1'))
    expect(scanner.rest.buffer).toBe(chunk.buffer)
  })

  it('leaves no bytes of an earlier chunk in rest', () => {
    const scanner = new HeadScanner('response')
    expect(scanner.push(bytes(`${OK}\r`))).toBe('more')
    expect(scanner.rest).toHaveLength(0)
    expect(scanner.push(bytes('\n\x88\x00'))).toBe('done')
    expect([...scanner.rest]).toEqual([0x88, 0x00])
  })

  it.each([
    ['HTTP/1.1 200 OK', 200, 'OK'],
    ['HTTP/1.1 404 ', 404, ''],
    ['HTTP/1.1 404', 404, ''],
    ['HTTP/1.0 999 a\tb \xe9', 999, 'a\tb \xe9'],
    ['HTTP/1.1 101  x', 101, ' x'],
  ])('is read from the status line %j', (line, status, statusText) => {
    expect(scan('response', `${line}\r\n\r\n`).head).toMatchObject({ status, statusText })
  })

  it('may be cut inside the reason phrase', () => {
    const scanner = new HeadScanner('response')
    for (const part of ['HTTP/1.', '1 1', '01 Swit', 'ching', '', '\r', '\n', 'A', 'b: c', 'd\r', '\n\r\n']) {
      scanner.push(bytes(part))
    }
    expect(scanner.head).toMatchObject({ status: 101, statusText: 'Switching' })
    expect(scanner.head?.headers.entries()).toEqual([['Ab', 'cd']])
  })

  it.each([
    ['\r\nHTTP/1.1 101 x\r\n\r\n', 'byte 0x0d in the HTTP version, at offset 0'],
    ['SSH-2.0-x\r\n', 'byte 0x53 in the HTTP version, at offset 0'],
    ['HTTP/1.1\r\n', 'byte 0x0d after the HTTP version, at offset 8'],
    ['HTTP/1.1  101', 'byte 0x20 in the status code, at offset 9'],
    ['HTTP/1.1 001 x', 'byte 0x30 in the status code, at offset 9'],
    ['HTTP/1.1 10 x', 'byte 0x20 in the status code, at offset 11'],
    ['HTTP/1.1 1010', 'byte 0x30 after the status code, at offset 12'],
    ['HTTP/1.1 101\n', 'byte 0x0a after the status code, at offset 12'],
    ['HTTP/1.1 101 x\n', 'byte 0x0a in the reason phrase, at offset 14'],
    ['HTTP/1.1 101 x\0', 'byte 0x00 in the reason phrase, at offset 14'],
    ['HTTP/1.1 101 x\rx', 'byte 0x78 after a carriage return, at offset 15'],
  ])('is refused if it is malformed: %j', (text, detail) => {
    const { error } = scan('response', text)
    expect(error?.code).toBe('HAWSER_MALFORMED_RESPONSE')
    expect(error?.httpStatus).toBeUndefined()
    expect(error?.message).toBe(`a malformed HTTP response: unexpected ${detail}`)
  })
})

describe('a chunk that is a head of its own', () => {
  it('is not a response where a response is expected', () => {
    const { head, error } = scan('response', `${GET}\r\n`)
    expect(head).toBeNull()
    expect(error?.code).toBe('HAWSER_MALFORMED_RESPONSE')
  })

  it('is a part of the head that began before it', () => {
    const scanner = new HeadScanner('request')
    expect(scanner.push(bytes(`POST /a HTTP/1.1\r\n`))).toBe('more')
    expect(scanner.push(bytes(`${GET}\r\n`))).toBe('failed')
    expect(scanner.error?.message).toBe(
      'a malformed HTTP head: unexpected byte 0x20 in a header name, at offset 21',
    )
  })
})

describe('the limits of a head', () => {
  const head = (length: number): string => `${GET}A: ${'x'.repeat(length - GET.length - 7)}\r\n\r\n`

  it('maxHeaderBytes counts the blank line, but not the bytes after it', () => {
    expect(head(64)).toHaveLength(64)
    const scanner = scan('request', `${head(64)}${'rest'.repeat(100)}`, { maxHeaderBytes: 64 })
    expect(scanner.head?.method).toBe('GET')
    expect(scanner.rest).toHaveLength(400)
  })

  it('a head one byte above maxHeaderBytes is refused, in one chunk or in several', () => {
    const whole = new HeadScanner('request', { maxHeaderBytes: 64 })
    expect(whole.push(bytes(head(65)))).toBe('failed')
    expect(whole.error?.code).toBe('HAWSER_HEAD_TOO_LARGE')
    expect(whole.error?.httpStatus).toBe(431)
    expect(whole.error?.message).toBe('an HTTP head larger than maxHeaderBytes: not complete after 64 bytes')

    const parts = new HeadScanner('request', { maxHeaderBytes: 64 })
    const answers = Array.from(head(65), (character) => parts.push(bytes(character)))
    expect(answers.indexOf('failed')).toBe(63)
    expect(parts.error?.message).toBe(whole.error?.message)
  })

  it('an empty line before the head counts too', () => {
    expect(scan('request', `\r\n${head(62)}`, { maxHeaderBytes: 64 }).head?.method).toBe('GET')
    expect(scan('request', `\r\n${head(63)}`, { maxHeaderBytes: 64 }).error?.code).toBe(
      'HAWSER_HEAD_TOO_LARGE',
    )
    const cut = new HeadScanner('request', { maxHeaderBytes: 64 })
    expect(cut.push(bytes('\r\n'))).toBe('more')
    expect(cut.push(bytes(head(64)))).toBe('failed')
    expect(cut.error?.code).toBe('HAWSER_HEAD_TOO_LARGE')
  })

  it('a chunk that goes on beyond maxHeaderBytes is not read there', () => {
    const scanner = new HeadScanner('request', { maxHeaderBytes: 64 })
    expect(scanner.push(bytes(head(70).slice(0, 60)))).toBe('more')
    expect(scanner.push(bytes(head(70).slice(60)))).toBe('failed')
    expect(scanner.error?.code).toBe('HAWSER_HEAD_TOO_LARGE')
  })

  it('maxHeaderCount holds for a head that is cut', () => {
    const cut = (count: number): HeadScanner<'request'> => {
      const scanner = new HeadScanner('request', { maxHeaderCount: 4 })
      scanner.push(bytes(GET))
      scanner.push(bytes(`${'a:\r\n'.repeat(count)}\r\n`))
      return scanner
    }
    expect(cut(4).head?.headers.size).toBe(4)
    expect(cut(5).error?.message).toBe('an HTTP head larger than maxHeaderBytes: more than 4 header fields')
  })

  it('the error for a response that is too large has no HTTP status', () => {
    const { error } = scan('response', `${OK}A: ${'x'.repeat(100)}`, { maxHeaderBytes: 64 })
    expect(error?.code).toBe('HAWSER_RESPONSE_TOO_LARGE')
    expect(error?.httpStatus).toBeUndefined()
  })

  it('the defaults are 16 KiB and 256 fields', () => {
    expect(scan('request', head(16384)).head?.method).toBe('GET')
    expect(scan('request', head(16385)).error?.code).toBe('HAWSER_HEAD_TOO_LARGE')
    expect(scan('request', `${GET}${'a:\r\n'.repeat(256)}\r\n`).head?.headers.size).toBe(256)
    expect(scan('request', `${GET}${'a:\r\n'.repeat(257)}\r\n`).error?.message).toBe(
      'an HTTP head larger than maxHeaderBytes: more than 256 header fields',
    )
  })

  it('Infinity turns the limits off', () => {
    const scanner = scan('request', head(200_000), { maxHeaderBytes: Infinity, maxHeaderCount: Infinity })
    expect(scanner.head?.headers.get('a')).toHaveLength(200_000 - GET.length - 7)
  })
})

describe('a wrong argument of the caller', () => {
  it.each([
    [{ maxHeaderBytes: 63 }, new RangeError('maxHeaderBytes must be an integer from 64 to Infinity, not 63')],
    [
      { maxHeaderBytes: '1' },
      new TypeError('maxHeaderBytes must be an integer from 64 to Infinity, not "1"'),
    ],
    [{ maxHeaderCount: 0 }, new RangeError('maxHeaderCount must be an integer from 1 to Infinity, not 0')],
  ])('throws for %j', (options, error) => {
    expect(() => new HeadScanner('request', options as HeadScannerOptions)).toThrow(error)
  })

  it('throws for an unknown kind of head', () => {
    expect(() => new HeadScanner('trailer' as 'request')).toThrow(
      new TypeError('kind must be "request" or "response", not "trailer"'),
    )
  })

  it('throws for a chunk that is not bytes', () => {
    expect(() => new HeadScanner('request').push('GET' as unknown as Uint8Array)).toThrow(
      new TypeError('chunk must be a Uint8Array, not "GET"'),
    )
  })

  it('throws for bytes after the head, because they would be lost', () => {
    const scanner = scan('request', `${GET}\r\n`)
    expect(() => scanner.push(bytes('x'))).toThrow(
      new InvalidStateError('the head is complete: no bytes after it may be pushed'),
    )
    expect(scanner.head?.method).toBe('GET')
  })
})

describe('the kind of bytes', () => {
  const long = 'x'.repeat(9000)
  const head = `GET /${long} HTTP/1.1\r\nHost: server.example.com\r\nX-\u0041bc: \xe9\xff${long}\r\n\r\n`

  it.each([
    ['a Buffer', (text: string) => Buffer.from(text, 'latin1')],
    ['a view of a Buffer', (text: string) => Buffer.from(`junk${text}`, 'latin1').subarray(4)],
    ['a plain Uint8Array', bytes],
    ['a view of one', (text: string) => bytes(`junk${text}junk`).subarray(4, 4 + text.length)],
  ])('does not matter: %s, whole or cut', (_, encode) => {
    for (const chunkBytes of [head.length, 4096, 17]) {
      const scanner = new HeadScanner('request', { maxHeaderBytes: 20_000 })
      for (let at = 0; at < head.length; at += chunkBytes)
        scanner.push(encode(head.slice(at, at + chunkBytes)))
      expect(scanner.error).toBeNull()
      expect(scanner.head?.target).toBe(`/${long}`)
      expect(scanner.head?.headers.entries()).toEqual([
        ['Host', 'server.example.com'],
        ['X-Abc', `\xe9\xff${long}`],
      ])
    }
  })
})
