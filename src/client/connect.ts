import { refuseSurplus } from '../check.js'
import type { Codec, MessageOf } from '../service/codec.js'
import { toHeaderPairs } from '../socket/headers-input.js'
import { attempt, type Opening } from './attempt.js'
import { timedHandlers } from '../service/timed-handlers.js'
import type { ClientSocket } from './client-socket.js'
import { REAL_CLOCK } from './clock.js'
import {
  readConnectOptions,
  withTarget,
  type ConnectOptions,
  type ResolvedClientOptions,
} from './connect-options.js'
import { CLIENT_CHANNELS, type ClientMessages } from './diagnostics.js'
import type { ReconnectOptions, ResolvedReconnectOptions } from './reconnect-options.js'
import { resolveUrls, type ReconnectUrl, type Urls } from './reconnect-urls.js'
import { SocketOverConnections, type ReconnectingSocket } from './reconnecting-socket.js'
import { Reconnector, type Open } from './reconnector.js'
import { parseTarget } from '../dial/websocket-url.js'

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
>(
  url: ReconnectUrl,
  options: ConnectOptions<Data, C, H> & { readonly reconnect: true | ReconnectOptions },
): Promise<ReconnectingSocket<Data, MessageOf<C>>>
export function connect<
  Data = undefined,
  C extends Codec | undefined = undefined,
  H extends Codec | undefined = undefined,
>(url: string | URL, options?: ConnectOptions<Data, C, H>): Promise<ClientSocket<Data, MessageOf<C>>>
export function connect(url: ReconnectUrl, options: object = {}, surplus?: unknown): Promise<unknown> {
  refuseSurplus(surplus, 'connect(url, options)', 'subprotocols are the option protocols')
  const prepared = prepareConnect(url, options)
  return prepared.open(prepared.options)
}

/** What {@link connect} does, in two steps: everything is checked, and nothing is opened yet. */
export interface PreparedConnect {
  readonly options: ResolvedClientOptions
  /**
   * @param options those above, perhaps with other handlers
   * @param opening gets the socket that the application will have, before each `onOpen`
   */
  open(options: ResolvedClientOptions, opening?: Opening): Promise<ClientSocket>
}

/** @throws as {@link connect} does, at once */
export function prepareConnect(url: ReconnectUrl, given: object): PreparedConnect {
  const options = readConnectOptions(given)
  const { reconnect } = options
  if (reconnect !== null) {
    const urls = resolveUrls(url)
    return { options, open: (read, opening) => reconnecting(observed(read), reconnect, urls, opening) }
  }
  if (typeof url === 'function' || Array.isArray(url)) {
    throw new TypeError('url must be a string or a URL: a function, or a list, needs the option reconnect')
  }
  const { target } = withTarget(options, parseTarget(url as string | URL))
  return { options, open: (read, opening) => attempt(withTarget(observed(read), target), opening) }
}

/** One for each object of handlers: warnings are counted by it. */
const timedOnes = new WeakMap<object, ResolvedClientOptions['handlers']>()

/** The options: where the channel has a subscriber, each call of a handler is published when it is over. */
function observed(options: ResolvedClientOptions): ResolvedClientOptions {
  if (!CLIENT_CHANNELS.handler.hasSubscribers) return options
  let handlers = timedOnes.get(options.handlers)
  if (handlers === undefined) {
    handlers = timedHandlers(options.handlers, (call) => {
      CLIENT_CHANNELS.handler.publish({
        ...call,
        socket: call.socket as ClientSocket,
      } satisfies ClientMessages['hawser:client:handler'])
    })
    timedOnes.set(options.handlers, handlers)
  }
  return { ...options, handlers }
}

async function reconnecting(
  options: ResolvedClientOptions,
  settings: ResolvedReconnectOptions,
  urls: Urls,
  opening: Opening | undefined,
): Promise<ReconnectingSocket> {
  const { headers } = options
  // An iterable may be read once only, and is needed for each attempt.
  const again = typeof headers === 'function' ? headers : toHeaderPairs(headers)
  const open: Open =
    opening === undefined
      ? (one) => attempt(one)
      : (one) =>
          attempt(one, () => {
            opening(socket)
          })
  const reconnector = new Reconnector({ ...options, headers: again }, settings, urls, open, REAL_CLOCK)
  const socket = new SocketOverConnections(reconnector, options.data)
  await reconnector.start()
  return socket
}
