/**
 * Two connections joined in memory: `hawser/connection` is RFC 6455 sections 5 to 7 without a socket, a timer or a
 * clock. Bytes go in, bytes and events come out, and what carries the bytes is up to you. Here it is a loop. After
 * `npm run build`:
 *
 *   node examples/connection-in-memory.mjs
 */
import { Connection } from 'hawser/connection'

// Both begin open, as after the opening handshake; time is a number that the driver passes in.
const client = new Connection({ role: 'client' })
const server = new Connection({ role: 'server' })
const start = performance.now()

/** All that a connection has to tell, one event at a time: not to ask is to pause. */
function pull(name, connection) {
  for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
    switch (event.type) {
      case 'message':
        console.log(`${name}: message ${JSON.stringify(event.data)}`)
        if (connection === server) server.send(`you said ${event.data}`)
        break
      case 'ping':
      case 'pong':
        console.log(`${name}: ${event.type} "${event.data}"`)
        break
      case 'closeReceived':
        console.log(`${name}: closeReceived ${event.code} "${event.reason}"`)
        break
      case 'closed':
        console.log(`${name}: closed ${event.code}, clean: ${event.wasClean}, begun by: ${event.initiator}`)
        break
      default:
        console.log(`${name}: ${event.type}`)
    }
  }
}

/** Moves what one has to write to the other; true if there was anything. */
function carry(from, to) {
  let moved = false
  for (let bytes = from.takeOutput(); bytes !== null; bytes = from.takeOutput()) {
    moved = true
    // In two pieces, as a network may: a frame need not arrive whole. Copies, for the receiver owns what it gets.
    const middle = bytes.length >> 1
    to.receiveBytes(Uint8Array.from(bytes.subarray(0, middle)), performance.now() - start)
    to.receiveBytes(Uint8Array.from(bytes.subarray(middle)), performance.now() - start)
  }
  return moved
}

function run() {
  let moved = true
  while (moved) {
    pull('client', client)
    pull('server', server)
    const there = carry(client, server)
    const back = carry(server, client)
    moved = there || back
  }
}

client.send('hello')
client.ping('are you there?', performance.now() - start)
run()
console.log(`client: the round trip took ${client.rttMs < 1000 ? 'less' : 'more'} than a second`)

client.close(1000, 'that was all')
run()

// Both Close frames are exchanged. The server ends the transport (RFC 6455 section 7.1.1), and both are told.
console.log(`server should end the transport: ${server.transportShouldClose()}`)
client.transportLost()
server.transportLost()
run()
