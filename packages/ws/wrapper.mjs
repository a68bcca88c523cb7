/** The ES module face of the drop-in: the names of the CommonJS one, so that a process has one copy of the classes. */
import WebSocket from './dist/index.js'

export const {
  createWebSocketStream,
  extension,
  PerMessageDeflate,
  Receiver,
  Sender,
  subprotocol,
  WebSocketServer,
} = WebSocket

export { WebSocket }
export default WebSocket
