/** Heads of HTTP/1.1 by a reader that knows no chunks: what {@link HeadScanner} is compared with. */
import { HandshakeError } from '../../src/errors.js'
import { HeadScanner, type HeadTypes } from '../../src/handshake/http1.js'
import { check, checkSame, everyWay, type Choices } from './choices.js'

/** RFC 9110 section 5.6.2 and 5.5: a name, a colon, and visible characters. */
const FIELD_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*$/
const START_LINES = {
  request: /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP\/[0-9]\.[0-9]$/,
  response: /^HTTP\/[0-9]\.[0-9] [1-9][0-9][0-9]( [\t\x20-\x7e\x80-\xff]*)?$/,
} as const

/** What a head is, in one text. */
export interface SeenHead<Kind extends keyof HeadTypes> {
  readonly head: HeadTypes[Kind]
  /** The bytes after it. */
  readonly rest: Buffer
}

/** @returns the head; a code where it fails; null where more bytes are needed */
function scan<Kind extends keyof HeadTypes>(
  kind: Kind,
  chunks: readonly Buffer[],
  limits: { readonly maxHeaderBytes: number; readonly maxHeaderCount: number },
): SeenHead<Kind> | string | null {
  const scanner = new HeadScanner(kind, limits)
  for (const [i, chunk] of chunks.entries()) {
    const before = chunk.toString('latin1')
    const state = scanner.push(chunk)
    check(chunk.toString('latin1') === before, 'a chunk is only read')
    if (state === 'more') continue
    if (state === 'done') {
      const rest = Buffer.concat([scanner.rest, ...chunks.slice(i + 1)])
      check(scanner.head !== null && scanner.error === null, 'a head that is done is there')
      return { head: scanner.head, rest }
    }
    check(scanner.error instanceof HandshakeError && scanner.head === null, 'what failed says why')
    checkSame(scanner.push(Buffer.from('x')), 'failed', 'what failed stays failed')
    return scanner.error.code
  }
  return null
}

const showSeen = (seen: SeenHead<keyof HeadTypes> | string | null): unknown =>
  seen === null || typeof seen === 'string'
    ? seen
    : { ...seen.head, headers: seen.head.headers.entries(), rest: seen.rest.toString('latin1') }

/** Reads a head in every way. @returns null where there is none, or it fails */
export function readHead<Kind extends keyof HeadTypes>(kind: Kind, choices: Choices): SeenHead<Kind> | null {
  const limits = {
    maxHeaderBytes: choices.pick([16_384, 200, 64]),
    maxHeaderCount: choices.pick([256, 4, 1]),
  }
  const [whole, ...others] = everyWay(choices).map((chunks) => scan(kind, chunks, limits))
  for (const other of others)
    checkSame(showSeen(other), showSeen(whole ?? null), 'a head is the same in any chunks')
  if (whole === undefined || whole === null || typeof whole === 'string') return null
  checkPlainly(kind, choices.bytes, whole, limits)
  return whole
}

/** A head that is taken is one by the rules of the RFC, and says what its lines say. */
function checkPlainly<Kind extends keyof HeadTypes>(
  kind: Kind,
  bytes: Buffer,
  { head, rest }: SeenHead<Kind>,
  limits: { readonly maxHeaderBytes: number; readonly maxHeaderCount: number },
): void {
  const text = bytes.toString('latin1', 0, bytes.length - rest.length)
  check(bytes.subarray(bytes.length - rest.length).equals(rest), 'what follows a head is all that follows it')
  check(text.length <= limits.maxHeaderBytes, 'a head is not larger than allowed')
  check(text.endsWith('\r\n\r\n'), 'a head ends in an empty line')
  const [startLine = '', ...lines] = text
    .replace(kind === 'request' ? /^\r\n/ : /^$/, '')
    .slice(0, -4)
    .split('\r\n')
  check(START_LINES[kind].test(startLine), 'a start line is one', () => startLine)
  check(lines.length <= limits.maxHeaderCount, 'a head has no more fields than allowed')
  const fields = lines.map((line): readonly [string, string] => {
    check(FIELD_LINE.test(line), 'each line is a field', () => JSON.stringify(line))
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, '')]
  })
  checkSame(head.headers.entries(), fields, 'the fields are those of the lines')
}
