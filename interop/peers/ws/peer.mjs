/** ws, in both roles. */
import { once } from 'node:events'
import { WebSocket, WebSocketServer } from 'ws'
import { main, PROTOCOL, report, settings } from '../shared/program.mjs'

const MAX_PAYLOAD = 32 * 1024 * 1024
const options = (deflate) => (deflate === null ? false : { threshold: 0, ...deflate })

function sendFragments(socket, data, binary) {
  const third = Math.ceil(data.length / 3)
  for (const at of [0, 1, 2]) {
    socket.send(data.subarray(at * third, (at + 1) * third), { binary, fin: at === 2 })
  }
}

/** @returns what is reported at the end */
function serve(socket, { action, code, reason }) {
  socket.on('error', () => {})
  socket.on('message', (data, binary) => {
    if (action === 'fragments') sendFragments(socket, data, binary)
    else socket.send(data, { binary })
  })
  socket.on('pong', (data) => socket.send(`pong ${data.toString()}`))
  const begin = () => {
    if (action === 'ping') socket.ping('peer')
    if (action === 'close') socket.close(code, reason)
  }
  if (socket.readyState === WebSocket.OPEN) begin()
  else socket.once('open', begin)
  return new Promise((resolve) => {
    socket.once('close', (closeCode, closeReason) => {
      resolve({ open: true, protocol: socket.protocol, closeCode, closeReason: closeReason.toString() })
    })
  })
}

await main({
  async serve(deflate) {
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      maxPayload: MAX_PAYLOAD,
      perMessageDeflate: options(deflate),
      handleProtocols: (offered) => offered.has(PROTOCOL) && PROTOCOL,
      verifyClient: ({ req }, decide) => {
        if (settings(req.url).isRefused) decide(false, 401, 'who are you?')
        else decide(true)
      },
    })
    server.on('connection', async (socket, { url }) => {
      const wanted = settings(url)
      report({ case: wanted.id, ...(await serve(socket, wanted)) })
    })
    await once(server, 'listening')
    return server.address().port
  },
  run({ url, protocols, deflate }) {
    const socket = new WebSocket(url, protocols, {
      maxPayload: MAX_PAYLOAD,
      perMessageDeflate: options(deflate),
    })
    return new Promise((resolve) => {
      socket.once('unexpected-response', (request, { statusCode }) => {
        resolve({ open: false, status: statusCode })
        request.destroy()
      })
      socket.once('error', (error) => resolve({ error: error.message }))
      void serve(socket, settings(url)).then(resolve)
    })
  },
})
