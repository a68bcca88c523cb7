/** What a parser knows and holds between two calls. */
import { FrameParser, type FrameParserOptions } from '../../../src/frame/frame-parser.js'
import { fragments, frame, hex, KEY, OP } from '../../helpers/frame-builder.js'

const TEXT = frame({ opcode: OP.TEXT, payload: 'Hello', key: KEY })
const PING = frame({ opcode: OP.PING, payload: 'p', key: KEY })

/** A parser that consumed these chunks. */
function after(...chunks: readonly Uint8Array[]): FrameParser {
  const parser = new FrameParser({ role: 'server' })
  for (const chunk of chunks) {
    parser.push(Buffer.from(chunk))
    for (let event = parser.next(); event?.type === 'part'; event = parser.next());
  }
  return parser
}

describe('isAtRest', () => {
  test('is true between two messages, with all bytes consumed', () => {
    expect(after().isAtRest).toBe(true)
    expect(after(TEXT).isAtRest).toBe(true)
    expect(after(TEXT.subarray(0, 1), TEXT.subarray(1, 8), TEXT.subarray(8)).isAtRest).toBe(true)
    expect(after(fragments(OP.TEXT, ['a', 'b'], { key: KEY }), PING).isAtRest).toBe(true)
  })

  test('is false while bytes wait that were not consumed', () => {
    const parser = new FrameParser({ role: 'server' })
    parser.push(Buffer.from(PING))
    expect(parser.isAtRest).toBe(false)
    parser.next()
    expect(parser.isAtRest).toBe(true)
  })

  test('is false inside a header, inside a frame, between two fragments and after a violation', () => {
    expect(after(TEXT.subarray(0, 1)).isAtRest).toBe(false)
    expect(after(TEXT.subarray(0, 8)).isAtRest).toBe(false)
    expect(after(PING.subarray(0, 6)).isAtRest).toBe(false)
    expect(after(fragments(OP.TEXT, ['a', 'b'], { key: KEY }).subarray(0, 7)).isAtRest).toBe(false)
    expect(after(hex('83')).isAtRest).toBe(false)
  })
})

describe('chunks that wait', () => {
  test('a header that they cut is read in one call of next', () => {
    const parser = new FrameParser({ role: 'server' })
    for (const octet of TEXT) parser.push(Uint8Array.of(octet))
    expect(parser.next()).toMatchObject({ type: 'part', opcode: OP.TEXT, payloadLength: 5, isFirst: true })
  })

  test('leave no list that grows where the reader always lags one chunk', () => {
    const parser = new FrameParser({ role: 'server' })
    const { waiting } = parser as unknown as { waiting: unknown[] | null }
    expect(waiting).toBeNull()
    let longest = 0
    parser.push(Buffer.from(PING))
    for (let i = 0; i < 1000; i++) {
      parser.push(Buffer.from(PING))
      expect(parser.next()).toMatchObject({ opcode: OP.PING })
      const list = (parser as unknown as { waiting: unknown[] | null }).waiting
      longest = Math.max(longest, list?.length ?? 0)
      expect(parser.bufferedBytes).toBe(PING.length)
    }
    expect(longest).toBeLessThan(200)
    expect(parser.next()).toMatchObject({ opcode: OP.PING })
    expect(parser.next()).toBeNull()
  })
})

describe.each<[string, FrameParserOptions, { key?: typeof KEY }]>([
  ['a server', { role: 'server' }, { key: KEY }],
  ['a client', { role: 'client' }, {}],
])('the short ways of %s', (_name, options, rest) => {
  const text = frame({ opcode: OP.TEXT, payload: 'a', ...rest })
  const nothing = (parser: FrameParser): void => {
    const before = parser.bufferedBytes
    expect([parser.takeWhole(), parser.takeFragments(), parser.takeRun()]).toEqual([0, 0, null])
    expect(parser.bufferedBytes).toBe(before)
  }

  test('take nothing where there is nothing, or a single byte', () => {
    const parser = new FrameParser(options)
    nothing(parser)
    parser.push(Uint8Array.of(0x81))
    nothing(parser)
    const other = new FrameParser(options)
    other.push(Buffer.concat([text, Uint8Array.of(0x81)]))
    expect(other.takeWhole()).toBe(OP.TEXT)
    nothing(other)
    expect(other.next()).toBeNull()
    nothing(other)
  })

  test('take no fragment of which a single byte is there', () => {
    const bytes = fragments(OP.TEXT, ['a', 'b', 'c'], rest)
    const parser = new FrameParser(options)
    const first = frame({ opcode: OP.TEXT, payload: 'a', fin: false, ...rest }).length
    const second = frame({ opcode: OP.CONTINUATION, payload: 'b', fin: false, ...rest }).length
    parser.push(Buffer.from(bytes.subarray(0, first + second + 1)))
    parser.next()
    expect(parser.takeFragments()).toBe(1)
    nothing(parser)
    parser.push(Buffer.from(bytes.subarray(first + second + 1)))
    expect(parser.next()).toMatchObject({ fin: true })
  })

  test('take nothing out of a payload that looks like frames', () => {
    const payload = Buffer.concat([text, text, text, text])
    const outer = frame({ opcode: OP.BINARY, payload, ...rest })
    const parser = new FrameParser(options)
    const header = outer.length - payload.length
    parser.push(Buffer.from(outer.subarray(0, header)))
    expect(parser.next()).toMatchObject({ payloadLength: payload.length })
    parser.push(Buffer.from(payload))
    nothing(parser)
    const cut = new FrameParser(options)
    cut.push(frame({ opcode: OP.TEXT, payload: '', fin: false, ...rest }))
    cut.next()
    const inner = frame({ opcode: OP.CONTINUATION, payload: 'a', ...rest })
    const more = frame({ opcode: OP.CONTINUATION, payload: Buffer.concat([inner, inner]), ...rest })
    const moreHeader = more.length - 2 * inner.length
    cut.push(Buffer.from(more.subarray(0, moreHeader)))
    cut.next()
    cut.push(Buffer.concat([inner, inner]))
    nothing(cut)
  })
})

test('takeWhole takes nothing where the rest of a cut header looks like a frame', () => {
  // After the first byte: a mask bit with a length of 1, a key that begins with 80, and one byte of payload.
  const parser = new FrameParser({ role: 'server' })
  parser.push(hex('82'))
  expect(parser.next()).toBeNull()
  parser.push(hex('81 80 01 02 03 41'))
  expect(parser.takeWhole()).toBe(0)
  expect(parser.next()).toMatchObject({ opcode: OP.BINARY, payloadLength: 1 })
})
