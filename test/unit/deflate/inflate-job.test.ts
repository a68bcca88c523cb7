/** Decompression on the thread pool: what a job still does once nobody wants its result, and what it makes streams for. */
import type { InflateRaw } from 'node:zlib'
import { Deflater } from '../../../src/deflate/deflater.js'
import { inflateLater } from '../../../src/deflate/inflate-job.js'
import { NO_HISTORY } from '../../../src/deflate/inflate-window.js'
import { JOBS } from '../../../src/deflate/jobs.js'
import { bytes } from './codec-pair.js'
import { madeStreams } from './made-streams.js'

const MAX = 1 << 24
const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }
const CHUNK_BYTES = 64 * 1024

const untilNothingRuns = async (): Promise<void> => {
  while (JOBS.running > 0) await new Promise((resolve) => setImmediate(resolve))
}

/**
 * What a job still does that is cancelled at once.
 * @returns how many streams it made in all, what they gave, in bytes, and how often the first was written to after the cancel
 */
async function cancelled(message: Uint8Array): Promise<{ streams: number; output: number; writes: number }> {
  const done = jest.fn()
  let output = 0
  let writes = 0
  await untilNothingRuns()
  const streams = await madeStreams('createInflateRaw', async (made) => {
    const cancel = inflateLater(message, MAX, NO_HISTORY, done)
    cancel()
    const [stream] = made as [InflateRaw]
    stream.on('data', (chunk: Buffer) => (output += chunk.length))
    const write = jest.spyOn(stream, 'write')
    await untilNothingRuns()
    writes = write.mock.calls.length
  })
  expect(done).not.toHaveBeenCalled()
  return { streams: streams.length, output, writes }
}

describe('a job that is cancelled (RFC 7692 section 7.2.2)', () => {
  const large = bytes(new Deflater(SHAPE, false).deflate(Buffer.alloc(5_000_000, 'abc'), false))

  test('inflates one chunk at most', async () => {
    const { streams, output } = await cancelled(large)
    expect(streams).toBe(1)
    expect(output).toBeLessThanOrEqual(CHUNK_BYTES)
  })

  test('begins no other stream after a final block', async () => {
    const { streams, writes } = await cancelled(Buffer.concat([Buffer.from([0x03, 0x00]), large]))
    expect([streams, writes]).toEqual([1, 0])
  })

  test('does not go on to the end of a message that inflates to nothing', async () => {
    const { streams, writes } = await cancelled(Buffer.of(0x00))
    expect([streams, writes]).toEqual([1, 0])
  })
})

test('a message that is too big for its limit makes one stream, which gives no more than a chunk', async () => {
  const large = bytes(new Deflater(SHAPE, false).deflate(Buffer.alloc(5_000_000, 'abc'), false))
  let output = 0
  const streams = await madeStreams('createInflateRaw', async (made) => {
    const result = await new Promise((resolve) => {
      inflateLater(large, 1000, NO_HISTORY, resolve)
      const [stream] = made as [InflateRaw]
      stream.on('data', (chunk: Buffer) => (output += chunk.length))
    })
    expect(result).toMatchObject({ code: 'HAWSER_MESSAGE_TOO_BIG' })
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  })
  expect(streams).toHaveLength(1)
  expect(output).toBeLessThanOrEqual(CHUNK_BYTES)
})
