import { Waiters } from '../../../src/socket/waiters.js'

describe('Waiters', () => {
  test('resolve in order, one at a time or all at once', async () => {
    const waiters = new Waiters<number>()
    const first = waiters.wait()
    const second = waiters.wait()
    const third = waiters.wait()
    expect(waiters.resolveFirst(1)).toBe(true)
    waiters.resolveAll(2)
    await expect(Promise.all([first, second, third])).resolves.toEqual([1, 2, 2])
    expect(waiters.resolveFirst(3)).toBe(false)
    expect(waiters.size).toBe(0)
  })

  test('reject all', async () => {
    const waiters = new Waiters<number>()
    const both = [waiters.wait(), waiters.wait({ timeoutMs: 1000, signal: new AbortController().signal })]
    waiters.rejectAll(new Error('over'))
    for (const one of both) await expect(one).rejects.toThrow('over')
    expect(waiters.size).toBe(0)
  })

  test('keep nothing of one that times out, and the next gets the value', async () => {
    const waiters = new Waiters<string>()
    await expect(waiters.wait({ timeoutMs: 1 })).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(waiters.size).toBe(0)
    const next = waiters.wait({ timeoutMs: Infinity })
    waiters.resolveFirst('late')
    await expect(next).resolves.toBe('late')
  })

  test('do not end at once for a timeout that is longer than a timer can be', async () => {
    const waiters = new Waiters<string>()
    const waiting = waiters.wait({ timeoutMs: 3e9 })
    await new Promise((resolve) => setTimeout(resolve, 20))
    waiters.resolveAll('in time')
    await expect(waiting).resolves.toBe('in time')
  })

  test('reject by a signal, before and during the wait', async () => {
    const waiters = new Waiters<string>()
    await expect(waiters.wait({ signal: AbortSignal.abort(new Error('no more')) })).rejects.toThrow('no more')
    const aborter = new AbortController()
    const waiting = waiters.wait({ signal: aborter.signal })
    aborter.abort()
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    expect(waiters.size).toBe(0)
  })

  test.each([
    [{ timeoutMs: -1 }, RangeError, 'timeoutMs must be a number from 0 to Infinity, not -1'],
    [{ timeoutMs: '5' }, TypeError, 'timeoutMs must be a number from 0 to Infinity, not "5"'],
    [{ signal: {} }, TypeError, 'signal must be an AbortSignal, not an object'],
  ])('refuse %j with name and value', (options, type, message) => {
    expect(() => new Waiters().wait(options as never)).toThrow(type)
    expect(() => new Waiters().wait(options as never)).toThrow(message)
  })
})
