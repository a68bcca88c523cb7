// slow: memory is measured with a hundred thousand messages that wait
import { Connection, type ConnectionOptions } from '../../src/connection/connection.js'
import { ControlledCodec } from '../helpers/controlled-codec.js'
import { frame, frames, KEY, OP, type FrameSpec } from '../helpers/frame-builder.js'
import { bytesInUse } from '../helpers/memory.js'
import { pullAll, takeAll, takeFrames, takeLines } from '../helpers/pull.js'

const MIB = 1024 * 1024
/** What a measurement may be off by: the machinery of the tests allocates as well. */
const NOISE = MIB

/** How much more is in use once `work` is done, with what it returns alive. */
function growthOf<T>(work: () => T): { readonly growth: number; readonly kept: T } {
  work()
  const before = bytesInUse()
  const kept = work()
  return { growth: bytesInUse() - before, kept }
}

/**
 * How much more time of the processor `work` takes for 16 times the size: 16 where the cost is linear, 256 where it
 * is quadratic. Not the time that goes by, in which others work as well.
 */
function slowdown(work: (size: number) => void, size: number): number {
  const best = (n: number, runs: number): number => {
    let least = Infinity
    for (let run = 0; run < runs; run++) {
      const start = process.cpuUsage()
      work(n)
      const { user, system } = process.cpuUsage(start)
      least = Math.min(least, user + system)
    }
    return least
  }
  best(size, 5)
  return best(size * 16, 4) / best(size, 8)
}
/** Between 16 and 256, nearer to linear. */
const LINEAR = 64

const server = (options: Partial<ConnectionOptions> = {}): Connection =>
  new Connection({ role: 'server', ...options })
const masked = (...specs: readonly FrameSpec[]): Buffer =>
  frames(...specs.map((spec) => ({ ...spec, key: KEY })))
const ping = (payload: string): Buffer => frame({ opcode: OP.PING, payload, key: KEY })

describe('SECURITY.md: ping floods', () => {
  const FLOOD = 20_000
  const PAYLOAD = 'p'.repeat(119)

  test.each([1, 16, 100])('at most %i pongs and one more wait while nothing is taken', (maxPendingPongs) => {
    const one = server({ limits: { maxPendingPongs } })
    one.setBlocked(true)
    let most = 0
    let events = 0
    for (let i = 0; i < FLOOD; i++) {
      one.receiveBytes(ping(`${PAYLOAD}${String(i).padStart(6, '0')}`))
      events += pullAll(one).length
      most = Math.max(most, one.bufferedBytes)
    }
    expect([most, events]).toEqual([maxPendingPongs * 127, FLOOD])
    one.setBlocked(false)
    const pongs = takeFrames(one)
    expect(pongs).toHaveLength(maxPendingPongs + 1)
    expect(pongs.at(-1)!.text).toBe(`${PAYLOAD}${String(FLOOD - 1).padStart(6, '0')}`)
    // And then as before.
    one.receiveBytes(ping('again'))
    pullAll(one)
    expect(takeLines(one)).toEqual(['10 again'])
  })

  test('the limit holds in one chunk, for a client, and after waiting messages', () => {
    const one = new Connection({ role: 'client' })
    one.setBlocked(true)
    one.send('x'.repeat(1000))
    one.receiveBytes(
      Buffer.concat(Array.from({ length: FLOOD }, (_, i) => frame({ opcode: OP.PING, payload: `${i}` }))),
    )
    expect(pullAll(one)).toHaveLength(FLOOD)
    const found = takeFrames(one)
    expect(found.map((f) => f.opcode)).toEqual([1, ...(Array(17).fill(10) as number[])])
    expect(found.at(-1)!.text).toBe(`${FLOOD - 1}`)
  })

  test('the limit holds if the caller answers, or answers twice', () => {
    for (const autoPong of [false, true]) {
      const one = server({ autoPong })
      one.setBlocked(true)
      for (let i = 0; i < FLOOD; i++) {
        one.receiveBytes(ping(`${i}`))
        for (const event of pullAll(one)) if (event.type === 'ping') one.pong(event.data)
      }
      expect(one.bufferedBytes).toBeLessThan(16 * 127)
      expect(takeFrames(one).at(-1)!.text).toBe(`${FLOOD - 1}`)
    }
  })

  test('a waiting answer does not hold the chunk of its ping', () => {
    const { growth, kept } = growthOf(() =>
      Array.from({ length: 100 }, () => {
        const one = server({ limits: { maxPendingPongs: 1 } })
        one.setBlocked(true)
        for (let i = 0; i < 3; i++) {
          const chunk = Buffer.alloc(256 * 1024)
          const length = masked({ opcode: OP.PING, payload: `${i}` }).copy(chunk)
          one.receiveBytes(chunk.subarray(0, length))
          pullAll(one)
        }
        return one
      }),
    )
    expect(growth).toBeLessThan(4 * MIB)
    expect(takeLines(kept[0]!)).toEqual(['10 0', '10 2'])
  })
})

describe('the memory of waiting output follows its bytes, not the number of sends', () => {
  const SENDS = 300_000

  const send = (one: Connection, count: number, data: string | Uint8Array): void => {
    for (let i = 0; i < count; i++) one.send(data)
  }

  test.each([
    ['empty text', ''],
    ['one letter', 'x'],
    ['one byte', Buffer.from([1])],
    ['three bytes of text', '\u20ac'],
  ])('if the transport is blocked, for %s', (_, data) => {
    const { growth, kept } = growthOf(() => {
      const one = server()
      one.setBlocked(true)
      send(one, SENDS, data)
      return one
    })
    expect(growth).toBeLessThan(kept.bufferedBytes * 1.2 + NOISE)
    expect(takeAll(kept)).toHaveLength(SENDS * (2 + Buffer.byteLength(data)))
  })

  test('for large and small messages in turn', () => {
    const { growth, kept } = growthOf(() => {
      const one = new Connection({ role: 'client' })
      one.setBlocked(true)
      for (let i = 0; i < 200; i++) {
        one.send(Buffer.alloc(50_000, i))
        send(one, 100, 'x')
      }
      return one
    })
    expect(growth).toBeLessThan(kept.bufferedBytes * 2 + NOISE)
    expect(takeFrames(kept)).toHaveLength(200 * 101)
  })

  test('for two connections that take turns and are not blocked', () => {
    const { growth, kept } = growthOf(() => {
      const two = [server(), server()] as const
      for (let i = 0; i < SENDS / 2; i++) for (const one of two) one.send('x')
      return two
    })
    expect(growth).toBeLessThan((kept[0].bufferedBytes + kept[1].bufferedBytes) * 1.2 + NOISE)
  })

  test('for messages that wait for a compression', () => {
    const { growth, kept } = growthOf(() => {
      const codec = new ControlledCodec({ thresholdBytes: 10, asyncDeflateBytes: 10 })
      const one = server({ codec })
      one.send('x'.repeat(100))
      send(one, SENDS, 'x')
      return { one, codec }
    })
    expect(growth).toBeLessThan(kept.one.bufferedBytes * 1.2 + NOISE)
    kept.codec.finishDeflate()
    expect(takeAll(kept.one).length).toBeGreaterThan(SENDS * 3)
  })

  test('for connections whose output was all taken: they hold nothing', () => {
    const busy = server()
    const { growth } = growthOf(() =>
      Array.from({ length: 500 }, () => {
        const one = server()
        one.send('Hello')
        takeAll(one)
        // Each wrote in another slab.
        for (let i = 0; i < 8; i++) busy.send(Buffer.alloc(10_000))
        takeAll(busy)
        return one
      }),
    )
    expect(growth).toBeLessThan(4 * MIB)
  })

  test('for a queue that is cleared: it holds nothing', () => {
    const { growth } = growthOf(() =>
      Array.from({ length: 50 }, () => {
        const one = server()
        one.setBlocked(true)
        one.send(Buffer.alloc(MIB))
        one.abandon()
        return one
      }),
    )
    expect(growth).toBeLessThan(2 * MIB)
  })
})

describe('a peer that sends after the end', () => {
  test.each([
    ['failed here', (one: Connection) => one.fail(1011)],
    ['failed over what it sent', (one: Connection) => one.receiveBytes(frame({ opcode: 3, key: KEY }))],
    ['closed', (one: Connection) => one.receiveBytes(frame({ opcode: 8, key: KEY }))],
    ['given up', (one: Connection) => one.abandon()],
  ])('no byte is kept: %s', (_, end) => {
    const { growth } = growthOf(() => {
      const one = server()
      end(one)
      pullAll(one)
      for (let i = 0; i < 100; i++) one.receiveBytes(Buffer.alloc(128 * 1024))
      return one
    })
    expect(growth).toBeLessThan(NOISE)
  })
})

describe('the cost of sending is linear', () => {
  test('for many messages, each compressed on the thread pool', () => {
    const message = 'x'.repeat(64)
    const ratio = slowdown((size) => {
      const codec = new ControlledCodec({ asyncDeflateBytes: 10 })
      const one = server({ codec })
      for (let i = 0; i < size; i++) one.send(message)
      codec.finishAll()
      expect(one.bufferedBytes).toBeGreaterThan(size)
    }, 1000)
    expect(ratio).toBeLessThan(LINEAR)
  })

  test('for many small messages that wait while blocked and are then taken', () => {
    const ratio = slowdown((size) => {
      const one = server()
      one.setBlocked(true)
      for (let i = 0; i < size; i++) one.send('x')
      one.setBlocked(false)
      while (one.takeOutput() !== null);
    }, 5000)
    expect(ratio).toBeLessThan(LINEAR)
  })

  test('for pings in chunks of one byte', () => {
    const ratio = slowdown((size) => {
      const one = server()
      const bytes = ping('x')
      for (let i = 0; i < size; i++) {
        for (const byte of bytes) {
          one.receiveBytes(Buffer.from([byte]))
          one.nextEvent()
        }
        takeAll(one)
      }
    }, 500)
    expect(ratio).toBeLessThan(LINEAR)
  })
})
