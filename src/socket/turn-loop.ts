import { inputTurns, LARGE_CHUNK_BYTES } from './input-turns.js'
import { Hold, RunLoop } from './run-loop.js'

/**
 * A connection's loop with its turns: where much input comes at once, others are read before this connection is read on
 * (docs/backpressure.md, "Much at once"). A base class and not a part: an object less for each connection.
 */
export abstract class TurnLoop extends RunLoop {
  /** The next {@link flush} pulls as well. */
  protected mustPull = false
  /** Whether a chunk was received after the handshake, or much came with it. */
  private hasReceived = false

  /** Writes, and pulls if {@link mustPull}. */
  abstract flush(): void

  /** Whether the connection is over, so that nothing is scheduled any more. */
  protected abstract get isGone(): boolean

  /**
   * Bytes were received on a connection that is not open.
   * @param isEnded all output is sent, and the transport's output ended
   * @returns whether the peer is held back
   */
  protected abstract holdsBack(count: number, isEnded: boolean): boolean

  /** Stops reading, so that TCP slows the peer down. */
  protected abstract stopReading(reason: Hold): void

  /**
   * The connection opens. Of many that open together only a few begin: the others are not read, and what came with the handshake waits
   * if it is much.
   * @param length bytes that came with the handshake
   */
  protected begin(length: number): void {
    const early = length >= LARGE_CHUNK_BYTES ? length : 0
    this.hasReceived = early > 0
    const begins = inputTurns.begin(this, early)
    if (begins !== 'now') this.stopReading(Hold.TURN)
    if (begins !== 'later') this.release(Hold.START)
  }

  /** Others had their turn: begins if it has not, pulls, and reads on. */
  takeTurn(): void {
    this.release(Hold.START)
    this.release(Hold.TURN)
    this.mustPull = true
    this.flush()
  }

  /** Much input came at once: others get their turn before this connection is read on. @param length of its last chunk */
  protected waitForTurn(length: number): void {
    if (this.isGone) return
    this.holdBy(Hold.TURN)
    inputTurns.add(this, length)
  }

  /**
   * A chunk was handled.
   * @param now when it was received
   * @param isEnded see {@link holdsBack}
   * @returns whether the connection waits for a later turn, or its peer is held back
   */
  protected waitsAfter(length: number, now: number, isOpen: boolean, isEnded: boolean): boolean {
    const isFirst = !this.hasReceived
    this.hasReceived = true
    const isOver = length >= LARGE_CHUNK_BYTES && inputTurns.noteLarge(length, now, isFirst)
    if (!isOpen && this.holdsBack(length, isEnded)) return true
    if (isOver) this.waitForTurn(length)
    return isOver
  }

  /** The handlers always cause more work: others get their turn. */
  protected runLater(): void {
    setImmediate(() => {
      this.mustPull = true
      this.flush()
    })
  }

  /** The connection is over. */
  protected endTurns(): void {
    inputTurns.remove(this)
  }
}
