import { LimitError, ProtocolError } from '../../../src/errors.js'
import type { FrameEvent } from '../../../src/frame/frame-event.js'
import { FrameParser, type FrameParserOptions } from '../../../src/frame/frame-parser.js'
import {
  closeFrame,
  fragments,
  frame,
  frameHeader,
  frames,
  hex,
  KEY,
  OP,
} from '../../helpers/frame-builder.js'

const SERVER: FrameParserOptions = { role: 'server' }
const CLIENT: FrameParserOptions = { role: 'client' }

function pullAll(parser: FrameParser): FrameEvent[] {
  const events: FrameEvent[] = []
  for (let event = parser.next(); event !== null; event = parser.next()) {
    events.push(event)
    if (event.type === 'violation') break
  }
  return events
}

function show(event: FrameEvent): string {
  if (event.type === 'violation') return event.error.code
  const flags = `${event.fin ? 'F' : '-'}${event.rsv1 ? 'R' : '-'}${event.isFirst ? '<' : '-'}${event.isLast ? '>' : '-'}`
  return `${String(event.opcode)} ${flags} ${String(event.offset)}+${event.payload.toString('latin1')}/${String(event.payloadLength)}`
}

/** One line for each event. Each chunk is pushed and then consumed. */
function parse(options: FrameParserOptions, ...chunks: readonly Uint8Array[]): string[] {
  const parser = new FrameParser(options)
  return chunks.flatMap((chunk) => {
    parser.push(Buffer.from(chunk))
    return pullAll(parser).map(show)
  })
}

/** The violation, and how many bytes were pushed when it was reported. */
function violation(options: FrameParserOptions, bytes: Uint8Array): { code: string; after: number } {
  const whole = new FrameParser(options)
  whole.push(Buffer.from(bytes))
  pullAll(whole)
  const parser = new FrameParser(options)
  for (let i = 0; i < bytes.length; i++) {
    parser.push(Buffer.from(bytes.subarray(i, i + 1)))
    pullAll(parser)
    if (parser.error === null) continue
    expect(whole.error?.code).toBe(parser.error.code)
    expect(whole.error?.message).toBe(parser.error.message)
    return { code: parser.error.code, after: i + 1 }
  }
  throw new Error('no violation')
}

describe('RFC 6455 5.2: frames that lie whole in a chunk', () => {
  test('a client parses an unmasked text frame', () => {
    expect(parse(CLIENT, hex('81 05 48 65 6c 6c 6f'))).toEqual(['1 F-<> 0+Hello/5'])
  })

  test('a server parses a masked text frame', () => {
    expect(parse(SERVER, hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'))).toEqual(['1 F-<> 0+Hello/5'])
  })

  test('an empty frame is parsed, masked and unmasked', () => {
    expect(parse(CLIENT, hex('82 00'))).toEqual(['2 F-<> 0+/0'])
    expect(parse(SERVER, hex('82 80 01 02 03 04'))).toEqual(['2 F-<> 0+/0'])
  })

  test('frames of every opcode are parsed from one chunk', () => {
    const bytes = frames(
      { opcode: OP.TEXT, payload: 'a', fin: false },
      { opcode: OP.PING, payload: 'p' },
      { opcode: OP.CONTINUATION, payload: 'b', fin: false },
      { opcode: OP.PONG, payload: 'q' },
      { opcode: OP.CONTINUATION, payload: 'c' },
      { opcode: OP.BINARY, payload: 'd' },
      { opcode: OP.CLOSE },
    )
    expect(parse(CLIENT, bytes)).toEqual([
      '1 --<> 0+a/1',
      '9 F-<> 0+p/1',
      '0 --<> 0+b/1',
      '10 F-<> 0+q/1',
      '0 F-<> 0+c/1',
      '2 F-<> 0+d/1',
      '8 F-<> 0+/0',
    ])
  })

  test.each([125, 126, 127, 65_535, 65_536, 65_537])(
    'a payload of %i bytes is parsed with its length in the shortest form',
    (length) => {
      const payload = Buffer.alloc(length, 'xyz')
      for (const [options, key] of [
        [CLIENT, {}],
        [SERVER, { key: KEY }],
      ] as const) {
        const parser = new FrameParser(options)
        parser.push(frame({ opcode: OP.BINARY, payload, ...key }))
        const event = parser.next()
        if (event?.type !== 'part') throw new Error('no part')
        expect(event.isFirst && event.isLast).toBe(true)
        expect(event.payloadLength).toBe(length)
        expect(event.payload.equals(payload)).toBe(true)
        expect(parser.next()).toBeNull()
      }
    },
  )

  test('a Uint8Array is parsed like a Buffer, and parts are views of it', () => {
    const chunk = new Uint8Array(32).fill(0xee)
    chunk.set(frame({ opcode: OP.BINARY, payload: [1, 2, 3], key: KEY }), 5)
    const parser = new FrameParser(SERVER)
    parser.push(chunk.subarray(5, 14))
    const event = parser.next()
    if (event?.type !== 'part') throw new Error('no part')
    expect([...event.payload]).toEqual([1, 2, 3])
    expect(event.payload.buffer).toBe(chunk.buffer)
    expect([...chunk.subarray(11, 15)]).toEqual([1, 2, 3, 0xee])
  })
})

describe('RFC 6455 5.2: frames that are cut by chunks', () => {
  const text = frame({ opcode: OP.TEXT, payload: 'Hello', key: KEY })

  test('a frame gives one part for each chunk, the first as soon as the header is complete', () => {
    expect(
      parse(SERVER, text.subarray(0, 5), text.subarray(5, 6), text.subarray(6, 8), text.subarray(8)),
    ).toEqual(['1 F-<- 0+/5', '1 F--- 0+He/5', '1 F--> 2+llo/5'])
  })

  test('a frame is parsed byte by byte', () => {
    const bytes = [...text].map((octet) => Buffer.of(octet))
    expect(parse(SERVER, ...bytes)).toEqual([
      '1 F-<- 0+/5',
      '1 F--- 0+H/5',
      '1 F--- 1+e/5',
      '1 F--- 2+l/5',
      '1 F--- 3+l/5',
      '1 F--> 4+o/5',
    ])
  })

  test('one chunk may hold the end of a frame, whole frames and the start of another', () => {
    const bytes = Buffer.concat([text, text, text])
    expect(parse(SERVER, bytes.subarray(0, 8), bytes.subarray(8, 31), bytes.subarray(31))).toEqual([
      '1 F-<- 0+He/5',
      '1 F--> 2+llo/5',
      '1 F-<> 0+Hello/5',
      '1 F-<- 0+Hel/5',
      '1 F--> 3+lo/5',
    ])
  })

  test.each([
    ['7 bits', 3],
    ['16 bits', 200],
    ['64 bits', 70_000],
  ])('a header of %s may be cut at every position', (_form, length) => {
    for (const options of [CLIENT, SERVER]) {
      const key = options.role === 'server' ? { key: KEY } : {}
      const bytes = frame({ opcode: OP.BINARY, payload: Buffer.alloc(length, 'q'), ...key })
      for (let cut = 1; cut < bytes.length - length; cut++) {
        expect(parse(options, bytes.subarray(0, cut), bytes.subarray(cut))).toEqual([
          `2 F-<> 0+${'q'.repeat(length)}/${String(length)}`,
        ])
      }
    }
  })

  test('empty chunks change nothing', () => {
    const none = new Uint8Array(0)
    expect(
      parse(SERVER, none, text.subarray(0, 3), none, text.subarray(3, 7), none, text.subarray(7)),
    ).toEqual(['1 F-<- 0+H/5', '1 F--> 1+ello/5'])
  })

  test('the header after a cut frame is parsed', () => {
    const bytes = frames(
      { opcode: OP.TEXT, payload: 'ab', fin: false },
      { opcode: OP.CONTINUATION, payload: 'cd' },
    )
    expect(parse(CLIENT, bytes.subarray(0, 3), bytes.subarray(3, 5), bytes.subarray(5))).toEqual([
      '1 --<- 0+a/2',
      '1 ---> 1+b/2',
      '0 F-<> 0+cd/2',
    ])
  })
})

describe('pushing and pulling in any order', () => {
  const one = frame({ opcode: OP.TEXT, payload: '1' })
  const two = frame({ opcode: OP.TEXT, payload: '2' })
  const three = frame({ opcode: OP.TEXT, payload: '3' })

  test('chunks pushed without pulling are parsed in their order', () => {
    const parser = new FrameParser(CLIENT)
    for (const bytes of [one, two, three]) parser.push(Buffer.from(bytes))
    expect(pullAll(parser).map(show)).toEqual(['1 F-<> 0+1/1', '1 F-<> 0+2/1', '1 F-<> 0+3/1'])
    parser.push(Buffer.from(one))
    expect(pullAll(parser).map(show)).toEqual(['1 F-<> 0+1/1'])
  })

  test('a chunk pushed after the first of two was consumed does not overtake the second', () => {
    const parser = new FrameParser(CLIENT)
    parser.push(Buffer.from(one))
    parser.push(Buffer.from(two))
    expect(parser.next()?.type).toBe('part')
    parser.push(Buffer.from(three))
    expect(pullAll(parser).map(show)).toEqual(['1 F-<> 0+2/1', '1 F-<> 0+3/1'])
  })

  test('a reader that always lags one chunk gets everything in order', () => {
    const parser = new FrameParser(CLIENT)
    parser.push(frame({ opcode: OP.TEXT, payload: 'start' }))
    for (let i = 0; i < 5000; i++) {
      parser.push(frame({ opcode: OP.TEXT, payload: String(i) }))
      const event = parser.next()
      if (event?.type !== 'part') throw new Error('no part')
      expect(event.payload.toString()).toBe(i === 0 ? 'start' : String(i - 1))
    }
    expect(parser.bufferedBytes).toBe(6)
    expect(pullAll(parser).map(show)).toEqual(['1 F-<> 0+4999/4'])
  })

  test('bufferedBytes counts the bytes that are not consumed yet', () => {
    const parser = new FrameParser(CLIENT)
    expect(parser.bufferedBytes).toBe(0)
    parser.push(Buffer.concat([one, two]))
    expect(parser.bufferedBytes).toBe(6)
    parser.push(Buffer.from(three))
    expect(parser.bufferedBytes).toBe(9)
    parser.next()
    expect(parser.bufferedBytes).toBe(6)
    parser.next()
    expect(parser.bufferedBytes).toBe(3)
    parser.next()
    expect(parser.bufferedBytes).toBe(0)
  })
})

describe('RFC 6455 5.1: masking by role', () => {
  test('a server refuses an unmasked frame at the second byte', () => {
    expect(violation(SERVER, hex('81 05 48'))).toEqual({ code: 'HAWSER_EXPECTED_MASK', after: 2 })
  })

  test('a client refuses a masked frame at the second byte', () => {
    expect(violation(CLIENT, hex('81 85 37'))).toEqual({ code: 'HAWSER_UNEXPECTED_MASK', after: 2 })
  })
})

describe('RFC 6455 5.2: the reserved bits', () => {
  test.each([
    ['RSV1', { rsv1: true }],
    ['RSV2', { rsv2: true }],
    ['RSV3', { rsv3: true }],
    ['all', { rsv1: true, rsv2: true, rsv3: true }],
  ])('%s is refused at the first byte', (_name, bits) => {
    for (const opcode of [OP.TEXT, OP.BINARY, OP.CLOSE, OP.PING, OP.PONG]) {
      expect(violation(CLIENT, frame({ opcode, ...bits }))).toEqual({
        code: 'HAWSER_RESERVED_BITS',
        after: 1,
      })
    }
  })

  const deflated: FrameParserOptions = { role: 'client', allowRsv1: true }

  test('with an extension, RSV1 is accepted on the first frame of a message (RFC 7692 6.1)', () => {
    expect(parse(deflated, fragments(OP.TEXT, ['a', 'b'], { rsv1: true }))).toEqual([
      '1 -R<> 0+a/1',
      '0 F-<> 0+b/1',
    ])
  })

  test('with an extension, RSV1 is refused on any other frame', () => {
    const start = frame({ opcode: OP.TEXT, fin: false, rsv1: true })
    const bad = { code: 'HAWSER_RESERVED_BITS' }
    expect(
      violation(deflated, Buffer.concat([start, frame({ opcode: OP.CONTINUATION, rsv1: true })])),
    ).toEqual({
      ...bad,
      after: 3,
    })
    for (const opcode of [OP.CLOSE, OP.PING, OP.PONG]) {
      expect(violation(deflated, frame({ opcode, rsv1: true }))).toEqual({ ...bad, after: 1 })
    }
    expect(violation(deflated, frame({ opcode: OP.TEXT, rsv1: true, rsv2: true }))).toEqual({
      ...bad,
      after: 1,
    })
    expect(violation(deflated, frame({ opcode: OP.TEXT, rsv3: true }))).toEqual({ ...bad, after: 1 })
  })
})

describe('RFC 6455 5.2: opcodes', () => {
  test.each([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])(
    'the reserved opcode %i is refused at the first byte',
    (opcode) => {
      expect(violation(CLIENT, frame({ opcode }))).toEqual({ code: 'HAWSER_RESERVED_OPCODE', after: 1 })
      expect(violation(SERVER, frame({ opcode, key: KEY, fin: false }))).toEqual({
        code: 'HAWSER_RESERVED_OPCODE',
        after: 1,
      })
    },
  )

  test('the violation names the reserved opcode', () => {
    const parser = new FrameParser(CLIENT)
    parser.push(frame({ opcode: 11 }))
    parser.next()
    expect(parser.error?.message).toMatch(/: 11$/)
  })
})

describe('RFC 6455 5.2: lengths', () => {
  test.each([0, 1, 125])('a length of %i in 16 bits is refused as not minimal', (announce) => {
    expect(violation(CLIENT, frameHeader({ opcode: OP.TEXT, announce, lengthForm: 16 }))).toEqual({
      code: 'HAWSER_NON_MINIMAL_LENGTH',
      after: 4,
    })
  })

  test.each([0, 125, 126, 65_535])('a length of %i in 64 bits is refused as not minimal', (announce) => {
    expect(violation(SERVER, frameHeader({ opcode: OP.TEXT, announce, lengthForm: 64, key: KEY }))).toEqual({
      code: 'HAWSER_NON_MINIMAL_LENGTH',
      after: 10,
    })
  })

  test.each([2n ** 63n, 2n ** 64n - 1n])(
    'the length %s with its top bit set is refused at the third byte',
    (announce) => {
      expect(violation(CLIENT, frameHeader({ opcode: OP.BINARY, announce }))).toEqual({
        code: 'HAWSER_INVALID_LENGTH',
        after: 3,
      })
    },
  )

  test.each([2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1])('a length of %i is read exactly', (announce) => {
    const parser = new FrameParser(CLIENT)
    parser.push(Buffer.concat([frameHeader({ opcode: OP.BINARY, announce }), Buffer.from('ab')]))
    expect(show(parser.next() as FrameEvent)).toBe(`2 F-<- 0+ab/${String(announce)}`)
    expect(parser.next()).toBeNull()
  })

  test.each([2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n])(
    'the length %s cannot be counted and is too big even without a limit',
    (announce) => {
      expect(violation(CLIENT, frameHeader({ opcode: OP.BINARY, announce }))).toEqual({
        code: 'HAWSER_MESSAGE_TOO_BIG',
        after: 10,
      })
      const first = frame({ opcode: OP.BINARY, fin: false, rsv1: true })
      const next = frameHeader({ opcode: OP.CONTINUATION, announce })
      expect(violation({ role: 'client', allowRsv1: true }, Buffer.concat([first, next]))).toEqual({
        code: 'HAWSER_MESSAGE_TOO_BIG',
        after: 12,
      })
    },
  )
})

describe('RFC 6455 5.4: fragmentation', () => {
  test('a continuation frame without a message is refused', () => {
    expect(violation(CLIENT, hex('80 00'))).toEqual({ code: 'HAWSER_UNEXPECTED_CONTINUATION', after: 1 })
  })

  test('a continuation frame after the last frame of a message is refused', () => {
    expect(violation(CLIENT, Buffer.concat([fragments(OP.TEXT, ['a', 'b']), hex('00')]))).toEqual({
      code: 'HAWSER_UNEXPECTED_CONTINUATION',
      after: 7,
    })
    expect(violation(CLIENT, hex('81 00 00'))).toEqual({ code: 'HAWSER_UNEXPECTED_CONTINUATION', after: 3 })
  })

  test.each([OP.TEXT, OP.BINARY])(
    'a new message (opcode %i) before the end of the last one is refused',
    (opcode) => {
      expect(violation(CLIENT, Buffer.concat([hex('01 00'), frame({ opcode })]))).toEqual({
        code: 'HAWSER_EXPECTED_CONTINUATION',
        after: 3,
      })
    },
  )

  test('control frames between fragments do not change the message', () => {
    const ping = frame({ opcode: OP.PING })
    expect(violation(CLIENT, Buffer.concat([hex('01 00'), ping, hex('81 00')]))).toEqual({
      code: 'HAWSER_EXPECTED_CONTINUATION',
      after: 5,
    })
  })
})

describe('RFC 6455 5.5: control frames', () => {
  test.each([OP.CLOSE, OP.PING, OP.PONG])('opcode %i without FIN is refused at the first byte', (opcode) => {
    expect(violation(CLIENT, frame({ opcode, fin: false }))).toEqual({
      code: 'HAWSER_FRAGMENTED_CONTROL',
      after: 1,
    })
  })

  test.each([
    [126, 16],
    [125, 16],
    [65_536, 64],
    [0, 64],
  ] as const)(
    'a control frame that announces %i bytes in %i bits is refused at the second byte',
    (announce, lengthForm) => {
      for (const opcode of [OP.CLOSE, OP.PING, OP.PONG]) {
        expect(violation(SERVER, frameHeader({ opcode, announce, lengthForm, key: KEY }))).toEqual({
          code: 'HAWSER_CONTROL_TOO_LONG',
          after: 2,
        })
      }
    },
  )

  test('a control frame with 125 bytes is accepted', () => {
    expect(parse(CLIENT, frame({ opcode: OP.PING, payload: 'p'.repeat(125) }))).toEqual([
      `9 F-<> 0+${'p'.repeat(125)}/125`,
    ])
  })

  test('the limits of messages do not apply to control frames', () => {
    const options: FrameParserOptions = { role: 'client', maxFrameBytes: 0, maxMessageBytes: 0 }
    expect(parse(options, frames({ opcode: OP.PING, payload: 'p' }, { opcode: OP.TEXT }))).toEqual([
      '9 F-<> 0+p/1',
      '1 F-<> 0+/0',
    ])
  })
})

describe('RFC 6455 10.4: limits', () => {
  function limitError(options: FrameParserOptions, bytes: Uint8Array): LimitError {
    violation(options, bytes)
    const parser = new FrameParser(options)
    parser.push(Buffer.from(bytes))
    pullAll(parser)
    if (!(parser.error instanceof LimitError)) throw new Error('no LimitError')
    return parser.error
  }

  test('maxFrameBytes limits the payload of one frame', () => {
    const options: FrameParserOptions = { role: 'client', maxFrameBytes: 3 }
    expect(parse(options, fragments(OP.TEXT, ['abc', 'def']))).toEqual(['1 --<> 0+abc/3', '0 F-<> 0+def/3'])
    expect(limitError(options, frameHeader({ opcode: OP.TEXT, announce: 4 }))).toMatchObject({
      code: 'HAWSER_FRAME_TOO_BIG',
      closeCode: 1009,
      limit: 3,
      actual: 4,
    })
  })

  test('maxMessageBytes limits a message of one frame, and is reported before the masking key arrives', () => {
    const options: FrameParserOptions = { role: 'server', maxMessageBytes: 3 }
    const header = frameHeader({ opcode: OP.TEXT, announce: 4, key: KEY })
    expect(violation(options, header)).toEqual({ code: 'HAWSER_MESSAGE_TOO_BIG', after: 2 })
    expect(limitError(options, header)).toMatchObject({ closeCode: 1009, limit: 3, actual: 4 })
    expect(parse(options, frame({ opcode: OP.TEXT, payload: 'abc', key: KEY }))).toEqual(['1 F-<> 0+abc/3'])
  })

  test('maxMessageBytes limits the sum of all fragments, without pings between them', () => {
    const options: FrameParserOptions = { role: 'client', maxMessageBytes: 3 }
    const ping = frame({ opcode: OP.PING, payload: 'ping' })
    const [a, bc, d] = [
      frame({ opcode: OP.TEXT, payload: 'a', fin: false }),
      frame({ opcode: OP.CONTINUATION, payload: 'bc', fin: false }),
      frame({ opcode: OP.CONTINUATION, payload: 'd' }),
    ]
    expect(limitError(options, Buffer.concat([a, ping, bc, ping, d]))).toMatchObject({ limit: 3, actual: 4 })
    const end = frame({ opcode: OP.CONTINUATION })
    const again = frame({ opcode: OP.TEXT, payload: 'xyz' })
    expect(parse(options, Buffer.concat([a, bc, end, again])).at(-1)).toBe('1 F-<> 0+xyz/3')
  })

  test('compressed messages have a limit of their own: 9/8 of maxMessageBytes plus 1024 bytes', () => {
    const options: FrameParserOptions = { role: 'client', allowRsv1: true, maxMessageBytes: 9 }
    const compressed = (announce: number): Buffer => frameHeader({ opcode: OP.TEXT, announce, rsv1: true })
    expect(parse(options, compressed(1035))).toEqual(['1 FR<- 0+/1035'])
    expect(limitError(options, compressed(1036))).toMatchObject({
      code: 'HAWSER_MESSAGE_TOO_BIG',
      limit: 1035,
      actual: 1036,
    })
    expect(limitError({ ...options, maxCompressedBytes: 5 }, compressed(6))).toMatchObject({
      limit: 5,
      actual: 6,
    })
  })

  test('the first frame of a message decides which limit applies', () => {
    const options: FrameParserOptions = {
      role: 'client',
      allowRsv1: true,
      maxMessageBytes: 1,
      maxCompressedBytes: 4,
    }
    expect(parse(options, fragments(OP.TEXT, ['ab', 'cd'], { rsv1: true }))).toHaveLength(2)
    expect(limitError(options, fragments(OP.TEXT, ['ab', 'cde'], { rsv1: true }))).toMatchObject({
      limit: 4,
      actual: 5,
    })
    expect(limitError(options, fragments(OP.TEXT, ['a', 'b']))).toMatchObject({ limit: 1, actual: 2 })
  })
})

describe('RFC 6455 7.1.7: a violation is final', () => {
  test('frames before a violation are delivered, bytes after it are never parsed', () => {
    const parser = new FrameParser(CLIENT)
    parser.push(Buffer.concat([frame({ opcode: OP.TEXT, payload: 'ok' }), hex('83 00'), closeFrame(1000)]))
    parser.push(frame({ opcode: OP.TEXT, payload: 'behind' }))
    expect(parser.error).toBeNull()
    expect(show(parser.next() as FrameEvent)).toBe('1 F-<> 0+ok/2')
    const event = parser.next()
    expect(event).toMatchObject({
      type: 'violation',
      error: { code: 'HAWSER_RESERVED_OPCODE', closeCode: 1002 },
    })
    expect(parser.bufferedBytes).toBe(0)
    parser.push(frame({ opcode: OP.TEXT, payload: 'late' }))
    expect(parser.bufferedBytes).toBe(0)
    expect(parser.next()).toBe(event)
    expect(parser.next()).toBe(event)
    expect(parser.error).toBeInstanceOf(ProtocolError)
  })

  test('a violation in a cut header is final too', () => {
    const parser = new FrameParser(CLIENT)
    parser.push(hex('81'))
    expect(parser.next()).toBeNull()
    parser.push(hex('81 00 00'))
    expect(parser.next()).toMatchObject({ type: 'violation', error: { code: 'HAWSER_UNEXPECTED_MASK' } })
    expect(parser.bufferedBytes).toBe(0)
  })
})

describe('a wrong argument throws at once', () => {
  function construct(options: unknown): () => FrameParser {
    return () => new FrameParser(options as FrameParserOptions)
  }

  test.each([
    [{ role: 'proxy' }, TypeError, `role must be 'client' or 'server', not "proxy"`],
    [{ role: 'client', misspelled: 1 }, TypeError, 'FrameParserOptions'],
    [{}, TypeError, `role must be 'client' or 'server', not undefined`],
    [{ role: 'client', allowRsv1: 1 }, TypeError, 'allowRsv1 must be true or false, not 1'],
    [
      { role: 'client', reservedBits: '64' },
      TypeError,
      'reservedBits must be an integer from 0 to 112, not "64"',
    ],
    [
      { role: 'client', reservedBits: 128 },
      RangeError,
      'reservedBits must be an integer from 0 to 112, not 128',
    ],
    [{ role: 'client', reservedBits: 1 }, RangeError, 'reservedBits must be a sum of 16, 32 and 64, not 1'],
    [
      { role: 'client', maxFrameBytes: -1 },
      RangeError,
      'maxFrameBytes must be an integer from 0 to Infinity, not -1',
    ],
    [
      { role: 'client', maxMessageBytes: 1.5 },
      RangeError,
      'maxMessageBytes must be an integer from 0 to Infinity, not 1.5',
    ],
    [
      { role: 'client', maxMessageBytes: 5n },
      TypeError,
      'maxMessageBytes must be an integer from 0 to Infinity, not a bigint',
    ],
    [
      { role: 'client', maxCompressedBytes: null },
      TypeError,
      'maxCompressedBytes must be an integer from 0 to Infinity, not null',
    ],
  ])('new FrameParser(%p) throws', (options, type, message) => {
    expect(construct(options)).toThrow(type)
    expect(construct(options)).toThrow(message)
  })

  test.each([['a string'], [new ArrayBuffer(2)], [new Uint16Array(2)], [[0x81, 0]], [null], [undefined]])(
    'push(%p) throws',
    (chunk) => {
      const parser = new FrameParser(CLIENT)
      const push = (): void => {
        parser.push(chunk as unknown as Uint8Array)
      }
      expect(push).toThrow(TypeError)
      expect(push).toThrow(/^chunk must be a Uint8Array, not /)
      parser.push(hex('81 01 61'))
      expect(push).toThrow(/^chunk must be a Uint8Array, not /)
      expect(pullAll(parser).map(show)).toEqual(['1 F-<> 0+a/1'])
    },
  )
})
