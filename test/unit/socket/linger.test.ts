/** How long a rejected peer is waited for, and how the response to it is given to its stream. */
import { Duplex } from 'node:stream'
import { Linger, writeAndEnd } from '../../../src/socket/handshake-io.js'
import { MemoryDuplex, nextTurn } from '../../helpers/memory-duplex.js'

const STEP = 16 * 1024
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Looks so often with the same answer of the system. @returns what each look said */
const looks = (linger: Linger, count: number, taken: number, hasLeft: boolean): boolean[] =>
  Array.from({ length: count }, () => linger.goesOn(taken, hasLeft))

describe('a rejected peer', () => {
  it('that has had all of the response from the start is not waited for after the first look', () => {
    expect(looks(new Linger(true), 1, 100, true)).toEqual([false])
  })

  it('that has all of the response since the last look is waited for once more', () => {
    const linger = new Linger(false)
    expect(looks(linger, 2, 0, false)).toEqual([true, true])
    expect(looks(linger, 2, 100, true)).toEqual([true, false])
  })

  it('that takes nothing is waited for up to the sixth look', () => {
    expect(looks(new Linger(false), 6, 0, false)).toEqual([true, true, true, true, true, false])
  })

  it('is seen to read by 16 KiB, and by no less', () => {
    const linger = new Linger(false)
    expect(looks(linger, 5, STEP - 1, false)).not.toContain(false)
    expect(looks(linger, 1, STEP, false)).toEqual([true])
    // Five further looks without 16 KiB more, and the sixth is the last.
    expect(looks(linger, 6, 2 * STEP - 1, false)).toEqual([true, true, true, true, true, false])
  })

  it('that reads steadily is cut at the sixtieth look', () => {
    const linger = new Linger(false)
    const said = Array.from({ length: 60 }, (_, i) => linger.goesOn((i + 1) * STEP, false))
    expect(said.indexOf(false)).toBe(59)
  })
})

/** A stream that counts what it is told, and whose writes are done by hand. */
class HandStream extends Duplex {
  readonly writes: number[] = []
  readonly dones: ((error?: Error) => void)[] = []
  destroyCount = 0
  finalCount = 0
  /** How often it was asked whether all has left. */
  lookCount = 0

  constructor(allowHalfOpen: boolean) {
    super({ allowHalfOpen })
    Object.defineProperty(this, 'writableFinished', {
      get: () => {
        this.lookCount++
        return this.finalCount > 0
      },
    })
  }

  override destroy(error?: Error): this {
    this.destroyCount++
    return super.destroy(error)
  }

  override _read(): void {
    // The peer sends nothing.
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error) => void): void {
    this.writes.push(chunk.length)
    this.dones.push(done)
  }

  override _final(done: () => void): void {
    this.finalCount++
    done()
  }
}

describe('writeAndEnd', () => {
  it('gives a response in parts of 16 KiB, each once the one before it is taken', async () => {
    const stream = new HandStream(true)
    writeAndEnd(stream, Buffer.alloc(2 * STEP + 1))
    const seen = [[...stream.writes]]
    for (let i = 0; i < 3; i++) {
      stream.dones[i]?.()
      await nextTurn()
      seen.push([...stream.writes])
    }
    expect(seen).toEqual([[STEP], [STEP, STEP], [STEP, STEP, 1], [STEP, STEP, 1]])
    expect(stream.finalCount).toBe(1)
    stream.destroy()
  })

  it('gives a response of two whole parts in two, the second with the end', async () => {
    const stream = new HandStream(true)
    writeAndEnd(stream, Buffer.alloc(2 * STEP))
    expect(stream.writableEnded).toBe(false)
    stream.dones[0]?.()
    await nextTurn()
    expect([stream.writes, stream.writableEnded]).toEqual([[STEP, STEP], true])
    stream.destroy()
  })

  it('gives all of it at once to a stream that ends with its peer', () => {
    const stream = new HandStream(false)
    writeAndEnd(stream, Buffer.alloc(2 * STEP + 1))
    expect([stream.writes, stream.writableEnded]).toEqual([[2 * STEP + 1], true])
    stream.destroy()
  })

  it('gives nothing more to a stream that is destroyed or has failed meanwhile', async () => {
    for (const error of [undefined, new Error('EPIPE')]) {
      const stream = new HandStream(true)
      writeAndEnd(stream, Buffer.alloc(2 * STEP))
      if (error === undefined) stream.destroy()
      stream.dones[0]?.(error)
      await nextTurn()
      expect([stream.writes, stream.writableEnded]).toEqual([[STEP], false])
    }
  })

  it('cuts a peer that has all of it and does not end its side', async () => {
    const stream = new MemoryDuplex()
    writeAndEnd(stream, Buffer.from('rejected'), 20)
    await nextTurn()
    expect(stream.destroyed).toBe(false)
    await new Promise((resolve) => stream.once('close', resolve))
    expect(stream.writableFinished).toBe(true)
  })

  it.each([
    [STEP, 1],
    [STEP + 1, 2],
  ])(
    'waits once more for a peer that had not all of the response at once: %i bytes',
    async (length, looks) => {
      const stream = new HandStream(true)
      writeAndEnd(stream, Buffer.alloc(length), 20)
      for (let i = 0; i < looks; i++) {
        stream.dones[i]?.()
        await nextTurn()
      }
      expect([stream.finalCount, stream.destroyed]).toEqual([1, false])
      await new Promise((resolve) => stream.once('close', resolve))
      expect(stream.lookCount).toBe(looks)
    },
  )

  it('looks no more once the stream is closed, and never keeps the process alive', async () => {
    const before = timers()
    const stream = new HandStream(true)
    writeAndEnd(stream, Buffer.from('rejected'), 5)
    expect(timers()).toBe(before)
    stream.destroy()
    await wait(50)
    expect([stream.lookCount, stream.destroyCount]).toEqual([0, 1])
  })

  it('never looks at a stream that is destroyed before', async () => {
    const stream = new HandStream(true)
    stream.destroy()
    await nextTurn()
    writeAndEnd(stream, Buffer.from('rejected'), 5)
    await wait(50)
    expect([stream.lookCount, stream.writes.length]).toEqual([0, 0])
  })
})
