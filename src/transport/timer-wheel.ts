/** What waits in a wheel. */
export interface Timed {
  /** The slot that this waits in; -1 for none. */
  timerSlot: number
  /** Called once, at or after the time that was asked for. */
  timeIsUp(now: number): void
}

/** How late a timer may be, at most, besides the lateness of the event loop itself. */
const SLOT_MS = 16

/** Time that the event loop lost before a deadline is given back up to this: a blocked loop does not count against a peer. */
const MAX_GRACE_MS = 1_000

/** So many are called in one turn of the event loop: thousands that fall due at once do not take the turn of others. */
const MAX_PER_TURN = 64

/** The clock of the wheel: milliseconds, monotonic. */
export const monotonicNow = (): number => performance.now()

/**
 * One timer for all connections: those whose time falls into the same 16 ms wait in one set, and the system's
 * timer is armed for the first of the sets alone. A timer for each connection cost memory and made every message
 * move it; here a connection moves only when its time came and was found to be later by then.
 */
export class TimerWheel {
  private readonly slots = new Map<number, Set<Timed>>()
  /** The numbers of the slots in use, the first to come last. */
  private order: number[] = []
  private timer: NodeJS.Timeout | null = null
  private immediate: NodeJS.Immediate | null = null
  private armedSlot = Infinity
  /** The slot that fires, or fired last. */
  private firedSlot = -1
  /**
   * All slots up to this one fire now, or have fired. Who is scheduled by then waits in a later one: who waits for a time that is past
   * is called once, and not in each of the slots that a late event loop has left.
   */
  private servedSlot = -1

  private keepers = 0

  /** From now on the wheel keeps the process alive: a caller waits for the end of a connection. */
  keepAlive(): void {
    this.keepers++
    this.timer?.ref()
  }

  /** The opposite of {@link keepAlive}, once for each call of it. */
  letGo(): void {
    this.keepers--
    if (this.keepers === 0) this.timer?.unref()
  }

  /** How many slots are in use. */
  get slotCount(): number {
    return this.order.length
  }

  /** How many wait. */
  get size(): number {
    let size = 0
    for (const slot of this.slots.values()) size += slot.size
    return size
  }

  /**
   * Waits until a time, and no longer for the one asked for before.
   * @param dueAt of {@link monotonicNow}; Infinity cancels
   */
  schedule(timed: Timed, dueAt: number): void {
    this.cancel(timed)
    if (dueAt === Infinity) return
    let number = Math.ceil(dueAt / SLOT_MS)
    if (number <= this.servedSlot) number = this.afterServed(number)
    let slot = this.slots.get(number)
    if (slot === undefined) {
      slot = new Set()
      this.slots.set(number, slot)
      this.insert(number)
    }
    slot.add(timed)
    timed.timerSlot = number
    if (number < this.armedSlot) this.arm(number)
  }

  /** The slot of a time that is past: after those that are served. */
  private afterServed(number: number): number {
    // The clock goes back where a test of the application ends its own one: what was served then says nothing.
    this.servedSlot = Math.min(this.servedSlot, Math.floor(monotonicNow() / SLOT_MS))
    return Math.max(number, this.servedSlot + 1)
  }

  /** Whether this waits already, and for no later time. */
  isDueBy(timed: Timed, at: number): boolean {
    return timed.timerSlot >= 0 && timed.timerSlot <= Math.ceil(at / SLOT_MS)
  }

  /** Waits no longer. */
  cancel(timed: Timed): void {
    if (timed.timerSlot < 0) return
    const number = timed.timerSlot
    timed.timerSlot = -1
    const slot = this.slots.get(number)
    if (slot?.delete(timed) !== true || slot.size > 0 || number === this.firedSlot) return
    this.slots.delete(number)
    this.order.splice(this.place(number), 1)
    if (this.order.length === 0) this.disarm()
  }

  private insert(number: number): void {
    this.order.splice(this.place(number), 0, number)
  }

  /** Where a slot stands in the order, or would stand. */
  private place(number: number): number {
    let low = 0
    let high = this.order.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.order[middle] as number) > number) low = middle + 1
      else high = middle
    }
    return low
  }

  private disarm(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    if (this.immediate !== null) clearImmediate(this.immediate)
    this.timer = null
    this.immediate = null
    this.armedSlot = Infinity
  }

  private arm(number: number): void {
    this.disarm()
    this.armedSlot = number
    const now = monotonicNow()
    const dueAt = Math.max(number * SLOT_MS, now)
    // setTimeout holds at most 2^31 - 1 ms; what is later is looked at then, and armed again.
    const delay = Math.min(dueAt - now, 0x7fff_ffff)
    this.timer = setTimeout(() => {
      this.wake(dueAt)
    }, delay)
    if (this.keepers === 0) this.timer.unref()
  }

  /**
   * Timers run before the event loop reads and writes. If the loop was blocked, what the peers sent and what the system took
   * meanwhile is still to be seen: the deadlines are judged after that, and after as much time as the loop lost.
   * @param dueAt when this was to be called
   */
  private wake(dueAt: number): void {
    const now = monotonicNow()
    const lateMs = now - dueAt
    // Until then nothing arms the timer anew.
    this.armedSlot = -Infinity
    if (lateMs < SLOT_MS) {
      this.fireAfterPoll(now)
      return
    }
    const graceMs = Math.min(lateMs, MAX_GRACE_MS)
    this.timer = setTimeout(() => {
      // If the loop is blocked again, what falls due meanwhile is not judged now.
      this.fireAfterPoll(now + graceMs)
    }, graceMs)
    if (this.keepers === 0) this.timer.unref()
  }

  /** @param until who is due by then is called: a block of the loop from now on makes nobody late */
  private fireAfterPoll(until: number): void {
    this.timer = null
    // Referenced: the event loop does not sleep before it.
    this.immediate = setImmediate(() => {
      this.fire(until)
    })
  }

  private fire(now: number): void {
    this.immediate = null
    this.armedSlot = Infinity
    this.servedSlot = Math.max(this.servedSlot, Math.floor(now / SLOT_MS))
    let left = MAX_PER_TURN
    try {
      for (;;) {
        const number = this.order[this.order.length - 1]
        if (number === undefined || number * SLOT_MS > now) return
        this.firedSlot = number
        const slot = this.slots.get(number) as Set<Timed>
        // Taken out one by one: who is cancelled by another's call is not called any more.
        for (const timed of slot) {
          if (left-- === 0) return
          slot.delete(timed)
          timed.timerSlot = -1
          timed.timeIsUp(now)
        }
        this.slots.delete(number)
        this.order.pop()
      }
    } finally {
      // Also when a call throws: the others wait on.
      const next = this.order[this.order.length - 1]
      // What those that were called wait for is later than the others that are due.
      if (left < 0) this.fireOn(now)
      else if (next !== undefined && next < this.armedSlot) this.arm(next)
    }
  }

  /** The others that are due are called in another turn. */
  private fireOn(until: number): void {
    // Those that were called may have armed the timer; nothing arms it anew.
    this.disarm()
    this.armedSlot = -Infinity
    this.fireAfterPoll(until)
  }
}

/** The wheel of this thread. It holds no settings, only who waits. */
export const timerWheel = new TimerWheel()
