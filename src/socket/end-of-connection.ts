import { CloseCode } from '../frame/close-code.js'
import type { CloseInfo, CloseInitiator } from '../connection/events.js'
import { showAs } from '../inspect.js'
import { NoReply } from './no-reply.js'

/**
 * The {@link CloseInfo} that the application gets: frozen, and with the messages that reached no handler or reader. A handler
 * that returns it does not reply with it.
 */
export class EndOfConnection extends NoReply implements CloseInfo {
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
  readonly initiator: CloseInitiator
  readonly droppedMessages: number
  readonly unsentBytes: number

  constructor(info: CloseInfo, droppedMessages: number) {
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

showAs(EndOfConnection, 'CloseInfo', (info) => Object.fromEntries(Object.entries(info)))

/** The end of a client that never had a connection. */
export const NEVER_OPEN: CloseInfo = Object.freeze({
  code: CloseCode.ABNORMAL_CLOSURE,
  reason: '',
  wasClean: false,
  initiator: 'local',
  droppedMessages: 0,
  unsentBytes: 0,
})
