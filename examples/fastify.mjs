/**
 * WebSocket routes in a Fastify application: hooks run before the upgrade and may refuse it, each in its scope. Needs
 * `fastify`. After `npm run build`:
 *
 *   node examples/fastify.mjs
 */
import Fastify from 'fastify'
import { connect } from 'hawser'
import { fastifyWebSockets } from 'hawser/fastify'

const app = Fastify()
await app.register(fastifyWebSockets)

// For everybody: the handler returns the service.
app.get('/time', { websocket: true }, () => ({
  onMessage: () => new Date(0).toISOString(),
}))

// For users: the hook is one of this scope.
await app.register(
  async (scope) => {
    scope.decorateRequest('user', '')
    scope.addHook('onRequest', async (request, reply) => {
      request.user = (request.headers.authorization ?? '').replace('Bearer ', '')
      if (request.user === '') return reply.code(401).send({ error: 'who are you?' })
    })
    scope.get(
      '/:room',
      {
        websocket: {
          onOpen: (socket) => void socket.join(socket.params.room),
          onTextMessage(socket, text) {
            socket.group(socket.params.room).send(`${socket.data.user}: ${text}`, { except: socket })
          },
        },
        websocketData: (request) => ({ user: request.user }),
      },
      (request) => ({
        page: request.params.room,
        there: app.websocketServer.group(request.params.room).size,
      }),
    )
  },
  { prefix: '/chat' },
)

const url = await app.listen({ port: 0, host: '127.0.0.1' })

const clock = await connect(`${url}/time`)
clock.send('?')
console.log(await clock.receive())

const refused = await connect(`${url}/chat/dogs`).catch((error) => error)
console.log(refused.httpStatus, Buffer.from(refused.response.body).toString())

const as = (user) => ({ headers: { Authorization: `Bearer ${user}` } })
const ada = await connect(`${url}/chat/dogs`, as('ada'))
const bob = await connect(`${url}/chat/dogs`, as('bob'))
bob.send('woof')
console.log(await ada.receive())
console.log(await (await fetch(`${url}/chat/dogs`, as('ada'))).text())

// Closes the connections with 1001.
await app.close()
