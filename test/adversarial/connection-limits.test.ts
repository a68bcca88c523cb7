import { deflateRawSync } from 'node:zlib'
import { Connection } from '../../src/connection/connection.js'
import type { ConnectionEvent } from '../../src/connection/events.js'
import { createCodecFactory, resolveDeflateOptions, type MessageCodec } from '../../src/deflate/index.js'
import { LimitError } from '../../src/errors.js'
import { ControlledCodec, encodeRuns } from '../helpers/controlled-codec.js'
import { fragments, frame, frameHeader, KEY, OP } from '../helpers/frame-builder.js'
import { arrayBufferBytes } from '../helpers/memory.js'
import { pullAll, pullLines, takeFrames } from '../helpers/pull.js'

const LIMIT = 10_000
type Role = 'client' | 'server'
const ROLES = ['server', 'client'] as const

/** The frames that a connection of this role receives. */
const rest = (role: Role): { key: typeof KEY } | object => (role === 'server' ? { key: KEY } : {})
const make = (role: Role, codec: MessageCodec | null = null): Connection =>
  new Connection({ role, codec, limits: { maxMessageBytes: LIMIT } })

/** Expects that the message was refused with 1009, with no other event. */
function expectTooBig(
  connection: Connection,
  events: readonly ConnectionEvent[] = pullAll(connection),
): LimitError {
  expect(events).toHaveLength(1)
  const [event] = events
  if (event?.type !== 'error') throw new Error(`${event?.type} instead of an error`)
  expect(event.error).toBeInstanceOf(LimitError)
  expect(event.error.code).toBe('HAWSER_MESSAGE_TOO_BIG')
  const sent = takeFrames(connection)
  expect(sent.map((f) => [f.opcode, f.closeCode])).toEqual([[8, 1009]])
  expect(connection.closeInfo).toMatchObject({ code: 1009, wasClean: false, initiator: 'engine' })
  return event.error as LimitError
}

describe('SECURITY.md: no limit of size', () => {
  for (const role of ROLES) {
    test.each([OP.TEXT, OP.BINARY])(
      `${role}: a frame above the limit with opcode %i is refused by its header alone`,
      (opcode) => {
        const one = make(role)
        one.receiveBytes(frame({ opcode, payload: Buffer.alloc(LIMIT, 'x'), ...rest(role) }))
        expect(pullAll(one)).toHaveLength(1)
        for (const announce of [LIMIT + 1, 65_536, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2n ** 62n]) {
          const two = make(role)
          // The header as far as the length: before the masking key.
          const header = frameHeader({ opcode, announce, ...rest(role) })
          two.receiveBytes(role === 'server' ? header.subarray(0, -4) : header)
          expect(expectTooBig(two)).toMatchObject({ limit: LIMIT, actual: Number(announce) })
        }
      },
    )

    test(`${role}: fragments above the limit are refused at the header that exceeds it`, () => {
      const one = make(role)
      for (let i = 0; i < 10; i++) {
        one.receiveBytes(
          frame({ opcode: i === 0 ? 2 : 0, fin: false, payload: Buffer.alloc(1000), ...rest(role) }),
        )
      }
      expect(pullAll(one)).toEqual([])
      one.receiveBytes(frame({ opcode: 9, payload: 'still open', ...rest(role) }))
      expect(pullLines(one)).toEqual(['ping still open'])
      takeFrames(one)
      one.receiveBytes(frame({ opcode: 0, ...rest(role) }))
      expect(pullAll(one)).toHaveLength(1)
      one.receiveBytes(frame({ opcode: 1, fin: false, payload: 'x'.repeat(LIMIT), ...rest(role) }))
      expect(pullAll(one)).toEqual([])
      one.receiveBytes(frameHeader({ opcode: 0, announce: 1, ...rest(role) }))
      expect(expectTooBig(one)).toMatchObject({ actual: LIMIT + 1 })
    })

    test(`${role}: an inflated message above the limit is refused, in one frame or in fragments, in any way to inflate`, () => {
      for (const size of [LIMIT, LIMIT + 1, LIMIT * 100]) {
        for (const asyncInflateBytes of [0, Infinity]) {
          for (const pieces of [1, 3]) {
            const codec = new ControlledCodec({ asyncInflateBytes })
            const one = make(role, codec)
            const bytes = encodeRuns('x'.repeat(size))
            const step = Math.ceil(bytes.length / pieces)
            const parts = Array.from({ length: pieces }, (_, i) => bytes.subarray(i * step, (i + 1) * step))
            one.receiveBytes(fragments(OP.TEXT, parts, { rsv1: true, ...rest(role) }))
            const events = pullAll(one)
            codec.finishAll()
            events.push(...pullAll(one))
            if (size === LIMIT) expect(events).toEqual([{ type: 'message', data: 'x'.repeat(size) }])
            else expect(expectTooBig(one, events)).toMatchObject({ limit: LIMIT, actual: size })
          }
        }
      }
    })

    test(`${role}: compressed bytes are limited as they arrive`, () => {
      const one = make(role, new ControlledCodec())
      const most = LIMIT + LIMIT / 8 + 1024
      one.receiveBytes(frameHeader({ opcode: 2, rsv1: true, announce: most + 1, ...rest(role) }))
      expect(expectTooBig(one)).toMatchObject({ limit: most })
    })
  }

  test('a frame above maxFrameBytes is refused in a message below maxMessageBytes', () => {
    const one = new Connection({ role: 'server', limits: { maxFrameBytes: 100 } })
    one.receiveBytes(fragments(OP.TEXT, ['x'.repeat(100), 'y'.repeat(100)], { key: KEY }))
    expect(pullAll(one)).toHaveLength(1)
    one.receiveBytes(frameHeader({ opcode: 1, announce: 101, key: KEY }))
    expect(pullLines(one)).toEqual(['error HAWSER_FRAME_TOO_BIG'])
    expect(takeFrames(one)[0]!.closeCode).toBe(1009)
  })

  test('empty messages and control frames are accepted if maxMessageBytes is 0', () => {
    const one = new Connection({ role: 'server', limits: { maxMessageBytes: 0 } })
    one.receiveBytes(
      Buffer.concat([
        frame({ opcode: 1, key: KEY }),
        fragments(2, ['', ''], { key: KEY }),
        frame({ opcode: 9, payload: 'p', key: KEY }),
        frame({ opcode: 1, payload: 'x', key: KEY }),
      ]),
    )
    expect(pullLines(one)).toEqual(['text ""', 'binary ', 'ping p', 'error HAWSER_MESSAGE_TOO_BIG'])
  })

  test('an honest message of 100,000 fragments is accepted', () => {
    const one = new Connection({ role: 'server' })
    const part = frame({ opcode: 0, fin: false, payload: 'ab', key: KEY })
    one.receiveBytes(frame({ opcode: 1, fin: false, key: KEY }))
    for (let i = 0; i < 100_000; i++) {
      one.receiveBytes(Buffer.from(part))
      if (i % 1000 === 0) expect(one.nextEvent()).toBeNull()
    }
    one.receiveBytes(frame({ opcode: 0, key: KEY }))
    expect(pullAll(one)).toEqual([{ type: 'message', data: 'ab'.repeat(100_000) }])
  })
})

const AGREED = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
}

describe('SECURITY.md: inflate bombs, with zlib', () => {
  const MIB = 1024 * 1024
  /** 1000 : 1. */
  const BOMB = deflateRawSync(Buffer.alloc(64 * MIB), { level: 9 })

  const zlib = (kept: boolean, asyncThresholdBytes: number): MessageCodec =>
    createCodecFactory(
      resolveDeflateOptions({ asyncThresholdBytes, clientNoContextTakeover: false }, 'server')!,
      kept,
    ).createCodec(AGREED)

  /** All events for some bytes, including those after work on the thread pool. */
  async function receive(
    one: Connection,
    woken: () => Promise<void>,
    bytes: Buffer,
  ): Promise<ConnectionEvent[]> {
    const events: ConnectionEvent[] = []
    for (let at = 0; at < bytes.length; at += 10_000) {
      one.receiveBytes(Buffer.from(bytes.subarray(at, at + 10_000)))
      events.push(...pullAll(one))
      while (one.isInflating) {
        await woken()
        events.push(...pullAll(one))
      }
    }
    return events
  }

  function start(codec: MessageCodec): { one: Connection; woken: () => Promise<void> } {
    let resolve: () => void = () => undefined
    const one = new Connection({ role: 'server', codec, waker: { wake: () => resolve() } })
    return { one, woken: () => new Promise((done) => (resolve = done)) }
  }

  test('the bomb inflates to far more than the limit', () => {
    expect((64 * MIB) / BOMB.length).toBeGreaterThan(1000)
  })

  for (const kept of [true, false]) {
    for (const threshold of [1000, Infinity]) {
      const how = `${kept ? 'kept handles' : 'documented calls'}, ${threshold === Infinity ? 'at once' : 'off the loop'}`

      test(`${how}: a bomb is refused, in one frame and in fragments`, async () => {
        const pieces = Array.from({ length: 100 }, (_, i) =>
          BOMB.subarray(i * 700, i === 99 ? undefined : (i + 1) * 700),
        )
        for (const bytes of [
          frame({ opcode: 2, rsv1: true, payload: BOMB, key: KEY }),
          fragments(1, pieces, { rsv1: true, key: KEY }),
        ]) {
          const { one, woken } = start(zlib(kept, threshold))
          const before = arrayBufferBytes()
          expect(expectTooBig(one, await receive(one, woken, bytes))).toMatchObject({ limit: MIB })
          // The limit acted during the work: 64 MiB never were there.
          expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MIB)
          one.transportLost()
          expect(pullAll(one)).toHaveLength(1)
        }
      })

      test(`${how}: messages below the limit are emitted, and the first above it ends the connection`, async () => {
        const { one, woken } = start(zlib(kept, threshold))
        const good = frame({ opcode: 2, rsv1: true, payload: deflate(Buffer.alloc(MIB)), key: KEY })
        const bad = frame({ opcode: 2, rsv1: true, payload: deflate(Buffer.alloc(MIB + 1)), key: KEY })
        const events = await receive(one, woken, Buffer.concat([good, good, good, bad, good]))
        expect(events.map((event) => (event.type === 'message' ? event.data.length : event.type))).toEqual([
          MIB,
          MIB,
          MIB,
          'error',
        ])
        expect(takeFrames(one).map((f) => f.closeCode)).toEqual([1009])
        one.abandon()
      })
    }
  }

  /** A message by itself, without the tail (RFC 7692 section 7.2.1). */
  function deflate(message: Buffer): Buffer {
    const bytes = deflateRawSync(message, { finishFlush: 2 })
    expect(bytes.subarray(-4).toString('hex')).toBe('0000ffff')
    return bytes.subarray(0, -4)
  }
})
