import { getEventListeners } from 'node:events'
import { startTimeout, Waiters, type WaitOptions } from '../../../src/socket/waiters.js'

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

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
    await expect(waiters.wait({ timeoutMs: 0.5 })).rejects.toMatchObject({ name: 'TimeoutError' })
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

  test('resolve by their keys, up to the first that does not pass', async () => {
    const waiters = new Waiters<string, { at: number }>()
    const settled: string[] = []
    for (const at of [1, 2, 3, 1])
      void waiters.wait({}, { at }).then((value) => settled.push(`${at} ${value}`))
    waiters.resolveWhile(({ at }) => at <= 2, 'taken')
    await Promise.resolve()
    expect([settled, waiters.size]).toEqual([['1 taken', '2 taken'], 2])
    waiters.resolveWhile(() => true, 'last')
    await Promise.resolve()
    expect([settled, waiters.size]).toEqual([['1 taken', '2 taken', '3 last', '1 last'], 0])
  })

  test('reject by a key, and do nothing for one that nobody waits with', async () => {
    const waiters = new Waiters<void>()
    const [first, second] = [{}, {}]
    const one = waiters.join({}, first)
    const other = waiters.join({}, second)
    waiters.reject({}, new Error('nobody'))
    waiters.reject(second, new Error('this one'))
    await expect(other).rejects.toThrow('this one')
    expect(waiters.size).toBe(1)
    waiters.reject(second, new Error('again'))
    waiters.resolveAll()
    await expect(one).resolves.toBeUndefined()
  })

  test.each<[string, (waiters: Waiters<number>, key: object) => unknown]>([
    ['the value', (waiters) => waiters.resolveFirst(1)],
    ['all', (waiters) => waiters.resolveAll(1)],
    ['an error', (waiters, key) => waiters.reject(key, new Error('over'))],
  ])('keep neither a timer nor a listener after %s', async (_, settle) => {
    const waiters = new Waiters<number>()
    const { signal } = new AbortController()
    const before = timers()
    const key = {}
    const waiting = waiters.wait({ signal, timeoutMs: 60_000 }, key)
    expect([timers(), getEventListeners(signal, 'abort').length]).toEqual([before + 1, 1])
    settle(waiters, key)
    await waiting.catch(() => undefined)
    expect([timers(), getEventListeners(signal, 'abort').length]).toEqual([before, 0])
  })

  test('keep no timer where the signal ends the wait, and set none without a timeout', async () => {
    const waiters = new Waiters<number>()
    const before = timers()
    const aborter = new AbortController()
    const waiting = waiters.wait({ signal: aborter.signal, timeoutMs: 60_000 })
    void waiters.wait({ timeoutMs: Infinity })
    void waiters.wait()
    expect(timers()).toBe(before + 1)
    aborter.abort()
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    expect([timers(), waiters.size]).toEqual([before, 2])
    waiters.resolveAll(1)
  })

  test('begin nothing for a signal that is aborted', async () => {
    const waiters = new Waiters<number>()
    const signal = AbortSignal.abort(new Error('no more'))
    const waiting = waiters.wait({ signal, timeoutMs: 60_000 })
    expect([waiters.size, getEventListeners(signal, 'abort').length]).toEqual([0, 0])
    await expect(waiting).rejects.toThrow('no more')
  })

  test.each([
    [{ timeoutMs: -1 }, RangeError, 'timeoutMs must be a number from 0 to Infinity, not -1'],
    [{ timeoutMs: '5' }, TypeError, 'timeoutMs must be a number from 0 to Infinity, not "5"'],
    [{ signal: {} }, TypeError, 'signal must be an AbortSignal, not an object'],
    [{ timeout: 5 }, TypeError, 'options has no option "timeout"; there are signal, timeoutMs'],
    [
      () => undefined,
      TypeError,
      'options must be an object, not a function: there is no callback; the call returns a promise',
    ],
  ])('refuse %j with name and value', (options, type, message) => {
    expect(() => new Waiters().wait(options as never)).toThrow(type)
    expect(() => new Waiters().wait(options as never)).toThrow(message)
  })
})

describe('startTimeout', () => {
  it('says how long it took, after what came while the loop was blocked has been read', async () => {
    const order: string[] = []
    // Blocked: both timers are due at once, and what the first one defers comes before the timeout.
    setTimeout(() => setImmediate(() => order.push('read')), 5)
    const expired = new Promise<DOMException>((resolve) => {
      startTimeout(5, (error) => {
        order.push('expired')
        resolve(error)
      })
    })
    const until = performance.now() + 30
    while (performance.now() < until);
    const error = await expired
    expect([error.name, error.message]).toEqual(['TimeoutError', 'it took longer than 5 ms'])
    expect(order).toEqual(['read', 'expired'])
  })

  it('does not end at once for the first time that is too long for a timer', async () => {
    const waiters = new Waiters<string>()
    const options: WaitOptions = { timeoutMs: 2 ** 31 }
    let isSettled = false
    const waiting = waiters.wait(options).finally(() => {
      isSettled = true
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(isSettled).toBe(false)
    waiters.resolveAll('in time')
    await expect(waiting).resolves.toBe('in time')
  })
})
