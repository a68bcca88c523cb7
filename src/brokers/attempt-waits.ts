/** Between two attempts of one call at a broker, before its deadline. */
export const FIRST_WAIT_MS = 20
const MAX_WAIT_MS = 500

/** @returns how long to wait after the next attempt: twice as long, and half a second at most */
export const longerWait = (waitMs: number): number => Math.min(waitMs * 2, MAX_WAIT_MS)
