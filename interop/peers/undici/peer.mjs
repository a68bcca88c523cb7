/** undici's WebSocket and WebSocketStream, as clients. */
import diagnostics from 'node:diagnostics_channel'
import { ping, WebSocket, WebSocketStream } from 'undici'
import { main, settings } from '../shared/program.mjs'
import { serveStream, serveWebSocket } from '../shared/whatwg.mjs'

function pingAnd(socket, answered) {
  diagnostics.subscribe('undici:websocket:pong', (message) => {
    if (message.websocket === socket) answered(message.payload.toString())
  })
  ping(socket, Buffer.from('peer'))
}

const CLIENTS = {
  websocket: ({ url, protocols }) => serveWebSocket(new WebSocket(url, protocols), settings(url), pingAnd),
  stream: ({ url, protocols }) => serveStream(new WebSocketStream(url, { protocols }), settings(url)),
}

const [api, ...args] = process.argv.slice(2)
await main({ run: CLIENTS[api] }, args)
