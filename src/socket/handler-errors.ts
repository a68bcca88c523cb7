import { ConnectionClosedError, toError, TransportError } from '../errors.js'
import { ReadyState } from '../connection/connection.js'
import { CloseCode } from '../frame/close-code.js'
import { isThenable } from './reply-values.js'
import type { Handlers } from './service.js'
import type { Socket } from './socket.js'

/** Sees that each error of a connection is heard once: by `onError`, or further up. */
export class HandlerErrors<S extends Socket> {
  private readonly socket: S
  private handlers!: Handlers<S>

  constructor(socket: S) {
    this.socket = socket
  }

  use(handlers: Handlers<S>): void {
    this.handlers = handlers
  }

  /** Whether this says nothing new: what a wait throws that the end of its connection cut short. */
  isOfTheEnd(error: unknown): boolean {
    if (this.socket.readyState !== ReadyState.CLOSED) return false
    // The latter has no class of its own: what aborts is a DOMException, or an error of the library that waits.
    return (
      error instanceof ConnectionClosedError || (error as { name?: unknown } | null)?.name === 'AbortError'
    )
  }

  /** Reports what went wrong here: to `onError`, and to the socket whether anybody heard. */
  report(error: Error, isOfPeer = false): void {
    this.socket.handleFailure(error, isOfPeer || this.handlers.onError !== undefined)
    this.call(error)
  }

  /** Calls `onError`. What it throws, now or later, is an error of its own: it goes further up. */
  call(error: Error): void {
    const failed = (later: unknown): void => {
      this.socket.handleFailure(toError(later), false)
    }
    try {
      const result: unknown = this.handlers.onError?.(this.socket, error)
      if (isThenable(result)) Promise.resolve(result).catch(failed)
    } catch (thrown) {
      failed(thrown)
    }
  }
}

/** Whether the connection ended without having been failed. */
export const isLoss = (error: Error & { readonly closeCode?: number }): boolean =>
  error instanceof TransportError || error.closeCode === CloseCode.ABNORMAL_CLOSURE
