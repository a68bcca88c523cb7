/**
 * A chat in H3 by the hooks of crossws, on Hawser: the plugin stands in the place of that of `crossws/server`. Topics are groups of
 * Hawser, and a reader that is slow is waited for by the hook `drain`. Needs `h3`. After `npm run build`:
 *
 *   node examples/crossws.mjs
 */
import { connect } from 'hawser'
import { plugin } from 'hawser/crossws'
import { defineWebSocketHandler, H3, serve } from 'h3'

const app = new H3()

app.get(
  '/chat/:room',
  defineWebSocketHandler((event) => {
    const { room } = event.context.params
    const user = event.url.searchParams.get('name') ?? ''
    return {
      upgrade() {
        if (!/^\w{1,20}$/.test(user)) return Response.json({ error: 'say ?name=, a word' }, { status: 400 })
        return { namespace: room, context: { user } }
      },
      open(peer) {
        peer.subscribe('talk')
        peer.publish('talk', `${peer.context.user} joined`)
      },
      message(peer, message) {
        peer.publish('talk', `${peer.context.user}: ${message.text()}`)
      },
      close(peer) {
        peer.publish('talk', `${peer.context.user} left`)
      },
    }
  }),
)

/** Sends numbers as fast as the client reads them. */
app.get(
  '/numbers',
  defineWebSocketHandler(() => {
    let next = 0
    let waits = 0
    const goOn = (peer) => {
      while (next < 20_000) {
        peer.send(`${String(next++)}${' '.repeat(100)}`)
        if (peer.bufferedAmount > 64 * 1024) {
          waits++
          return
        }
      }
      peer.send(waits > 0 ? 'all, and it waited' : 'all')
      peer.close(1000, 'done')
    }
    return { open: goOn, drain: goOn }
  }),
)

const server = serve(app, { port: 0, silent: true, plugins: [plugin()] })
await server.ready()
const url = server.url.replace('http', 'ws')

const refused = await connect(`${url}chat/dogs`).catch((error) => error)
console.log(refused.httpStatus, Buffer.from(refused.response.body).toString())

const ada = await connect(`${url}chat/dogs?name=ada`)
const bob = await connect(`${url}chat/dogs?name=bob`)
console.log(await ada.receive())
bob.send('woof')
console.log(await ada.receive())
await bob.close()
console.log(await ada.receive())

const reader = await connect(`${url}numbers`)
let count = 0
let last = ''
for await (const message of reader) {
  count++
  last = message
}
console.log(`${String(count - 1)} numbers, and then: ${last.split(',')[0]}`)

await server.close()
