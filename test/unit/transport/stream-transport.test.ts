/** A transport over a stream: large writes go in slices, so that it can be seen how they move. */
import { Duplex } from 'node:stream'
import { SLICE_BYTES, StreamTransport, WHOLE_BYTES } from '../../../src/transport/stream-transport.js'

/** A stream that takes one write after the other, when it is told to. */
class Steps extends Duplex {
  readonly taken: Buffer[] = []
  private done: (() => void) | null = null

  override _read(): void {
    // Nothing is received.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.taken.push(chunk)
    this.done = done
  }

  /** The write under way is done. @returns whether there was one */
  async step(): Promise<boolean> {
    const { done } = this
    this.done = null
    done?.()
    await new Promise((resolve) => setImmediate(resolve))
    return done !== null
  }
}

describe('a large write to a stream', () => {
  const large = Buffer.from(Array.from({ length: 20 * SLICE_BYTES + 5 }, (_, i) => (i * 31) & 0xff))

  it.each<[string, (transport: StreamTransport) => boolean]>([
    ['bytes', (transport) => transport.write(large)],
    ['a header and a payload', (transport) => transport.write(large.subarray(0, 10), large.subarray(10))],
  ])('goes in slices, whose callbacks show how many bytes are left: %s', async (_, write) => {
    const stream = new Steps({ allowHalfOpen: true })
    const transport = new StreamTransport(stream)
    const left: number[] = []
    transport.setOwner({
      receive: () => undefined,
      receiveEnd: () => undefined,
      transportLost: () => undefined,
      unblock: () => left.push(transport.pendingBytes),
    })
    expect(write(transport)).toBe(false)
    expect(transport.pendingBytes).toBe(large.length)
    while (await stream.step());
    expect(Buffer.concat(stream.taken).equals(large)).toBe(true)
    for (const { length } of stream.taken) expect(length).toBeLessThanOrEqual(WHOLE_BYTES)
    expect(left.length).toBeGreaterThanOrEqual(20)
    expect(left).toEqual([...left].sort((a, b) => b - a))
    expect(left.at(-1)).toBe(0)
    transport.destroy()
  })
})

describe('a stream that fails with what is no error', () => {
  it.each([['text'], [Symbol('text')], [5]])('tells its owner an Error: %p', async (reason) => {
    const lost: (Error | undefined)[] = []
    const stream = new Steps()
    const transport = new StreamTransport(stream)
    transport.setOwner({
      receive: () => undefined,
      receiveEnd: () => undefined,
      transportLost: (error) => lost.push(error),
      unblock: () => undefined,
    })
    expect(transport.failure).toBe(null)
    stream.destroy(reason as never)
    await new Promise((resolve) => setImmediate(resolve))
    expect(lost).toEqual([new Error(String(reason)), undefined])
    expect(transport.failure).toMatchObject({ message: String(reason), cause: reason })
  })
})
