import type { CloseInfo } from '../connection/events.js'
import { HANDLER_NAMES } from '../service/service-names.js'
import type { Handlers } from '../service/service.js'
import type { ClientSocket } from './client-socket.js'

/** What a client that reconnects hears of its connections. */
export interface ConnectionListener {
  /** The socket that handlers get. */
  readonly socket: ClientSocket
  /**
   * The handshake is done.
   * @param onOpen the application's; to be called
   * @returns what `onOpen` returns, or a promise of it
   * @throws what it throws
   */
  connectionOpens(connection: ClientSocket, onOpen: () => unknown): unknown
  /** `onClose` was called: nothing of the connection follows. */
  connectionEnded(connection: ClientSocket): void
}

type Call = (this: unknown, socket: ClientSocket, ...values: unknown[]) => unknown

/** The same handlers for all connections of a client: they get its one socket. */
export function reconnectingHandlers(
  service: Handlers<ClientSocket>,
  listener: ConnectionListener,
): Handlers<ClientSocket> {
  const handlers = Object.create(service) as Record<string, unknown>
  for (const name of HANDLER_NAMES) {
    const inner = (service as Readonly<Record<string, unknown>>)[name] as Call | undefined
    if (inner === undefined) continue
    handlers[name] = (_connection: ClientSocket, ...values: unknown[]): unknown =>
      inner.call(service, listener.socket, ...values)
  }
  handlers['onOpen'] = (connection: ClientSocket): unknown =>
    listener.connectionOpens(connection, () => service.onOpen?.(listener.socket))
  handlers['onClose'] = (connection: ClientSocket, info: CloseInfo): unknown => {
    try {
      return service.onClose?.(listener.socket, info)
    } finally {
      listener.connectionEnded(connection)
    }
  }
  return handlers
}
