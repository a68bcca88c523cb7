import fc from 'fast-check'
import { decodeClosePayload, encodeClosePayload } from '../../src/frame/close-code.js'
import { FrameParser } from '../../src/frame/frame-parser.js'
import { serializeFrame, type FrameFields } from '../../src/frame/frame-serializer.js'
import { Opcode } from '../../src/frame/opcode.js'
import { frame, readFrames, type MaskingKey } from '../helpers/frame-builder.js'

const octet = fc.integer({ min: 0, max: 255 })

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.string({ unit: 'binary', maxLength: 100 }),
  // Lone surrogates too.
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom(125, 126, 65_535, 65_536).map((length) => Buffer.alloc(length, 'z')),
)

/** Everything that a frame may be. */
const anyFields = fc
  .record({
    opcode: fc.constantFrom(...Object.values(Opcode)),
    payload,
    fin: fc.boolean(),
    rsv1: fc.boolean(),
    key: fc.option(fc.tuple(octet, octet, octet, octet), { nil: null }),
  })
  .map(({ opcode, payload: given, fin, rsv1, key }) => {
    const isControl = opcode >= 8
    const bytes = typeof given === 'string' ? Buffer.from(given) : given
    return {
      opcode,
      payload: isControl && bytes.length > 125 ? bytes.subarray(0, 125) : given,
      fin: fin || isControl,
      rsv1: rsv1 && (opcode === Opcode.TEXT || opcode === Opcode.BINARY),
      key,
    }
  })

function toFields({
  key,
  ...rest
}: { key: MaskingKey | null } & Omit<FrameFields, 'maskingKey'>): FrameFields {
  return key === null ? rest : { ...rest, maskingKey: Buffer.from(key).readInt32LE() }
}

describe('RFC 6455 5.2: round trips', () => {
  test('serializeFrame gives the same bytes as the frame builder', () => {
    fc.assert(
      fc.property(anyFields, ({ key, ...fields }) => {
        const bytes = serializeFrame(toFields({ key, ...fields }))
        const expected = frame({ ...fields, ...(key === null ? {} : { key }) })
        expect(bytes.equals(expected)).toBe(true)
        const { frames, rest } = readFrames(bytes)
        expect(rest).toHaveLength(0)
        expect(frames).toMatchObject([{ opcode: fields.opcode, fin: fields.fin, rsv1: fields.rsv1, key }])
      }),
      { numRuns: 500 },
    )
  })

  test('a serialized frame is parsed to the same fields', () => {
    fc.assert(
      fc.property(anyFields, (fields) => {
        const parser = new FrameParser({ role: fields.key === null ? 'client' : 'server', allowRsv1: true })
        const isContinuation = fields.opcode === Opcode.CONTINUATION
        if (isContinuation) {
          parser.push(serializeFrame(toFields({ opcode: Opcode.TEXT, fin: false, key: fields.key })))
          expect(parser.next()?.type).toBe('part')
        }
        parser.push(serializeFrame(toFields(fields)))
        const part = parser.next()
        if (part?.type !== 'part') throw new Error('no part')
        const { opcode, fin, rsv1, key } = fields
        expect(part).toMatchObject({ opcode, fin, rsv1, isFirst: true, isLast: true, isMasked: key !== null })
        expect(part.payload.equals(Buffer.from(fields.payload as Uint8Array))).toBe(true)
        expect(part.payloadLength).toBe(part.byteLength)
        expect(parser.next()).toBeNull()
        expect(parser.bufferedBytes).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test("the caller's payload never changes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer(), (bytes, maskingKey) => {
        const before = Uint8Array.from(bytes)
        serializeFrame({ opcode: Opcode.BINARY, payload: bytes, maskingKey })
        expect(bytes).toEqual(before)
      }),
    )
  })
})

describe('RFC 6455 5.5.1: the body of a Close frame', () => {
  const code = fc.oneof(
    fc.integer({ min: 1000, max: 1003 }),
    fc.integer({ min: 1007, max: 1014 }),
    fc.integer({ min: 3000, max: 4999 }),
  )

  test('any code and reason are decoded again, the reason cut between characters', () => {
    fc.assert(
      fc.property(
        code,
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 150 }),
          fc
            .array(fc.integer({ min: 0xd700, max: 0xe0ff }), { maxLength: 130 })
            .map((units) => String.fromCharCode(...units)),
        ),
        (anyCode, reason) => {
          const body = encodeClosePayload(anyCode, reason)
          const wellFormed = Buffer.from(reason).toString()
          expect(body.length).toBeLessThanOrEqual(125)
          const read = decodeClosePayload(body)
          if (read instanceof Error) throw read
          expect(read.code).toBe(anyCode)
          expect(wellFormed.startsWith(read.reason)).toBe(true)
          const behind = [...wellFormed.slice(read.reason.length)]
          const more = Buffer.byteLength(read.reason) + Buffer.byteLength(behind[0] ?? '')
          expect(behind.length === 0 || more > 123).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('any bytes are decoded or are a violation, and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 130 }), (bytes) => {
        const read = decodeClosePayload(bytes)
        if (read instanceof Error) expect([1002, 1007]).toContain(read.closeCode)
        else
          expect(encodeClosePayload(bytes.length === 0 ? undefined : read.code, read.reason)).toHaveLength(
            bytes.length,
          )
      }),
      { numRuns: 500 },
    )
  })
})
