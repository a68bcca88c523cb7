/**
 * Hawser: WebSockets (RFC 6455, RFC 7692) for Node. Server and client; `hawser/json` and `hawser/endpoints` build on them.
 * The engine is public as well: `hawser/frame`, `hawser/handshake`, `hawser/deflate`, `hawser/connection`. Servers of
 * several processes are joined by `hawser/backplane`.
 */
export { WebSocketServer } from './server/websocket-server.js'
export type { ListenOptions } from './server/listen-options.js'
export type { ServerOptions, ServiceSettings } from './server/options.js'
export {
  accept,
  reject,
  type Accept,
  type Reject,
  type Route,
  type ServerService,
  type ServiceFactory,
  type UpgradeInfo,
} from './server/server-service.js'
export type { ServerStats, SocketList } from './server/diagnostics.js'
export type { ObservedServer } from './server/server-messages.js'
export type { HandshakeQuotaOptions } from './server/handshake-quotas.js'
export type { QuotaAction, QuotaDecider, QuotaInfo, QuotaKind, QuotaOptions } from './server/quota-options.js'
export type { ServerSocket } from './server/server-socket.js'
export type { Group } from './hub/group.js'
export type { ConnectionRegistry, NameDelivery } from './hub/connection-registry.js'
export { connect, type ConnectOptions } from './client/connect.js'
export type { ProxyOptions } from './dial/proxy.js'
export type { ClientSocket } from './client/client-socket.js'
export type { ReconnectOptions } from './client/reconnect-options.js'
export type { ReconnectUrl } from './client/reconnect-urls.js'
export type { ReconnectCause } from './client/retry-rule.js'
export type { ReconnectingSocket } from './client/reconnecting-socket.js'
export { clients, type ClientInfo, type Clients, type ClientsConnectOptions } from './endpoints/clients.js'
export { closeWith, type CloseReply, type Reply, type Service } from './service/service.js'
export type { Socket } from './socket/socket.js'
export type { Delivery } from './socket/fan-out.js'
export { ReadyState } from './connection/connection.js'
export { PreparedMessage } from './connection/prepared-message.js'
export type { CloseInfo } from './connection/events.js'
export type { DiagnosticsMessages } from './diagnostics-messages.js'
export type { MessageData } from './connection/message-data.js'
export { CloseCode } from './frame/close-code.js'
export {
  ConnectionClosedError,
  HandshakeError,
  InvalidMessageError,
  InvalidStateError,
  LimitError,
  NameTakenError,
  ProtocolError,
  PublishError,
  TransportError,
  UnknownConnectionError,
} from './errors.js'
export { CLIENT_LIMITS, SERVER_LIMITS, type LimitOptions, type Limits } from './limits.js'
