/** How many final blocks a message may have (RFC 7692 sections 7.2.1 and 7.2.3.4): each makes zlib start anew. */
import type { DecodeResult } from '../../../src/extension/message-codec.js'
import { inflateLater } from '../../../src/deflate/inflate-job.js'
import { NO_HISTORY } from '../../../src/deflate/inflate-window.js'
import { Inflater, SharedInflater } from '../../../src/deflate/inflater.js'
import { bytes } from './codec-pair.js'

const MAX = 1000
/** RFC 1951 section 3.2.3: a final block of fixed codes that holds nothing but its end. */
const EMPTY_FINAL = Buffer.from([0x03, 0x00])
const HELLO = Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])

const after = (blocks: number): Buffer => Buffer.concat([Buffer.alloc(2 * blocks, EMPTY_FINAL), HELLO])

const WAYS: readonly [string, (message: Uint8Array) => DecodeResult | Promise<DecodeResult>][] = [
  [
    'by a handle that is lent',
    (message) => {
      const inflater = new Inflater(15)
      const result = inflater.inflate(message, MAX)
      inflater.close()
      return result
    },
  ],
  ['by the handle that all share', (message) => new SharedInflater(true).inflate(message, MAX, NO_HISTORY)],
  ['by documented calls', (message) => new SharedInflater(false).inflate(message, MAX, NO_HISTORY)],
  [
    'on the thread pool',
    (message) => new Promise((resolve) => inflateLater(message, MAX, NO_HISTORY, resolve)),
  ],
]

describe.each(WAYS)('a message with many final blocks, %s', (_, inflate) => {
  test('is inflated where it has 1024', async () => {
    expect(bytes(await inflate(after(1024))).toString()).toBe('Hello')
  })

  test('is refused where it has more, and the error says how many are allowed', async () => {
    expect(await inflate(after(1025))).toMatchObject({
      code: 'HAWSER_INVALID_DEFLATE',
      message: expect.stringMatching(/: more than 1024 final blocks$/) as string,
    })
  })
})
