import { ProtocolError } from '../../../src/errors.js'
import type { FramePart } from '../../../src/frame/frame-event.js'
import { FrameParser } from '../../../src/frame/frame-parser.js'
import { MessageAssembler } from '../../../src/frame/message-assembler.js'
import { fragments, frame, hex, KEY, OP } from '../../helpers/frame-builder.js'
import { lend } from '../../helpers/lane.js'

/** The parts of chunks that are pushed to a server (masked) or a client. */
function parts(masked: boolean, ...chunks: readonly Uint8Array[]): FramePart[] {
  const parser = new FrameParser({ role: masked ? 'server' : 'client', allowRsv1: true })
  const found: FramePart[] = []
  for (const chunk of chunks) {
    parser.push(Buffer.from(chunk))
    for (let event = parser.next(); event !== null; event = parser.next()) {
      if (event.type === 'violation') throw event.error
      found.push(event)
    }
  }
  return found
}

function assemble(list: readonly FramePart[]): MessageAssembler | ProtocolError {
  const message = new MessageAssembler(list[0] as FramePart)
  for (const part of list) {
    const error = message.append(part)
    if (error !== null) return error
  }
  return message
}

function whole(list: readonly FramePart[]): Buffer {
  const message = assemble(list)
  if (message instanceof ProtocolError) throw message
  const bytes = message.finish()
  if (bytes instanceof ProtocolError) throw bytes
  return bytes
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (octet) => Uint8Array.of(octet))
}

describe('RFC 6455 5.4: a message of several parts', () => {
  test.each([true, false])('fragments are joined, masked: %p', (masked) => {
    const rest = masked ? { key: KEY } : {}
    const list = parts(masked, fragments(OP.TEXT, ['Hel', '', 'lo', ''], rest))
    const message = assemble(list) as MessageAssembler
    expect(message).toMatchObject({ opcode: OP.TEXT, isCompressed: false, byteLength: 5, isAscii: true })
    expect(message.finish()).toEqual(Buffer.from('Hello'))
  })

  test.each([5, 63, 64, 5000])(
    'text in two parts of %i bytes is known to be ASCII, or not, masked or not',
    (length) => {
      const ascii = 'a'.repeat(length)
      const other = `${'b'.repeat(length - 2)}\u00e9`
      for (const masked of [true, false]) {
        const rest = masked ? { key: KEY } : {}
        for (const [first, last] of [
          [ascii, ascii],
          [ascii, other],
          [other, ascii],
        ] as const) {
          const list = parts(masked, fragments(OP.TEXT, [first, last], rest))
          const message = assemble(list) as MessageAssembler
          expect(message.isAscii).toBe(last === first)
          expect(message.finish()).toEqual(Buffer.from(first + last))
        }
      }
    },
  )

  test('the chunks of the parts do not change', () => {
    const chunk = fragments(OP.BINARY, ['abc', 'def'], { key: KEY })
    const parser = new FrameParser({ role: 'server' })
    parser.push(chunk)
    const before = Buffer.from(chunk)
    const list = [parser.next(), parser.next()] as FramePart[]
    const bytes = whole(list)
    expect(bytes.toString()).toBe('abcdef')
    expect(chunk.equals(before)).toBe(true)
    chunk.fill(0)
    expect(bytes.toString()).toBe('abcdef')
  })

  test('a frame in many chunks is joined', () => {
    const payload = Buffer.from(Array.from({ length: 5000 }, (_, i) => i & 0xff))
    for (const masked of [true, false]) {
      const bytes = frame({ opcode: OP.BINARY, payload, ...(masked ? { key: KEY } : {}) })
      expect(whole(parts(masked, ...bytewise(bytes))).equals(payload)).toBe(true)
    }
  })

  test('an empty message has no bytes', () => {
    const message = assemble(parts(false, fragments(OP.BINARY, ['', '', '']))) as MessageAssembler
    expect(message).toMatchObject({ opcode: OP.BINARY, byteLength: 0, isAscii: false })
    expect(message.finish()).toEqual(Buffer.alloc(0))
    expect(whole(parts(true, fragments(OP.TEXT, ['', ''], { key: KEY })))).toEqual(Buffer.alloc(0))
  })
})

describe('fragments that takeFragments took', () => {
  /** What comes out of a message of which the first fragment is taken by `next` and all others at a time, with its violation. */
  function take(
    pieces: readonly (string | Buffer)[],
    masked: boolean,
    place: (chunk: Buffer) => Buffer,
  ): Buffer | ProtocolError {
    const parser = new FrameParser({ role: masked ? 'server' : 'client' })
    parser.push(place(fragments(OP.TEXT, pieces, masked ? { key: KEY } : {})))
    const first = parser.next() as FramePart
    const message = new MessageAssembler(first)
    let error = message.append(first)
    while (error === null && parser.takeFragments() > 0) error = message.appendTaken(parser)
    if (error !== null) return error
    expect(parser.tookLast).toBe(true)
    expect(parser.bufferedBytes).toBe(0)
    return message.finish()
  }

  describe.each([
    ['masked', true],
    ['not masked', false],
  ])('%s', (_name, masked) => {
    test.each([
      ['of a chunk that a handle read', lend],
      ['of any other chunk', (chunk: Buffer): Buffer => chunk],
    ])('are joined, and validated as text: %s', (_place, place) => {
      expect(take(['Hel', 'lo', ', ', '', 'world', ''], masked, place)).toEqual(Buffer.from('Hello, world'))
      expect(take(['', '', ''], masked, place)).toEqual(Buffer.alloc(0))
      expect(take(['H\u00e9', hex('c3'), hex('a9 61'), 'x'], masked, place)).toEqual(
        Buffer.from('H\u00e9\u00e9ax'),
      )
      expect(take(['a', hex('c3'), 'a'], masked, place)).toMatchObject({ code: 'HAWSER_INVALID_UTF8' })
      expect(take(['a', hex('ff'), 'a'], masked, place)).toMatchObject({ code: 'HAWSER_INVALID_UTF8' })
      expect(take(['a', 'b', hex('c3')], masked, place)).toMatchObject({ code: 'HAWSER_INVALID_UTF8' })
    })
  })

  test('that are ASCII in one chunk say nothing of those in another', () => {
    expect(take(['a', 'b', 'c'], false, lend)).toEqual(Buffer.from('abc'))
    expect(take(['a', hex('ff'), 'c'], false, (chunk) => chunk)).toMatchObject({
      code: 'HAWSER_INVALID_UTF8',
    })
  })

  test('count as announced, so that a long last frame gets its memory once', () => {
    const parser = new FrameParser({ role: 'client' })
    parser.push(frame({ opcode: OP.BINARY, payload: 'x'.repeat(100), fin: false }))
    const first = parser.next() as FramePart
    const message = new MessageAssembler(first)
    message.append(first)
    parser.push(frame({ opcode: OP.CONTINUATION, payload: 'y'.repeat(100), fin: false }))
    expect(parser.takeFragments()).toBe(1)
    message.appendTaken(parser)
    const last = frame({ opcode: OP.CONTINUATION, payload: 'z'.repeat(50_000) })
    parser.push(last.subarray(0, 40_000))
    message.append(parser.next() as FramePart)
    const early = message.finish() as Buffer
    parser.push(last.subarray(40_000))
    message.append(parser.next() as FramePart)
    const bytes = message.finish() as Buffer
    expect(bytes.toString()).toBe(`${'x'.repeat(100)}${'y'.repeat(100)}${'z'.repeat(50_000)}`)
    expect(bytes.buffer).toBe(early.buffer)
    expect(bytes.buffer.byteLength).toBe(50_200)
  })
})

describe('RFC 6455 8.1: text is validated as it arrives', () => {
  test('a character that fragments cut is valid', () => {
    const list = fragments(OP.TEXT, ['a€'.slice(0, 1), hex('e2'), hex('82'), hex('ac 62')], { key: KEY })
    expect(whole(parts(true, list)).toString()).toBe('a€b')
  })

  test('a bad byte is reported with its part, before the frame is complete', () => {
    const bytes = frame({ opcode: OP.TEXT, payload: hex('61 62 c3 28 63 64'), key: KEY })
    const list = parts(true, ...bytewise(bytes))
    const message = new MessageAssembler(list[0] as FramePart)
    const answers = list.map((part) => message.append(part)?.code ?? null)
    // The first part is only the header.
    expect(answers.slice(0, 5)).toEqual([null, null, null, null, 'HAWSER_INVALID_UTF8'])
    expect(message.append(list[0] as FramePart)).toBeNull()
  })

  test('ASCII after a cut character is valid', () => {
    const list = parts(true, fragments(OP.TEXT, [hex('c3'), 'a'], { key: KEY }))
    expect(assemble(list)).toMatchObject({ code: 'HAWSER_INVALID_UTF8', closeCode: 1007 })
  })

  test('ASCII after whole characters is valid', () => {
    const message = assemble(
      parts(true, fragments(OP.TEXT, ['é', 'a', 'b'], { key: KEY })),
    ) as MessageAssembler
    expect(message.isAscii).toBe(false)
    expect(message.finish()).toEqual(Buffer.from('éab'))
  })

  test('text that ends inside a character is a violation', () => {
    for (const masked of [true, false]) {
      const message = assemble(
        parts(masked, fragments(OP.TEXT, ['a', hex('e2 82')], masked ? { key: KEY } : {})),
      ) as MessageAssembler
      expect(message.finish()).toMatchObject({
        code: 'HAWSER_INVALID_UTF8',
        closeCode: 1007,
        message: expect.stringContaining('ends inside a character') as string,
      })
    }
  })

  test('binary and compressed messages are not validated', () => {
    expect(whole(parts(true, fragments(OP.BINARY, [hex('ff'), hex('c3')], { key: KEY })))).toEqual(
      hex('ff c3'),
    )
    const compressed = parts(true, fragments(OP.TEXT, [hex('ff'), hex('c3')], { key: KEY, rsv1: true }))
    const message = assemble(compressed) as MessageAssembler
    expect(message).toMatchObject({ opcode: OP.TEXT, isCompressed: true, isAscii: false })
    expect(message.finish()).toEqual(hex('ff c3'))
  })
})

describe('memory follows the bytes received', () => {
  test('a message has room for four times the bytes received and 1 KiB, not for all that it announces', () => {
    const wire = frame({ opcode: OP.BINARY, payload: Buffer.alloc(16_000_000) })
    for (const cut of [11, 1000, 100_000, 3_000_000]) {
      const list = parts(false, wire.subarray(0, cut))
      const assembler = new MessageAssembler(list[0] as FramePart)
      assembler.append(list[0] as FramePart)
      // The pool has sizes of powers of two.
      expect((assembler.finish() as Buffer).buffer.byteLength).toBeLessThan((cut * 4 + 1024) * 2)
    }
  })

  /** The bytes that the finished message keeps alive. */
  function held(list: readonly FramePart[]): number {
    return whole(list).buffer.byteLength
  }

  test('a frame in two chunks uses exactly the bytes that it announces', () => {
    const bytes = frame({ opcode: OP.BINARY, payload: Buffer.alloc(100_000), key: KEY })
    for (const cut of [30_000, 50_000, 60_000, 80_000, 99_999]) {
      expect(held(parts(true, bytes.subarray(0, cut), bytes.subarray(cut)))).toBe(100_000)
    }
  })

  test('a message of many fragments keeps at most twice its size', () => {
    const pieces = Array.from({ length: 3000 }, () => 'x'.repeat(33))
    for (const count of [2, 10, 100, 1000, 3000]) {
      const list = parts(false, fragments(OP.BINARY, pieces.slice(0, count)))
      expect(held(list)).toBeLessThanOrEqual(count * 33 * 2)
    }
  })

  test('a message of many fragments is copied to a larger buffer as often as its size doubles, not for each', () => {
    const list = parts(
      false,
      fragments(
        OP.BINARY,
        Array.from({ length: 1000 }, () => 'x'.repeat(100)),
      ),
    )
    const message = new MessageAssembler(list[0] as FramePart)
    const buffers = new Set<ArrayBufferLike>()
    for (const part of list) {
      message.append(part)
      buffers.add((message.finish() as Buffer).buffer)
    }
    expect(message.byteLength).toBe(100_000)
    expect(buffers.size).toBeLessThan(20)
  })
})

describe('the buffer of a message that is longer than its chunks', () => {
  /** A text in two chunks, the first of which makes the assembler borrow a buffer for all of it. */
  function comeCut(byte: number): { assembler: MessageAssembler; bytes: Buffer } {
    const wire = frame({ opcode: OP.TEXT, payload: Buffer.alloc(1_000_000, byte) })
    const parser = new FrameParser({ role: 'client' })
    parser.push(wire.subarray(0, 200_000))
    parser.push(wire.subarray(200_000))
    const first = parser.next() as FramePart
    const assembler = new MessageAssembler(first)
    assembler.append(first)
    assembler.append(parser.next() as FramePart)
    return { assembler, bytes: assembler.finish() as Buffer }
  }

  test('is lent again after its release, and only once', () => {
    const one = comeCut(1)
    one.assembler.release()
    one.assembler.release()
    const [two, three] = [comeCut(2), comeCut(3)]
    expect(two.bytes.buffer).toBe(one.bytes.buffer)
    expect(three.bytes.buffer).not.toBe(two.bytes.buffer)
    expect(two.bytes.equals(Buffer.alloc(1_000_000, 2))).toBe(true)
  })

  test.each([
    ['binary', { opcode: OP.BINARY }],
    ['compressed', { opcode: OP.TEXT, rsv1: true }],
  ])('is its own from a quarter on where the message is %s: keep copies nothing', (_name, spec) => {
    const wire = frame({ ...spec, payload: Buffer.alloc(1_000_000, 6) })
    // A header of ten bytes, and a quarter less 256 bytes.
    for (const cut of [200_000, 249_754, 500_000]) {
      const list = parts(false, wire.subarray(0, cut), wire.subarray(cut))
      const assembler = new MessageAssembler(list[0] as FramePart)
      assembler.append(list[0] as FramePart)
      const early = assembler.finish() as Buffer
      assembler.append(list[1] as FramePart)
      const bytes = assembler.finish() as Buffer
      expect([cut, bytes.buffer === early.buffer]).toEqual([cut, cut !== 200_000])
      expect(bytes.buffer.byteLength).toBe(1_000_000)
      expect(assembler.keep(bytes)).toBe(bytes)
    }
  })

  test('is not kept: keep returns memory of its own and of the exact size', () => {
    const one = comeCut(4)
    const kept = one.assembler.keep(one.bytes)
    expect(kept.buffer.byteLength).toBe(1_000_000)
    expect(comeCut(5).bytes.buffer).toBe(one.bytes.buffer)
    expect(kept.equals(Buffer.alloc(1_000_000, 4))).toBe(true)
    expect(one.assembler.keep(kept)).toBe(kept)
  })
})
