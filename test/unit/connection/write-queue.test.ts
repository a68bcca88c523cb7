import { WriteQueue } from '../../../src/connection/write-queue.js'
import { asBuffer } from '../../../src/frame/as-buffer.js'
import { frame, hex, readFrames, type WireFrame } from '../../helpers/frame-builder.js'

const TEXT = 0x81
const BINARY = 0x82
const SLAB = 64 * 1024

/** All that waits, in one. */
function takeAll(queue: WriteQueue): Buffer {
  const taken: Buffer[] = []
  for (let bytes = queue.take(); bytes !== null; bytes = queue.take()) taken.push(bytes)
  return Buffer.concat(taken)
}

function onlyFrame(queue: WriteQueue): WireFrame {
  const { frames, rest } = readFrames(takeAll(queue))
  expect(rest).toHaveLength(0)
  expect(frames).toHaveLength(1)
  return frames[0]!
}

/** The memory that some buffers keep alive, in bytes, each memory counted once. */
function memoryOf(buffers: readonly Buffer[]): number {
  return [...new Set(buffers.map((b) => b.buffer))].reduce((sum, memory) => sum + memory.byteLength, 0)
}

const shortestForm = (length: number): number => (length < 126 ? 7 : length < 65_536 ? 16 : 64)

describe('RFC 6455 5.2: frames of a server', () => {
  test('a text is written as in section 5.7', () => {
    const queue = new WriteQueue(false)
    queue.appendText(TEXT, 'Hello')
    expect(queue.byteLength).toBe(7)
    expect(queue.take()).toEqual(hex('81 05 48 65 6c 6c 6f'))
    expect(queue.byteLength).toBe(0)
    expect(queue.take()).toBeNull()
  })

  test('bytes and an empty payload are written', () => {
    const queue = new WriteQueue(false)
    queue.appendBytes(BINARY, hex('00 ff 80'))
    queue.appendBytes(0x8a, Buffer.alloc(0))
    queue.appendText(TEXT, '')
    expect(queue.take()).toEqual(hex('82 03 00 ff 80 8a 00 81 00'))
  })

  test('frames that are appended together are taken together', () => {
    const queue = new WriteQueue(false)
    for (let i = 0; i < 100; i++) queue.appendText(TEXT, `m${i}`)
    const bytes = queue.take()!
    expect(queue.take()).toBeNull()
    expect(readFrames(bytes).frames.map((f) => f.text)).toEqual(
      Array.from({ length: 100 }, (_, i) => `m${i}`),
    )
  })

  test('the first byte is written as given', () => {
    const queue = new WriteQueue(false)
    queue.appendBytes(0xc2, hex('01'))
    queue.appendText(0x41, 'a')
    expect(queue.take()).toEqual(hex('c2 01 01 41 01 61'))
  })
})

describe('RFC 6455 5.3: frames of a client', () => {
  test('every frame is masked with a key of its own', () => {
    const queue = new WriteQueue(true)
    for (let i = 0; i < 50; i++) queue.appendText(TEXT, 'Hello')
    queue.appendBytes(BINARY, Buffer.alloc(300, 7))
    queue.appendBytes(0x89, Buffer.alloc(0))
    expect(queue.byteLength).toBe(50 * 11 + 8 + 300 + 6)
    const { frames } = readFrames(takeAll(queue))
    expect(frames.every((f) => f.key !== null)).toBe(true)
    expect(new Set(frames.map((f) => f.key!.join())).size).toBeGreaterThan(45)
    expect(frames.slice(0, 50).every((f) => f.text === 'Hello')).toBe(true)
    expect(frames[50]!.payload).toEqual(Buffer.alloc(300, 7))
    expect(frames[51]!.payload).toHaveLength(0)
  })

  test.each([1023, 1024, 100_000])('%i bytes of a view are masked, and do not change', (length) => {
    const memory = Uint8Array.from({ length: length + 9 }, (_, i) => i)
    const view = memory.subarray(3, 3 + length)
    const queue = new WriteQueue(true)
    queue.appendBytes(BINARY, view)
    expect(Buffer.compare(onlyFrame(queue).payload, view)).toBe(0)
    expect(memory.every((byte, i) => byte === (i & 0xff))).toBe(true)
  })
})

/**
 * Lengths where something changes: the header's form is guessed from the units of the text (125 and 126), and its
 * room from three times as many (41 and 42); 4096 units are the last that are not measured; from 16 KiB on a frame
 * has a buffer of its own; 65,535 is the last 16-bit length.
 */
const LENGTHS = [
  0, 1, 2, 3, 40, 41, 42, 43, 62, 63, 64, 83, 84, 124, 125, 126, 127, 1365, 1366, 4095, 4096, 4097, 5461,
  5462, 16_379, 16_380, 16_384, 16_385, 21_844, 21_845, 21_846, 32_767, 32_768, 65_534, 65_535, 65_536,
  65_537, 200_000,
]
/** A unit, and what it becomes. */
const UNITS = { ASCII: 'a', 'two bytes': '\u00e9', 'three bytes': '\u20ac', 'a lone surrogate': '\ud800' }

describe('RFC 6455 5.6: text of every length', () => {
  for (const masked of [false, true]) {
    const role = masked ? 'client' : 'server'
    test.each(Object.entries(UNITS))(`${role}: text of %s is written at every length`, (_, unit) => {
      for (const length of LENGTHS) {
        const queue = new WriteQueue(masked)
        const text = unit.repeat(length)
        queue.appendText(TEXT, text)
        const waited = queue.byteLength
        const found = onlyFrame(queue)
        const expected = Buffer.from(text)
        expect(found.wireLength).toBe(waited)
        expect(found.payload.equals(expected)).toBe(true)
        expect(found.lengthForm).toBe(shortestForm(expected.length))
        expect(found.key === null).toBe(!masked)
      }
    })

    test(`${role}: longer text is written whole, wherever it is not ASCII, also when a million units are too many to guess`, () => {
      const long = 1024 * 1024
      for (const text of [
        '\u20ac'.repeat(300) + 'a'.repeat(5000),
        `${'a'.repeat(5000)}\u20ac`,
        `${'a'.repeat(255)}\u{1f4a9}${'a'.repeat(5000)}`,
        '\u00e9'.repeat(70_000),
        '\u20ac'.repeat(long),
        '\u20ac'.repeat(long + 1),
      ]) {
        const queue = new WriteQueue(masked)
        queue.appendText(TEXT, 'before')
        queue.appendText(TEXT, text)
        const { frames, rest } = readFrames(takeAll(queue))
        expect([frames.length, rest.length]).toEqual([2, 0])
        expect(frames[1]!.payload.equals(Buffer.from(text))).toBe(true)
      }
    })

    test(`${role}: a character that is not ASCII may be at the start or the end of text`, () => {
      for (const length of LENGTHS) {
        const texts = [
          '\u{1f4a9}'.repeat(length >> 1),
          `\u{1f4a9}${'a'.repeat(length)}`,
          `${'a'.repeat(length)}\u{1f4a9}`,
          `${'a'.repeat(length)}\u00e9`,
          `${'a'.repeat(length)}\ud83d`,
          `\udca9${'a'.repeat(length)}`,
          '\ud83d\ud83d\udca9\udca9'.repeat(length >> 2),
        ]
        const queue = new WriteQueue(masked)
        for (const text of texts) queue.appendText(TEXT, text)
        const { frames, rest } = readFrames(takeAll(queue))
        expect(rest).toHaveLength(0)
        expect(frames.map((f) => f.payload.equals(Buffer.from(texts[frames.indexOf(f)]!)))).toEqual(
          texts.map(() => true),
        )
        expect(frames.map((f) => f.lengthForm)).toEqual(frames.map((f) => shortestForm(f.payload.length)))
      }
    })
  }

  test('text of every kind and length up to 300 is written into one stream', () => {
    const queue = new WriteQueue(false)
    const texts = Array.from({ length: 300 }, (_, n) =>
      Object.values(UNITS).map((unit) => unit.repeat(n)),
    ).flat()
    for (const text of texts) queue.appendText(TEXT, text)
    const { frames, rest } = readFrames(takeAll(queue))
    expect(rest).toHaveLength(0)
    expect(frames.map((f) => f.text)).toEqual(texts.map((text) => Buffer.from(text).toString()))
  })
})

describe('the slab that all queues share', () => {
  test('a queue whose slab was replaced does not overwrite frames of other queues', () => {
    const first = new WriteQueue(false)
    const second = new WriteQueue(false)
    const third = new WriteQueue(false)
    // Twice, for the slab may be replaced between the first two lines as well.
    for (let round = 0; round < 2; round++) {
      first.appendText(TEXT, 'aaaa')
      second.appendText(TEXT, 'bbbb')
      const taken = second.take()!
      for (let i = 0; i < 8; i++) {
        third.appendBytes(BINARY, Buffer.alloc(12_000, 'c'))
        third.take()
      }
      first.appendText(TEXT, 'AAAA')
      expect(taken).toEqual(hex('81 04 62 62 62 62'))
      expect(takeAll(first)).toEqual(hex('81 04 61 61 61 61 81 04 41 41 41 41'))
    }
  })

  test('a queue continues in the slab only after its own bytes', () => {
    const first = new WriteQueue(false)
    const second = new WriteQueue(false)
    first.appendText(TEXT, '1')
    second.appendText(TEXT, '2')
    first.appendText(TEXT, '3')
    second.appendText(TEXT, '4')
    expect(first.take()).toEqual(hex('81 01 31 81 01 33'))
    expect(second.take()).toEqual(hex('81 01 32 81 01 34'))
  })

  test('a full slab is replaced, and no frame at its end is lost', () => {
    const queue = new WriteQueue(false)
    const sizes = Array.from({ length: 400 }, (_, i) => (i * 37) % 1500)
    const parts: Buffer[] = []
    for (const [i, size] of sizes.entries()) {
      queue.appendBytes(BINARY, Buffer.alloc(size, i))
      if (i % 7 === 0) parts.push(takeAll(queue))
    }
    parts.push(takeAll(queue))
    expect(readFrames(Buffer.concat(parts)).frames.map((f) => [f.payload.length, f.payload[0]])).toEqual(
      sizes.map((size, i) => [size, size === 0 ? undefined : i % 256]),
    )
  })

  test('queues that take turns keep a few buffers each, not one for each frame', () => {
    const queues = Array.from({ length: 10 }, () => new WriteQueue(false))
    for (let i = 0; i < 5000; i++) for (const queue of queues) queue.appendText(TEXT, 'x')
    const slabs = new Set<ArrayBufferLike>()
    for (const queue of queues) {
      expect(queue.byteLength).toBe(15_000)
      const bytes = queue.take()!
      expect(bytes).toHaveLength(15_000)
      expect(readFrames(bytes).frames).toHaveLength(5000)
      slabs.add(bytes.buffer)
    }
    expect(slabs.size).toBe(10)
  })
})

describe('take', () => {
  test('a large frame has a buffer of its own, and the order of frames is kept', () => {
    const queue = new WriteQueue(false)
    queue.appendText(TEXT, 'before')
    queue.appendBytes(BINARY, Buffer.alloc(300_000, 1))
    queue.appendText(TEXT, 'behind')
    const first = queue.take()!
    expect(readFrames(first).frames.map((f) => f.text)).toEqual(['before'])
    const second = queue.take()!
    expect(second).toHaveLength(300_010)
    expect(readFrames(queue.take()!).frames.map((f) => f.text)).toEqual(['behind'])
    expect(queue.byteLength).toBe(0)
  })

  test('returns at most 64 KiB at once if possible, always cut between two frames', () => {
    const queue = new WriteQueue(false)
    queue.isBlocked = true
    for (let i = 0; i < 1000; i++) queue.appendBytes(BINARY, Buffer.alloc(1000, i))
    let left = 1000 * 1004
    for (let bytes = queue.take(); bytes !== null; bytes = queue.take()) {
      expect(bytes.length).toBeLessThanOrEqual(SLAB + 1004)
      expect(readFrames(bytes).rest).toHaveLength(0)
      left -= bytes.length
      expect(queue.byteLength).toBe(left)
    }
    expect(left).toBe(0)
  })

  test('taken bytes do not change when more frames are written', () => {
    for (const isBlocked of [false, true]) {
      const queue = new WriteQueue(false)
      queue.isBlocked = isBlocked
      queue.appendText(TEXT, 'one')
      const taken = queue.take()!
      const copy = Buffer.from(taken)
      for (let i = 0; i < 300; i++) queue.appendText(TEXT, 'x'.repeat(i * 10))
      expect(taken).toEqual(copy)
    }
  })
})

describe('a queue while the transport is blocked', () => {
  test('writes nothing into the slab', () => {
    const blocked = new WriteQueue(false)
    const other = new WriteQueue(false)
    blocked.isBlocked = true
    blocked.appendText(TEXT, 'kept')
    other.appendText(TEXT, 'passed')
    expect(blocked.take()!.buffer).not.toBe(other.take()!.buffer)
  })

  test('leaves earlier frames in the slab and writes later ones into private buffers', () => {
    const queue = new WriteQueue(false)
    queue.appendText(TEXT, 'slab')
    queue.isBlocked = true
    queue.appendText(TEXT, 'own')
    expect(takeAll(queue)).toEqual(hex('81 04 73 6c 61 62 81 03 6f 77 6e'))
  })

  test('has few buffers that grow with the waiting bytes, at most three times too large', () => {
    for (const size of [0, 1, 10, 100, 1000, 5000]) {
      const queue = new WriteQueue(false)
      queue.isBlocked = true
      const text = 'x'.repeat(size)
      const count = Math.ceil(200_000 / (size + 2))
      for (let i = 0; i < count; i++) queue.appendText(TEXT, text)
      const bytes = queue.byteLength
      const parts: Buffer[] = []
      // Taken one by one, without the joining of small ones.
      const inside = queue as unknown as { done: Buffer[]; region: Buffer }
      parts.push(...inside.done, inside.region)
      expect(parts.length).toBeLessThan(30)
      expect(memoryOf(parts)).toBeLessThan(bytes * 1.6 + 4096)
    }
  })

  test('continues in its private buffer after the block ends, then in the slab', () => {
    const queue = new WriteQueue(false)
    queue.isBlocked = true
    queue.appendText(TEXT, 'a')
    queue.isBlocked = false
    queue.appendText(TEXT, 'b')
    expect(queue.take()).toEqual(hex('81 01 61 81 01 62'))
    const other = new WriteQueue(false)
    queue.appendText(TEXT, 'c')
    other.appendText(TEXT, 'd')
    expect(queue.take()!.buffer).toBe(other.take()!.buffer)
  })
})

describe('clear', () => {
  test('drops all frames that are not taken, and the queue can be used again', () => {
    const queue = new WriteQueue(false)
    queue.appendBytes(BINARY, Buffer.alloc(20_000))
    queue.appendText(TEXT, 'gone')
    queue.clear()
    expect(queue.byteLength).toBe(0)
    expect(queue.take()).toBeNull()
    queue.appendText(TEXT, 'Hi')
    expect(queue.take()).toEqual(hex('81 02 48 69'))
  })
})

describe('the buffer of a large frame that has left', () => {
  const large = (byte: number): Buffer => Buffer.alloc(200_000, byte)

  test('is reused for the next large frame of any connection once it is recycled', () => {
    const [one, two] = [new WriteQueue(false), new WriteQueue(false)]
    one.appendBytes(BINARY, large(1))
    const first = one.take()!
    expect(readFrames(first).frames[0]!.payload.equals(large(1))).toBe(true)
    one.recycle()
    two.appendBytes(BINARY, large(2))
    const second = two.take()!
    expect(second.buffer).toBe(first.buffer)
    expect(readFrames(second).frames[0]!.payload.equals(large(2))).toBe(true)
  })

  test('is recycled only once, and only if it was taken last', () => {
    const queue = new WriteQueue(false)
    queue.appendBytes(BINARY, large(1))
    const first = queue.take()!
    queue.recycle()
    queue.recycle()
    queue.appendBytes(BINARY, large(2))
    const second = queue.take()!
    queue.appendBytes(BINARY, large(3))
    const third = queue.take()!
    expect(second.buffer).toBe(first.buffer)
    expect(third.buffer).not.toBe(second.buffer)
    expect(readFrames(second).frames[0]!.payload.equals(large(2))).toBe(true)
  })

  test('is not overwritten if it was not recycled', () => {
    const queue = new WriteQueue(true)
    const taken: Buffer[] = []
    for (let i = 0; i < 5; i++) {
      queue.appendBytes(BINARY, large(i))
      taken.push(queue.take()!)
    }
    taken.forEach((bytes, i) => expect(readFrames(bytes).frames[0]!.payload.equals(large(i))).toBe(true))
  })

  test('is not recycled if it is a slab, a shared frame or joined buffers', () => {
    const queue = new WriteQueue(false)
    const shared = asBuffer(frame({ opcode: 2, payload: large(9) }))
    const taken: Buffer[] = []
    const take = (): void => {
      for (let bytes = queue.take(); bytes !== null; bytes = queue.take()) {
        taken.push(bytes)
        queue.recycle()
      }
    }
    queue.appendText(TEXT, 'in the slab')
    take()
    queue.appendShared(shared, 0, shared.length)
    take()
    queue.appendText(TEXT, 'before')
    queue.appendShared(shared, 0, shared.length)
    queue.appendBytes(BINARY, large(8))
    take()
    for (let i = 0; i < 5; i++) {
      queue.appendBytes(BINARY, large(7))
      queue.take()
    }
    const { frames } = readFrames(Buffer.concat(taken))
    expect(frames.map(({ payload }) => payload[0])).toEqual([0x69, 9, 0x62, 9, 8])
    expect(frames[4]!.payload.equals(large(8))).toBe(true)
    expect(shared.equals(frame({ opcode: 2, payload: large(9) }))).toBe(true)
  })
})

describe('the view of taken bytes', () => {
  test('is made once for connections that take the same bytes', () => {
    const shared = asBuffer(frame({ opcode: 1, payload: 'Hello' }))
    const views = Array.from({ length: 3 }, () => {
      const queue = new WriteQueue(false)
      queue.appendShared(shared, 0, shared.length)
      return queue.take()
    })
    expect(views[1]).toBe(views[0])
    expect(views[2]).toBe(views[0])
  })

  test('is a new one if the start, the end or the buffer differs', () => {
    const bytes = frame({ opcode: 1, payload: 'Hello' })
    const shared = asBuffer(Buffer.concat([bytes, bytes]))
    const other = asBuffer(Buffer.from(bytes))
    const take = (buffer: typeof shared, start: number, end: number): Buffer => {
      const queue = new WriteQueue(false)
      queue.appendShared(buffer, start, end)
      return queue.take()!
    }
    const views = [take(shared, 0, 7), take(shared, 7, 14), take(other, 0, 7), take(shared, 0, 14)]
    expect(new Set(views).size).toBe(4)
    expect(views.map(({ length }) => length)).toEqual([7, 7, 7, 14])
    expect(views.slice(0, 3)).toEqual([bytes, bytes, bytes])
  })
})
