import { setImmediate as nextTurn } from 'node:timers/promises'
import { NO_HISTORY, type Cancel } from '../../../src/deflate/engine.js'
import { bytes, ENGINES, json, noise } from './codec-pair.js'

const MAX = 1 << 24
const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }

/** RFC 1951 section 3.2.4: empty stored blocks, and at last what becomes one with the tail. */
const emptyBlocks = Buffer.concat([
  Buffer.alloc(5 * 400_000, Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff])),
  Buffer.of(0),
])

describe.each(ENGINES)('a job on the thread pool that is cancelled, by %s', (_, engine) => {
  const payload = bytes(engine.createDeflater(SHAPE).deflate(json(3_000_000), false))
  const finals = Buffer.concat([Buffer.alloc(200, Buffer.from([0x03, 0x00])), payload])

  test.each<[string, (done: () => void) => Cancel]>([
    ['a compression', (done) => engine.deflateAsync(json(1_000_000), SHAPE, done)],
    ['a message that inflates to much', (done) => engine.inflateAsync(payload, MAX, NO_HISTORY, done)],
    ['one that inflates to nothing', (done) => engine.inflateAsync(emptyBlocks, MAX, NO_HISTORY, done)],
    ['one with many final blocks', (done) => engine.inflateAsync(finals, MAX, NO_HISTORY, done)],
    ['one that is corrupt', (done) => engine.inflateAsync(noise(100_000), MAX, NO_HISTORY, done)],
  ])('calls done once, when the work has ended: %s', async (_name, start) => {
    for (const turns of [0, 1, 2, 5]) {
      const ended: string[] = []
      let isOver = (): void => undefined
      const over = new Promise<void>((resolve) => (isOver = resolve))
      const cancel = start(() => {
        ended.push('ended')
        isOver()
      })
      for (let i = 0; i < turns; i++) await nextTurn()
      cancel()
      cancel()
      await over
      cancel()
      await nextTurn()
      expect(ended).toEqual(['ended'])
    }
  })

  test('calls done once, when it was not', async () => {
    const done = jest.fn()
    await new Promise<void>((resolve) => {
      engine.inflateAsync(payload, MAX, NO_HISTORY, (result, reachBytes) => {
        done(bytes(result).length, reachBytes)
        resolve()
      })
    })
    await nextTurn()
    expect(done.mock.calls).toEqual([[3_000_000, 3_000_000]])
  })
})
