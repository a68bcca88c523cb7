// faye-websocket; its compression is another package, which is not measured.
import { createServer } from 'node:http'
import FayeWebSocket from 'faye-websocket'
import { flags, MAX_MESSAGE_BYTES, ready } from './shared.mjs'

const sockets = new Set()
const http = createServer()
http.on('upgrade', (request, duplex, head) => {
  const socket = new FayeWebSocket(request, duplex, head, [], { maxLength: MAX_MESSAGE_BYTES })
  socket.on('error', () => undefined)
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
  socket.on('message', ({ data }) => {
    if (!flags.fanout) socket.send(data)
    else for (const one of sockets) one.send(data)
  })
})
http.listen(0, '127.0.0.1', () => ready(http.address().port))
