import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ignoreErrors } from '../socket/handshake-io.js'
import { timerWheel, type Timed } from '../transport/timer-wheel.js'
import { EarlyBytes } from './early-bytes.js'
import { owedAnswer } from './owed-answers.js'

/** Node gives up the connection to the listener for 'upgrade'; some of what it did for the earlier answers is lost. */
type Socket = Duplex & { setTimeout?(timeoutMs: number): unknown }

/**
 * The wait of an upgrade until every earlier request of its connection is answered. What the peer sends meanwhile is
 * kept, up to a bound. A connection on which the earlier answer does not come in time is cut: a second answer on top
 * of the first would be read as a part of it.
 */
export class Turn implements Timed {
  timerSlot = -1
  private readonly duplex: Socket
  private readonly request: IncomingMessage
  private readonly early = new EarlyBytes()
  private readonly done: (early: Buffer | null) => void
  private isOver = false

  /**
   * @param owed the answer that is under way
   * @param dueAt when the connection is cut, of `monotonicNow`
   * @param done called once: with what the peer sent meanwhile, or with null if the connection is over
   */
  constructor(
    duplex: Duplex,
    request: IncomingMessage,
    owed: ServerResponse,
    dueAt: number,
    done: (early: Buffer | null) => void,
  ) {
    this.duplex = duplex
    this.request = request
    this.done = done
    ignoreErrors(duplex)
    duplex.on('close', this.lose)
    duplex.on('drain', this.forwardDrain)
    duplex.on('data', this.keep)
    timerWheel.schedule(this, dueAt)
    owed.once('close', this.look)
    // It may have become empty before anybody listened.
    if (duplex.writableLength === 0) process.nextTick(this.forwardDrain)
  }

  timeIsUp(): void {
    this.duplex.destroy()
    this.lose()
  }

  /** An answer is complete, or lost with its connection. */
  private readonly look = (): void => {
    if (this.isOver) return
    const { duplex } = this
    const owed = owedAnswer(duplex, this.request)
    if (owed !== null) {
      owed.once('close', this.look)
      return
    }
    // The earlier answer said `Connection: close`: Node ends the connection, and nothing after it is a request.
    if (duplex.destroyed || !duplex.writable) {
      this.lose()
      return
    }
    this.finish()
    // Until the next owner reads.
    duplex.pause()
    // Node's timeout for the next request of a connection that is kept.
    duplex.setTimeout?.(0)
    this.done(this.early.take())
  }

  private readonly lose = (): void => {
    if (this.isOver) return
    this.finish()
    this.duplex.resume()
    this.done(null)
  }

  private readonly keep = (chunk: Uint8Array): void => {
    if (!this.early.push(chunk)) this.duplex.pause()
  }

  /** Node's own listener for this is gone: without it an answer that waits for room would wait for ever. */
  private readonly forwardDrain = (): void => {
    const owed = this.isOver ? null : owedAnswer(this.duplex, this.request)
    if (owed?.writableNeedDrain === true) owed.emit('drain')
  }

  private finish(): void {
    const { duplex } = this
    this.isOver = true
    timerWheel.cancel(this)
    duplex.off('close', this.lose)
    duplex.off('drain', this.forwardDrain)
    duplex.off('data', this.keep)
  }
}
