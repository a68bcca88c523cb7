import { Connection } from '../../../src/connection/connection.js'
import { receiversFor } from '../../../src/connection/receivers.js'
import { CLIENT_LIMITS, resolveLimits, SERVER_LIMITS } from '../../../src/limits.js'
import { ControlledCodec, encodeRuns } from '../../helpers/controlled-codec.js'
import { frame, hex, KEY, OP } from '../../helpers/frame-builder.js'

const masked = (opcode: number, payload: string, more: { fin?: boolean; rsv1?: boolean } = {}): Buffer =>
  frame({ opcode, payload, key: KEY, ...more })

/** Gives a chunk that is only lent, and overwritten afterwards. @returns what the connection reported */
function receive(connection: Connection, bytes: Uint8Array): string[] {
  const chunk = Buffer.from(bytes)
  const found: string[] = []
  connection.receiveBytes(chunk, 0, true)
  for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
    if (event.type === 'message') found.push(event.data.toString())
    else if (event.type === 'error') found.push(event.error.message)
    else found.push(event.type)
    if (event.type === 'error') break
  }
  connection.keepInput()
  chunk.fill(0xee)
  return found
}

const IDLE = { wake: (): void => undefined }

describe('Receivers: one receiver for many silent connections', () => {
  test('lends the receiver that was given back last, as the next connection needs it', () => {
    const receivers = receiversFor('server', resolveLimits({ maxMessageBytes: 7007 }, SERVER_LIMITS), null)
    const first = receivers.lend(null, IDLE, 0)
    const second = receivers.lend(null, IDLE, 0)
    expect(second).not.toBe(first)
    receivers.giveBack(first)
    const again = receivers.lend(null, IDLE, 17)
    expect(again).toBe(first)
    expect(again.dataBytes).toBe(17)
  })

  test('keeps one that is not lent, and makes others as they are needed', () => {
    const receivers = receiversFor('server', resolveLimits({ maxMessageBytes: 7008 }, SERVER_LIMITS), null)
    const lent = Array.from({ length: 3 }, () => receivers.lend(null, IDLE, 5))
    expect(new Set(lent).size).toBe(3)
    expect(lent.map((receiver) => receiver.dataBytes)).toEqual([5, 5, 5])
    for (const receiver of lent) receivers.giveBack(receiver)
    const again = Array.from({ length: 3 }, () => receivers.lend(null, IDLE, 5))
    expect(again.filter((receiver) => lent.includes(receiver))).toHaveLength(1)
  })

  test('is the same for connections whose limits differ in nothing that a receiver reads, as those of clients do', () => {
    const one = resolveLimits({ maxQueuedMessages: 7 }, CLIENT_LIMITS)
    const other = resolveLimits({ closeTimeoutMs: 7 }, CLIENT_LIMITS)
    expect(receiversFor('client', one, null)).toBe(receiversFor('client', other, null))
  })

  test('has the same one again after a message, and after a Close frame', () => {
    const limits = resolveLimits({ maxMessageBytes: 7009 }, SERVER_LIMITS)
    const receivers = receiversFor('server', limits, null)
    const only = receivers.lend(null, IDLE, 0)
    receivers.giveBack(only)
    const connection = new Connection({ role: 'server', limits, now: 0, waker: IDLE })
    for (const opcode of [OP.TEXT, OP.CLOSE]) {
      receive(connection, masked(opcode, ''))
      expect(receivers.lend(null, IDLE, 0)).toBe(only)
      receivers.giveBack(only)
    }
  })

  test('is forgotten when connections of many other kinds were made', () => {
    const of = (maxMessageBytes: number): unknown =>
      receiversFor('server', resolveLimits({ maxMessageBytes }, SERVER_LIMITS), null)
    const first = of(8000)
    for (let i = 1; i < 16; i++) of(8000 + i)
    expect(of(8000)).toBe(first)
    of(8016)
    expect(of(8000)).not.toBe(first)
  })

  test('is one for each role, limits and extension', () => {
    const codec = new ControlledCodec()
    const receivers = receiversFor('server', SERVER_LIMITS, null)
    expect(receiversFor('server', SERVER_LIMITS, null)).toBe(receivers)
    expect(receiversFor('client', SERVER_LIMITS, null)).not.toBe(receivers)
    expect(receiversFor('server', CLIENT_LIMITS, null)).not.toBe(receivers)
    const ofFrames = resolveLimits({ maxFrameBytes: 7009 }, SERVER_LIMITS)
    expect(receiversFor('server', ofFrames, null)).not.toBe(receivers)
    expect(receiversFor('server', ofFrames, null)).toBe(receiversFor('server', ofFrames, null))
    expect(receiversFor('server', SERVER_LIMITS, codec)).not.toBe(receivers)
    expect(receiversFor('server', SERVER_LIMITS, codec)).toBe(receiversFor('server', SERVER_LIMITS, codec))
  })
})

describe('RFC 6455 section 5: connections that share receivers', () => {
  const fragmented = Buffer.concat([
    masked(OP.TEXT, 'ab', { fin: false }),
    masked(OP.PING, 'p'),
    masked(OP.CONTINUATION, 'c', { fin: false }),
    masked(OP.CONTINUATION, 'd'),
  ])
  const cases: readonly (readonly [string, Buffer, readonly string[]])[] = [
    ['a short text', masked(OP.TEXT, 'hello'), ['hello']],
    ['a message in fragments with a ping between them', fragmented, ['ping', 'abcd']],
    ['a longer text', masked(OP.TEXT, 'x'.repeat(300)), ['x'.repeat(300)]],
  ]

  test.each(cases)(
    'another connection between any two chunks changes nothing of %s',
    (_, bytes, expected) => {
      for (let cut = 1; cut < bytes.length; cut++) {
        const one = new Connection({ role: 'server' })
        const other = new Connection({ role: 'server' })
        const found = receive(one, bytes.subarray(0, cut))
        expect(receive(other, masked(OP.TEXT, 'other'))).toEqual(['other'])
        found.push(...receive(one, bytes.subarray(cut)))
        expect({ cut, found }).toEqual({ cut, found: expected })
        expect(receive(other, masked(OP.BINARY, 'more'))).toEqual(['more'])
      }
    },
  )

  test('each counts the data that it received itself', () => {
    const one = new Connection({ role: 'server' })
    const other = new Connection({ role: 'server' })
    receive(one, masked(OP.TEXT, 'hello'))
    receive(other, masked(OP.TEXT, 'hi'))
    receive(one, masked(OP.TEXT, 'again').subarray(0, 8))
    expect(one.receivedDataBytes).toBe(2 + 5 + 2 + 2)
    expect(other.receivedDataBytes).toBe(2 + 2)
  })

  test('a message that waits to be pulled stays with its connection', () => {
    const one = new Connection({ role: 'server' })
    const other = new Connection({ role: 'server' })
    one.receiveBytes(masked(OP.TEXT, 'waits'), 0, true)
    one.keepInput()
    expect(receive(other, masked(OP.TEXT, 'other'))).toEqual(['other'])
    expect(receive(one, masked(OP.TEXT, 'second'))).toEqual(['waits', 'second'])
  })

  test('a violation of one is none of the next', () => {
    const one = new Connection({ role: 'server' })
    const other = new Connection({ role: 'server' })
    expect(receive(one, hex('81 00'))).toHaveLength(1)
    expect(one.isSendable).toBe(false)
    expect(receive(other, masked(OP.TEXT, 'other'))).toEqual(['other'])
  })

  test('a message that is inflated on the thread pool stays with its connection, and its waker is called', () => {
    const codec = new ControlledCodec({ asyncInflateBytes: 0 })
    let woken = 0
    const limits = resolveLimits({}, SERVER_LIMITS)
    const one = new Connection({ role: 'server', limits, codec, waker: { wake: () => woken++ } })
    const other = new Connection({ role: 'server', limits, codec: new ControlledCodec() })
    const payload = encodeRuns('aaa', 0)
    expect(receive(one, frame({ opcode: OP.TEXT, payload, rsv1: true, key: KEY }))).toEqual([])
    expect(receive(other, masked(OP.TEXT, 'other'))).toEqual(['other'])
    codec.finishInflate()
    expect(woken).toBe(1)
    one.keepInput()
    expect(receive(other, masked(OP.TEXT, 'other'))).toEqual(['other'])
    expect(receive(one, masked(OP.TEXT, 'next'))).toEqual(['aaa', 'next'])
  })
})
