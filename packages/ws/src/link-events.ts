/** What becomes of what a connection receives: its events, and the ends of its WebSocket. */
import { CloseCode } from '../../../src/frame/close-code.js'
import { STATUS_CODE } from './errors.js'
import type { LinkEvents } from './link.js'
import type { Receiver } from './receiver.js'
import { asBinaryType, READY_STATES, type BinaryType } from './values.js'

/** A WebSocket, as its connection sees it. */
export interface LinkedWebSocket {
  readonly _autoPong: boolean
  readonly _binaryType: BinaryType
  _closeCode: number
  _closeFrameReceived: boolean
  _closeMessage: Buffer
  readonly _closeTimer: NodeJS.Timeout | null
  readonly _ends: { readonly receiver: Receiver } | null
  _errorEmitted: boolean
  readonly _isServer: boolean
  readonly _maxPendingAutoPongs: number
  _pendingAutoPongs: number
  _readyState: number
  readonly _socket: { end(): unknown } | null
  close(code?: number, reason?: Buffer): void
  emit(event: string, ...values: unknown[]): boolean
  emitClose(): void
  pong(data: Buffer, mask: boolean, callback: () => void): void
  terminate(): void
  _limitClosing(): void
}

/** One for all connections. */
export const EVENTS: LinkEvents<LinkedWebSocket> = {
  received(of, data, isBinary) {
    const message = isBinary ? asBinaryType(data, of._binaryType) : data
    of.emit('message', message, isBinary)
    if (of._ends !== null) of._ends.receiver.emit('message', message, isBinary)
  },

  pinged(of, data) {
    if (of._autoPong && of._readyState === READY_STATES.OPEN) answerPing(of, data)
    of.emit('ping', data)
    of._ends?.receiver.emit('ping', data)
  },

  ponged(of, data) {
    of.emit('pong', data)
    of._ends?.receiver.emit('pong', data)
  },

  concluded(of, code, reason) {
    of._closeFrameReceived = true
    of._closeMessage = reason
    of._closeCode = code
    if (code === CloseCode.NO_STATUS_RECEIVED) of.close()
    else of.close(code, reason)
    of._ends?.receiver.emit('conclude', code, reason)
  },

  failed(of, error) {
    const isFirst = !of._errorEmitted
    of._errorEmitted = true
    of.close(error[STATUS_CODE])
    if (isFirst) of.emit('error', error)
  },

  broke(of, error) {
    if (of._readyState === READY_STATES.OPEN) {
      of._readyState = READY_STATES.CLOSING
      of._limitClosing()
    }
    of._socket?.end()
    if (of._errorEmitted) return
    of._errorEmitted = true
    of.emit('error', error)
  },

  closing(of) {
    of._readyState = READY_STATES.CLOSING
  },

  gone(of) {
    if (of._closeTimer !== null) clearTimeout(of._closeTimer)
    of.emitClose()
  },
}

/** A peer that sends pings and does not read the answers is cut off. */
function answerPing(of: LinkedWebSocket, data: Buffer): void {
  if (of._pendingAutoPongs >= of._maxPendingAutoPongs && of._maxPendingAutoPongs > 0) {
    of.terminate()
    return
  }
  of._pendingAutoPongs++
  of.pong(data, !of._isServer, () => {
    of._pendingAutoPongs--
  })
}
