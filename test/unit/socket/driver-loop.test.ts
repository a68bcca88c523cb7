/** The one loop of the driver: it never calls itself, nobody wedges it, and nothing of it is left at the end. */
import type { ConnectionEvent } from '../../../src/connection/events.js'
import { PreparedMessage } from '../../../src/connection/prepared-message.js'
import { resolveLimits, SERVER_LIMITS, type LimitOptions } from '../../../src/limits.js'
import { blocked } from '../../../src/socket/output-flow.js'
import { findDriversBy, putOff } from '../../../src/socket/fan-out-turn.js'
import { SocketDriver } from '../../../src/socket/socket-driver.js'
import type { SlowConsumerPolicy } from '../../../src/socket/driver-owner.js'
import { StreamTransport } from '../../../src/transport/stream-transport.js'
import { timerWheel } from '../../../src/transport/timer-wheel.js'
import { frame, KEY, OP, readFrames } from '../../helpers/frame-builder.js'
import { MemoryDuplex, nextTurn } from '../../helpers/memory-duplex.js'
import { openLine, type Line, type LineKind } from '../../helpers/model-line.js'

interface Driven {
  readonly driver: SocketDriver
  readonly line: Line
  readonly events: ConnectionEvent[]
  drainCount: number
  goneCount: number
  /** Called with each event. */
  onEvent: (event: ConnectionEvent) => void
  onDrain: () => void
}

const drivers: SocketDriver[] = []
afterEach(async () => {
  for (const driver of drivers.splice(0)) driver.terminate()
  await nextTurn()
})

const KINDS: readonly LineKind[] = ['handle', 'stream', 'tls']

function drive(
  kind: LineKind,
  limitOptions: LimitOptions = {},
  slowConsumer: SlowConsumerPolicy = 'close',
  systemBytes = 64 * 1024,
): Driven {
  const line = openLine(kind, systemBytes)
  const limits = resolveLimits(limitOptions, SERVER_LIMITS)
  const driver = new SocketDriver(
    line.transport,
    { role: 'server', limits },
    { limits, slowConsumer },
    {
      handleEvent: (event) => {
        driven.events.push(event)
        driven.onEvent(event)
      },
      handleDrain: () => {
        driven.drainCount++
        driven.onDrain()
      },
      handleClosing: () => undefined,
      handleSendingOver: () => undefined,
      handleGone: () => driven.goneCount++,
    },
  )
  const driven: Driven = {
    driver,
    line,
    events: [],
    drainCount: 0,
    goneCount: 0,
    onEvent: () => undefined,
    onDrain: () => undefined,
  }
  driver.start(new Uint8Array(0))
  drivers.push(driver)
  return driven
}

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })

/** All that the system took and takes, read by the peer. */
async function readAll(line: Line): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let quiet = 0; quiet < 3;) {
    const part = line.system.read(Infinity)
    parts.push(Buffer.from(part))
    quiet = line.move() || part.length > 0 ? 0 : quiet + 1
    await nextTurn()
  }
  return Buffer.concat(parts)
}

describe('a message to many sockets is admitted as any other', () => {
  const LIMITS = { maxBufferedOutputBytes: 1000, highWaterMarkBytes: 500 }
  const large = new PreparedMessage('x'.repeat(100_000))
  const small = new PreparedMessage('y'.repeat(600))

  it.each(KINDS)(
    '%s: two are taken after a large one on its way, and the policy decides about the third',
    async (kind) => {
      for (const policy of ['close', 'drop', 'buffer'] as const) {
        const { driver, line, events } = drive(kind, LIMITS, policy, 1000)
        const outcomes = [driver.deliver(large)]
        await nextTurn()
        for (let i = 0; i < 4; i++) outcomes.push(driver.deliver(small))
        await nextTurn()
        const errors = events.map((event) =>
          event.type === 'error' ? (event.error as { code: string }).code : '',
        )
        if (policy === 'close') {
          expect(outcomes).toEqual(['sent', 'sent', 'sent', 'dropped', 'failed'])
          expect(errors).toEqual(['HAWSER_SLOW_CONSUMER'])
        } else {
          const last = policy === 'drop' ? 'dropped' : 'sent'
          expect(outcomes).toEqual(['sent', 'sent', 'sent', last, last])
          expect(errors).toEqual([])
        }
        expect(driver.flow.messagesSent).toBe(outcomes.filter((one) => one === 'sent').length)
        const { frames, rest } = readFrames(await readAll(line))
        expect(rest).toHaveLength(0)
        // Of a connection that failed what waited was dropped, and the Close frame came.
        expect(frames.map((one) => one.payload.length)).toEqual(
          policy === 'close'
            ? [100_000, 2 + Buffer.byteLength(frames[1]!.closeReason)]
            : outcomes.filter((one) => one === 'sent').map((_, i) => (i === 0 ? 100_000 : 600)),
        )
        driver.terminate()
      }
    },
  )
})

describe('the process stays alive while a connection closes, and no longer', () => {
  /** Another connection waits in the same wheel: its timer must not keep the process. */
  const keeps = (): boolean => (timerWheel as unknown as { timer: NodeJS.Timeout }).timer.hasRef()

  it.each(KINDS)('%s: the timer has a reference from the Close frame to the end', async (kind) => {
    drive(kind)
    const { driver, goneCount } = drive(kind)
    expect(keeps()).toBe(false)
    driver.close(1000, '', undefined)
    await nextTurn()
    expect(keeps()).toBe(true)
    driver.terminate()
    await nextTurn()
    await nextTurn()
    expect(keeps()).toBe(false)
    expect(goneCount).toBe(0)
    // A second one, closed with a time of the caller's and lost.
    const lost = drive(kind)
    lost.driver.close(1000, '', 5000)
    await nextTurn()
    expect(keeps()).toBe(true)
    lost.line.reset()
    await nextTurn()
    await nextTurn()
    expect(lost.goneCount).toBe(1)
    expect(keeps()).toBe(false)
  })
})

describe('a throw does not block the connection', () => {
  it('an owner that throws at an event or at a drain gets the next ones', async () => {
    const driven = drive('handle', { highWaterMarkBytes: 10 })
    const { driver, line, events } = driven
    let throwing = true
    driven.onEvent = () => {
      if (throwing) throw new Error('of the owner')
    }
    driven.onDrain = driven.onEvent as () => void
    expect(() => line.deliver(text('one'))).toThrow('of the owner')
    expect(driver.send('x'.repeat(100))).toBe(false)
    expect(() => {
      driver.flush()
    }).toThrow('of the owner')
    throwing = false
    line.deliver(Buffer.concat([text('two'), frame({ opcode: OP.PING, payload: 'p', key: KEY })]))
    driver.send('y')
    await nextTurn()
    expect(events.map((event) => (event.type === 'message' ? event.data : event.type))).toEqual([
      'one',
      'two',
      'ping',
    ])
    const { frames } = readFrames(await readAll(line))
    expect(frames.map((one) => one.text.slice(0, 1))).toEqual(['x', 'p', 'y'])
  })
})

describe('RFC 6455 5.5.3: pings in one read', () => {
  it.each([17, 1000])('are all answered in order while the peer reads: %i', async (count) => {
    for (const kind of KINDS) {
      const { line } = drive(kind, {}, 'close', 1024 * 1024)
      const pings = Array.from({ length: count }, (_, i) =>
        frame({ opcode: OP.PING, payload: `p${i}`, key: KEY }),
      )
      line.deliver(Buffer.concat(pings))
      const pongs = readFrames(await readAll(line)).frames
      const texts = pongs.map((one) => one.text)
      // Over TLS every write is under way for a moment, and the limit of those that wait holds in it.
      if (kind === 'tls') expect([texts.length > 16, texts.at(-1)]).toEqual([true, `p${count - 1}`])
      else expect(texts).toEqual(Array.from({ length: count }, (_, i) => `p${i}`))
    }
  })

  it('are answered for the first 16 and the newest when the peer does not read', async () => {
    const { line } = drive('handle', {}, 'close', 1)
    line.deliver(frame({ opcode: OP.PING, payload: 'first', key: KEY }))
    for (let i = 0; i < 10; i++) {
      const pings = Array.from({ length: 100 }, (_, j) =>
        frame({ opcode: OP.PING, payload: `p${i * 100 + j}`, key: KEY }),
      )
      line.deliver(Buffer.concat(pings))
    }
    const pongs = readFrames(await readAll(line)).frames.map((one) => one.text)
    expect(pongs).toEqual(['first', ...Array.from({ length: 16 }, (_, i) => `p${i}`), 'p999'])
  })
})

describe('RFC 6455 5.5.3: a pong that arrives before the ping is sent', () => {
  it('gives no round trip time, though it has the same payload', async () => {
    const driven = drive('handle')
    const { driver, line } = driven
    driven.onEvent = (event) => {
      if (event.type !== 'message') return
      // Any time at all passes between what came and what is sent.
      const before = performance.now()
      while (performance.now() - before < 1);
      driver.ping('same')
    }
    line.deliver(Buffer.concat([text('x'), frame({ opcode: OP.PONG, payload: 'same', key: KEY })]))
    expect(driver.connection.rttMs).toBeUndefined()
    await nextTurn()
    line.deliver(frame({ opcode: OP.PONG, payload: 'same', key: KEY }))
    expect(driver.connection.rttMs).toBeGreaterThan(0)
  })
})

describe('a connection whose handler for drain always sends more', () => {
  it('gets a message to many of the same turn after what was sent to it before', async () => {
    findDriversBy((member) => member as SocketDriver)
    const systemBytes = 64 * 1024 * 1024
    const streaming = drive('handle', { highWaterMarkBytes: 16 * 1024 }, 'buffer', systemBytes)
    const members = [streaming.driver, drive('handle').driver]
    const toAll = new PreparedMessage('to all')
    // A list is known from the second message on.
    expect(putOff(members, toAll)).toBe(false)

    const part = 'x'.repeat(16 * 1024)
    let parts = 0
    streaming.onDrain = () => {
      if (parts < 1500) streaming.driver.send(String(parts++).padEnd(4) + part)
    }
    expect(streaming.driver.send(part)).toBe(false)
    // The loop gives up with the next part in the queue, and goes on in a later turn.
    await new Promise<void>((resolve) => {
      process.nextTick(resolve)
    })
    expect(parts).toBeGreaterThan(900)
    expect(parts).toBeLessThan(1500)
    const partsBefore = parts
    expect(putOff(members, toAll)).toBe(true)
    await nextTurn()
    await nextTurn()

    const texts = readFrames(await readAll(streaming.line)).frames.map((one) => one.payload.toString())
    expect(texts.map((one) => one.slice(0, 6).trim()).indexOf('to all')).toBe(partsBefore + 1)
    expect(texts).toHaveLength(parts + 2)
  })
})

describe('the number of blocked connections of the thread', () => {
  /** A stream of an application's own, which does not end when it is told to. */
  class Undying extends MemoryDuplex {
    override destroy(): this {
      return this
    }
  }

  it('counts a connection that is over no more, also when its stream still tells that it took bytes', async () => {
    const before = blocked.count
    const stream = new Undying()
    const limits = resolveLimits({}, SERVER_LIMITS)
    const driver = new SocketDriver(
      new StreamTransport(stream),
      { role: 'server', limits },
      { limits, slowConsumer: 'buffer' },
      {
        handleEvent: () => undefined,
        handleDrain: () => undefined,
        handleClosing: () => undefined,
        handleSendingOver: () => undefined,
        handleGone: () => undefined,
      },
    )
    driver.start(new Uint8Array(0))
    stream.stick()
    driver.send('waits')
    await nextTurn()
    expect(blocked.count).toBe(before + 1)
    driver.terminate()
    await nextTurn()
    expect(blocked.count).toBe(before)
    stream.unstick()
    await nextTurn()
    expect(blocked.count).toBe(before)
  })
})
