import { setImmediate as nextTurn } from 'node:timers/promises'
import { Deflater, deflateLater } from '../../../src/deflate/deflater.js'
import { inflateLater } from '../../../src/deflate/inflate-job.js'
import { JOBS } from '../../../src/deflate/jobs.js'
import { NO_HISTORY } from '../../../src/deflate/inflate-window.js'
import { bytes, json, noise } from './codec-pair.js'

const MAX = 1 << 24
const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }

/** RFC 1951 section 3.2.4: empty stored blocks, and at last what becomes one with the tail. */
const emptyBlocks = Buffer.concat([
  Buffer.alloc(5 * 400_000, Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff])),
  Buffer.of(0),
])

async function untilNothingRuns(): Promise<void> {
  while (JOBS.running > 0) await nextTurn()
}

describe('a job on the thread pool', () => {
  const large = json(300_000)
  const payload = bytes(
    new Deflater(SHAPE, false).deflate(Buffer.concat(new Array<Buffer>(10).fill(large)), false),
  )
  const finals = Buffer.concat([Buffer.alloc(200, Buffer.from([0x03, 0x00])), payload])

  test.each<[string, (done: () => void) => () => void]>([
    ['a compression', (done) => deflateLater(large, SHAPE, done)],
    ['a message that inflates to much', (done) => inflateLater(payload, MAX, NO_HISTORY, done)],
    ['one that inflates to nothing', (done) => inflateLater(emptyBlocks, MAX, NO_HISTORY, done)],
    ['one with many final blocks', (done) => inflateLater(finals, MAX, NO_HISTORY, done)],
    ['one that is corrupt', (done) => inflateLater(noise(100_000), MAX, NO_HISTORY, done)],
  ])('that is cancelled keeps its place until it has ended, and calls nobody: %s', async (_name, start) => {
    for (const turns of [0, 1, 2, 5]) {
      await untilNothingRuns()
      const done = jest.fn()
      const cancel = start(done)
      expect(JOBS.running).toBe(1)
      for (let i = 0; i < turns; i++) await nextTurn()
      const calls = done.mock.calls.length
      expect(JOBS.running).toBe(1 - calls)
      cancel()
      cancel()
      expect(JOBS.running).toBe(1 - calls)
      await untilNothingRuns()
      cancel()
      await nextTurn()
      expect([JOBS.running, done.mock.calls.length]).toEqual([0, calls])
    }
  })

  test('that is not cancelled calls done once, with what the next message may refer to', async () => {
    const done = jest.fn()
    await new Promise<void>((resolve) => {
      inflateLater(payload, MAX, NO_HISTORY, (result, reachBytes) => {
        done(bytes(result).length, reachBytes)
        resolve()
      })
    })
    await nextTurn()
    expect(done.mock.calls).toEqual([[3_000_000, 3_000_000]])
  })
})
