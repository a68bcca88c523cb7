/** A compressor gives what zlib gives for its options, and nothing that is not shorter than the message. */
import { constants, deflateRawSync } from 'node:zlib'
import {
  Deflater,
  deflateLater,
  sharedDeflater,
  type DeflateParameters,
} from '../../../src/deflate/deflater.js'
import { bytes, expectBytes, json, noise, WAYS } from './codec-pair.js'
import { madeStreams } from './made-streams.js'

const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }

/** What zlib makes of a message by itself, less the tail of RFC 7692 section 7.2.1. */
const plainly = (message: Uint8Array, parameters: DeflateParameters): Buffer =>
  deflateRawSync(message, { ...parameters, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)

const later = (message: Uint8Array, parameters: DeflateParameters): Promise<Uint8Array | null> =>
  new Promise((resolve) => deflateLater(message, parameters, resolve))

/** What becomes of a message by itself: with a handle, by a documented call, and on the thread pool. */
async function eachWay(message: Uint8Array, parameters: DeflateParameters): Promise<(Buffer | null)[]> {
  const results: (Buffer | null)[] = []
  for (const [, usesHandle] of WAYS) {
    const deflater = new Deflater(parameters, usesHandle)
    const payload = deflater.deflate(message, false)
    results.push(payload === null ? null : Buffer.from(payload))
    deflater.close()
  }
  const payload = await later(message, parameters)
  return [...results, payload === null ? null : Buffer.from(payload)]
}

describe('a message by itself (RFC 7692 section 7.2.1)', () => {
  const message = Buffer.concat([json(2000, 1), json(2000, 2), json(2000, 1)])

  test.each([
    SHAPE,
    { ...SHAPE, level: 1 },
    { ...SHAPE, level: 9 },
    { ...SHAPE, windowBits: 9 },
    { ...SHAPE, windowBits: 12, level: 3 },
    { ...SHAPE, memLevel: 1 },
  ])('is compressed by window, level and memLevel as they are given: %j', async (parameters) => {
    const expected = plainly(message, parameters)
    for (const payload of await eachWay(message, parameters)) expectBytes(payload, expected)
  })

  test('of fewer bytes than the smallest chunk of zlib is compressed as well', async () => {
    const short = Buffer.from('HelloHelloHello')
    for (const payload of await eachWay(short, SHAPE)) expectBytes(payload, plainly(short, SHAPE))
  })

  test('that shrinks by one byte is sent compressed, and one that keeps its length is not', async () => {
    const found = new Map<number, Buffer>()
    for (let i = 0; found.size < 4 && i < 640; i++) {
      // Noise that does not shrink, and at its end some of it again.
      const part = noise(20 + (i >> 4), i >> 4)
      const candidate = Buffer.concat([part, part.subarray(0, i & 15)])
      const saved = candidate.length - plainly(candidate, SHAPE).length
      if (saved >= -1 && saved <= 2) found.set(saved, candidate)
    }
    expect(found.size).toBe(4)
    for (const [saved, candidate] of found) {
      const expected = saved > 0 ? plainly(candidate, SHAPE) : null
      expect([saved, ...(await eachWay(candidate, SHAPE))]).toEqual([saved, expected, expected, expected])
    }
  })
})

describe('a compressor', () => {
  test('with a handle is of no use once it is closed, and does not end the process', () => {
    const deflater = new Deflater(SHAPE, true)
    deflater.close()
    deflater.close()
    expect(() => deflater.deflate(json(100), false)).toThrow('this zlib handle is closed')
  })

  test('is made once for all messages that stand by themselves, whatever their thresholds', async () => {
    const shape = { windowBits: 11, level: 4, memLevel: 3 }
    const made = await madeStreams('createDeflateRaw', () => {
      for (let thresholdBytes = 0; thresholdBytes < 10; thresholdBytes++) {
        const shared = sharedDeflater(shape, { thresholdBytes, asyncThresholdBytes: 1000 }, true)
        expectBytes(shared.encode(json(500)), plainly(json(500), shape))
      }
    })
    expect(made.length).toBeLessThanOrEqual(1)
    expect(
      bytes(sharedDeflater(shape, { thresholdBytes: 0, asyncThresholdBytes: 0 }, true).encode(json(500))),
    ).toEqual(plainly(json(500), shape))
  })
})
