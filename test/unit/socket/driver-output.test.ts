/** When a driver writes, and when it says that there is room: to the byte, over a transport that does what the test says. */
import { PreparedMessage } from '../../../src/connection/prepared-message.js'
import { closeFrame, frame, KEY, OP } from '../../helpers/frame-builder.js'
import { ControlledCodec } from '../../helpers/controlled-codec.js'
import { driveByHand, endDrivers } from '../../helpers/hand-driven.js'
import { nextTurn } from '../../helpers/memory-duplex.js'

const KIB = 1024
const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const ping = (payload: string): Buffer => frame({ opcode: OP.PING, payload, key: KEY })

afterEach(endDrivers)

describe('what leaves inside the call that sends it', () => {
  const LARGE = { highWaterMarkBytes: 1024 * KIB }

  it.each<[string, () => string | Buffer, number]>([
    ['a short text', () => 'x', 0],
    ['a text of 20,000', () => 'x'.repeat(20_000), 0],
    // With a header of 4 bytes.
    ['64 KiB with the header', () => 'x'.repeat(64 * KIB - 4), 0],
    ['a byte more than 64 KiB', () => 'x'.repeat(64 * KIB - 3), 1],
    ['bytes below 16 KiB, which are copied', () => Buffer.alloc(16 * KIB - 1), 0],
    ['bytes of 16 KiB, which are not copied', () => Buffer.alloc(16 * KIB), 1],
  ])('is, of %s, so many writes', async (_, make, count) => {
    const { driver, transport } = driveByHand(LARGE)
    expect([driver.send(make()), transport.writes.length]).toEqual([true, count])
    await nextTurn()
    expect(transport.writes).toHaveLength(1)
  })

  it('is also what waits for a write that the transport takes beside a small one', () => {
    const { driver, transport } = driveByHand(LARGE, { transport: { roomBytes: 0, mostPendingBytes: 100 } })
    driver.ping('x')
    driver.flush()
    expect(transport.pendingBytes).toBe(3)
    driver.send(Buffer.alloc(64 * KIB))
    expect(transport.writes).toHaveLength(2)
    driver.send(Buffer.alloc(64 * KIB))
    expect(transport.writes).toHaveLength(2)
  })

  it('is nothing while the transport has no room, or waits and the output is not urgent', async () => {
    const { driver, transport } = driveByHand(LARGE, { transport: { roomBytes: 0, mostPendingBytes: 100 } })
    driver.ping('x')
    await nextTurn()
    driver.send('y')
    await nextTurn()
    expect(transport.writes).toHaveLength(1)
    transport.take()
    await nextTurn()
    expect(transport.texts).toEqual(['x', 'y'])
  })
})

describe('room', () => {
  it('is up to the high-water mark, with what the transport holds', async () => {
    const { driver, transport } = driveByHand({ highWaterMarkBytes: 1000 })
    expect(driver.send('x'.repeat(500))).toBe(true)
    // 504 bytes wait, and 496 more with their header are the mark.
    expect(driver.send('x'.repeat(492))).toBe(true)
    expect([driver.hasRoom, driver.bufferedAmount]).toEqual([true, 1000])
    expect(driver.send('')).toBe(false)
    expect([driver.hasRoom, driver.bufferedAmount]).toEqual([false, 1002])
    transport.roomBytes = 500
    await nextTurn()
    expect([transport.pendingBytes, driver.hasRoom, driver.bufferedAmount]).toEqual([502, true, 502])
    expect(driver.send('x'.repeat(494))).toBe(true)
    expect(driver.send('')).toBe(false)
    expect(driver.hasRoom).toBe(false)
  })

  it.each([
    [20_000, 19_996, true],
    [20_000, 19_997, false],
  ])('is up to a mark above 16 KiB as well: %i, %i', (highWaterMarkBytes, length, hasRoom) => {
    const { driver } = driveByHand({ highWaterMarkBytes })
    expect(driver.send('x'.repeat(length))).toBe(hasRoom)
  })

  it('counts short texts that wait to be encoded together as they are, and not as they could be', () => {
    const { driver } = driveByHand({ highWaterMarkBytes: 30 })
    for (let i = 0; i < 10; i++) expect(driver.send('x')).toBe(true)
    expect([driver.hasRoom, driver.bufferedAmount]).toEqual([true, 30])
    expect(driver.send('x')).toBe(false)
    expect(driver.hasRoom).toBe(false)
  })

  it('is reported once at or below the mark, and again after it was exceeded again', async () => {
    const { driver, transport, told } = driveByHand(
      { highWaterMarkBytes: 100 },
      { transport: { roomBytes: 0 } },
    )
    expect(driver.send('x'.repeat(200))).toBe(false)
    await nextTurn()
    expect(told).toEqual([])
    transport.take()
    expect(told).toEqual(['drain'])
    driver.send('y')
    await nextTurn()
    driver.ping(undefined)
    await nextTurn()
    expect(told).toEqual(['drain'])
    expect(driver.send('x'.repeat(200))).toBe(false)
    await nextTurn()
    transport.take()
    expect(told).toEqual(['drain', 'drain'])
  })

  it('is not reported where nobody was refused, nor once nothing can be sent any more', async () => {
    const { driver, transport, told } = driveByHand(
      { highWaterMarkBytes: 100 },
      { transport: { roomBytes: 0 } },
    )
    driver.send('x'.repeat(50))
    await nextTurn()
    transport.take()
    expect(told).toEqual([])
    transport.roomBytes = 0
    driver.send('x'.repeat(200))
    driver.close(1000, '', undefined)
    await nextTurn()
    transport.take()
    expect(told).toEqual(['closing', 'sendingOver'])
  })
})

describe('a message above the limit of what may wait', () => {
  const LIMITS = { maxBufferedOutputBytes: 1000, highWaterMarkBytes: 1000 }

  it('is not looked at for the transport while the waiting output is at the limit or below it', async () => {
    const { driver, transport } = driveByHand(LIMITS)
    driver.send('x'.repeat(996))
    expect([driver.bufferedAmount, transport.writes.length]).toEqual([1000, 0])
    driver.send('y')
    expect(transport.writes).toHaveLength(0)
    // Now it is above, and what the transport takes is written first.
    driver.send('z')
    expect(transport.writes).toHaveLength(1)
    await nextTurn()
    expect(transport.texts.map((one) => one.slice(0, 1))).toEqual(['x', 'y', 'z'])
  })

  it('counts short texts as they are, so that they still leave in one write', async () => {
    const { driver, transport } = driveByHand({ maxBufferedOutputBytes: 30, highWaterMarkBytes: 30 })
    for (let i = 0; i < 11; i++) driver.send('x')
    expect(transport.writes).toHaveLength(0)
    await nextTurn()
    expect(transport.writes).toHaveLength(1)
  })

  it('is taken while what waits behind a compression is within the limit', async () => {
    const codec = new ControlledCodec({ thresholdBytes: 10, asyncDeflateBytes: 100 })
    const { driver } = driveByHand(LIMITS, { codec, slowConsumer: 'drop' })
    driver.send('x'.repeat(500))
    // These wait behind the one that is being compressed, which counts as on its way.
    expect(driver.deliver(new PreparedMessage(Buffer.alloc(1000 - 4)))).toBe('sent')
    const outcomes = [driver.deliver(new PreparedMessage('y')), driver.deliver(new PreparedMessage('y'))]
    expect(outcomes).toEqual(['sent', 'dropped'])
    codec.finishDeflate()
    await nextTurn()
  })

  it("is refused by 'drop', and the room for it is reported later", async () => {
    const { driver, transport, told } = driveByHand(LIMITS, {
      slowConsumer: 'drop',
      transport: { roomBytes: 0 },
    })
    driver.deliver(new PreparedMessage('x'))
    await nextTurn()
    driver.deliver(new PreparedMessage('x'.repeat(1000)))
    expect(driver.deliver(new PreparedMessage('x'))).toBe('dropped')
    transport.take()
    expect(told).toEqual(['drain'])
    expect(driver.flow.messagesSent).toBe(2)
  })

  it('is checked all the same on a connection that takes none: wrong data throws', async () => {
    const { driver, told } = driveByHand(LIMITS, { transport: { roomBytes: 0 } })
    driver.send('x')
    await nextTurn()
    driver.send('x'.repeat(2000))
    driver.close(1000, '', undefined)
    told.length = 0
    expect(() => driver.send(5 as unknown as string)).toThrow(TypeError)
    expect(driver.send('y')).toBe(false)
    expect([told, driver.flow.messagesSent]).toEqual([[], 2])
  })

  it("fails the connection by 'close', with an error that says how much waited", async () => {
    const driven = driveByHand(LIMITS, { transport: { roomBytes: 0 } })
    const { driver, transport } = driven
    let error: unknown
    driven.onEvent = (event) => {
      if (event.type === 'error') ({ error } = event)
    }
    driver.send('x'.repeat(96))
    await nextTurn()
    driver.send('y'.repeat(997))
    expect(driver.send('z')).toBe(false)
    await nextTurn()
    expect(error).toMatchObject({ code: 'HAWSER_SLOW_CONSUMER', limit: 1000, actual: 98 + 1001 })
    transport.take()
    expect(transport.texts).toEqual(['x'.repeat(96), 'close 1008'])
    expect(driven.told).toEqual(['closing', 'sendingOver', 'error HAWSER_SLOW_CONSUMER'])
  })
})

describe('what is written before a handler runs', () => {
  it('is the pongs to all pings before its message, in one write, and the replies follow in another', () => {
    const driven = driveByHand()
    const { driver, transport } = driven
    const writes: number[] = []
    driven.onEvent = (event) => {
      if (event.type !== 'message') return
      writes.push(transport.writes.length)
      driver.send(event.data)
    }
    transport.deliver(ping('p'), ping('q'), text('a'), text('b'), text('c'))
    expect(writes).toEqual([1, 1, 1])
    expect(transport.writes.map(({ length }) => length)).toEqual([6, 9])
    expect(transport.texts).toEqual(['p', 'q', 'a', 'b', 'c'])
  })

  it('is nothing while the transport holds bytes, though it has room for what is urgent', async () => {
    const driven = driveByHand({}, { transport: { roomBytes: 0, mostPendingBytes: 100 } })
    const { driver, transport } = driven
    driver.send('x')
    await nextTurn()
    let count = 0
    driven.onEvent = (event) => {
      if (event.type === 'message') count = transport.writes.length
    }
    transport.deliver(ping('p'), text('a'))
    expect([count, transport.writes.length]).toEqual([1, 1])
  })

  it('is not what was sent in the same turn before a message came', () => {
    const driven = driveByHand()
    const { driver, transport } = driven
    driven.onEvent = () => void driver.send('reply')
    driver.send('before')
    transport.deliver(text('a'))
    expect(transport.writes).toHaveLength(1)
    expect(transport.texts).toEqual(['before', 'reply'])
  })

  it("is each reply where the peer's Close frame follows", () => {
    const driven = driveByHand()
    const { driver, transport } = driven
    const texts: string[][] = []
    driven.onEvent = (event) => {
      if (event.type === 'message') driver.send('reply')
      else texts.push(transport.texts)
    }
    transport.deliver(text('a'), closeFrame(1000, '', { key: KEY }))
    expect(texts).toEqual([['reply']])
  })

  it('is each of the frames that a caller sends by itself', async () => {
    const { driver, transport } = driveByHand()
    expect([driver.ping('p'), driver.pong('q'), driver.pong(undefined)]).toEqual([true, true, true])
    await nextTurn()
    expect(transport.texts).toEqual(['p', 'q', ''])
    driver.close(1000, '', undefined)
    expect([driver.ping('p'), driver.pong('q')]).toEqual([false, false])
  })
})
