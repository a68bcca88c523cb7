import type { Position } from './history.js'
import { isEpoch, isOffset, MAX_CONTROL_LENGTH, MAX_POSITIONS, readControl } from './wire.js'

/** All positions of a client; null: more of them follow; or why they are refused. */
export type ReadPositions = Map<string, Position> | null | 'malformed' | 'over limit'

/**
 * Reads what a client sends first: `2{"positions":[[GROUP,EPOCH,OFFSET],...]}`, perhaps in several messages, all but the last of which
 * have `"more":true`. Together they are bounded as one would be.
 */
export class PositionsReader {
  private readonly maxNameLength: number
  private readonly positions = new Map<string, Position>()
  private length = 0

  /** @param maxNameLength of groups, in UTF-16 units */
  constructor(maxNameLength: number) {
    this.maxNameLength = maxNameLength
  }

  /** Reads the next message. Whatever it is given. */
  read(message: string): ReadPositions {
    this.length += message.length
    if (this.length > MAX_CONTROL_LENGTH) return 'over limit'
    const { positions: list, more } = readControl(message) ?? {}
    if (!Array.isArray(list) || (more !== undefined && more !== true)) return 'malformed'
    // A client that never ends would be read for ever.
    if (more === true && list.length === 0) return 'malformed'
    if (this.positions.size + list.length > MAX_POSITIONS) return 'over limit'
    for (const entry of list as readonly unknown[]) {
      const refusal = this.add(entry)
      if (refusal !== null) return refusal
    }
    return more === true ? null : this.positions
  }

  private add(entry: unknown): 'malformed' | 'over limit' | null {
    if (!Array.isArray(entry) || entry.length !== 3) return 'malformed'
    const [group, epoch, offset] = entry as readonly unknown[]
    if (typeof group !== 'string' || group === '' || !isOffset(offset)) return 'malformed'
    if (typeof epoch !== 'string' || epoch === '' || this.positions.has(group)) return 'malformed'
    if (group.length > this.maxNameLength || !isEpoch(epoch)) return 'over limit'
    this.positions.set(group, { epoch, offset })
    return null
  }
}
