/** When a driver reads, what it keeps of what it was lent, and what its owner is told, in order. */
import type { ConnectionEvent } from '../../../src/connection/events.js'
import { Hold } from '../../../src/socket/run-loop.js'
import { ControlledCodec, encodeRuns } from '../../helpers/controlled-codec.js'
import { closeFrame, frame, KEY, OP } from '../../helpers/frame-builder.js'
import { driveByHand, endDrivers, wheelCalls } from '../../helpers/hand-driven.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { monotonicNow } from '../../../src/transport/timer-wheel.js'

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const CLOSE = closeFrame(1000, '', { key: KEY })

afterEach(endDrivers)

describe('the start', () => {
  it('begins to read, and reports nothing inside the call', async () => {
    const driven = driveByHand({}, { head: null })
    const { driver, transport, told } = driven
    expect([transport.isReading, transport.owner === driver]).toEqual([false, true])
    const head = Buffer.concat([
      text('one'),
      frame({ opcode: OP.BINARY, payload: 'two', key: KEY }),
      text('three').subarray(0, 5),
    ])
    driver.start(head)
    head.fill(0xdd)
    expect([told, transport.isReading]).toEqual([[], false])
    await nextTurn()
    expect([told, transport.isReading]).toEqual([['text "one"', 'binary 74776f'], true])
    transport.deliver(text('three').subarray(5))
    expect(told.at(-1)).toBe('text "three"')
  })

  it('reports the error of a transport that had failed before', async () => {
    const failure = new Error('read ECONNRESET')
    const { told } = driveByHand(
      {},
      { transport: { isDestroyed: true, hasFailed: true, failure }, head: text('x') },
    )
    await nextTurn()
    expect(told).toEqual([
      ...['closing', 'sendingOver', 'text "x"', 'error HAWSER_TRANSPORT'],
      ...['closed 1006  unclean remote', 'gone'],
    ])
  })

  it('reports no error of a transport that was destroyed without one', async () => {
    const { told } = driveByHand({}, { transport: { isDestroyed: true } })
    await nextTurn()
    expect(told).toEqual(['closing', 'sendingOver', 'closed 1006  unclean remote', 'gone'])
  })
})

describe('what was received', () => {
  it('is the memory of the transport again after the call', () => {
    const driven = driveByHand()
    const kept: (string | Buffer)[] = []
    driven.onEvent = (event) => {
      if (event.type !== 'closed' && 'data' in event) kept.push(event.data)
    }
    const bytes = frame({ opcode: OP.BINARY, payload: Buffer.alloc(100_000, 'b'), key: KEY })
    driven.transport.deliver(frame({ opcode: OP.BINARY, payload: 'small', key: KEY }), bytes)
    driven.transport.deliver(frame({ opcode: OP.PONG, payload: 'pong', key: KEY }))
    expect(kept.map((one) => one.toString())).toEqual(['small', 'b'.repeat(100_000), 'pong'])
  })

  it('waits, with what came with the same read, while a handler has paused', async () => {
    const driven = driveByHand()
    const { driver, transport, told } = driven
    driven.onEvent = () => driver.pause()
    transport.deliver(text('a'), text('b'))
    expect([told, driver.isPausedByCaller, transport.isReading]).toEqual([['text "a"'], true, false])
    driver.resume()
    expect([told.length, driver.isPausedByCaller]).toEqual([1, false])
    await nextTurn()
    expect([told, transport.isReading]).toEqual([['text "a"', 'text "b"'], false])
    driven.onEvent = () => undefined
    driver.resume()
    await nextTurn()
    expect(transport.isReading).toBe(true)
  })
})

describe('reading', () => {
  it.each([Hold.INBOX, Hold.QUOTA])('stops and goes on by each reason for itself: %i', async (reason) => {
    const { driver, transport } = driveByHand()
    await nextTurn()
    driver.hold(reason)
    expect(transport.isReading).toBe(false)
    driver.unhold(reason === Hold.INBOX ? Hold.QUOTA : Hold.INBOX)
    driver.resume()
    await nextTurn()
    expect(transport.isReading).toBe(false)
    driver.unhold(reason)
    await nextTurn()
    expect(transport.isReading).toBe(true)
  })

  it('is for the inbox where no reason is said', async () => {
    const { driver, transport } = driveByHand()
    driver.hold()
    driver.unhold(Hold.QUOTA)
    await nextTurn()
    expect(transport.isReading).toBe(false)
    driver.unhold()
    await nextTurn()
    expect(transport.isReading).toBe(true)
  })

  it('does not go on while the caller has paused, also where an end lets go of the inbox', async () => {
    const { driver, transport } = driveByHand()
    driver.pause()
    driver.hold()
    driver.unhold()
    await nextTurn()
    expect(transport.isReading).toBe(false)
  })

  it('goes on while this side closes, and the caller can pause no more', async () => {
    const { driver, transport, told } = driveByHand()
    driver.pause()
    driver.close(1000, '', undefined)
    driver.pause()
    await nextTurn()
    expect([transport.isReading, driver.isPausedByCaller]).toEqual([true, false])
    transport.deliver(text('x'), CLOSE)
    expect(told).toEqual(['closing', 'sendingOver', 'text "x"', 'closeReceived 1000 '])
  })

  it("is paused by the caller while the answer to the peer's Close frame waits, and goes on with the answer", async () => {
    const { driver, transport } = driveByHand()
    await nextTurn()
    transport.deliver(CLOSE)
    driver.pause()
    expect([transport.isReading, driver.isPausedByCaller]).toEqual([false, true])
    driver.answerClose()
    await nextTurn()
    expect([transport.isReading, driver.isPausedByCaller, transport.texts]).toEqual([
      true,
      false,
      ['close 1000'],
    ])
  })

  it('does not begin again once the connection is over', async () => {
    const { driver, transport, told } = driveByHand()
    await nextTurn()
    const { resumeCount } = transport
    driver.terminate()
    await nextTurn()
    driver.resume()
    driver.requestDrain()
    driver.unhold()
    await nextTurn()
    expect([transport.resumeCount, transport.destroyCount > 0]).toEqual([resumeCount, true])
    expect(told).toEqual(['closing', 'sendingOver', 'closed 1006  unclean local', 'gone'])
  })
})

describe('a message that is inflated on the thread pool', () => {
  const compressed = (payload: string, number = 0): Buffer =>
    frame({ opcode: OP.TEXT, rsv1: true, payload: encodeRuns(payload, number), key: KEY })
  const codecOf = (): ControlledCodec => new ControlledCodec({ asyncInflateBytes: 1 })

  it('stops the reading until it is there', async () => {
    const codec = codecOf()
    const { transport, told } = driveByHand({}, { codec })
    await nextTurn()
    transport.deliver(compressed('aaaa'), text('b'))
    expect([transport.isReading, told]).toEqual([false, []])
    codec.finishInflate()
    expect([transport.isReading, told]).toEqual([true, ['text "aaaa"', 'text "b"']])
  })

  it('does not begin the reading where its caller has paused meanwhile', async () => {
    const codec = codecOf()
    const { driver, transport, told } = driveByHand({}, { codec })
    await nextTurn()
    transport.deliver(compressed('aaaa'))
    driver.pause()
    codec.finishInflate()
    await nextTurn()
    expect([transport.isReading, told]).toEqual([false, []])
    driver.resume()
    await nextTurn()
    expect([transport.isReading, told]).toEqual([true, ['text "aaaa"']])
  })

  it('stops it as well where it came with the handshake', async () => {
    const codec = codecOf()
    const { driver, transport, told } = driveByHand({}, { codec, head: null })
    transport.isReading = true
    driver.start(compressed('aaaa'))
    await nextTurn()
    expect(transport.isReading).toBe(false)
    codec.finishInflate()
    expect([transport.isReading, told]).toEqual([true, ['text "aaaa"']])
  })

  it('is no reason to give the peer up', async () => {
    const codec = codecOf()
    const { driver, transport, told } = driveByHand(
      { heartbeatIntervalMs: 100, heartbeatTimeoutMs: 100 },
      { codec },
    )
    transport.deliver(compressed('aaaa'))
    for (const ms of [100, 300, 500, 700]) wheelCalls(driver, monotonicNow() + ms)
    expect(told).toEqual([])
    expect(transport.texts.length).toBeGreaterThan(0)
    codec.finishInflate()
    expect(told).toEqual(['text "aaaa"'])
  })
})

describe('pings of a peer', () => {
  const pings = Array.from({ length: 40 }, (_, i) => frame({ opcode: OP.PING, payload: `p${i}`, key: KEY }))

  it('are all answered while it reads, and the first and the last while it does not', async () => {
    const reading = driveByHand({ maxPendingPongs: 2 })
    reading.transport.deliver(...pings)
    expect(reading.transport.texts).toHaveLength(40)
    const { driver, transport } = driveByHand({ maxPendingPongs: 2 }, { transport: { roomBytes: 0 } })
    driver.send('x')
    await nextTurn()
    transport.deliver(...pings)
    transport.take()
    expect(transport.texts).toEqual(['x', 'p0', 'p1', 'p39'])
  })
})

describe('the order in which an owner is told', () => {
  it("of the peer's Close frame is: it closes, then the frame, then that nothing can be sent", async () => {
    const driven = driveByHand()
    const { driver, transport, told } = driven
    transport.deliver(text('x'), CLOSE)
    expect([told, driver.send('reply')]).toEqual([['text "x"', 'closing', 'closeReceived 1000 '], true])
    driver.answerClose()
    driver.answerClose()
    expect(told.slice(3)).toEqual(['sendingOver'])
    await nextTurn()
    expect([transport.texts, transport.endCount]).toEqual([['reply', 'close 1000'], 1])
    transport.owner?.receiveEnd()
    expect(told.slice(4)).toEqual(['closed 1000  clean remote', 'gone'])
    expect(transport.isDestroyed).toBe(true)
  })

  it('of a violation is: it closes and nothing can be sent, then the error', async () => {
    const { transport, told } = driveByHand()
    transport.deliver(frame({ opcode: 0x3, key: KEY }), text('ignored'))
    expect(told).toEqual(['closing', 'sendingOver', 'error HAWSER_RESERVED_OPCODE'])
    await nextTurn()
    expect([transport.texts, transport.endCount]).toEqual([['close 1002'], 1])
    transport.owner?.receiveEnd()
    expect(told[3]).toMatch(/^closed 1002 .* unclean engine$/)
  })

  it('of a failure that its caller asks for is the same, without an error', async () => {
    const { driver, transport, told } = driveByHand()
    driver.fail(1011, 'own')
    expect(told).toEqual(['closing', 'sendingOver'])
    await nextTurn()
    expect([transport.texts, transport.endCount, told.length]).toEqual([['close 1011'], 1, 2])
    transport.owner?.receiveEnd()
    expect(told.slice(2)).toEqual(['closed 1011 own unclean engine', 'gone'])
  })

  it('of a failure while the inbox is full is the same, and what the peer still sends is read', async () => {
    const { driver, transport, told } = driveByHand()
    driver.hold()
    driver.fail(1011, 'own')
    await nextTurn()
    expect([transport.isReading, transport.endCount, told]).toEqual([true, 1, ['closing', 'sendingOver']])
  })

  it('of an end by this side leaves the transport open until the Close frame of the peer', async () => {
    const { driver, transport, told } = driveByHand()
    driver.close(1000, '', undefined)
    await nextTurn()
    expect([transport.texts, transport.endCount]).toEqual([['close 1000'], 0])
    transport.deliver(CLOSE)
    expect([transport.endCount, told.at(-1)]).toEqual([1, 'closeReceived 1000 '])
  })

  it('of a FIN without a Close frame is: it closes at once, and the end follows once the output has left', async () => {
    const { driver, transport, told } = driveByHand({}, { transport: { roomBytes: 0 } })
    driver.pause()
    transport.deliver(text('x'))
    driver.send('reply')
    await nextTurn()
    transport.owner?.receiveEnd()
    expect(told).toEqual(['text "x"', 'closing', 'sendingOver'])
    transport.take()
    expect(told.slice(3)).toEqual(['closed 1006  unclean remote', 'gone'])
  })

  it('of a loss is: what came before, the error, the end, although the caller has paused', () => {
    const { driver, transport, told } = driveByHand()
    driver.pause()
    transport.deliver(text('x'))
    transport.owner?.transportLost(new Error('ECONNRESET'))
    expect(told).toEqual([
      ...['closing', 'sendingOver', 'text "x"', 'error HAWSER_TRANSPORT'],
      ...['closed 1006  unclean remote', 'gone'],
    ])
    transport.owner?.transportLost()
    expect(told).toHaveLength(6)
  })

  it('of a loss while the inbox is full: it is gone, and the rest follows', async () => {
    const { driver, transport, told } = driveByHand()
    driver.hold()
    transport.deliver(text('x'))
    transport.owner?.transportLost()
    expect(told).toEqual(['closing', 'sendingOver', 'gone'])
    driver.unhold()
    await nextTurn()
    expect(told.slice(3)).toEqual(['text "x"', 'closed 1006  unclean remote'])
  })

  it('of terminate lets nothing that waited follow, however full the inbox is', async () => {
    const { driver, transport, told } = driveByHand()
    driver.hold()
    driver.pause()
    transport.deliver(text('x'))
    driver.terminate()
    expect(told).toEqual(['closing', 'sendingOver'])
    await nextTurn()
    expect(told.slice(2)).toEqual(['closed 1006  unclean local', 'gone'])
  })

  it('has what the transport did not send', async () => {
    const ends: ConnectionEvent[] = []
    for (const end of ['terminate', 'lost', 'late'] as const) {
      const driven = driveByHand({ sendTimeoutMs: 1000 }, { transport: { roomBytes: 10 } })
      const { driver, transport } = driven
      driven.onEvent = (event) => {
        if (event.type === 'closed') ends.push(event)
      }
      driver.send('x'.repeat(98))
      await nextTurn()
      driver.send('y'.repeat(48))
      if (end === 'terminate') driver.terminate()
      else if (end === 'lost') transport.owner?.transportLost()
      else wheelCalls(driver, driver.flow.progressAt + 1000)
      await nextTurn()
    }
    expect(ends.map((event) => 'unsentBytes' in event && event.unsentBytes)).toEqual([140, 140, 140])
  })
})

describe('a drain', () => {
  it('is reported to who asked for it, in the next turn, once', async () => {
    const { driver, told } = driveByHand()
    driver.requestDrain()
    expect(told).toEqual([])
    await nextTurn()
    driver.ping(undefined)
    await nextTurn()
    expect(told).toEqual(['drain'])
  })

  it('lets its handler send, and what it sent leaves at once', async () => {
    const driven = driveByHand({ highWaterMarkBytes: 10 }, { transport: { roomBytes: 0 } })
    const { driver, transport } = driven
    driven.onDrain = () => void driver.send('more')
    driver.send('x'.repeat(50))
    await nextTurn()
    transport.take()
    expect(transport.texts).toEqual(['x'.repeat(50), 'more'])
  })
})
