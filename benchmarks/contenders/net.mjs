// No WebSocket at all: a bare echo over net.Socket, the line of what Node's sockets allow.
import { createServer } from 'node:net'
import { ready } from './shared.mjs'

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => socket.write(chunk))
})
server.listen(0, '127.0.0.1', () => ready(server.address().port))
