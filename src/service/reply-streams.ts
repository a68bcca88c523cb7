import type { AnyIterable } from './reply-values.js'
import type { Socket } from '../socket/socket.js'

/** So many parts of a stream are sent before others get their turn. */
const PARTS_A_TURN = 64

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

type AnyIterator = AsyncIterator<unknown> | Iterator<unknown>

function iteratorOf(iterable: AnyIterable): AnyIterator {
  return Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]()
}

/** Receives what became of a stream. */
export interface StreamOwner {
  /** Sends one part. @returns whether more are wanted */
  sendPart(part: unknown): boolean
  streamFailed(error: unknown): void
  streamEnded(): void
}

/** The replies of a connection that come in parts, under way beside everything else; cancelled when it closes. */
export class ReplyStreams {
  private readonly socket: Socket
  private readonly owner: StreamOwner
  private readonly running = new Set<AnyIterator>()
  /** Streams that are not through, those included that were cancelled and still clean up. */
  count = 0
  private isOver = false

  constructor(socket: Socket, owner: StreamOwner) {
    this.socket = socket
    this.owner = owner
  }

  /** Starts to send what it gives, part by part. Never throws. */
  start(iterable: AnyIterable): void {
    let iterator
    try {
      iterator = iteratorOf(iterable)
    } catch (error) {
      this.owner.streamFailed(error)
      return
    }
    this.count++
    if (this.isOver) {
      void this.cancel(iterator).then(() => {
        this.ended()
      })
      return
    }
    this.running.add(iterator)
    void this.run(iterator)
  }

  /** The connection takes nothing any more: each iterator is told at once. */
  stop(): void {
    this.isOver = true
    for (const iterator of [...this.running]) {
      this.running.delete(iterator)
      this.count++
      void this.cancel(iterator).then(() => {
        this.ended()
      })
    }
  }

  private async run(iterator: AnyIterator): Promise<void> {
    try {
      for (let parts = 1; ; parts++) {
        // One that never waits would run in microtasks alone, and nobody else would get a turn.
        if (parts % PARTS_A_TURN === 0) await nextTurn()
        // Never asked again after its `return`, which comes while this waits.
        if (this.isOver) break
        const next = await iterator.next()
        if (next.done === true || this.isOver) break
        while (this.isFull) await this.room()
        if (this.isOver as boolean) break
        if (!this.owner.sendPart(next.value)) {
          this.running.delete(iterator)
          await this.cancel(iterator)
          break
        }
        while (this.isFull) await this.room()
      }
    } catch (error) {
      const wasRunning = this.running.delete(iterator)
      if (wasRunning) {
        await this.cancel(iterator)
        if (!this.isOver) this.owner.streamFailed(error)
      }
    }
    this.running.delete(iterator)
    this.ended()
  }

  /** Whether the next part has to wait for room; looked at again after each wait, for others may have taken it. */
  private get isFull(): boolean {
    const { driver } = this.socket
    return !this.isOver && driver.connection.isSendable && !driver.hasRoom
  }

  /** A part that the peer has no room for yet waits here; so do the ones after it, unmade. The end is told by `stop`. */
  private async room(): Promise<void> {
    await this.socket.drained().catch(() => undefined)
  }

  /** Never rejects: what the cleaning up of a stream throws has nobody to be told to, for the stream was given up. */
  private async cancel(iterator: AnyIterator): Promise<void> {
    try {
      await iterator.return?.()
    } catch {
      // As above.
    }
  }

  private ended(): void {
    this.count--
    this.owner.streamEnded()
  }
}
