import type { Position } from '../recovery/history.js'

/** Of so many groups the position is remembered. One that is forgotten is seen again at the next answer. */
const MAX_GROUPS = 20_000

/** The highest position of each group that a broker has told: one that it does not reach any more was lost. */
export class SeenPositions {
  private readonly positions = new Map<string, Position>()

  /** @returns what was seen until now. It does not change: what is seen later is not what was seen before a question */
  get(group: string): Position | undefined {
    return this.positions.get(group)
  }

  /** Takes over what an answer says: a higher offset, or another epoch. */
  see(group: string, epoch: string, offset: number): void {
    const seen = this.positions.get(group)
    if (seen?.epoch === epoch && seen.offset >= offset) return
    if (seen === undefined && this.positions.size >= MAX_GROUPS) {
      const [oldest] = this.positions.keys()
      this.positions.delete(oldest as string)
    }
    this.positions.set(group, { epoch, offset })
  }
}
