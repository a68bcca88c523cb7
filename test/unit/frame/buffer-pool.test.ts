/** Large buffers are reused: their memory is limited, and no buffer is lent twice at once. */
import fc from 'fast-check'
import { Connection } from '../../../src/connection/connection.js'
import type { MessageReceived } from '../../../src/connection/events.js'
import type * as BufferPool from '../../../src/frame/buffer-pool.js'
import { fragments, frame, KEY, OP } from '../../helpers/frame-builder.js'
import { pullAll } from '../../helpers/pull.js'

const KIB = 1024
const MIB = 1024 * KIB
const MAX_KEPT_BYTES = 4 * MIB

type Pool = typeof BufferPool
type Pooled = ReturnType<Pool['borrowBuffer']>

/** A fresh pool that keeps no buffer. */
function emptyPool(): Pool {
  let pool: Pool | undefined
  jest.isolateModules(() => {
    pool = jest.requireActual<Pool>('../../../src/frame/buffer-pool.js')
  })
  return pool!
}

describe('borrowBuffer', () => {
  test.each([
    [0, 0],
    [1, 1],
    [1000, 1000],
    [32 * KIB - 1, 32 * KIB - 1],
    [32 * KIB, 32 * KIB],
    [32 * KIB + 1, 64 * KIB],
    [100_000, 128 * KIB],
    [MIB, MIB],
    [MIB + 1, 2 * MIB],
    [4 * MIB, 4 * MIB],
    [4 * MIB + 1, 5 * MIB],
    [16 * MIB, 16 * MIB],
    [64 * MIB - 1, 64 * MIB],
    [64 * MIB + 1, 64 * MIB + 1],
  ])('lends for %i bytes a buffer of %i bytes', (bytes, size) => {
    const buffer = emptyPool().borrowBuffer(bytes)
    expect(buffer).toHaveLength(size)
    // The buffer has memory of its own: it is not a view of a slab that others use.
    expect(buffer.buffer.byteLength).toBe(size)
  })
})

describe('a returned buffer', () => {
  test('is lent to the next caller that needs its size, and to one caller only', () => {
    const { borrowBuffer, returnBuffer } = emptyPool()
    const first = borrowBuffer(MIB)
    returnBuffer(first)
    expect(borrowBuffer(MIB + 1)).not.toBe(first)
    expect(borrowBuffer(MIB / 2)).not.toBe(first)
    expect(borrowBuffer(MIB - 1)).toBe(first)
    expect(borrowBuffer(MIB)).not.toBe(first)
  })

  test.each([1, 32 * KIB - 1, 48 * KIB, 4 * MIB + 1, 65 * MIB])('is not kept if it has %i bytes', (bytes) => {
    const { borrowBuffer, returnBuffer } = emptyPool()
    const odd = Buffer.allocUnsafeSlow(bytes) as Pooled
    returnBuffer(odd)
    expect(borrowBuffer(bytes)).not.toBe(odd)
  })

  test('is kept for good while all such buffers together have at most 4 MiB', () => {
    const { borrowBuffer, returnBuffer } = emptyPool()
    const [a, b, c] = [borrowBuffer(2 * MIB), borrowBuffer(2 * MIB), borrowBuffer(32 * KIB)]
    returnBuffer(a)
    returnBuffer(b)
    returnBuffer(c)
    expect(borrowBuffer(32 * KIB)).not.toBe(c)
    expect(borrowBuffer(2 * MIB)).toBe(b)
    returnBuffer(c)
    expect(borrowBuffer(32 * KIB)).toBe(c)
    expect(borrowBuffer(2 * MIB)).toBe(a)
    expect([a, b]).not.toContain(borrowBuffer(2 * MIB))
  })

  test('of 1 MiB or more that is not kept for good is lent once more, for at least half of its size', () => {
    const { borrowBuffer, returnBuffer } = emptyPool()
    const large = borrowBuffer(16 * MIB)
    returnBuffer(large)
    expect(borrowBuffer(8 * MIB - 1)).not.toBe(large)
    expect(borrowBuffer(16 * MIB + 1)).not.toBe(large)
    expect(borrowBuffer(8 * MIB)).toBe(large)
    expect(borrowBuffer(16 * MIB)).not.toBe(large)
    returnBuffer(large)
    expect(borrowBuffer(16 * MIB)).toBe(large)
  })

  test('of exactly 1 or 64 MiB is one of these', () => {
    const { borrowBuffer, returnBuffer } = emptyPool()
    // The room for those that are kept for good is full.
    for (const one of [borrowBuffer(2 * MIB), borrowBuffer(2 * MIB)]) returnBuffer(one)
    for (const bytes of [MIB, 64 * MIB]) {
      const one = borrowBuffer(bytes)
      returnBuffer(one)
      expect(borrowBuffer(bytes)).toBe(one)
    }
  })

  test('that is shorter or longer than what is lent takes no room from others, and is not lent for less', () => {
    const { borrowBuffer, returnBuffer } = emptyPool()
    for (let i = 0; i < 256; i++) returnBuffer(Buffer.allocUnsafeSlow(16 * KIB))
    const kept = borrowBuffer(32 * KIB)
    returnBuffer(kept)
    expect(borrowBuffer(32 * KIB)).toBe(kept)
    const huge = Buffer.allocUnsafeSlow(65 * MIB) as Pooled
    returnBuffer(huge)
    expect(borrowBuffer(40 * MIB)).not.toBe(huge)

    for (const one of [borrowBuffer(2 * MIB), borrowBuffer(2 * MIB)]) returnBuffer(one)
    const large = borrowBuffer(5 * MIB)
    returnBuffer(large)
    for (const one of Array.from({ length: 8 }, () => borrowBuffer(32 * KIB))) returnBuffer(one)
    expect(borrowBuffer(5 * MIB)).toBe(large)
  })

  test('is the ninth of these: the first one is dropped', () => {
    const { borrowBuffer, returnBuffer } = emptyPool()
    const all = Array.from({ length: 9 }, () => borrowBuffer(5 * MIB))
    for (const one of all) returnBuffer(one)
    const lent = all.map(() => borrowBuffer(5 * MIB))
    expect(all.map((one) => lent.includes(one))).toEqual([false, ...all.slice(1).map(() => true)])
  })
})

test('the buffer pool never lends a buffer twice and keeps at most 4 MiB for good, in any order of calls', () => {
  const size = fc.constantFrom(KIB, 32 * KIB, 40 * KIB, 64 * KIB, 700 * KIB, MIB, 3 * MIB, 4 * MIB, 5 * MIB)
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          size,
          fc.nat(20).map((i) => -1 - i),
        ),
        { maxLength: 40 },
      ),
      (steps) => {
        const { borrowBuffer, returnBuffer } = emptyPool()
        const held: Pooled[] = []
        const returned = new Set<Pooled>()
        for (const step of steps) {
          if (step > 0) {
            const buffer = borrowBuffer(step)
            expect(buffer.length).toBeGreaterThanOrEqual(step)
            expect(held).not.toContain(buffer)
            held.push(buffer)
          } else if (held.length > 0) {
            const [buffer] = held.splice(-step % held.length, 1)
            returned.add(buffer!)
            returnBuffer(buffer!)
          }
        }
        const kept: number[] = []
        for (let bytes = 32 * KIB; bytes <= 4 * MIB; bytes *= 2) {
          for (;;) {
            const buffer = borrowBuffer(bytes)
            if (!returned.delete(buffer)) break
            kept.push(buffer.length)
          }
        }
        // Eight large ones are there until the next collection.
        const forGood = kept.sort((a, b) => b - a).slice(8)
        expect(forGood.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(MAX_KEPT_BYTES)
      },
    ),
    { numRuns: 100 },
  )
})

describe('RFC 6455 5.4: the memory of a delivered message is never written again', () => {
  /** A payload whose bytes show their position. */
  const message = (seed: number): Buffer =>
    Buffer.from(Uint32Array.from({ length: MIB / 4 }, (_, i) => Math.imul(i + seed, 2654435761)).buffer)
  const SEEDS = [1, 2]
  const text = frame({ opcode: OP.TEXT, payload: 'x'.repeat(MIB), key: KEY })
  const cut = (bytes: Buffer, size: number): Buffer[] =>
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))

  /** Delivers some bytes in chunks, lent or owned. */
  function receive(connection: Connection, bytes: Buffer, chunkBytes: number, isLent: boolean): Buffer[] {
    const lent = Buffer.alloc(chunkBytes)
    const found: Buffer[] = []
    for (const chunk of cut(bytes, chunkBytes)) {
      if (isLent) connection.receiveBytes(lent.subarray(0, chunk.copy(lent)), 0, true)
      else connection.receiveBytes(Buffer.from(chunk))
      for (const event of pullAll(connection)) found.push((event as MessageReceived).data as Buffer)
      connection.keepInput()
    }
    return found
  }

  // Chunks of 150 KiB: the first buffer from the pool is large enough for the whole message, and stays the last.
  test.each([
    ['fragments of 64 KiB', 64 * KIB, 64 * KIB],
    ['fragments of 1000 bytes', 1000, 64 * KIB],
    ['fragments of 300 KiB in chunks of 150', 300 * KIB, 150 * KIB],
    ['one frame in chunks of 64 KiB', MIB, 64 * KIB],
    ['one frame in chunks of 150 KiB', MIB, 150 * KIB],
    ['one frame in one chunk', MIB, 2 * MIB],
  ])('%s', (_, fragmentBytes, chunkBytes) => {
    const { borrowBuffer } = jest.requireActual<Pool>('../../../src/frame/buffer-pool.js')
    const sent = SEEDS.map((seed) => fragments(OP.BINARY, cut(message(seed), fragmentBytes), { key: KEY }))
    for (const isLent of [false, true]) {
      const connection = new Connection({ role: 'server', limits: { maxMessageBytes: 2 * MIB } })
      const kept: Buffer[] = []
      for (const bytes of sent) {
        kept.push(...receive(connection, bytes, chunkBytes, isLent))
        // Text uses the same buffers and releases them at once.
        receive(connection, text, 150 * KIB, isLent)
      }
      // The next borrower may write anything.
      for (let size = 32 * KIB; size <= 4 * MIB; size *= 2) {
        for (let i = 0; i < 3; i++) borrowBuffer(size).fill(0xaa)
      }
      expect(kept.map((one, i) => one.equals(message(SEEDS[i]!)))).toEqual(SEEDS.map(() => true))
      connection.transportLost()
      expect(pullAll(connection).map(({ type }) => type)).toEqual(['closed'])
    }
  })
})
