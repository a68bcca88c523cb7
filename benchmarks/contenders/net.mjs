// No WebSocket at all: a bare echo over net.Socket, or over the TLSSocket with --tls: the line of what Node's sockets allow.
import { createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { ready, tlsOptions } from './shared.mjs'

const echo = (socket) => {
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => socket.write(chunk))
}

const tls = tlsOptions()
const server = tls === undefined ? createServer({ noDelay: true }, echo) : createTlsServer(tls, echo)
server.listen(0, '127.0.0.1', () => ready(server.address().port))
