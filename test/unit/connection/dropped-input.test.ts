/** Input that is not parsed any more is not kept: a peer that has failed may have sent megabytes behind its failure. */
import { Connection } from '../../../src/connection/connection.js'
import { SERVER_LIMITS } from '../../../src/limits.js'
import { frame, KEY } from '../../helpers/frame-builder.js'

const CHUNK_BYTES = 256 * 1024
const CONNECTIONS = 100

const open = (): Connection =>
  new Connection({ role: 'server', limits: SERVER_LIMITS, now: 0, waker: { wake: () => undefined } })

/** One frame, and as many bytes behind it as one read may have. */
const chunkWith = (first: Buffer): Buffer =>
  Buffer.concat([
    first,
    Buffer.alloc(CHUNK_BYTES - first.length, frame({ opcode: 0x9, payload: '', key: KEY })),
  ])

const WAYS: readonly [string, Buffer, (connection: Connection) => unknown][] = [
  ['a violation', frame({ opcode: 0x3, payload: '', key: KEY }), (one) => one.nextEvent()],
  ['a Close frame', frame({ opcode: 0x8, payload: '', key: KEY }), (one) => one.nextEvent()],
  [
    'a message that is refused by the caller',
    frame({ opcode: 0x1, payload: 'x', key: KEY }),
    (one) => {
      one.nextEvent()
      one.fail(1008, 'no')
    },
  ],
]

it.each(WAYS)('what comes behind %s is not copied', (_, first, handle) => {
  const connections = Array.from({ length: CONNECTIONS }, open)
  const chunks = connections.map(() => chunkWith(first))
  const before = process.memoryUsage().arrayBuffers
  for (const [i, connection] of connections.entries()) {
    connection.receiveBytes(chunks[i]!, 1, true)
    handle(connection)
    connection.keepInput()
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan((CONNECTIONS * CHUNK_BYTES) / 20)
  expect(connections.map((one) => one.nextEvent())).toEqual(connections.map(() => null))
})

it('what comes behind a message is kept', () => {
  const connections = Array.from({ length: CONNECTIONS }, open)
  const chunks = connections.map(() => chunkWith(frame({ opcode: 0x1, payload: 'x', key: KEY })))
  const before = process.memoryUsage().arrayBuffers
  for (const [i, connection] of connections.entries()) {
    connection.receiveBytes(chunks[i]!, 1, true)
    connection.nextEvent()
    connection.keepInput()
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThan((CONNECTIONS * CHUNK_BYTES) / 2)
  expect(connections.map((one) => one.nextEvent()?.type)).toEqual(connections.map(() => 'ping'))
})
