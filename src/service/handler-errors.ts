import { ConnectionClosedError, toError, TransportError } from '../errors.js'
import { ReadyState } from '../connection/ready-state.js'
import { CloseCode } from '../frame/close-code.js'
import { isThenable } from '../socket/no-reply.js'
import type { Handlers } from './service.js'
import type { Socket } from '../socket/socket.js'

/** Whether an error says nothing new: what a wait throws that the end of its connection cut short. */
export function isOfTheEnd(socket: Socket, error: unknown): boolean {
  if (socket.readyState !== ReadyState.CLOSED) return false
  // The latter has no class of its own: what aborts is a DOMException, or an error of the library that waits.
  return error instanceof ConnectionClosedError || (error as { name?: unknown } | null)?.name === 'AbortError'
}

/** Reports what went wrong here: to `onError`, and to the socket whether anybody heard. Each error is heard once. */
export function reportError<S extends Socket>(
  socket: S,
  handlers: Handlers<S>,
  error: Error,
  isOfPeer = false,
): void {
  socket.handleFailure(error, isOfPeer || handlers.onError !== undefined)
  callOnError(socket, handlers, error)
}

/** Calls `onError`. What it throws, now or later, is an error of its own: it goes further up. */
export function callOnError<S extends Socket>(socket: S, handlers: Handlers<S>, error: Error): void {
  const failed = (later: unknown): void => {
    socket.handleFailure(toError(later), false)
  }
  try {
    const result: unknown = handlers.onError?.(socket, error)
    if (isThenable(result)) Promise.resolve(result).catch(failed)
  } catch (thrown) {
    failed(thrown)
  }
}

/** Whether the connection ended without having been failed. */
export const isLoss = (error: Error & { readonly closeCode?: number }): boolean =>
  error instanceof TransportError || error.closeCode === CloseCode.ABNORMAL_CLOSURE
