import type { Receiver } from './receiver.js'
import type { Receivers } from './receivers.js'

/**
 * The input of a connection: the receiver that it has while bytes are looked at. A base class and not a part: an object less for each
 * connection.
 */
export abstract class InputSide {
  /** Where receivers are lent. */
  protected readonly receivers: Receivers
  /** Lent while bytes are looked at, and while a message or a frame is not complete; else null. */
  protected receiver: Receiver | null = null
  /** The received bytes of data frames when the last receiver was given back. */
  protected earlierBytes = 0

  constructor(receivers: Receivers) {
    this.receivers = receivers
  }

  /** The received bytes of data frames; each header counts as 2 bytes. */
  get receivedDataBytes(): number {
    return this.receiver === null ? this.earlierBytes : this.receiver.dataBytes
  }

  /** Whether part of a message was received, and nothing after it. */
  get isInMessage(): boolean {
    return this.receiver?.isInMessage === true
  }

  /** Copies the unconsumed rest of a lent chunk. Its memory then belongs to the caller again. */
  keepInput(): void {
    const { receiver } = this
    if (receiver === null) return
    receiver.keepInput()
    if (!receiver.isAtRest) return
    this.earlierBytes = receiver.dataBytes
    this.receiver = null
    this.receivers.giveBack(receiver)
  }

  /** The last frame of the peer was received. What follows it is not parsed. */
  protected finishInput(): void {
    const { receiver } = this
    if (receiver?.isLent === true && receiver.isAtRest) this.keepInput()
    else this.dropInput()
  }

  /** Lets go of what was received and is not parsed any more: what waits, and the part of a message. */
  protected dropInput(): void {
    if (this.receiver === null) return
    this.earlierBytes = this.receiver.dataBytes
    this.receiver = null
  }
}
