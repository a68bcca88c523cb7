/** Input that is not parsed any more is not kept: a peer that has failed may have sent megabytes after its failure. */
import { Connection } from '../../../src/connection/connection.js'
import { ProtocolError } from '../../../src/errors.js'
import { FrameInput } from '../../../src/frame/frame-input.js'
import { SERVER_LIMITS } from '../../../src/limits.js'
import { frame, KEY } from '../../helpers/frame-builder.js'

const PING = frame({ opcode: 0x9, payload: 'ping', key: KEY })
const TEXT = frame({ opcode: 0x1, payload: 'x', key: KEY })
/** As much as one read may have. */
const FOLLOWING = Buffer.concat(Array<Buffer>(20_000).fill(PING))

const open = (): Connection =>
  new Connection({ role: 'server', limits: SERVER_LIMITS, now: 0, waker: { wake: () => undefined } })

/** Lends the connection a chunk. @returns how many bytes of it were copied */
function lend(connection: Connection, chunk: Buffer, handle: (connection: Connection) => unknown): number {
  let copied = 0
  const { keepInput } = FrameInput.prototype
  const spy = jest.spyOn(FrameInput.prototype, 'keepInput').mockImplementation(function (this: FrameInput) {
    copied += this.bufferedBytes
    keepInput.call(this)
  })
  connection.receiveBytes(chunk, 1, true)
  handle(connection)
  connection.keepInput()
  spy.mockRestore()
  return copied
}

const pull = (connection: Connection): unknown => connection.nextEvent()

const WAYS: readonly [string, Buffer, (connection: Connection) => unknown][] = [
  ['a violation', frame({ opcode: 0x3, payload: '', key: KEY }), pull],
  ['a Close frame', frame({ opcode: 0x8, payload: '', key: KEY }), pull],
  [
    'a message for which the caller fails the connection',
    TEXT,
    (one) => {
      pull(one)
      one.fail(1008, 'no')
    },
  ],
  [
    'a message with which the peer is over a limit',
    TEXT,
    (one) => {
      pull(one)
      one.failOverLimit(new ProtocolError('HAWSER_SLOW_CONSUMER'), false)
      expect(pull(one)).toMatchObject({ type: 'error' })
    },
  ],
  [
    'a message after which the connection is given up',
    TEXT,
    (one) => {
      pull(one)
      one.abandon()
      expect(pull(one)).toMatchObject({ type: 'closed' })
    },
  ],
]

it.each(WAYS)('what follows %s is not copied', (_, first, handle) => {
  const connection = open()
  expect(lend(connection, Buffer.concat([first, FOLLOWING]), handle)).toBe(0)
  expect(connection.nextEvent()).toBeNull()
  // The next chunk is not copied either.
  expect(lend(connection, Buffer.from(FOLLOWING), pull)).toBe(0)
  expect(connection.nextEvent()).toBeNull()
})

it('what follows a message is kept, and what a lost transport brought before is still pulled', () => {
  const connection = open()
  expect(lend(connection, Buffer.concat([TEXT, FOLLOWING]), pull)).toBe(FOLLOWING.length)
  connection.transportLost()
  connection.abandon()
  expect(connection.nextEvent()).toMatchObject({ type: 'ping' })
})

const part = frame({ opcode: 0x1, fin: false, payload: 'x'.repeat(1000), key: KEY })

it('a part of a message is kept while this side closes, for its end may come before the Close frame of the peer', () => {
  const connection = open()
  expect(connection.hasInputEnded).toBe(false)
  connection.close(1000)
  lend(connection, Buffer.from(part), pull)
  expect([connection.isInMessage, connection.hasInputEnded]).toEqual([true, false])
  connection.receiveBytes(frame({ opcode: 0x0, payload: 'y', key: KEY }), 2)
  expect(connection.nextEvent()).toMatchObject({ type: 'message', data: `${'x'.repeat(1000)}y` })
})

describe('a part of a message is not kept', () => {
  it('after the peer ended its side, while output still waits', () => {
    const connection = open()
    lend(connection, Buffer.from(part), pull)
    expect(connection.isInMessage).toBe(true)
    const { receivedDataBytes } = connection
    connection.send('waits')
    connection.receiveEnd()
    expect(connection.nextEvent()).toBeNull()
    expect(connection.isInMessage).toBe(false)
    expect(connection.receivedDataBytes).toBe(receivedDataBytes)
  })

  it('after the transport was lost', () => {
    const connection = open()
    lend(connection, Buffer.from(part), pull)
    connection.transportLost()
    expect(connection.nextEvent()).toMatchObject({ type: 'closed' })
    expect(connection.isInMessage).toBe(false)
  })

  it('after the connection was given up', () => {
    const connection = open()
    lend(connection, Buffer.from(part), pull)
    connection.abandon()
    expect([connection.isInMessage, connection.hasInputEnded]).toEqual([false, true])
  })

  it('after a failure', () => {
    const connection = open()
    lend(connection, Buffer.from(part), pull)
    const { receivedDataBytes } = connection
    connection.fail(1008)
    expect([connection.isInMessage, connection.receivedDataBytes]).toEqual([false, receivedDataBytes])
  })
})
