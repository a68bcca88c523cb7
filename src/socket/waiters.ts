import { checkOptionNames, number, optionalSignal, type Advice, type Checks } from '../check.js'
import { offAbort, onAbort } from './abort-listeners.js'

/** For calls that wait. */
export interface WaitOptions {
  /** Ends the wait: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Ends the wait after so many milliseconds, with a `TimeoutError`. Default: never. */
  readonly timeoutMs?: number | undefined
}

/** What a timer of Node holds; more would overflow to 1 ms. */
const MAX_TIMER_MS = 0x7fff_ffff

/** The text of a `TimeoutError`. */
export const timeoutText = (timeoutMs: number): string => `it took longer than ${String(timeoutMs)} ms`

/** Calls back with a `TimeoutError`, after what was received while the event loop was blocked has been read. */
export function startTimeout(timeoutMs: number, expired: (error: DOMException) => void): NodeJS.Timeout {
  return setTimeout(
    () => {
      setImmediate(() => {
        expired(new DOMException(timeoutText(timeoutMs), 'TimeoutError'))
      })
    },
    Math.min(timeoutMs, MAX_TIMER_MS),
  )
}

export const WAIT_CHECKS = {
  signal: optionalSignal,
  timeoutMs: number({ min: 0, integer: false }, undefined),
} satisfies Checks<WaitOptions>

const ADVICE = { callback: 'there is no callback; the call returns a promise' } satisfies Advice

/**
 * Has nobody hear of a rejection where nobody waits. That a connection ended is told by its handlers, and must not end the process as
 * an unhandled rejection; who waits gets it all the same.
 */
export function unheard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

interface Waiter<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

/** @throws TypeError or RangeError with the option's name, value and range */
export function checkWaitOptions(options: WaitOptions): void {
  checkOptionNames('options', options, WAIT_CHECKS, ADVICE)
  WAIT_CHECKS.signal('signal', options.signal)
  WAIT_CHECKS.timeoutMs('timeoutMs', options.timeoutMs)
}

/**
 * Promises that wait for the same thing, first come first served. One that gives up leaves nothing behind. Each may have a
 * key that says what it waits for.
 */
export class Waiters<T, Key extends object = object> {
  private readonly waiting = new Map<object, Waiter<T>>()

  get size(): number {
    return this.waiting.size
  }

  wait(options: WaitOptions = {}, key?: Key): Promise<T> {
    checkWaitOptions(options)
    return this.join(options, key)
  }

  /** As {@link wait}, with options that were checked. */
  join(options: WaitOptions, key?: Key): Promise<T> {
    const { signal, timeoutMs = Infinity } = options
    let resolve!: (value: T) => void
    let reject!: (error: unknown) => void
    const promise = new Promise<T>((...both) => {
      ;[resolve, reject] = both
    })
    if (signal?.aborted === true) {
      reject(signal.reason as Error)
      return promise
    }
    let timer: NodeJS.Timeout | undefined
    const settle = (): void => {
      this.waiting.delete(key ?? waiter)
      clearTimeout(timer)
      if (signal !== undefined) offAbort(signal, abort)
    }
    const abort = (): void => {
      settle()
      reject(signal?.reason as Error)
    }
    const waiter: Waiter<T> = {
      promise,
      resolve: (value) => {
        settle()
        resolve(value)
      },
      reject: (error) => {
        settle()
        reject(error)
      },
    }
    this.waiting.set(key ?? waiter, waiter)
    if (signal !== undefined) onAbort(signal, abort)
    if (timeoutMs !== Infinity) timer = startTimeout(timeoutMs, waiter.reject)
    return promise
  }

  /** @returns false: nobody waits */
  resolveFirst(value: T): boolean {
    for (const waiter of this.waiting.values()) {
      waiter.resolve(value)
      return true
    }
    return false
  }

  /** Resolves the first promises, up to the first whose key does not pass. All of them have keys. */
  resolveWhile(passes: (key: Key) => boolean, value: T): void {
    for (const [key, waiter] of this.waiting) {
      if (!passes(key as Key)) return
      waiter.resolve(value)
    }
  }

  /** Rejects the promise with this key, if there is one. */
  reject(key: Key, error: unknown): void {
    this.waiting.get(key)?.reject(error)
  }

  resolveAll(value: T): void {
    for (const waiter of [...this.waiting.values()]) waiter.resolve(value)
  }

  /** @param isUnheard see {@link unheard} */
  rejectAll(error: Error, isUnheard = false): void {
    for (const waiter of [...this.waiting.values()]) {
      if (isUnheard) void unheard(waiter.promise)
      waiter.reject(error)
    }
  }
}
