/**
 * Recovery of missed messages: what is published to a group is kept and numbered, and a member that was away gets what it missed,
 * or is told that it is gone. `hawser/recovery`; the option `recovery` of servers and clients turns it on.
 */
export { memoryHistory, type MemoryHistoryOptions } from './memory-history.js'
export type { RecoveryOptions } from './options.js'
export type { RecoverableGroups } from './group-names.js'
export type { RecoveryStats } from './recovery.js'
export type { HistoryLimits, HistoryPage, HistoryStore, KeptMessage, Position } from './history.js'
export type { ClientRecoveryOptions } from './client-options.js'
export type { GroupPosition, PublishedMessage, RecoveryEvent } from './client-positions.js'
