import { Connection, ReadyState, type ConnectionOptions } from '../../../src/connection/connection.js'
import type { PingReceived } from '../../../src/connection/events.js'
import { LimitError, ProtocolError, TransportError } from '../../../src/errors.js'
import { ControlledCodec, encodeRuns } from '../../helpers/controlled-codec.js'
import { closeFrame, frame, frames, hex, KEY, OP, type FrameSpec } from '../../helpers/frame-builder.js'
import { pullAll, pullLines, takeAll, takeFrames, takeLines } from '../../helpers/pull.js'

const server = (options: Partial<ConnectionOptions> = {}): Connection =>
  new Connection({ role: 'server', ...options })
const client = (options: Partial<ConnectionOptions> = {}): Connection =>
  new Connection({ role: 'client', ...options })

/** Frames of a client, masked. */
const masked = (...specs: readonly FrameSpec[]): Buffer =>
  frames(...specs.map((spec) => ({ ...spec, key: KEY })))
const ping = (payload: string): FrameSpec => ({ opcode: OP.PING, payload })
const text = (payload: string): FrameSpec => ({ opcode: OP.TEXT, payload })
const QUIET = { heartbeatIntervalMs: false } as const

describe('RFC 6455 6: messages', () => {
  test('sent messages are masked by a client and not by a server', () => {
    const one = server()
    expect(one.role).toBe('server')
    expect(one.send('Hello')).toBe(true)
    expect(one.send(hex('00 ff'))).toBe(true)
    expect(one.bufferedBytes).toBe(11)
    expect(takeAll(one)).toEqual(hex('81 05 48 65 6c 6c 6f 82 02 00 ff'))
    expect(one.bufferedBytes).toBe(0)
    const other = client()
    other.send('Hello')
    const [sent] = takeFrames(other)
    expect([sent!.key === null, sent!.text]).toEqual([false, 'Hello'])
  })

  test('received messages are emitted as text or bytes', () => {
    const one = server()
    one.receiveBytes(masked(text('Hello'), { opcode: OP.BINARY, payload: 'bytes' }))
    expect(pullLines(one)).toEqual(['text "Hello"', `binary ${Buffer.from('bytes').toString('hex')}`])
    expect(one.nextEvent()).toBeNull()
    const other = client()
    other.receiveBytes(frame(text('Hello')))
    expect(pullLines(other)).toEqual(['text "Hello"'])
  })

  test('data that is neither text nor bytes is refused, even on a closed connection', () => {
    const one = server()
    for (let round = 0; round < 2; round++) {
      for (const wrong of [5, null, undefined, {}, [1]]) {
        expect(() => one.send(wrong as string)).toThrow(TypeError)
        if (wrong === undefined) continue
        expect(() => one.ping(wrong as unknown as string)).toThrow(TypeError)
        expect(() => one.pong(wrong as unknown as string)).toThrow(TypeError)
      }
      expect(() => one.ping('x'.repeat(126))).toThrow(RangeError)
      expect(() => one.pong('x'.repeat(126))).toThrow(RangeError)
      expect(one.takeOutput()).toBeNull()
      one.abandon()
    }
  })

  test('messages are compressed if there is a codec, unless compress is false', () => {
    const one = server({ codec: new ControlledCodec() })
    one.send('aaaaaaaa')
    one.send('aaaaaaaa', { compress: false })
    one.send(Buffer.from('aaaaaaaa'), { compress: true })
    one.send(Buffer.from('aaaaaaaa'), { compress: false })
    expect(takeFrames(one).map((f) => [f.opcode, f.rsv1])).toEqual([
      [1, true],
      [1, false],
      [2, true],
      [2, false],
    ])
    one.receiveBytes(masked({ opcode: OP.TEXT, rsv1: true, payload: encodeRuns('bbbb') }))
    expect(pullLines(one)).toEqual(['text "bbbb"'])
  })

  test('messages are only sent while the connection is open', () => {
    const ended: ((one: Connection) => void)[] = [
      (one) => one.close(1000),
      (one) => one.fail(1011),
      (one) => one.abandon(),
      (one) => one.transportLost(),
      (one) => {
        one.receiveBytes(masked({ opcode: OP.CLOSE }))
        one.nextEvent()
      },
    ]
    for (const end of ended) {
      const one = server()
      end(one)
      takeAll(one)
      expect([one.send('x'), one.send(hex('01')), one.ping(), one.pong()]).toEqual([
        false,
        false,
        false,
        false,
      ])
      expect(one.takeOutput()).toBeNull()
    }
  })

  test('no event is lost while the caller does not call nextEvent', () => {
    const one = server()
    one.receiveBytes(masked(text('1'), text('2')))
    expect(one.nextEvent()).toMatchObject({ data: '1' })
    one.receiveBytes(masked(text('3')))
    one.receiveEnd()
    expect(one.readyState).toBe(ReadyState.OPEN)
    expect(pullLines(one)).toEqual(['text "2"', 'text "3"', 'closed 1006  unclean remote'])
  })
})

describe('RFC 6455 5.5.2 and 5.5.3: pings and pongs', () => {
  test('a ping is answered with its payload and emitted', () => {
    const one = server()
    one.receiveBytes(masked(ping('a'), ping('')))
    expect(pullLines(one)).toEqual(['ping a', 'ping '])
    expect(takeLines(one)).toEqual(['10 a', '10 '])
  })

  test('a ping is not answered if autoPong is off', () => {
    const one = server({ autoPong: false })
    one.receiveBytes(masked(ping('a')))
    expect(pullLines(one)).toEqual(['ping a'])
    expect(one.takeOutput()).toBeNull()
    expect(one.pong('a')).toBe(true)
    expect(takeLines(one)).toEqual(['10 a'])
  })

  test('ping sends text, bytes or an empty payload', () => {
    const one = server()
    expect([one.ping(), one.ping('text'), one.ping(hex('62')), one.pong(), one.pong('text')]).toEqual(
      Array(5).fill(true),
    )
    expect(takeLines(one)).toEqual(['9 ', '9 text', '9 b', '10 ', '10 text'])
  })

  test('rttMs is the round trip of the last ping', () => {
    const one = server()
    expect(one.rttMs).toBeUndefined()
    one.ping('x', 1000)
    one.receiveBytes(masked({ opcode: OP.PONG, payload: 'x' }), 1012.5)
    expect(pullLines(one)).toEqual(['pong x'])
    expect(one.rttMs).toBe(12.5)
    one.ping('y')
    one.receiveBytes(masked({ opcode: OP.PONG, payload: 'y' }))
    pullAll(one)
    expect(one.rttMs).toBe(0)
  })

  test("a ping after this side's Close frame is not answered", () => {
    const one = server()
    one.close(1000)
    one.receiveBytes(masked(ping('a')))
    expect(pullLines(one)).toEqual(['ping a'])
    expect(takeLines(one)).toEqual(['8 1000 '])
  })

  test('a ping is not answered if the transport is lost', () => {
    const one = server()
    one.receiveBytes(masked(ping('a')))
    one.transportLost()
    expect(pullLines(one)).toEqual(['ping a', 'closed 1006  unclean remote'])
    expect(one.takeOutput()).toBeNull()
  })
})

describe('RFC 6455 5.5.3: pongs that the transport has not taken', () => {
  const limits = { maxPendingPongs: 2 }

  test('only the newest ping above the limit is answered', () => {
    const one = server({ limits })
    one.receiveBytes(masked(ping('1'), ping('2'), ping('3'), ping('4'), ping('5')))
    expect(pullLines(one)).toHaveLength(5)
    expect(takeLines(one)).toEqual(['10 1', '10 2', '10 5'])
    one.receiveBytes(masked(ping('6'), ping('7')))
    pullAll(one)
    expect(takeLines(one)).toEqual(['10 6', '10 7'])
  })

  test('the waiting pong is a copy, because the ping event belongs to the caller', () => {
    const one = server({ limits })
    one.receiveBytes(masked(ping('aa'), ping('bb'), ping('cc')))
    for (const event of pullAll(one)) (event as PingReceived).data.fill('!')
    expect(takeLines(one)).toEqual(['10 aa', '10 bb', '10 cc'])
  })

  test('an unsolicited pong does not replace a waiting answer', () => {
    const one = server({ limits })
    one.receiveBytes(masked(ping('1'), ping('2'), ping('3')))
    pullAll(one)
    expect(one.pong('unasked')).toBe(true)
    expect(takeLines(one)).toEqual(['10 1', '10 2', '10 3'])
  })

  test('an answer replaces a waiting unsolicited pong', () => {
    const one = server({ limits })
    for (const payload of ['a', 'b', 'c', 'd']) one.pong(payload)
    expect(takeLines(one)).toEqual(['10 a', '10 b', '10 c'])
    for (const payload of ['a', 'b', 'c']) one.pong(payload)
    one.receiveBytes(masked(ping('1')))
    pullAll(one)
    expect(takeLines(one)).toEqual(['10 a', '10 b', '10 1'])
  })

  test("the caller's newest pong is kept if autoPong is off", () => {
    const one = server({ limits, autoPong: false })
    for (const payload of ['a', 'b', 'c', 'd']) one.pong(payload)
    expect(takeLines(one)).toEqual(['10 a', '10 b', '10 d'])
  })

  test('no waiting pong is sent after the Close frame', () => {
    const one = server({ limits })
    one.receiveBytes(masked(ping('1'), ping('2'), ping('3')))
    pullAll(one)
    one.close()
    expect(takeLines(one)).toEqual(['10 1', '10 2', '8 empty'])
    expect(one.takeOutput()).toBeNull()
  })
})

describe('RFC 6455 7.1.2: the closing handshake', () => {
  test('this side closes: a server ends the transport at the answer, a client waits for the server', () => {
    const one = server()
    expect([one.readyState, one.transportShouldClose()]).toEqual([ReadyState.OPEN, 'no'])
    one.close(1000, 'bye')
    expect([one.readyState, one.transportShouldClose()]).toEqual([ReadyState.CLOSING, 'soon'])
    one.close(1001)
    expect(takeLines(one)).toEqual(['8 1000 bye'])
    one.receiveBytes(masked(text('late')))
    one.receiveBytes(closeFrame(1000, '', { key: KEY }))
    expect(pullLines(one)).toEqual(['text "late"', 'closeReceived 1000 '])
    expect([one.readyState, one.transportShouldClose()]).toEqual([ReadyState.CLOSING, 'now'])
    expect(one.takeOutput()).toBeNull()
    one.transportLost()
    expect(one.readyState).toBe(ReadyState.CLOSED)
    expect(pullLines(one)).toEqual(['closed 1000  clean local'])
    expect([one.nextEvent(), one.readyState, one.transportShouldClose()]).toEqual([
      null,
      ReadyState.CLOSED,
      'now',
    ])

    const other = client()
    other.close()
    expect(takeLines(other)).toEqual(['8 empty'])
    other.receiveBytes(closeFrame(1000))
    expect(pullLines(other)).toEqual(['closeReceived 1000 '])
    expect(other.transportShouldClose()).toBe('soon')
    other.receiveEnd()
    expect(other.transportShouldClose()).toBe('now')
    expect(pullLines(other)).toEqual(['closed 1000  clean local'])
  })

  test('the peer closes: the answer repeats its code', () => {
    for (const [bytes, answer, told] of [
      [closeFrame(undefined, '', { key: KEY }), '8 empty', '1005 '],
      [closeFrame(1000, '', { key: KEY }), '8 1000 ', '1000 '],
      [closeFrame(4999, 'gr\u00fc\u00dfe', { key: KEY }), '8 4999 ', '4999 gr\u00fc\u00dfe'],
    ] as const) {
      const one = server()
      one.send('before')
      one.receiveBytes(Buffer.concat([bytes, masked(text('behind a Close frame'))]))
      expect(pullLines(one)).toEqual([`closeReceived ${told}`])
      expect(takeLines(one)).toEqual(['1 before', answer])
      one.receiveBytes(masked(text('never looked at')))
      expect(one.nextEvent()).toBeNull()
      one.transportLost(new TransportError('reset'))
      expect(pullLines(one)).toEqual([`closed ${told} clean remote`])
    }
  })

  test('wrong arguments of close throw and change nothing', () => {
    const one = server()
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_536, -1, 1000.5]) {
      if (code !== 1005) expect(() => one.close(code)).toThrow(RangeError)
      expect(() => one.fail(code)).toThrow(RangeError)
    }
    expect(() => one.close('1000' as unknown as number)).toThrow(TypeError)
    expect(() => one.close(undefined, 'a reason alone')).toThrow(TypeError)
    expect(() => one.close(1000, 5 as unknown as string)).toThrow(TypeError)
    expect(() => one.fail(undefined as unknown as number)).toThrow(TypeError)
    expect(() => one.fail(1011, Buffer.from('x') as unknown as string)).toThrow(TypeError)
    expect([one.readyState, one.takeOutput()]).toEqual([ReadyState.OPEN, null])
  })

  test('close(1005) sends a Close frame without a code', () => {
    const one = server()
    one.close(1005, '')
    expect(takeLines(one)).toEqual(['8 empty'])
    expect(() => server().close(1005, 'a reason alone')).toThrow(TypeError)
  })

  test('a long reason is cut between characters', () => {
    const one = server()
    one.close(1000, '\u20ac'.repeat(50))
    expect(takeLines(one)).toEqual([`8 1000 ${'\u20ac'.repeat(41)}`])
  })

  test('close after a loss does nothing', () => {
    const one = server()
    one.transportLost()
    one.close(1000)
    expect(one.takeOutput()).toBeNull()
    expect(pullLines(one)).toEqual(['closed 1006  unclean remote'])
  })
})

describe('RFC 6455 7.1.7: a connection that fails', () => {
  test('a violation by the peer sends a Close frame, emits an error, and ends parsing', () => {
    const one = server()
    one.receiveBytes(Buffer.concat([masked(text('good')), frame(text('not masked')), masked(text('behind'))]))
    expect(pullLines(one)).toEqual(['text "good"', 'error HAWSER_EXPECTED_MASK'])
    expect(takeLines(one)).toEqual(['8 1002 a frame from a client must be masked'])
    expect([one.readyState, one.transportShouldClose()]).toEqual([ReadyState.CLOSING, 'now'])
    one.receiveBytes(masked(text('never looked at')))
    one.transportLost(new TransportError('reset'))
    expect(pullLines(one)).toEqual(['closed 1002 a frame from a client must be masked unclean engine'])
  })

  test('an invalid Close frame fails the connection', () => {
    for (const [bytes, code] of [
      [frame({ opcode: OP.CLOSE, payload: [3], key: KEY }), 'HAWSER_INVALID_CLOSE_PAYLOAD'],
      [closeFrame(1005, '', { key: KEY }), 'HAWSER_INVALID_CLOSE_CODE'],
      [closeFrame(1000, [0xff], { key: KEY }), 'HAWSER_INVALID_UTF8'],
    ] as const) {
      const one = server()
      one.receiveBytes(bytes)
      expect(pullLines(one)).toEqual([`error ${code}`])
      expect(takeFrames(one).map((f) => f.closeCode)).toEqual([code === 'HAWSER_INVALID_UTF8' ? 1007 : 1002])
    }
  })

  test("a violation after this side's Close frame sends no second one", () => {
    const one = server()
    one.close(1000)
    one.receiveBytes(frame(text('not masked')))
    expect(pullLines(one)).toEqual(['error HAWSER_EXPECTED_MASK'])
    expect(takeLines(one)).toEqual(['8 1000 '])
    expect(one.transportShouldClose()).toBe('now')
    expect(one.closeInfo).toMatchObject({ code: 1002, wasClean: false, initiator: 'local' })
  })

  test('fail by the caller emits no error, and waiting output leaves first', () => {
    const one = server()
    one.send('before')
    one.receiveBytes(masked(text('never pulled')))
    one.fail(1011, 'a handler threw')
    one.fail(1008)
    expect(pullLines(one)).toEqual([])
    expect(takeLines(one)).toEqual(['1 before', '8 1011 a handler threw'])
    one.transportLost()
    expect(pullLines(one)).toEqual(['closed 1011 a handler threw unclean engine'])
    one.fail(1011)
    expect(pullLines(one)).toEqual([])
  })

  test('failOverLimit emits an error, and drops the waiting output if asked to', () => {
    const error = new LimitError('HAWSER_SLOW_CONSUMER', 10, 20)
    for (const drop of [false, true]) {
      const codec = new ControlledCodec({ asyncDeflateBytes: 50 })
      const one = server({ codec })
      one.send('before', { compress: false })
      one.failOverLimit(error, drop)
      one.failOverLimit(error, drop)
      expect(one.transportShouldClose()).toBe('now')
      expect(pullLines(one)).toEqual(['error HAWSER_SLOW_CONSUMER'])
      const close = `8 1008 ${error.message}`
      expect(takeLines(one)).toEqual(drop ? [close] : ['1 before', close])
      one.transportLost()
      expect(pullLines(one)).toEqual([`closed 1008 ${error.message} unclean engine`])
      expect(codec.isClosed).toBe(true)
      one.failOverLimit(error, drop)
      expect(pullLines(one)).toEqual([])
    }
  })
})

describe('the end of the transport', () => {
  test('events before the end are emitted first, even if the driver reports both at once', () => {
    for (const how of ['receiveEnd', 'transportLost'] as const) {
      const one = server()
      one.receiveBytes(masked(text('1'), text('2')))
      one[how]()
      one[how]()
      expect(pullLines(one)).toEqual(['text "1"', 'text "2"', 'closed 1006  unclean remote'])
    }
  })

  test('a loss with an error emits the error, then closed', () => {
    const one = server()
    const error = new TransportError('read ECONNRESET')
    one.receiveEnd()
    one.transportLost(error)
    one.transportLost(new TransportError('again'))
    one.receiveEnd()
    expect(pullAll(one)).toEqual([
      { type: 'error', error },
      expect.objectContaining({
        type: 'closed',
        code: 1006,
        reason: '',
        wasClean: false,
        initiator: 'remote',
      }),
    ])
  })

  test('the start of an unfinished message or frame is not emitted', () => {
    const one = server()
    one.receiveBytes(masked({ opcode: OP.TEXT, payload: 'half', fin: false }).subarray(0, 8))
    one.receiveEnd()
    expect(pullLines(one)).toEqual(['closed 1006  unclean remote'])
  })

  test("the end is not clean without the peer's Close frame", () => {
    const one = server()
    one.close(1000)
    one.transportLost(new TransportError('reset'))
    expect(pullLines(one)).toEqual(['error HAWSER_TRANSPORT', 'closed 1006  unclean local'])
  })

  test('a peer that closes and ends its side at once still gets the output and the Close frame', () => {
    const one = server()
    one.send('before')
    one.receiveBytes(closeFrame(1000, '', { key: KEY }))
    one.receiveEnd()
    expect(pullLines(one)).toEqual(['closeReceived 1000 '])
    expect(one.transportShouldClose()).toBe('now')
    expect(takeLines(one)).toEqual(['1 before', '8 1000 '])
    expect(pullLines(one)).toEqual(['closed 1000  clean remote'])
  })

  test('a peer that breaks the protocol and ends its side still gets the Close frame', () => {
    const one = client()
    one.receiveBytes(hex('83 00'))
    one.receiveEnd()
    expect(pullLines(one)).toEqual(['error HAWSER_RESERVED_OPCODE'])
    expect(takeFrames(one).map((f) => f.closeCode)).toEqual([1002])
    expect(pullLines(one)).toEqual(['closed 1002 a reserved opcode: 3 unclean engine'])
  })

  test('no Close frame is sent once the transport is lost', () => {
    const one = server()
    one.receiveBytes(closeFrame(1000, '', { key: KEY }))
    one.receiveEnd()
    one.transportLost()
    // The answer could not be sent, so the two Close frames were not exchanged (section 7.1.4).
    expect(pullLines(one)).toEqual(['closeReceived 1000 ', 'closed 1000  unclean remote'])
    expect(one.takeOutput()).toBeNull()
  })
})

describe('giving a connection up', () => {
  test('abandon drops received events, and only closed follows', () => {
    const codec = new ControlledCodec()
    const one = server({ codec, limits: { idleTimeoutMs: 10, ...QUIET } })
    one.send('never taken')
    one.receiveBytes(masked(text('never told')))
    one.tick(10)
    one.abandon()
    one.abandon()
    expect(one.readyState).toBe(ReadyState.CLOSED)
    expect([one.bufferedBytes, one.takeOutput()]).toEqual([0, null])
    expect(codec.isClosed).toBe(true)
    expect(pullLines(one)).toEqual(['closed 1006  unclean local'])
    one.abandon()
    one.transportLost(new TransportError('reset'))
    expect(pullLines(one)).toEqual([])
  })

  test('abandon keeps the end that was known before', () => {
    const failed = server()
    failed.failOverLimit(new LimitError('HAWSER_SLOW_CONSUMER', 1, 2), false)
    failed.abandon()
    expect(pullLines(failed)).toEqual([expect.stringMatching(/^closed 1008 .* unclean engine$/)])
    const clean = server()
    clean.receiveBytes(closeFrame(1001, '', { key: KEY }))
    clean.nextEvent()
    takeAll(clean)
    clean.abandon()
    expect(pullLines(clean)).toEqual(['closed 1001  clean remote'])
    const unanswered = server()
    unanswered.receiveBytes(closeFrame(1001, '', { key: KEY }))
    unanswered.nextEvent()
    unanswered.abandon(3)
    expect(pullLines(unanswered)).toEqual(['closed 1001  unclean remote'])
    expect(unanswered.closeInfo.unsentBytes).toBe(3 + 4)
  })
})

describe('work on the thread pool', () => {
  const compressed = (message: string, number = 0): FrameSpec => ({
    opcode: OP.TEXT,
    rsv1: true,
    payload: encodeRuns(message, number),
  })

  test('all events wait for an inflation, and the waker is called at its end', () => {
    for (const how of ['receiveEnd', 'transportLost'] as const) {
      const codec = new ControlledCodec({ asyncInflateBytes: 5 })
      const wake = jest.fn()
      const one = server({ codec, waker: { wake } })
      one.receiveBytes(masked(text('first'), compressed('aabb'), ping('p')))
      expect(pullLines(one)).toEqual(['text "first"'])
      expect(one.isInflating).toBe(true)
      one[how]()
      expect(pullLines(one)).toEqual([])
      expect(codec.isClosed).toBe(false)
      codec.finishInflate()
      expect(wake).toHaveBeenCalledTimes(1)
      expect(one.isInflating).toBe(false)
      const end = 'closed 1006  unclean remote'
      const isLost = how === 'transportLost'
      expect(pullLines(one)).toEqual(['text "aabb"', 'ping p', ...(isLost ? [end] : [])])
      if (!isLost) {
        // The peer that only ended its side gets its pong first.
        expect(takeLines(one)).toEqual(['10 p'])
        expect(pullLines(one)).toEqual([end])
      }
      expect(codec.isClosed).toBe(true)
    }
  })

  test('a failed inflation fails the connection', () => {
    const codec = new ControlledCodec({ asyncInflateBytes: 5 })
    const one = server({ codec })
    one.receiveBytes(masked(compressed('aabb', 7), text('behind')))
    expect(pullLines(one)).toEqual([])
    codec.finishInflate()
    expect(pullLines(one)).toEqual(['error HAWSER_INVALID_DEFLATE'])
    expect(takeFrames(one).map((f) => f.closeCode)).toEqual([1007])
  })

  test('a connection that fails or is abandoned does not wait for an inflation', () => {
    for (const end of [
      (one: Connection) => one.fail(1011),
      (one: Connection) => one.failOverLimit(new LimitError('HAWSER_SLOW_CONSUMER', 1, 2), true),
      (one: Connection) => one.abandon(),
    ]) {
      const codec = new ControlledCodec({ asyncInflateBytes: 5, isRude: true })
      const one = server({ codec })
      one.receiveBytes(masked(compressed('aabb')))
      one.nextEvent()
      end(one)
      expect(one.isInflating).toBe(false)
      codec.finishInflate()
      one.transportLost()
      expect(pullLines(one).filter((line) => !line.startsWith('error'))).toEqual([
        expect.stringMatching(/^closed/),
      ])
    }
  })

  test('the Close frame and the end of the transport wait for a compression', () => {
    const codec = new ControlledCodec({ asyncDeflateBytes: 50 })
    const wake = jest.fn()
    const one = server({ codec, waker: { wake } })
    one.send('x'.repeat(100))
    expect(one.bufferedBytes).toBe(100)
    one.receiveBytes(masked(ping('p')))
    one.receiveBytes(closeFrame(1000, '', { key: KEY }))
    one.receiveEnd()
    expect(pullLines(one)).toEqual(['ping p', 'closeReceived 1000 '])
    expect(takeLines(one)).toEqual(['10 p'])
    expect(one.transportShouldClose()).toBe('soon')
    codec.finishDeflate()
    expect(wake).toHaveBeenCalledTimes(1)
    expect(one.transportShouldClose()).toBe('now')
    expect(takeFrames(one).map((f) => [f.opcode, f.rsv1])).toEqual([
      [1, true],
      [8, false],
    ])
    expect(pullLines(one)).toEqual(['closed 1000  clean remote'])
  })

  test('a compression is dropped at the end of the connection', () => {
    for (const isRude of [false, true]) {
      const codec = new ControlledCodec({ asyncDeflateBytes: 50, isRude })
      const one = server({ codec })
      one.send('x'.repeat(100))
      one.send('behind')
      one.close(1000)
      one.transportLost()
      expect(pullLines(one)).toEqual(['closed 1006  unclean local'])
      codec.finishAll()
      expect([one.bufferedBytes, one.takeOutput(), one.transportShouldClose()]).toEqual([0, null, 'now'])
    }
  })

  test('the Close frame of a violation leaves after a message that is being compressed', () => {
    const codec = new ControlledCodec({ asyncDeflateBytes: 50 })
    const one = server({ codec })
    one.send('x'.repeat(100))
    one.receiveBytes(hex('83 80'))
    expect(pullLines(one)).toEqual(['error HAWSER_RESERVED_OPCODE'])
    expect([one.takeOutput(), one.transportShouldClose()]).toEqual([null, 'soon'])
    codec.finishDeflate()
    expect(takeFrames(one).map((f) => f.opcode)).toEqual([1, 8])
  })

  test('a connection works without a waker', () => {
    const codec = new ControlledCodec({ asyncDeflateBytes: 50 })
    const one = server({ codec })
    one.send('x'.repeat(100))
    codec.finishDeflate()
    expect(takeFrames(one)).toHaveLength(1)
  })
})

describe('a blocked transport', () => {
  test('what it keeps is not written over, also after it has gone on, unless it was only lent', () => {
    const one = server()
    one.setBlocked(true)
    one.send('x'.repeat(60_000))
    const kept = one.takeOutput()!
    one.forgetOutput()
    one.setBlocked(false)
    one.setBlocked(true)
    for (let i = 0; i < 4; i++) one.send('y'.repeat(60_000))
    takeAll(one)
    expect(kept.subarray(4).toString()).toBe('x'.repeat(60_000))
  })

  test('output waits in private memory', () => {
    const one = server()
    one.setBlocked(true)
    for (let i = 0; i < 1000; i++) one.send(`message ${i}`)
    one.setBlocked(false)
    one.send('last')
    expect(takeLines(one)).toHaveLength(1001)
  })

  test('output does not wait in the shared slab', () => {
    const [blocked, other] = [server(), server()]
    const slab = (one: Connection): ArrayBufferLike => {
      one.send('x')
      return one.takeOutput()!.buffer
    }
    expect(slab(blocked)).toBe(slab(other))
    blocked.setBlocked(true)
    expect(slab(blocked)).not.toBe(slab(other))
    blocked.setBlocked(false)
    expect(slab(blocked)).toBe(slab(other))
  })
})

describe('RFC 6455 5.5.2: the heartbeat', () => {
  const limits = { heartbeatIntervalMs: 30, heartbeatTimeoutMs: 20 }

  test('pings are sent after silence with distinct payloads, and any bytes are a sign of life', () => {
    const one = server({ limits, now: 1000 })
    expect(one.nextTickAt).toBe(1030)
    one.tick(1029)
    expect(one.takeOutput()).toBeNull()
    one.tick(1030)
    expect(takeFrames(one).map((f) => [f.opcode, f.payload.toString('hex')])).toEqual([[9, '00000000']])
    expect(one.nextTickAt).toBe(1050)
    one.receiveBytes(hex('81'), 1045)
    expect(one.nextTickAt).toBe(1075)
    one.tick(1075)
    expect(takeFrames(one).map((f) => f.payload.toString('hex'))).toEqual(['00000001'])
    one.receiveBytes(hex('80 37 fa 21 3d 8a 84 00 00 00 00 00 00 00 01'), 1080)
    expect(pullLines(one)).toEqual(['text ""', 'pong \0\0\0\u0001'])
    expect(one.rttMs).toBe(5)
  })

  test('a peer without a sign of life is given up by the engine', () => {
    const one = server({ limits })
    one.receiveBytes(masked(text('not pulled yet')), 1)
    one.tick(31)
    one.tick(51)
    expect(one.nextTickAt).toBe(Infinity)
    one.tick(52)
    expect(one.readyState).toBe(ReadyState.CLOSED)
    expect(pullLines(one)).toEqual([
      'text "not pulled yet"',
      'error HAWSER_HEARTBEAT_TIMEOUT',
      'closed 1006  unclean engine',
    ])
    expect(one.nextTickAt).toBe(Infinity)
  })

  test('a dead peer is not reported as idle', () => {
    const one = server({ limits: { heartbeatIntervalMs: 10, heartbeatTimeoutMs: 10, idleTimeoutMs: 20 } })
    one.tick(10)
    one.tick(20)
    expect(pullLines(one)).toEqual(['error HAWSER_HEARTBEAT_TIMEOUT', 'closed 1006  unclean engine'])
  })

  test('while this side does not read, pings are sent and the peer is neither dead nor idle', () => {
    const one = server({ limits: { ...limits, idleTimeoutMs: 100 } })
    for (let now = 30; now <= 3000; now += 30) {
      one.readingIsPaused(now)
      one.tick(now)
      expect(takeLines(one)).toHaveLength(1)
    }
    expect(one.readyState).toBe(ReadyState.OPEN)
    expect(pullLines(one)).toEqual([])
  })

  test('bytes that the peer made room for are a sign of life', () => {
    const one = server({ limits })
    one.tick(30)
    one.peerTookBytes(49)
    one.tick(50)
    expect(one.readyState).toBe(ReadyState.OPEN)
    expect(one.nextTickAt).toBe(79)
  })

  test('unsent bytes are counted when the peer is given up', () => {
    const one = server({ limits })
    one.send('x')
    one.tick(30)
    one.tick(50, 1000)
    expect(pullLines(one)).toEqual(['error HAWSER_HEARTBEAT_TIMEOUT', 'closed 1006  unclean engine'])
    expect(one.closeInfo.unsentBytes).toBe(1000 + 3 + 6)
  })

  test('a message pulled after a pause restarts the idle time when it is pulled', () => {
    const one = server({ limits: { ...QUIET, idleTimeoutMs: 100 } })
    one.receiveBytes(masked(text('came early')), 0)
    one.readingIsPaused(1000)
    expect(pullLines(one)).toEqual(['text "came early"'])
    expect(one.nextTickAt).toBe(1100)
  })

  test('there are no pings during the closing handshake or after the end', () => {
    const one = server({ limits })
    one.close()
    takeAll(one)
    expect(one.nextTickAt).toBe(Infinity)
    one.tick(1e9)
    expect([one.takeOutput(), one.nextEvent()]).toEqual([null, null])
    const ended = server({ limits })
    ended.receiveEnd()
    expect(ended.nextTickAt).toBe(Infinity)
    ended.tick(1e9)
    expect(ended.takeOutput()).toBeNull()
  })

  test('Infinity turns the heartbeat off', () => {
    const one = server({ limits: QUIET })
    expect(one.nextTickAt).toBe(Infinity)
    one.tick(1e12)
    expect([one.takeOutput(), one.nextEvent()]).toEqual([null, null])
  })

  test('the counter of pings has 32 bits', () => {
    const one = server({ limits })
    const { keepalive } = one as unknown as { keepalive: { pingCount: number } }
    keepalive.pingCount = 0xffff_ffff
    one.tick(30)
    one.receiveBytes(hex('81'), 31)
    one.tick(61)
    expect(takeFrames(one).map((f) => f.payload.toString('hex'))).toEqual(['ffffffff', '00000000'])
  })
})

describe('idleness', () => {
  const limits = { ...QUIET, idleTimeoutMs: 100 }

  test('is reported after idleTimeoutMs without a message, and again after the same time', () => {
    const one = server({ limits, now: 50 })
    expect(one.nextTickAt).toBe(150)
    one.tick(149.9)
    expect(one.nextEvent()).toBeNull()
    one.tick(150)
    expect(pullLines(one)).toEqual(['idleTimeout'])
    expect(one.nextTickAt).toBe(250)
    one.tick(200)
    expect(one.nextEvent()).toBeNull()
    one.tick(300)
    one.tick(400)
    expect(pullLines(one)).toEqual(['idleTimeout'])
    expect(one.nextTickAt).toBe(500)
  })

  test('is put off by bytes of data frames, even in an unfinished message, but not by control frames', () => {
    const one = server({ limits })
    one.receiveBytes(masked(ping('p'), { opcode: OP.PONG, payload: '' }), 30)
    pullAll(one)
    expect(one.nextTickAt).toBe(100)
    one.receiveBytes(masked({ opcode: OP.TEXT, fin: false, payload: 'half' }), 60)
    pullAll(one)
    expect(one.nextTickAt).toBe(160)
    one.receiveBytes(masked({ opcode: OP.CONTINUATION, fin: false, payload: '' }).subarray(0, 4), 70)
    pullAll(one)
    expect(one.nextTickAt).toBe(160)
    one.receiveBytes(masked({ opcode: OP.CONTINUATION, fin: false, payload: '' }).subarray(4), 70)
    pullAll(one)
    expect(one.nextTickAt).toBe(170)
    one.receiveBytes(masked({ opcode: OP.CONTINUATION, payload: 'whole' }), 80)
    expect(pullLines(one)).toEqual(['text "halfwhole"'])
    expect(one.nextTickAt).toBe(180)
  })

  test('may be due at the same time as a ping', () => {
    const one = server({ limits: { heartbeatIntervalMs: 100, idleTimeoutMs: 100 } })
    one.tick(100)
    expect(takeLines(one)).toHaveLength(1)
    expect(pullLines(one)).toEqual(['idleTimeout'])
  })

  test('is due at nextTickAt even with fractions of a millisecond', () => {
    for (let i = 0; i < 2000; i++) {
      const one = server({
        now: Math.random() * 1e9,
        limits: { ...QUIET, idleTimeoutMs: Math.random() * 10 },
      })
      one.tick(one.nextTickAt)
      expect(pullLines(one)).toEqual(['idleTimeout'])
    }
  })
})

describe('a call without a time', () => {
  test('uses the time of the last call that gave one, or the start', () => {
    const one = server({ now: 500, limits: { ...QUIET, idleTimeoutMs: 100 } })
    one.receiveBytes(masked(text('at the start')))
    pullAll(one)
    expect(one.nextTickAt).toBe(600)
    one.tick(550)
    one.receiveBytes(masked(text('at the tick')))
    pullAll(one)
    expect(one.nextTickAt).toBe(650)
    one.ping('x')
    one.receiveBytes(masked({ opcode: OP.PONG, payload: 'x' }), 580)
    pullAll(one)
    expect(one.rttMs).toBe(30)
  })
})

describe('RFC 6455 7.4.1: limits', () => {
  test('the default limits of a server are tighter than those of a client', () => {
    const one = server()
    one.receiveBytes(frame({ opcode: OP.BINARY, announce: 1024 * 1024 + 1, key: KEY }))
    expect(pullLines(one)).toEqual(['error HAWSER_MESSAGE_TOO_BIG'])
    const other = client()
    other.receiveBytes(frame({ opcode: OP.BINARY, announce: 16 * 1024 * 1024 }))
    expect(pullLines(other)).toEqual([])
  })

  test('violations are LimitError or ProtocolError values', () => {
    const one = server({ limits: { maxMessageBytes: 3 } })
    one.receiveBytes(masked(text('four')))
    const [event] = pullAll(one)
    expect(event).toMatchObject({ type: 'error', error: { limit: 3, actual: 4, closeCode: 1009 } })
    expect(event?.type === 'error' && event.error instanceof LimitError).toBe(true)
    expect(event?.type === 'error' && event.error instanceof ProtocolError).toBe(true)
  })
})

describe('the error of a loss', () => {
  test('is that of the transport, and there is none before and without one', () => {
    const one = server()
    expect(one.lossError).toBeNull()
    const reset = new TransportError('reset')
    one.transportLost(reset)
    expect(one.lossError).toBe(reset)
    const other = server()
    other.transportLost()
    expect(other.lossError).toBeNull()
  })
})
