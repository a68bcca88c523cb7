/**
 * One node: a chat whose rooms span all nodes. start.mjs runs two of them, and gives them PORT, NODE_NAME, REDIS_URL and
 * SPREAD_MS. On SIGTERM it closes its connections one after another over that time, and ends.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { WebSocketServer } from 'hawser'
import { redisBackplane } from 'hawser/redis'
import { createClient } from 'redis'

const { PORT, NODE_NAME, REDIS_URL, SPREAD_MS } = process.env
const page = readFileSync(new URL('page.html', import.meta.url))

const client = createClient({ url: REDIS_URL })
// For a client that is connected: without a listener its errors end the process.
client.on('error', (error) => console.error(`${NODE_NAME}: ${error.message}`))

const server = new WebSocketServer({
  backplane: redisBackplane(client),
  onError: (error) => console.error(`${NODE_NAME}: ${error.message}`),
})
server.route('/chat/:room', {
  onOpen(socket) {
    socket.join(socket.params.room)
    socket.send(`connected to ${NODE_NAME}`)
  },
  // To all members, at whichever node they are.
  onTextMessage(socket, text) {
    socket.group(socket.params.room).send(`${text} (sent at ${NODE_NAME})`)
  },
})

const http = createServer((request, response) => {
  if (request.url === '/health') {
    const { isClosing, connections, backplane } = server.stats()
    response.writeHead(isClosing ? 503 : 200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify({ node: NODE_NAME, connections, backplane }))
  } else {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page)
  }
})
server.attach(http)
http.listen(Number(PORT), '127.0.0.1')
await once(http, 'listening')
console.log('listening')

process.once('SIGTERM', async () => {
  await server.close({ code: 1012, reason: 'new version', spreadMs: Number(SPREAD_MS), timeoutMs: 5_000 })
  http.close()
  http.closeAllConnections()
})
