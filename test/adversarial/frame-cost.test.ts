// slow: cost is compared between sizes, up to a million bytes one at a time
import { FrameParser, MessageAssembler, serializeFrame, Utf8Validator } from '../../src/frame/index.js'
import { fragments, frame, KEY, OP } from '../helpers/frame-builder.js'

/**
 * How much dearer one large piece of work is than 16 of a sixteenth: 1 where the cost is linear, 16 where it is
 * quadratic. Counted in the time of the processor, so that a busy machine changes little, as the best of several
 * runs, and once more where that looks bad: chance makes a run slower, but no quadratic work linear.
 */
function growth(work: (size: number) => void, size: number): number {
  const best = (n: number, times: number): number => {
    let least = Infinity
    for (let run = 0; run < 2; run++) {
      const start = process.cpuUsage()
      for (let i = 0; i < times; i++) work(n)
      const { user, system } = process.cpuUsage(start)
      least = Math.min(least, user + system)
    }
    // Below half a millisecond the clock is worth nothing.
    return Math.max(least, 500)
  }
  let ratio = Infinity
  for (let attempt = 0; attempt < 6 && ratio >= LINEAR; attempt++) {
    ratio = Math.min(ratio, best(size * 16, 1) / best(size, 16))
  }
  return ratio
}

/** Between 1 and 16: far above what noise leaves of six attempts, far below where copying everything again leads. */
const LINEAR = 2.5

/** Pushes the bytes in pieces of a size and assembles all messages; returns how many bytes they had. */
function receive(bytes: Buffer, pieceSize: number): number {
  const parser = new FrameParser({ role: 'server' })
  let message: MessageAssembler | null = null
  let total = 0
  for (let at = 0; at < bytes.length; at += pieceSize) {
    parser.push(Buffer.from(bytes.subarray(at, at + pieceSize)))
    for (let part = parser.next(); part !== null; part = parser.next()) {
      if (part.type === 'violation') throw part.error
      message ??= new MessageAssembler(part)
      const error = message.append(part)
      if (error !== null) throw error
      if (part.isLast && part.fin) {
        total += (message.finish() as Buffer).length
        message = null
      }
    }
  }
  return total
}

function expectLinear(make: (size: number) => Buffer, pieceSize: number, size: number): void {
  const [small, large] = [make(size), make(size * 16)]
  const ratio = growth((n) => {
    receive(n === size ? small : large, pieceSize)
  }, size)
  expect(ratio).toBeLessThan(LINEAR)
}

describe('SECURITY.md: cost grows at most linearly', () => {
  test('with one-byte chunks of one large frame', () => {
    expectLinear((size) => frame({ opcode: OP.BINARY, payload: Buffer.alloc(size), key: KEY }), 1, 40_000)
  })

  test('with one-byte chunks of one large text that is not ASCII', () => {
    expectLinear((size) => frame({ opcode: OP.TEXT, payload: 'é'.repeat(size / 2), key: KEY }), 1, 40_000)
  })

  test('with one-byte chunks of small frames, whose headers are cut everywhere', () => {
    const one = frame({ opcode: OP.BINARY, payload: Buffer.alloc(130), key: KEY })
    expectLinear((size) => Buffer.concat(Array.from({ length: size / 138 }, () => one)), 1, 13_800)
  })

  test('with one-byte fragments in one chunk', () => {
    const pieces = (size: number): string[] => Array.from({ length: size }, () => 'x')
    expectLinear((size) => fragments(OP.TEXT, pieces(size), { key: KEY }), Infinity, 20_000)
  })

  test('with one-byte fragments in one-byte chunks', () => {
    const pieces = (size: number): string[] => Array.from({ length: size }, () => 'x')
    expectLinear((size) => fragments(OP.TEXT, pieces(size), { key: KEY }), 1, 4000)
  })

  test('with empty fragments', () => {
    const pieces = (size: number): string[] => Array.from({ length: size }, () => '')
    expectLinear((size) => fragments(OP.TEXT, pieces(size), { key: KEY }), 16_384, 4000)
  })

  test('with many frames in one chunk', () => {
    const one = frame({ opcode: OP.BINARY, payload: 'x', key: KEY })
    expectLinear((size) => Buffer.concat(Array.from({ length: size }, () => one)), Infinity, 4000)
  })

  test('with chunks that are all pushed and then pulled', () => {
    const bytes = frame({ opcode: OP.BINARY, payload: Buffer.alloc(16 * 4000), key: KEY })
    const ratio = growth((size) => {
      const parser = new FrameParser({ role: 'server' })
      for (let i = 0; i < size; i++) parser.push(bytes.subarray(i, i + 1))
      expect(parser.bufferedBytes).toBe(size)
      while (parser.next() !== null);
      expect(parser.bufferedBytes).toBe(0)
    }, 4000)
    expect(ratio).toBeLessThan(LINEAR)
  })

  test('with a reader that lags many chunks', () => {
    const ping = frame({ opcode: OP.PING, key: KEY })
    const ratio = growth((size) => {
      const parser = new FrameParser({ role: 'server' })
      for (let i = 0; i < size; i++) parser.push(ping)
      for (let i = 0; i < size; i++) {
        parser.push(ping)
        parser.next()
      }
      expect(parser.bufferedBytes).toBe(size * ping.length)
    }, 4000)
    expect(ratio).toBeLessThan(LINEAR)
  })

  test('with pieces of UTF-8 that all end inside a character', () => {
    const bytes = Buffer.from('\u{1f600}'.repeat(16 * 60_000))
    const ratio = growth((size) => {
      const validator = new Utf8Validator()
      for (let at = 0; at < size * 4; at += 65) {
        if (!validator.push(bytes, at, Math.min(at + 65, size * 4))) throw new Error('valid text failed')
      }
    }, 60_000)
    expect(ratio).toBeLessThan(LINEAR)
  })

  test('with serialized frames', () => {
    const payload = Buffer.alloc(16 * 4000)
    const ratio = growth((size) => {
      // Many times: one is too short to be measured, and sizes in megabytes would measure the pages of new memory.
      for (let i = 0; i < 100; i++) {
        serializeFrame({ opcode: OP.BINARY, payload: payload.subarray(0, size), maskingKey: 1 })
      }
    }, 4000)
    expect(ratio).toBeLessThan(LINEAR)
  })
})

describe('quadratic buffering: a concat for every chunk', () => {
  test('all copies of a message together are a small multiple of its size', () => {
    for (const size of [1000, 30_000, 1_000_000]) {
      const whole = frame({ opcode: OP.BINARY, payload: Buffer.alloc(size), key: KEY })
      const pieces = Array.from({ length: size / 10 }, () => '0123456789')
      for (const bytes of [whole, fragments(OP.BINARY, pieces, { key: KEY })]) {
        const slow = jest.spyOn(Buffer, 'allocUnsafeSlow')
        const concat = jest.spyOn(Buffer, 'concat')
        try {
          expect(receive(bytes, 7)).toBe(size)
          const allocated = slow.mock.calls.reduce((sum, [capacity]) => sum + capacity, 0)
          // 1 + 1/2 + 1/4 ... of at most twice the size.
          expect(allocated).toBeGreaterThanOrEqual(size)
          expect(allocated).toBeLessThanOrEqual(4 * size)
          expect(concat).not.toHaveBeenCalled()
        } finally {
          jest.restoreAllMocks()
        }
      }
    }
  })
})

describe('SECURITY.md: counters must not cut honest connections', () => {
  test('a message of 100,000 fragments is accepted, whole and byte by byte', () => {
    const payload = Buffer.from(Array.from({ length: 100_000 }, (_, i) => 0x20 + (i % 0x5f)))
    const pieces = Array.from(payload, (octet) => [octet])
    const bytes = fragments(OP.TEXT, pieces, { key: KEY })
    for (const pieceSize of [Infinity, 1448, 1]) {
      const parser = new FrameParser({ role: 'server' })
      let message: MessageAssembler | null = null
      for (let at = 0; at < bytes.length; at += pieceSize) {
        parser.push(Buffer.from(bytes.subarray(at, at + pieceSize)))
        for (let part = parser.next(); part !== null; part = parser.next()) {
          if (part.type === 'violation') throw part.error
          message ??= new MessageAssembler(part)
          if (message.append(part) !== null) throw new Error('valid text failed')
        }
      }
      expect(payload.equals(message?.finish() as Buffer)).toBe(true)
    }
  })

  test('a million frames are accepted', () => {
    const one = frame({ opcode: OP.BINARY, payload: 'x', key: KEY })
    const chunk = Buffer.alloc(one.length * 1000)
    const parser = new FrameParser({ role: 'server' })
    let count = 0
    for (let i = 0; i < 1000; i++) {
      chunk.fill(one)
      parser.push(chunk)
      for (let part = parser.next(); part !== null; part = parser.next()) {
        if (part.type === 'violation' || !part.isLast) throw new Error('a frame was lost')
        count++
      }
    }
    expect(count).toBe(1_000_000)
  })
})
