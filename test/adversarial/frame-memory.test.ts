// slow: memory is measured with a million frames at a time
import { FrameParser, MessageAssembler } from '../../src/frame/index.js'
import { frame, frameHeader, KEY, OP, type FrameSpec } from '../helpers/frame-builder.js'
import { bytesInUse } from '../helpers/memory.js'

const KIB = 1024
const MIB = 1024 * KIB

/** What a measurement may be off by: the machinery of the tests allocates as well. */
const NOISE = 512 * KIB

class Receiver {
  readonly parser = new FrameParser({ role: 'server', allowRsv1: true })
  message: MessageAssembler | null = null

  receive(chunk: Uint8Array): void {
    this.parser.push(chunk)
    for (let part = this.parser.next(); part !== null; part = this.parser.next()) {
      if (part.type === 'violation') throw part.error
      this.message ??= new MessageAssembler(part)
      if (this.message.append(part) !== null) throw new Error('valid text failed')
    }
  }
}

/** How much more is in use once `work` is done, with what it returns alive. */
function growthOf(work: () => unknown): number {
  const warm = work()
  const before = bytesInUse()
  const kept = work()
  const after = bytesInUse()
  // Both are alive to the end.
  expect(warm).toBeDefined()
  expect(kept).toBeDefined()
  return after - before
}

const ANNOUNCED = 100 * MIB

const announcements: readonly (readonly [name: string, spec: FrameSpec])[] = [
  ['binary', { opcode: OP.BINARY, announce: ANNOUNCED, key: KEY }],
  ['text', { opcode: OP.TEXT, announce: ANNOUNCED, key: KEY }],
  ['compressed', { opcode: OP.TEXT, rsv1: true, announce: ANNOUNCED, key: KEY }],
  ['a first fragment', { opcode: OP.BINARY, fin: false, announce: ANNOUNCED, key: KEY }],
]

describe('SECURITY.md: memory for the announced length', () => {
  test.each(announcements)('100 MB announced and no byte sent costs no memory: %s', (_name, spec) => {
    const growth = growthOf(() => {
      const receiver = new Receiver()
      receiver.receive(frameHeader(spec))
      return receiver
    })
    expect(growth).toBeLessThan(NOISE)
  })

  test.each(announcements)('100 MB announced and 10 kB sent costs memory for 10 kB: %s', (_name, spec) => {
    const growth = growthOf(() => {
      const receiver = new Receiver()
      receiver.receive(frameHeader(spec))
      // Masked "a"s, for the text.
      for (let i = 0; i < 10; i++)
        receiver.receive(frame({ opcode: 0, payload: 'a'.repeat(1000), key: KEY }).subarray(8))
      return receiver
    })
    expect(growth).toBeLessThan(NOISE)
  })

  test('a thousand connections that announce 100 MB cost no memory for it', () => {
    const growth = growthOf(() =>
      Array.from({ length: 1000 }, () => {
        const receiver = new Receiver()
        receiver.receive(frameHeader({ opcode: OP.BINARY, announce: ANNOUNCED, key: KEY }))
        receiver.receive(Buffer.alloc(1))
        return receiver
      }),
    )
    // The first buffer of a message and the objects around it.
    expect(growth / 1000).toBeLessThan(3 * KIB)
  })

  test('the largest announced length costs no memory', () => {
    const growth = growthOf(() => {
      const receiver = new Receiver()
      receiver.receive(frameHeader({ opcode: OP.BINARY, announce: 2 ** 53 - 1, key: KEY }))
      receiver.receive(Buffer.alloc(1000))
      return receiver
    })
    expect(growth).toBeLessThan(NOISE)
  })
})

describe('SECURITY.md: heap per byte on the wire is bounded', () => {
  test('a million empty continuation fragments cost no memory', () => {
    const empty = frame({ opcode: OP.CONTINUATION, fin: false, key: KEY })
    const growth = growthOf(() => {
      const receiver = new Receiver()
      receiver.receive(frame({ opcode: OP.TEXT, fin: false, key: KEY }))
      for (let i = 0; i < 1000; i++)
        receiver.receive(Buffer.concat(Array.from({ length: 1000 }, () => empty)))
      expect(receiver.message?.byteLength).toBe(0)
      return receiver
    })
    expect(growth).toBeLessThan(NOISE)
  })

  test('a million one-byte chunks hold at most four times their bytes', () => {
    const size = MIB
    const growth = growthOf(() => {
      const receiver = new Receiver()
      receiver.receive(frameHeader({ opcode: OP.BINARY, announce: ANNOUNCED, key: KEY }))
      for (let i = 0; i < size; i++) receiver.receive(Buffer.of(i & 0xff))
      expect(receiver.message?.byteLength).toBe(size)
      return receiver
    })
    expect(growth).toBeLessThan(4 * size + NOISE)
  })

  test('a million one-byte fragments hold at most four times their bytes', () => {
    const one = frame({ opcode: OP.CONTINUATION, fin: false, payload: 'x', key: KEY })
    const growth = growthOf(() => {
      const receiver = new Receiver()
      receiver.receive(frame({ opcode: OP.TEXT, fin: false, key: KEY }))
      for (let i = 0; i < 1000; i++) receiver.receive(Buffer.concat(Array.from({ length: 1000 }, () => one)))
      expect(receiver.message?.byteLength).toBe(1_000_000)
      return receiver
    })
    expect(growth).toBeLessThan(4_000_000 + NOISE)
  })

  test('the chunks of a message are not kept', () => {
    const size = 64 * KIB
    const growth = growthOf(() => {
      const receiver = new Receiver()
      // One byte of a message at the end of each chunk of 64 KiB of pongs.
      const pong = frame({ opcode: OP.PONG, payload: Buffer.alloc(125), key: KEY })
      const pongs = Buffer.concat(Array.from({ length: size / pong.length }, () => pong))
      for (let i = 0; i < 200; i++) {
        receiver.parser.push(Buffer.from(pongs))
        while (receiver.parser.next() !== null);
        receiver.receive(
          frame({ opcode: i === 0 ? OP.TEXT : OP.CONTINUATION, fin: false, payload: 'x', key: KEY }),
        )
      }
      return receiver
    })
    expect(growth).toBeLessThan(NOISE)
  })
})

describe('a parser holds only bytes that are not consumed', () => {
  test('a reader that always lags one chunk does not make the parser hold more', () => {
    const growth = growthOf(() => {
      const parser = new FrameParser({ role: 'server' })
      const push = (): void => {
        parser.push(frame({ opcode: OP.BINARY, payload: Buffer.alloc(64 * KIB), key: KEY }))
      }
      push()
      for (let i = 0; i < 300; i++) {
        push()
        if (parser.next()?.type !== 'part') throw new Error('no part')
      }
      return parser
    })
    // Two chunks of 64 KiB, where 19 MiB came.
    expect(growth).toBeLessThan(128 * KIB + NOISE)
  })

  test('the list of chunks does not grow with a reader that lags one of a million tiny chunks', () => {
    const ping = frame({ opcode: OP.PING, key: KEY })
    const growth = growthOf(() => {
      const parser = new FrameParser({ role: 'server' })
      parser.push(ping)
      for (let i = 0; i < 1_000_000; i++) {
        parser.push(ping)
        if (parser.next()?.type !== 'part') throw new Error('no part')
      }
      return parser
    })
    expect(growth).toBeLessThan(NOISE)
  })

  test('a violation releases all chunks', () => {
    const growth = growthOf(() => {
      const parser = new FrameParser({ role: 'server' })
      parser.push(frame({ opcode: OP.PING }))
      for (let i = 0; i < 100; i++) parser.push(Buffer.alloc(64 * KIB))
      expect(parser.next()?.type).toBe('violation')
      for (let i = 0; i < 100; i++) parser.push(Buffer.alloc(64 * KIB))
      return parser
    })
    expect(growth).toBeLessThan(NOISE)
  })

  test('an idle parser holds no chunk', () => {
    const growth = growthOf(() => {
      const parsers = Array.from({ length: 100 }, () => new FrameParser({ role: 'server' }))
      for (const parser of parsers) {
        parser.push(frame({ opcode: OP.BINARY, payload: Buffer.alloc(64 * KIB), key: KEY }))
        while (parser.next() !== null);
      }
      return parsers
    })
    expect(growth).toBeLessThan(NOISE)
  })
})
