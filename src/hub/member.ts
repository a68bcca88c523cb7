import type { ReadyState } from '../connection/ready-state.js'
import type { Receiver } from '../socket/fan-out.js'

/** A connection, as far as names and groups are concerned: the public socket has all of it. */
export interface Member extends Receiver {
  readonly readyState: ReadyState
  close(code?: number, reason?: string): unknown
}
