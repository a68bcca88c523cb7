import { offAbort, onAbort } from '../socket/abort-listeners.js'
import { checkWaitOptions, startTimeout, type WaitOptions } from '../socket/waiters.js'

const FOR_EVER: WaitOptions = Object.freeze({})

/**
 * Runs a call that waits several times, within one time and until one signal.
 * @param run gets the options for each of its waits: they have a signal alone
 * @throws TypeError or RangeError for wrong options; the signal's reason; a `TimeoutError`; what `run` throws
 */
export async function waitWithin<T>(
  options: WaitOptions,
  run: (within: WaitOptions) => Promise<T>,
): Promise<T> {
  checkWaitOptions(options)
  const { signal, timeoutMs = Infinity } = options
  if (timeoutMs === Infinity) return run(signal === undefined ? FOR_EVER : { signal })
  signal?.throwIfAborted()
  const aborter = new AbortController()
  const abort = (): void => {
    aborter.abort(signal?.reason)
  }
  if (signal !== undefined) onAbort(signal, abort)
  const timer = startTimeout(timeoutMs, (error) => {
    aborter.abort(error)
  })
  try {
    return await run({ signal: aborter.signal })
  } finally {
    clearTimeout(timer)
    if (signal !== undefined) offAbort(signal, abort)
  }
}
