/** Bun, in both roles. */
/* global Bun, WebSocket */
import { main, PROTOCOL, report, settings } from '../shared/program.mjs'
import { serveWebSocket } from '../shared/whatwg.mjs'

const BYTES = 32 * 1024 * 1024

function pingAnd(socket, answered) {
  socket.addEventListener('pong', ({ data }) => answered(Buffer.from(data).toString()))
  socket.ping('peer')
}

const websocket = {
  maxPayloadLength: BYTES,
  backpressureLimit: 2 * BYTES,
  open(socket) {
    const { action, code, reason } = socket.data
    if (action === 'ping') socket.ping('peer')
    if (action === 'close') socket.close(code, reason)
  },
  message(socket, message) {
    socket.send(message, socket.data.isCompressed)
  },
  pong(socket, data) {
    if (socket.data.action === 'ping') socket.send(`pong ${data.toString()}`)
  },
  close(socket, closeCode, closeReason) {
    report({ case: socket.data.id, open: true, closeCode, closeReason })
  },
}

await main({
  serve(deflate) {
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      websocket: { ...websocket, perMessageDeflate: deflate !== null },
      fetch(request, bun) {
        const wanted = settings(request.url)
        if (wanted.isRefused) return new Response('who are you?', { status: 401 })
        const offered = request.headers.get('Sec-WebSocket-Protocol') ?? ''
        const headers = offered.includes(PROTOCOL) ? { 'Sec-WebSocket-Protocol': PROTOCOL } : {}
        if (!bun.upgrade(request, { data: { ...wanted, isCompressed: deflate !== null }, headers }))
          return new Response('no upgrade', { status: 400 })
      },
    })
    return Promise.resolve(server.port)
  },
  run: ({ url, protocols }) => serveWebSocket(new WebSocket(url, protocols), settings(url), pingAnd),
})
