import type { Duplex } from 'node:stream'
import { callbackOf, type SendCallback } from './callbacks.js'
import type { Outgoing } from './outgoing.js'

/** What programs find at `_sender` of a WebSocket: the way for frames that they made by `Sender.frame`. */
export class FrameSender {
  readonly _socket: Duplex
  private readonly outgoing: Outgoing

  constructor(outgoing: Outgoing, socket: Duplex) {
    this.outgoing = outgoing
    this._socket = socket
  }

  /** Bytes that wait, beside those of the socket. */
  get _bufferedBytes(): number {
    return this.outgoing.queuedBytes
  }

  /** Writes frames, after all that was sent before. @param list nobody changes the pieces any more */
  sendFrame(list: readonly (string | Uint8Array)[], callback?: SendCallback): void {
    this.outgoing.sendFrame(list, callbackOf(callback))
  }
}
