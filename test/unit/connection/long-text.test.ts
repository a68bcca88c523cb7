/** Long text that leaves next: written part by part where it is ASCII, and its buffer reused when the transport is done. */
import type * as LongText from '../../../src/connection/long-text.js'
import { WriteQueue } from '../../../src/connection/write-queue.js'
import type * as QueueModule from '../../../src/connection/write-queue.js'
import { borrowBuffer } from '../../../src/frame/buffer-pool.js'
import { frame, readFrames } from '../../helpers/frame-builder.js'
import { loadNative } from '../../helpers/load-native.js'

const TEXT = 0x81
const KIB = 1024
/** What is encoded at once. */
const PART = 64 * KIB

describe('RFC 6455 5.6: long text', () => {
  // Around the length of what the slab takes, of a header, and of one part and several.
  const lengths = [16 * KIB, 16 * KIB + 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1, 1024 * KIB + 1]
  const ends = ['', '\u00e9', '\u20ac', '\u{1f4a9}', '\ud83d', '\udca9']

  test.each(lengths)('of %i letters, and whatever at its end, is what Node encodes', (length) => {
    for (const end of ends) {
      const text = 'abcdefghijklm'.repeat(Math.ceil(length / 13)).slice(0, length - end.length) + end
      for (const masked of [false, true]) {
        const queue = new WriteQueue(masked)
        queue.appendText(TEXT, text)
        const waited = queue.byteLength
        const wire = queue.take()!
        expect(wire).toHaveLength(waited)
        expect(queue.take()).toBeNull()
        const { frames, rest } = readFrames(wire)
        expect([frames.length, rest.length]).toEqual([1, 0])
        expect(frames[0]!.payload.equals(Buffer.from(text))).toBe(true)
      }
    }
  })

  test.each([0, 300, PART - 1, PART, PART + 1, 2 * PART - 1])(
    'with a character of two units at %i, also where a part ends, is what Node encodes',
    (at) => {
      const text = `${'a'.repeat(at)}\u{1f4a9}${'b'.repeat(3 * PART - at)}`
      const queue = new WriteQueue(false)
      queue.appendText(TEXT, text)
      queue.appendText(TEXT, 'next')
      const wire = Buffer.concat([queue.take()!, queue.take() ?? Buffer.alloc(0)])
      expect(
        wire.equals(
          Buffer.concat([frame({ opcode: 1, payload: text }), frame({ opcode: 1, payload: 'next' })]),
        ),
      ).toBe(true)
      const masking = new WriteQueue(true)
      masking.appendText(TEXT, text)
      expect(readFrames(masking.take()!).frames[0]!.payload.equals(Buffer.from(text))).toBe(true)
    },
  )

  test('of a client comes from the pool of buffers, and is as large as it has to be', () => {
    for (const [length, most] of [
      [17_000, 64 * KIB],
      [40_000, 64 * KIB],
      [PART, 2 * PART],
    ] as const) {
      const queue = new WriteQueue(true)
      queue.appendText(TEXT, 'x'.repeat(length))
      const { buffer } = queue.take()!
      queue.recycle()
      expect(buffer.byteLength).toBeLessThanOrEqual(process.env['HAWSER_NATIVE'] === 'off' ? 4 * PART : most)
      expect(borrowBuffer(buffer.byteLength).buffer).toBe(buffer)
    }
  })

  test('after other frames, and while the transport is blocked, takes no more memory than it needs', () => {
    const text = 'x'.repeat(100_000)
    for (const isBlocked of [false, true]) {
      const queue = new WriteQueue(false)
      queue.isBlocked = isBlocked
      if (!isBlocked) queue.appendText(TEXT, 'first')
      queue.appendText(TEXT, text)
      if (!isBlocked) queue.take()
      const bytes = queue.take()!
      expect(readFrames(bytes).frames[0]!.text).toBe(text)
      expect(bytes.buffer.byteLength).toBeLessThan(101_000)
    }
  })
})

describe('the buffer that the transport keeps', () => {
  /** Takes a large text, and tells that the transport keeps it. */
  function lend(queue: WriteQueue, isLent: boolean): ArrayBufferLike {
    queue.appendText(TEXT, 'x'.repeat(200_000))
    const { buffer } = queue.take()!
    queue.forget(isLent)
    return buffer
  }

  test('is reused once the transport is no longer blocked, and not before', () => {
    const queue = new WriteQueue(false)
    const memory = lend(queue, true)
    queue.setBlocked(true)
    expect(borrowBuffer(memory.byteLength).buffer).not.toBe(memory)
    queue.setBlocked(false)
    expect(borrowBuffer(memory.byteLength).buffer).toBe(memory)
    queue.setBlocked(false)
    expect(borrowBuffer(memory.byteLength).buffer).not.toBe(memory)
  })

  test('is not reused where the transport does not tell when it is done', () => {
    const queue = new WriteQueue(false)
    const memory = lend(queue, false)
    queue.setBlocked(true)
    queue.setBlocked(false)
    expect(borrowBuffer(memory.byteLength).buffer).not.toBe(memory)
  })

  test('is the first one: a later write of the same block is dropped', () => {
    const queue = new WriteQueue(false)
    const [first, second] = [lend(queue, true), lend(queue, true)]
    queue.setBlocked(true)
    queue.setBlocked(false)
    const found = [borrowBuffer(first.byteLength).buffer, borrowBuffer(first.byteLength).buffer]
    expect([found.includes(first), found.includes(second)]).toEqual([true, false])
  })
})

describe.each(['on', 'off'] as const)('text that is written part by part, HAWSER_NATIVE=%s', (value) => {
  const { longTextRoom, writeLongText } = loadNative<typeof LongText>(value, '../connection/long-text')
  const ASCII = 'abcdefghijklm'.repeat(11_000)

  test.each([PART - 1, PART, PART + 1, 2 * PART, ASCII.length])('of %i letters is whole', (length) => {
    const text = ASCII.slice(0, length)
    const target = Buffer.alloc(5 + longTextRoom(length, null))
    expect(writeLongText(text, target, 5, null)).toBe(true)
    expect(target.toString('latin1', 5, 5 + length)).toBe(text)
    expect(target.readUIntBE(0, 5)).toBe(0)
  })

  test.each(['\u00e9', '\u20ac', '\u{1f4a9}'])(
    'is refused where %p is in it, in the first or the last part',
    (odd) => {
      for (const text of [odd + ASCII, ASCII + odd, ASCII.slice(0, PART - 1) + odd + ASCII]) {
        const target = Buffer.alloc(longTextRoom(text.length, null))
        expect(writeLongText(text, target, 0, null)).toBe(false)
      }
    },
  )

  test('has room for its own length, and for three bytes for each unit of one part', () => {
    expect([16_385, PART, PART + 1, 1_000_000].map((units) => longTextRoom(units, null))).toEqual([
      ...[3 * 16_385, 3 * PART, 3 * PART + 1, 1_000_000 + 2 * PART],
    ])
  })

  test('has room for its own length, and at least 32 KiB, where it is masked on the way', () => {
    expect([16_385, 32 * KIB, 32 * KIB + 1, 1_000_000].map((units) => longTextRoom(units, 1))).toEqual([
      ...[32 * KIB, 32 * KIB, 32 * KIB + 1, 1_000_000],
    ])
  })
})

describe('long text that is not ASCII after all', () => {
  test.each(['on', 'off'] as const)('takes no more memory than it needs, HAWSER_NATIVE=%s', (value) => {
    const { WriteQueue: Queue } = loadNative<typeof QueueModule>(value, '../connection/write-queue')
    const text = `${'a'.repeat(140_000)}\u00e9`
    for (const masked of [false, true]) {
      const queue = new Queue(masked)
      queue.appendText(TEXT, text)
      const bytes = queue.take()!
      expect(readFrames(bytes).frames[0]!.payload.equals(Buffer.from(text))).toBe(true)
      expect(bytes.buffer.byteLength).toBe(256 * KIB)
    }
  })
})
