/** `hawser/connection`: one WebSocket connection after its opening handshake, without I/O, timers or a clock. */
export { LimitError, ProtocolError, TransportError } from '../errors.js'
export { CloseCode } from '../frame/close-code.js'
export { CLIENT_LIMITS, SERVER_LIMITS } from '../limits.js'
export { Connection, ReadyState, type ConnectionOptions, type SendOptions } from './connection.js'
export type {
  CloseInfo,
  CloseInitiator,
  Closed,
  CloseReceived,
  ConnectionEvent,
  ErrorOccurred,
  IdleTimedOut,
  MessageReceived,
  PingReceived,
  PongReceived,
  Waker,
} from './events.js'
export type { MessageData } from './message-data.js'
export { PreparedMessage } from './prepared-message.js'
export type { MessageCodec } from '../extension/message-codec.js'
export type { Limits, LimitOptions } from '../limits.js'
