import fc from 'fast-check'
import { ProtocolError } from '../../src/errors.js'
import { FrameParser } from '../../src/frame/frame-parser.js'
import { MessageAssembler } from '../../src/frame/message-assembler.js'
import { fragments, KEY, OP } from '../helpers/frame-builder.js'

/** Cuts bytes into pieces of these sizes, and a last one with the rest. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  let at = 0
  for (const size of sizes) {
    pieces.push(bytes.subarray(at, at + size))
    at = Math.min(at + size, bytes.length)
  }
  return [...pieces, bytes.subarray(at)]
}

interface Received {
  /** The finished message, or its violation. */
  readonly end: Buffer | ProtocolError
  /** Bytes of the message that were appended without a violation. */
  readonly good: number
  /** Bytes of the part that brought the violation. */
  readonly bad: number
  readonly isAscii: boolean
}

/** One message in fragments, over a wire that cuts it anywhere. */
function receive(
  opcode: number,
  pieces: readonly Buffer[],
  wireSizes: readonly number[],
  { masked, rsv1 = false }: { masked: boolean; rsv1?: boolean },
): Received {
  const parser = new FrameParser({ role: masked ? 'server' : 'client', allowRsv1: true })
  const bytes = fragments(opcode, pieces, { rsv1, ...(masked ? { key: KEY } : {}) })
  let message: MessageAssembler | null = null
  for (const chunk of cut(bytes, wireSizes)) {
    parser.push(Buffer.from(chunk))
    for (let part = parser.next(); part !== null; part = parser.next()) {
      if (part.type === 'violation') throw part.error
      message ??= new MessageAssembler(part)
      const good = message.byteLength
      const error = message.append(part)
      if (error !== null) return { end: error, good, bad: part.byteLength, isAscii: message.isAscii }
      expect(message.byteLength).toBe(good + part.byteLength)
    }
  }
  if (message === null) throw new Error('no message')
  const { byteLength, isAscii } = message
  return { end: message.finish(), good: byteLength, bad: 0, isAscii }
}

const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(30), fc.nat(3000)), { maxLength: 30 })
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.nat(500).map((n) => 'a'.repeat(n)),
    ),
    {
      maxLength: 12,
    },
  )
  .map((pieces) => Buffer.from(pieces.join('')))

describe('RFC 6455 5.4: a message in any fragments and chunks is their concatenation', () => {
  test('a binary or compressed message is the concatenation of its fragments', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 5000 }),
        sizes,
        sizes,
        fc.boolean(),
        fc.boolean(),
        (bytes, pieceSizes, wireSizes, masked, rsv1) => {
          const payload = Buffer.from(bytes)
          const opcode = rsv1 ? OP.TEXT : OP.BINARY
          const { end } = receive(opcode, cut(payload, pieceSizes), wireSizes, { masked, rsv1 })
          if (end instanceof ProtocolError) throw end
          expect(end.equals(payload)).toBe(true)
          // A kept message keeps at most twice its size alive.
          expect(end.buffer.byteLength).toBeLessThanOrEqual(payload.length * 2)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('a text is the concatenation of its fragments', () => {
    fc.assert(
      fc.property(text, sizes, sizes, fc.boolean(), (payload, pieceSizes, wireSizes, masked) => {
        const { end, isAscii } = receive(OP.TEXT, cut(payload, pieceSizes), wireSizes, { masked })
        if (end instanceof ProtocolError) throw end
        expect(end.equals(payload)).toBe(true)
        if (isAscii) expect(payload.every((octet) => octet < 0x80)).toBe(true)
        else expect(!masked || payload.some((octet) => octet >= 0x80)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('RFC 6455 8.1: text with an invalid byte', () => {
  test('fails with the part that holds the byte, and not before', () => {
    fc.assert(
      fc.property(
        text,
        fc.nat(),
        fc.constantFrom(0xc0, 0xc1, 0xf5, 0xff),
        sizes,
        sizes,
        fc.boolean(),
        (payload, place, octet, pieceSizes, wireSizes, masked) => {
          // Wherever such a byte stands, also inside a character, it is the first bad one.
          const at = place % (payload.length + 1)
          const spoilt = Buffer.concat([payload.subarray(0, at), Buffer.of(octet), payload.subarray(at)])
          const { end, good, bad } = receive(OP.TEXT, cut(spoilt, pieceSizes), wireSizes, { masked })
          expect(end).toMatchObject({ code: 'HAWSER_INVALID_UTF8', closeCode: 1007 })
          expect(good).toBeLessThanOrEqual(at)
          expect(good + bad).toBeGreaterThan(at)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('text that ends inside a character fails only at its end', () => {
    fc.assert(
      fc.property(
        text,
        fc.constantFrom([0xc3], [0xe2], [0xe2, 0x82], [0xf0], [0xf0, 0x9f], [0xf0, 0x9f, 0x98]),
        sizes,
        sizes,
        fc.boolean(),
        (payload, start, pieceSizes, wireSizes, masked) => {
          const cutText = Buffer.concat([payload, Buffer.from(start)])
          const { end, good } = receive(OP.TEXT, cut(cutText, pieceSizes), wireSizes, { masked })
          expect(end).toMatchObject({ code: 'HAWSER_INVALID_UTF8', closeCode: 1007 })
          expect(good).toBe(cutText.length)
        },
      ),
      { numRuns: 300 },
    )
  })
})
