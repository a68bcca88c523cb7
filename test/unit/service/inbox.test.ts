import fc from 'fast-check'
import { resolveLimits, SERVER_LIMITS } from '../../../src/limits.js'
import { Inbox } from '../../../src/service/inbox.js'

describe('Inbox', () => {
  test('is full by the number of messages, and has room again at half of it', () => {
    const inbox = new Inbox(resolveLimits({ maxQueuedMessages: 4 }, SERVER_LIMITS))
    for (const text of ['a', 'b', 'c']) inbox.push(text)
    expect(inbox.isFull).toBe(false)
    inbox.push('d')
    expect(inbox.isFull).toBe(true)
    expect(inbox.shift()).toBe('a')
    expect(inbox.hasRoom).toBe(false)
    expect(inbox.shift()).toBe('b')
    expect(inbox.hasRoom).toBe(true)
    expect(inbox.length).toBe(2)
  })

  test('is full by bytes, an overhead for each message counted', () => {
    const inbox = new Inbox(resolveLimits({ maxQueuedBytes: 1000 }, SERVER_LIMITS))
    inbox.push(Buffer.alloc(900))
    expect(inbox.isFull).toBe(false)
    inbox.push('')
    expect(inbox.isFull).toBe(true)
    inbox.clear()
    expect(inbox.length).toBe(0)
    expect(inbox.isFull).toBe(false)
    expect(inbox.shift()).toBeUndefined()
  })

  test('is a queue, whatever the order of pushes and shifts', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constant(null)), { maxLength: 200 }), (steps) => {
        const inbox = new Inbox(SERVER_LIMITS)
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

  test('one that never runs empty keeps nothing of what was taken', () => {
    const inbox = new Inbox(SERVER_LIMITS)
    inbox.push('x')
    for (let i = 0; i < 100_000; i++) {
      inbox.push(String(i))
      inbox.shift()
    }
    expect(inbox.length).toBe(1)
    expect((inbox as unknown as { messages: unknown[] }).messages.length).toBeLessThan(4)
  })
})
