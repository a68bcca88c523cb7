// The drop-in for ws: the program of ws, with the one package replaced.
import { createRequire } from 'node:module'
import { MAX_MESSAGE_BYTES, flags, ready, tlsOptions } from './shared.mjs'
import { createServer } from 'node:https'

const { WebSocketServer } = createRequire(import.meta.url)('../../packages/ws/dist/index.js')

const tls = tlsOptions()
const https = tls === undefined ? null : createServer(tls)
const server = new WebSocketServer({
  ...(https === null ? { host: '127.0.0.1', port: 0 } : { server: https }),
  perMessageDeflate: flags.deflate,
  maxPayload: MAX_MESSAGE_BYTES,
})
server.on('connection', (socket) => {
  socket.on('error', () => undefined)
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})
if (https === null) server.on('listening', () => ready(server.address().port))
else https.listen(0, '127.0.0.1', () => ready(https.address().port))
