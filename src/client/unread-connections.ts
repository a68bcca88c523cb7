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
  /** Begins a loop over the messages of one connection. */
  private readonly beginLoopOver: (connection: ClientSocket) => (() => void) | undefined
  /** The number of loops over the messages of all. */
  private loops = 0
  /** What ends the loop over the messages of a connection. */
  private readonly loopEnds = new Map<ClientSocket, (() => void) | undefined>()

  /** @param failsMeanwhile whether a reader is told of each loss */
  constructor(
    failsMeanwhile: boolean,
    beginLoopOver: (connection: ClientSocket) => (() => void) | undefined,
  ) {
    this.failsMeanwhile = failsMeanwhile
    this.beginLoopOver = beginLoopOver
  }

  /** A loop over the messages of all connections begins: each of them waits for it. @returns ends it */
  beginLoop(): () => void {
    this.loops++
    if (this.loops === 1) for (const connection of this.connections) this.loopOver(connection)
    return () => {
      this.loops--
      if (this.loops > 0) return
      for (const end of this.loopEnds.values()) end?.()
      this.loopEnds.clear()
    }
  }

  add(connection: ClientSocket): void {
    if (this.told !== null) this.remove(this.told)
    this.told = null
    this.connections.push(connection)
    if (this.loops > 0) this.loopOver(connection)
    while (this.connections.length > MAX_LOST + 1) void this.discard(this.connections[0] as ClientSocket)
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
    this.loopEnds.get(connection)?.()
    this.loopEnds.delete(connection)
  }

  private loopOver(connection: ClientSocket): void {
    this.loopEnds.set(connection, this.beginLoopOver(connection))
  }

  private async discard(connection: ClientSocket): Promise<void> {
    this.remove(connection)
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
