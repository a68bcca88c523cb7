/** What a prepared message keeps, and where it lies. */
import { inspect } from 'node:util'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  deflatedBy,
  frameOf,
  PreparedMessage,
  prepareTransient,
  SharedCompression,
  SharedFrame,
} from '../../../src/connection/prepared-message.js'
import type { SharedEncoder } from '../../../src/extension/message-codec.js'

const KIB = 1024
const SLAB = 64 * KIB
const RSV1 = 0x40

/** An encoder that makes one byte of a message: its own number. It works later where the message is long. */
class Numbering implements SharedEncoder {
  readonly number: number
  calls = 0
  cancelled = 0
  private readonly jobs: (() => void)[] = []

  constructor(number: number) {
    this.number = number
  }

  isWorth(): boolean {
    return true
  }

  isLarge(byteLength: number): boolean {
    return byteLength >= 1000
  }

  encode(): Uint8Array {
    this.calls++
    return Uint8Array.of(this.number)
  }

  encodeLater(_message: Uint8Array, done: (payload: Uint8Array | null) => void): () => void {
    this.calls++
    this.jobs.push(() => done(Uint8Array.of(this.number)))
    return () => this.cancelled++
  }

  finish(): void {
    for (const job of this.jobs.splice(0)) job()
  }
}

const payloadOf = (result: unknown): number[] => {
  const { buffer, start, end } = result as SharedFrame
  return [...buffer.subarray(start + 2, end)]
}

describe('the compressed forms of a prepared message', () => {
  test('are made once by each encoder, and differ', () => {
    const message = new PreparedMessage('message')
    const encoders = [1, 2, 3].map((number) => new Numbering(number))
    for (let round = 0; round < 3; round++) {
      for (const by of encoders) expect(payloadOf(deflatedBy(message, by, RSV1))).toEqual([by.number])
    }
    expect(encoders.map(({ calls }) => calls)).toEqual([1, 1, 1])
  })

  test('are kept for eight encoders, of which a ninth takes the place of the first', () => {
    const message = new PreparedMessage('message')
    const encoders = Array.from({ length: 9 }, (_, i) => new Numbering(i))
    const [first, second] = encoders as [Numbering, Numbering]
    for (let round = 0; round < 2; round++) {
      for (const by of encoders.slice(0, 8)) deflatedBy(message, by, RSV1)
    }
    expect(encoders.map(({ calls }) => calls)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0])
    deflatedBy(message, encoders[8]!, RSV1)
    deflatedBy(message, second, RSV1)
    deflatedBy(message, first, RSV1)
    deflatedBy(message, encoders[8]!, RSV1)
    expect([first.calls, second.calls, encoders[8]!.calls]).toEqual([2, 1, 1])
  })

  test('begin anew where all that waited for one have left, and the others stay', () => {
    const message = new PreparedMessage('x'.repeat(1000))
    const [one, other] = [new Numbering(1), new Numbering(2)]
    const waiter = { compressionEnded: jest.fn() }
    const kept = deflatedBy(message, other, RSV1) as SharedCompression
    kept.join(waiter)
    const first = deflatedBy(message, one, RSV1) as SharedCompression
    expect(deflatedBy(message, one, RSV1)).toBe(first)
    first.join(waiter)
    first.leave(waiter)
    expect([one.cancelled, other.cancelled]).toEqual([1, 0])
    const again = deflatedBy(message, one, RSV1) as SharedCompression
    expect(again).not.toBe(first)
    expect(again).toBeInstanceOf(SharedCompression)
    expect(deflatedBy(message, other, RSV1)).toBe(kept)
    expect([one.calls, other.calls]).toEqual([2, 1])
  })

  test('are frames for those who come after the end of the work', async () => {
    const message = new PreparedMessage('x'.repeat(1000))
    const by = new Numbering(7)
    const compressionEnded = jest.fn()
    ;(deflatedBy(message, by, RSV1) as SharedCompression).join({ compressionEnded })
    await nextTurn()
    by.finish()
    const frame = deflatedBy(message, by, RSV1)
    expect(frame).toBeInstanceOf(SharedFrame)
    expect(compressionEnded).toHaveBeenCalledWith(frame)
    expect(payloadOf(frame)).toEqual([7])
    expect(by.calls).toBe(1)
  })
})

describe('the slab of messages that are made for a moment', () => {
  const brief = (frameBytes: number): SharedFrame => frameOf(prepareTransient(Buffer.alloc(frameBytes - 4)))

  /** Where the slab is full after a message, once it is full up to `from` at least. */
  function fill(from: number, to: number): { buffer: Buffer; end: number } {
    for (;;) {
      const { buffer, end } = brief(2000)
      if (end >= from && end <= to) return { buffer, end }
    }
  }

  test('takes frames up to 16 KiB', () => {
    const { buffer } = fill(0, 20_000)
    expect(buffer).toHaveLength(SLAB)
    expect(brief(16 * KIB).buffer).toBe(buffer)
    expect(brief(16 * KIB + 1).buffer).toHaveLength(16 * KIB + 1)
  })

  test('is filled to its last byte, and then replaced', () => {
    const { buffer, end } = fill(SLAB - 16 * KIB + 200, SLAB - 200)
    const last = brief(SLAB - end)
    expect([last.buffer === buffer, last.end]).toEqual([true, SLAB])
    const next = brief(200)
    expect([next.buffer === buffer, next.start]).toEqual([false, 0])
  })
})

describe('a prepared message', () => {
  test('shows its length and not its bytes in a log', () => {
    expect(inspect(new PreparedMessage('secret'))).toBe('PreparedMessage { byteLength: 6 }')
  })

  test('names the argument that is neither text nor bytes', () => {
    expect(() => new PreparedMessage(5 as never)).toThrow(/^data must be a string/)
  })
})

describe('an error of a connection that waited for a shared compression', () => {
  test('says where it is from', () => {
    let finish: (frame: SharedFrame | null) => void = () => undefined
    const compression = new SharedCompression((done) => {
      finish = done
      return () => undefined
    })
    compression.join({
      compressionEnded: () => {
        throw new Error('of a connection')
      },
    })
    expect(() => finish(null)).toThrow('a connection threw after a compression')
  })
})
