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

  test('keeps the context of a client that says so, also when the batches begin again', () => {
    const file = join(dir, 'batches')
    const workload = { bytes: 1500, inFlight: 2, type: 'text', deflate: true, clientContext: true }
    const result = evaluate(
      'frames.mjs',
      `
        const { readFileSync } = await import('node:fs')
        const { createInflateRaw } = await import('node:zlib')
        const { file, workload } = input
        const payloads = subject.writeBatches(file, workload)
        const alone = subject.makePayloads({ ...workload, clientContext: false })
        const bytes = readFileSync(file)
        const count = bytes.readUInt32LE(0)
        const data = bytes.subarray(8 + 8 * (count + 1))
        const batch = (index) => {
          const [from, to] = [0, 1].map((more) => Number(bytes.readBigUInt64LE(8 + 8 * (index + more))))
          return data.subarray(from, to)
        }
        const mask = [0x12, 0x34, 0x56, 0x78]
        const messages = (one) => {
          const found = []
          for (let at = 0; at < one.length; ) {
            const short = one[at + 1] & 0x7f
            const length = short === 126 ? one.readUInt16BE(at + 2) : short
            const start = at + (short === 126 ? 8 : 6)
            found.push(Buffer.from(one.subarray(start, start + length).map((byte, i) => byte ^ mask[i & 3])))
            at = start + length
          }
          return found
        }
        const loop = subject.loopOf(workload)
        const order = Array.from({ length: count + 2 * (count - loop) }, (_, i) => (i < count ? i : loop + ((i - count) % (count - loop))))
        const inflate = createInflateRaw()
        const wrong = []
        for (const index of order) {
          for (const [at, message] of messages(batch(index)).entries()) {
            inflate.write(Buffer.concat([message, Buffer.from([0, 0, 0xff, 0xff])]))
            await new Promise((resolve) => inflate.flush(resolve))
            const out = inflate.read()
            if (!out?.equals(payloads[index][at])) wrong.push(index)
          }
        }
        const size = (list) => list.reduce((sum, one) => sum + one.length, 0)
        return {
          wrong,
          count,
          loop,
          isSmaller: size([batch(count - 1)]) < size([batch(0)]),
          isDoubled: payloads.length === 2 * alone.length,
          without: subject.loopOf({ deflate: true }) ?? null,
        }
      `,
      { file, workload },
    )
    expect(result).toEqual({
      wrong: [],
      count: 128,
      loop: 64,
      isSmaller: true,
      isDoubled: true,
      without: null,
    })
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
