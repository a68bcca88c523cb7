import type { Backplane } from './backplane.js'
import type { Envelope } from './envelope.js'
import { PipeFlow } from './pipe-flow.js'
import { decodeBytes, readPipeMessage, type Pipe } from './pipe.js'

/**
 * Without an answer of the relay a node joins again after this time, then after twice this time, and so on up to the
 * maximum.
 */
const JOIN_AGAIN_MS = 50
const MAX_JOIN_AGAIN_MS = 60_000

/**
 * The backplane of a node whose pipe leads to a relay. The relay need not be there yet: most pipes lose what is sent
 * before it listens, so the node joins again until it is answered, and whenever a relay does not know it.
 */
export class PipeBackplane implements Backplane {
  readonly reachesOtherProcesses: boolean | undefined
  private readonly pipe: Pipe
  private readonly maxQueuedBytes: number
  private flow: PipeFlow | null = null
  /** Stops listening; null before `start` and after `close`. */
  private stop: (() => void) | null = null
  /** The groups whose messages the relay sends to this node, as far as it was asked to. */
  private readonly watched = new Set<string>()
  /** Requests that wait for room: the group, and whether its messages are wanted. */
  private readonly pending = new Map<string, boolean>()
  private joinTimer: NodeJS.Timeout | undefined
  /** Whether it joined again on request since the timer was set. */
  private hasJoinedAgain = false
  /** How often it has joined since the relay answered last. */
  private joins = 0

  /** @param isInMemory whether the relay is in this process; it may have nodes elsewhere */
  constructor(pipe: Pipe, maxQueuedBytes: number, isInMemory = false) {
    this.pipe = pipe
    this.maxQueuedBytes = maxQueuedBytes
    this.reachesOtherProcesses = isInMemory ? undefined : true
  }

  start(node: string, receive: (envelope: unknown) => void, rejoined: () => void = () => undefined): void {
    if (this.flow !== null) throw new TypeError('a backplane belongs to one server: make another one')
    const flow = new PipeFlow(node, this.pipe, this.maxQueuedBytes)
    this.flow = flow
    const listen = (raw: unknown): void => {
      const message = readPipeMessage(raw)
      if (message?.node !== node) return
      const { body } = message
      if (!flow.receive(message)) this.sendPending()
      else if (body.type === 'envelope') receive(decodeBytes(body.envelope))
      else if (body.type === 'unknown') this.joinAgain(flow)
      else if (body.type === 'joined') this.handleJoined(flow, body.isNew, rejoined)
    }
    // When the relay is gone nothing is handled, the queue fills up, and what is published counts as lost.
    this.stop = this.pipe.listen(listen, () => undefined)
    this.join(flow, 0)
  }

  publish(envelope: Envelope): boolean {
    const { flow } = this
    if (this.stop === null || flow === null) return false
    if (flow.send({ type: 'envelope', envelope })) return true
    // What waits may wait for a relay that is gone.
    this.joinAgain(flow)
    return false
  }

  watch(group: string): void {
    this.setWatched(group, true)
  }

  unwatch(group: string): void {
    this.setWatched(group, false)
  }

  close(): Promise<void> {
    if (this.stop !== null) {
      this.flow?.send({ type: 'leave' })
      this.stop()
      this.stop = null
      clearTimeout(this.joinTimer)
      this.pending.clear()
      this.watched.clear()
    }
    return Promise.resolve()
  }

  /** @param unanswered how often it has joined before without an answer, as far as is known */
  private join(flow: PipeFlow, unanswered: number): void {
    this.joins = unanswered + 1
    this.hasJoinedAgain = false
    flow.send({ type: 'join' })
    const delayMs = Math.min(JOIN_AGAIN_MS * 2 ** unanswered, MAX_JOIN_AGAIN_MS)
    clearTimeout(this.joinTimer)
    this.joinTimer = setTimeout(() => {
      this.join(flow, this.joins)
    }, delayMs).unref()
  }

  /** There is, or may be, a relay that does not know this node. Once, until the timer's next attempt. */
  private joinAgain(flow: PipeFlow): void {
    if (this.hasJoinedAgain) return
    this.join(flow, Math.max(this.joins, 1))
    this.hasJoinedAgain = true
  }

  /** The relay knows this node. If it is new there and had joined before, the relay received nothing sent until now. */
  private handleJoined(flow: PipeFlow, isNew: boolean, rejoined: () => void): void {
    const { joins } = this
    this.joins = 0
    this.hasJoinedAgain = false
    clearTimeout(this.joinTimer)
    if (joins <= 1 || !isNew) return
    flow.forgetSent()
    for (const group of this.watched) if (!this.pending.has(group)) this.pending.set(group, true)
    this.watched.clear()
    this.sendPending()
    rejoined()
  }

  private setWatched(group: string, isWanted: boolean): void {
    if (this.stop === null) return
    if (this.watched.has(group) === isWanted) this.pending.delete(group)
    else if (this.pending.size > 0 || !this.sendWatched(group, isWanted)) this.pending.set(group, isWanted)
  }

  /** @returns false: there is no room */
  private sendWatched(group: string, isWanted: boolean): boolean {
    if (this.flow?.send({ type: isWanted ? 'watch' : 'unwatch', group }) !== true) return false
    if (isWanted) this.watched.add(group)
    else this.watched.delete(group)
    return true
  }

  private sendPending(): void {
    for (const [group, isWanted] of this.pending) {
      if (!this.sendWatched(group, isWanted)) return
      this.pending.delete(group)
    }
  }
}
