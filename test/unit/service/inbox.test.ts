import fc from 'fast-check'
import { resolveLimits, SERVER_LIMITS } from '../../../src/limits.js'
import { Inbox } from '../../../src/service/inbox.js'

/** A source that notes what the inbox asks of it. */
class Source {
  readonly asked: string[] = []
  hold(): void {
    this.asked.push('hold')
  }
  unhold(): void {
    this.asked.push('unhold')
  }
}

describe('Inbox', () => {
  test('holds its source at its number of messages, and releases it at half of that', () => {
    const source = new Source()
    const inbox = new Inbox(resolveLimits({ maxQueuedMessages: 4 }, SERVER_LIMITS), source)
    for (const text of ['a', 'b', 'c']) inbox.push(text)
    expect(inbox.isFull).toBe(false)
    expect(source.asked).toEqual([])
    inbox.push('d')
    inbox.push('e')
    expect(inbox.isFull).toBe(true)
    expect(source.asked).toEqual(['hold'])
    expect([inbox.shift(), inbox.shift()]).toEqual(['a', 'b'])
    expect(inbox.isHolding).toBe(true)
    expect(inbox.shift()).toBe('c')
    expect(source.asked).toEqual(['hold', 'unhold'])
    expect(inbox.isHolding).toBe(false)
    expect(inbox.length).toBe(2)
  })

  test('holds its source at its number of bytes, with an overhead for each message, and releases it when it is cleared', () => {
    const source = new Source()
    const inbox = new Inbox(resolveLimits({ maxQueuedBytes: 1000 }, SERVER_LIMITS), source)
    inbox.push(Buffer.alloc(900))
    expect(inbox.isFull).toBe(false)
    inbox.push('')
    expect(inbox.isFull).toBe(true)
    inbox.clear()
    expect(source.asked).toEqual(['hold', 'unhold'])
    expect(inbox.length).toBe(0)
    expect(inbox.isFull).toBe(false)
    expect(inbox.shift()).toBeUndefined()
  })

  test('releases its source on request, and holds it again at the next message that finds it full', () => {
    const source = new Source()
    const inbox = new Inbox(resolveLimits({ maxQueuedMessages: 1 }, SERVER_LIMITS), source)
    inbox.letGo()
    expect(source.asked).toEqual([])
    inbox.push('a')
    inbox.letGo()
    inbox.push('b')
    expect(source.asked).toEqual(['hold', 'unhold', 'hold'])
  })

  test('is busy while the messages in handlers have as many bytes as may wait', () => {
    const inbox = new Inbox(resolveLimits({ maxQueuedBytes: 1000 }, SERVER_LIMITS), new Source())
    const message = 'x'.repeat(936)
    inbox.begin('')
    expect(inbox.isBusy).toBe(false)
    inbox.begin(message)
    expect(inbox.isBusy).toBe(true)
    inbox.finish(message)
    expect(inbox.isBusy).toBe(false)
  })

  test('is a queue, whatever the order of pushes and shifts', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constant(null)), { maxLength: 200 }), (steps) => {
        const inbox = new Inbox(SERVER_LIMITS, new Source())
        const model: string[] = []
        for (const step of steps) {
          if (step === null) expect(inbox.shift()).toBe(model.shift())
          else {
            inbox.push(step)
            model.push(step)
          }
          expect(inbox.length).toBe(model.length)
        }
      }),
    )
  })

  test('keeps nothing of the messages that were taken, also when it never runs empty', () => {
    const inbox = new Inbox(SERVER_LIMITS, new Source())
    inbox.push('x')
    for (let i = 0; i < 100_000; i++) {
      inbox.push(String(i))
      inbox.shift()
    }
    expect(inbox.length).toBe(1)
    expect((inbox as unknown as { messages: unknown[] }).messages.length).toBeLessThan(4)
  })
})
