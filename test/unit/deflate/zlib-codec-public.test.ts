import { constants, createDeflateRaw } from 'node:zlib'
import { PublicEngine } from '../../../src/deflate/zlib-codec-public.js'
import { PeerContext } from '../../../src/deflate/peer-context.js'
import { ProtocolError } from '../../../src/errors.js'
import { bytes, expectBytes, json } from './codec-pair.js'

describe('the engine by the documented calls', () => {
  const engine = new PublicEngine()

  test.each([8, 9, 12, 15])(
    'keeps a window of 2^%d of what was inflated, over any number of messages',
    async (bits) => {
      const stream = createDeflateRaw({ windowBits: Math.max(9, bits) })
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      const deflate = (message: Buffer): Promise<Buffer> =>
        new Promise((resolve) => {
          stream.write(message)
          stream.flush(constants.Z_SYNC_FLUSH, () => resolve(Buffer.concat(chunks.splice(0)).subarray(0, -4)))
        })
      const shared = { engine, pool: null, historyBytes: 0 }
      const context = new PeerContext(shared, bits)
      for (const length of [10, 100, 200, 300, 60, 5000, 40_000, 10, 33_000, 50]) {
        const message = json(length)
        expectBytes(context.inflate(await deflate(message), 100_000), message)
        expect(shared.historyBytes).toBeLessThanOrEqual(1 << bits)
      }
      expect(shared.historyBytes).toBe(1 << bits)
      context.close()
      expect(shared.historyBytes).toBe(0)
      stream.destroy()
    },
  )

  test('forgets all when it is closed', () => {
    const inflater = new PeerContext({ engine, pool: null, historyBytes: 0 }, 15)
    expect(
      bytes(inflater.inflate(Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), 10)).toString(),
    ).toBe('Hello')
    inflater.close()
    expect(inflater.inflate(Buffer.from([0xf2, 0x00, 0x11, 0x00, 0x00]), 10)).toBeInstanceOf(ProtocolError)
  })

  test('its compressors hold nothing', () => {
    const deflater = engine.createDeflater({ windowBits: 15, level: 6, memLevel: 8 })
    const before = bytes(deflater.deflate(json(500), true))
    deflater.dropContext()
    deflater.close()
    expectBytes(deflater.deflate(json(500), true), before)
  })
})
