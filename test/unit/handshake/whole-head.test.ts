/** A head that lies whole in one chunk gives the same as one that comes byte by byte. */
import * as fc from 'fast-check'
import { HandshakeError } from '../../../src/errors.js'
import { HeadScanner, type RequestHead } from '../../../src/handshake/http1.js'
import { readWholeRequest } from '../../../src/handshake/whole-head.js'

const LINES = 'GET /chat?x=1 HTTP/1.1\r\nHost: a\r\nX: \t b c \t\r\nEmpty:\r\nX: \u00e9\u00ff\r\n\r\n'

/** What a scanner makes of the bytes, given one by one. */
function scanByByte(bytes: Uint8Array, maxHeaderCount?: number): RequestHead | HandshakeError | null {
  const scanner = new HeadScanner('request', maxHeaderCount === undefined ? {} : { maxHeaderCount })
  for (const byte of bytes) {
    const state = scanner.push(Uint8Array.of(byte))
    if (state === 'failed') return scanner.error
    if (state === 'done') return scanner.head
  }
  return null
}

const plain = (head: RequestHead): unknown => ({ ...head, headers: head.headers.entries() })

describe('a head in one chunk', () => {
  test('is read with all its parts, and the bytes after it are left', () => {
    const bytes = Buffer.from(`${LINES}rest`, 'latin1')
    const whole = readWholeRequest(bytes, 16_384, 256)
    expect(whole?.length).toBe(bytes.length - 4)
    expect(plain(whole?.head as RequestHead)).toEqual({
      method: 'GET',
      target: '/chat?x=1',
      httpVersion: '1.1',
      headers: [
        ['Host', 'a'],
        ['X', 'b c'],
        ['Empty', ''],
        ['X', '\u00e9\u00ff'],
      ],
    })
  })

  test.each([
    ['cut at any byte', ...Array.from({ length: LINES.length }, (_, end) => LINES.slice(0, end))],
    ['with a bare line feed', LINES.replace('a\r\n', 'a\n')],
    ['with a NUL before a line feed', LINES.replace('a\r\n', 'a\0\n')],
    ['with a tab after the target', LINES.replace('x=1 ', 'x=1\t')],
    ['with no line end after the version', LINES.replace('1.1\r\n', '1.1ab')],
    ['with a folded line', LINES.replace('Host: a\r\n', 'Host: a\r\n b\r\n')],
    ['with a space before a colon', LINES.replace('Host:', 'Host :')],
    ['with a control character in a value', LINES.replace('b c', 'b\0c')],
    ['with DEL in a value', LINES.replace('b c', 'b\x7fc')],
    ['without a name', LINES.replace('Host', '')],
    ['without a target', LINES.replace('/chat?x=1', '')],
    ['with two spaces', LINES.replace('GET ', 'GET  ')],
    ['without a method', LINES.replace('GET', '')],
    ['with another version', LINES.replace('HTTP/1.1', 'HTTQ/1.1')],
    ['with a longer version', LINES.replace('HTTP/1.1', 'HTTP/1.12')],
    ['with a byte beyond ASCII in the target', LINES.replace('chat', 'ch\u00e4t')],
  ])('%s is left to the scanner', (_, ...heads) => {
    for (const head of heads) expect(readWholeRequest(Buffer.from(head, 'latin1'), 16_384, 256)).toBeNull()
  })

  test('at its bounds is read, and beyond them left to the scanner', () => {
    const bytes = Buffer.from(LINES, 'latin1')
    expect(readWholeRequest(bytes, bytes.length, 4)).not.toBeNull()
    expect(readWholeRequest(bytes, bytes.length - 1, 4)).toBeNull()
    expect(readWholeRequest(bytes, bytes.length, 3)).toBeNull()
    expect(readWholeRequest(bytes, Infinity, Infinity)).not.toBeNull()
  })

  test('gives what byte by byte gives, for any bytes that are changed in it', () => {
    const change = fc.tuple(
      fc.nat(LINES.length - 1),
      fc.oneof(fc.nat(255), fc.constantFrom(10, 13, 32, 58, 9)),
    )
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), fc.nat(5), (changes, maxHeaderCount) => {
        const bytes = Buffer.from(LINES, 'latin1')
        for (const [at, code] of changes) bytes[at] = code
        const slow = scanByByte(bytes, maxHeaderCount + 1)
        const whole = readWholeRequest(bytes, 16_384, maxHeaderCount + 1)
        if (whole !== null) {
          expect(slow).not.toBeInstanceOf(HandshakeError)
          expect(plain(whole.head)).toEqual(plain(slow as RequestHead))
        }
        const scanner = new HeadScanner('request', { maxHeaderCount: maxHeaderCount + 1 })
        scanner.push(bytes)
        expect(scanner.error?.message).toBe(slow instanceof HandshakeError ? slow.message : undefined)
        expect(scanner.head === null).toBe(slow === null || slow instanceof HandshakeError)
      }),
      { numRuns: 3000 },
    )
  })
})
