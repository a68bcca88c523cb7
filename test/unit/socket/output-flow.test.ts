/** The way of output from a connection to its transport: what may go around the queue, what blocks, and who waits for it. */
import { ConnectionClosedError } from '../../../src/errors.js'
import { blocked } from '../../../src/socket/output-flow.js'
import { monotonicNow } from '../../../src/transport/timer-wheel.js'
import { ControlledCodec } from '../../helpers/controlled-codec.js'
import { driveByHand, endDrivers, wheelCalls, type HandOptions } from '../../helpers/hand-driven.js'
import { nextTurn } from '../../helpers/memory-duplex.js'

const KIB = 1024

afterEach(endDrivers)

describe('output that may go around the queue', () => {
  it.each<[boolean, string, number, HandOptions]>([
    [true, 'of a server', 16 * KIB, {}],
    [false, 'with a lower mark', 16 * KIB - 1, {}],
    [false, 'of a client', 16 * KIB, { role: 'client' }],
    [false, 'with a codec', 16 * KIB, { codec: new ControlledCodec() }],
    [false, 'over a transport that keeps bytes', 16 * KIB, { transport: { freesAtOnce: false } }],
    [false, 'over a transport that is asynchronous', 16 * KIB, { transport: { blocksOnPeer: false } }],
  ])('is, %p, that %s', (isShared, _, highWaterMarkBytes, options) => {
    const { driver } = driveByHand({ highWaterMarkBytes }, options)
    expect(driver.sharesOutput).toBe(isShared)
  })

  it('is written at once while the transport is free', () => {
    const { driver, transport } = driveByHand()
    const { flow } = driver
    expect([flow.isFree, flow.writeAtOnce(Buffer.from('bytes'))]).toEqual([true, false])
    expect(transport.writes.map(String)).toEqual(['bytes'])
    transport.roomBytes = 0
    expect([flow.writeAtOnce(Buffer.from('more')), flow.isFree, flow.isBlocked]).toEqual([true, false, true])
    transport.take()
    expect(flow.isFree).toBe(true)
    driver.terminate()
    expect(flow.isFree).toBe(false)
  })

  it('counts for those who wait for what they sent', async () => {
    const { driver, transport } = driveByHand()
    const { flow } = driver
    transport.roomBytes = 100
    driver.send('x'.repeat(98))
    let isTaken = false
    void flow.untilTaken({}).then(() => {
      isTaken = true
    })
    await nextTurn()
    expect(isTaken).toBe(true)
    isTaken = false
    transport.roomBytes = 1
    expect(flow.writeAtOnce(Buffer.from('four'))).toBe(true)
    driver.send('y')
    void flow.untilTaken({}).then(() => {
      isTaken = true
    })
    await nextTurn()
    transport.take(3)
    await nextTurn()
    expect([transport.pendingBytes, isTaken]).toEqual([3, false])
    transport.take(2)
    await nextTurn()
    expect(isTaken).toBe(false)
    transport.take(1)
    await nextTurn()
    expect(isTaken).toBe(true)
  })
})

describe('a write of two pieces', () => {
  it('counts with both for those who wait', async () => {
    const { driver, transport } = driveByHand({}, { transport: { roomBytes: 10_000 } })
    driver.send(Buffer.alloc(20_000))
    expect(transport.hadPayload).toEqual([true])
    let isTaken = false
    void driver.flow.untilTaken({}).then(() => {
      isTaken = true
    })
    await nextTurn()
    expect(isTaken).toBe(false)
    transport.take(10_003)
    await nextTurn()
    expect([isTaken, transport.pendingBytes]).toEqual([false, 1])
    transport.take(1)
    await nextTurn()
    expect(isTaken).toBe(true)
  })
})

describe('a message before one that is not copied', () => {
  it.each([Infinity, 8])(
    'is taken with its own bytes, where both leave in one write: room %p',
    async (roomBytes) => {
      const { driver, transport } = driveByHand({}, { transport: { roomBytes } })
      let isTaken = false
      // With its header 8 bytes.
      driver.send('before')
      void driver.flow.untilTaken({}).then(() => {
        isTaken = true
      })
      driver.send(Buffer.alloc(20_000))
      await nextTurn()
      expect([transport.writes.length, transport.hadPayload, isTaken]).toEqual([1, [true], true])
    },
  )
})

describe('more than one write can take', () => {
  /** So much waits behind a write that the system did not take. */
  async function queue(
    count: number,
    state: HandOptions['transport'],
  ): Promise<ReturnType<typeof driveByHand>> {
    const driven = driveByHand(
      { maxBufferedOutputBytes: Infinity },
      { transport: { roomBytes: 0, ...state } },
    )
    driven.driver.send('x')
    await nextTurn()
    for (let i = 0; i < count; i++) driven.driver.send(String(i).repeat(20_000))
    await nextTurn()
    return driven
  }

  it('is written up to where the system takes no more', async () => {
    const { transport } = await queue(20, {})
    expect(transport.writes).toHaveLength(1)
    transport.take(3)
    expect([transport.writes.length, transport.pendingBytes > 0]).toEqual([2, true])
    transport.take()
    await nextTurn()
    expect([transport.texts.length, transport.pendingBytes]).toEqual([21, 0])
  })

  it('is not written further where the transport has room and the output is not urgent', async () => {
    const twin = await queue(20, {})
    twin.transport.take(3)
    const { length } = twin.transport.writes[1] as Buffer
    const { transport } = await queue(20, { mostPendingBytes: 1 })
    // Of the next write a byte stays behind.
    transport.take(3 + length - 1)
    expect([transport.pendingBytes, transport.writes.length]).toEqual([1, 2])
  })

  it.each([
    [40_000, 2],
    [62_000, 3],
  ])(
    'is written on where it is urgent, and only while there is room: %i',
    async (mostPendingBytes, count) => {
      const { driver, transport } = await queue(0, { mostPendingBytes })
      // The third makes more than 64 KiB of them; two fit into one write.
      for (let i = 0; i < 3; i++) driver.send('y'.repeat(30_000))
      expect(transport.writes).toHaveLength(count)
    },
  )
})

describe('the bytes of a write', () => {
  it.each([
    [true, Infinity],
    [true, 10],
    [false, Infinity],
    [false, 10],
  ])(
    'are used again only when nobody holds them: frees at once %p, room %p',
    async (freesAtOnce, roomBytes) => {
      const { driver, transport } = driveByHand({}, { transport: { freesAtOnce, roomBytes } })
      const given: Buffer[] = []
      const write = transport.write.bind(transport)
      transport.write = (bytes, payload) => {
        given.push(bytes)
        return write(bytes, payload)
      }
      driver.send('x'.repeat(40_000))
      await nextTurn()
      const isHeld = transport.pendingBytes > 0
      // Another connection takes no memory that is still held.
      const other = driveByHand()
      other.driver.send('z'.repeat(40_000))
      await nextTurn()
      expect(given[0]?.includes('z')).toBe(freesAtOnce && !isHeld)
      transport.take()
      other.driver.send('z'.repeat(40_000))
      await nextTurn()
      expect(given[0]?.includes('z')).toBe(freesAtOnce)
    },
  )
})

describe('a transport that holds bytes', () => {
  it('is counted once, until it has none or is over', async () => {
    const before = blocked.count
    const { driver, transport } = driveByHand({}, { transport: { roomBytes: 0, mostPendingBytes: 100 } })
    driver.ping('x')
    await nextTurn()
    expect(blocked.count).toBe(before + 1)
    driver.send(Buffer.alloc(64 * KIB))
    expect([transport.writes.length, blocked.count]).toEqual([2, before + 1])
    transport.take(5)
    expect([driver.flow.isBlocked, blocked.count]).toEqual([true, before + 1])
    transport.take()
    expect([driver.flow.isBlocked, blocked.count]).toEqual([false, before])
    transport.take()
    expect(blocked.count).toBe(before)
    transport.roomBytes = 0
    driver.send('x')
    await nextTurn()
    expect(blocked.count).toBe(before + 1)
    driver.terminate()
    await nextTurn()
    expect([driver.flow.isBlocked, blocked.count]).toEqual([false, before])
  })

  it('that is over without any is not counted either', async () => {
    const before = blocked.count
    const { driver } = driveByHand()
    driver.terminate()
    await nextTurn()
    expect(blocked.count).toBe(before)
  })

  it('takes what waits in one write once it has none', async () => {
    const { driver, transport } = driveByHand({}, { transport: { roomBytes: 0 } })
    for (const one of ['a', 'b', 'c']) {
      driver.send(one)
      await nextTurn()
    }
    transport.take(1)
    expect(transport.writes).toHaveLength(1)
    transport.take()
    expect(transport.writes).toHaveLength(2)
    expect(transport.texts).toEqual(['a', 'b', 'c'])
  })

  it('is given more of what is urgent while it holds little, by its limit of what may wait as well', () => {
    for (const [maxBufferedOutputBytes, count] of [
      [40, 2],
      [39, 1],
    ] as const) {
      const { driver, transport } = driveByHand(
        { maxBufferedOutputBytes, highWaterMarkBytes: 0 },
        { slowConsumer: 'drop', transport: { roomBytes: 0, mostPendingBytes: 1000 } },
      )
      driver.send('x'.repeat(38))
      driver.flush()
      driver.send('y'.repeat(100))
      driver.send('z')
      expect(transport.writes).toHaveLength(count)
    }
  })

  it('is watched from the moment it began to hold bytes, and not anew by each write', async () => {
    const { driver, transport } = driveByHand(
      { sendTimeoutMs: 60_000 },
      { transport: { roomBytes: 0, mostPendingBytes: 100 } },
    )
    driver.ping('x')
    await nextTurn()
    const { progressAt } = driver.flow
    const until = monotonicNow() + 2
    while (monotonicNow() < until);
    driver.send(Buffer.alloc(64 * KIB))
    expect([transport.writes.length, driver.flow.progressAt]).toEqual([2, progressAt])
  })
})

describe('bytes that the system took after they had to wait', () => {
  const HEARTBEAT = { heartbeatIntervalMs: 10_000 }

  it.each([
    [true, true],
    [false, false],
  ])('are a sign of life where the transport waits for the peer: %p', async (blocksOnPeer, isSign) => {
    const { driver, transport } = driveByHand(HEARTBEAT, { transport: { roomBytes: 0, blocksOnPeer } })
    const { nextTickAt } = driver.connection
    driver.send('x')
    const until = monotonicNow() + 2
    while (monotonicNow() < until);
    await nextTurn()
    transport.take()
    expect(driver.connection.nextTickAt > nextTickAt).toBe(isSign)
  })

  it('are one of a stream that may be asynchronous where they waited for 100 ms', async () => {
    const { driver, transport } = driveByHand(HEARTBEAT, { transport: { roomBytes: 0, blocksOnPeer: false } })
    const { nextTickAt } = driver.connection
    driver.send('x')
    await nextTurn()
    await new Promise((resolve) => setTimeout(resolve, 110))
    transport.take()
    expect(driver.connection.nextTickAt).toBeGreaterThanOrEqual(nextTickAt + 100)
  })
})

describe('those who wait', () => {
  const closed = new ConnectionClosedError(1006, '')

  it('are told nothing where nobody waits', () => {
    const { driver } = driveByHand()
    const { flow } = driver
    expect(flow.isWaitedFor).toBe(false)
    flow.drained()
    flow.failWaiters(closed)
    expect(flow.isWaitedFor).toBe(false)
  })

  it('are told of the room, and of the end', async () => {
    const { flow } = driveByHand().driver
    const drained = flow.untilDrained({})
    expect(flow.isWaitedFor).toBe(true)
    flow.drained()
    await expect(drained).resolves.toBeUndefined()
    const other = flow.untilDrained({})
    flow.failWaiters(closed)
    await expect(other).rejects.toBe(closed)
  })

  it('are not told that a message was taken by a transport that failed', async () => {
    const { driver, transport } = driveByHand({}, { transport: { roomBytes: 0 } })
    driver.send('x')
    const taken = driver.flow.untilTaken({})
    await nextTurn()
    transport.hasFailed = true
    transport.take()
    driver.flow.failWaiters(closed)
    await expect(taken).rejects.toBe(closed)
  })

  it('of a message that is compressed wait while others leave', async () => {
    const codec = new ControlledCodec({ thresholdBytes: 10, asyncDeflateBytes: 100 })
    const { driver } = driveByHand({}, { codec })
    driver.send('x'.repeat(500))
    let isTaken = false
    void driver.flow.untilTaken({}).then(() => {
      isTaken = true
    })
    driver.ping('p')
    await nextTurn()
    expect(isTaken).toBe(false)
    codec.finishDeflate()
    await nextTurn()
    expect(isTaken).toBe(true)
  })
})

it('the number of sent messages is that of those that were taken', () => {
  const { driver } = driveByHand()
  driver.send('x')
  driver.send('y')
  driver.ping(undefined)
  expect(driver.flow.messagesSent).toBe(2)
  driver.terminate()
  expect([driver.send('z'), driver.flow.messagesSent]).toEqual([false, 2])
})

it('a look asks nothing where nothing waits and nothing ends', () => {
  const { driver, transport } = driveByHand({ idleTimeoutMs: 1000 })
  const now = monotonicNow()
  wheelCalls(driver, now + 10)
  expect([driver.flow.nextLookAt(now, 1000), driver.flow.isStalled(now + 1e9), transport.asked]).toEqual([
    Infinity,
    false,
    [],
  ])
})
