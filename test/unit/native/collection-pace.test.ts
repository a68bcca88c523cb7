/** V8 collects the young heap often enough to free the buffers of messages, where they count against the limit of its heap. */
import {
  CollectionPace,
  countsBuffers,
  EACH_BYTES,
  LOOK_BYTES,
  MAX_YOUNG_BYTES,
  OBJECT_BYTES,
  youngBytes,
} from '../../../src/native/collection-pace.js'
import { Programs } from '../../helpers/child.js'

const KIB = 1024
const MIB = 1024 * KIB

/** A pace beside a young heap of a known size, and how many objects it made. */
function paceBeside(young: number): { pace: CollectionPace; made: () => number; looks: () => number } {
  let made = 0
  let looks = 0
  const pace = new CollectionPace(
    () => {
      looks++
      return young
    },
    () => made++,
  )
  return { pace, made: () => made, looks: () => looks }
}

function countAll(pace: CollectionPace, bytes: number, each: number): void {
  for (let counted = 0; counted < bytes; counted += each) pace.count(each)
}

describe('the objects beside buffers', () => {
  test.each([
    [512 * KIB, KIB],
    [MIB, 64],
    [MIB, 2000],
    [MIB, 64 * KIB],
    [4 * MIB, 16 * KIB],
    [8 * MIB, MIB],
    [12 * MIB, 4 * KIB],
  ])('a young heap of %i bytes is filled once for 12 MiB of buffers of %i bytes', (young, each) => {
    const { pace, made } = paceBeside(young)
    countAll(pace, 10 * EACH_BYTES, each)
    const filled = (made() * OBJECT_BYTES) / young
    expect(filled).toBeGreaterThan(9.8)
    expect(filled).toBeLessThan(10.2)
  })

  test.each([16 * MIB, MAX_YOUNG_BYTES])(
    'beside a young heap of %i bytes they are no more bytes than the buffers',
    (young) => {
      const { pace, made } = paceBeside(young)
      countAll(pace, 64 * MIB, 64 * KIB)
      expect(made() * OBJECT_BYTES).toBeLessThanOrEqual(64 * MIB)
      expect(made() * OBJECT_BYTES).toBeGreaterThan(63 * MIB)
    },
  )

  test('a buffer of 1 GiB gets no more than the one collection that is enough', () => {
    const { pace, made } = paceBeside(MIB)
    pace.count(1024 * MIB)
    expect(made() * OBJECT_BYTES).toBeLessThanOrEqual(MIB)
    expect(made() * OBJECT_BYTES).toBeGreaterThan(0.9 * MIB)
  })

  test('the size of the young heap is read again after 16 MiB', () => {
    const { pace, looks } = paceBeside(MIB)
    pace.count(KIB)
    expect(looks()).toBe(1)
    countAll(pace, 11 * LOOK_BYTES, 64 * KIB)
    expect(looks()).toBe(11)
  })

  test.each([0, MAX_YOUNG_BYTES + 1, 128 * MIB])('a young heap of %i bytes gets next to none', (young) => {
    const { pace, made, looks } = paceBeside(young)
    countAll(pace, 10 * LOOK_BYTES, 64 * KIB)
    expect(made()).toBeLessThanOrEqual(10)
    // It may become another one.
    expect(looks()).toBeGreaterThanOrEqual(9)
  })

  test('few buffers get none', () => {
    const { pace, made } = paceBeside(MIB)
    countAll(pace, 256 * KIB, KIB)
    pace.count(0)
    expect(made()).toBe(0)
  })

  test('the size of the young heap is that of V8', () => {
    expect(youngBytes()).toBeGreaterThanOrEqual(512 * KIB)
    expect(youngBytes()).toBeLessThanOrEqual(128 * MIB)
  })
})

test.each([
  [{ node: '20.20.2', v8: '11.3.244.8-node.38' }, false],
  [{ node: '22.23.5', v8: '12.4.254.21-node.33' }, false],
  [{ node: '24.22.3', v8: '13.6.233.17-node.36' }, true],
  [{ node: '26.12.1', v8: '14.6.202.33-node.20' }, true],
  [{ node: '24.3.0', v8: '13.6.233.10-node.18', bun: '1.4.5' }, false],
  [{ node: '24.12.0', v8: '14.2.231.9-rusty', deno: '2.9.6' }, false],
  [{ node: '20.20.2' }, false],
  [{ node: '20.20.2', v8: 'unknown' }, false],
])('of %o it is %s that buffers count against the heap', (versions, expected) => {
  expect(countsBuffers(versions)).toBe(expected)
})

describe('in a process', () => {
  const programs = new Programs()
  afterAll(() => programs.remove())

  /** Makes 1 GiB of buffers that nobody holds, in turns as messages come, and counts the collections. */
  const program = (setting: string): string => `
    process.env.HAWSER_NATIVE = ${JSON.stringify(setting)}
    const { PerformanceObserver, constants } = await import('node:perf_hooks')
    const { messageBuffer, ownBuffer } = await import('./src/frame/buffer-pool.js')
    const counts = {}
    new PerformanceObserver((list) => {
      for (const { detail } of list.getEntries()) counts[detail.kind] = (counts[detail.kind] ?? 0) + 1
    }).observe({ entryTypes: ['gc'] })
    for (let turn = 0; turn < 1024; turn++) {
      for (let i = 0; i < 8; i++) (i % 2 === 0 ? messageBuffer : ownBuffer)(128 * 1024)
      await new Promise((resolve) => setImmediate(resolve))
    }
    console.log('short ' + (counts[constants.NODE_PERFORMANCE_GC_MINOR] ?? 0))
    console.log('full ' + (counts[constants.NODE_PERFORMANCE_GC_MAJOR] ?? 0))`

  const collectionsWith = async (setting: 'on' | 'off'): Promise<{ short: number; full: number }> => {
    const run = programs.run(program(setting))
    const short = Number(await run.value('short'))
    const full = Number(await run.value('full'))
    await run.ended
    return { short, full }
  }

  test('buffers that nobody holds are freed by short collections, where V8 needs it, and else nothing is different', async () => {
    const on = await collectionsWith('on')
    const off = await collectionsWith('off')
    if (countsBuffers(process.versions)) {
      expect(off.full).toBeGreaterThan(10)
      expect(on.full).toBeLessThan(off.full / 4)
      expect(on.short).toBeGreaterThan(50)
    } else {
      expect(Math.abs(on.short - off.short)).toBeLessThanOrEqual(off.short / 4 + 4)
    }
  })
})
