import { ConnectionClosedError } from '../errors.js'
import type { WaitOptions } from '../socket/waiters.js'
import { clientCoreOf } from './connected-socket.js'
import { isLeft, type LoopedMessages } from './message-loop.js'
import { waitWithin } from './patience.js'
import type { Reconnector } from './reconnector.js'

const WITHOUT_END: WaitOptions = Object.freeze({})
const forEver = (): WaitOptions => WITHOUT_END

/** What a loop over the messages of a client that reconnects reads: those of one connection after the other. */
export class LoopOverConnections implements LoopedMessages<unknown> {
  private readonly reconnector: Reconnector

  constructor(reconnector: Reconnector) {
    this.reconnector = reconnector
  }

  beginLoop(): void {
    this.reconnector.unread.beginLoop()
  }

  endLoop(): void {
    this.reconnector.unread.endLoop()
  }

  leave(loop: object, reason: unknown): void {
    this.reconnector.unread.leave(loop, reason)
  }

  next(within: WaitOptions, loop: object): Promise<unknown> {
    if (within.timeoutMs === undefined) return this.read(forEver, loop)
    return waitWithin(within, (rest) => this.read(rest, loop))
  }

  isQuietEnd(error: ConnectionClosedError): boolean {
    return this.reconnector.endedQuietly(error)
  }

  private async read(within: () => WaitOptions, loop: object): Promise<unknown> {
    const { unread } = this.reconnector
    for (;;) {
      const source = unread.oldest ?? (await unread.first(within(), loop))
      // Between the arrival of the connection and this.
      if (isLeft(loop)) throw new Error('the loop was left')
      try {
        return await clientCoreOf(source).next(within(), loop)
      } catch (error) {
        if (!(error instanceof ConnectionClosedError) || !unread.isRead(source, error)) throw error
      }
    }
  }
}
