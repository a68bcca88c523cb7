import type { ConnectionClosedError } from '../errors.js'
import { Waiters, type WaitOptions } from '../socket/waiters.js'
import type { ClientSocket } from './client-socket.js'

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
  private readonly failsMeanwhile: boolean

  /** @param failsMeanwhile whether a reader is told of each loss */
  constructor(failsMeanwhile: boolean) {
    this.failsMeanwhile = failsMeanwhile
  }

  add(connection: ClientSocket): void {
    if (this.told !== null) this.remove(this.told)
    this.told = null
    this.connections.push(connection)
    while (this.connections.length > MAX_LOST + 1) void this.discard(this.connections.shift() as ClientSocket)
    this.arrivals.resolveAll()
  }

  /** There is no further connection. */
  end(error: ConnectionClosedError): void {
    this.error = error
    this.arrivals.rejectAll(error)
  }

  /** The oldest connection; waits for one. @throws ConnectionClosedError after the end */
  async first(within: WaitOptions): Promise<ClientSocket> {
    for (;;) {
      const [connection] = this.connections
      if (connection !== undefined) return connection
      if (this.error !== null) throw this.error
      await this.arrivals.wait(within)
    }
  }

  /**
   * All messages of a connection that is over were read.
   * @returns whether the reader goes on to the next connection
   * @throws ConnectionClosedError after the end: it tells why there is no next connection
   */
  isRead(connection: ClientSocket): boolean {
    const isLast = this.connections[this.connections.length - 1] === connection
    // Again and again.
    if (isLast && this.error !== null) throw this.error
    if (this.failsMeanwhile && isLast) this.told = connection
    else this.remove(connection)
    return !this.failsMeanwhile
  }

  private remove(connection: ClientSocket): void {
    const index = this.connections.indexOf(connection)
    if (index >= 0) this.connections.splice(index, 1)
  }

  private async discard(connection: ClientSocket): Promise<void> {
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
