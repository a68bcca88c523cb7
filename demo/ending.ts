/** npm forwards a Ctrl+C that the terminal has sent to every process already: both signals are one request. */
const SAME_REQUEST_MS = 300

/** The signals that ask the command to end. */
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** What happens at the first and at the second request to end. */
export interface Ending {
  close(signal: EndSignal): void
  cut(signal: EndSignal): void
}

/**
 * Listens for signals that ask the command to end.
 * @returns stops listening
 */
export function endOnSignals(
  process: NodeJS.EventEmitter,
  signals: readonly EndSignal[],
  ending: Ending,
): () => void {
  let firstAt: number | null = null
  const listeners = signals.map((signal) => {
    const listener = (): void => {
      const now = performance.now()
      if (firstAt === null) {
        firstAt = now
        ending.close(signal)
      } else if (now - firstAt > SAME_REQUEST_MS) {
        ending.cut(signal)
      }
    }
    process.on(signal, listener)
    return [signal, listener] as const
  })
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener)
  }
}
