// The server of ws, for ws itself and for the drop-in: one program, so that nothing but the package differs.
import { createServer } from 'node:https'
import { flags, MAX_MESSAGE_BYTES, ready, tlsOptions } from './shared.mjs'

/** @param note gives what is said beside the port, once it listens */
export function serveWs(WebSocketServer, note = () => undefined) {
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
  if (https === null) server.on('listening', () => ready(server.address().port, note()))
  else https.listen(0, '127.0.0.1', () => ready(https.address().port, note()))
}
