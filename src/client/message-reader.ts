import { ConnectionClosedError } from '../errors.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { Limits } from '../limits.js'
import { decodeWith, type Codec } from '../service/codec.js'
import { Inbox } from '../service/inbox.js'
import type { EventSink } from '../socket/socket-core.js'
import type { SocketDriver } from '../socket/socket-driver.js'
import { checkWaitOptions, Waiters, type WaitOptions } from '../socket/waiters.js'

/** What a timer of Node holds, in milliseconds. */
const MAX_TIMER_MS = 0x7fff_ffff

/**
 * Keeps messages for a caller who reads them one by one. Pings and Close frames are answered even if no caller reads. The
 * queue is bounded; a full queue stops reading.
 */
export class MessageReader implements EventSink {
  droppedMessages = 0
  readonly codec: Codec | undefined
  /** The number of loops over the messages. */
  loops = 0
  /** Whether `receive` was called since the last loop began, and not too long ago while the connection closes. */
  isPulled = false
  private readonly driver: SocketDriver
  private readonly limits: Limits
  protected readonly inbox: Inbox
  protected readonly readers = new Waiters<string | Buffer>()
  private patience: NodeJS.Timeout | undefined
  private isClosing = false
  private isGivenUp = false
  private closeInfo: CloseInfo | null = null
  private lastError: Error | undefined

  /** @param codec reads what {@link receiveValue} returns */
  constructor(driver: SocketDriver, limits: Limits, codec?: Codec) {
    this.codec = codec
    this.driver = driver
    this.limits = limits
    this.inbox = new Inbox(limits, driver)
  }

  handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      if (!this.readers.resolveFirst(event.data)) this.keep(event.data)
    } else if (event.type === 'error') {
      this.lastError = event.error
    } else if (event.type === 'closed') {
      this.closeInfo = event
      clearTimeout(this.patience)
      this.readers.rejectAll(this.closedError(event))
    }
  }

  handleDrain(): void {
    // A sender uses `drained()` instead.
  }

  handleResume(): void {
    // The driver held back the messages, not this queue.
  }

  /** This side closes: messages that nobody reads are dropped, so that the peer's Close frame after them is reached. */
  handleSendingOver(): void {
    this.isClosing = true
    this.goOnWithoutReader()
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

  beginLoop(): void {
    this.loops++
    this.isPulled = false
  }

  endLoop(): void {
    this.loops--
    this.goOnWithoutReader()
  }

  /** Ends the wait of a loop. */
  leave(loop: object, reason: unknown): void {
    this.readers.reject(loop, reason)
  }

  /**
   * The first message of the queue, or the next one received.
   * @param within are checked
   * @param loop whose wait this is, see {@link leave}
   */
  next(within: WaitOptions, loop?: object): Promise<string | Buffer> {
    this.isRead()
    const message = this.inbox.shift()
    if (message !== undefined) return Promise.resolve(message)
    if (this.closeInfo !== null) return Promise.reject(this.closedError(this.closeInfo))
    return this.readers.join(within, loop)
  }

  /** {@link next} for a caller without a loop. */
  receive(options: WaitOptions): Promise<string | Buffer> {
    try {
      checkWaitOptions(options)
      options.signal?.throwIfAborted()
    } catch (error) {
      return Promise.reject(error)
    }
    this.isPulled = true
    return this.next(options)
  }

  /** As {@link receive}; with a codec, the value that it reads. */
  receiveValue(options: WaitOptions): Promise<unknown> {
    return this.decoded(this.receive(options))
  }

  /** As {@link next}; with a codec, the value that it reads. */
  nextValue(within: WaitOptions, loop: object): Promise<unknown> {
    return this.decoded(this.next(within, loop))
  }

  /** A caller takes messages: while the connection closes, a full queue waits for it. */
  protected isRead(): void {
    if (this.isClosing) this.patience?.refresh()
  }

  private decoded(received: Promise<string | Buffer>): Promise<unknown> {
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
    if (this.inbox.isHolding && !wasHolding) this.goOnWithoutReader()
  }

  /** Whether the connection closes and no caller reads the messages that still arrive. */
  private get isUnread(): boolean {
    return this.isGivenUp || (this.isClosing && this.loops === 0 && !this.isPulled)
  }

  /** While the connection closes, a full queue waits for its reader, if there is one. */
  private goOnWithoutReader(): void {
    if (!this.inbox.isHolding) return
    if (this.isUnread) this.inbox.letGo()
    else if (this.isClosing && this.loops === 0) this.waitForReader()
  }

  /**
   * Who calls `receive` may work on a message, or be gone. Half of the time in which a connection that closes is cut unless bytes
   * move: so that it still closes cleanly.
   */
  private waitForReader(): void {
    clearTimeout(this.patience)
    const timeoutMs = Math.min(this.limits.closeTimeoutMs, this.driver.timeLeftMs) / 2
    this.patience = setTimeout(
      () => {
        if (!this.inbox.isHolding) return
        this.isPulled = false
        this.goOnWithoutReader()
      },
      Math.min(timeoutMs, MAX_TIMER_MS),
    )
    this.patience.unref()
  }

  private closedError({ code, reason }: CloseInfo): ConnectionClosedError {
    return new ConnectionClosedError(code, reason, this.lastError)
  }
}
