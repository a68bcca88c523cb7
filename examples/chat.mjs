/**
 * A chat with rooms. Who comes in joins the group of the room; what somebody says goes to the others in it, and a private
 * word to the one connection of that name. After `npm run build`:
 *
 *   node examples/chat.mjs
 */
import { accept, connect, reject, UnknownConnectionError, WebSocketServer } from 'hawser'
import { json } from 'hawser/json'

const server = new WebSocketServer()
server.route('/chat/:room', {
  // What is sent and returned is JSON; what comes is checked below, or by a schema: see json-api.mjs.
  codec: json(),
  onUpgrade({ query }) {
    const name = query.get('name') ?? ''
    return /^\w{1,20}$/.test(name) ? accept({ data: { name } }) : reject(400, 'say ?name=, a word\n')
  },
  onOpen(socket) {
    const { name } = socket.data
    const room = socket.group(socket.params.room)
    const others = [...room.members()].map((other) => other.data.name)
    server.connections.set(name, socket, { onConflict: 'closePrevious' })
    tell(room, { joined: name }, socket)
    socket.join(room.name)
    socket.sendJson({ welcome: name, others })
  },
  onMessage(socket, message) {
    const { name } = socket.data
    const { to, text } = Object(message)
    if (typeof text !== 'string') return { error: 'a message is { text } or { text, to }' }
    if (to === undefined) tell(socket.group(socket.params.room), { from: name, text }, socket)
    else return tellOne(String(to), { from: name, text, isPrivate: true })
  },
  onClose(socket) {
    // It is out of its groups already.
    tell(socket.group(socket.params.room), { left: socket.data.name })
  },
})

/** To all members but one: encoded once, compressed once. */
function tell(group, message, except) {
  group.send(JSON.stringify(message), { except: except ?? [] })
}

function tellOne(name, message) {
  try {
    server.connections.send(name, JSON.stringify(message))
  } catch (error) {
    if (!(error instanceof UnknownConnectionError)) throw error
    return { error: `nobody here is called ${name}` }
  }
}

const { port } = await server.listen(0)
const enter = (room, name) => connect(`ws://localhost:${port}/chat/${room}?name=${name}`)
const show = async (name, socket) => console.log(`${name} sees ${await socket.receive({ timeoutMs: 5000 })}`)

const ada = await enter('dogs', 'ada')
await show('ada', ada)
const bob = await enter('dogs', 'bob')
await show('bob', bob)
await show('ada', ada)
const cat = await enter('cats', 'cat')
await show('cat', cat)

bob.sendJson({ text: 'woof' })
await show('ada', ada)
ada.sendJson({ to: 'cat', text: 'come over' })
await show('cat', cat)
ada.sendJson({ to: 'eve', text: 'psst' })
await show('ada', ada)

console.log(`rooms: ${server.groups().join(', ')}`)
await bob.close()
await show('ada', ada)
await server.close()
