import { showValue } from '../check.js'
import type { NameStore } from './backplane.js'

/** The names of this node that are claimed in the store of its backplane. */
export class ClaimedNames {
  private readonly store: NameStore
  private readonly node: string
  private readonly ttlMs: number
  /** Calls the store where nobody waits for the result: what fails is reported. */
  private readonly attempt: (call: () => unknown) => void
  /** The names, and the times of the claims. */
  private readonly times = new Map<string, number>()

  constructor(store: NameStore, node: string, ttlMs: number, attempt: (call: () => unknown) => void) {
    this.store = store
    this.node = node
    this.ttlMs = ttlMs
    this.attempt = attempt
  }

  /**
   * Claims a name for this node. Other claims may follow before the caller hears of this one: it says then with {@link keep} or
   * {@link release} which of them is that of a connection.
   * @returns the time of the claim; null: another claim has the name
   * @throws rejects if the store cannot be asked; with a TypeError if it answers neither
   */
  async claim(name: string, time: number, mayReplace: boolean): Promise<number | null> {
    const answer: unknown = await this.store.claim(name, { node: this.node, time }, mayReplace, this.ttlMs)
    if (answer === null || Number.isFinite(answer)) return answer as number | null
    throw new TypeError(
      `names.claim of a backplane must answer the time of the claim, or null if another one stands, not ${showValue(answer)}`,
    )
  }

  /** Whether a connection here has the name by a claim in the store. */
  has(name: string): boolean {
    return this.times.has(name)
  }

  /** A connection here has the name by this claim, which is kept from expiring. */
  keep(name: string, time: number): void {
    this.times.set(name, time)
  }

  /** Ends this claim, if it stands. */
  release(name: string, time: number): void {
    this.attempt(() => this.store.release(name, { node: this.node, time }))
  }

  /** The name has this claim in this process now: null if it has none. One that is not of the store ends the store's. */
  changed(name: string, time: number | null): void {
    const claimed = this.times.get(name)
    if (claimed === undefined || claimed === time) return
    this.times.delete(name)
    this.release(name, claimed)
  }

  /** Keeps the claims from expiring. */
  renew(): void {
    if (this.times.size === 0) return
    const claims = Array.from(this.times, ([name, time]) => [name, { node: this.node, time }] as const)
    this.attempt(() => this.store.renew(claims, this.ttlMs))
  }

  /** Gives all names back. */
  close(): void {
    for (const name of [...this.times.keys()]) this.changed(name, null)
  }
}
