/**
 * `hawser/whatwg`: the `WebSocket` of browsers, and `WebSocketStream` with backpressure in both directions, as the WHATWG's
 * standard has them (https://websockets.spec.whatwg.org).
 */
export { WebSocket, type BinaryType, type WebSocketEventMap, type WebSocketEventTarget } from './websocket.js'
export { WebSocketStream, type WebSocketOpenInfo, type WebSocketStreamOptions } from './websocket-stream.js'
export { WebSocketError } from './websocket-error.js'
export type { StreamInput, StreamOutput } from './stream-pair.js'
export type { WebSocketCloseInfo } from './closing.js'
export type { WebSocketInit } from './init.js'
export { CloseEvent, type CloseEventInit, type ErrorEvent, type MessageEvent } from './events.js'
