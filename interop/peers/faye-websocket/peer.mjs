/** faye-websocket with its extension permessage-deflate, in both roles. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import WebSocket from 'faye-websocket'
import permessageDeflate from 'permessage-deflate'
import { main, PROTOCOL, report, settings } from '../shared/program.mjs'

const MAX_LENGTH = 32 * 1024 * 1024

/** @param {'server' | 'client'} role that the options are for */
function options(deflate, role) {
  if (deflate === null) return { maxLength: MAX_LENGTH }
  const other = role === 'server' ? 'client' : 'server'
  const configured = permessageDeflate.configure({
    noContextTakeover: deflate[`${role}NoContextTakeover`],
    requestNoContextTakeover: deflate[`${other}NoContextTakeover`],
    maxWindowBits: deflate[`${role}MaxWindowBits`],
    requestMaxWindowBits: deflate[`${other}MaxWindowBits`],
  })
  return { maxLength: MAX_LENGTH, extensions: [configured] }
}

/** @returns what is reported at the end */
function serve(socket, { action, code, reason }) {
  let open = false
  return new Promise((resolve) => {
    socket.on('open', () => {
      open = true
      if (action === 'ping') socket.ping('peer', () => socket.send('pong peer'))
      if (action === 'close') socket.close(code, reason)
    })
    socket.on('message', ({ data }) => socket.send(data))
    socket.on('error', () => {})
    socket.on('close', (event) => {
      if (open) {
        resolve({ open, protocol: socket.protocol, closeCode: event.code, closeReason: event.reason })
      } else resolve({ open, status: socket.statusCode })
    })
  })
}

await main({
  async serve(deflate) {
    const server = createServer().on('upgrade', async (request, stream, head) => {
      const wanted = settings(request.url)
      if (wanted.isRefused) {
        stream.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
        return
      }
      const socket = new WebSocket(request, stream, head, [PROTOCOL], options(deflate, 'server'))
      report({ case: wanted.id, ...(await serve(socket, wanted)) })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return server.address().port
  },
  run({ url, protocols, deflate }) {
    return serve(new WebSocket.Client(url, protocols, options(deflate, 'client')), settings(url))
  },
})
