import { WriteQueue } from '../../../src/connection/write-queue.js'
import {
  TO_COMPRESS_BIT,
  CompressionQueue,
  type WaitingFrame,
} from '../../../src/connection/compression-queue.js'
import { PreparedMessage, prepareTransient } from '../../../src/connection/prepared-message.js'

describe('messages that wait for a compression', () => {
  test('leave unchanged and in order', () => {
    const waiting = new CompressionQueue()
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 100_000, 3, 0]
    for (const [i, size] of sizes.entries()) {
      if (i % 2 === 0) waiting.appendBytes(0x82 | TO_COMPRESS_BIT, Buffer.alloc(size, i))
      else waiting.appendText(0x81, 'x'.repeat(size))
    }
    for (const [i, size] of sizes.entries()) {
      const frame = waiting.next() as WaitingFrame
      expect(frame.firstByte).toBe(i % 2 === 0 ? 0xa2 : 0x81)
      expect(frame.payload.equals(Buffer.alloc(size, i % 2 === 0 ? i : 'x'))).toBe(true)
    }
    expect(waiting.next()).toBeNull()
    expect(waiting.next()).toBeNull()
  })

  test('leave after those that were added earlier, even if they are added in between', () => {
    const waiting = new CompressionQueue()
    const seen: string[] = []
    let sent = 0
    for (let i = 0; i < 2000; i++) {
      waiting.appendText(0x81, `m${sent++}`)
      waiting.appendText(0x81, `m${sent++}`)
      seen.push((waiting.next() as WaitingFrame).payload.toString())
    }
    for (let frame = waiting.next(); frame !== null; frame = waiting.next())
      seen.push((frame as WaitingFrame).payload.toString())
    expect(seen).toEqual(Array.from({ length: 4000 }, (_, i) => `m${i}`))
  })

  test('wait in private memory, because it may take long', () => {
    const waiting = new CompressionQueue()
    waiting.appendText(0x81, 'abc')
    const output = new WriteQueue(false)
    output.appendText(0x81, 'abc')
    expect((waiting.next() as WaitingFrame).payload.buffer).not.toBe(output.take()!.buffer)
  })

  test('are counted with their headers', () => {
    const waiting = new CompressionQueue()
    expect(waiting.byteLength).toBe(0)
    waiting.appendText(0x81, 'abc')
    waiting.appendBytes(0x82, Buffer.alloc(200))
    waiting.appendText(0x81, '')
    expect(waiting.byteLength).toBe(5 + 204 + 2)
    waiting.next()
    expect(waiting.byteLength).toBe(204 + 2)
    waiting.next()
    expect(waiting.byteLength).toBe(2)
    waiting.next()
    expect(waiting.byteLength).toBe(0)
  })
})

describe('prepared messages that wait with others', () => {
  /** All that waits, in order: a prepared message itself, of a frame its text. */
  function drain(waiting: CompressionQueue): unknown[] {
    const found: unknown[] = []
    for (let one = waiting.next(); one !== null; one = waiting.next()) {
      found.push(one instanceof PreparedMessage ? one : one.payload.toString())
    }
    return found
  }

  test('keep their place between texts, and count as frames that are not compressed', () => {
    const waiting = new CompressionQueue()
    const [first, second] = [prepareTransient('a'.repeat(200)), prepareTransient('abc')]
    waiting.appendPrepared(first)
    expect(waiting.byteLength).toBe(204)
    waiting.appendText(0x81, 'x')
    waiting.appendPrepared(second)
    expect(waiting.byteLength).toBe(204 + 3 + 5)
    waiting.appendText(0x81, 'y')
    waiting.appendPrepared(first)
    expect(drain(waiting)).toEqual([first, 'x', second, 'y', first])
    expect(waiting.byteLength).toBe(0)
  })

  test('leave after all of the bytes before them, also if those are more than is taken at once', () => {
    const waiting = new CompressionQueue()
    const message = new PreparedMessage('prepared')
    const texts = Array.from({ length: 30 }, (_, i) => String(i).repeat(5000))
    for (const text of texts) waiting.appendText(0x81, text)
    waiting.appendPrepared(message)
    waiting.appendText(0x81, 'last')
    expect(drain(waiting)).toEqual([...texts, message, 'last'])
  })
})

describe('the memory of messages that wait', () => {
  test('is shared by small ones that follow each other', () => {
    const waiting = new CompressionQueue()
    for (let i = 0; i < 200; i++) waiting.appendText(0x81, 'x')
    const memories = new Set<ArrayBufferLike>()
    for (let one = waiting.next(); one !== null; one = waiting.next()) {
      memories.add((one as WaitingFrame).payload.buffer)
    }
    expect(memories.size).toBe(1)
  })
})

describe('who waits until messages are frames of the output', () => {
  test('is told once, in order, when all messages before the mark were removed', () => {
    const waiting = new CompressionQueue()
    const told: string[] = []
    const mark = (name: string): void => waiting.mark(() => told.push(name))
    waiting.reachMarks()
    mark('nothing')
    waiting.appendText(0x81, 'a')
    mark('a')
    mark('a again')
    waiting.appendPrepared(new PreparedMessage('b'))
    mark('b')
    waiting.reachMarks()
    expect(told).toEqual(['nothing'])
    waiting.next()
    waiting.reachMarks()
    waiting.reachMarks()
    expect(told).toEqual(['nothing', 'a', 'a again'])
    waiting.next()
    waiting.reachMarks()
    waiting.reachMarks()
    expect(told).toEqual(['nothing', 'a', 'a again', 'b'])
    mark('later')
    waiting.reachMarks()
    expect(told.slice(4)).toEqual(['later'])
  })
})
