import type { ConnectionClosedError } from '../errors.js'
import { Waiters, type WaitOptions } from '../socket/waiters.js'
import type { ClientSocket } from './client-socket.js'
import { clientCoreOf } from './connected-socket.js'

/** How many lost connections keep messages that nobody read yet. */
const MAX_LOST = 2

/** The connections of a client whose messages may not all be read: the current one, and the last that were lost. */
export class UnreadConnections {
  /** Messages of lost connections that nobody read. */
  droppedMessages = 0
  /** The oldest first. */
  private readonly connections: ClientSocket[] = []
  /** Who waits for a connection. */
  private readonly arrivals = new Waiters<void>()
  /** The connection whose loss a reader was told of: the next one follows without a further word. */
  private told: ClientSocket | null = null
  private error: ConnectionClosedError | null = null
  /** The number of loops over the messages; and whether `receive` was called since the last one began. */
  private loops = 0
  private isPulled = false
  private readonly failsMeanwhile: boolean

  /** @param failsMeanwhile whether a reader is told of each loss */
  constructor(failsMeanwhile: boolean) {
    this.failsMeanwhile = failsMeanwhile
  }

  add(connection: ClientSocket): void {
    if (this.told !== null) this.remove(this.told)
    this.told = null
    // Its reader may be at work on a message of the last one.
    clientCoreOf(connection).goOnReading(this.loops, this.isPulled)
    this.connections.push(connection)
    while (this.connections.length > MAX_LOST + 1) void this.discard(this.connections.shift() as ClientSocket)
    this.arrivals.resolveAll()
  }

  /** There is no further connection. */
  end(error: ConnectionClosedError): void {
    this.error = error
    this.arrivals.rejectAll(error)
  }

  /** `receive` is called. */
  pulled(): void {
    this.isPulled = true
  }

  beginLoop(): void {
    this.loops++
    this.isPulled = false
    for (const connection of this.connections) clientCoreOf(connection).beginLoop()
  }

  endLoop(): void {
    this.loops--
    for (const connection of this.connections) clientCoreOf(connection).endLoop()
  }

  /** Ends the wait of a loop, for a connection or for a message. */
  leave(loop: object, reason: unknown): void {
    this.arrivals.reject(loop, reason)
    for (const connection of this.connections) clientCoreOf(connection).leave(loop, reason)
  }

  /** The oldest connection, if there is one. */
  get oldest(): ClientSocket | undefined {
    return this.connections[0]
  }

  /**
   * The oldest connection; waits for one.
   * @param loop whose wait this is, see {@link leave}
   * @throws ConnectionClosedError after the end
   */
  async first(within: WaitOptions, loop?: object): Promise<ClientSocket> {
    for (;;) {
      const { oldest } = this
      if (oldest !== undefined) return oldest
      if (this.error !== null) throw this.error
      await this.arrivals.wait(within, loop)
    }
  }

  /**
   * All messages of a connection that is over were read.
   * @param error of the connection
   * @returns whether the reader goes on to the next connection
   * @throws ConnectionClosedError after the end: it tells why there is no next connection
   */
  isRead(connection: ClientSocket, error: ConnectionClosedError): boolean {
    const isLast = this.connections[this.connections.length - 1] === connection
    // Again and again. Of an end that no further attempt followed the connection may know more.
    if (isLast && this.error !== null) throw this.error.cause === undefined ? error : this.error
    if (this.failsMeanwhile && isLast) this.told = connection
    else this.remove(connection)
    return !this.failsMeanwhile
  }

  private remove(connection: ClientSocket): void {
    const index = this.connections.indexOf(connection)
    if (index >= 0) this.connections.splice(index, 1)
  }

  private async discard(connection: ClientSocket): Promise<void> {
    clientCoreOf(connection).discard()
    try {
      for (;;) {
        await connection.receive()
        this.droppedMessages++
      }
    } catch {
      // That was all, or handlers got the messages.
    }
  }
}
