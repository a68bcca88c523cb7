import { constants, createInflateRaw, deflateRawSync } from 'node:zlib'
import { ZlibHandle } from '../../../src/native/zlib-handle.js'
import { primeHandle, readWindow } from '../../../src/deflate/inflate-window.js'
import { expectBytes, json, noise } from './codec-pair.js'

const scratch = Buffer.alloc(64 * 1024)

const open = (windowBits = 15): ZlibHandle => new ZlibHandle(createInflateRaw({ windowBits, chunkSize: 64 }))

/** Runs a message through a handle, as far as it goes in one write. */
function inflate(handle: ZlibHandle, payload: Uint8Array): Buffer {
  handle.write(constants.Z_SYNC_FLUSH, payload, 0, payload.length, scratch, 0, scratch.length)
  const output = Buffer.from(scratch.subarray(0, scratch.length - handle.outputLeft))
  handle.outputBytes += output.length
  return output
}

/** A message that refers to a dictionary before it. */
const deflateAfter = (dictionary: Buffer, message: Buffer): Buffer =>
  deflateRawSync(message, { dictionary, finishFlush: constants.Z_SYNC_FLUSH })

describe('the window of an inflater (RFC 1951 section 3.2)', () => {
  test.each([
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 24, 25, 32, 33, 48, 49, 64, 65, 96, 97, 128, 129, 192],
    ...[193, 255, 256, 257, 258, 259, 384, 385, 512, 513, 515, 516, 517, 768, 769, 1024, 1025, 1536, 1537],
    ...[2048, 2049, 3072, 3073, 4096, 4097, 6144, 6145, 8192, 8193, 12_288, 12_289, 16_384, 16_385],
    ...[24_576, 24_577, 32_510, 32_511, 32_767, 32_768],
  ])('gives back the %d bytes that were put in', (length) => {
    const handle = open()
    const history = noise(length, length)
    primeHandle(handle, history, scratch)
    expect(handle.outputBytes).toBe(length)
    expectBytes(readWindow(handle, 32_768, scratch), history)
    expect(handle.error).toBeNull()
    handle.close()
  })

  test('gives its end where less is wanted, and all where there is less', () => {
    const handle = open()
    const history = noise(5000)
    primeHandle(handle, history, scratch)
    expectBytes(readWindow(handle, 700, scratch), history.subarray(-700))
    primeHandle(handle, history.subarray(0, 300), scratch)
    expectBytes(readWindow(handle, 700, scratch), history.subarray(0, 300))
    handle.close()
  })

  test('is empty after a reset, and after nothing was put in', () => {
    const handle = open()
    primeHandle(handle, noise(100), scratch)
    handle.reset()
    expect(readWindow(handle, 100, scratch)).toHaveLength(0)
    primeHandle(handle, noise(100), scratch)
    primeHandle(handle, new Uint8Array(0), scratch)
    expect(readWindow(handle, 100, scratch)).toHaveLength(0)
    handle.close()
  })

  test.each([
    ['after a final block', [0x01, 0x00, 0x00, 0xff, 0xff]],
    ['in the lengths of a stored block', [0x00]],
  ])('is empty %s, and what lay in the scratch does not get into it', (_where, octets) => {
    const handle = open()
    primeHandle(handle, noise(100), scratch)
    inflate(handle, Buffer.from(octets))
    scratch.fill('what another connection sent')
    expect(readWindow(handle, 100, scratch)).toHaveLength(0)
    handle.close()
  })

  test.each([8, 9, 12, 15])(
    'of 2^%d bytes moves from one handle to another, message after message',
    (bits) => {
      const window = 1 << bits
      let handle = open(bits)
      let sent = Buffer.alloc(0)
      for (let i = 0; i < 30; i++) {
        const message = json(20 + ((i * 997) % 5000), i % 4)
        // What zlib's deflate may refer to stays 262 bytes below its window: the whole of it is within this one.
        const dictionary = sent.subarray(-Math.max(1, window - 262))
        const payload =
          i === 0 ? deflateRawSync(message, { finishFlush: 2 }) : deflateAfter(dictionary, message)
        expectBytes(inflate(handle, payload), message)
        sent = Buffer.concat([sent, message]).subarray(-window)
        const history = readWindow(handle, window, scratch)
        expectBytes(history, sent)
        if (i % 3 === 0) {
          handle.close()
          handle = open(bits)
        }
        primeHandle(handle, history, scratch)
      }
      handle.close()
    },
  )

  test('is a copy: what is put in or taken out may change after', () => {
    const handle = open()
    const history = noise(100)
    const before = Buffer.from(history)
    primeHandle(handle, history, scratch)
    history.fill(0)
    const first = readWindow(handle, 100, scratch)
    scratch.fill(1)
    expectBytes(first, before)
    expect(first.buffer.byteLength).toBe(100)
    handle.close()
  })
})
