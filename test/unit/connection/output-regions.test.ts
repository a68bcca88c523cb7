/** Where frames lie that wait to be written: the slab that all share, buffers of their own, and what is taken at once. */
import { WriteQueue } from '../../../src/connection/write-queue.js'
import { asBuffer } from '../../../src/frame/as-buffer.js'
import { borrowBuffer } from '../../../src/frame/buffer-pool.js'
import { hex, readFrames } from '../../helpers/frame-builder.js'

const TEXT = 0x81
const BINARY = 0x82
const KIB = 1024
const SLAB = 64 * KIB
/** The longest frame that lies in the slab. */
const SMALL = 16 * KIB

/** A frame of so many bytes in all, 130 to 65,535. */
function appendFrame(queue: WriteQueue, frameBytes: number, fill = 1): void {
  queue.appendBytes(BINARY, Buffer.alloc(frameBytes - 4, fill))
}

/** Fills the slab up to `from` at least, and tells where it is full now. What was taken there is given. */
function fillSlab(
  queue: WriteQueue,
  from: number,
  to = SLAB,
): { slab: ArrayBufferLike; end: number; last: Buffer } {
  for (;;) {
    appendFrame(queue, 2000, 7)
    const last = queue.take()!
    const end = last.byteOffset + last.length
    if (end >= from && end <= to) return { slab: last.buffer, end, last }
  }
}

describe('the slab', () => {
  test('takes frames up to 16 KiB, and a longer one has memory of its own', () => {
    const queue = new WriteQueue(false)
    fillSlab(queue, 0, 20_000)
    appendFrame(queue, SMALL)
    expect(queue.take()!.buffer.byteLength).toBe(SLAB)
    appendFrame(queue, SMALL + 1)
    expect(queue.take()!.buffer.byteLength).toBeLessThan(SLAB)
  })

  test('is filled to its last byte by a frame, and then replaced', () => {
    const [queue, other] = [new WriteQueue(false), new WriteQueue(false)]
    const { slab, end } = fillSlab(other, SLAB - SMALL + 200, SLAB - 200)
    appendFrame(queue, SLAB - end)
    const bytes = queue.take()!
    expect([bytes.buffer === slab, bytes.byteOffset + bytes.length]).toEqual([true, SLAB])
    queue.appendText(TEXT, 'x')
    const next = queue.take()!
    expect([next.buffer === slab, next.byteOffset]).toEqual([false, 0])
  })

  test('is filled to its last byte by a frame that follows another, and both are one piece', () => {
    const [queue, other] = [new WriteQueue(false), new WriteQueue(false)]
    const { slab, end } = fillSlab(other, SLAB - SMALL + 400, SLAB - 400)
    appendFrame(queue, 150)
    appendFrame(queue, SLAB - end - 150)
    const bytes = queue.take()!
    expect([bytes.buffer === slab, bytes.length, queue.take()]).toEqual([true, SLAB - end, null])
  })

  test('holds frames that follow one another as one piece', () => {
    const queue = new WriteQueue(false)
    const { slab, end } = fillSlab(queue, 0, 60_000)
    for (let i = 0; i < 5; i++) appendFrame(queue, 200)
    const bytes = queue.take()!
    expect([bytes.buffer === slab, bytes.byteOffset, bytes.length]).toEqual([true, end, 1000])
  })

  test('is not written by a queue that waits already: another may have written after it', () => {
    const [queue, other] = [new WriteQueue(false), new WriteQueue(false)]
    const { slab } = fillSlab(other, 0, 40_000)
    appendFrame(queue, 200, 1)
    appendFrame(other, 200, 2)
    appendFrame(queue, 200, 3)
    // What is joined is copied, so the memory of the second part is looked for: nothing lies after the other's frame.
    appendFrame(other, 200, 4)
    const [mine, others] = [queue.take()!, other.take()!]
    expect(others.buffer).toBe(slab)
    expect(others).toHaveLength(400)
    expect(readFrames(mine).frames.map(({ payload }) => payload[0])).toEqual([1, 3])
    expect(readFrames(others).frames.map(({ payload }) => payload[0])).toEqual([2, 4])
  })
})

describe('a payload that was held and has to be copied', () => {
  test('takes its place in the slab, and the next queue writes after it', () => {
    const [queue, other] = [new WriteQueue(false), new WriteQueue(false)]
    fillSlab(other, 0, 30_000)
    const payload = Buffer.alloc(SMALL, 5)
    queue.appendHeld(BINARY, payload)
    expect(queue.take()).toEqual(hex('82 7e 40 00'))
    queue.setBlocked(true)
    appendFrame(other, 10_000, 9)
    expect(other.take()).toHaveLength(10_000)
    expect(queue.take()!.equals(payload)).toBe(true)
  })

  test('in memory of its own leaves the slab as it is', () => {
    const [queue, other] = [new WriteQueue(false), new WriteQueue(false)]
    const { last } = fillSlab(other, 30_000, 45_000)
    // From here on there is no room for the payload after its header.
    const { last: later } = fillSlab(other, 50_000, 60_000)
    const copies = [Buffer.from(last), Buffer.from(later)]
    queue.appendHeld(BINARY, Buffer.alloc(SMALL, 5))
    queue.copyHeld()
    for (let i = 0; i < 9; i++) {
      appendFrame(other, 4000, 100 + i)
      other.take()
    }
    expect([last.equals(copies[0]!), later.equals(copies[1]!)]).toEqual([true, true])
  })

  test('stays held where the transport is not blocked', () => {
    const queue = new WriteQueue(false)
    queue.appendHeld(BINARY, Buffer.alloc(SMALL))
    queue.setBlocked(false)
    expect(queue.isHolding).toBe(true)
    queue.setBlocked(true)
    expect(queue.isHolding).toBe(false)
  })
})

describe('a queue whose transport is blocked', () => {
  test('fills a buffer of its own to the last byte before it takes another', () => {
    const queue = new WriteQueue(false)
    queue.isBlocked = true
    appendFrame(queue, 150, 1)
    appendFrame(queue, 1024 - 150, 2)
    const bytes = queue.take()!
    expect([bytes.length, bytes.buffer.byteLength]).toEqual([1024, 1024])
  })

  test('copies a shared frame up to 16 KiB, and shares a longer one', () => {
    const queue = new WriteQueue(false)
    queue.isBlocked = true
    const shared = asBuffer(Buffer.alloc(SMALL + 1, 3))
    queue.appendShared(shared, 0, SMALL)
    const copied = queue.take()!
    expect([copied.buffer === shared.buffer, copied.equals(shared.subarray(0, SMALL))]).toEqual([false, true])
    queue.appendShared(shared, 0, SMALL + 1)
    expect(queue.take()!.buffer).toBe(shared.buffer)
  })
})

describe('what is taken at once', () => {
  /** Queues shared frames, each in a buffer of its own. @returns what each take gives */
  function take(...lengths: readonly number[]): Buffer[] {
    const queue = new WriteQueue(false)
    for (const length of lengths) queue.appendShared(Buffer.alloc(length), 0, length)
    const taken: Buffer[] = []
    for (let bytes = queue.take(); bytes !== null; bytes = queue.take()) taken.push(bytes)
    return taken
  }

  test('are buffers of up to 68 KiB in all', () => {
    const lengthsOf = (taken: readonly Buffer[]): number[] => taken.map(({ length }) => length)
    expect(lengthsOf(take(SLAB, 4 * KIB))).toEqual([68 * KIB])
    expect(lengthsOf(take(SLAB, 4 * KIB + 1))).toEqual([SLAB, 4 * KIB + 1])
    expect(lengthsOf(take(40 * KIB, 20 * KIB, 8 * KIB, 1, 9))).toEqual([68 * KIB, 10])
  })

  test('is a buffer itself where it is not joined with another', () => {
    const queue = new WriteQueue(false)
    const buffers = [Buffer.alloc(70 * KIB, 1), Buffer.alloc(70 * KIB, 2)]
    for (const buffer of buffers) queue.appendShared(buffer, 0, buffer.length)
    for (const buffer of buffers) expect(queue.take()!.buffer).toBe(buffer.buffer)
    expect(queue.take()).toBeNull()
  })
})

describe('the slab and the pool of buffers', () => {
  test('short text that is not ASCII does not give the slab to the pool', () => {
    for (const text of ['\u00e9', '\u20ac'.repeat(1000), `${'a'.repeat(4000)}\u00e9`]) {
      const queue = new WriteQueue(false)
      queue.appendText(TEXT, text)
      const { buffer } = queue.take()!
      expect(borrowBuffer(SLAB).buffer).not.toBe(buffer)
    }
  })
})
