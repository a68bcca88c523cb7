/** Socket.IO: rooms, acknowledgements, binary both ways, a broadcast that is encoded once, limits, an upgrade from polling. */
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import WebSocket from 'ws'
import { bytesOf, deferred, digest, echoRate, listen, once, textOf, until, within } from '../lib/tools.mjs'

const SIZES = [0, 1, 31, 32, 125, 126, 4_096, 65_535, 65_536, 1_048_576]

/** Counts frames that the adapter encoded once for all: `WebSocket.Sender.frame` is what it looks for. */
function countEncodedOnce() {
  const { frame } = WebSocket.Sender
  const count = { frames: 0 }
  WebSocket.Sender.frame = (...args) => {
    count.frames += 1
    return frame(...args)
  }
  return count
}

async function start(options) {
  const http = createServer()
  const server = new Server(http, { serveClient: false, ...options })
  const port = await listen(http)
  const clients = []
  return {
    server,
    connect: async (clientOptions = {}) => {
      const client = io(`http://127.0.0.1:${String(port)}`, {
        transports: ['websocket'],
        reconnection: false,
        forceNew: true,
        ...clientOptions,
      })
      clients.push(client)
      await once(client, 'connect')
      return client
    },
    stop: async () => {
      for (const client of clients) client.disconnect()
      await within(server.close(), 'the end of the server')
    },
  }
}

async function talk(options, encodedOnce, figure) {
  const { server, connect, stop } = await start({ maxHttpBufferSize: 2_000_000, ...options })
  server.on('connection', (socket) => {
    socket.on('echo', (data, answer) => answer(data))
    socket.on('mirror', (data) => socket.emit('mirror', data))
    socket.on('join', async (room, answer) => {
      await socket.join(room)
      answer([...socket.rooms].length)
    })
    socket.on('to-room', (room, text) => socket.to(room).emit('said', text))
  })
  const [first, second, third] = [await connect(), await connect(), await connect()]
  const result = { echoes: [], rooms: [], broadcasts: [] }
  for (const size of SIZES) {
    const bytes = await first.timeout(10_000).emitWithAck('echo', bytesOf(size))
    const mixed = await first
      .timeout(10_000)
      .emitWithAck('echo', { text: textOf(size), parts: [bytesOf(size), { deep: bytesOf(3) }] })
    result.echoes.push([
      digest(bytes),
      digest(mixed.text),
      digest(mixed.parts[0]),
      digest(mixed.parts[1].deep),
    ])
  }

  for (const client of [first, second]) result.rooms.push(await client.emitWithAck('join', 'north'))
  const heard = { second: [], third: [] }
  second.on('said', (text) => heard.second.push(text))
  third.on('said', (text) => heard.third.push(text))
  first.emit('to-room', 'north', 'from the first')
  await until(() => heard.second.length === 1, 'a message to the room')
  result.heard = heard

  const seen = [first, second, third].map((client) => {
    const all = deferred()
    const list = []
    client.on('news', (number, payload) => {
      list.push(`${String(number)} ${digest(payload)}`)
      if (list.length === 60) all.resolve(list)
    })
    return all.promise
  })
  result.encodedOnce = 0
  for (let number = 0; number < 60; number += 1) {
    const payload = number % 3 === 0 ? bytesOf(number * 100) : textOf(number * 1_500)
    const { frames } = encodedOnce
    server.emit('news', number, payload)
    // One frame for three clients: what has bytes in it is not encoded so.
    if (typeof payload === 'string') result.encodedOnce += encodedOnce.frames - frames
  }
  for (const list of await within(Promise.all(seen), 'all broadcasts'))
    result.broadcasts.push(digest(list.join('\n')))

  result.acks = await server
    .timeout(200)
    .emitWithAck('nobody answers')
    .catch((error) => error.message)
  if (figure !== undefined) {
    figure(
      'echoes a second',
      await echoRate({
        send: () => first.emit('mirror', 'a short text'),
        onAnswer: (answered) => first.on('mirror', answered),
      }),
    )
  }
  const reasons = []
  for (const socket of await server.fetchSockets()) socket.disconnect(true)
  for (const client of [first, second, third]) {
    if (client.connected) reasons.push((await once(client, 'disconnect'))[0])
    else reasons.push('disconnected')
  }
  result.reasons = reasons.length
  await stop()
  return result
}

/** A message above the limit ends the connection, and nothing else. */
async function tooLarge() {
  const { server, connect, stop } = await start({ maxHttpBufferSize: 10_000 })
  const reasons = []
  server.on('connection', (socket) => socket.on('disconnect', (reason) => reasons.push(reason)))
  const client = await connect()
  const other = await connect()
  client.emit('large', bytesOf(20_000))
  const [reason] = await once(client, 'disconnect')
  await until(() => reasons.length === 1, 'the end of the socket')
  const result = { reason, reasons: [...reasons], otherIsConnected: other.connected }
  await stop()
  return result
}

async function fromPolling() {
  const { server, connect, stop } = await start({})
  server.on('connection', (socket) => socket.on('echo', (data, answer) => answer(data)))
  const client = await connect({ transports: ['polling', 'websocket'] })
  await until(() => client.io.engine.transport.name === 'websocket', 'the upgrade')
  const echo = await client.emitWithAck('echo', bytesOf(100_000))
  const socket = [...server.sockets.sockets.values()][0]
  const result = { echo: digest(echo), transport: socket.conn.transport.name }
  await stop()
  return result
}

export async function run({ figure }) {
  const encodedOnce = countEncodedOnce()
  const plain = await talk({}, encodedOnce, figure)
  const deflated = await talk({ perMessageDeflate: { threshold: 512 } }, encodedOnce)
  return {
    plain,
    deflated,
    tooLarge: await tooLarge(),
    fromPolling: await fromPolling(),
  }
}
