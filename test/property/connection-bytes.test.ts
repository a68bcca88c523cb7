import fc from 'fast-check'
import { Connection, ReadyState, type ConnectionOptions } from '../../src/connection/connection.js'
import type { ConnectionEvent } from '../../src/connection/events.js'
import { readFrames } from '../helpers/frame-builder.js'
import { pullAll, showEvent, takeAll } from '../helpers/pull.js'
import { codec, CODECS, cut, encode, role, stream } from './peer-stream.js'

/** All events and all output of a connection for some chunks. */
function receive(
  options: ConnectionOptions,
  chunks: readonly Uint8Array[],
  pullBetween: boolean,
): { readonly lines: readonly string[]; readonly output: string } {
  const connection = new Connection({
    ...options,
    limits: { maxMessageBytes: 1000, heartbeatIntervalMs: false },
  })
  const events: ConnectionEvent[] = []
  for (const chunk of chunks) {
    connection.receiveBytes(Buffer.from(chunk))
    if (pullBetween) events.push(...pullAll(connection))
  }
  events.push(...pullAll(connection))
  const { frames, rest } = readFrames(takeAll(connection))
  expect(rest).toHaveLength(0)
  connection.transportLost()
  events.push(...pullAll(connection))
  return {
    lines: events.map(showEvent),
    output: frames.map((f) => `${f.opcode} ${f.payload.toString('hex')}`).join('\n'),
  }
}

describe('RFC 6455 5.2: a stream of bytes has no chunks', () => {
  test('any split of a stream gives the same events and the same output', () => {
    fc.assert(
      fc.property(
        role,
        codec,
        stream,
        fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 200 })), {
          minLength: 1,
          maxLength: 10,
        }),
        fc.boolean(),
        (of, kind, sent, sizes, pullBetween) => {
          const bytes = encode(of, sent)
          const whole = receive({ role: of, codec: CODECS[kind](of) }, [bytes], true)
          for (const chunks of [cut(bytes, sizes), cut(bytes, [1])]) {
            expect(receive({ role: of, codec: CODECS[kind](of) }, chunks, pullBetween)).toEqual(whole)
          }
        },
      ),
      { numRuns: 400 },
    )
  })
})

describe('nothing that a peer sends makes a connection throw', () => {
  /** Bytes that get past the first header now and then. */
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .tuple(role, stream, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }))
      .map(([of, sent, changes]) => {
        const encoded = encode(of, sent)
        for (const [at, byte] of changes) if (encoded.length > 0) encoded[at % encoded.length] = byte
        return new Uint8Array(encoded)
      }),
    fc
      .tuple(
        fc.constantFrom(0x81, 0x82, 0xc1, 0xc2, 0x01, 0xc8, 0x88, 0x89),
        fc.uint8Array({ maxLength: 100 }),
      )
      .map(([first, rest]) =>
        Uint8Array.from([first, 0x80 | Math.min(rest.length, 125), 0, 0, 0, 0, ...rest]),
      ),
  )

  test('any bytes give at most one error, at most one Close frame, then closed and nothing more', () => {
    fc.assert(
      fc.property(role, codec, bytes, fc.boolean(), fc.boolean(), (of, kind, sent, closes, ends) => {
        const connection = new Connection({ role: of, codec: CODECS[kind](of) })
        if (closes) connection.close(1000)
        const events: ConnectionEvent[] = []
        for (const chunk of cut(Buffer.from(sent), [7, 1, 60])) {
          connection.receiveBytes(Buffer.from(chunk))
          events.push(...pullAll(connection))
        }
        if (ends) connection.receiveEnd()
        events.push(...pullAll(connection))
        const { frames, rest } = readFrames(takeAll(connection))
        expect(rest).toHaveLength(0)
        connection.transportLost()
        events.push(...pullAll(connection))
        const types = events.map(({ type }) => type)
        expect(types.filter((type) => type === 'closed')).toHaveLength(1)
        expect(types.at(-1)).toBe('closed')
        const errorAt = types.indexOf('error')
        if (errorAt >= 0) expect(types.slice(errorAt)).toEqual(['error', 'closed'])
        const closeAt = frames.findIndex((f) => f.opcode === 8)
        if (closeAt >= 0) expect(closeAt).toBe(frames.length - 1)
        if (errorAt >= 0) expect(closeAt).toBe(frames.length - 1)
        expect(connection.readyState).toBe(ReadyState.CLOSED)
        connection.receiveBytes(Buffer.from(sent))
        expect(connection.nextEvent()).toBeNull()
        expect(connection.takeOutput()).toBeNull()
      }),
      { numRuns: 2000 },
    )
  })
})
