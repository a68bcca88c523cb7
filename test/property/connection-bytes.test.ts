import fc from 'fast-check'
import { Connection, ReadyState, type ConnectionOptions } from '../../src/connection/connection.js'
import type { ConnectionEvent } from '../../src/connection/events.js'
import { createCodecFactory, resolveDeflateOptions, type MessageCodec } from '../../src/deflate/index.js'
import { ControlledCodec, encodeRuns } from '../helpers/controlled-codec.js'
import { closeFrame, frame, KEY, readFrames, type FrameSpec } from '../helpers/frame-builder.js'
import { pullAll, showEvent, takeAll } from '../helpers/pull.js'

type Role = 'client' | 'server'
const role = fc.constantFrom<Role>('client', 'server')

const zlibFactory = (of: Role): { make: () => MessageCodec } => {
  const factory = createCodecFactory(resolveDeflateOptions({ asyncThresholdBytes: Infinity }, of)!)
  return {
    make: () =>
      factory.createCodec({
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        serverMaxWindowBits: 15,
        clientMaxWindowBits: 15,
      }),
  }
}
const ZLIB = { client: zlibFactory('client'), server: zlibFactory('server') }

const CODECS = {
  none: () => null,
  'by hand': () => new ControlledCodec(),
  zlib: (of: Role) => ZLIB[of].make(),
} as const
const codec = fc.constantFrom<keyof typeof CODECS>('none', 'by hand', 'zlib')

const payload = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }).map((s) => Buffer.from(s)) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b)) },
  { weight: 1, arbitrary: fc.integer({ min: 120, max: 400 }).map((n) => Buffer.alloc(n, 'x')) },
)

/** What a peer may send: mostly right, sometimes not. */
const piece: fc.Arbitrary<readonly FrameSpec[]> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 2), payload)
      .map(([opcode, bytes]) => [{ opcode, payload: bytes }]),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 2), fc.array(payload, { minLength: 2, maxLength: 5 }), fc.boolean())
      .map(([opcode, parts, pinged]) =>
        parts.flatMap((part, i) => [
          { opcode: i === 0 ? opcode : 0, fin: i === parts.length - 1, payload: part },
          ...(pinged && i < parts.length - 1 ? [{ opcode: 9, payload: `p${i}` }] : []),
        ]),
      ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(9, 10), fc.uint8Array({ maxLength: 125 }))
      .map(([opcode, bytes]) => [{ opcode, payload: bytes }]),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 2), fc.string({ maxLength: 60 }), fc.nat(3))
      .map(([opcode, text, number]) => [{ opcode, rsv1: true, payload: encodeRuns(text, number) }]),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(15), payload, fc.boolean(), fc.boolean(), fc.boolean())
      .map(([opcode, bytes, fin, rsv1, rsv2]) => [{ opcode, payload: bytes, fin, rsv1, rsv2 }]),
  },
)
const stream = fc
  .tuple(fc.array(piece, { maxLength: 12 }), fc.option(fc.constantFrom(1000, 1005, 3000)))
  .map(([pieces, close]) => ({ specs: pieces.flat(), close }))

function encode(of: Role, { specs, close }: { specs: readonly FrameSpec[]; close: number | null }): Buffer {
  const rest = of === 'server' ? { key: KEY } : {}
  const bytes = specs.map((spec) => frame({ ...spec, ...rest }))
  return Buffer.concat([
    ...bytes,
    ...(close === null ? [] : [closeFrame(close, 'bye', rest), Buffer.from('junk')]),
  ])
}

/** Everything that a connection tells of, and writes for, some chunks. */
function receive(
  options: ConnectionOptions,
  chunks: readonly Uint8Array[],
  pullBetween: boolean,
): { readonly lines: readonly string[]; readonly output: string } {
  const connection = new Connection({
    ...options,
    limits: { maxMessageBytes: 1000, heartbeatIntervalMs: false },
  })
  const events: ConnectionEvent[] = []
  for (const chunk of chunks) {
    connection.receiveBytes(Buffer.from(chunk))
    if (pullBetween) events.push(...pullAll(connection))
  }
  events.push(...pullAll(connection))
  const { frames, rest } = readFrames(takeAll(connection))
  expect(rest).toHaveLength(0)
  connection.transportLost()
  events.push(...pullAll(connection))
  return {
    lines: events.map(showEvent),
    output: frames.map((f) => `${f.opcode} ${f.payload.toString('hex')}`).join('\n'),
  }
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (let i = 0; at < bytes.length; i++) chunks.push(bytes.subarray(at, (at += sizes[i % sizes.length]!)))
  return chunks
}

describe('RFC 6455 5.2: a stream of bytes has no chunks', () => {
  test('any split of it gives the same events and the same output', () => {
    fc.assert(
      fc.property(
        role,
        codec,
        stream,
        fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 200 })), {
          minLength: 1,
          maxLength: 10,
        }),
        fc.boolean(),
        (of, kind, sent, sizes, pullBetween) => {
          const bytes = encode(of, sent)
          const whole = receive({ role: of, codec: CODECS[kind](of) }, [bytes], true)
          for (const chunks of [cut(bytes, sizes), cut(bytes, [1])]) {
            expect(receive({ role: of, codec: CODECS[kind](of) }, chunks, pullBetween)).toEqual(whole)
          }
        },
      ),
      { numRuns: 400 },
    )
  })
})

describe('what a peer sends never throws', () => {
  /** Bytes that get past the first header now and then. */
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .tuple(role, stream, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }))
      .map(([of, sent, changes]) => {
        const encoded = encode(of, sent)
        for (const [at, byte] of changes) if (encoded.length > 0) encoded[at % encoded.length] = byte
        return new Uint8Array(encoded)
      }),
    fc
      .tuple(
        fc.constantFrom(0x81, 0x82, 0xc1, 0xc2, 0x01, 0xc8, 0x88, 0x89),
        fc.uint8Array({ maxLength: 100 }),
      )
      .map(([first, rest]) =>
        Uint8Array.from([first, 0x80 | Math.min(rest.length, 125), 0, 0, 0, 0, ...rest]),
      ),
  )

  test('any bytes: at most one error, one Close frame at most, then closed, and nothing after it', () => {
    fc.assert(
      fc.property(role, codec, bytes, fc.boolean(), fc.boolean(), (of, kind, sent, closes, ends) => {
        const connection = new Connection({ role: of, codec: CODECS[kind](of) })
        if (closes) connection.close(1000)
        const events: ConnectionEvent[] = []
        for (const chunk of cut(Buffer.from(sent), [7, 1, 60])) {
          connection.receiveBytes(Buffer.from(chunk))
          events.push(...pullAll(connection))
        }
        if (ends) connection.receiveEnd()
        events.push(...pullAll(connection))
        const { frames, rest } = readFrames(takeAll(connection))
        expect(rest).toHaveLength(0)
        connection.transportLost()
        events.push(...pullAll(connection))
        const types = events.map(({ type }) => type)
        expect(types.filter((type) => type === 'closed')).toHaveLength(1)
        expect(types.at(-1)).toBe('closed')
        const errorAt = types.indexOf('error')
        if (errorAt >= 0) expect(types.slice(errorAt)).toEqual(['error', 'closed'])
        const closeAt = frames.findIndex((f) => f.opcode === 8)
        if (closeAt >= 0) expect(closeAt).toBe(frames.length - 1)
        if (errorAt >= 0) expect(closeAt).toBe(frames.length - 1)
        expect(connection.readyState).toBe(ReadyState.CLOSED)
        connection.receiveBytes(Buffer.from(sent))
        expect(connection.nextEvent()).toBeNull()
        expect(connection.takeOutput()).toBeNull()
      }),
      { numRuns: 2000 },
    )
  })
})
