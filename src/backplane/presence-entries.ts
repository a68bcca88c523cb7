import type { Claim } from '../hub/remote.js'
import { MAX_ENTRIES, type GroupChange, type NameChange } from './envelope.js'

/** Claims as envelopes have them. */
export const nameChanges = (claims: Iterable<readonly [name: string, claim: Claim | null]>): NameChange[] =>
  Array.from(claims, ([name, claim]) => [name, claim?.time ?? null, claim?.closesPrevious ?? false])

/** What one envelope of changes, or of a snapshot, carries. */
export interface Entries {
  readonly names: readonly NameChange[]
  readonly groups: readonly GroupChange[]
}

/** Names and groups in parts of at most {@link MAX_ENTRIES}. */
export function splitEntries(names: readonly NameChange[], groups: readonly GroupChange[]): Entries[] {
  const parts: Entries[] = []
  for (let i = 0; i < names.length; i += MAX_ENTRIES) {
    parts.push({ names: names.slice(i, i + MAX_ENTRIES), groups: [] })
  }
  for (let i = 0; i < groups.length; i += MAX_ENTRIES) {
    parts.push({ names: [], groups: groups.slice(i, i + MAX_ENTRIES) })
  }
  return parts
}
