import type * as events from '../connection/events.js'
import { NoReply } from './no-reply.js'

/** How a connection ended. Frozen; a handler that returns it does not reply with it. A log shows it by this name. */
export class CloseInfo extends NoReply implements events.CloseInfo {
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
  readonly initiator: events.CloseInitiator
  readonly droppedMessages: number
  readonly unsentBytes: number

  constructor(info: events.CloseInfo, droppedMessages: number) {
    super()
    this.code = info.code
    this.reason = info.reason
    this.wasClean = info.wasClean
    this.initiator = info.initiator
    this.droppedMessages = droppedMessages
    this.unsentBytes = info.unsentBytes
    Object.freeze(this)
  }
}
