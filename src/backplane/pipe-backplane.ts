import type { Backplane, Envelope } from '../hub/backplane.js'
import { Conversation, decodeEnvelope, MAX_QUEUED_BYTES, readWireMessage, type Pipe } from './wire.js'

export interface BackplaneOptions {
  /** What may wait to be handled by the relay, in bytes, before more is lost. Default 16 MiB. */
  readonly maxQueuedBytes?: number | undefined
}

/** @throws TypeError or RangeError with the option's name, value and range */
export function checkBackplaneOptions(options: BackplaneOptions): number {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw new TypeError('options must be an object with maxQueuedBytes')
  }
  for (const name of Object.keys(options)) {
    if (name !== 'maxQueuedBytes') throw new TypeError(`options has no "${name}"; there is maxQueuedBytes`)
  }
  const { maxQueuedBytes = MAX_QUEUED_BYTES } = options
  const range = 'maxQueuedBytes must be a number from 1024 to Infinity'
  if (typeof maxQueuedBytes !== 'number')
    throw new TypeError(`${range}, not of type ${typeof maxQueuedBytes}`)
  if (!(maxQueuedBytes >= 1024)) throw new RangeError(`${range}, not ${String(maxQueuedBytes)}`)
  return maxQueuedBytes
}

/** Without an answer of the relay a node joins again after so long, then after twice that, and so on up to the maximum. */
const JOIN_AGAIN_MS = 50
const MAX_JOIN_AGAIN_MS = 60_000

/**
 * A node's side of a pipe to the relay. The relay need not be there yet: what is said before it listens is lost with most
 * pipes, so a node joins again until it is answered, and when a relay does not know it.
 */
export class PipeBackplane implements Backplane {
  private readonly pipe: Pipe
  private readonly maxQueuedBytes: number
  private conversation: Conversation | null = null
  private stop: (() => void) | null = null
  /** The groups that the relay knows to be wanted. */
  private readonly told = new Set<string>()
  /** What there was no room to tell: groups, and whether they are wanted. */
  private readonly untold = new Map<string, boolean>()
  private joinTimer: NodeJS.Timeout | undefined
  /** It was asked to join, and did since the timer was set. */
  private hasJoinedAgain = false
  /** How often it joined since the relay answered last. */
  private joins = 0

  constructor(pipe: Pipe, maxQueuedBytes: number) {
    this.pipe = pipe
    this.maxQueuedBytes = maxQueuedBytes
  }

  start(node: string, receive: (envelope: unknown) => void, rejoined: () => void = () => undefined): void {
    if (this.conversation !== null) throw new TypeError('a backplane belongs to one server: make another one')
    const conversation = new Conversation(node, this.pipe, this.maxQueuedBytes)
    this.conversation = conversation
    const listen = (raw: unknown): void => {
      const message = readWireMessage(raw)
      if (message?.node !== node) return
      const { body } = message
      if (!conversation.take(message)) this.tellRest()
      else if (body.type === 'envelope') receive(decodeEnvelope(body.envelope))
      else if (body.type === 'unknown') this.joinAgain(conversation)
      else if (body.type === 'joined') this.joined(conversation, body.isNew, rejoined)
    }
    // Without the relay nobody reads, the queue fills up, and what is published counts as lost.
    this.stop = this.pipe.listen(listen, () => undefined)
    this.join(conversation, 0)
  }

  publish(envelope: Envelope): boolean {
    const { conversation } = this
    if (this.stop === null || conversation === null) return false
    if (conversation.send({ type: 'envelope', envelope })) return true
    // It may wait for a relay that is no more.
    this.joinAgain(conversation)
    return false
  }

  watch(group: string): void {
    this.tell(group, true)
  }

  unwatch(group: string): void {
    this.tell(group, false)
  }

  close(): Promise<void> {
    if (this.stop !== null) {
      this.conversation?.send({ type: 'leave' })
      this.stop()
      this.stop = null
      clearTimeout(this.joinTimer)
      this.untold.clear()
      this.told.clear()
    }
    return Promise.resolve()
  }

  /** @param lost how many times it joined and the relay did not hear it, as far as is known */
  private join(conversation: Conversation, lost: number): void {
    this.joins = lost + 1
    this.hasJoinedAgain = false
    conversation.send({ type: 'join' })
    const delayMs = Math.min(JOIN_AGAIN_MS * 2 ** lost, MAX_JOIN_AGAIN_MS)
    clearTimeout(this.joinTimer)
    this.joinTimer = setTimeout(() => {
      this.join(conversation, this.joins)
    }, delayMs).unref()
  }

  /** There is a relay that does not know this node, or may be. Once, until the time for the next attempt has come. */
  private joinAgain(conversation: Conversation): void {
    if (this.hasJoinedAgain) return
    this.join(conversation, Math.max(this.joins, 1))
    this.hasJoinedAgain = true
  }

  /** The relay knows this node; when it is new to it, and had joined before, the relay heard nothing of what was said. */
  private joined(conversation: Conversation, isNew: boolean, rejoined: () => void): void {
    const { joins } = this
    this.joins = 0
    this.hasJoinedAgain = false
    clearTimeout(this.joinTimer)
    if (joins <= 1 || !isNew) return
    conversation.forgetSent()
    for (const group of this.told) if (!this.untold.has(group)) this.untold.set(group, true)
    this.told.clear()
    this.tellRest()
    rejoined()
  }

  private tell(group: string, isWanted: boolean): void {
    if (this.stop === null) return
    if (this.told.has(group) === isWanted) this.untold.delete(group)
    else if (this.untold.size > 0 || !this.tellNow(group, isWanted)) this.untold.set(group, isWanted)
  }

  private tellNow(group: string, isWanted: boolean): boolean {
    if (this.conversation?.send({ type: isWanted ? 'watch' : 'unwatch', group }) !== true) return false
    if (isWanted) this.told.add(group)
    else this.told.delete(group)
    return true
  }

  /** The relay has handled something: there is room again. */
  private tellRest(): void {
    for (const [group, isWanted] of this.untold) {
      if (!this.tellNow(group, isWanted)) return
      this.untold.delete(group)
    }
  }
}
