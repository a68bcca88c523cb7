import { FrameParser, type FrameParserOptions } from '../../src/frame/index.js'
import { SERVER_LIMITS } from '../../src/limits.js'
import { frameHeader, fragments, KEY, OP } from '../helpers/frame-builder.js'

/** The result of a parser for a header in one chunk, and byte by byte. */
function answers(options: FrameParserOptions, bytes: Buffer): string[] {
  return [bytes.length, 1].map((size) => {
    const parser = new FrameParser(options)
    let answer = 'more'
    for (let at = 0; at < bytes.length; at += size) {
      parser.push(Buffer.from(bytes.subarray(at, at + size)))
      for (let event = parser.next(); event !== null; event = parser.next()) {
        if (event.type === 'violation') return `${event.error.code} ${String(event.error.closeCode)}`
        answer = event.isLast ? 'frame' : `part of ${String(event.payloadLength)}`
      }
    }
    return answer
  })
}

const OPEN: FrameParserOptions = { role: 'server' }
const GUARDED: FrameParserOptions = { role: 'server', maxMessageBytes: SERVER_LIMITS.maxMessageBytes }
const TOO_BIG = 'HAWSER_MESSAGE_TOO_BIG 1009'

describe('SECURITY.md: 64-bit lengths', () => {
  test.each([
    [2n ** 16n, 'part of 65536', 'part of 65536'],
    [2n ** 20n, 'part of 1048576', 'part of 1048576'],
    [2n ** 20n + 1n, 'part of 1048577', TOO_BIG],
    [2n ** 31n - 1n, 'part of 2147483647', TOO_BIG],
    [2n ** 31n, 'part of 2147483648', TOO_BIG],
    [2n ** 32n - 1n, 'part of 4294967295', TOO_BIG],
    [2n ** 32n, 'part of 4294967296', TOO_BIG],
    [2n ** 32n + 5n, 'part of 4294967301', TOO_BIG],
    [2n ** 53n - 1n, 'part of 9007199254740991', TOO_BIG],
    [2n ** 53n, TOO_BIG, TOO_BIG],
    [2n ** 53n + 1n, TOO_BIG, TOO_BIG],
    [2n ** 63n - 1n, TOO_BIG, TOO_BIG],
    [2n ** 63n, 'HAWSER_INVALID_LENGTH 1002', 'HAWSER_INVALID_LENGTH 1002'],
    [2n ** 63n + 5n, 'HAWSER_INVALID_LENGTH 1002', 'HAWSER_INVALID_LENGTH 1002'],
    [2n ** 64n - 1n, 'HAWSER_INVALID_LENGTH 1002', 'HAWSER_INVALID_LENGTH 1002'],
  ])('%s: without a limit %s, with the default of a server %s', (announce, open, guarded) => {
    for (const opcode of [OP.TEXT, OP.BINARY]) {
      const header = frameHeader({ opcode, announce, key: KEY })
      expect(answers(OPEN, header)).toEqual([open, open])
      expect(answers(GUARDED, header)).toEqual([guarded, guarded])
    }
  })

  test.each([
    [0, 16],
    [125, 16],
    [0, 64],
    [125, 64],
    [126, 64],
    [65_535, 64],
  ] as const)('a length of %i in %i bits is refused as not minimal', (announce, lengthForm) => {
    for (const [opcode, before] of [
      [OP.TEXT, Buffer.alloc(0)],
      [OP.BINARY, Buffer.alloc(0)],
      [OP.CONTINUATION, fragments(OP.TEXT, ['a', ''], { key: KEY }).subarray(0, 7)],
    ] as const) {
      const header = frameHeader({ opcode, announce, lengthForm, key: KEY })
      const answer = 'HAWSER_NON_MINIMAL_LENGTH 1002'
      expect(answers(OPEN, Buffer.concat([before, header]))).toEqual([answer, answer])
    }
  })

  test('fragments whose sum no double can count exactly are refused', () => {
    // RFC 6455 5.4: a continuation can announce as much as a first frame.
    const first = fragments(OP.TEXT, ['abc', ''], { key: KEY }).subarray(0, 9)
    for (const announce of [2n ** 53n - 3n, 2n ** 53n - 1n, 2n ** 63n - 1n]) {
      const next = frameHeader({ opcode: OP.CONTINUATION, announce, key: KEY })
      expect(answers(OPEN, Buffer.concat([first, next]))).toEqual([TOO_BIG, TOO_BIG])
    }
    const most = frameHeader({ opcode: OP.CONTINUATION, announce: 2n ** 53n - 4n, key: KEY })
    expect(answers(OPEN, Buffer.concat([first, most]))[0]).toBe('part of 9007199254740988')
  })
})

describe('SECURITY.md: no limit of size', () => {
  const options: FrameParserOptions = { role: 'server', maxMessageBytes: 1000 }

  test('a frame that announces too much is refused without waiting for its payload', () => {
    expect(answers(options, frameHeader({ opcode: OP.TEXT, announce: 1001, key: KEY }))).toEqual([
      TOO_BIG,
      TOO_BIG,
    ])
  })

  test('fragments that exceed the limit by one byte are refused', () => {
    const pieces = Array.from({ length: 10 }, () => 'x'.repeat(100))
    const right = fragments(OP.TEXT, [...pieces, ''], { key: KEY })
    expect(answers(options, right)).toEqual(['frame', 'frame'])
    const wrong = fragments(OP.TEXT, [...pieces, 'x'], { key: KEY })
    expect(answers(options, wrong)).toEqual([TOO_BIG, TOO_BIG])
  })
})
