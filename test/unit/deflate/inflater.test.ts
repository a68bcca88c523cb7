import zlib, { constants, deflateRawSync } from 'node:zlib'
import { ProtocolError, LimitError } from '../../../src/errors.js'
import { Deflater } from '../../../src/deflate/deflater.js'
import { inflateLater } from '../../../src/deflate/inflate-job.js'
import { Inflater, inflaterBytes, SharedInflater } from '../../../src/deflate/inflater.js'
import { NO_HISTORY } from '../../../src/deflate/inflate-window.js'
import { bytes, expectBytes, json, WAYS } from './codec-pair.js'

const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }
const FINAL_HELLO = Buffer.from([0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])

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

  test.each([
    [100, 103, 'HAWSER_MESSAGE_TOO_BIG'],
    [100, 105, 'HAWSER_INVALID_DEFLATE'],
  ])('counts what stands before a final block: %d bytes after five, limit %d', (length, maxBytes, code) => {
    const message = Buffer.concat([FINAL_HELLO, invalidAfter(length)])
    for (const usesHandle of [true, false]) {
      const result = new SharedInflater(usesHandle).inflate(message, maxBytes, NO_HISTORY)
      expect(result).toMatchObject({ code })
    }
  })

  test('fails as too big where nothing at all is allowed', () => {
    for (const usesHandle of [true, false]) {
      const result = new SharedInflater(usesHandle).inflate(invalidAfter(300), 0, NO_HISTORY)
      expect(result).toMatchObject({ code: 'HAWSER_MESSAGE_TOO_BIG' })
    }
  })
})

describe.each(WAYS)('a message by itself, by %s', (_, usesHandle) => {
  const inflater = new SharedInflater(usesHandle)

  test('leaves the next one nothing to refer to after an error', () => {
    const history = json(500)
    bytes(inflater.inflate(Buffer.of(0x00), 1000, history))
    expect(inflater.reachBytes).toBe(500)
    expect(inflater.inflate(Buffer.of(0xff), 1000, history)).toBeInstanceOf(ProtocolError)
    expect(inflater.reachBytes).toBe(0)
  })

  test('that breaks off after a final block says so', () => {
    expect(inflater.inflate(FINAL_HELLO, 1000, NO_HISTORY)).toMatchObject({
      code: 'HAWSER_INVALID_DEFLATE',
      message: expect.stringMatching(/: it breaks off$/) as string,
    })
  })

  test('that does not inflate has the words of zlib', () => {
    expect(inflater.inflate(Buffer.of(0xff), 1000, NO_HISTORY)).toMatchObject({
      code: 'HAWSER_INVALID_DEFLATE',
      message: expect.stringMatching(/: invalid block type$/) as string,
    })
  })

  test('is refused where a stored block lacks all of its bytes', () => {
    for (let missing = 1; missing <= 16; missing++) {
      const message = Buffer.of(0x00, missing, 0x00, missing ^ 0xff, 0xff)
      expect([missing, inflater.inflate(message, 1000, NO_HISTORY)]).toMatchObject([
        missing,
        { code: 'HAWSER_INVALID_DEFLATE' },
      ])
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
    const small = bytes(deflater.deflate(json(10_000), false))
    const [before, after] = [1, 2].map(() => shared.inflate(small, 10_000, NO_HISTORY) as Uint8Array)
    expect(after!.buffer).toBe(before!.buffer)

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

  test('of a small window refuse a reference that reaches further back', () => {
    const before = json(1000)
    const after = (reach: number): Buffer =>
      deflateRawSync(before.subarray(-reach, -reach + 40), {
        dictionary: before.subarray(-reach),
        finishFlush: constants.Z_SYNC_FLUSH,
      }).subarray(0, -4)
    for (const windowBits of [9, 15]) {
      const lent = new Inflater(windowBits)
      const first = bytes(new Deflater({ ...SHAPE, windowBits: 9 }, false).deflate(before, false))
      expectBytes(lent.inflate(first, 1000), before)
      expectBytes(lent.inflate(after(400), 1000), before.subarray(-400, -360))
      lent.prime(before)
      if (windowBits === 9) expect(lent.inflate(after(900), 1000)).toBeInstanceOf(ProtocolError)
      else expectBytes(lent.inflate(after(900), 1000), before.subarray(-900, -860))
      lent.close()
    }
  })

  test('are reckoned at their window and 14 KiB', () => {
    expect([8, 9, 15].map(inflaterBytes)).toEqual([14_592, 14_848, 47_104])
  })

  test('throw once they are closed, and do not end the process', () => {
    const own = new Inflater(15)
    own.close()
    expect(() => own.inflate(Buffer.of(0), 1)).toThrow('this zlib handle is closed')
    expect(() => own.prime(Buffer.of(0))).toThrow('this zlib handle is closed')
  })
})

describe('decompression by documented calls', () => {
  test.each([0, 1, 3, 4, 7, 8, 500])('takes one call for a whole message of %d bytes', (length) => {
    const message = json(length)
    const payload = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
    const call = jest.spyOn(zlib, 'inflateRawSync')
    try {
      expectBytes(new SharedInflater(false).inflate(payload, 1000, NO_HISTORY), message)
      expect(call).toHaveBeenCalledTimes(1)
    } finally {
      call.mockRestore()
    }
  })

  test('never makes more than the limit and a mark, however much a message would inflate to', () => {
    const bomb = deflateRawSync(Buffer.alloc(5_000_000), { finishFlush: constants.Z_SYNC_FLUSH })
    const call = jest.spyOn(zlib, 'inflateRawSync')
    try {
      const result = new SharedInflater(false).inflate(bomb.subarray(0, -4), 1000, NO_HISTORY)
      expect(result).toMatchObject({ code: 'HAWSER_MESSAGE_TOO_BIG', limit: 1000, actual: 1001 })
      expect(call.mock.results.map(({ type }) => type)).toEqual(['throw'])
    } finally {
      call.mockRestore()
    }
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
