/** What a driver does when the timer wheel calls: at times of the test's own, so that nothing waits (docs/backpressure.md). */
import type { ClosingTimes } from '../../../src/socket/closing-times.js'
import { monotonicNow, timerWheel } from '../../../src/transport/timer-wheel.js'
import { closeFrame, frame, KEY, OP } from '../../helpers/frame-builder.js'
import {
  driveByHand,
  endDrivers,
  expectDueAfter,
  expectDueAt,
  wheelCalls,
  type HandDriven,
} from '../../helpers/hand-driven.js'
import { nextTurn } from '../../helpers/memory-duplex.js'

const KIB = 1024
const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const keepers = (): number => (timerWheel as unknown as { keepers: number }).keepers
const closingOf = ({ driver }: HandDriven): ClosingTimes =>
  (driver as unknown as { lazyClosing: ClosingTimes }).lazyClosing

afterEach(endDrivers)

/** A connection whose output waits. @returns it, and since when */
async function blockedFor(
  limits: Parameters<typeof driveByHand>[0],
  options: Parameters<typeof driveByHand>[1] = {},
): Promise<HandDriven & { readonly at: number }> {
  const driven = driveByHand(limits, { ...options, transport: { roomBytes: 0, ...options.transport } })
  driven.driver.send('x'.repeat(10 * KIB))
  await nextTurn()
  return Object.assign(driven, { at: driven.driver.flow.progressAt })
}

const SEND_TIMEOUT = [
  'closing',
  'sendingOver',
  'error HAWSER_SEND_TIMEOUT',
  'closed 1006  unclean engine',
  'gone',
]
const NOT_IN_TIME = ['error HAWSER_TRANSPORT', 'closed 1006  unclean local', 'gone']

describe('a connection that is well', () => {
  it('has no deadline: neither at the start nor by what it sends and receives', async () => {
    const { driver, transport } = driveByHand()
    expectDueAt(driver, Infinity)
    driver.send('x')
    transport.deliver(text('y'), frame({ opcode: OP.PING, key: KEY }))
    await nextTurn()
    expectDueAt(driver, Infinity)
    expect([driver.flow.progressAt, driver.timeLeftMs]).toEqual([-Infinity, Infinity])
  })

  it('is due for its heartbeat, and for its idle time', () => {
    for (const [limits, ms] of [
      [{ heartbeatIntervalMs: 5000 }, 5000],
      [{ heartbeatIntervalMs: 5000, idleTimeoutMs: 3000 }, 3000],
    ] as const) {
      const before = monotonicNow()
      const { driver } = driveByHand(limits)
      const after = monotonicNow()
      for (const _ of ['at the start', 'once the wheel called']) {
        expect(driver.timerSlot).toBeGreaterThanOrEqual(Math.ceil((before + ms) / 16))
        expect(driver.timerSlot).toBeLessThanOrEqual(Math.ceil((after + ms) / 16))
        wheelCalls(driver, before + 100)
      }
    }
  })

  it('asks the system for nothing when the wheel calls', () => {
    const { driver, transport } = driveByHand({ idleTimeoutMs: 1000 })
    wheelCalls(driver, monotonicNow() + 100)
    expect([transport.asked, driver.flow.isAsking, driver.flow.progressAt]).toEqual([[], false, -Infinity])
  })

  it('stays paused by its caller when the wheel calls', async () => {
    const { driver, transport, told } = driveByHand({ idleTimeoutMs: 1000 })
    driver.pause()
    wheelCalls(driver, monotonicNow() + 100)
    transport.deliver(text('x'))
    await nextTurn()
    expect(told).toEqual([])
    driver.resume()
    await nextTurn()
    expect(told).toEqual(['text "x"'])
  })
})

describe('output that waits', () => {
  it('is looked at four times within sendTimeoutMs, and the connection is given up at its end', async () => {
    const { driver, told, at, transport } = await blockedFor({ sendTimeoutMs: 1000 })
    expectDueAt(driver, at + 250)
    wheelCalls(driver, at + 250)
    expectDueAt(driver, at + 500)
    wheelCalls(driver, at + 900)
    expectDueAt(driver, at + 1000)
    wheelCalls(driver, at + 999.9)
    expect(told).toEqual([])
    wheelCalls(driver, at + 1000)
    expect(told).toEqual(SEND_TIMEOUT)
    expect([transport.isDestroyed, driver.timerSlot]).toEqual([true, -1])
  })

  it('that the system took is progress, from 1 KiB on', async () => {
    const { driver, told, at, transport } = await blockedFor({ sendTimeoutMs: 1000 })
    transport.take(KIB - 1)
    wheelCalls(driver, at + 600)
    expect(driver.flow.progressAt).toBe(at)
    transport.take(1)
    wheelCalls(driver, at + 700)
    expect(driver.flow.progressAt).toBe(at + 700)
    wheelCalls(driver, at + 1699)
    expect(told).toEqual([])
    wheelCalls(driver, at + 1700)
    expect(told).toEqual(SEND_TIMEOUT)
  })

  it('that moves is a sign of life of the peer, and output that does not is none', async () => {
    const { driver, at, transport } = await blockedFor({ sendTimeoutMs: 10_000, heartbeatIntervalMs: 2000 })
    wheelCalls(driver, at + 500)
    const { nextTickAt } = driver.connection
    expect(nextTickAt).toBeLessThanOrEqual(at + 2000)
    transport.take(2 * KIB)
    wheelCalls(driver, at + 600)
    expect(driver.connection.nextTickAt).toBeCloseTo(at + 2600, 6)
  })

  it('is judged by what the peer took where the system takes nothing', async () => {
    const { driver, told, at, transport } = await blockedFor({ sendTimeoutMs: 1000 })
    transport.queued = 0
    wheelCalls(driver, at + 250)
    transport.queued = -KIB
    wheelCalls(driver, at + 500)
    expect(driver.flow.progressAt).toBe(at + 500)
    expect(transport.asked).toEqual([125, 125])
    wheelCalls(driver, at + 1400)
    expect(told).toEqual([])
  })

  it('is not judged while the system is being asked', async () => {
    const { driver, told, at, transport } = await blockedFor({ sendTimeoutMs: 1000 })
    transport.queued = 'asking'
    wheelCalls(driver, at + 2000)
    expect([told, driver.flow.isAsking]).toEqual([[], true])
    expectDueAt(driver, at + 2000 + 16)
    wheelCalls(driver, at + 2016)
    expectDueAt(driver, at + 2016 + 16)
    transport.queued = null
    wheelCalls(driver, at + 2032)
    expect(told).toEqual(SEND_TIMEOUT)
  })

  it('keeps the heartbeat from judging the peer while the system is being asked', async () => {
    const { driver, at, transport } = await blockedFor({ sendTimeoutMs: 9000, heartbeatIntervalMs: 1000 })
    const { bufferedAmount } = driver
    transport.queued = 'asking'
    wheelCalls(driver, at + 2000)
    expect(driver.bufferedAmount).toBe(bufferedAmount)
    transport.queued = null
    wheelCalls(driver, at + 2016)
    // A ping of four bytes.
    expect(driver.bufferedAmount).toBe(bufferedAmount + 6)
  })

  it('is no longer judged once it has left', async () => {
    const { driver, told, at, transport } = await blockedFor({ sendTimeoutMs: 1000 })
    transport.take()
    wheelCalls(driver, at + 5000)
    expect(told).toEqual([])
    expectDueAt(driver, Infinity)
  })
})

describe('an end that has begun', () => {
  async function close(
    limits: Parameters<typeof driveByHand>[0],
    timeoutMs?: number,
  ): Promise<HandDriven & { readonly cutAt: number }> {
    const driven = driveByHand(limits)
    driven.driver.close(1000, '', timeoutMs)
    await nextTurn()
    driven.told.length = 0
    return Object.assign(driven, { cutAt: closingOf(driven).closesAt })
  }

  it('is looked at four times within closeTimeoutMs, and the connection is cut at its end', async () => {
    const { driver, told, cutAt } = await close({ closeTimeoutMs: 1000 })
    expectDueAt(driver, cutAt - 750)
    wheelCalls(driver, cutAt - 750)
    expectDueAt(driver, cutAt - 500)
    wheelCalls(driver, cutAt - 100)
    expectDueAt(driver, cutAt)
    wheelCalls(driver, cutAt - 0.1)
    expect(told).toEqual([])
    wheelCalls(driver, cutAt)
    expect(told).toEqual(NOT_IN_TIME)
    expectDueAt(driver, Infinity)
  })

  it('says why the connection was cut', async () => {
    const driven = await close({ closeTimeoutMs: 1000 })
    let message = ''
    driven.onEvent = (event) => {
      if (event.type === 'error') ({ message } = event.error)
    }
    wheelCalls(driven.driver, driven.cutAt)
    expect(message).toContain('the connection did not end in time')
  })

  it('is postponed by data frames of the peer', async () => {
    const { driver, told, cutAt, transport } = await close({ closeTimeoutMs: 1000 })
    transport.deliver(text('x'.repeat(KIB)))
    expect(transport.isReading).toBe(true)
    wheelCalls(driver, cutAt - 400)
    told.length = 0
    wheelCalls(driver, cutAt + 599)
    expect(told).toEqual([])
    wheelCalls(driver, cutAt + 600)
    expect(told).toEqual(NOT_IN_TIME)
  })

  it('is postponed by what the peer takes of the buffer of its system', async () => {
    const { driver, told, cutAt, transport } = await close({ closeTimeoutMs: 1000 })
    transport.queued = 5 * KIB
    wheelCalls(driver, cutAt - 750)
    transport.queued = 4 * KIB
    wheelCalls(driver, cutAt - 500)
    wheelCalls(driver, cutAt + 400)
    expect(told).toEqual([])
    wheelCalls(driver, cutAt + 500)
    expect(told).toEqual(NOT_IN_TIME)
  })

  it('is not judged while the system is being asked', async () => {
    const { driver, told, cutAt, transport } = await close({ closeTimeoutMs: 1000 })
    transport.queued = 'asking'
    wheelCalls(driver, cutAt + 50)
    expect(told).toEqual([])
    transport.queued = null
    wheelCalls(driver, cutAt + 66)
    expect(told).toEqual(NOT_IN_TIME)
  })

  it('by the time of the caller is over whatever moves', async () => {
    const { driver, told, transport } = await close({ closeTimeoutMs: 200 }, 1000)
    const now = monotonicNow()
    expect(driver.timeLeftMs).toBeGreaterThan(900)
    expect(driver.timeLeftMs).toBeLessThanOrEqual(1000)
    // No look before it: closeTimeoutMs does not count.
    expect(driver.timerSlot).toBeGreaterThan(Math.ceil((now + 900) / 16))
    wheelCalls(driver, now + 800)
    transport.deliver(text('x'.repeat(KIB)))
    told.length = 0
    wheelCalls(driver, now + 1000)
    expect(told).toEqual(NOT_IN_TIME)
  })

  it('begins once, and only later calls of close change it', async () => {
    const { driver, cutAt } = await close({ closeTimeoutMs: 1000 })
    await new Promise((resolve) => setTimeout(resolve, 5))
    driver.close(1000, '', undefined)
    driver.requestDrain()
    await nextTurn()
    wheelCalls(driver, cutAt - 300)
    expectDueAt(driver, cutAt - 50)
    wheelCalls(driver, cutAt - 50)
    expectDueAt(driver, cutAt)
  })

  it('watches output that waits already by closeTimeoutMs', async () => {
    const driven = await blockedFor({ sendTimeoutMs: 60_000, closeTimeoutMs: 1000 })
    const { driver, at, told } = driven
    expectDueAt(driver, at + 15_000)
    await new Promise((resolve) => setTimeout(resolve, 60))
    driver.close(1000, '', undefined)
    await nextTurn()
    expectDueAt(driver, at + 250)
    wheelCalls(driver, at + 250)
    expectDueAt(driver, at + 500)
    const { closesAt } = closingOf(driven)
    told.length = 0
    wheelCalls(driver, closesAt)
    expect(told).toEqual(NOT_IN_TIME)
  })

  it('does not put off what is due before', async () => {
    const { driver, at } = await blockedFor({ sendTimeoutMs: 1000, closeTimeoutMs: 60_000 })
    driver.close(1000, '', 60_000)
    expectDueAt(driver, at + 250)
    await nextTurn()
    expectDueAt(driver, at + 250)
  })

  it('watches output that waits by sendTimeoutMs alone where the caller gave the time', async () => {
    const driven = await blockedFor({ sendTimeoutMs: 4000, closeTimeoutMs: 100 })
    driven.driver.close(1000, '', 60_000)
    await nextTurn()
    expectDueAt(driven.driver, driven.at + 1000)
  })

  it('keeps no deadline and keeps no process alive once the connection is over', async () => {
    const before = keepers()
    const { driver } = driveByHand()
    driver.terminate()
    await nextTurn()
    driver.close(1000, '', 500)
    await nextTurn()
    expect([driver.timerSlot, keepers(), driver.timeLeftMs]).toEqual([-1, before, Infinity])
  })
})

describe("the peer's Close frame that is not answered", () => {
  const CLOSE = closeFrame(3000, 'bye', { key: KEY })

  it('is answered after half of closeTimeoutMs', async () => {
    const { driver, transport, told } = driveByHand({ closeTimeoutMs: 1000 })
    const before = monotonicNow()
    await expectDueAfter(driver, 500, () => {
      transport.deliver(CLOSE)
    })
    const after = monotonicNow()
    wheelCalls(driver, before + 499)
    expect([transport.texts, told]).toEqual([[], ['closing', 'closeReceived 3000 bye']])
    expect(driver.send('still')).toBe(true)
    wheelCalls(driver, after + 500)
    expect(transport.texts).toEqual(['still', 'close 3000'])
    expect(transport.endCount).toBe(1)
    expect(told).toEqual(['closing', 'closeReceived 3000 bye', 'sendingOver'])
  })

  it('has no deadline of its own where its owner answers at once', async () => {
    const driven = driveByHand({ closeTimeoutMs: 1000 })
    driven.onEvent = () => driven.driver.answerClose()
    await expectDueAfter(driven.driver, 250, () => {
      driven.transport.deliver(CLOSE)
    })
    expect(closingOf(driven).takeAnswer(1e12)).toBe(false)
  })
})

describe('a peer that floods a connection that failed', () => {
  const MIB = KIB * KIB

  async function flood(limits: Parameters<typeof driveByHand>[0], roomBytes = Infinity): Promise<HandDriven> {
    const driven = driveByHand(limits, { transport: { roomBytes } })
    driven.driver.send('before')
    await nextTurn()
    // A reserved opcode.
    driven.transport.deliver(frame({ opcode: 0x3, key: KEY }))
    await nextTurn()
    return driven
  }

  it('is read on in another turn up to 4 MiB, then held back, and cut after a second', async () => {
    const { driver, transport, told } = await flood({ closeTimeoutMs: 60_000 })
    for (let i = 0; i < 4; i++) {
      expect(transport.isReading).toBe(true)
      transport.deliver(Buffer.alloc(MIB - 10))
      expect(transport.isReading).toBe(false)
      await nextTurn()
    }
    await expectDueAfter(driver, 1000, () => {
      transport.deliver(Buffer.alloc(100))
    })
    await nextTurn()
    expect(transport.isReading).toBe(false)
    told.length = 0
    wheelCalls(driver, monotonicNow() + 1000)
    expect(told[0]).toMatch(/^closed 1002/)
  })

  it('has no such second before the output has left', async () => {
    const { driver, transport } = await flood({ closeTimeoutMs: 60_000 }, 0)
    const { timerSlot } = driver
    transport.deliver(Buffer.alloc(5 * MIB))
    expect([driver.timerSlot, transport.isReading, transport.endCount]).toEqual([timerSlot, false, 0])
    transport.take()
    await nextTurn()
    expect(transport.endCount).toBe(1)
  })
})
