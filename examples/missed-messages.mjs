/**
 * Two nodes with one history, and a client that loses its node: it goes to the other one and gets what it missed, or is told that it is
 * gone. After `npm run build`:
 *
 *   node examples/missed-messages.mjs
 */
import { EventEmitter, once } from 'node:events'
import { connect, WebSocketServer } from 'hawser'
import { BackplaneRelay, memoryBackplane } from 'hawser/backplane'
import { memoryHistory } from 'hawser/recovery'

// In one process, to be short: nodes of their own have a backplane and a history over a broker.
const relay = new BackplaneRelay()
const history = memoryHistory()

async function startNode() {
  const server = new WebSocketServer({
    backplane: memoryBackplane(relay),
    recovery: { history, groups: ['news'], maxMessages: 3 },
  })
  server.route('/', { onOpen: (socket) => void socket.join('news') })
  const { port } = await server.listen(0)
  return { server, url: `ws://localhost:${port}/` }
}

const [first, second] = [await startNode(), await startNode()]
const told = new EventEmitter()
const reader = await connect([first.url, second.url], {
  reconnect: { minDelayMs: 0, maxDelayMs: 20 },
  recovery: { onRecovered: (outcome) => told.emit('outcome', outcome) },
  handlers: {
    onTextMessage: (_, text) => {
      console.log(`read: ${text}`)
      told.emit('read')
    },
  },
})
// From here on nothing is lost to it.
while (reader.positions().length === 0) await new Promise((resolve) => setTimeout(resolve, 5))

const publish = (text) => second.server.group('news').publish(text)
const read = () => once(told, 'read')
let next = read()
await publish('one')
await next

// The node of the reader dies.
let outcome = once(told, 'outcome')
first.server.terminate()
await publish('two')
await publish('three')
console.log('outcome:', ...(await outcome))

// The reader is away for longer than the history goes back.
outcome = once(told, 'outcome')
for (const socket of second.server.sockets) socket.terminate()
for (const text of ['four', 'five', 'six', 'seven']) await publish(text)
console.log('outcome:', ...(await outcome))
next = read()
await publish('eight')
await next

await reader.close()
await second.server.close()
relay.close()
