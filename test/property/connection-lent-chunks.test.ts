// slow: every way to cut long messages
import fc from 'fast-check'
import { Connection, type ConnectionOptions } from '../../src/connection/connection.js'
import type { ConnectionEvent } from '../../src/connection/events.js'
import { ControlledCodec } from '../helpers/controlled-codec.js'
import { readFrames, type FrameSpec } from '../helpers/frame-builder.js'
import { lend } from '../helpers/lane.js'
import { pullAll, showEvent, takeAll } from '../helpers/pull.js'
import { codec, CODECS, cut, encode, piece, role, stream, type Role } from './peer-stream.js'

/** How one chunk is given, and how much is pulled of it before its memory is written again. */
interface Step {
  readonly isLent: boolean
  /** Events that are pulled; -1 for all. */
  readonly pulls: number
  /** Whether inflations off the loop that are under way by then end. */
  readonly finishes: boolean
}

const step: fc.Arbitrary<Step> = fc.record({
  isLent: fc.constantFrom(true, true, true, false),
  pulls: fc.constantFrom(-1, -1, 0, 1, 2, 5),
  finishes: fc.boolean(),
})

const LIMITS = { maxMessageBytes: 300_000, heartbeatIntervalMs: false } as const

interface Outcome {
  readonly lines: readonly string[]
  readonly output: readonly string[]
}

/** What came of it, shown only now: whatever an event holds must be its own to the end. */
function outcome(connection: Connection, events: ConnectionEvent[], codecInUse: unknown): Outcome {
  const finish = (): boolean => codecInUse instanceof ControlledCodec && codecInUse.finishAll()
  do events.push(...pullAll(connection))
  while (finish())
  const { frames, rest } = readFrames(takeAll(connection))
  expect(rest).toHaveLength(0)
  connection.transportLost()
  events.push(...pullAll(connection))
  return {
    lines: events.map(showEvent),
    output: frames.map((f) => `${f.opcode} ${f.payload.toString('hex')}`),
  }
}

function receiveOwned(options: ConnectionOptions, bytes: Buffer): Outcome {
  const connection = new Connection({ ...options, limits: LIMITS })
  connection.receiveBytes(Buffer.from(bytes))
  return outcome(connection, [], options.codec)
}

/** Where lent chunks lie: in the memory of src/native/simd, as what a handle read, or elsewhere. */
const PLACES = {
  lane: lend,
  elsewhere: (chunk: Buffer): Buffer => Buffer.from(chunk),
} as const
const place = fc.constantFrom<keyof typeof PLACES>('lane', 'elsewhere')

/** As a transport does that reads into one buffer again and again. */
function receiveLent(
  options: ConnectionOptions,
  chunks: readonly Buffer[],
  steps: readonly Step[],
  where: keyof typeof PLACES,
): Outcome {
  const connection = new Connection({ ...options, limits: LIMITS })
  const events: ConnectionEvent[] = []
  const pull = (count: number): void => {
    for (let i = 0; i !== count; i++) {
      const event = connection.nextEvent()
      if (event === null) return
      events.push(event)
    }
  }
  chunks.forEach((chunk, i) => {
    const { isLent, pulls, finishes } = steps[i % steps.length]!
    const lent = PLACES[where](chunk)
    if (isLent) connection.receiveBytes(lent, 0, true)
    else connection.receiveBytes(Buffer.from(chunk), 0)
    pull(pulls)
    connection.keepInput()
    lent.fill(0xaa)
    if (finishes && options.codec instanceof ControlledCodec) options.codec.finishAll()
  })
  return outcome(connection, events, options.codec)
}

const plan = fc.array(step, { minLength: 1, maxLength: 8 })

describe('a lent chunk', () => {
  const all = {
    ...CODECS,
    'by hand, off the loop': () => new ControlledCodec({ asyncInflateBytes: 0 }),
  }
  const anyCodec = fc.oneof(codec, fc.constant('by hand, off the loop' as const))

  test('gives the same events as an owned chunk, even if it is overwritten after keepInput', () => {
    fc.assert(
      fc.property(
        role,
        anyCodec,
        stream,
        fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 400 })), {
          minLength: 1,
          maxLength: 10,
        }),
        plan,
        place,
        (of, kind, sent, sizes, steps, where) => {
          const bytes = encode(of, sent)
          const expected = receiveOwned({ role: of, codec: all[kind](of) }, bytes)
          for (const chunks of [cut(bytes, sizes), [bytes]]) {
            expect(receiveLent({ role: of, codec: all[kind](of) }, chunks, steps, where)).toEqual(expected)
          }
        },
      ),
      { numRuns: 700 },
    )
  })

  test('gives the same events for messages that are longer than chunks', () => {
    const large: fc.Arbitrary<readonly FrameSpec[]> = fc
      .tuple(
        fc.constantFrom(1, 2),
        fc.array(fc.constantFrom(0, 125, 126, 5000, 40_000, 65_535, 65_536, 90_000), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.nat(25),
      )
      .map(([opcode, sizes, seed]) =>
        sizes.map((size, i) => ({
          opcode: i === 0 ? opcode : 0,
          fin: i === sizes.length - 1,
          payload: Buffer.from(Uint8Array.from({ length: size }, (_, at) => 97 + ((at * 7 + seed + i) % 26))),
        })),
      )
    const digest = ({ lines, output }: Outcome): unknown => ({
      // Megabytes of hexadecimal digits are compared, but not shown.
      lengths: lines.map(({ length }) => length),
      lines: lines.map((line) => (line.length < 300 ? line : `${line.slice(0, 100)} ${hash(line)}`)),
      output,
    })
    fc.assert(
      fc.property(
        role,
        fc.array(fc.oneof({ weight: 2, arbitrary: large }, { weight: 1, arbitrary: piece }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.array(fc.constantFrom(1000, 16_384, 65_536, 150_000), { minLength: 1, maxLength: 4 }),
        plan,
        place,
        (of: Role, pieces, sizes, steps, where) => {
          const bytes = encode(of, { specs: pieces.flat(), close: null })
          const expected = digest(receiveOwned({ role: of }, bytes))
          expect(digest(receiveLent({ role: of }, cut(bytes, sizes), steps, where))).toEqual(expected)
        },
      ),
      { numRuns: 70 },
    )
  })
})

function hash(text: string): number {
  let value = 0
  for (let i = 0; i < text.length; i++) value = (Math.imul(value, 31) + text.charCodeAt(i)) | 0
  return value
}
