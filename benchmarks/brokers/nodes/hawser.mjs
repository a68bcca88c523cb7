// A node of Hawser with its defaults. Compression is off, as in Socket.IO.
import { broker, groupFor, groupsOf, ready } from './shared.mjs'

const { WebSocketServer } = await import('../../../dist/esm/index.js')

async function makeBackplane() {
  if (broker.startsWith('nats:')) {
    const { connect } = await import('@nats-io/transport-node')
    const { natsBackplane } = await import('../../../dist/esm/brokers/nats.js')
    return natsBackplane(() => connect({ servers: broker }))
  }
  const { createClient } = await import('redis')
  const { redisBackplane } = await import('../../../dist/esm/brokers/redis.js')
  return redisBackplane(createClient({ url: broker }))
}

const server = new WebSocketServer({
  perMessageDeflate: false,
  ...(broker === undefined ? {} : { backplane: await makeBackplane() }),
})
server.route('/', {
  onOpen: (socket) => {
    for (const group of groupsOf(new URL(socket.url, 'http://localhost').searchParams)) socket.join(group)
  },
  onTextMessage: (socket, text) => {
    socket.group(groupFor(text)).send(text)
  },
})
const { port } = await server.listen(0, '127.0.0.1')
ready(port)
