import { ConnectionClosedError } from '../errors.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { Limits } from '../limits.js'
import { decodeWith, type Codec } from '../service/codec.js'
import { Inbox } from '../service/inbox.js'
import type { EventSink } from '../socket/socket-core.js'
import type { SocketDriver } from '../socket/socket-driver.js'
import { checkWaitOptions, Waiters, type WaitOptions } from '../socket/waiters.js'

/** While the connection closes and the queue is full, a reader has to call `receive` again within this time. */
const PATIENCE_MS = 1000

/**
 * Keeps messages for a caller who reads them one by one. Pings and Close frames are answered even if no caller reads. The
 * queue is bounded; a full queue stops reading.
 */
export class MessageReader implements EventSink {
  droppedMessages = 0
  readonly codec: Codec | undefined
  private readonly inbox: Inbox
  private readonly readers = new Waiters<string | Buffer>()
  /** The number of loops over the messages. */
  private loops = 0
  /** Whether `receive` was called, and not so long ago that the last call was the end of reading. */
  private isBeingRead = false
  private patience: NodeJS.Timeout | undefined
  private isClosing = false
  private isGivenUp = false
  private closeInfo: CloseInfo | null = null
  private lastError: Error | undefined

  /** @param codec reads what {@link receiveValue} returns */
  constructor(driver: SocketDriver, limits: Limits, codec?: Codec) {
    this.codec = codec
    this.inbox = new Inbox(limits, driver)
  }

  handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      if (!this.readers.resolveFirst(event.data)) this.keep(event.data)
    } else if (event.type === 'error') {
      this.lastError = event.error
    } else if (event.type === 'closed') {
      this.closeInfo = event
      this.readers.rejectAll(this.closedError(event))
    }
  }

  handleDrain(): void {
    // A sender uses `drained()` instead.
  }

  handleResume(): void {
    // The driver held back the messages, not this queue.
  }

  /**
   * This side closes: messages without a reader are dropped, so that the peer's Close frame after them is reached. A reader may
   * be at work on a message, between two calls.
   */
  handleSendingOver(): void {
    this.isClosing = true
    this.goOnWithoutReader()
    if (this.inbox.isHolding && this.loops === 0) this.waitForReader()
  }

  handleTerminated(): void {
    // Messages that were received can still be read.
  }

  /** The time for readers is up. */
  giveUp(): void {
    this.isGivenUp = true
    this.goOnWithoutReader()
  }

  handleEnd(): void {
    // Messages that were received can still be read; the end is reported after them.
  }

  /** A loop over the messages begins. @returns a function that ends it */
  beginLoop(): () => void {
    this.loops++
    return () => {
      this.loops--
      this.goOnWithoutReader()
    }
  }

  /** Waits for the next message: the first in the queue, or the next one received. */
  async receive(options: WaitOptions): Promise<string | Buffer> {
    checkWaitOptions(options)
    options.signal?.throwIfAborted()
    this.isBeingRead = true
    clearTimeout(this.patience)
    const message = this.inbox.shift()
    if (message !== undefined) return message
    if (this.closeInfo !== null) throw this.closedError(this.closeInfo)
    return this.readers.wait(options)
  }

  /** As {@link receive}; with a codec, the value that it reads. */
  receiveValue(options: WaitOptions): Promise<unknown> {
    const received = this.receive(options)
    const { codec } = this
    return codec === undefined ? received : received.then((raw) => decodeWith(codec, raw))
  }

  private keep(message: string | Buffer): void {
    if (this.inbox.isFull && this.isUnread) {
      this.droppedMessages++
      return
    }
    const wasHolding = this.inbox.isHolding
    this.inbox.push(message)
    this.goOnWithoutReader()
    const holdsNow = this.inbox.isHolding && !wasHolding
    if (holdsNow && this.isClosing && this.loops === 0) this.waitForReader()
  }

  /** Whether the connection closes and no caller reads the messages that still arrive. */
  private get isUnread(): boolean {
    return this.isGivenUp || (this.isClosing && this.loops === 0 && !this.isBeingRead)
  }

  /** Waits for the next call of `receive`: without one the last call was the end of reading. */
  private waitForReader(): void {
    clearTimeout(this.patience)
    this.patience = setTimeout(() => {
      this.isBeingRead = false
      this.goOnWithoutReader()
    }, PATIENCE_MS)
    this.patience.unref()
  }

  private goOnWithoutReader(): void {
    if (this.isUnread) this.inbox.letGo()
  }

  private closedError({ code, reason }: CloseInfo): ConnectionClosedError {
    return new ConnectionClosedError(code, reason, this.lastError)
  }
}
