/**
 * A server with much to send, and a client that takes its time: the server waits, and memory stays where it is. After
 * `npm run build`:
 *
 *   node examples/backpressure.mjs
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, ReadyState, WebSocketServer } from 'hawser'

const MESSAGES = 500
const message = new Uint8Array(64 * 1024)

const server = new WebSocketServer()
server.route('/download', {
  onOpen(socket) {
    // Not awaited: what the client sends meanwhile is to be handled.
    void download(socket)
  },
})

async function download(socket) {
  let most = 0
  let waits = 0
  for (let i = 0; i < MESSAGES && socket.readyState === ReadyState.OPEN; i++) {
    // False: taken, but enough for now.
    if (!socket.send(message, { compress: false })) {
      most = Math.max(most, socket.bufferedAmount)
      waits++
      await socket.drained()
    }
  }
  console.log(`server: waited ${waits} times, never held more than ${Math.ceil(most / 1024)} KiB`)
  await socket.close(1000, 'that was all')
}

const { port } = await server.listen(0)
const client = await connect(`ws://localhost:${port}/download`)
let bytes = 0
for await (const chunk of client) {
  bytes += chunk.length
  // What comes now waits in a bounded queue; when that is full the socket is not read, and TCP tells the server.
  await sleep(1)
}
console.log(`client: took ${bytes / 1024 / 1024} MiB, slowly`)
await server.close()
