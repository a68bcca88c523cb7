/**
 * Where Node keeps the response that is under way on a connection of node:http: at `socket._httpMessage`. It puts the next
 * one there when that response has left.
 */
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { isNativeOn } from './native-switch.js'

type HttpStream = Duplex & { readonly _httpMessage?: unknown }

/** @returns null for none; to be used only where {@link canSeePendingResponse} */
export function pendingResponse(stream: Duplex): ServerResponse | null {
  const response = (stream as HttpStream)._httpMessage
  return response instanceof ServerResponse ? response : null
}

/** Whether a message of node:http is under way on this stream, in either direction, as far as Node shows it. */
export function isUsedByHttp(stream: Duplex): boolean {
  const message = (stream as HttpStream)._httpMessage
  return message !== undefined && message !== null
}

/** Whether this Node keeps the response there: tried with a response and a socket that does nothing. */
export function isKeptAtSocket(): boolean {
  try {
    const socket = new NetSocket()
    const response = new ServerResponse(new IncomingMessage(socket))
    response.assignSocket(socket)
    const isThere = pendingResponse(socket) === response
    response.detachSocket(socket)
    return isThere && (socket as HttpStream)._httpMessage === null
  } catch {
    return false
  }
}

let canSee: boolean | undefined

/** Whether {@link pendingResponse} may be used in this process. Found out once. */
export function canSeePendingResponse(): boolean {
  canSee ??= isNativeOn && isKeptAtSocket()
  return canSee
}
