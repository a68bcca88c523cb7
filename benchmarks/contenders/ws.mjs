// ws with its defaults, but for compression (off unless --deflate; its threshold does not count where it keeps a context)
// and the bound on large messages. With WS_NO_BUFFER_UTIL=1 it runs without its native add-ons.
import { isUtf8 } from 'node:buffer'
import http from 'node:http'
import { createServer } from 'node:https'
import { createRequire } from 'node:module'
import { WebSocketServer } from 'ws'
import { flags, MAX_MESSAGE_BYTES, ready, tlsOptions } from './shared.mjs'

/** What of the two native add-ons, which are both installed, ws has loaded in this process, and what it uses instead. */
function readHelpers() {
  const loaded = Object.keys(createRequire(import.meta.url).cache).filter((file) => file.endsWith('.node'))
  const has = (name) => loaded.some((file) => file.includes(`/node_modules/${name}/`))
  const mask = has('bufferutil')
    ? 'bufferutil'
    : typeof http.websocketMask === 'function'
      ? 'websocketMask of node:http'
      : 'JavaScript'
  const utf8 = has('utf-8-validate')
    ? 'utf-8-validate'
    : typeof isUtf8 === 'function'
      ? 'isUtf8 of node:buffer'
      : 'JavaScript'
  return `masks by ${mask}, validates UTF-8 by ${utf8}`
}

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
if (https === null) server.on('listening', () => ready(server.address().port, readHelpers()))
else https.listen(0, '127.0.0.1', () => ready(https.address().port, readHelpers()))
