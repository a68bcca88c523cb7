import fc from 'fast-check'
import { PreparedMessage } from '../../../src/index.js'
import { keepMessage, Outbox } from '../../../src/client/outbox.js'

describe('keepMessage', () => {
  it('copies bytes and counts the bytes of text', () => {
    const bytes = new Uint8Array([1, 2])
    const kept = keepMessage(bytes, undefined)
    bytes[0] = 9
    expect(kept.data).toEqual(Buffer.from([1, 2]))
    expect(keepMessage('é', { compress: false })).toEqual({
      data: 'é',
      options: { compress: false },
      byteLength: 2,
    })
    expect(keepMessage(new PreparedMessage('abc'), undefined).byteLength).toBe(3)
  })

  it('refuses what is neither text nor bytes', () => {
    expect(() => keepMessage(5 as never, undefined)).toThrow(
      new TypeError('data must be a string, a Uint8Array, an ArrayBuffer or a view of one, not 5'),
    )
  })
})

describe('Outbox', () => {
  it('is emptied message by message in a time that grows with their number, not with its square', async () => {
    const outbox = new Outbox({ maxMessages: Infinity, maxBytes: Infinity })
    const one = keepMessage('x', undefined)
    const count = 400_000
    for (let i = 0; i < count; i++) outbox.push(one)
    for (let i = 0; i < count; i++) outbox.shift()
    // With a copy for each message this took more than the time of a test.
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect([outbox.size, outbox.byteLength, outbox.first]).toEqual([0, 0, undefined])
  })

  const lengths = fc.array(fc.nat(20), { maxLength: 20 })
  const message = (length: number) => keepMessage('x'.repeat(length), undefined)

  it('never holds more than its bounds, keeps the order, and counts its bytes', () => {
    const step = fc.oneof(
      fc.nat(20).map((length) => ['push', length] as const),
      fc.constant(['shift'] as const),
      lengths.map((list) => ['unshift', list] as const),
    )
    const bounds = fc.record({
      maxMessages: fc.integer({ min: 1, max: 8 }),
      maxBytes: fc.integer({ min: 1, max: 60 }),
    })
    fc.assert(
      fc.property(bounds, fc.array(step), (limits, steps) => {
        const outbox = new Outbox(limits)
        let model: ReturnType<typeof message>[] = []
        for (const [what, value] of steps) {
          if (what === 'push') {
            const one = message(value)
            const total = model.reduce((sum, { byteLength }) => sum + byteLength, one.byteLength)
            const fits = model.length < limits.maxMessages && total <= limits.maxBytes
            expect(outbox.push(one)).toBe(fits)
            if (fits) model.push(one)
          } else if (what === 'shift') {
            outbox.shift()
            model.shift()
          } else {
            const list = value.map(message)
            const lost = outbox.unshift(list)
            model = [...list.slice(lost), ...model]
          }
          expect(outbox.size).toBe(model.length)
          expect(outbox.first).toBe(model[0])
          expect(outbox.byteLength).toBe(model.reduce((sum, { byteLength }) => sum + byteLength, 0))
          expect(outbox.size).toBeLessThanOrEqual(limits.maxMessages)
          expect(outbox.byteLength).toBeLessThanOrEqual(limits.maxBytes)
        }
        expect(outbox.takeAll()).toEqual(model)
        expect([outbox.size, outbox.byteLength]).toEqual([0, 0])
      }),
    )
  })
})
