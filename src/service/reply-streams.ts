import { refusePromise } from '../check.js'
import type { AnyIterable } from './reply-values.js'
import type { SocketCore } from '../socket/socket-core.js'

/** After so many parts a stream lets others have their turn. */
const PARTS_A_TURN = 64

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

type AnyIterator = AsyncIterator<unknown> | Iterator<unknown>

/** @throws what its functions throw, and a TypeError for a promise of an iterator */
function iteratorOf(iterable: AnyIterable): AnyIterator {
  const isAsync = Symbol.asyncIterator in iterable
  const iterator = isAsync ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]()
  const name = isAsync ? 'Symbol.asyncIterator' : 'Symbol.iterator'
  refusePromise(iterator, `[${name}] of a reply must return an iterator, not a promise: it must not be async`)
  return iterator
}

/** Receives the parts and the outcome of a stream. */
export interface StreamOwner {
  /** Sends one part. @returns whether more are wanted */
  sendPart(part: unknown): boolean
  streamFailed(error: unknown): void
  /** A stream that was cancelled failed afterwards, or its clean-up did. */
  cancelFailed(error: unknown): void
  /** A task of a stream ended: see {@link ReplyStreams.taskCount}. */
  streamEnded(): void
}

/** The reply streams of a connection. They run beside everything else and are cancelled when the connection closes. */
export class ReplyStreams {
  private readonly core: SocketCore
  private readonly owner: StreamOwner
  private readonly running = new Set<AnyIterator>()
  /**
   * How many tasks of streams have not ended; each calls `streamEnded` at its end. A stream that runs is one task. One that
   * {@link stop} cancels is two: its run, which may still wait for the iterator, and its clean-up.
   */
  taskCount = 0
  private isOver = false
  /** What was reported last: a part that is waited for, and the clean-up of its iterator, may fail with one error. */
  private lastFailure: { readonly error: unknown } | null = null

  constructor(core: SocketCore, owner: StreamOwner) {
    this.core = core
    this.owner = owner
  }

  /** Starts to send a stream part by part. Never throws. */
  start(iterable: AnyIterable): void {
    let iterator
    try {
      iterator = iteratorOf(iterable)
    } catch (error) {
      this.owner.streamFailed(error)
      return
    }
    this.taskCount++
    if (this.isOver) {
      void this.cancel(iterator).then(() => {
        this.ended()
      })
      return
    }
    this.running.add(iterator)
    void this.run(iterator)
  }

  /** The connection takes nothing any more: cancels each iterator at once. */
  stop(): void {
    this.isOver = true
    for (const iterator of [...this.running]) {
      this.running.delete(iterator)
      this.taskCount++
      void this.cancel(iterator).then(() => {
        this.ended()
      })
    }
  }

  private async run(iterator: AnyIterator): Promise<void> {
    try {
      for (let parts = 1; ; parts++) {
        // A stream that never waits would run in microtasks alone and starve everything else.
        if (parts % PARTS_A_TURN === 0) await nextTurn()
        // `return` may have been called during the wait: `next` must not be called after it.
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
      if (this.running.delete(iterator)) {
        this.lastFailure = { error }
        this.owner.streamFailed(error)
        await this.cancel(iterator)
      } else {
        // `stop` has taken it away, and cancels it.
        this.cancelFailed(error)
      }
    }
    this.running.delete(iterator)
    this.ended()
  }

  /** Whether the next part has to wait for room. Checked again after each wait: others may have taken the room. */
  private get isFull(): boolean {
    const { driver } = this.core
    return !this.isOver && driver.connection.isSendable && !driver.hasRoom
  }

  /** Waits for room, or for the end, which `stop` reports. Later parts are not made meanwhile. */
  private async room(): Promise<void> {
    await this.core.drained({}).catch(() => undefined)
  }

  /** Cancels an iterator. Never rejects: what its clean-up throws is reported. */
  private async cancel(iterator: AnyIterator): Promise<void> {
    try {
      await iterator.return?.()
    } catch (error) {
      this.cancelFailed(error)
    }
  }

  private cancelFailed(error: unknown): void {
    if (this.lastFailure !== null && this.lastFailure.error === error) return
    this.lastFailure = { error }
    this.owner.cancelFailed(error)
  }

  private ended(): void {
    this.taskCount--
    this.owner.streamEnded()
  }
}
