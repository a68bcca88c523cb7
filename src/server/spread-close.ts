import { ReadyState } from '../connection/ready-state.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { ServerSocketCore } from './accepted-socket.js'

/** How often there are turns, at most. */
const TURN_MS = 16
/** How often the time is looked at, at least. */
const MAX_WAIT_MS = 500
/** However late a turn is, the next connections get no more than what this time has: a blocked event loop makes no burst. */
const MAX_STEP_MS = 1_000
/** In one turn at most this number of connections, or four times the even number, is closed. */
const MIN_TURN_LIMIT = 64

/**
 * The connections of routes in the order of their turns: the oldest of each route first, and every route evenly over the whole time.
 * @param routes the connections of each, the oldest first
 */
export function orderOfTurns<C>(routes: Iterable<{ readonly size: number } & Iterable<C>>): C[] {
  const lists = [...routes].map((connections) => [...connections])
  if (lists.length === 1) return lists[0] as C[]
  return lists
    .flatMap((list) => list.map((connection, index) => ({ connection, at: (index + 0.5) / list.length })))
    .sort((a, b) => a.at - b.at)
    .map(({ connection }) => connection)
}

/** Where a spread stands, by a clock that stands still while the event loop is blocked. It reads no clock and sets no timer. */
export class Turns {
  /** How many have had their turn. */
  taken = 0
  private readonly count: number
  private from = 0
  private spreadMs: number
  private passedMs = 0
  private lastAt: number

  /** @param count how many get a turn */
  constructor(count: number, spreadMs: number, now: number) {
    this.count = count
    this.spreadMs = spreadMs
    this.lastAt = now
  }

  get isOver(): boolean {
    return this.taken === this.count
  }

  /** Milliseconds until the last turn, if nothing blocks. */
  get leftMs(): number {
    return Math.max(0, this.spreadMs - this.passedMs)
  }

  /** The rest is to be done within this time, if that is sooner. */
  hasten(spreadMs: number, now: number): void {
    this.pass(now)
    this.spreadMs = Math.min(this.leftMs, spreadMs)
    this.passedMs = 0
    this.from = this.taken
  }

  /** @returns how many get their turn now */
  take(now: number): number {
    this.pass(now)
    const rest = this.count - this.from
    // The turn of each is in the middle of its share of the time.
    const due =
      this.passedMs >= this.spreadMs ? rest : Math.floor((rest * this.passedMs) / this.spreadMs + 0.5)
    const even = this.spreadMs === 0 ? rest : Math.ceil((rest * TURN_MS) / this.spreadMs)
    const taken = Math.min(this.from + due - this.taken, Math.max(MIN_TURN_LIMIT, 4 * even))
    this.taken += taken
    return taken
  }

  /** Milliseconds until {@link take} is to be called. */
  get nextInMs(): number {
    const next = ((this.taken - this.from + 0.5) * this.spreadMs) / (this.count - this.from)
    return Math.min(Math.max(TURN_MS, next - this.passedMs), MAX_WAIT_MS)
  }

  private pass(now: number): void {
    this.passedMs += Math.min(now - this.lastAt, MAX_STEP_MS)
    this.lastAt = now
  }
}

/** Gives each connection of a server its turn to be closed, evenly over a time. */
export class SpreadClose implements Timed {
  timerSlot = -1
  /** Resolves when all have had their turn, or the spread was stopped. */
  readonly over: Promise<void>
  isOver = false
  private readonly turns: Turns
  private readonly close: (connection: ServerSocketCore) => void
  private connections: readonly ServerSocketCore[]
  private finish!: () => void

  /** @param close begins the end of a connection */
  constructor(
    connections: readonly ServerSocketCore[],
    spreadMs: number,
    close: (connection: ServerSocketCore) => void,
  ) {
    this.connections = connections
    this.close = close
    this.over = new Promise((resolve) => {
      this.finish = resolve
    })
    this.turns = new Turns(connections.length, spreadMs, monotonicNow())
    // The process lives until the last turn, also if no port is open any more.
    timerWheel.keepAlive()
    this.goOn()
  }

  /** Milliseconds until the last turn, if nothing blocks. */
  get leftMs(): number {
    return this.isOver ? 0 : this.turns.leftMs
  }

  /** How many open connections wait for their turn: of all routes, or of one. */
  countWaiting(route?: object): number {
    let count = 0
    for (let index = this.turns.taken; index < this.connections.length; index++) {
      const connection = this.connections[index] as ServerSocketCore
      if (connection.driver.connection.readyState !== ReadyState.OPEN) continue
      if (route === undefined || connection.owner === route) count++
    }
    return count
  }

  /** The rest is to be done within this time, if that is sooner. */
  hasten(spreadMs: number): void {
    if (this.isOver) return
    this.turns.hasten(spreadMs, monotonicNow())
    if (spreadMs === 0) this.stop()
    else this.goOn()
  }

  /** No further turns. */
  stop(): void {
    if (this.isOver) return
    this.isOver = true
    this.connections = []
    timerWheel.cancel(this)
    timerWheel.letGo()
    this.finish()
  }

  timeIsUp(now: number): void {
    const first = this.turns.taken
    const count = this.turns.take(now)
    for (const connection of this.connections.slice(first, first + count)) this.close(connection)
    this.goOn()
  }

  private goOn(): void {
    if (this.turns.isOver) this.stop()
    else timerWheel.schedule(this, monotonicNow() + this.turns.nextInMs)
  }
}
