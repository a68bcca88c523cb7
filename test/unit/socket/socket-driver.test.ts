/** The one thing that touches a stream: reads and writes as few and as many as there should be. */
import type { ConnectionEvent } from '../../../src/connection/events.js'
import { resolveLimits, SERVER_LIMITS, type LimitOptions } from '../../../src/limits.js'
import { SocketDriver } from '../../../src/socket/socket-driver.js'
import type { SlowConsumerPolicy } from '../../../src/socket/driver-owner.js'
import { StreamTransport } from '../../../src/transport/stream-transport.js'
import { closeFrame, frame, fragments, KEY, OP, readFrames } from '../../helpers/frame-builder.js'
import { MemoryDuplex, nextTurn } from '../../helpers/memory-duplex.js'
import { showEvent } from '../../helpers/pull.js'

interface Driven {
  readonly driver: SocketDriver
  readonly stream: MemoryDuplex
  /** What the owner was told, a line each. */
  readonly told: string[]
  /** Called with each event. */
  onEvent: (event: ConnectionEvent) => void
}

/** Each test ends what it began. */
const drivers: SocketDriver[] = []
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.terminate()
})

function drive(
  limitOptions: LimitOptions = {},
  {
    slowConsumer = 'close',
    head = new Uint8Array(0),
    highWaterMark = 64 * 1024,
  }: { slowConsumer?: SlowConsumerPolicy; head?: Uint8Array; highWaterMark?: number } = {},
): Driven {
  const stream = new MemoryDuplex({ highWaterMark })
  const limits = resolveLimits(limitOptions, SERVER_LIMITS)
  const told: string[] = []
  const driver = new SocketDriver(
    new StreamTransport(stream),
    { role: 'server', limits },
    { limits, slowConsumer },
    {
      handleEvent: (event) => {
        told.push(showEvent(event))
        driven.onEvent(event)
        if (event.type === 'closeReceived') driven.driver.answerClose()
      },
      handleDrain: () => told.push('drain'),
      handleClosing: () => undefined,
      handleSendingOver: () => undefined,
      handleGone: () => told.push('gone'),
    },
  )
  const driven: Driven = { driver, stream, told, onEvent: () => undefined }
  driver.start(head)
  drivers.push(driver)
  return driven
}

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const textsOf = (bytes: Buffer): string[] => readFrames(bytes).frames.map((one) => one.text)

describe('coalescing', () => {
  it('messages that are sent in one turn leave in one write', async () => {
    const { driver, stream } = drive()
    for (let i = 0; i < 100; i++) driver.send(`message ${i}`)
    driver.ping('and a ping')
    expect(stream.writes).toHaveLength(0)
    await nextTurn()
    expect(stream.writes).toHaveLength(1)
    expect(textsOf(stream.written)).toHaveLength(101)
    expect(textsOf(stream.written)[99]).toBe('message 99')
  })

  it('messages that are sent while one chunk is handled leave in one write, before the code after it runs', () => {
    const driven = drive()
    const { driver, stream } = driven
    driven.onEvent = (event) => {
      if (event.type === 'message') driver.send(event.data)
    }
    stream.deliver(...Array.from({ length: 50 }, (_, i) => text(`message ${i}`)))
    return nextTurn().then(() => {
      expect(stream.writes).toHaveLength(1)
      expect(textsOf(stream.written)).toHaveLength(50)
    })
  })

  it('a pong leaves before the handler of the message after the ping runs', async () => {
    const driven = drive()
    const atMessage: number[] = []
    driven.onEvent = (event) => {
      if (event.type === 'message') atMessage.push(driven.stream.writes.length)
    }
    driven.stream.deliver(frame({ opcode: OP.PING, payload: 'p', key: KEY }), text('x'), text('y'))
    await nextTurn()
    expect(atMessage).toEqual([1, 1])
    expect(readFrames(driven.stream.written).frames[0]).toMatchObject({ opcode: OP.PONG, text: 'p' })
  })

  it('large output of one turn leaves in order, in writes of 64 KiB and more', async () => {
    const { driver, stream } = drive({ maxBufferedOutputBytes: Infinity })
    for (let i = 0; i < 1000; i++) driver.send(`${String(i).padStart(4, '0')}${'x'.repeat(1020)}`)
    await nextTurn()
    const frames = textsOf(stream.written)
    expect(frames.map((one) => Number(one.slice(0, 4)))).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(stream.writes.length).toBeLessThanOrEqual(Math.ceil(stream.written.length / 65_536) + 1)
  })

  it('messages that are sent while the stream is full leave together when it has room', async () => {
    const { driver, stream, told } = drive()
    stream.stick()
    driver.send('first')
    await nextTurn()
    for (let i = 0; i < 10; i++) {
      driver.send(`later ${i}`)
      await nextTurn()
    }
    expect(stream.writes).toHaveLength(1)
    stream.unstick()
    await nextTurn()
    expect(stream.writes).toHaveLength(2)
    expect(textsOf(stream.writes[1] as Buffer)).toHaveLength(10)
    expect(told).toEqual([])
  })
})

describe('backpressure outwards', () => {
  const LIMITS = { highWaterMarkBytes: 1000, maxBufferedOutputBytes: 5000 }

  it('send returns false above the high-water mark, and the drain is reported once at or below it', async () => {
    const { driver, stream, told } = drive(LIMITS)
    stream.stick()
    expect(driver.send(Buffer.alloc(996))).toBe(true)
    expect(driver.bufferedAmount).toBe(1000)
    expect(driver.send('')).toBe(false)
    expect(driver.send('')).toBe(false)
    await nextTurn()
    expect(driver.bufferedAmount).toBe(1004)
    expect(told).toEqual([])
    stream.unstick()
    await nextTurn()
    expect(driver.bufferedAmount).toBe(0)
    expect(told).toEqual(['drain'])
    expect(driver.send('on')).toBe(true)
  })

  it("'close' drops the waiting output between two frames, sends 1008, and gives the owner a LimitError", async () => {
    const { driver, stream, told } = drive(LIMITS)
    stream.stick()
    const sent = [driver.send(Buffer.alloc(900, 1)), driver.send(Buffer.alloc(4500, 2))]
    await nextTurn()
    // Both are on their way; this one waits after them, and the next finds that much waits.
    sent.push(driver.send(Buffer.alloc(5001, 3)), driver.send('refused'), driver.send('refused'))
    expect(sent).toEqual([true, false, false, false, false])
    expect(told).toEqual([])
    await nextTurn()
    expect(told).toEqual(['error HAWSER_SLOW_CONSUMER'])
    stream.unstick()
    await nextTurn()
    const { frames, rest } = readFrames(stream.written)
    expect(rest).toHaveLength(0)
    expect(frames[frames.length - 1]).toMatchObject({ opcode: OP.CLOSE, closeCode: 1008 })
    expect(frames.some((one) => one.text === 'refused')).toBe(false)
  })

  it("'drop' does not take the message, and the connection stays open", async () => {
    const { driver, stream, told } = drive(LIMITS, { slowConsumer: 'drop' })
    stream.stick()
    driver.send(Buffer.alloc(5001))
    await nextTurn()
    expect(driver.send('behind the one on its way')).toBe(false)
    expect(driver.send(Buffer.alloc(5000))).toBe(false)
    for (let i = 0; i < 3; i++) expect(driver.send('dropped')).toBe(false)
    stream.unstick()
    await nextTurn()
    expect(told).toEqual(['drain'])
    expect(driver.send('taken')).toBe(true)
    await nextTurn()
    const texts = textsOf(stream.written)
    expect([texts.length, texts[1], texts[3]]).toEqual([4, 'behind the one on its way', 'taken'])
  })

  it("'buffer' takes every message", async () => {
    const { driver, stream, told } = drive(LIMITS, { slowConsumer: 'buffer' })
    stream.stick()
    for (let i = 0; i < 100; i++) expect(driver.send(Buffer.alloc(1000))).toBe(false)
    await nextTurn()
    expect(driver.bufferedAmount).toBe(100 * 1004)
    stream.unstick()
    await nextTurn()
    expect(readFrames(stream.written).frames).toHaveLength(100)
    expect(told).toEqual(['drain'])
  })

  it('a stream that takes bytes is asked before its connection is given up', async () => {
    const { driver, stream, told } = drive(LIMITS)
    for (let i = 0; i < 100; i++) driver.send(Buffer.alloc(4000))
    await nextTurn()
    expect(readFrames(stream.written).frames).toHaveLength(100)
    expect(told.filter((line) => line !== 'drain')).toEqual([])
  })

  it('an owner that has to wait is also called back by requestDrain', async () => {
    const { driver, told } = drive()
    driver.requestDrain()
    await nextTurn()
    expect(told).toEqual(['drain'])
  })
})

describe('backpressure inwards', () => {
  const endless = text('x'.repeat(100))

  it.each(['pause', 'hold'] as const)('%s stops delivery and reading at once', async (how) => {
    const driven = drive({}, { highWaterMark: 1024 })
    const { driver, stream, told } = driven
    driven.onEvent = () => {
      if (told.length === 3) driver[how]()
    }
    stream.supply(() => Buffer.from(endless))
    for (let i = 0; i < 20; i++) await nextTurn()
    expect(told).toHaveLength(3)
    // What the stream itself reads ahead, and no more.
    expect(stream.suppliedBytes).toBeLessThan(3 * endless.length + 4 * 1024)
    driven.onEvent = () => {
      if (told.length === 1000) driver[how]()
    }
    driver[how === 'pause' ? 'resume' : 'unhold']()
    while (told.length < 1000) await nextTurn()
    for (let i = 0; i < 20; i++) await nextTurn()
    expect(told).toHaveLength(1000)
  })

  it('pause and hold are independent, and both must end before reading goes on', async () => {
    const { driver, stream, told } = drive()
    driver.pause()
    driver.hold()
    stream.deliver(text('x'))
    driver.resume()
    await nextTurn()
    expect(told).toEqual([])
    driver.unhold()
    await nextTurn()
    expect(told).toEqual(['text "x"'])
    driver.unhold()
    driver.resume()
  })

  it('resume in a handler does not call the next handler inside it', async () => {
    const driven = drive()
    const order: string[] = []
    driven.onEvent = () => {
      order.push('begin')
      driven.driver.pause()
      driven.driver.resume()
      order.push('end')
    }
    driven.stream.deliver(text('a'), text('b'))
    await nextTurn()
    expect(order).toEqual(['begin', 'end', 'begin', 'end'])
  })

  it('frames that arrived with the handshake are handled first, cut anywhere', async () => {
    const bytes = Buffer.concat([
      fragments(OP.TEXT, ['one ', 'two ', 'three'], { key: KEY }),
      frame({ opcode: OP.PING, payload: 'p', key: KEY }),
      text('four'),
      closeFrame(1000, 'bye', { key: KEY }),
    ])
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { stream, told } = drive({}, { head: Buffer.from(bytes.subarray(0, cut)) })
      if (cut < bytes.length) stream.deliver(bytes.subarray(cut))
      await nextTurn()
      expect(told.slice(0, 4)).toEqual([
        'text "one two three"',
        'ping p',
        'text "four"',
        'closeReceived 1000 bye',
      ])
      stream.destroy()
    }
  })

  it('frames may arrive byte by byte', async () => {
    const { stream, told } = drive()
    for (const octet of Buffer.concat([
      text('Hellö'),
      frame({ opcode: OP.BINARY, payload: [1], key: KEY }),
    ])) {
      stream.deliver(Uint8Array.of(octet))
      await nextTurn()
    }
    expect(told).toEqual(['text "Hellö"', 'binary 01'])
  })
})

describe('the end', () => {
  it('a clean close of the peer is echoed, and the connection ends after both FINs', async () => {
    const { stream, told } = drive()
    stream.deliver(closeFrame(1000, '', { key: KEY }))
    await nextTurn()
    expect(readFrames(stream.written).frames[0]).toMatchObject({ opcode: OP.CLOSE, closeCode: 1000 })
    expect(stream.writableEnded).toBe(true)
    expect(told).toEqual(['closeReceived 1000 '])
    stream.push(null)
    await nextTurn()
    expect(told).toEqual(['closeReceived 1000 ', 'closed 1000  clean remote', 'gone'])
    expect(stream.destroyed).toBe(true)
  })

  it('a FIN is reported though the caller has paused', async () => {
    const { driver, stream, told } = drive()
    stream.deliver(text('x'))
    driver.pause()
    await nextTurn()
    stream.destroy()
    await nextTurn()
    expect(told).toContain('closed 1006  unclean remote')
    expect(told[told.length - 1]).toBe('gone')
  })

  it('an error of the stream is reported once, and then the end', async () => {
    const { stream, told } = drive()
    stream.destroy(new Error('ECONNRESET'))
    await nextTurn()
    expect(told).toEqual(['error HAWSER_TRANSPORT', 'closed 1006  unclean remote', 'gone'])
  })

  it('bytes after a violation are read and discarded until the peer ends', async () => {
    const { stream, told } = drive()
    stream.deliver(frame({ opcode: 3, key: KEY }), text('too late'))
    await nextTurn()
    stream.deliver(text('later'), Buffer.alloc(100_000))
    await nextTurn()
    expect(told).toEqual(['error HAWSER_RESERVED_OPCODE'])
    expect(stream.readableLength).toBe(0)
    stream.push(null)
    await nextTurn()
    expect(told[1]).toMatch(/^closed 1002 .* unclean engine$/)
  })

  it('terminate in a handler lets nothing follow but the end', async () => {
    const driven = drive()
    driven.onEvent = (event) => {
      if (event.type === 'message') driven.driver.terminate()
    }
    driven.stream.deliver(text('a'), text('b'))
    await nextTurn()
    expect(driven.told).toEqual(['text "a"', 'closed 1006  unclean local', 'gone'])
    expect(driven.driver.send('x')).toBe(false)
    driven.driver.terminate()
    driven.driver.close(1000, '', undefined)
    await nextTurn()
    expect(driven.told).toHaveLength(3)
  })

  it('the shortest of several close timeouts counts, also beside one that is off', async () => {
    const patient = drive({ closeTimeoutMs: 10 })
    patient.driver.close(1000, '', Infinity)
    const hasty = drive({ closeTimeoutMs: 60_000 })
    hasty.driver.close(1000, '', undefined)
    hasty.driver.close(1000, '', 20)
    hasty.driver.close(1000, '', 60_000)
    await new Promise<void>((resolve) => {
      hasty.stream.once('close', resolve)
    })
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(hasty.told).toEqual(['error HAWSER_TRANSPORT', 'closed 1006  unclean local', 'gone'])
    expect(patient.told).toEqual([])
    patient.driver.terminate()
  })

  it('a stream that is destroyed before the start gives the frames of the handshake, and then the end', async () => {
    const stream = new MemoryDuplex()
    const told: string[] = []
    const driver = new SocketDriver(
      new StreamTransport(stream),
      { role: 'server' },
      { limits: SERVER_LIMITS, slowConsumer: 'close' },
      {
        handleEvent: (event) => void told.push(showEvent(event)),
        handleDrain: () => undefined,
        handleClosing: () => undefined,
        handleSendingOver: () => undefined,
        handleGone: () => void told.push('gone'),
      },
    )
    stream.destroy()
    driver.start(text('in time'))
    await nextTurn()
    expect(told).toEqual(['text "in time"', 'closed 1006  unclean remote', 'gone'])
  })
})

describe('time', () => {
  it('a ping follows silence, a dead peer is found, and a paused caller is not taken for one', async () => {
    const silent = drive({ heartbeatIntervalMs: 20, heartbeatTimeoutMs: 20 })
    const paused = drive({ heartbeatIntervalMs: 20, heartbeatTimeoutMs: 20, idleTimeoutMs: 30 })
    paused.driver.pause()
    await new Promise<void>((resolve) => {
      silent.stream.once('close', resolve)
    })
    await nextTurn()
    expect(readFrames(silent.stream.written).frames[0]?.opcode).toBe(OP.PING)
    expect(silent.told).toEqual(['error HAWSER_HEARTBEAT_TIMEOUT', 'closed 1006  unclean engine', 'gone'])
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(paused.told).toEqual([])
    paused.driver.terminate()
  })

  it('idleTimeout is reported again and again while no message arrives', async () => {
    const driven = drive({ idleTimeoutMs: 10, heartbeatIntervalMs: Infinity })
    await new Promise<void>((resolve) => {
      driven.onEvent = () => {
        if (driven.told.length === 3) resolve()
      }
    })
    expect(driven.told).toEqual(['idleTimeout', 'idleTimeout', 'idleTimeout'])
    driven.driver.terminate()
  })
})
