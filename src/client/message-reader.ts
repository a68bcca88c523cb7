import { ConnectionClosedError } from '../errors.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { Limits } from '../limits.js'
import { Inbox } from '../service/inbox.js'
import type { EventSink } from '../socket/socket.js'
import type { SocketDriver } from '../socket/socket-driver.js'
import { checkWaitOptions, Waiters, type WaitOptions } from '../socket/waiters.js'

/** While the connection closes and the queue is full, a call of `receive` follows the one before within this time. */
const PATIENCE_MS = 1000

/**
 * Keeps messages for whoever reads them one by one. Pings and closes are served also when nobody reads; the queue is
 * bounded, and when it is full the reading of the socket stops.
 */
export class MessageReader implements EventSink {
  droppedMessages = 0
  private readonly inbox: Inbox
  private readonly readers = new Waiters<string | Buffer>()
  /** Somebody reads: a loop is under way, or `receive` was called since this side began to close. */
  private loops = 0
  private isReadWhileClosing = false
  private patience: NodeJS.Timeout | undefined
  private isClosing = false
  private isGivenUp = false
  private closeInfo: CloseInfo | null = null
  private lastError: Error | undefined

  constructor(driver: SocketDriver, limits: Limits) {
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
    // A sender waits with `drained()`.
  }

  handleResume(): void {
    // Only what comes from now on was held back, and that by the driver.
  }

  /** This side closes: what nobody reads any more is dropped, so that the peer's Close frame after it is reached. */
  handleSendingOver(): void {
    this.isClosing = true
    this.goOnWithoutReader()
  }

  handleTerminated(): void {
    // What came can still be read.
  }

  /** Nobody is waited for any more. */
  giveUp(): void {
    this.isGivenUp = true
    this.goOnWithoutReader()
  }

  handleEnd(): void {
    // Messages that were received can still be read; the end is told after them.
  }

  /** A loop over the messages begins. @returns ends it */
  beginLoop(): () => void {
    this.loops++
    return () => {
      this.loops--
      this.goOnWithoutReader()
    }
  }

  /** The next message: of those that wait, or the next to come. */
  async receive(options: WaitOptions): Promise<string | Buffer> {
    checkWaitOptions(options)
    options.signal?.throwIfAborted()
    if (this.isClosing) this.isReadWhileClosing = true
    clearTimeout(this.patience)
    const message = this.inbox.shift()
    if (message !== undefined) return message
    if (this.closeInfo !== null) throw this.closedError(this.closeInfo)
    return this.readers.wait(options)
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

  /** The connection closes, and nobody reads what still comes. */
  private get isUnread(): boolean {
    return this.isGivenUp || (this.isClosing && this.loops === 0 && !this.isReadWhileClosing)
  }

  /** A call of `receive` is followed by the next, or it was the last. */
  private waitForReader(): void {
    this.patience = setTimeout(() => {
      this.isReadWhileClosing = false
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
