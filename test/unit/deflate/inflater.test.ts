import { ProtocolError, LimitError } from '../../../src/errors.js'
import { Deflater } from '../../../src/deflate/deflater.js'
import { inflateLater } from '../../../src/deflate/inflate-job.js'
import { Inflater, SharedInflater } from '../../../src/deflate/inflater.js'
import { NO_HISTORY } from '../../../src/deflate/inflate-window.js'
import { bytes, expectBytes, json } from './codec-pair.js'

const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }

/** RFC 1951 section 3.2.4: a stored block with LEN 9, and five octets of it: the four of the tail would fill it. */
const CUT = Buffer.from([0x00, 0x09, 0x00, 0xf6, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f])

describe('a message that is both too big and invalid', () => {
  /** Stored blocks, and a block of type 3, which is reserved (RFC 1951 section 3.2.3). */
  const invalidAfter = (length: number): Buffer => {
    const parts: Buffer[] = []
    for (let left = length; left > 0; left -= 65_535) {
      const part = Buffer.alloc(5 + Math.min(left, 65_535), 'x')
      part[0] = 0
      part.writeUInt16LE(part.length - 5, 1)
      part.writeUInt16LE((part.length - 5) ^ 0xffff, 3)
      parts.push(part)
    }
    return Buffer.concat([...parts, Buffer.of(0x07)])
  }

  test.each([
    [300, 100, 'HAWSER_MESSAGE_TOO_BIG'],
    [300, 298, 'HAWSER_MESSAGE_TOO_BIG'],
    [300, 300, 'HAWSER_INVALID_DEFLATE'],
    [200_000, 199_998, 'HAWSER_MESSAGE_TOO_BIG'],
    [200_000, 150_000, 'HAWSER_MESSAGE_TOO_BIG'],
    [200_000, 200_000, 'HAWSER_INVALID_DEFLATE'],
    [200_000, Infinity, 'HAWSER_INVALID_DEFLATE'],
  ])('fails by what comes first, with a handle and without: %d bytes, limit %d', (length, maxBytes, code) => {
    for (const usesHandle of [true, false]) {
      const result = new SharedInflater(usesHandle).inflate(invalidAfter(length), maxBytes, NO_HISTORY)
      expect(result).toMatchObject({ code })
    }
  })
})

describe('compression and decompression by native handles', () => {
  const shared = new SharedInflater(true)

  test('give small results as views of shared memory, large ones as the receiver’s own', () => {
    const deflater = new Deflater(SHAPE, true)
    const [one, two] = [json(1000, 1), json(1000, 2)]
    const first = deflater.deflate(one, false)!
    const copy = Buffer.from(first)
    expect(deflater.deflate(two, false)!.buffer).toBe(first.buffer)
    expectBytes(shared.inflate(copy, 1000, NO_HISTORY), one)

    const large = bytes(deflater.deflate(Buffer.alloc(100_000, 'abc'), false))
    const inflated = shared.inflate(large, 100_000, NO_HISTORY) as Uint8Array
    shared.inflate(copy, 1000, NO_HISTORY)
    expectBytes(inflated, Buffer.alloc(100_000, 'abc'))
    deflater.close()
  })

  test('find out that a stored block is truncated, also where the tail would fill it exactly', () => {
    const lent = new Inflater(15)
    expect(shared.inflate(CUT, 1000, NO_HISTORY)).toBeInstanceOf(ProtocolError)
    expect(lent.inflate(CUT, 1000)).toBeInstanceOf(ProtocolError)
    lent.close()
  })

  test('take a pending output that is larger than a chunk in full before the tail', () => {
    const inflater = new Inflater(15)
    const deflater = new Deflater(SHAPE, true)
    for (const length of [65_535, 65_536, 65_537, 131_072, 262_144, 1_000_000]) {
      const message = Buffer.alloc(length, 'x')
      const payload = bytes(deflater.deflate(message, false))
      expectBytes(inflater.inflate(payload, length), message)
      expect(inflater.inflate(payload, length - 1)).toBeInstanceOf(LimitError)
    }
    inflater.close()
    deflater.close()
  })

  test('throw once they are closed, and do not end the process', () => {
    const own = new Inflater(15)
    own.close()
    expect(() => own.inflate(Buffer.of(0), 1)).toThrow('this zlib handle is closed')
    expect(() => own.prime(Buffer.of(0))).toThrow('this zlib handle is closed')
  })
})

describe('compression by documented calls', () => {
  test('holds nothing, whatever is asked of it', () => {
    const deflater = new Deflater(SHAPE, false)
    const before = bytes(deflater.deflate(json(500), true))
    deflater.dropContext()
    deflater.close()
    expectBytes(deflater.deflate(json(500), true), before)
  })
})

describe('decompression on the thread pool', () => {
  test('finds out that a stored block is truncated, also where the tail would fill it exactly', async () => {
    const result = await new Promise((resolve) => inflateLater(CUT, 1000, NO_HISTORY, resolve))
    expect(result).toMatchObject({ code: 'HAWSER_INVALID_DEFLATE' })
  })
  test('ends once where the tail fills a truncated block beyond the limit', async () => {
    const done = jest.fn()
    await new Promise<void>((resolve) => {
      inflateLater(CUT, 5, NO_HISTORY, (result) => {
        done(result)
        resolve()
      })
    })
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(done.mock.calls).toMatchObject([[{ code: 'HAWSER_MESSAGE_TOO_BIG' }]])
  })
})
