import fc from 'fast-check'
import { FrameParser, type FrameParserOptions } from '../../src/frame/frame-parser.js'
import { maskInPlace } from '../../src/frame/masking.js'
import { frame, type FrameSpec, type MaskingKey } from '../helpers/frame-builder.js'

/** One event on one line: `next` and `takeWhole` must tell the same. */
type Line = string

const show = (opcode: number, flags: string, announced: number, offset: number, payload: Buffer): Line =>
  `${opcode} ${flags} ${announced}@${offset} ${payload.toString('hex')}`

function showNext(parser: FrameParser): Line | null {
  const event = parser.next()
  if (event === null) return null
  if (event.type === 'violation') return `${event.error.code} ${event.error.message}`
  const { fin, rsv1, isFirst, isLast, opcode, payloadLength, offset } = event
  const flags = [fin && 'fin', rsv1 && 'rsv1', isFirst && 'first', isLast && 'last'].filter(Boolean).join()
  return show(opcode, flags, payloadLength, offset, event.payload)
}

function showWhole(parser: FrameParser): Line | null {
  const before = parser.bufferedBytes
  const opcode = parser.takeWhole()
  if (opcode === 0) {
    expect(parser.bufferedBytes).toBe(before)
    return null
  }
  const { wholeSource, wholeStart, wholeEnd, wholeKey } = parser
  maskInPlace(wholeSource, wholeStart, wholeEnd, wholeKey)
  const payload = wholeSource.subarray(wholeStart, wholeEnd)
  expect(payload.length).toBeLessThan(126)
  return show(opcode, 'fin,first,last', payload.length, 0, payload)
}

/** All events of some chunks. `asksFirst` says, in turn, whether `takeWhole` is asked before `next`. */
function events(
  options: FrameParserOptions,
  chunks: readonly Buffer[],
  asksFirst: readonly boolean[],
): { readonly lines: Line[]; readonly taken: number } {
  const parser = new FrameParser(options)
  const lines: Line[] = []
  let turn = 0
  let taken = 0
  for (const chunk of chunks) {
    parser.push(Buffer.from(chunk))
    for (;;) {
      const whole = asksFirst[turn++ % asksFirst.length] === true ? showWhole(parser) : null
      if (whole !== null) taken++
      const line = whole ?? showNext(parser)
      if (line === null) break
      lines.push(line)
      if (parser.error !== null) return { lines: [...lines, showNext(parser)!], taken }
    }
    expect(parser.bufferedBytes).toBe(0)
    expect(parser.takeWhole()).toBe(0)
  }
  return { lines, taken }
}

const payload = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 12 }) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 124, 125, 126, 127, 128, 300).map((n) => new Uint8Array(n)) },
)
const key = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)) as fc.Arbitrary<MaskingKey>

/** Mostly what `takeWhole` is for, and everything else between. */
const spec: fc.Arbitrary<FrameSpec> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ opcode: fc.constantFrom(1, 2), payload }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ opcode: fc.constantFrom(0, 0, 1, 2, 9, 10), fin: fc.boolean(), payload }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      opcode: fc.nat(15),
      payload,
      fin: fc.boolean(),
      rsv1: fc.boolean(),
      rsv2: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 2), fc.constantFrom<16 | 64>(16, 64), payload)
      .map(([opcode, lengthForm, bytes]) => ({ opcode, lengthForm, payload: bytes })),
  },
)

const limit = fc.constantFrom(Infinity, Infinity, 0, 1, 8, 124, 125, 126)

describe('RFC 6455 5.2: a short frame that is taken whole', () => {
  test('is the same frame that next gives, for any frames and cuts, both roles, and with limits and violations', () => {
    let taken = 0
    let violations = 0
    fc.assert(
      fc.property(
        fc.constantFrom('client', 'server'),
        fc.boolean(),
        limit,
        limit,
        fc.array(fc.tuple(spec, key, fc.nat(40)), { minLength: 1, maxLength: 20 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constant(4096)), { minLength: 1, maxLength: 6 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
        (role, allowRsv1, maxFrameBytes, maxMessageBytes, sent, sizes, asksFirst) => {
          const bytes = Buffer.concat(
            // Now and then masked where it must not be, or the other way round.
            sent.map(([one, mask, lie]) =>
              frame((role === 'server') === lie > 0 ? { ...one, key: mask } : one),
            ),
          )
          const chunks: Buffer[] = []
          for (let at = 0, i = 0; at < bytes.length; i++) {
            chunks.push(bytes.subarray(at, (at += sizes[i % sizes.length]!)))
          }
          const options = { role, allowRsv1, maxFrameBytes, maxMessageBytes } as const
          const expected = events(options, chunks, [false]).lines
          const always = events(options, chunks, [true])
          expect(always.lines).toEqual(expected)
          expect(events(options, chunks, asksFirst).lines).toEqual(expected)
          taken += always.taken
          if (expected.at(-1)?.startsWith('HAWSER') === true) violations++
        },
      ),
      { numRuns: 1500 },
    )
    // The property is about something.
    expect(taken).toBeGreaterThan(500)
    expect(violations).toBeGreaterThan(100)
  })
})
