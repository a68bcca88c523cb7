import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Programs } from '../../helpers/child.js'
import { monotonicNow, TimerWheel, type Timed } from '../../../src/transport/timer-wheel.js'

/** Something that waits, and remembers when its time came. */
class Alarm implements Timed {
  timerSlot = -1
  readonly calls: number[] = []
  private readonly rang: () => void
  readonly done: Promise<void>

  constructor() {
    let rang = (): void => undefined
    this.done = new Promise((resolve) => {
      rang = resolve
    })
    this.rang = rang
  }

  timeIsUp(now: number): void {
    this.calls.push(now)
    this.rang()
  }
}

describe('TimerWheel: one timer for all connections', () => {
  test('knows who waits for no later time than asked, and who does not wait', () => {
    const wheel = new TimerWheel()
    const alarm = new Alarm()
    expect(wheel.isDueBy(alarm, Infinity)).toBe(false)
    const dueAt = monotonicNow() + 60_000
    wheel.schedule(alarm, dueAt)
    expect(wheel.isDueBy(alarm, dueAt)).toBe(true)
    expect(wheel.isDueBy(alarm, dueAt + 1000)).toBe(true)
    expect(wheel.isDueBy(alarm, dueAt - 1000)).toBe(false)
    wheel.cancel(alarm)
    expect(wheel.isDueBy(alarm, Infinity)).toBe(false)
  })

  test('calls never too early, and once', async () => {
    const wheel = new TimerWheel()
    const alarm = new Alarm()
    const dueAt = monotonicNow() + 30
    wheel.schedule(alarm, dueAt)
    expect(wheel.size).toBe(1)
    await alarm.done
    expect(alarm.calls).toHaveLength(1)
    expect(alarm.calls[0]).toBeGreaterThanOrEqual(dueAt)
    expect(wheel.size).toBe(0)
    expect(alarm.timerSlot).toBe(-1)
  })

  test('calls in time after the clock went back, as where a test of the application ends its own clock', async () => {
    const wheel = new TimerWheel()
    const now = performance.now.bind(performance)
    const ahead = jest.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000)
    const before = new Alarm()
    wheel.schedule(before, monotonicNow() + 30)
    await before.done
    ahead.mockRestore()
    const after = new Alarm()
    const dueAt = monotonicNow() + 30
    wheel.schedule(after, dueAt)
    expect(wheel.isDueBy(after, dueAt)).toBe(true)
    await after.done
    expect(after.calls).toHaveLength(1)
    expect(wheel.size).toBe(0)
  })

  test('calls 64 at most in a turn of the event loop: thousands that are due at once do not take the turn of others', async () => {
    const wheel = new TimerWheel()
    const dueAt = monotonicNow() + 30
    const alarms = Array.from({ length: 1000 }, () => new Alarm())
    for (const alarm of alarms) wheel.schedule(alarm, dueAt)
    const called = (): number => alarms.filter(({ calls }) => calls.length > 0).length
    const later = new Alarm()
    let most = 0
    for (let before = 0; before < alarms.length;) {
      await new Promise((resolve) => setImmediate(resolve))
      const now = called()
      // One is cancelled, and one comes, while others of the same time still wait.
      if (before === 0 && now > 0) {
        wheel.cancel(alarms[999] as Alarm)
        wheel.schedule(alarms[999] as Alarm, dueAt)
        wheel.schedule(later, dueAt)
      }
      most = Math.max(most, now - before)
      before = now
    }
    await later.done
    expect(most).toBeLessThanOrEqual(64)
    expect(alarms.every(({ calls }) => calls.length === 1)).toBe(true)
    expect([later.calls.length, wheel.size, wheel.slotCount]).toEqual([1, 0, 0])
  })

  test('calls 64 at most in a turn also where each that is called waits anew, and leaves no timer behind', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const wheel = new TimerWheel()
    wheel.keepAlive()
    let calls = 0
    const start = monotonicNow()
    const entries = Array.from({ length: 500 }, (): Timed => {
      let rounds = 0
      const entry: Timed = {
        timerSlot: -1,
        timeIsUp: () => {
          calls++
          if (++rounds < 2) wheel.schedule(entry, start + 200)
        },
      }
      return entry
    })
    for (const entry of entries) wheel.schedule(entry, start + 20)
    let most = 0
    while (calls < 1000) {
      const known = calls
      await new Promise((resolve) => setImmediate(resolve))
      most = Math.max(most, calls - known)
    }
    expect(most).toBeLessThanOrEqual(64)
    await new Promise((resolve) => setImmediate(resolve))
    expect([calls, wheel.size, timers()]).toEqual([1000, 0, before])
    wheel.letGo()
  })

  test('calls the others that are due in the next turns, and those that wait for a time that is past once, after them', async () => {
    const wheel = new TimerWheel()
    const start = monotonicNow()
    const order: string[] = []
    const past = Array.from({ length: 20 }, (): Timed => {
      const entry: Timed = {
        timerSlot: -1,
        timeIsUp: () => {
          order.push('past')
          wheel.schedule(entry, start)
        },
      }
      wheel.schedule(entry, start + 20)
      return entry
    })
    // In 20 slots, all of which are due when the timer comes.
    for (let index = 0; index < 300; index++)
      wheel.schedule({ timerSlot: -1, timeIsUp: () => order.push('other') }, start + 20 + index)
    while (monotonicNow() < start + 400);
    let turns = 0
    while (order.filter((what) => what === 'other').length < 300) {
      await new Promise((resolve) => setImmediate(resolve))
      if (order.length > 0) turns++
    }
    expect(turns).toBeLessThanOrEqual(320 / 64 + 2)
    expect(order.filter((what) => what === 'past')).toHaveLength(past.length)
    for (const entry of past) wheel.cancel(entry)
    expect([wheel.size, wheel.slotCount]).toEqual([0, 0])
  })

  test('calls in the order of the times, however they were scheduled', async () => {
    const wheel = new TimerWheel()
    const now = monotonicNow()
    const order: number[] = []
    const alarms = [150, 20, 90, 20, 250].map((delay) => {
      const alarm = new Alarm()
      void alarm.done.then(() => order.push(delay))
      wheel.schedule(alarm, now + delay)
      return alarm
    })
    await Promise.all(alarms.map((alarm) => alarm.done))
    expect(order).toEqual([20, 20, 90, 150, 250])
  })

  test('counts the last time alone when an entry is scheduled again, earlier or later', async () => {
    const wheel = new TimerWheel()
    const later = new Alarm()
    const earlier = new Alarm()
    const now = monotonicNow()
    wheel.schedule(later, now + 10)
    wheel.schedule(later, now + 120)
    wheel.schedule(earlier, now + 60_000)
    wheel.schedule(earlier, now + 20)
    expect(wheel.size).toBe(2)
    await Promise.all([later.done, earlier.done])
    expect(later.calls).toHaveLength(1)
    expect(later.calls[0]).toBeGreaterThanOrEqual(now + 120)
    expect(earlier.calls).toHaveLength(1)
    expect(earlier.calls[0]).toBeLessThan(now + 60_000)
  })

  test('never calls an entry that is cancelled or due at Infinity', async () => {
    const wheel = new TimerWheel()
    const [cancelled, never, other] = [new Alarm(), new Alarm(), new Alarm()]
    const now = monotonicNow()
    wheel.schedule(cancelled, now + 10)
    wheel.schedule(never, now + 10)
    wheel.schedule(never, Infinity)
    wheel.schedule(other, now + 60)
    wheel.cancel(cancelled)
    wheel.cancel(cancelled)
    expect(wheel.size).toBe(1)
    await other.done
    expect(cancelled.calls).toEqual([])
    expect(never.calls).toEqual([])
  })

  test('lets a call schedule its own entry again', async () => {
    const wheel = new TimerWheel()
    let count = 0
    await new Promise<void>((resolve) => {
      const again: Timed = {
        timerSlot: -1,
        timeIsUp: (now) => {
          if (++count === 3) resolve()
          else wheel.schedule(again, now + 5)
        },
      }
      wheel.schedule(again, monotonicNow() + 5)
    })
    expect(count).toBe(3)
    expect(wheel.size).toBe(0)
  })

  test('does not call an entry that another of the same slot cancels while the slot fires', async () => {
    const wheel = new TimerWheel()
    const second = new Alarm()
    const dueAt = monotonicNow() + 20
    const fired = new Promise<void>((resolve) => {
      wheel.schedule(
        {
          timerSlot: -1,
          timeIsUp: () => {
            wheel.cancel(second)
            setImmediate(resolve)
          },
        },
        dueAt,
      )
    })
    wheel.schedule(second, dueAt)
    await fired
    expect(second.calls).toEqual([])
  })

  test('neither calls at once for a time years away nor keeps the process alive for it', async () => {
    const wheel = new TimerWheel()
    const far = new Alarm()
    const near = new Alarm()
    wheel.schedule(far, monotonicNow() + 2 ** 40)
    wheel.schedule(near, monotonicNow() + 30)
    await near.done
    expect(far.calls).toEqual([])
    wheel.cancel(far)
  })

  test('keeps no slots of connections that ended', () => {
    const wheel = new TimerWheel()
    const alarm = new Alarm()
    const now = monotonicNow() + 60_000
    for (let i = 0; i < 10_000; i++) wheel.schedule(alarm, now + i * 100)
    wheel.cancel(alarm)
    expect(wheel.size).toBe(0)
    expect(wheel.slotCount).toBe(0)
  })

  test('calls the others when one call throws, those of its slot and later ones', async () => {
    const programs = new Programs()
    const { status, errors, lines } = await programs.run(`
      import { monotonicNow, TimerWheel } from './src/transport/timer-wheel.js'
      process.on('uncaughtException', (error) => console.log('caught', error.message))
      const wheel = new TimerWheel()
      const alarm = (name) => ({ timerSlot: -1, timeIsUp: () => console.log(name) })
      const now = monotonicNow()
      wheel.schedule({ timerSlot: -1, timeIsUp: () => { throw new Error('of its own') } }, now + 20)
      wheel.schedule(alarm('beside'), now + 20)
      wheel.schedule(alarm('behind'), now + 60)
      setTimeout(() => console.log(wheel.size, wheel.slotCount), 200)
    `).ended
    programs.remove()
    expect({ status, errors }).toEqual({ status: 0, errors: '' })
    expect(lines).toEqual(['caught of its own', 'beside', 'behind', '0 0'])
  })

  test('calls an entry that another of the same slot puts off at its new time alone', async () => {
    const wheel = new TimerWheel()
    const dueAt = monotonicNow() + 10
    const putOff = new Alarm()
    const first: Timed = { timerSlot: -1, timeIsUp: (now) => wheel.schedule(putOff, now + 40) }
    wheel.schedule(first, dueAt)
    wheel.schedule(putOff, dueAt)
    await putOff.done
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(putOff.calls).toHaveLength(1)
    expect(putOff.calls[0]).toBeGreaterThanOrEqual(dueAt + 40)
  })

  test('what arrives while the event loop is blocked is read before any deadline that passed meanwhile', async () => {
    const order: string[] = []
    const { near, far, close } = await linked()
    far.on('data', () => order.push('read'))
    const wheel = new TimerWheel()
    const now = monotonicNow()
    const first = new Alarm()
    const second = new Alarm()
    void first.done.then(() => order.push('first'))
    void second.done.then(() => order.push('second'))
    wheel.schedule(first, now + 20)
    wheel.schedule(second, now + 300)
    // The first is late: it waits for the time that the loop lost. Within that time the loop is blocked again.
    block(80)
    setImmediate(() => {
      // After an immediate come timers, and reading is last.
      setImmediate(() => {
        near.write('x')
        block(600)
      })
    })
    await Promise.all([first.done, second.done])
    close()
    expect(order).toEqual(['read', 'first', 'second'])
  })

  test('a deadline that is past when it is scheduled does not wait as if the event loop had been blocked', async () => {
    const wheel = new TimerWheel()
    const alarm = new Alarm()
    const now = monotonicNow()
    wheel.schedule(alarm, now - 5_000)
    await alarm.done
    expect(monotonicNow() - now).toBeLessThan(500)
  })
})

/** Nothing else runs in this thread until the time is over. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** Two ends of a connection. */
async function linked(): Promise<{ near: Socket; far: Socket; close(): void }> {
  const server = createServer()
  const accepted = once(server, 'connection')
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [far] = (await accepted) as [Socket]
  if (near.connecting) await once(near, 'connect')
  return {
    near,
    far,
    close() {
      near.destroy()
      far.destroy()
      server.close()
    },
  }
}
