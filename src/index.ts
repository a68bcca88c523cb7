/**
 * Hawser: WebSockets (RFC 6455, RFC 7692) for Node. Server and client over an engine that is public as well:
 * `hawser/frame`, `hawser/handshake`, `hawser/deflate`, `hawser/connection`. Servers of several processes are joined by
 * `hawser/backplane`.
 */
export { WebSocketServer, type CloseOptions } from './server/websocket-server.js'
export type { ProtocolChooser, ServerOptions, ServiceSettings } from './server/options.js'
export type { OriginRule } from './server/origin.js'
export {
  accept,
  reject,
  type Accept,
  type AcceptOptions,
  type Reject,
  type CodecService,
  type ServerService,
  type ServiceFactory,
  type UpgradeInfo,
} from './server/service.js'
export type { Route } from './server/route.js'
export type { PathParams } from './server/path-matching.js'
export type { EndpointInfo, EndpointOptions, ServiceModule } from './server/endpoints.js'
export { currentEvent, trackEvents, type CurrentEvent } from './server/current-event.js'
export type { ServerStats, SocketList } from './server/diagnostics.js'
export {
  router,
  type CheckedRouterOptions,
  type RouterHandlers,
  type RouterOptions,
  type RouterPart,
} from './server/router.js'
export type { ServerSocket } from './server/server-socket.js'
export type { Group } from './hub/group.js'
export type { ConnectionRegistry, SetOptions } from './hub/connection-registry.js'
export type { NameConflictPolicy } from './hub/names.js'
export type { HubLimitOptions } from './hub/hub-limits.js'
export { connect, type ConnectOptions } from './client/connect.js'
export type { ClientSocket } from './client/client-socket.js'
export { closeWith, type CloseReply, type Reply, type ReplyStream, type Service } from './service/service.js'
export { json, type Codec, type StandardSchema } from './service/codec.js'
export type { Socket, SocketInfo } from './socket/socket.js'
export type { Delivery, FanOutOptions } from './socket/fan-out.js'
export type { SlowConsumerPolicy } from './socket/driver-owner.js'
export type { WaitOptions } from './socket/waiters.js'
export type { HeaderFields } from './handshake/header-fields.js'
export type { HeadersInput } from './socket/headers-input.js'
export { ReadyState, type SendOptions } from './connection/connection.js'
export { PreparedMessage } from './connection/prepared-message.js'
export type { CloseInfo, CloseInitiator } from './connection/events.js'
export type { MessageData } from './connection/message-data.js'
export type { PerMessageDeflateOptions } from './deflate/options.js'
export { CloseCode } from './frame/close-code.js'
export {
  ConnectionClosedError,
  HandshakeError,
  InvalidMessageError,
  InvalidStateError,
  LimitError,
  NameTakenError,
  ProtocolError,
  TransportError,
  UnknownConnectionError,
  type HandshakeErrorCode,
  type HandshakeResponse,
  type InvalidMessageKind,
  type LimitErrorCode,
  type MessageIssue,
  type ProtocolErrorCode,
} from './errors.js'
export { CLIENT_LIMITS, SERVER_LIMITS, type LimitOptions, type Limits } from './limits.js'
