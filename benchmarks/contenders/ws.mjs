// ws with its defaults, but for compression (off unless --deflate; its threshold does not count where it keeps a context)
// and the bound on large messages. With WS_NO_BUFFER_UTIL=1 it runs without its native add-on.
import { createServer } from 'node:https'
import { WebSocketServer } from 'ws'
import { flags, MAX_MESSAGE_BYTES, ready, tlsOptions } from './shared.mjs'

const tls = tlsOptions()
const https = tls === undefined ? null : createServer(tls)
const server = new WebSocketServer({
  ...(https === null ? { host: '127.0.0.1', port: 0 } : { server: https }),
  perMessageDeflate: flags.deflate,
  maxPayload: MAX_MESSAGE_BYTES,
})
server.on('connection', (socket) => {
  socket.on('error', () => undefined)
  if (flags.fanout) {
    socket.on('message', (data, isBinary) => {
      for (const client of server.clients) client.send(data, { binary: isBinary })
    })
  } else {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  }
})
if (https === null) server.on('listening', () => ready(server.address().port))
else https.listen(0, '127.0.0.1', () => ready(https.address().port))
