/** The body of a Close frame (RFC 6455 sections 5.5.1 and 7.4). */
import { ProtocolError } from '../../src/errors.js'
import { decodeClosePayload, encodeClosePayload } from '../../src/frame/close-code.js'
import { check, checkSame, type Target } from './choices.js'

/** The codes that a Close frame may have, as ranges, by the registry of IANA. */
const LEGAL: readonly (readonly [from: number, to: number])[] = [
  [1000, 1003],
  [1007, 1014],
  [3000, 4999],
]

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What the body says, by the words of the RFC; or the code that fails the connection. */
function expected(payload: Buffer): { code: number; reason: string } | number {
  if (payload.length === 0) return { code: 1005, reason: '' }
  if (payload.length === 1) return 1002
  const code = payload.readUInt16BE(0)
  if (!LEGAL.some(([from, to]) => code >= from && code <= to)) return 1002
  try {
    return { code, reason: decoder.decode(payload.subarray(2)) }
  } catch {
    return 1007
  }
}

function run(input: Buffer): void {
  const before = input.toString('hex')
  const result = decodeClosePayload(input)
  checkSame(input.toString('hex'), before, 'the payload is only read')
  const right = expected(input)
  if (result instanceof ProtocolError) {
    checkSame(result.closeCode, right, 'a wrong body has the code of what is wrong')
    return
  }
  checkSame(result, right, 'a right body is read as the RFC has it')
  check(
    input.length > 125 || encodeClosePayload(result.code, result.reason).equals(input),
    'it is written as it was read',
  )
}

export const target: Target = {
  title: 'the body of a Close frame, against the words of the RFC',
  lanes: ['native', 'off'],
  maxBytes: 200,
  seeds: () => [
    Buffer.of(),
    Buffer.of(0x03),
    Buffer.of(0x03, 0xe8),
    Buffer.from('\x03\xe8bye', 'latin1'),
    Buffer.concat([Buffer.of(0x0f, 0xa0), Buffer.from('κόσμε')]),
    Buffer.concat([Buffer.of(0x03, 0xe8), Buffer.from('𝄞'.repeat(30))]),
    ...[999, 1004, 1005, 1006, 1015, 1016, 2999, 5000].map((code) => Buffer.of(code >> 8, code & 0xff)),
  ],
  run,
}
