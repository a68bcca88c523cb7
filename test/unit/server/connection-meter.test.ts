import fc from 'fast-check'
import { ConnectionMeter } from '../../../src/server/connection-meter.js'
import { readQuotas, type QuotaOptions } from '../../../src/server/quota-options.js'

function meterOf(options: QuotaOptions, maxMessageBytes = 0): ConnectionMeter {
  const quotas = readQuotas('quotas', options)
  if (quotas === null || quotas === undefined) throw new Error('all quotas are off')
  return new ConnectionMeter(quotas.withMaxMessageBytes(maxMessageBytes))
}

/** What a message of this size has on the wire, as a connection counts it: a header has 2 bytes. */
const wire = (size: number): number => size + 2

describe('a quota of messages', () => {
  it('judges messages by their number, and no other thing', () => {
    const meter = meterOf({ messagesPerSecond: 10, messageBurst: 2 })
    expect([0, 0, 0].map((now) => meter.judgeMessage(1e9, 0, now))).toEqual([null, null, 'messages'])
    expect(meter.judgePart(1e9, false, 0)).toBeNull()
    expect(meter.judgeControlFrame(0)).toBeNull()
    expect([99, 100, 100].map((now) => meter.judgeMessage(0, 0, now))).toEqual(['messages', null, 'messages'])
  })

  it('takes a message above it as a debt where that is wanted, and has room when it is paid', () => {
    const meter = meterOf({ messagesPerSecond: 10, messageBurst: 2 })
    for (let i = 0; i < 4; i++) {
      if (meter.judgeMessage(0, 0, 0) !== null) meter.owe(0)
    }
    expect(meter.roomAt).toBe(300)
    expect(meter.judgeMessage(0, 0, 299)).toBe('messages')
    expect(meter.judgeMessage(0, 0, 300)).toBeNull()
  })

  it('describes an excess, with the number of all of them', () => {
    const meter = meterOf({ messagesPerSecond: 1.5, messageBurst: 2 })
    for (let i = 0; i < 5; i++) meter.judgeMessage(0, 0, 0)
    expect(meter.infoOf('messages')).toEqual({ quota: 'messages', perSecond: 1.5, burst: 2, excesses: 3 })
    expect(meter.errorOf('messages', 0)).toMatchObject({
      code: 'HAWSER_TOO_MANY_MESSAGES',
      closeCode: 1008,
      limit: 2,
      actual: 3,
      message: 'more messages than messagesPerSecond allows: 3 over a limit of 2',
    })
  })
})

describe('a quota of control frames', () => {
  it('judges pings and pongs by their number, and no other thing', () => {
    const meter = meterOf({ controlFramesPerSecond: 1, controlFrameBurst: 3 })
    expect([0, 0, 0, 0].map((now) => meter.judgeControlFrame(now))).toEqual([
      null,
      null,
      null,
      'controlFrames',
    ])
    expect(meter.judgeMessage(1e9, 0, 0)).toBeNull()
    meter.judgeControlFrame(0)
    expect(meter.errorOf('controlFrames', 0)).toMatchObject({
      code: 'HAWSER_TOO_MANY_CONTROL_FRAMES',
      limit: 3,
      actual: 4,
    })
    meter.owe(0)
    expect(meter.roomAt).toBe(2000)
  })
})

describe('a quota of bytes', () => {
  it('counts a message with its header', () => {
    const meter = meterOf({ bytesPerSecond: 100, byteBurst: 100 })
    expect(meter.judgeMessage(48, wire(48), 0)).toBeNull()
    expect(meter.judgeMessage(49, wire(48) + wire(49), 0)).toBe('bytes')
    expect(meter.judgeMessage(48, 2 * wire(48) + wire(49), 0)).toBeNull()
    expect(meter.judgeMessage(0, 2 * wire(48) + wire(49) + wire(0), 0)).toBe('bytes')
    expect(meter.errorOf('bytes', 0)).toMatchObject({
      code: 'HAWSER_TOO_MANY_BYTES',
      limit: 100,
      actual: 102,
    })
  })

  it('counts what a compressed message inflates to', () => {
    const meter = meterOf({ bytesPerSecond: 100, byteBurst: 1000 })
    expect(meter.judgeMessage(998, 20, 0)).toBeNull()
    expect(meter.judgeMessage(0, 22, 0)).toBe('bytes')
  })

  it('counts messages that were taken together one by one, although their bytes came with the first', () => {
    const meter = meterOf({ bytesPerSecond: 1, byteBurst: 36 })
    const total = 4 * wire(10)
    expect([1, 2, 3, 4].map(() => meter.judgeMessage(10, total, 0))).toEqual([null, null, null, 'bytes'])
    expect(meter.judgePart(total, false, 0)).toBeNull()
  })

  it('counts an unfinished message by what came of it, once', () => {
    const meter = meterOf({ bytesPerSecond: 1, byteBurst: 300 })
    expect(meter.judgePart(100, true, 0)).toBeNull()
    expect(meter.judgePart(200, true, 0)).toBeNull()
    expect(meter.judgeMessage(298, 300, 0)).toBeNull()
    expect(meter.judgePart(300, false, 0)).toBeNull()
    expect(meter.judgeMessage(0, 302, 0)).toBe('bytes')
  })

  it('counts fragments without content', () => {
    const meter = meterOf({ bytesPerSecond: 1, byteBurst: 1000 })
    const judged = []
    for (let chunk = 1; chunk <= 11; chunk++) judged.push(meter.judgePart(100 * chunk, true, 0))
    expect(judged).toEqual([...new Array<null>(10).fill(null), 'bytes'])
  })

  it('counts text by its bytes by the end of the chunk', () => {
    const meter = meterOf({ bytesPerSecond: 1, byteBurst: 1002 })
    // 100 characters of three bytes each.
    expect(meter.judgeMessage(100, 302, 0)).toBeNull()
    expect(meter.judgePart(302, false, 0)).toBeNull()
    expect(meter.judgeMessage(698, 302 + 700, 0)).toBeNull()
    expect(meter.judgePart(1002, false, 0)).toBeNull()
    expect(meter.judgeMessage(0, 1004, 0)).toBe('bytes')
    expect(meter.judgePart(1004, false, 0)).toBeNull()
  })

  it('counts nothing of a text for the message after it', () => {
    const meter = meterOf({ bytesPerSecond: 1, byteBurst: 1000 })
    // 100 characters of three bytes each, and a compressed message that inflates to 698 bytes.
    expect(meter.judgeMessage(100, 302, 0)).toBeNull()
    expect(meter.judgePart(302, false, 0)).toBeNull()
    expect(meter.judgeMessage(698, 302 + 20, 0)).toBe('bytes')
  })

  it('does not count a message that is skipped', () => {
    const meter = meterOf({ bytesPerSecond: 1, byteBurst: 100 })
    meter.skipMessage(5000, 5002)
    expect(meter.judgePart(5002, false, 0)).toBeNull()
    expect(meter.judgeMessage(98, 5002 + 100, 0)).toBeNull()
  })

  it('lets any one message pass by default, whatever the average', () => {
    const meter = meterOf({ bytesPerSecond: 1 }, 1024)
    expect(meter.judgeMessage(1024, 1026, 0)).toBeNull()
    expect(meterOf({ bytesPerSecond: 5000 }, 1024).infoOf('bytes').burst).toBe(5000)
  })

  it('counts at least all bytes of data frames, and at least all inflated ones, however they come in chunks', () => {
    const message = fc.record({
      // What it has on the wire, in fragments, and what it inflates to.
      parts: fc.array(fc.integer({ min: 2, max: 5000 }), { minLength: 1, maxLength: 6 }),
      ratio: fc.constantFrom(0, 0.3, 1, 20),
      endsChunk: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 30 }), (messages) => {
        const meter = meterOf({ bytesPerSecond: 1000, byteBurst: 1e9 })
        let received = 0
        let inflated = 0
        for (const { parts, ratio, endsChunk } of messages) {
          const [last = 2, ...before] = parts
          for (const part of before) {
            received += part
            expect(meter.judgePart(received, true, 0)).toBeNull()
          }
          received += last
          const size = Math.floor((parts.reduce((sum, part) => sum + part) - 2 * parts.length) * ratio)
          inflated += size
          expect(meter.judgeMessage(size, received, 0)).toBeNull()
          if (endsChunk) expect(meter.judgePart(received, false, 0)).toBeNull()
        }
        meter.judgePart(received, false, 0)
        // One token comes in 1 ms, so the time until the bucket is full is what was counted.
        const counted = meter.roomAt + 1e9 - 1
        expect(counted).toBeGreaterThanOrEqual(Math.max(received, inflated) - 1)
        expect(counted).toBeLessThanOrEqual(received + inflated + 2 * messages.length + 1)
      }),
    )
  })
})

it('a meter has room when each of its quotas has', () => {
  const meter = meterOf({ messagesPerSecond: 10, messageBurst: 1, bytesPerSecond: 100, byteBurst: 100 })
  expect(meter.judgeMessage(998, 1000, 0)).toBe('bytes')
  meter.owe(0)
  expect(meter.roomAt).toBe(9010)
  expect(meter.judgeMessage(0, 1002, 0)).toBe('messages')
})
