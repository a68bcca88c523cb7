import { number, readOptions, showValue, type Check, type Checks, type Read } from '../check.js'
import { readGroups, type RecoverableGroups } from './group-names.js'
import type { HistoryStore } from './history.js'

/** The option `recovery` of a server: groups whose messages are kept, so that a member that was away gets what it missed. */
export interface RecoveryOptions {
  /** Where the messages are kept: `memoryHistory()` for one process, or a store that all processes share. */
  readonly history: HistoryStore
  /**
   * The groups to which `publish` keeps its messages: names, and patterns in which `*` stands for any text, as `'room:*'`; or a
   * function of a name, which must always give the same answer.
   */
  readonly groups: RecoverableGroups
  /** How many of the newest messages of a group are kept. Default 1000. */
  readonly maxMessages?: number | undefined
  /** For how long a message is kept, in milliseconds. Default 5 min. */
  readonly maxAgeMs?: number | undefined
  /** How often each group with members here asks the history whether a message was lost on the way, in milliseconds. Default 5 s. */
  readonly checkIntervalMs?: number | undefined
  /** How long an answer of the history is waited for, in milliseconds. Default 5 s. */
  readonly historyTimeoutMs?: number | undefined
  /** How many reads of the history may be under way at once; the others wait for their turn, `historyTimeoutMs` at most. Default 32. */
  readonly maxConcurrentReads?: number | undefined
  /**
   * The size of published messages that the history has not taken yet, in bytes, each with 256 bytes more; above it `publish`
   * rejects. Default 16 MiB.
   */
  readonly maxPendingBytes?: number | undefined
}

const METHODS = ['append', 'read'] as const
const MAX_TIMER_MS = 0x7fff_ffff
const time = { min: 1, max: MAX_TIMER_MS, integer: false } as const

const history: Check<HistoryStore> = (name, value) => {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Partial<HistoryStore>
  if (METHODS.some((method) => typeof given[method] !== 'function')) {
    const stores = 'memoryHistory(), redisHistory({ client }) or jetStreamHistory({ connection })'
    throw new TypeError(
      `${name} must be a store such as ${stores}, or an object with ${METHODS.join(' and ')}, not ${showValue(value)}`,
    )
  }
  return value as HistoryStore
}

const CHECKS = {
  history,
  groups: readGroups,
  maxMessages: number({ min: 1, integer: true }, 1000),
  maxAgeMs: number({ min: 1, integer: false }, 300_000),
  checkIntervalMs: number(time, 5_000),
  historyTimeoutMs: number(time, 5_000),
  maxConcurrentReads: number({ min: 1, integer: true }, 32),
  maxPendingBytes: number({ min: 1, integer: true }, 16 * 1024 * 1024),
} satisfies Checks<RecoveryOptions>

/** The option `recovery` of a server, checked. */
export type ResolvedRecovery = Read<typeof CHECKS>

/**
 * Checks the option `recovery` of a server.
 * @returns null: it is off
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function resolveRecovery(value: unknown): ResolvedRecovery | null {
  if (value === undefined) return null
  return readOptions('recovery', value as RecoveryOptions, CHECKS, { prefix: 'recovery.' })
}
