/** The package `websocket` (WebSocket-Node), in both roles. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import websocket from 'websocket'
import { main, PROTOCOL, report, settings } from '../shared/program.mjs'

const LIMITS = { maxReceivedFrameSize: 32 * 1024 * 1024, maxReceivedMessageSize: 32 * 1024 * 1024 }

/** @returns what is reported at the end */
function serve(connection, { action, code, reason }) {
  connection.on('message', ({ type, utf8Data, binaryData }) => {
    const data = type === 'utf8' ? Buffer.from(utf8Data) : binaryData
    if (action === 'fragments') connection.fragmentationThreshold = Math.max(1, Math.ceil(data.length / 3))
    if (type === 'utf8') connection.sendUTF(data)
    else connection.sendBytes(data)
  })
  connection.on('pong', (data) => connection.sendUTF(`pong ${data.toString()}`))
  if (action === 'ping') connection.ping('peer')
  if (action === 'close') connection.close(code, reason ?? '')
  return new Promise((resolve) => {
    connection.on('error', () => {})
    connection.once('close', (closeCode, closeReason = '') => {
      resolve({ open: true, protocol: connection.protocol ?? '', closeCode, closeReason })
    })
  })
}

await main({
  async serve() {
    const httpServer = createServer().listen(0, '127.0.0.1')
    new websocket.server({ ...LIMITS, httpServer }).on('request', async (request) => {
      const wanted = settings(request.httpRequest.url)
      if (wanted.isRefused) return request.reject(401, 'who are you?')
      const isOffered = request.requestedProtocols.includes(PROTOCOL)
      const connection = request.accept(isOffered ? PROTOCOL : null, request.origin)
      report({ case: wanted.id, ...(await serve(connection, wanted)) })
    })
    await once(httpServer, 'listening')
    return httpServer.address().port
  },
  run({ url, protocols }) {
    const client = new websocket.client(LIMITS)
    return new Promise((resolve) => {
      client.on('httpResponse', ({ statusCode }) => resolve({ open: false, status: statusCode }))
      client.on('connectFailed', (error) => resolve({ error: error.message }))
      client.on('connect', (connection) => resolve(serve(connection, settings(url))))
      client.connect(url, protocols)
    })
  },
})
