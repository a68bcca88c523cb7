/** What a parser knows and holds between two calls. */
import { FrameParser, type FrameParserOptions } from '../../../src/frame/frame-parser.js'
import { fragments, frame, frames, hex, KEY, OP, type FrameSpec } from '../../helpers/frame-builder.js'
import { lend } from '../../helpers/lane.js'

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
    let taken = 0
    for (let i = 0; i < 500; i++) {
      parser.push(Buffer.from(PING))
      if (parser.next()?.type === 'part' && parser.bufferedBytes === PING.length) taken++
      const list = (parser as unknown as { waiting: unknown[] | null }).waiting
      longest = Math.max(longest, list?.length ?? 0)
    }
    expect(taken).toBe(500)
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
    const more = frame({
      opcode: OP.CONTINUATION,
      payload: Buffer.concat([inner, inner]),
      fin: false,
      ...rest,
    })
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

describe.each<[string, FrameParserOptions, { key?: typeof KEY }]>([
  ['a server', { role: 'server' }, { key: KEY }],
  ['a client', { role: 'client' }, {}],
])('takeFragments of %s', (_name, options, rest) => {
  /** A parser after the first fragment, of two bytes, with more to come. */
  function begun(limits: object, place: (chunk: Buffer) => Buffer, ...more: FrameSpec[]): FrameParser {
    const parser = new FrameParser({ ...options, ...limits })
    parser.push(frame({ opcode: OP.TEXT, payload: 'ab', fin: false, ...rest }))
    parser.next()
    parser.push(place(frames(...more.map((one) => ({ ...rest, ...one })))))
    return parser
  }
  const part = (payload: string): FrameSpec => ({ opcode: OP.CONTINUATION, payload, fin: false })
  const isServer = options.role === 'server'
  const wrong = isServer ? 'HAWSER_EXPECTED_MASK' : 'HAWSER_UNEXPECTED_MASK'

  describe.each([
    ['a chunk that a handle read', lend],
    ['any other chunk', (chunk: Buffer): Buffer => chunk],
  ])('from %s', (_place, place) => {
    test.each<[string, object, FrameSpec, object]>([
      ['a control frame', {}, { opcode: OP.PING, payload: 'p' }, { opcode: OP.PING }],
      [
        'another message',
        {},
        { opcode: OP.TEXT, payload: 'a' },
        { error: { code: 'HAWSER_EXPECTED_CONTINUATION' } },
      ],
      ['a wrong mask bit', {}, { ...part('abc'), maskBit: !isServer }, { error: { code: wrong } }],
      [
        'a frame above its limit',
        { maxFrameBytes: 3 },
        part('abcd'),
        { error: { code: 'HAWSER_FRAME_TOO_BIG' } },
      ],
      [
        'a message above its limit',
        { maxMessageBytes: 5 },
        part('abcd'),
        { error: { code: 'HAWSER_MESSAGE_TOO_BIG' } },
      ],
    ])('leaves %s to next', (_what, limits, spec, expected) => {
      const parser = begun(limits, place, spec)
      const before = parser.bufferedBytes
      expect(parser.takeFragments()).toBe(0)
      expect(parser.bufferedBytes).toBe(before)
      expect(parser.next()).toMatchObject(expected)
    })

    test('leaves a fragment that the chunk cuts, or that has a longer length, to next', () => {
      const cut = frame({ ...rest, ...part('abcdef') })
      for (let end = 2; end < cut.length; end++) {
        const parser = begun({}, (chunk) => chunk, { opcode: OP.PING })
        parser.next()
        parser.push(place(Buffer.from(cut.subarray(0, end))))
        expect(parser.takeFragments()).toBe(0)
      }
      if (place === lend) return
      const long = begun({}, place, part('x'.repeat(126)))
      expect(long.takeFragments()).toBe(0)
      expect(long.next()).toMatchObject({ payloadLength: 126 })
    })

    test('counts what it took towards the limit of the message', () => {
      const parser = begun({ maxMessageBytes: 8 }, place, part('abc'), part('abc'), part('a'))
      let taken = 0
      for (let count = parser.takeFragments(); count > 0; count = parser.takeFragments()) taken += count
      expect(taken).toBe(2)
      expect(parser.next()).toMatchObject({ error: { code: 'HAWSER_MESSAGE_TOO_BIG' } })
    })
  })
})

test('takeFragments takes nothing where the rest of a cut header looks like a fragment', () => {
  const parser = new FrameParser({ role: 'server' })
  parser.push(frame({ opcode: OP.TEXT, fin: false, key: KEY }))
  parser.next()
  // An empty fragment with the key 81 01 02 03, cut after its first byte, and the start of another.
  parser.push(hex('00'))
  expect(parser.next()).toBeNull()
  parser.push(hex('80 81 01 02 03 00 81 01 02 03 04 05'))
  expect(parser.takeFragments()).toBe(0)
  expect(parser.next()).toMatchObject({ opcode: OP.CONTINUATION, payloadLength: 0 })
})
