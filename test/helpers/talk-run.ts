/** One run of a conversation (talks.ts) through a proxy that does something at one byte. */
import type { Fault, Harmful, Harmless, Sender } from './fault-flow.js'
import type { FaultLink, FaultProxy } from './fault-proxy.js'
import { Patience, type Watched } from './patience.js'
import type { NarrowLine } from './small-buffers.js'
import { End, type Talk } from './talks.js'
import type { Whole } from './talk-wire.js'

/** What happens in one run. `lateReset`: a reset after the receiver has heard everything that is whole. */
export interface Plan {
  readonly kind: Harmless | Harmful | 'lateReset' | 'hold'
  readonly from: Sender
  readonly at: readonly number[]
}

export const showPlan = (plan: Plan | null): string =>
  plan === null ? 'undisturbed' : `${plan.kind} ${plan.from} ${plan.at.join()}`

/** Longer than the handshake may take where lines stall. */
const STUCK_LOOK_MS = 10_000

/** By then the receiver, in this process, has read what passed: a reset right behind bytes is an end to libuv. */
const TURNS_TO_READ = 12

/** Whether nothing passes at the end, not even the end. */
export const isStuck = ({ kind }: Plan): boolean => kind === 'stall' || kind === 'silence'

export const otherEnd = (sender: Sender): Sender => (sender === 'client' ? 'server' : 'client')

/** What is whole in the bytes of one end. */
export type Reader = (sender: Sender, bytes: Buffer) => Whole

export class Run {
  readonly plan: Plan | null
  /** null: by hand. */
  readonly server: End | null
  readonly client: End | null
  /** Empty: all ended by itself, and in time. */
  problem = ''
  /** What is between the ends and the proxy. */
  relays: readonly NarrowLine[] = []
  /** Called when nothing more of an end passes. */
  whenStalled: (sender: Sender) => void = () => undefined
  private readonly talk: Talk
  private readonly reader: Reader
  private readonly held: () => void
  private readonly over: Promise<string>
  private readonly patience: Patience
  /** How often an end was told something. */
  private events = 0
  private isReleased = false
  private later: NodeJS.Timeout | undefined
  private settle: (problem: string) => void = () => undefined
  private link: FaultLink | null = null
  private isHeldTold = false
  /** Of a late reset: what its receiver is to hear before it. */
  private awaited: Whole | null = null

  /**
   * @param quietMs a run in which nothing moves for so long hangs
   * @param held called once: when the run is held, or over
   */
  constructor(talk: Talk, plan: Plan | null, reader: Reader, quietMs: number, held: () => void) {
    const changed = (): void => {
      this.events++
      this.look()
    }
    this.talk = talk
    this.plan = plan
    this.reader = reader
    this.held = held
    this.server = talk.server === null ? null : new End(changed)
    this.client = talk.client === null ? null : new End(changed)
    this.over = new Promise((resolve) => (this.settle = resolve))
    this.patience = new Patience(this.watch, quietMs, (why) => {
      this.settle(`is not over: ${why}: ${this.state()}`)
    })
  }

  get ends(): readonly (readonly [Sender, End])[] {
    const all = [['server', this.server] as const, ['client', this.client] as const]
    return all.filter((one): one is readonly [Sender, End] => one[1] !== null)
  }

  /** For the proxy. */
  faults(): Fault[] {
    const { plan } = this
    if (plan === null) return []
    const { from } = plan
    if (plan.kind === 'lateReset') {
      return plan.at.map((at) => ({ kind: 'hold', from, at, met: () => this.resetWhenHeard() }))
    }
    const { kind } = plan
    return plan.at.map((at) => ({ kind, from, at, met: () => this.met(kind, from) }))
  }

  /** Of whom nothing passes from a byte on; null: of nobody. */
  get stalls(): { readonly sender: Sender | null; readonly at: number } {
    const { plan } = this
    return plan !== null && this.isStuck
      ? { sender: plan.from, at: plan.at[0] ?? 0 }
      : { sender: null, at: 0 }
  }

  /** Waits until both ends and the line are over; then it ends what a stalled line has left. */
  async finish(proxy: FaultProxy): Promise<void> {
    void proxy.first.then((link) => {
      this.link = link
      return link.closed.then(() => {
        this.look()
      })
    })
    this.problem = await this.over
    this.patience.stop()
    clearTimeout(this.later)
    this.tellHeld()
    proxy.close()
    await this.link?.closed
  }

  /** Goes on where it was held. */
  release(): void {
    this.isReleased = true
    if (this.plan?.kind === 'hold') this.link?.release()
  }

  /** The bytes of one end that passed. */
  bytesOf(sender: Sender): Buffer {
    return this.link?.bytesOf(sender) ?? Buffer.alloc(0)
  }

  /** What is whole of what one end was given. */
  wholeFor(receiver: Sender): Whole {
    const sender = otherEnd(receiver)
    return this.reader(sender, this.bytesOf(sender))
  }

  private readonly watch = (): Watched => {
    const { link, relays } = this
    const passed = link === null ? 0 : 1 + link.fromClient.passed + link.fromServer.passed
    return {
      moved: this.events + passed + relays.reduce((sum, { moved }) => sum + moved, 0),
      turns: relays[0]?.turns,
      isHeld: this.plan?.kind === 'hold' && this.isHeldTold && !this.isReleased,
    }
  }

  private get isStuck(): boolean {
    return this.plan !== null && isStuck(this.plan)
  }

  private look(): void {
    const { link } = this
    if (link === null) return
    if (this.awaited !== null) {
      const receiver = this[otherEnd((this.plan as Plan).from)]
      const { head, lines } = this.awaited
      if (receiver !== null && (receiver.lines.length < lines || (head && receiver.openCount === 0))) return
      this.awaited = null
      link.reset()
    }
    if (!this.ends.every(([, end]) => end.isSettled)) return
    if (link.isClosed || this.isStuck) this.settle('')
  }

  private resetWhenHeard(): void {
    const whole = this.wholeFor(otherEnd((this.plan as Plan).from))
    const wait = (turns: number): void => {
      if (turns > 0) {
        setImmediate(() => wait(turns - 1))
        return
      }
      this.awaited = { ...whole, head: whole.head && this.talk.isRefused !== true }
      this.look()
    }
    wait(TURNS_TO_READ)
  }

  private met(kind: Plan['kind'], from: Sender): void {
    if (kind === 'hold') this.tellHeld()
    if (kind === 'stall' || kind === 'silence') this.whenStalled(from)
    if (kind === 'silence') this.whenStalled(otherEnd(from))
    // A server that waits for the rest of a request tells nobody when it gives up.
    if (this.isStuck && this.client === null) this.later = setTimeout(() => this.look(), STUCK_LOOK_MS)
  }

  private tellHeld(): void {
    if (this.isHeldTold) return
    this.isHeldTold = true
    this.held()
  }

  private state(): string {
    const of = this.ends.map(([name, end]) => {
      const waiting = [...end.promises].filter(([, result]) => result === 'pending').map(([what]) => what)
      const called = `onOpen ${end.openCount}, onClose ${end.closeCount}`
      return `${name} ${called}, pending: ${waiting.join(', ')}; heard ${end.lines.join(' | ')}`
    })
    return `${of.join('; ')}; the line is ${this.link?.isClosed === true ? 'closed' : 'open'}`
  }
}
