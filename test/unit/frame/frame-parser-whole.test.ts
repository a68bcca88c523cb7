/** Short frames that are taken whole, and lent chunks: the two ways that do not use `next` alone. */
import { FrameParser, type FrameParserOptions } from '../../../src/frame/frame-parser.js'
import { maskInPlace } from '../../../src/frame/masking.js'
import { frame, frames, hex, KEY, OP, type FrameSpec } from '../../helpers/frame-builder.js'

const parse = (options: Partial<FrameParserOptions>, bytes: Buffer): FrameParser => {
  const parser = new FrameParser({ role: 'client', ...options })
  parser.push(Buffer.from(bytes))
  return parser
}

/** The payload that takeWhole found, unmasked. */
function take(parser: FrameParser): [opcode: number, text: string] | null {
  const opcode = parser.takeWhole()
  if (opcode === 0) return null
  const { wholeSource, wholeStart, wholeEnd, wholeKey } = parser
  maskInPlace(wholeSource, wholeStart, wholeEnd, wholeKey)
  return [opcode, wholeSource.toString('latin1', wholeStart, wholeEnd)]
}

describe.each([
  ['client', undefined],
  ['server', KEY],
] as const)('RFC 6455 5.2: a short frame that lies whole in the chunk, at a %s', (role, key) => {
  const spec = (one: FrameSpec): FrameSpec => (key === undefined ? one : { ...one, key })

  test.each([0, 1, 4, 124, 125])('is taken by takeWhole with %i bytes', (length) => {
    const payload = 'x'.repeat(length)
    for (const opcode of [OP.TEXT, OP.BINARY]) {
      const parser = parse({ role }, frame(spec({ opcode, payload })))
      expect(take(parser)).toEqual([opcode, payload])
      expect(parser.bufferedBytes).toBe(0)
      expect(parser.next()).toBeNull()
    }
  })

  test.each<[string, FrameSpec]>([
    ['126 bytes', { opcode: 1, payload: 'x'.repeat(126) }],
    ['a length in 16 bits that fits into 7', { opcode: 1, payload: 'x', lengthForm: 16 }],
    ['a length in 64 bits that fits into 7', { opcode: 1, payload: 'x', lengthForm: 64 }],
    ['the first of several', { opcode: 1, payload: 'x', fin: false }],
    ['a continuation', { opcode: 0, payload: 'x' }],
    ['a ping', { opcode: 9, payload: 'x' }],
    ['a Close frame', { opcode: 8 }],
    ['a reserved opcode', { opcode: 3, payload: 'x' }],
    ['RSV1', { opcode: 1, payload: 'x', rsv1: true }],
    ['RSV2', { opcode: 1, payload: 'x', rsv2: true }],
    ['RSV3', { opcode: 2, payload: 'x', rsv3: true }],
    ['more than is there', { opcode: 1, payload: 'x', announce: 2 }],
  ])('takeWhole leaves any other frame to next: %s', (_, one) => {
    for (const allowRsv1 of [false, true]) {
      const parser = parse({ role, allowRsv1 }, frame(spec(one)))
      const before = parser.bufferedBytes
      expect(parser.takeWhole()).toBe(0)
      expect(parser.bufferedBytes).toBe(before)
    }
  })

  test('5.1: takeWhole leaves a frame with the wrong mask bit to next, which reports it', () => {
    const lie = key === undefined ? { key: KEY } : {}
    const parser = parse({ role }, frame({ opcode: 1, payload: 'x', ...lie }))
    expect(parser.takeWhole()).toBe(0)
    expect(parser.next()).toMatchObject({ type: 'violation' })
    expect(parser.takeWhole()).toBe(0)
    expect(parser.error?.code).toBe(role === 'server' ? 'HAWSER_EXPECTED_MASK' : 'HAWSER_UNEXPECTED_MASK')
  })

  test('10.4: takeWhole leaves a frame above a limit to next, which reports it', () => {
    const bytes = frame(spec({ opcode: 1, payload: '12345' }))
    for (const name of ['maxFrameBytes', 'maxMessageBytes'] as const) {
      expect(take(parse({ role, [name]: 5 }, bytes))).toEqual([1, '12345'])
      const parser = parse({ role, [name]: 4 }, bytes)
      expect(parser.takeWhole()).toBe(0)
      expect(parser.next()).toMatchObject({ type: 'violation', error: { closeCode: 1009 } })
    }
  })

  test('5.4: takeWhole takes nothing between the fragments of a message, or inside a frame or a header', () => {
    const inner = frame(spec({ opcode: 1, payload: 'inner' }))
    const parser = parse({ role }, frame(spec({ opcode: 2, fin: false })))
    parser.next()
    parser.push(Buffer.from(inner))
    expect(parser.takeWhole()).toBe(0)
    expect(parser.next()).toMatchObject({ error: { code: 'HAWSER_EXPECTED_CONTINUATION' } })

    const outer = frame(spec({ opcode: 2, payload: inner }))
    for (let at = 1; at < outer.length; at++) {
      const cut = parse({ role }, outer.subarray(0, at))
      while (cut.next() !== null);
      cut.push(Buffer.from(outer.subarray(at)))
      expect(cut.takeWhole()).toBe(0)
    }
  })
})

test('takeWhole and next together give all frames of a chunk in order', () => {
  const bytes = frames(
    { opcode: 1, payload: 'a' },
    { opcode: 9, payload: 'p' },
    { opcode: 2, payload: 'b' },
    { opcode: 1, payload: 'c' },
  )
  const parser = parse({}, bytes)
  expect(take(parser)).toEqual([1, 'a'])
  expect(take(parser)).toBeNull()
  expect(parser.next()).toMatchObject({ opcode: 9 })
  expect([take(parser), take(parser), take(parser)]).toEqual([[2, 'b'], [1, 'c'], null])
})

describe('keepInput', () => {
  test('copies the unconsumed rest of the chunk, and nothing else', () => {
    const parser = new FrameParser({ role: 'client' })
    const chunk = hex('81 01 61 82 03 01 02')
    parser.push(chunk)
    expect(take(parser)).toEqual([1, 'a'])
    parser.keepInput()
    expect(parser.bufferedBytes).toBe(4)
    chunk.fill(0xaa)
    expect(parser.next()).toMatchObject({ opcode: 2, start: 2, end: 4, isLast: false })
    parser.keepInput()
    expect(parser.bufferedBytes).toBe(0)
    parser.push(hex('03'))
    expect(parser.next()).toMatchObject({ offset: 2, isLast: true })
  })

  test('works after a cut header, and without input', () => {
    const parser = new FrameParser({ role: 'client' })
    parser.keepInput()
    const chunk = hex('82 7e 00')
    parser.push(chunk)
    expect(parser.next()).toBeNull()
    parser.keepInput()
    chunk.fill(0xaa)
    parser.push(Buffer.concat([hex('7e'), Buffer.alloc(126, 'x')]))
    expect(parser.next()).toMatchObject({ opcode: 2, payloadLength: 126, isLast: true })
  })

  test('does nothing after a violation', () => {
    const parser = parse({}, hex('83 00 81 00'))
    const violation = parser.next()
    parser.keepInput()
    expect(parser.next()).toBe(violation)
    expect(parser.bufferedBytes).toBe(0)
  })
})
