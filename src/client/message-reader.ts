import { ConnectionClosedError } from '../errors.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { Limits } from '../limits.js'
import { Inbox } from '../socket/inbox.js'
import type { EventSink } from '../socket/socket.js'
import type { SocketDriver } from '../socket/socket-driver.js'
import { checkWaitOptions, Waiters, type WaitOptions } from '../socket/waiters.js'

/**
 * Keeps messages for whoever reads them one by one. Pings and closes are served also when nobody reads; the queue is
 * bounded, and when it is full the reading of the socket stops.
 */
export class MessageReader implements EventSink {
  private readonly driver: SocketDriver
  private readonly inbox: Inbox
  private readonly readers = new Waiters<string | Buffer>()
  private isHeld = false
  private isClosing = false
  private closeInfo: CloseInfo | null = null
  private lastError: Error | undefined

  constructor(driver: SocketDriver, limits: Limits) {
    this.driver = driver
    this.inbox = new Inbox(limits)
  }

  handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      if (!this.readers.resolveFirst(event.data)) this.keep(event.data)
    } else if (event.type === 'idleTimeout') {
      this.driver.close(1001, 'idle', undefined)
    } else if (event.type === 'error') {
      this.lastError = event.error
    } else if (event.type === 'closed') {
      const { code, reason, wasClean, initiator } = event
      this.closeInfo = { code, reason, wasClean, initiator }
      this.readers.rejectAll(new ConnectionClosedError(code, reason, this.lastError))
    }
  }

  handleDrain(): void {
    // Whoever sends waits with `drained()`.
  }

  handleResume(): void {
    // Only what comes from now on was held back, and that by the driver.
  }

  /** This side closes: what no longer fits is dropped, so that the peer's Close frame behind it is reached. */
  closing(): void {
    this.isClosing = true
    if (!this.isHeld) return
    this.isHeld = false
    this.driver.unhold()
  }

  /** The next message: of those that wait, or the next to come. */
  async receive(options: WaitOptions): Promise<string | Buffer> {
    checkWaitOptions(options)
    options.signal?.throwIfAborted()
    const message = this.inbox.shift()
    if (message !== undefined) {
      if (this.isHeld && this.inbox.hasRoom) {
        this.isHeld = false
        this.driver.unhold()
      }
      return message
    }
    if (this.closeInfo !== null) {
      throw new ConnectionClosedError(this.closeInfo.code, this.closeInfo.reason, this.lastError)
    }
    return this.readers.wait(options)
  }

  private keep(message: string | Buffer): void {
    if (this.inbox.isFull && this.isClosing) return
    this.inbox.push(message)
    if (!this.inbox.isFull || this.isHeld || this.isClosing) return
    this.isHeld = true
    this.driver.hold()
  }
}
