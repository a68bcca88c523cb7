/**
 * The memory of a connection that has echoed one short message and is idle: of `ws`, of the drop-in and of Hawser, each in a process
 * of its own, on one machine. Heap after garbage collections, and resident memory, both less what 50 connections take.
 *
 * node benchmarks/idle-memory.mjs [CONNECTIONS]     after `npm run build`; default 2,000
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import net from 'node:net'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const KINDS = ['ws', 'the drop-in', 'Hawser']
const FIRST = 50
const QUIET_MS = 1_500

/** Masked with zeros: a text of five bytes. */
const HELLO = Buffer.concat([Buffer.from([0x81, 0x85, 0, 0, 0, 0]), Buffer.from('hello')])
const UPGRADE = [
  'GET / HTTP/1.1',
  'Host: localhost',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  '\r\n',
].join('\r\n')

/** Serves echoes. @returns the port */
async function serve(kind) {
  if (kind === 'Hawser') {
    const { WebSocketServer } = require('../dist/cjs/index.js')
    const server = new WebSocketServer({ perMessageDeflate: false })
    server.route('/', { onMessage: (_socket, message) => message })
    return (await server.listen(0, '127.0.0.1')).port
  }
  const WebSocket = require(kind === 'ws' ? 'ws' : '../packages/ws/dist/index.js')
  const server = new WebSocket.Server({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    socket.on('error', () => {})
  })
  await once(server, 'listening')
  return server.address().port
}

/** Opens a connection by hand, and waits for the echo of one message. */
function connect(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(UPGRADE))
    let text = ''
    socket.on('data', (chunk) => {
      const isFirst = text === ''
      text += chunk.toString('latin1')
      if (isFirst) socket.write(HELLO)
      if (text.endsWith('hello')) resolve(socket)
    })
  })
}

async function measure(kind, count) {
  const child = fork(fileURLToPath(import.meta.url), ['--serve', kind], { execArgv: ['--expose-gc'] })
  const [port] = await once(child, 'message')
  const sockets = []
  const open = async (more) => {
    for (let left = more; left > 0; left -= FIRST) {
      const batch = Array.from({ length: Math.min(FIRST, left) }, () => connect(port))
      sockets.push(...(await Promise.all(batch)))
    }
  }
  const ask = async () => {
    child.send('memory')
    return (await once(child, 'message'))[0]
  }
  await open(FIRST)
  await ask()
  const before = await ask()
  await open(count)
  await ask()
  const after = await ask()
  child.kill()
  for (const socket of sockets) socket.destroy()
  return { heap: (after.heap - before.heap) / count, resident: (after.resident - before.resident) / count }
}

if (process.argv[2] === '--serve') {
  process.on('message', () => {
    setTimeout(() => {
      for (let times = 0; times < 4; times++) globalThis.gc()
      const { heapUsed, rss } = process.memoryUsage()
      process.send({ heap: heapUsed, resident: rss })
    }, QUIET_MS)
  })
  process.send(await serve(process.argv[3]))
} else {
  const count = Number(process.argv[2] ?? 2_000)
  for (const kind of KINDS) {
    const { heap, resident } = await measure(kind, count)
    console.log(`${kind}: ${heap.toFixed(0)} bytes of heap, ${resident.toFixed(0)} resident`)
  }
}
