/** What a peer may send, in bytes, and codecs of each kind: for properties of a connection. */
import fc from 'fast-check'
import { createCodecFactory, resolveDeflateOptions, type MessageCodec } from '../../src/deflate/index.js'
import { ControlledCodec, encodeRuns } from '../helpers/controlled-codec.js'
import { closeFrame, frame, KEY, type FrameSpec } from '../helpers/frame-builder.js'

export type Role = 'client' | 'server'
export const role = fc.constantFrom<Role>('client', 'server')

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

export const CODECS = {
  none: () => null,
  'by hand': () => new ControlledCodec(),
  zlib: (of: Role) => ZLIB[of].make(),
} as const
export const codec = fc.constantFrom<keyof typeof CODECS>('none', 'by hand', 'zlib')

const payload = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }).map((s) => Buffer.from(s)) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b)) },
  { weight: 1, arbitrary: fc.integer({ min: 120, max: 400 }).map((n) => Buffer.alloc(n, 'x')) },
)

/** What a peer may send: mostly right, sometimes not. */
export const piece: fc.Arbitrary<readonly FrameSpec[]> = fc.oneof(
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
export const stream = fc
  .tuple(fc.array(piece, { maxLength: 12 }), fc.option(fc.constantFrom(1000, 1005, 3000)))
  .map(([pieces, close]) => ({ specs: pieces.flat(), close }))

export function encode(
  of: Role,
  { specs, close }: { specs: readonly FrameSpec[]; close: number | null },
): Buffer {
  const rest = of === 'server' ? { key: KEY } : {}
  const bytes = specs.map((spec) => frame({ ...spec, ...rest }))
  return Buffer.concat([
    ...bytes,
    ...(close === null ? [] : [closeFrame(close, 'bye', rest), Buffer.from('junk')]),
  ])
}

export function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (let i = 0; at < bytes.length; i++) chunks.push(bytes.subarray(at, (at += sizes[i % sizes.length]!)))
  return chunks
}
