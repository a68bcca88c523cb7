/** V8 collects the young heap often enough to free the buffers of messages, where they count against the limit of its heap. */
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { CollectionPace, countsBuffers } from '../../../src/native/collection-pace.js'

const MIB = 1024 * 1024

/** @returns how many short collections came during a call */
async function shortCollections(step: () => void): Promise<number> {
  let count = 0
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as unknown as { detail: { kind: number } }[]) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) count++
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  step()
  // Entries come in a turn of their own.
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  observer.disconnect()
  return count
}

const countAll = (bytes: number, each: number): Promise<number> =>
  shortCollections(() => {
    const pace = new CollectionPace()
    for (let counted = 0; counted < bytes; counted += each) pace.count(each)
  })

test.each([1024, 16 * 1024, 64 * 1024, MIB, 16 * MIB])(
  'for 512 MiB of buffers of %i bytes a short collection comes after each 16 MiB, or before',
  async (each) => {
    // The first ones may come later, until the size of the young heap is looked at.
    expect(await countAll(512 * MIB, each)).toBeGreaterThanOrEqual(28)
  },
)

test('few buffers cost no object', async () => {
  expect(await countAll(16 * 1024, 1024)).toBe(0)
})

test('nothing is held: the objects are dropped at once', () => {
  const paces = Array.from({ length: 400 }, () => {
    const pace = new CollectionPace()
    pace.count(MIB)
    return pace
  })
  const held = paces.filter((pace) => Object.values(pace).some((value) => Array.isArray(value)))
  expect(held).toEqual([])
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
