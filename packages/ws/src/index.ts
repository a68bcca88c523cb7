/**
 * The root of the drop-in, as `require('ws')` gives it: the class WebSocket, and on it everything else that `ws` has by name.
 * `scripts/build-drop-in.mjs` makes its default export `module.exports`; `wrapper.mjs` is the face for `import`.
 */
import { extension } from './extension.js'
import { PerMessageDeflate } from './permessage-deflate.js'
import { Receiver } from './receiver.js'
import { Sender } from './sender.js'
import { createWebSocketStream } from './stream.js'
import { subprotocol } from './subprotocol.js'
import { WebSocket } from './websocket.js'
import { WebSocketServer } from './websocket-server.js'

export default Object.assign(WebSocket, {
  createWebSocketStream,
  extension,
  PerMessageDeflate,
  Receiver,
  Sender,
  Server: WebSocketServer,
  subprotocol,
  WebSocket,
  WebSocketServer,
})
