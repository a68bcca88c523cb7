import { refuseSurplus } from '../check.js'
import type { Codec, MessageOf } from '../service/codec.js'
import { attempt } from './attempt.js'
import type { ClientSocket } from './client-socket.js'
import { resolveConnectOptions, type ConnectOptions } from './connect-options.js'

export type { ConnectOptions }

/**
 * Opens a connection (RFC 6455 section 4.1).
 * @param url ws, wss, http, https, `ws+unix:/path/to/socket:/target`; credentials become basic authentication
 * @returns the open connection; messages received together with the handshake are kept for it
 * @throws SyntaxError, TypeError or RangeError for a wrong url or option, at once; the promise rejects with HandshakeError
 *   (its message names the URL without credentials and query, its `response` is the server's answer), with the
 *   system's error as `cause` where there is one, or with the reason of the signal
 * @example
 * ```ts
 * const socket = await connect('ws://localhost:8080/rooms/dogs', { handshakeTimeoutMs: 5000 })
 * console.log(await socket.receive()) // welcome to dogs
 * await socket.close(1000)
 * ```
 */
export function connect<
  Data = undefined,
  C extends Codec | undefined = undefined,
  H extends Codec | undefined = undefined,
>(url: string | URL, options?: ConnectOptions<Data, C, H>): Promise<ClientSocket<Data, MessageOf<C>>>
export function connect(url: string | URL, options: object = {}, surplus?: unknown): Promise<unknown> {
  refuseSurplus(surplus, 'connect(url, options)', 'subprotocols are the option protocols')
  return attempt(resolveConnectOptions(url, options))
}
