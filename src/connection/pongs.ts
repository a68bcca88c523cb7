import { Opcode } from '../frame/opcode.js'
import type { Sender } from './sender.js'

/**
 * Limits the pongs that the transport has not taken yet. Above the limit only the newest ping is answered, as RFC
 * 6455 section 5.5.3 allows.
 */
export class Pongs {
  private readonly sender: Sender
  private readonly max: number
  private pending = 0
  /** The payload of the newest ping above the limit, which is still to be answered. */
  private late: Buffer | null = null

  /** @param max at least 1 */
  constructor(sender: Sender, max: number) {
    this.sender = sender
    this.max = max
  }

  /**
   * Queues a pong, or keeps its payload for later if the limit is reached.
   * @param payload the receiver of the ping event may hold the same memory, so it is copied if it is kept
   * @param isAnswer whether it answers a ping. An unsolicited pong does not replace a waiting answer
   * @param isLimited whether the limit applies: see `Connection.answersAllPings`
   */
  send(payload: Buffer, isAnswer: boolean, isLimited: boolean): void {
    if (isLimited && this.pending >= this.max) {
      if (isAnswer || this.late === null) this.late = Buffer.from(payload)
      return
    }
    this.pending++
    this.sender.sendControl(Opcode.PONG, payload)
  }

  /** Reports that the output is being taken. @param isSendable whether the kept pong may still be sent */
  taken(isSendable: boolean): void {
    this.pending = 0
    if (this.late === null) return
    const payload = this.late
    this.late = null
    if (isSendable) this.send(payload, true, true)
  }
}
