import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { evaluate } from './evaluate.js'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hawser-test-'))
})

afterEach(() => {
  rmSync(dir, { recursive: true })
})

describe('the load generator', () => {
  test('sends a masked frame (RFC 6455 section 5.2)', () => {
    expect(evaluate('frames.mjs', "return subject.makeFrame(1, Buffer.from('Hello')).toString('hex')")).toBe(
      '8185' + '12345678' + '5a513a147d',
    )
  })

  test('writes a file of counts, offsets and batches of messages', () => {
    const file = join(dir, 'batches')
    evaluate(
      'frames.mjs',
      "subject.writeBatches(input, { bytes: 3, inFlight: 2, type: 'binary', fragmentBytes: 2 }); return null",
      file,
    )
    const bytes = readFileSync(file)
    const message = '0282' + '12345678' + '7356' + '8081' + '12345678' + '71'
    expect(bytes.readUInt32LE(0)).toBe(1)
    expect(bytes.readUInt32LE(4)).toBe(2)
    expect([bytes.readBigUInt64LE(8), bytes.readBigUInt64LE(16)]).toEqual([0n, 30n])
    expect(bytes.subarray(24).toString('hex')).toBe(message + message)
  })

  test('compares the first reply as it is, inflated or unmasked, and accepts nothing else', () => {
    expect(
      evaluate(
        'frames.mjs',
        `
          const { deflateRawSync, constants } = await import('node:zlib')
          const payloads = [[Buffer.from('first')], [Buffer.from('again and again and again')]]
          const small = deflateRawSync(payloads[1][0], { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
          const dump = (batch, first, payload) => Buffer.concat([Buffer.from([batch, 0, first]), payload])
          return [
            [dump(0, 0x81, payloads[0][0]), {}],
            [dump(1, 0xc1, small), {}],
            [dump(0, 0x81, subject.makeFrame(1, payloads[0][0]).subarray(6)), { masked: true }],
            [dump(1, 0x81, payloads[0][0]), {}],
            [Buffer.from([0, 0]), {}],
          ].map(([bytes, options]) => {
            try {
              subject.checkReply(bytes, payloads, options)
              return 'ok'
            } catch (error) {
              return error.message
            }
          })
        `,
      ),
    ).toEqual(['ok', 'ok', 'ok', 'a reply that is not what was sent', 'no whole reply came'])
  })

  test('makes the same varied JSON in each run, and no two messages alike', () => {
    const [first, again, other] = evaluate(
      'frames.mjs',
      "return [1, 1, 2].map((seed) => subject.makeJson(128, seed).toString('latin1'))",
    ) as string[]
    expect(first).toHaveLength(128)
    expect(again).toBe(first)
    expect(other).not.toBe(first)
  })
})
