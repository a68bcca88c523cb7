import { JobQueue } from '../../../src/deflate/job-queue.js'
import { sharedDeflateOf } from '../../../src/deflate/shared-deflate.js'
import { bytes, ENGINES, expectBytes, json, noise } from './codec-pair.js'
import { inflateRawSync } from 'node:zlib'

const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }

const inflate = (payload: Uint8Array): Buffer =>
  inflateRawSync(
    Buffer.concat([payload, Buffer.from([0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff])]),
  )

describe.each(ENGINES)('the compressor that all share, by %s', (_, engine) => {
  test('is the same for the same shape, and another for any other', () => {
    const jobs = new JobQueue(1)
    const shared = sharedDeflateOf(engine, SHAPE, jobs)
    expect(sharedDeflateOf(engine, { ...SHAPE }, jobs)).toBe(shared)
    for (const other of [{ windowBits: 14 }, { level: 1 }, { memLevel: 7 }]) {
      expect(sharedDeflateOf(engine, { ...SHAPE, ...other }, jobs)).not.toBe(shared)
    }
    for (const [name, another] of ENGINES) {
      if (name !== _) expect(sharedDeflateOf(another, SHAPE, jobs)).not.toBe(shared)
    }
  })

  test('gives on the thread pool what it gives at once: the message by itself', async () => {
    const shared = sharedDeflateOf(engine, { ...SHAPE, memLevel: 5 }, new JobQueue(1))
    const message = json(50_000)
    const atOnce = bytes(shared.deflate(message))
    const later = await new Promise<Uint8Array | null>((resolve) => shared.deflateAsync(message, resolve))
    expectBytes(inflate(atOnce), message)
    expectBytes(inflate(later!), message)
    await expect(new Promise((resolve) => shared.deflateAsync(noise(2000), resolve))).resolves.toBeNull()
  })

  test('calls nobody for a job that was cancelled, and frees its place when the work has ended', async () => {
    const jobs = new JobQueue(1)
    const shared = sharedDeflateOf(engine, { ...SHAPE, memLevel: jobsLevel() }, jobs)
    const done = jest.fn()
    const cancel = shared.deflateAsync(json(500_000), done)
    const cancelWaiting = shared.deflateAsync(json(1000), done)
    const last = new Promise((resolve) => shared.deflateAsync(json(1000), resolve))
    cancel()
    cancelWaiting()
    expect([jobs.running, jobs.waiting]).toEqual([1, 1])
    await expect(last).resolves.toBeInstanceOf(Uint8Array)
    expect(done).not.toHaveBeenCalled()
    expect([jobs.running, jobs.waiting]).toEqual([0, 0])
    cancel()
  })
})

/** A shape that no other test uses: a shape keeps the queue that it was first asked for with. */
let level = 1
function jobsLevel(): number {
  return level++
}
