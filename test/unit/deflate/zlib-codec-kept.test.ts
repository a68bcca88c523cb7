import { LimitError, ProtocolError } from '../../../src/errors.js'
import { HandleEngine } from '../../../src/deflate/zlib-codec-kept.js'
import { NO_HISTORY } from '../../../src/deflate/engine.js'
import { bytes, expectBytes, json } from './codec-pair.js'

const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }

describe('the engine on kept handles', () => {
  const engine = new HandleEngine()

  test('gives small results as views of shared memory, large ones as the receiver’s own', () => {
    const deflater = engine.createDeflater(SHAPE)
    const [one, two] = [json(1000, 1), json(1000, 2)]
    const first = deflater.deflate(one, false)!
    const copy = Buffer.from(first)
    expect(deflater.deflate(two, false)!.buffer).toBe(first.buffer)
    expectBytes(engine.inflate(copy, 1000, NO_HISTORY), one)

    const large = bytes(deflater.deflate(Buffer.alloc(100_000, 'abc'), false))
    const inflated = engine.inflate(large, 100_000, NO_HISTORY) as Uint8Array
    engine.inflate(copy, 1000, NO_HISTORY)
    expectBytes(inflated, Buffer.alloc(100_000, 'abc'))
    deflater.close()
  })

  test('a truncated stored block is found out, also where the tail would fill it exactly', () => {
    // RFC 1951 section 3.2.4: LEN 9, and five octets of it.
    const cut = Buffer.from([0x00, 0x09, 0x00, 0xf6, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f])
    const kept = engine.createInflater(15)
    expect(engine.inflate(cut, 1000, NO_HISTORY)).toBeInstanceOf(ProtocolError)
    expect(kept.inflate(cut, 1000)).toBeInstanceOf(ProtocolError)
    kept.close()
  })

  test('a pending output larger than a chunk is taken in full before the tail', () => {
    const inflater = engine.createInflater(15)
    const deflater = engine.createDeflater(SHAPE)
    for (const length of [65_535, 65_536, 65_537, 131_072, 262_144, 1_000_000]) {
      const message = Buffer.alloc(length, 'x')
      const payload = bytes(deflater.deflate(message, false))
      expectBytes(inflater.inflate(payload, length), message)
      expect(inflater.inflate(payload, length - 1)).toBeInstanceOf(LimitError)
    }
    inflater.close()
    deflater.close()
  })

  test('a decompressor that is closed throws, and does not end the process', () => {
    const own = engine.createInflater(15)
    own.close()
    expect(() => own.inflate(Buffer.of(0), 1)).toThrow('this zlib handle is closed')
    expect(() => own.prime(Buffer.of(0))).toThrow('this zlib handle is closed')
  })
})
