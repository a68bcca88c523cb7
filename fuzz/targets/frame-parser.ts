/** Bytes to frames (RFC 6455 section 5): in both roles, in any chunks, pulled at any time. */
import { FrameParser } from '../../src/frame/frame-parser.js'
import { serializeFrame } from '../../src/frame/frame-serializer.js'
import type { Opcode } from '../../src/frame/opcode.js'
import { readFrames } from '../../test/helpers/frame-builder.js'
import {
  modelFrames,
  type ModelOptions,
  type ParserOutcome,
  type SeenFrame,
} from '../../test/helpers/frame-model.js'
import { check, checkSame, Choices, everyWay, inputOf, type Target } from './choices.js'
import { peerStreams } from './peer-frames.js'

const LIMITS = [
  { maxFrameBytes: Infinity, maxMessageBytes: 1_000_000, maxCompressedBytes: 1_000_000 },
  { maxFrameBytes: 200, maxMessageBytes: 300, maxCompressedBytes: 20 },
  { maxFrameBytes: 70_000, maxMessageBytes: 10, maxCompressedBytes: 200 },
  { maxFrameBytes: 125, maxMessageBytes: 0, maxCompressedBytes: 0 },
] as const

/** Takes up to `most` events. Parts of a frame are joined. */
function pull(parser: FrameParser, outcome: ParserOutcome, most: number): void {
  for (let i = 0; i < most; i++) {
    const event = parser.next()
    if (event === null) {
      check(parser.bufferedBytes === 0, 'the parser wants bytes though it has some')
      return
    }
    if (event.type === 'violation') {
      check(parser.next() === event && parser.error === event.error, 'a violation is the last event')
      outcome.violation = event.error.code
      return
    }
    const payload = event.payload.toString('latin1')
    const { opcode, fin, rsv1, payloadLength, isFirst, isLast } = event
    if (isFirst) {
      outcome.frames.push({ opcode, fin, rsv1, payloadLength, payload, isWhole: isLast })
      continue
    }
    const last = outcome.frames.at(-1) as SeenFrame
    check(!last.isWhole && payload.length > 0, 'a part belongs to a frame that goes on')
    check(event.offset === last.payload.length, 'a part goes on where the last one ended')
    last.payload += payload
    last.isWhole = isLast
  }
}

function read(options: ModelOptions, chunks: readonly Buffer[], most: readonly number[]): ParserOutcome {
  const parser = new FrameParser(options)
  const outcome: ParserOutcome = { frames: [], violation: null }
  chunks.forEach((chunk, i) => {
    parser.push(Buffer.from(chunk))
    pull(parser, outcome, most[i % most.length] ?? Infinity)
  })
  pull(parser, outcome, Infinity)
  check(parser.bufferedBytes === 0 || outcome.violation !== null, 'no bytes are kept')
  return outcome
}

/** Each frame that came whole, written again, is the bytes that came. */
function writeAgain(bytes: Buffer, outcome: ParserOutcome): void {
  const whole = outcome.frames.filter(({ isWhole }) => isWhole).length
  let at = 0
  for (const { key, wireLength, ...found } of readFrames(bytes).frames.slice(0, whole)) {
    const maskingKey = key === null ? {} : { maskingKey: Buffer.from(key).readInt32LE() }
    const { fin, rsv1, payload } = found
    const written = serializeFrame({ opcode: found.opcode as Opcode, fin, rsv1, payload, ...maskingKey })
    check(written.equals(bytes.subarray(at, at + wireLength)), 'a frame is written as it was read')
    at += wireLength
  }
}

function run(input: Buffer): void {
  const choices = new Choices(input)
  const { bytes } = choices
  const options: ModelOptions = {
    role: choices.flag ? 'client' : 'server',
    allowRsv1: choices.flag,
    ...choices.pick(LIMITS),
  }
  const most = [choices.byte() % 4, choices.byte() % 4, Infinity]
  const expected = modelFrames(bytes, options)
  for (const chunks of everyWay(choices)) {
    for (const pulls of [most, [Infinity]]) {
      checkSame(read(options, chunks, pulls), expected, 'the frames are those of the model, in any chunks')
    }
  }
  writeAgain(bytes, expected)
}

export const target: Target = {
  title: 'bytes to frames, in both roles, against a plain reader',
  lanes: ['native', 'no-wasm', 'off'],
  maxBytes: 1500,
  seeds: () => [
    ...peerStreams('client').flatMap((bytes, i) => [
      inputOf(bytes, 0, 1, 0, 1, 0, i),
      inputOf(bytes, 0, 0, i % 4),
    ]),
    ...peerStreams('server').flatMap((bytes, i) => [
      inputOf(bytes, 1, 1, 0, 1, 0, i),
      inputOf(bytes, 1, 0, i % 4),
    ]),
  ],
  run,
}
