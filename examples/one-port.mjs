/**
 * HTTP and WebSocket on one port: pages of one origin may connect, others may not, and who connects is known. After
 * `npm run build`:
 *
 *   node examples/one-port.mjs
 */
import { createServer } from 'node:http'
import { accept, connect, reject, WebSocketServer } from 'hawser'

const users = new Map([['token-of-ada', 'Ada']])

const server = new WebSocketServer({
  // Browsers always say where a page comes from. Without the function, programs that do not would be refused too.
  origins: ['https://app.example', (origin) => origin === undefined],
  protocols: ['notes.v1'],
  limits: { maxMessageBytes: 64 * 1024 },
  onError: (error) => console.error(error),
})

const sockets = new Set()

server.route('/notes', {
  onUpgrade(request) {
    const user = users.get(request.query.get('token') ?? '')
    return user === undefined ? reject(401, 'who are you?\n') : accept({ data: { user } })
  },
  onOpen: (socket) => void sockets.add(socket),
  onTextMessage(socket, text) {
    for (const other of sockets) other.sendJson({ from: socket.data.user, text })
  },
  onClose: (socket) => void sockets.delete(socket),
})

const http = createServer((request, response) => response.end(`${sockets.size} connected\n`))
server.attach(http)
await new Promise((resolve) => http.listen(0, resolve))
const { port } = http.address()

// What different peers get.
const url = `ws://localhost:${port}/notes`
for (const [what, address, options] of [
  ['a page of another origin', `${url}?token=token-of-ada`, { origin: 'https://evil.example' }],
  ['nobody', url, {}],
  ['another path', `ws://localhost:${port}/other`, {}],
]) {
  const error = await connect(address, options).catch((reason) => reason)
  console.log(`${what}: ${error.httpStatus} ${Buffer.from(error.response.body).toString().trim()}`)
}

const ada = await connect(`${url}?token=token-of-ada`, { protocols: 'notes.v1' })
ada.send('buy rope')
console.log(`Ada, speaking ${ada.protocol}: ${await ada.receive({ timeoutMs: 5000 })}`)
console.log(`over HTTP: ${(await (await fetch(`http://localhost:${port}/`)).text()).trim()}`)

// Every connection is closed with 1001; the HTTP server is its owner's to close.
await server.close({ reason: 'going home' })
http.close()
