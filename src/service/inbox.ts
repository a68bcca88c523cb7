import type { Limits } from '../limits.js'

/** What a queued message counts besides its content. */
const MESSAGE_OVERHEAD_BYTES = 64

/** Where messages come from. */
export interface MessageSource {
  /** No more messages for now. */
  hold(): void
  /** There is room again. */
  unhold(): void
}

/**
 * Messages that were received and not taken yet: bounded in number and in bytes. At its bound the inbox holds its source; it
 * lets go at half of the bound, so that reading does not stop and start with every message.
 */
export class Inbox {
  private messages: (string | Buffer)[] = []
  private head = 0
  private bytes = 0
  /** Bytes of the messages that are being handled, where several are handled at a time. */
  private handledBytes = 0
  /** Whether the source is held. */
  isHolding = false
  private readonly limits: Limits
  private readonly source: MessageSource

  constructor(limits: Limits, source: MessageSource) {
    this.limits = limits
    this.source = source
  }

  get length(): number {
    return this.messages.length - this.head
  }

  /** Whether the bound is reached. */
  get isFull(): boolean {
    return this.length >= this.limits.maxQueuedMessages || this.bytes >= this.limits.maxQueuedBytes
  }

  /** Whether the messages that are being handled have as many bytes as may wait: no further one should begin. */
  get isBusy(): boolean {
    return this.handledBytes >= this.limits.maxQueuedBytes
  }

  /** Adds a message. One that passes the bound is taken all the same. */
  push(message: string | Buffer): void {
    this.messages.push(message)
    this.bytes += message.length + MESSAGE_OVERHEAD_BYTES
    if (!this.isFull || this.isHolding) return
    this.isHolding = true
    this.source.hold()
  }

  /** The message that is next. */
  get first(): string | Buffer | undefined {
    return this.messages[this.head]
  }

  shift(): string | Buffer | undefined {
    if (this.head === this.messages.length) return undefined
    const message = this.messages[this.head++] as string | Buffer
    this.bytes -= message.length + MESSAGE_OVERHEAD_BYTES
    if (this.head * 2 >= this.messages.length) {
      this.messages = this.messages.slice(this.head)
      this.head = 0
    }
    if (this.isHolding && this.hasRoom) this.letGo()
    return message
  }

  /** The handler of this message runs beside others. */
  begin(message: string | Buffer): void {
    this.handledBytes += message.length + MESSAGE_OVERHEAD_BYTES
  }

  /** The handler of this message is done. */
  finish(message: string | Buffer): void {
    this.handledBytes -= message.length + MESSAGE_OVERHEAD_BYTES
  }

  /** Lets the source go on, room or not. */
  letGo(): void {
    if (!this.isHolding) return
    this.isHolding = false
    this.source.unhold()
  }

  /** Drops the messages that wait. */
  clear(): void {
    this.messages = []
    this.head = 0
    this.bytes = 0
    this.letGo()
  }

  private get hasRoom(): boolean {
    return this.length <= this.limits.maxQueuedMessages / 2 && this.bytes <= this.limits.maxQueuedBytes / 2
  }
}
