/** What is called when a signal is aborted, and the one listener that calls it. */
interface AbortListeners {
  readonly callbacks: Set<() => void>
  readonly listener: () => void
}

const LISTENERS = new WeakMap<AbortSignal, AbortListeners>()

/**
 * Calls back when a signal is aborted. However many wait for one signal, it has a single listener of Hawser: with more than ten Node
 * warns of a leak. Like a listener it is not called for a signal that is aborted already.
 * @param callback must not throw; the same function counts once
 */
export function onAbort(signal: AbortSignal, callback: () => void): void {
  const present = LISTENERS.get(signal)
  if (present !== undefined) {
    present.callbacks.add(callback)
    return
  }
  const callbacks = new Set([callback])
  const listener = (): void => {
    // One callback may take back another.
    for (const each of [...callbacks]) if (callbacks.has(each)) each()
    LISTENERS.delete(signal)
  }
  LISTENERS.set(signal, { callbacks, listener })
  signal.addEventListener('abort', listener, { once: true })
}

/** Takes back a call of {@link onAbort}; without one it does nothing. The signal keeps nothing of Hawser after the last one. */
export function offAbort(signal: AbortSignal, callback: () => void): void {
  const present = LISTENERS.get(signal)
  if (present?.callbacks.delete(callback) !== true || present.callbacks.size > 0) return
  LISTENERS.delete(signal)
  signal.removeEventListener('abort', present.listener)
}
