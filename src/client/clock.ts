/** Time and chance. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number
  /** The time of day in milliseconds, as `Date.now`. */
  wallNow(): number
  random(): number
  setTimer(callback: () => void, delayMs: number): unknown
  clearTimer(timer: unknown): void
}

export const REAL_CLOCK: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  random: () => Math.random(),
  setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimer: (timer) => {
    clearTimeout(timer as NodeJS.Timeout)
  },
}
