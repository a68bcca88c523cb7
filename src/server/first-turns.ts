/**
 * So long do the first bytes of connections have the event loop in one turn of it. To accept a connection takes tenths of a
 * millisecond: thousands that come together would keep all others waiting.
 */
export const MAX_TURN_MS = 5
/** So many bytes wait for a later turn at most. What is more is taken at once, the oldest first. */
export const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** A connection of which the first bytes were received. */
export interface FirstBytes {
  /** The bytes wait for a later turn. @returns false: the connection is over */
  wait(): boolean
  take(bytes: Buffer): void
}

interface Waiting {
  readonly owner: FirstBytes
  readonly bytes: Buffer
}

/** Takes the first bytes of connections in the order of their arrival, for at most {@link MAX_TURN_MS} in each turn of the event loop. */
export class FirstTurns {
  private readonly waiting = new Map<number, Waiting>()
  private nextKey = 0
  private waitingBytes = 0
  /** When the first bytes of this turn were taken; null: none were. */
  private beganAt: number | null = null

  /** How many connections wait. */
  get count(): number {
    return this.waiting.size
  }

  add(owner: FirstBytes, bytes: Buffer): void {
    if (this.beganAt === null) {
      this.beganAt = performance.now()
      setImmediate(this.nextTurn)
    }
    if (this.waiting.size === 0 && this.hasTime) {
      owner.take(bytes)
      return
    }
    if (!owner.wait()) return
    this.waiting.set(this.nextKey++, { owner, bytes })
    this.waitingBytes += bytes.length
    while (this.waitingBytes > MAX_WAITING_BYTES) this.takeOldest()
  }

  /** Takes all that wait. */
  finish(): void {
    while (this.waiting.size > 0) this.takeOldest()
  }

  private get hasTime(): boolean {
    return performance.now() - (this.beganAt ?? 0) < MAX_TURN_MS
  }

  private takeOldest(): void {
    for (const [key, { owner, bytes }] of this.waiting) {
      this.waiting.delete(key)
      this.waitingBytes -= bytes.length
      owner.take(bytes)
      return
    }
  }

  /** Who waits has the time of this turn. Those that come in it wait behind them. */
  private readonly nextTurn = (): void => {
    this.beganAt = performance.now()
    try {
      while (this.waiting.size > 0 && this.hasTime) this.takeOldest()
    } finally {
      if (this.waiting.size > 0) setImmediate(this.nextTurn)
      else this.beganAt = null
    }
  }
}
