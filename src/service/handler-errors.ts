import { contain } from '../check.js'
import { ConnectionClosedError, toError, TransportError } from '../errors.js'
import { ReadyState } from '../connection/ready-state.js'
import { CloseCode } from '../frame/close-code.js'
import type { Handlers } from './service.js'
import type { SocketCore } from '../socket/socket-core.js'
import type { Socket } from '../socket/socket.js'

/** Whether a handler failed only because the end of its connection aborted what it waited for. */
export function isOfTheEnd(socket: Socket, error: unknown): boolean {
  if (socket.readyState !== ReadyState.CLOSED) return false
  return isAbort(error)
}

function isAbort(error: unknown): boolean {
  try {
    // An AbortError has no class of its own: it is a DOMException, or an error of the library that waits.
    return (
      error instanceof ConnectionClosedError || (error as { name?: unknown } | null)?.name === 'AbortError'
    )
  } catch {
    return false
  }
}

/** Whether an iterator failed only because it was cancelled: by `socket.signal`, or since its stream was destroyed. */
export function isOfCancel(error: unknown): boolean {
  if (isAbort(error)) return true
  try {
    const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: unknown }
    return code === 'ERR_STREAM_PREMATURE_CLOSE' || isAbort(cause)
  } catch {
    return false
  }
}

/** Reports an error once: to `onError`, or, if there is none, to the owner of the socket. */
export function reportError<S extends Socket>(
  core: SocketCore<S>,
  handlers: Handlers<S>,
  error: Error,
  isOfPeer = false,
): void {
  core.handleFailure(error, isOfPeer || handlers.onError !== undefined)
  callOnError(core, handlers, error)
}

/** Calls `onError`. An error that it throws, now or later, is reported to the owner of the socket. */
export function callOnError<S extends Socket>(
  core: Pick<SocketCore<S>, 'socket' | 'handleFailure'>,
  handlers: Handlers<S>,
  error: Error,
): void {
  contain(
    () => handlers.onError?.(core.socket, error),
    (thrown) => {
      core.handleFailure(toError(thrown), false)
    },
  )
}

/** Whether the connection was lost rather than failed. */
export const isLoss = (error: Error & { readonly closeCode?: number }): boolean =>
  error instanceof TransportError || error.closeCode === CloseCode.ABNORMAL_CLOSURE
