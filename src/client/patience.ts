import { checkWaitOptions, timeoutText, type WaitOptions } from '../socket/waiters.js'

/**
 * Runs a call that waits several times, within one time and until one signal.
 * @param run gets a function that returns the options of its next wait
 * @throws TypeError or RangeError for wrong options; the signal's reason; a `TimeoutError`; what `run` throws
 */
export async function waitWithin<T>(
  options: WaitOptions,
  run: (within: () => WaitOptions) => Promise<T>,
): Promise<T> {
  checkWaitOptions(options)
  const { signal, timeoutMs = Infinity } = options
  signal?.throwIfAborted()
  if (timeoutMs === Infinity) return run(() => options)
  const endsAt = performance.now() + timeoutMs
  let leftMs = timeoutMs
  const within = (): WaitOptions => {
    leftMs = Math.max(0, endsAt - performance.now())
    return { signal, timeoutMs: leftMs }
  }
  try {
    return await run(within)
  } catch (error) {
    const isTimeout = error instanceof DOMException && error.message === timeoutText(leftMs)
    // The caller knows its own time, not what was left of it.
    throw isTimeout ? new DOMException(timeoutText(timeoutMs), 'TimeoutError') : error
  }
}
