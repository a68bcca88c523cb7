import { WriteQueue } from '../../../src/connection/write-queue.js'
import {
  TO_COMPRESS_BIT,
  CompressionQueue,
  type WaitingFrame,
} from '../../../src/connection/compression-queue.js'

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
