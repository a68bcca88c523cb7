import type { HistoryLimits } from '../recovery/history.js'

/** The part of the server's time after which a store gives up: what it says then is heard. */
const PART_OF_SERVER = 0.8

/**
 * How long a call waits for the answer of the broker, in milliseconds.
 * @param timeoutMs the store's own limit
 */
export const answerMs = (timeoutMs: number, { timeoutMs: serverMs = Infinity }: HistoryLimits): number =>
  Math.min(timeoutMs, serverMs * PART_OF_SERVER)
