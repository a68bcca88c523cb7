/** Which short texts wait for each other, as `mostBytes` shows: with the batch of a process where nothing was sent before. */
import type * as Queue from '../../../src/connection/write-queue.js'
import { readFrames } from '../../helpers/frame-builder.js'
import { loadNative } from '../../helpers/load-native.js'

const TEXT = 0x81

describe.each(['on', 'off'] as const)('short texts that wait for each other, HAWSER_NATIVE=%s', (value) => {
  type WriteQueue = Queue.WriteQueue
  let WriteQueue: typeof Queue.WriteQueue

  beforeEach(() => {
    ;({ WriteQueue } = loadNative<typeof Queue>(value, '../connection/write-queue'))
  })

  function append(queue: WriteQueue, ...texts: readonly string[]): void {
    for (const text of texts) queue.appendText(TEXT, text)
  }

  const textsOf = (taken: Buffer | null): string[] => {
    const { frames, rest } = readFrames(taken as Buffer)
    expect(rest).toHaveLength(0)
    return frames.map((frame) => frame.text)
  }

  /** What one text that waits is counted as: three bytes for each of 125 units, and its header. */
  const MOST = 3 * 125 + 8

  test('the first of a write is encoded at once, and those after it wait', () => {
    const queue = new WriteQueue(false)
    append(queue, 'one')
    expect(queue.mostBytes).toBe(5)
    append(queue, 'two')
    expect(queue.mostBytes).toBe(5 + MOST)
    append(queue, 'three')
    expect(queue.mostBytes).toBe(5 + 2 * MOST)
    expect(textsOf(queue.take())).toEqual(['one', 'two', 'three'])
  })

  test('another queue does not count them as its own', () => {
    const [queue, other] = [new WriteQueue(false), new WriteQueue(false)]
    append(other, 'other')
    append(queue, 'one', 'two')
    expect([queue.mostBytes, other.mostBytes]).toEqual([5 + MOST, 7])
    expect([textsOf(queue.take()), textsOf(other.take())]).toEqual([['one', 'two'], ['other']])
  })

  test('125 units are short enough, and 126 are not', () => {
    const queue = new WriteQueue(false)
    append(queue, 'one', 'x'.repeat(125))
    expect(queue.mostBytes).toBe(5 + MOST)
    expect(queue.byteLength).toBe(5 + 127)
    append(queue, 'x'.repeat(126))
    expect(queue.mostBytes).toBe(5 + 127 + 130)
    expect(textsOf(queue.take()).map(({ length }) => length)).toEqual([3, 125, 126])
  })

  test('64 wait at most', () => {
    const queue = new WriteQueue(false)
    const texts = Array.from({ length: 66 }, () => 'x')
    append(queue, ...texts.slice(0, 65))
    expect(queue.mostBytes).toBe(3 + 64 * MOST)
    append(queue, 'x')
    expect(queue.mostBytes).toBe(3 + 64 * 3 + MOST)
    expect(textsOf(queue.take())).toEqual(texts)
  })

  test('one that is not ASCII and waits alone does not keep others from waiting', () => {
    const queue = new WriteQueue(false)
    append(queue, 'one', '\u00e9')
    expect(queue.byteLength).toBe(9)
    append(queue, 'two')
    expect(queue.mostBytes).toBe(9 + MOST)
    expect(textsOf(queue.take())).toEqual(['one', '\u00e9', 'two'])
  })

  test('after two with one that is not ASCII, 256 do not wait, and then others do', () => {
    const queue = new WriteQueue(false)
    append(queue, 'one', 'two', '\u00e9')
    expect(queue.byteLength).toBe(14)
    for (let i = 0; i < 256; i++) append(queue, 'x')
    expect(queue.mostBytes).toBe(14 + 256 * 3)
    append(queue, 'y')
    expect(queue.mostBytes).toBe(14 + 256 * 3 + MOST)
    expect(textsOf(queue.take()).slice(-2)).toEqual(['x', 'y'])
  })
})
