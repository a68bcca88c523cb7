import { Opcode } from '../frame/opcode.js'
import type { Sender } from './sender.js'

/**
 * Pongs that the transport did not take yet are few: above their limit only the newest ping is answered, as
 * RFC 6455 section 5.5.3 allows.
 */
export class Pongs {
  private readonly sender: Sender
  private readonly max: number
  private pending = 0
  /** The newest ping above the limit. */
  private late: Buffer | null = null

  /** @param max at least 1 */
  constructor(sender: Sender, max: number) {
    this.sender = sender
    this.max = max
  }

  /**
   * @param payload the same memory may be in the hands of who pulled the ping
   * @param isAnswer what nobody asked for does not take the place of an answer
   * @param isLimited see `Connection.answersAllPings`
   */
  send(payload: Buffer, isAnswer: boolean, isLimited: boolean): void {
    if (isLimited && this.pending >= this.max) {
      if (isAnswer || this.late === null) this.late = Buffer.from(payload)
      return
    }
    this.pending++
    this.sender.sendControl(Opcode.PONG, payload)
  }

  /** The output is being taken. @param isSendable whether the late one may still go out */
  taken(isSendable: boolean): void {
    this.pending = 0
    if (this.late === null) return
    const payload = this.late
    this.late = null
    if (isSendable) this.send(payload, true, true)
  }
}
