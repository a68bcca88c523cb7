import { number, showKind, type Checks } from '../check.js'
import type { HistoryLimits, HistoryPage, HistoryStore, Position } from '../recovery/history.js'
import type { AppendQueueLimits } from './append-queue.js'
import { BROKER_CHECKS } from './broker-options.js'

/** The options of a history over a broker. */
export interface BrokerHistoryOptions {
  /** What the names in the broker begin with. 1 to 64 letters, digits and `_ - .`. Default `hawser`. */
  readonly prefix?: string | undefined
  /**
   * For how long an answer is waited for, in milliseconds; also for how long a message waits while the client is not connected. A
   * message whose answer did not come may be kept nevertheless. At most four fifths of what the server waits for the history, its
   * `historyTimeoutMs`. Default 5 s.
   */
  readonly timeoutMs?: number | undefined
  /** The largest message, in bytes. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /** How many bytes may wait for an answer before more is refused. Default 64 MiB. */
  readonly maxQueuedBytes?: number | undefined
  /**
   * How many bytes are read at once: a page with more has fewer messages, at least one. Default 1 MiB.
   */
  readonly maxPageBytes?: number | undefined
}

const MiB = 1024 * 1024

/** The checks of {@link BrokerHistoryOptions}. */
export const HISTORY_CHECKS = {
  prefix: BROKER_CHECKS.prefix,
  timeoutMs: number({ min: 10, max: 0x7fff_ffff, integer: false }, 5000),
  maxMessageBytes: number({ min: 1024, max: 512 * MiB, integer: true }, 16 * MiB),
  maxQueuedBytes: number({ min: 1024, integer: false }, 64 * MiB),
  maxPageBytes: number({ min: 1024, max: 512 * MiB, integer: true }, MiB),
} satisfies Checks<BrokerHistoryOptions>

/**
 * Refuses what is not an object with options, such as a client in its place.
 * @param call the function, such as `redisHistory`
 * @param option the option in which the client belongs
 * @param isBare whether a value is such a client
 * @throws TypeError that says what is expected. It shows nothing of the value, which may hold a password
 */
export function refuseBare(
  call: string,
  option: string,
  given: unknown,
  isBare: (value: unknown) => boolean,
): void {
  const isObject = typeof given === 'object' && given !== null
  if (isObject && !isBare(given)) return
  throw new TypeError(
    `${call} takes an object with its options, as ${call}({ ${option} }), not ${isObject ? `the ${option} itself` : showKind(given)}`,
  )
}

/** The options, with their defaults. */
export interface ResolvedBrokerHistoryOptions extends AppendQueueLimits {
  readonly prefix: string
  readonly maxPageBytes: number
}

/** A history over a broker. Its methods never throw: their promises reject. */
export interface BrokerHistory extends HistoryStore {
  append(group: string, data: string | Uint8Array, limits: HistoryLimits): Promise<Position>
  read(group: string, after: number, maxMessages: number, limits: HistoryLimits): Promise<HistoryPage>
  /** Waits up to 2 s for what was appended. */
  close(): Promise<void>
}
