import { inflateRawSync } from 'node:zlib'
import { sharedDeflater } from '../../../src/deflate/deflater.js'
import { JOBS } from '../../../src/deflate/jobs.js'
import { bytes, WAYS, expectBytes, json, noise } from './codec-pair.js'

const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }
const THRESHOLDS = { thresholdBytes: 100, asyncThresholdBytes: 1000 }

const inflate = (payload: Uint8Array): Buffer =>
  inflateRawSync(
    Buffer.concat([payload, Buffer.from([0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff])]),
  )

describe.each(WAYS)('the compressor that all share, by %s', (_, usesHandles) => {
  const shared = sharedDeflater(SHAPE, THRESHOLDS, usesHandles)

  test('is the same for the same shape and thresholds, and another for any other', () => {
    expect(sharedDeflater({ ...SHAPE }, { ...THRESHOLDS }, usesHandles)).toBe(shared)
    for (const other of [{ windowBits: 14 }, { level: 1 }, { memLevel: 7 }]) {
      expect(sharedDeflater({ ...SHAPE, ...other }, THRESHOLDS, usesHandles)).not.toBe(shared)
    }
    for (const other of [{ thresholdBytes: 99 }, { asyncThresholdBytes: 999 }]) {
      expect(sharedDeflater(SHAPE, { ...THRESHOLDS, ...other }, usesHandles)).not.toBe(shared)
    }
    expect(sharedDeflater(SHAPE, THRESHOLDS, !usesHandles)).not.toBe(shared)
  })

  test('says what is worth it and what is large by its thresholds', () => {
    expect([shared.isWorth(99), shared.isWorth(100)]).toEqual([false, true])
    expect([shared.isLarge(1000), shared.isLarge(1001)]).toEqual([false, true])
  })

  test('gives on the thread pool what it gives at once: the message by itself', async () => {
    const message = json(50_000)
    const atOnce = bytes(shared.encode(message))
    const later = await new Promise<Uint8Array | null>((resolve) => shared.encodeLater(message, resolve))
    expectBytes(inflate(atOnce), message)
    expectBytes(inflate(later!), message)
    await expect(new Promise((resolve) => shared.encodeLater(noise(2000), resolve))).resolves.toBeNull()
  })

  test('calls nobody for a job that was cancelled, and frees its place when the work has ended', async () => {
    const done = jest.fn()
    const running = Array.from({ length: 8 }, () => shared.encodeLater(json(500_000), done))
    const cancelWaiting = shared.encodeLater(json(1000), done)
    const last = new Promise((resolve) => shared.encodeLater(json(1000), resolve))
    for (const cancel of running) cancel()
    cancelWaiting()
    expect([JOBS.running, JOBS.waiting]).toEqual([8, 1])
    await expect(last).resolves.toBeInstanceOf(Uint8Array)
    while (JOBS.running > 0) await new Promise((resolve) => setImmediate(resolve))
    expect(done).not.toHaveBeenCalled()
    for (const cancel of running) cancel()
    expect([JOBS.running, JOBS.waiting]).toEqual([0, 0])
  })
})
