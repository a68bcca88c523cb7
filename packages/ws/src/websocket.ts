import { EventEmitter } from 'node:events'

/** The states of a connection, by the names and numbers of the standard. */
export const READY_STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const

/** A WebSocket connection with the face of that of `ws`. */
export class WebSocket extends EventEmitter {}

for (const [name, value] of Object.entries(READY_STATES)) {
  const constant = { enumerable: true, value }
  Object.defineProperty(WebSocket, name, constant)
  Object.defineProperty(WebSocket.prototype, name, constant)
}
