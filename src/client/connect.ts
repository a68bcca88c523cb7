import { refuseSurplus } from '../check.js'
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
export function connect<Data = undefined>(
  url: string | URL,
  options?: ConnectOptions<Data>,
): Promise<ClientSocket<Data>>
export function connect<Data>(
  url: string | URL,
  options: ConnectOptions<Data> = {},
  surplus?: unknown,
): Promise<ClientSocket<Data>> {
  refuseSurplus(surplus, 'connect(url, options)', 'subprotocols are the option protocols')
  return attempt(resolveConnectOptions(url, options)) as Promise<ClientSocket<Data>>
}
