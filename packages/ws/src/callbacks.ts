/** The callbacks of what is sent: called after the code that runs now, all in one turn. */

/** Called once, after the call: with null when the system or the stream took the message, else with the error. */
export type SendCallback = (error?: Error | null) => void

/** Callbacks that are due, of all connections: one `nextTick` for all. */
let due: { readonly callback: SendCallback; readonly error: Error | null }[] = []

/** Calls all that are due. What one of them throws is thrown, and the others are called all the same. */
export function callDue(): void {
  const calls = due
  due = []
  let next = 0
  try {
    for (const { callback, error } of calls) {
      next++
      callback(error)
    }
  } finally {
    for (const { callback, error } of calls.slice(next)) callLater(callback, error)
  }
}

/** Calls back after the code that runs now. */
export function callLater(callback: SendCallback, error: Error | null): void {
  due.push({ callback, error })
  if (due.length === 1) process.nextTick(callDue)
}

/** What was given as a callback; undefined: it is none. */
export const callbackOf = (given: unknown): SendCallback | undefined =>
  typeof given === 'function' ? (given as SendCallback) : undefined
