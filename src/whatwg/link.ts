import { ConnectionClosedError, HandshakeError, ProtocolError, toError } from '../errors.js'
import type { ClientSocket } from '../client/client-socket.js'
import { connect } from '../client/connect.js'
import type { CloseInfo } from '../connection/events.js'
import { CloseCode } from '../frame/close-code.js'
import type { LimitOptions } from '../limits.js'
import type { ConnectionInit } from './init.js'

/** How a connection ended, in the terms of the standard. */
export interface Ending {
  /** The code of the peer's Close frame, or 1006 if none was received. */
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
  /** Bytes of messages and frames that the transport did not take. */
  readonly unsentBytes: number
  /** What went wrong, where that is known. */
  readonly error: Error | undefined
}

/** Who has a connection. Nothing of the application may run inside these calls. */
export interface LinkOwner {
  opened(socket: ClientSocket): void
  /** @param message bytes belong to the owner */
  received(message: string | Buffer): void
  /** Once, after everything else. */
  ended(ending: Ending): void
}

export interface LinkOptions {
  readonly protocols: readonly string[]
  readonly init: ConnectionInit
  readonly limits: LimitOptions
}

/** A connection from its first attempt to its end. */
export class Link {
  readonly #owner: LinkOwner
  readonly #attempt = new AbortController()
  #socket: ClientSocket | null = null
  #error: Error | undefined
  /** The connection was failed by this side: a Close code that this side chose is not the peer's. */
  #isFailed = false
  #isOver = false

  /** @throws TypeError or RangeError for a wrong option */
  constructor(url: string, { protocols, init, limits }: LinkOptions, owner: LinkOwner) {
    this.#owner = owner
    connect(url, {
      ...init,
      limits,
      protocols,
      signal: this.#attempt.signal,
      handlers: {
        onOpen: (socket) => {
          this.#opened(socket, protocols)
        },
        onMessage: (_, message) => {
          owner.received(message)
        },
        onError: (_, error) => {
          this.#error ??= toError(error)
          if (error instanceof ProtocolError) this.#isFailed = true
        },
        onClose: (_, info) => {
          this.#closed(info)
        },
      },
    }).catch((error: unknown) => {
      const code = CloseCode.ABNORMAL_CLOSURE
      this.#end({ code, reason: '', wasClean: false, unsentBytes: 0, error: toError(error) })
    })
  }

  /** Null until the connection is open. */
  get socket(): ClientSocket | null {
    return this.#socket
  }

  /** Fails the connection: ends the attempt, or cuts what is open. */
  fail(error: Error): void {
    this.#error ??= error
    if (this.#socket === null) this.#attempt.abort(error)
    else this.#socket.terminate()
  }

  #opened(socket: ClientSocket, protocols: readonly string[]): void {
    this.#socket = socket
    if (protocols.length === 0 || socket.protocol !== '') {
      this.#owner.opened(socket)
      return
    }
    // The standard wants one where RFC 6455 does not.
    this.fail(
      new HandshakeError('HAWSER_UNEXPECTED_PROTOCOL', {
        detail: 'none of those offered',
        url: socket.url.split('?', 1)[0],
      }),
    )
  }

  #closed(info: CloseInfo): void {
    const { wasClean, unsentBytes } = info
    const isPeers = wasClean || !this.#isFailed
    this.#end({
      code: isPeers ? info.code : CloseCode.ABNORMAL_CLOSURE,
      reason: isPeers ? info.reason : '',
      wasClean,
      unsentBytes,
      error: wasClean ? undefined : (this.#error ?? new ConnectionClosedError(info.code, info.reason)),
    })
  }

  #end(ending: Ending): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#owner.ended(ending)
  }
}
