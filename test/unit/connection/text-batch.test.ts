import type * as Queue from '../../../src/connection/write-queue.js'
import { frames, hex, OP, readFrames } from '../../helpers/frame-builder.js'
import { loadNative } from '../../helpers/load-native.js'

const TEXT = 0x81

/** WriteQueue as it is with src/native on, and off: the same bytes in both. */
describe.each(['on', 'off'] as const)('short texts that are sent together, HAWSER_NATIVE=%s', (value) => {
  const { WriteQueue } = loadNative<typeof Queue>(value, '../connection/write-queue')
  type WriteQueue = Queue.WriteQueue

  function append(queue: WriteQueue, ...texts: readonly string[]): void {
    for (const text of texts) queue.appendText(TEXT, text)
  }

  const textsOf = (taken: Buffer | null): string[] => {
    const { frames: found, rest } = readFrames(taken as Buffer)
    expect(rest).toHaveLength(0)
    return found.map((frame) => frame.text)
  }

  test('RFC 6455 5.2: each is a frame by itself', () => {
    const queue = new WriteQueue(false)
    append(queue, 'Hello', '', 'a', 'Hello')
    expect(queue.take()).toEqual(hex('81 05 48 65 6c 6c 6f 81 00 81 01 61 81 05 48 65 6c 6c 6f'))
    expect(queue.take()).toBeNull()
  })

  test('RFC 6455 5.3: each is masked with a key of its own', () => {
    const queue = new WriteQueue(true)
    append(queue, ...Array.from({ length: 40 }, () => 'masked'))
    const { frames: found } = readFrames(queue.take() as Buffer)
    expect(found.map((frame) => frame.text)).toEqual(Array.from({ length: 40 }, () => 'masked'))
    expect(new Set(found.map((frame) => String(frame.key))).size).toBe(40)
  })

  test('more than a batch has are sent, and longer ones between them, in order', () => {
    const queue = new WriteQueue(false)
    const sent = Array.from({ length: 300 }, (_, i) =>
      i % 90 === 50 ? 'x'.repeat(126) : `text ${String(i)}`,
    )
    append(queue, ...sent)
    expect(textsOf(queue.take())).toEqual(sent)
  })

  test('RFC 3629: what is not ASCII is encoded as ever, and a surrogate does not pair with that of another text', () => {
    for (const odd of ['\u00e9', '\u20ac', '\ud83d', '\ude00', '\ud83d\ude00']) {
      const queue = new WriteQueue(false)
      append(queue, 'one', 'two', odd, odd, '\ude00', 'three')
      expect(queue.take()).toEqual(
        frames(
          ...['one', 'two', odd, odd, '\ude00', 'three'].map((payload) => ({ opcode: OP.TEXT, payload })),
        ),
      )
      // Of the next ones each is encoded by itself, and then they are sent together again.
      const many = Array.from({ length: 600 }, (_, i) => String(i))
      append(queue, ...many)
      expect(textsOf(queue.take())).toEqual(many)
    }
  })

  test('the bytes that wait are counted, and guessed no lower', () => {
    const queue = new WriteQueue(false)
    append(queue, 'one', 'two', '\u20ac\u20ac')
    expect(queue.mostBytes).toBeGreaterThanOrEqual(18)
    expect(queue.byteLength).toBe(18)
    expect(queue.mostBytes).toBe(18)
    append(queue, 'four')
    expect(queue.byteLength).toBe(24)
    expect(textsOf(queue.take())).toEqual(['one', 'two', '\u20ac\u20ac', 'four'])
    expect([queue.byteLength, queue.mostBytes]).toEqual([0, 0])
  })

  test('whatever else is sent comes after them: bytes, what many share, what is held', () => {
    const queue = new WriteQueue(false)
    append(queue, 'one', 'two', 'three')
    queue.appendBytes(0x82, hex('ff'))
    append(queue, 'four', 'five')
    queue.appendShared(hex('8100'), 0, 2)
    append(queue, 'six', 'seven')
    queue.appendHeld(0x82, Buffer.alloc(20_000))
    append(queue, 'eight', 'nine')
    const { frames: found } = readFrames(queue.take() as Buffer)
    expect(found.map(({ payload }) => payload.length)).toEqual([3, 3, 5, 1, 4, 4, 0, 3, 5, 20_000, 5, 4])
  })

  test('those of several connections do not mix', () => {
    const queues = [new WriteQueue(false), new WriteQueue(true), new WriteQueue(false)]
    const sent = ['one', 'two', 'three', 'four', 'five']
    for (const text of sent) for (const queue of queues) append(queue, text, text)
    for (const queue of queues) {
      expect(textsOf(queue.take())).toEqual(sent.flatMap((text) => [text, text]))
      expect(queue.take()).toBeNull()
    }
  })

  test('they lie in the buffer that all connections share, also if those of many wait', () => {
    const queues = Array.from({ length: 20 }, () => new WriteQueue(false))
    for (const queue of queues) append(queue, 'one', 'two', 'three')
    const memories = queues.map((queue) => queue.take()?.buffer)
    expect(new Set(memories).size).toBeLessThan(3)
  })

  test('they can be dropped', () => {
    const queue = new WriteQueue(false)
    append(queue, 'one', 'two', 'three')
    queue.clear()
    expect(queue.byteLength).toBe(0)
    expect(queue.take()).toBeNull()
    append(queue, 'four', 'five')
    expect(textsOf(queue.take())).toEqual(['four', 'five'])
  })

  test('none waits while the transport is blocked', () => {
    const queue = new WriteQueue(false)
    append(queue, 'one')
    queue.isBlocked = true
    append(queue, 'two', 'three')
    expect(queue.mostBytes).toBe(17)
    expect(textsOf(queue.take())).toEqual(['one', 'two', 'three'])
  })

  test('only plain text is sent together: what an extension has encoded is not', () => {
    const queue = new WriteQueue(false)
    append(queue, 'one')
    queue.appendText(0xc1, 'two')
    expect(queue.mostBytes).toBe(10)
    expect(queue.take()).toEqual(hex('81 03 6f 6e 65 c1 03 74 77 6f'))
  })
})
