import fc from 'fast-check'
import { FrameParser, type FrameParserOptions } from '../../src/frame/frame-parser.js'
import { maskCopy } from '../../src/frame/masking.js'
import { lane } from '../../src/native/simd.js'
import { frame, type FrameSpec, type MaskingKey } from '../helpers/frame-builder.js'
import { lend } from '../helpers/lane.js'

const isData = (opcode: number): boolean => opcode < 8

/** What a stream is, however its fragments are taken: whole messages, control frames, the violation, and what is left. */
class Reading {
  readonly lines: string[] = []
  taken = 0
  joined = 0
  private parts: Buffer[] = []
  private readonly parser: FrameParser

  constructor(options: FrameParserOptions) {
    this.parser = new FrameParser(options)
  }

  /** @param asksFirst says, in turn, whether `takeFragments` is asked before `next` */
  read(chunk: Buffer, asksFirst: readonly boolean[]): void {
    const { parser } = this
    parser.push(chunk)
    for (let turn = 0; ; turn++) {
      if (asksFirst[turn % asksFirst.length] === true && this.take()) continue
      const event = parser.next()
      if (event === null) break
      if (event.type === 'violation') {
        this.end(`${event.error.code} ${event.error.message}`)
        expect(parser.takeFragments()).toBe(0)
        return
      }
      const bytes = event.copy()
      if (isData(event.opcode)) {
        this.parts.push(bytes)
        if (event.fin && event.isLast) this.end('message')
      } else {
        this.lines.push(`${event.opcode} ${event.offset} ${bytes.toString('hex')}`)
      }
    }
    expect(parser.bufferedBytes).toBe(0)
    expect(parser.takeFragments()).toBe(0)
    parser.keepInput()
  }

  /** The message that is not finished belongs to what is compared. */
  finish(): readonly string[] {
    this.end('rest')
    return this.lines
  }

  private take(): boolean {
    const { parser } = this
    const before = parser.bufferedBytes
    const frames = parser.takeFragments()
    if (frames === 0) {
      expect(parser.bufferedBytes).toBe(before)
      return false
    }
    this.taken += frames
    if (frames > 1) this.joined++
    const { wholeSource, wholeStart, wholeEnd, wholeKey } = parser
    const bytes = Buffer.alloc(wholeEnd - wholeStart)
    maskCopy(wholeSource, wholeStart, wholeEnd, bytes, 0, wholeKey, 0)
    if (parser.tookAscii) expect(bytes.every((byte) => byte < 0x80)).toBe(true)
    this.parts.push(bytes)
    if (parser.tookLast) this.end('message')
    return true
  }

  private end(what: string): void {
    this.lines.push(`${what} ${Buffer.concat(this.parts).toString('hex')}`)
    this.parts = []
  }
}

const payload = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 12 }) },
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => Buffer.from(text)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(0, 1, 15, 16, 63, 64, 124, 125, 126, 127, 300).map((n) => Buffer.alloc(n, n)),
  },
)
const key = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)) as fc.Arbitrary<MaskingKey>

/** Mostly fragments, and control frames between. */
const between: fc.Arbitrary<FrameSpec> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ opcode: fc.constant(0), fin: fc.constant(false), payload }) },
  {
    weight: 1,
    arbitrary: fc.record({ opcode: fc.constantFrom(9, 10), payload: fc.uint8Array({ maxLength: 9 }) }),
  },
)
const message: fc.Arbitrary<readonly FrameSpec[]> = fc
  .tuple(fc.constantFrom(1, 2), fc.boolean(), payload, fc.array(between, { maxLength: 12 }), payload)
  .map(([opcode, rsv1, first, rest, last]) => [
    { opcode, rsv1, fin: false, payload: first },
    ...rest,
    { opcode: 0, payload: last },
  ])

/** `isMaskedWrong`: the mask bit says what the other role sends. */
type Fault = FrameSpec & { readonly isMaskedWrong?: boolean }
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ opcode: fc.constant(0), payload, isMaskedWrong: fc.constant(true) }),
  fc.record({ opcode: fc.nat(15), fin: fc.boolean(), payload: fc.uint8Array({ maxLength: 4 }) }),
  fc.record({ opcode: fc.constant(0), rsv1: fc.constant(true), payload }),
  fc.record({
    opcode: fc.constant(0),
    fin: fc.constant(false),
    payload: fc.uint8Array({ maxLength: 4 }),
    lengthForm: fc.constantFrom<16 | 64>(16, 64),
  }),
)

/** Messages in fragments, with a fault among them now and then. */
const stream = fc
  .tuple(
    fc.array(message, { minLength: 1, maxLength: 4 }),
    fc.option(fc.tuple(fc.nat(30), fault), { freq: 1, nil: null }),
    key,
  )
  .map(([messages, broken, anyKey]) => {
    const specs: Fault[] = messages.flat()
    if (broken !== null) specs.splice(Math.min(broken[0], specs.length), 0, broken[1])
    return { specs, key: anyKey }
  })

const options: fc.Arbitrary<FrameParserOptions> = fc.record(
  {
    role: fc.constantFrom<'server' | 'client'>('server', 'client'),
    allowRsv1: fc.constant(true),
    maxFrameBytes: fc.constantFrom(Infinity, Infinity, 125, 64),
    maxMessageBytes: fc.constantFrom(Infinity, 2 ** 40, 1000, 200),
    maxCompressedBytes: fc.constantFrom(2 ** 40, 70_000, 200),
  },
  { requiredKeys: ['role', 'allowRsv1'] },
)

describe('takeFragments', () => {
  test.each([
    ['in the memory of src/native/simd', true],
    ['in any memory', false],
  ])('gives the same as next: %s, in whatever order they are asked', (_name, isLent) => {
    let [taken, joined, violations] = [0, 0, 0]
    fc.assert(
      fc.property(
        options,
        stream,
        fc.array(fc.oneof(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 9000 })), {
          minLength: 1,
        }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
        (given, sent, sizes, asksFirst) => {
          const isMasked = given.role === 'server'
          const bytes = Buffer.concat(
            sent.specs.map(({ isMaskedWrong = false, ...one }) =>
              frame({
                ...one,
                ...(isMasked ? { key: sent.key } : {}),
                ...(isMaskedWrong ? { maskBit: !isMasked } : {}),
              }),
            ),
          )
          const expected = new Reading(given)
          const [found, mixed] = [new Reading(given), new Reading(given)]
          let at = 0
          for (let i = 0; at < bytes.length; i++) {
            // The rest of a long stream as one, after many cuts.
            const end = i < 60 ? Math.min(at + sizes[i % sizes.length]!, bytes.length) : bytes.length
            const chunk = bytes.subarray(at, end)
            at = end
            expected.read(Buffer.from(chunk), [false])
            found.read(isLent ? lend(chunk) : Buffer.from(chunk), [true])
            mixed.read(isLent ? lend(chunk) : Buffer.from(chunk), asksFirst)
            if (expected.lines.at(-1)?.startsWith('HAWSER') === true) break
          }
          expect(found.lines).toEqual(expected.lines)
          expect(mixed.lines).toEqual(expected.lines)
          if (expected.lines.at(-1)?.startsWith('HAWSER') === true) violations++
          expect(found.finish()).toEqual(expected.finish())
          expect(mixed.finish()).toEqual(expected.lines)
          taken += found.taken
          joined += found.joined
        },
      ),
      { numRuns: 500 },
    )
    // The property is about something.
    expect(taken).toBeGreaterThan(2000)
    expect(violations).toBeGreaterThan(100)
    if (isLent && lane.isOpen) expect(joined).toBeGreaterThan(200)
    else expect(joined).toBe(0)
  })
})
