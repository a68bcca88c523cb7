import fc from 'fast-check'
import { WriteQueue } from '../../src/connection/write-queue.js'
import { readFrames } from '../helpers/frame-builder.js'

/** What may be done to one of many queues that share a slab. */
type Action =
  | { readonly do: 'text'; readonly queue: number; readonly text: string }
  | { readonly do: 'burst'; readonly queue: number; readonly texts: readonly string[] }
  | { readonly do: 'bytes'; readonly queue: number; readonly size: number; readonly fill: number }
  | { readonly do: 'take' | 'takeAll' | 'look' | 'block' | 'unblock' | 'clear'; readonly queue: number }

const QUEUES = 6

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 3, arbitrary: fc.integer({ min: 300, max: 17_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(41, 42, 125, 126, 4096, 4097, 16_384, 65_535, 65_536, 70_000) },
)
const text = fc
  .tuple(fc.constantFrom('a', '\u00e9', '\u20ac', '\u{1f4a9}', '\ud800', 'aaaaaaa\u00e9'), size)
  .map(([unit, n]) => unit.repeat(Math.ceil(n / unit.length)))
const queue = fc.nat({ max: QUEUES - 1 })

/** Short ones, that are encoded together; now and then one that is not ASCII. */
const texts = fc
  .tuple(fc.array(fc.nat(126), { minLength: 1, maxLength: 140 }), fc.nat(600))
  .map(([lengths, odd]) => lengths.map((n, i) => (i === odd ? '\ud83d' : String.fromCharCode(n)).repeat(n)))

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('text' as const), queue, text }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('burst' as const), queue, texts }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('bytes' as const), queue, size, fill: fc.nat(255) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(...(['take', 'takeAll', 'look', 'block', 'unblock'] as const)),
      queue,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), queue }) },
)

/** A queue beside the plainest thing that does the same: a list of payloads. */
class Twin {
  readonly real: WriteQueue
  /** Sent and not yet taken, with the length on the wire. */
  private waiting: { payload: Buffer; wireLength: number }[] = []
  private readonly masked: boolean

  constructor(masked: boolean) {
    this.masked = masked
    this.real = new WriteQueue(masked)
  }

  append(payload: Buffer, doIt: (queue: WriteQueue) => void): void {
    doIt(this.real)
    const n = payload.length
    this.waiting.push({
      payload,
      wireLength: n + (n < 126 ? 2 : n < 65_536 ? 4 : 10) + (this.masked ? 4 : 0),
    })
    this.check()
  }

  take(): Buffer | null {
    const taken = this.real.take()
    if (taken === null) {
      expect(this.waiting).toHaveLength(0)
      return null
    }
    const { frames, rest } = readFrames(taken)
    expect(rest).toHaveLength(0)
    expect(frames.length).toBeGreaterThan(0)
    for (const found of frames) {
      const { payload } = this.waiting.shift()!
      if (!found.payload.equals(payload)) throw new Error('another payload')
      expect(found.key === null).toBe(!this.masked)
    }
    this.check()
    return taken
  }

  clear(): void {
    this.real.clear()
    this.waiting = []
    this.check()
  }

  /** To ask how many bytes wait ends the waiting of texts for each other: so it is not asked after each step. */
  look(): void {
    expect(this.real.byteLength).toBe(this.waitingBytes)
    expect(this.real.mostBytes).toBe(this.waitingBytes)
  }

  private check(): void {
    expect(this.real.mostBytes).toBeGreaterThanOrEqual(this.waitingBytes)
  }

  private get waitingBytes(): number {
    return this.waiting.reduce((sum, { wireLength }) => sum + wireLength, 0)
  }
}

function expectNoOverlap(buffers: readonly Buffer[]): void {
  const byMemory = new Map<ArrayBufferLike, Buffer[]>()
  for (const one of buffers) byMemory.set(one.buffer, [...(byMemory.get(one.buffer) ?? []), one])
  for (const list of byMemory.values()) {
    list.sort((a, b) => a.byteOffset - b.byteOffset)
    for (const [i, one] of list.slice(1).entries()) {
      expect(one.byteOffset).toBeGreaterThanOrEqual(list[i]!.byteOffset + list[i]!.length)
    }
  }
}

function run(actions: readonly Action[]): void {
  const twins = Array.from({ length: QUEUES }, (_, i) => new Twin(i % 2 === 1))
  const taken: { readonly bytes: Buffer; readonly copy: Buffer }[] = []
  const take = (twin: Twin): boolean => {
    const bytes = twin.take()
    if (bytes === null) return false
    taken.push({ bytes, copy: Buffer.from(bytes) })
    return true
  }
  for (const step of actions) {
    const twin = twins[step.queue]!
    switch (step.do) {
      case 'text':
        twin.append(Buffer.from(step.text), (q) => q.appendText(0x81, step.text))
        break
      case 'burst':
        for (const text of step.texts) twin.append(Buffer.from(text), (q) => q.appendText(0x81, text))
        break
      case 'look':
        twin.look()
        break
      case 'bytes': {
        const payload = Buffer.alloc(step.size, step.fill)
        twin.append(payload, (q) => q.appendBytes(0x82, payload))
        break
      }
      case 'take':
        take(twin)
        break
      case 'takeAll':
        while (take(twin));
        break
      case 'block':
      case 'unblock':
        twin.real.isBlocked = step.do === 'block'
        break
      case 'clear':
        twin.clear()
    }
  }
  for (const twin of twins) twin.look()
  for (const twin of twins) while (take(twin));
  for (const { bytes, copy } of taken) if (!bytes.equals(copy)) throw new Error('taken bytes were changed')
  expectNoOverlap(taken.map(({ bytes }) => bytes))
}

describe('the slab that all write queues share', () => {
  test('each queue gives its own frames in order and unchanged, in any interleaving', () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 120, size: 'max' }), (actions) => run(actions)),
      { numRuns: 150 },
    )
  })
})
