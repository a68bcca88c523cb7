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

/** A node's side of a pipe to the relay. */
export class PipeBackplane implements Backplane {
  private readonly pipe: Pipe
  private readonly maxQueuedBytes: number
  private conversation: Conversation | null = null
  private stop: (() => void) | null = null
  /** The groups that the relay knows to be wanted. */
  private readonly told = new Set<string>()
  /** What there was no room to tell: groups, and whether they are wanted. */
  private readonly untold = new Map<string, boolean>()

  constructor(pipe: Pipe, maxQueuedBytes: number) {
    this.pipe = pipe
    this.maxQueuedBytes = maxQueuedBytes
  }

  start(node: string, receive: (envelope: unknown) => void): void {
    if (this.conversation !== null) throw new TypeError('a backplane belongs to one server: make another one')
    const conversation = new Conversation(node, this.pipe, this.maxQueuedBytes)
    this.conversation = conversation
    const listen = (raw: unknown): void => {
      const message = readWireMessage(raw)
      if (message?.node !== node) return
      if (!conversation.take(message)) this.tellRest()
      else if (message.body.type === 'envelope') receive(decodeEnvelope(message.body.envelope))
    }
    // Without the relay nobody reads, the queue fills up, and what is published counts as lost.
    this.stop = this.pipe.listen(listen, () => undefined)
    conversation.send({ type: 'join' })
  }

  publish(envelope: Envelope): boolean {
    return this.stop !== null && this.conversation?.send({ type: 'envelope', envelope }) === true
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
      this.untold.clear()
      this.told.clear()
    }
    return Promise.resolve()
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
