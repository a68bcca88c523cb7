import type { ReadyState } from '../connection/ready-state.js'
import type { Recipient } from '../socket/fan-out.js'

/** A connection, as far as names and groups are concerned: a socket has all of it. */
export interface Member extends Recipient {
  readonly readyState: ReadyState
  close(code?: number, reason?: string): unknown
}
