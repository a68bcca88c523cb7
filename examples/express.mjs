/**
 * WebSocket routes in an Express application: its middleware runs before the upgrade, its routers and parameters work, and
 * what it sets goes into the 101. Needs `express`. After `npm run build`:
 *
 *   node examples/express.mjs
 */
import { once } from 'node:events'
import express from 'express'
import { connect, WebSocketServer } from 'hawser'
import { ExpressWebSockets } from 'hawser/express'

const server = new WebSocketServer()
const sockets = new ExpressWebSockets(server)
const app = express()

// Middleware for requests and upgrades alike; yours is express-session, passport or your own.
app.use((request, response, next) => {
  request.user = request.get('Authorization')?.replace('Bearer ', '')
  response.cookie('seen', 'yes')
  next()
})

const login = (request, response, next) => {
  if (request.user === undefined) response.status(401).send('who are you?')
  else next()
}

const chat = express.Router()
chat.get('/:room', login, (request, response, next) => {
  if (request.params.room === 'secret') response.status(403).send('not this room')
  else next()
})
chat.get(
  '/:room',
  sockets.route(
    {
      onOpen: (socket) => void socket.join(socket.params.room),
      onTextMessage(socket, text) {
        socket.group(socket.params.room).send(`${socket.data.user}: ${text}`, { except: socket })
      },
    },
    { data: (request) => ({ user: request.user }) },
  ),
  // A request that is not an upgrade.
  (request, response) => response.send(`the page of ${request.params.room}`),
)
app.use('/chat', chat)

const http = app.listen(0)
await once(http, 'listening')
sockets.attach(http)
const host = `localhost:${http.address().port}`

const refused = await connect(`ws://${host}/chat/dogs`).catch((error) => error)
console.log(refused.httpStatus, Buffer.from(refused.response.body).toString())

const as = (user) => ({ headers: { Authorization: `Bearer ${user}` } })
const page = await fetch(`http://${host}/chat/dogs`, as('ada'))
console.log(page.status, await page.text())

const ada = await connect(`ws://${host}/chat/dogs`, as('ada'))
const bob = await connect(`ws://${host}/chat/dogs`, as('bob'))
console.log('the 101 sets', ada.responseHeaders.get('Set-Cookie'))
bob.send('woof')
console.log(await ada.receive())

await server.close()
http.close()
http.closeIdleConnections()
