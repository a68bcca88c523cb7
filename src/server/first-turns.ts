/**
 * The first bytes of connections may take the event loop for this long at a time. To accept a connection takes tenths of a
 * millisecond: thousands that come together would keep all others waiting.
 */
export const MAX_TURN_MS = 5
/** At most this many bytes wait. Above it, the connections that have waited longest are taken at once. */
export const MAX_WAITING_BYTES = 4 * 1024 * 1024
/** Empty places at the head of the queue are given back when there are this many, and they are half of it. */
const MIN_EMPTY = 64

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

/**
 * Takes the first bytes of connections in the order of their arrival: in one turn of the event loop for {@link MAX_TURN_MS} when they
 * arrive, and for as long when those that wait have their turn. One that takes longer is not broken off.
 */
export class FirstTurns {
  private queue: (Waiting | undefined)[] = []
  /** How many places at the head of the queue are empty. */
  private empty = 0
  private waitingBytes = 0
  /** When the first bytes of this turn were taken; null: none were. */
  private beganAt: number | null = null
  private readonly now: () => number

  /** @param now the time in milliseconds, which never goes back */
  constructor(now = (): number => performance.now()) {
    this.now = now
  }

  /** How many connections wait. */
  get count(): number {
    return this.queue.length - this.empty
  }

  add(owner: FirstBytes, bytes: Buffer): void {
    const isFirst = this.beganAt === null
    if (isFirst) {
      this.beganAt = this.now()
      setImmediate(this.nextTurn)
    }
    if (isFirst || (this.count === 0 && this.hasTime)) {
      owner.take(bytes)
      return
    }
    if (!owner.wait()) return
    this.queue.push({ owner, bytes })
    this.waitingBytes += bytes.length
    while (this.waitingBytes > MAX_WAITING_BYTES) this.takeOldest()
  }

  /** Takes all that wait. */
  finish(): void {
    while (this.count > 0) this.takeOldest()
  }

  private get hasTime(): boolean {
    return this.now() - (this.beganAt ?? 0) < MAX_TURN_MS
  }

  private takeOldest(): void {
    const { owner, bytes } = this.queue[this.empty] as Waiting
    this.queue[this.empty++] = undefined
    this.waitingBytes -= bytes.length
    if (this.empty >= MIN_EMPTY && this.empty * 2 >= this.queue.length) {
      this.queue = this.queue.slice(this.empty)
      this.empty = 0
    }
    owner.take(bytes)
  }

  /** The connections that wait have the time of this turn, one of them in any case. New ones wait behind them. */
  private readonly nextTurn = (): void => {
    this.beganAt = this.now()
    try {
      do {
        if (this.count > 0) this.takeOldest()
      } while (this.count > 0 && this.hasTime)
    } finally {
      if (this.count > 0) setImmediate(this.nextTurn)
      else this.beganAt = null
    }
  }
}
