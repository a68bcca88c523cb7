/**
 * A chat in a Hono application: middleware decides before the upgrade, `upgradeWebSocket` gives Hono's events, and rooms are
 * groups of Hawser. Needs `hono` and `@hono/node-server`. After `npm run build`:
 *
 *   node examples/hono.mjs
 */
import { once } from 'node:events'
import { serve } from '@hono/node-server'
import { connect, WebSocketServer } from 'hawser'
import { HonoWebSockets } from 'hawser/hono'
import { Hono } from 'hono'

const server = new WebSocketServer()
const sockets = new HonoWebSockets(server)
const app = new Hono()

app.use('/chat/*', async (c, next) => {
  const user = c.req.query('name')
  if (!/^\w{1,20}$/.test(user ?? '')) return c.json({ error: 'say ?name=, a word' }, 400)
  c.set('user', user)
  await next()
})

app.get(
  '/chat/:room',
  sockets.upgradeWebSocket((c) => {
    const { room } = c.req.param()
    const user = c.get('user')
    return {
      onOpen: (_event, ws) => {
        server.group(room).send(`${user} joined`)
        ws.raw.join(room)
      },
      onMessage: (event, ws) => {
        server.group(room).send(`${user}: ${event.data}`, { except: ws.raw })
      },
      onClose: () => {
        server.group(room).send(`${user} left`)
      },
    }
  }),
  // A request that is not an upgrade.
  (c) => c.text(`${server.group(c.req.param('room')).size} in ${c.req.param('room')}`),
)

const http = serve({ fetch: app.fetch, port: 0 })
await once(http, 'listening')
sockets.attach(http)
const host = `localhost:${http.address().port}`

const refused = await connect(`ws://${host}/chat/dogs`).catch((error) => error)
console.log(refused.httpStatus, Buffer.from(refused.response.body).toString())

const ada = await connect(`ws://${host}/chat/dogs?name=ada`)
const bob = await connect(`ws://${host}/chat/dogs?name=bob`)
console.log(await ada.receive())
bob.send('woof')
console.log(await ada.receive())
console.log(await (await fetch(`http://${host}/chat/dogs?name=cat`)).text())
await bob.close()
console.log(await ada.receive())

await server.close()
http.close()
http.closeIdleConnections()
