import type { Limits } from '../limits.js'

/** What a queued message counts besides its content. */
const MESSAGE_OVERHEAD_BYTES = 64

/** Messages that came and that nobody took yet: bounded in number and in bytes. */
export class Inbox {
  private messages: (string | Buffer)[] = []
  private head = 0
  private bytes = 0
  /** Of messages that are being handled, where several are at a time. */
  private heldBytes = 0
  private readonly limits: Limits

  constructor(limits: Limits) {
    this.limits = limits
  }

  get length(): number {
    return this.messages.length - this.head
  }

  /** Whether no more should come for now. */
  get isFull(): boolean {
    return this.length >= this.limits.maxQueuedMessages || this.bytes >= this.limits.maxQueuedBytes
  }

  /** Whether those that are being handled are as many bytes as may wait: no further one should begin. */
  get holdsAll(): boolean {
    return this.heldBytes >= this.limits.maxQueuedBytes
  }

  /** Whether there is room again: half of it, so that reading does not stop and go with every message. */
  get hasRoom(): boolean {
    return this.length <= this.limits.maxQueuedMessages / 2 && this.bytes <= this.limits.maxQueuedBytes / 2
  }

  push(message: string | Buffer): void {
    this.messages.push(message)
    this.bytes += message.length + MESSAGE_OVERHEAD_BYTES
  }

  shift(): string | Buffer | undefined {
    if (this.head === this.messages.length) return undefined
    const message = this.messages[this.head++] as string | Buffer
    this.bytes -= message.length + MESSAGE_OVERHEAD_BYTES
    if (this.head * 2 >= this.messages.length) {
      this.messages = this.messages.slice(this.head)
      this.head = 0
    }
    return message
  }

  /** This message is being handled beside others. */
  hold(message: string | Buffer): void {
    this.heldBytes += message.length + MESSAGE_OVERHEAD_BYTES
  }

  /** It is done. */
  unhold(message: string | Buffer): void {
    this.heldBytes -= message.length + MESSAGE_OVERHEAD_BYTES
  }

  /** Drops what waits. */
  clear(): void {
    this.messages = []
    this.head = 0
    this.bytes = 0
  }
}
