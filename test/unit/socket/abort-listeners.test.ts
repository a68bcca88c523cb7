import { getEventListeners } from 'node:events'
import { offAbort, onAbort } from '../../../src/socket/abort-listeners.js'

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

describe('onAbort and offAbort', () => {
  it('call back everyone who waits, in order, by one listener, which is gone afterwards', () => {
    const aborter = new AbortController()
    const called: number[] = []
    for (let i = 0; i < 20; i++) onAbort(aborter.signal, () => called.push(i))
    expect(listeners(aborter.signal)).toBe(1)
    aborter.abort()
    expect(called).toEqual([...Array(20).keys()])
    expect(listeners(aborter.signal)).toBe(0)
  })

  it('leave nothing on the signal after the last callback is taken back, and begin anew', () => {
    const aborter = new AbortController()
    const called: string[] = []
    const first = (): void => void called.push('first')
    const second = (): void => void called.push('second')
    onAbort(aborter.signal, first)
    onAbort(aborter.signal, second)
    offAbort(aborter.signal, first)
    offAbort(aborter.signal, first)
    expect(listeners(aborter.signal)).toBe(1)
    offAbort(aborter.signal, second)
    expect(listeners(aborter.signal)).toBe(0)
    onAbort(aborter.signal, second)
    aborter.abort()
    expect(called).toEqual(['second'])
  })

  it('do not call one that another takes back, nor one that comes after the abort', () => {
    const aborter = new AbortController()
    const called: string[] = []
    const second = (): void => void called.push('second')
    onAbort(aborter.signal, () => {
      called.push('first')
      offAbort(aborter.signal, second)
      onAbort(aborter.signal, () => called.push('late'))
    })
    onAbort(aborter.signal, second)
    aborter.abort()
    expect(called).toEqual(['first'])
  })

  it('take back nothing where nobody waits', () => {
    const { signal } = new AbortController()
    expect(() => {
      offAbort(signal, () => undefined)
    }).not.toThrow()
    expect(listeners(signal)).toBe(0)
  })
})
