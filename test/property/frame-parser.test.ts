import fc from 'fast-check'
import { FrameParser, type FrameParserOptions } from '../../src/frame/frame-parser.js'
import { frame, frameHeader, KEY, OP, type FrameSpec } from '../helpers/frame-builder.js'
import { modelFrames, type ModelOptions, type ParserOutcome, type SeenFrame } from '../helpers/frame-model.js'

/** How the bytes are pushed: the sizes of the pieces, and the most events pulled after each. */
type Schedule = readonly (readonly [size: number, pulls: number])[]

/** Not `expect`: it would be most of the running time, byte by byte. */
function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** Pulls up to `pulls` events, and joins the parts of a frame. Checks what holds for every part. */
function pull(parser: FrameParser, outcome: ParserOutcome, pulls: number): void {
  for (let i = 0; i < pulls; i++) {
    const event = parser.next()
    if (event === null) {
      check(parser.bufferedBytes === 0, 'null with bytes to go on with')
      return
    }
    if (event.type === 'violation') {
      check(parser.error === event.error, 'error is that of the violation')
      outcome.violation = event.error.code
      return
    }
    const payload = event.payload.toString('latin1')
    const { opcode, fin, rsv1, payloadLength, isFirst, isLast } = event
    check(event.byteLength === payload.length, 'byteLength')
    if (isFirst) {
      check(event.offset === 0, 'the first part begins at 0')
      outcome.frames.push({ opcode, fin, rsv1, payloadLength, payload, isWhole: isLast })
    } else {
      const last = outcome.frames.at(-1) as SeenFrame
      check(!last.isWhole && last.opcode === opcode && last.fin === fin && last.rsv1 === rsv1, 'of one frame')
      check(last.payloadLength === payloadLength, 'of one length')
      check(
        event.offset === last.payload.length && payload.length > 0,
        'a part goes on where the last one ended',
      )
      last.payload += payload
      last.isWhole = isLast
    }
  }
}

function run(
  bytes: Buffer,
  options: FrameParserOptions,
  schedule: Schedule,
): ParserOutcome & { parser: FrameParser } {
  const parser = new FrameParser(options)
  const outcome: ParserOutcome = { frames: [], violation: null }
  let at = 0
  for (const [size, pulls] of [...schedule, [bytes.length, 0] as const]) {
    const piece = bytes.subarray(at, at + size)
    // Owned by the parser from here on, at any alignment, and no Buffer every other time.
    parser.push(at % 2 === 0 ? Buffer.from(piece) : Uint8Array.from(piece))
    at += piece.length
    pull(parser, outcome, pulls)
  }
  pull(parser, outcome, Infinity)
  return { ...outcome, parser }
}

const octet = fc.integer({ min: 0, max: 255 })

const anyOptions: fc.Arbitrary<ModelOptions> = fc.record({
  role: fc.constantFrom('client', 'server'),
  allowRsv1: fc.boolean(),
  maxFrameBytes: fc.constantFrom(Infinity, 200, 70_000),
  maxMessageBytes: fc.constantFrom(1_000_000, 300, 10),
  maxCompressedBytes: fc.constantFrom(1_000_000, 200, 20),
})

const anyLength = fc.oneof(
  { weight: 6, arbitrary: fc.nat(8) },
  { weight: 2, arbitrary: fc.nat(140) },
  { weight: 1, arbitrary: fc.constantFrom(125, 126, 127, 300, 65_535, 65_536) },
)

const anyPayload = anyLength.chain((length) =>
  length > 200
    ? octet.map((fill) => Buffer.alloc(length, fill))
    : fc.uint8Array({ minLength: length, maxLength: length }),
)

/** Frames that are right for their place in the stream: messages in fragments, control frames between them. */
const rightFrames = fc
  .array(
    fc.record({
      kind: fc.constantFrom('fragment', 'end', 'end', 'control'),
      type: fc.constantFrom(OP.TEXT, OP.BINARY),
      control: fc.constantFrom(OP.PING, OP.PONG, OP.CLOSE),
      payload: anyPayload,
      rsv1: fc.boolean(),
      key: fc.tuple(octet, octet, octet, octet),
    }),
    { maxLength: 10 },
  )
  .map((steps) => {
    let inMessage = false
    return steps.map(({ kind, type, control, payload, rsv1, key }): FrameSpec => {
      if (kind === 'control') return { opcode: control, payload: payload.subarray(0, 125), key }
      const isFirst = !inMessage
      inMessage = kind === 'fragment'
      return {
        opcode: isFirst ? type : OP.CONTINUATION,
        fin: !inMessage,
        rsv1: isFirst && rsv1,
        payload,
        key,
      }
    })
  })

/** A frame that is wrong in some way, perhaps. */
const anyFrame: fc.Arbitrary<Buffer> = fc
  .record({
    opcode: fc.nat(15),
    fin: fc.boolean(),
    rsv1: fc.boolean(),
    rsv2: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    masked: fc.boolean(),
    payload: anyPayload,
    form: fc.constantFrom(undefined, 16 as const, 64 as const),
    announce: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { freq: 6, nil: undefined }),
  })
  .map(({ masked, form, announce, ...spec }) => {
    const key = masked ? { key: KEY } : {}
    if (announce !== undefined) return frameHeader({ ...spec, ...key, announce })
    return frame({
      ...spec,
      ...key,
      ...(form === undefined || spec.payload.length > 65_535 ? {} : { lengthForm: form }),
    })
  })

function wire(specs: readonly FrameSpec[], { role, allowRsv1 }: ModelOptions): Buffer {
  return Buffer.concat(
    specs.map(({ key, rsv1, ...rest }) =>
      frame({
        ...rest,
        rsv1: rsv1 === true && allowRsv1,
        ...(role === 'server' && key !== undefined ? { key } : {}),
      }),
    ),
  )
}

/** Options, and bytes: right frames, then maybe something wrong, or anything at all. */
const anyStream = fc
  .tuple(
    anyOptions,
    rightFrames,
    fc.array(fc.oneof(anyFrame, fc.uint8Array({ maxLength: 12 })), { maxLength: 3 }),
    fc.nat(6),
  )
  .map(([options, specs, tail, cut]) => {
    const bytes = Buffer.concat([wire(specs, options), ...tail])
    return { options, bytes: bytes.subarray(0, Math.max(0, bytes.length - cut)) }
  })

const anySchedule: fc.Arbitrary<Schedule> = fc.array(
  fc.tuple(
    fc.oneof(fc.nat(3), fc.nat(20), fc.nat(300), fc.nat(40_000)),
    fc.constantFrom(0, 1, 1, 2, 3, Infinity),
  ),
  { maxLength: 40 },
)

describe('RFC 6455 5: any bytes in any pieces, pulled at any time', () => {
  test('give the frames that the model finds in the whole', () => {
    fc.assert(
      fc.property(anyStream, anySchedule, ({ options, bytes }, schedule) => {
        const { parser, ...outcome } = run(bytes, options, schedule)
        expect(outcome).toEqual(modelFrames(bytes, options))
      }),
      { numRuns: 1500 },
    )
  })

  test('give the same frames byte by byte', () => {
    fc.assert(
      fc.property(anyStream, fc.constantFrom(0, 1, Infinity), ({ options, bytes }, pulls) => {
        const short = bytes.subarray(0, 1500)
        const { parser, ...outcome } = run(
          short,
          options,
          Array.from(short, () => [1, pulls] as const),
        )
        expect(outcome).toEqual(modelFrames(short, options))
      }),
      { numRuns: 300 },
    )
  })

  test('give the same frames if a valid stream is cut in two at any position', () => {
    const specs: FrameSpec[] = [
      { opcode: OP.TEXT, payload: 'Hel', fin: false, key: KEY },
      { opcode: OP.PING, payload: 'p', key: [1, 2, 3, 4] },
      { opcode: OP.CONTINUATION, payload: 'x'.repeat(126), fin: false, key: KEY },
      { opcode: OP.CONTINUATION, key: KEY },
      { opcode: OP.BINARY, payload: Buffer.alloc(66_000, 'q'), key: [9, 8, 7, 6] },
      { opcode: OP.CLOSE, payload: [3, 232], key: KEY },
    ]
    const options = { role: 'server' as const }
    const bytes = Buffer.concat(specs.map(frame))
    const expected = run(bytes, options, []).frames
    expect(expected.map(({ payload }) => payload)).toEqual([
      'Hel',
      'p',
      'x'.repeat(126),
      '',
      'q'.repeat(66_000),
      '\u0003\u00e8',
    ])
    // Inside the large payload a few places stand for all.
    for (let cut = 0; cut <= bytes.length; cut += cut > 300 && cut < 65_000 ? 997 : 1) {
      expect(run(bytes, options, [[cut, Infinity]]).frames).toEqual(expected)
    }
  })
})

describe('RFC 6455 7.1.7: after any input', () => {
  test('the parser has failed for good, or parses the next frames as a new parser does', () => {
    fc.assert(
      fc.property(anyStream, rightFrames, anySchedule, ({ options, bytes }, more, schedule) => {
        const { parser, violation } = run(bytes, options, [])
        const behind = wire(more, options)
        if (violation === null) {
          const all = Buffer.concat([bytes, behind])
          const { parser: _, ...outcome } = run(all, options, [[bytes.length, Infinity], ...schedule])
          expect(outcome).toEqual(modelFrames(all, options))
        } else {
          const last = parser.next()
          parser.push(behind)
          expect(parser.next()).toBe(last)
          expect(parser.next()).toBe(last)
          expect(parser.bufferedBytes).toBe(0)
          expect(last).toMatchObject({ type: 'violation', error: { code: violation } })
          expect([1002, 1009]).toContain(parser.error?.closeCode)
        }
      }),
      { numRuns: 700 },
    )
  })
})
