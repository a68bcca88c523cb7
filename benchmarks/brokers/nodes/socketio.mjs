// A node of Socket.IO: WebSockets alone, over ws with bufferutil; the adapter, where there is a broker, as its page says.
import { createServer } from 'node:http'
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { createClient } from 'redis'
import { Server } from 'socket.io'
import { adapter, broker, groupFor, groupsOf, ready } from './shared.mjs'

async function makeAdapter() {
  const publisher = createClient({ url: broker })
  const subscriber = publisher.duplicate()
  for (const client of [publisher, subscriber]) client.on('error', (error) => console.error(error))
  await Promise.all([publisher.connect(), subscriber.connect()])
  const make = adapter === 'sharded' ? createShardedAdapter : createAdapter
  return make(publisher, subscriber)
}

const http = createServer()
const server = new Server(http, {
  transports: ['websocket'],
  serveClient: false,
  ...(broker === undefined ? {} : { adapter: await makeAdapter() }),
})
server.on('connection', (socket) => {
  void socket.join([...groupsOf(new URLSearchParams(socket.handshake.query))])
  socket.on('m', (text) => {
    server.to(groupFor(text)).emit('m', text)
  })
})
http.listen(0, '127.0.0.1', () => ready(http.address().port))
