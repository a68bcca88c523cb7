import { LimitError, ProtocolError } from '../../../src/errors.js'
import { HandleEngine } from '../../../src/deflate/zlib-codec-kept.js'
import { bytes, expectBytes, json } from './codec-pair.js'

const SHAPE = { windowBits: 15, level: 6, memLevel: 8 }

describe('the engine on kept handles', () => {
  const engine = new HandleEngine()

  test('has one shared compressor for each shape', () => {
    expect(engine.sharedDeflater(SHAPE)).toBe(engine.sharedDeflater({ ...SHAPE }))
    for (const other of [{ windowBits: 14 }, { level: 1 }, { memLevel: 7 }]) {
      expect(engine.sharedDeflater({ ...SHAPE, ...other })).not.toBe(engine.sharedDeflater(SHAPE))
    }
  })

  test('gives small results as views of shared memory, large ones as the receiver’s own', () => {
    const deflater = engine.sharedDeflater(SHAPE)
    const [one, two] = [json(1000, 1), json(1000, 2)]
    const first = deflater.deflate(one, false)!
    const copy = Buffer.from(first)
    expect(deflater.deflate(two, false)!.buffer).toBe(first.buffer)
    expectBytes(engine.sharedInflater.inflate(copy, 1000), one)

    const large = bytes(deflater.deflate(Buffer.alloc(100_000, 'abc'), false))
    const inflated = engine.sharedInflater.inflate(large, 100_000) as Uint8Array
    engine.sharedInflater.inflate(copy, 1000)
    expectBytes(inflated, Buffer.alloc(100_000, 'abc'))
  })

  test('a truncated stored block is found out, also where the tail would fill it exactly', () => {
    // RFC 1951 section 3.2.4: LEN 9, and five octets of it.
    const cut = Buffer.from([0x00, 0x09, 0x00, 0xf6, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f])
    const kept = engine.createInflater(15)
    for (const inflater of [engine.sharedInflater, kept]) {
      expect(inflater.inflate(cut, 1000)).toBeInstanceOf(ProtocolError)
    }
    kept.close()
  })

  test('a pending output larger than a chunk is taken in full before the tail', () => {
    const inflater = engine.createInflater(15)
    for (const length of [65_535, 65_536, 65_537, 131_072, 262_144, 1_000_000]) {
      const message = Buffer.alloc(length, 'x')
      const payload = bytes(engine.sharedDeflater(SHAPE).deflate(message, false))
      expectBytes(inflater.inflate(payload, length), message)
      expect(inflater.inflate(payload, length - 1)).toBeInstanceOf(LimitError)
    }
    inflater.close()
  })

  test('shared handles can be closed, as all others', () => {
    const own = new HandleEngine()
    own.sharedInflater.close()
    expect(() => own.sharedInflater.inflate(Buffer.of(0), 1)).toThrow('this zlib handle is closed')
  })
})
