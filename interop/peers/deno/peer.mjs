/** Deno's WebSocket in both roles, and its WebSocketStream as a client. */
/* global Deno, WebSocket, WebSocketStream */
import process from 'node:process'
import { main, PROTOCOL, report, settings } from '../shared/program.mjs'
import { serveStream, serveWebSocket } from '../shared/whatwg.mjs'

const PROGRAMS = {
  websocket: {
    async serve() {
      const server = Deno.serve({ hostname: '127.0.0.1', port: 0, onListen() {} }, (request) => {
        const wanted = settings(request.url)
        if (wanted.isRefused) return new Response('who are you?', { status: 401 })
        const offered = request.headers.get('Sec-WebSocket-Protocol') ?? ''
        const { socket, response } = Deno.upgradeWebSocket(request, {
          ...(offered.includes(PROTOCOL) && { protocol: PROTOCOL }),
        })
        void serveWebSocket(socket, wanted).then((fields) => report({ case: wanted.id, ...fields }))
        return response
      })
      return server.addr.port
    },
    run: ({ url, protocols }) => serveWebSocket(new WebSocket(url, protocols), settings(url)),
  },
  stream: {
    run: ({ url, protocols }) => serveStream(new WebSocketStream(url, { protocols }), settings(url)),
  },
}

const [api, ...args] = process.argv.slice(2)
await main(PROGRAMS[api], args)
