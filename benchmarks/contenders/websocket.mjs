// websocket (WebSocket-Node); it has no compression.
import { createServer } from 'node:http'
import websocket from 'websocket'
import { flags, MAX_MESSAGE_BYTES, ready } from './shared.mjs'

const http = createServer()
const server = new websocket.server({
  httpServer: http,
  autoAcceptConnections: true,
  maxReceivedFrameSize: MAX_MESSAGE_BYTES,
  maxReceivedMessageSize: MAX_MESSAGE_BYTES,
})
server.on('connect', (connection) => {
  connection.on('error', () => undefined)
  connection.on('message', (message) => {
    const targets = flags.fanout ? server.connections : [connection]
    for (const target of targets) {
      if (message.type === 'utf8') target.sendUTF(message.utf8Data)
      else target.sendBytes(message.binaryData)
    }
  })
})
http.listen(0, '127.0.0.1', () => ready(http.address().port))
