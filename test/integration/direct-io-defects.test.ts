/** Defects of the socket path that were found by use; each had its test first. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket as TcpSocket } from 'node:net'
import { connect, WebSocketServer, type ServerSocket } from '../../src/index.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A peer in a process of its own, that upgrades, reads as fast as it can, and tells how much, once it is so much. */
const READER = `
  const [port, wanted] = process.argv.slice(1).map(Number)
  const socket = require('node:net').connect(port, '127.0.0.1', () => socket.write(
    'GET / HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
    'Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n'))
  let read = 0
  socket.on('data', (chunk) => {
    read += chunk.length
    if (read >= wanted) process.stdout.write('all', () => process.exit())
  })
  socket.on('close', () => process.stdout.write('closed', () => process.exit()))`

test('a write request that completed at once is not used again before its own callback', async () => {
  const MIB = 1024 * 1024
  const count = 24
  const server = new WebSocketServer({
    perMessageDeflate: false,
    limits: { maxBufferedOutputBytes: 64 * MIB },
  })
  cleanups.push(() => server.terminate())
  const data = Buffer.alloc(16 * MIB, 7)
  server.route('/', {
    onOpen: async (socket: ServerSocket) => {
      for (let i = 0; i < count; i++) {
        socket.send(data)
        await socket.drained()
      }
    },
  })
  const { port } = await server.listen(0)
  const reader = spawn(process.execPath, ['-e', READER, String(port), String(count * 16 * MIB)])
  cleanups.push(() => reader.kill('SIGKILL'))
  const [said] = (await once(reader.stdout, 'data')) as [Buffer]
  expect(said.toString()).toBe('all')
})

test('code that destroys the socket from the http server ends the connection', async () => {
  const http = createServer()
  const transports: TcpSocket[] = []
  http.on('connection', (transport: TcpSocket) => transports.push(transport))
  const server = new WebSocketServer().attach(http)
  const closed = new Promise<number>((resolve) => {
    server.route('/', { onClose: (_, info) => resolve(info.code) })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => http.close())
  const socket = await connect(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/`)
  cleanups.push(() => socket.terminate())
  for (const transport of transports) transport.destroy()
  expect(await closed).toBe(1006)
  expect(server.connectionCount).toBe(0)
})

test('a streamed reply that never waits leaves other connections their turn', async () => {
  const server = new WebSocketServer({ perMessageDeflate: false, closeTimeoutMs: 500 })
  cleanups.push(() => server.terminate())
  server.route('/', {
    async *onTextMessage() {
      for (;;) yield 'x'
    },
  })
  const { port } = await server.listen(0)
  const socket = await connect(`ws://127.0.0.1:${port}/`)
  socket.send('go')
  // Both ends are in this process: that this comes at all is what is tested.
  expect(await socket.receive()).toBe('x')
  const info = await socket.close(1000)
  expect(info.code).toBe(1000)
})

test('messages that arrive during onOpen, after an async onUpgrade, wait in the network', async () => {
  const server = new WebSocketServer({ perMessageDeflate: false })
  cleanups.push(() => server.terminate())
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  let received = 0
  const { accept } = await import('../../src/index.js')
  server.route('/', {
    onUpgrade: () => Promise.resolve(accept()),
    onOpen: () => opened,
    onBinaryMessage: () => {
      received++
    },
  })
  const { port } = await server.listen(0)
  const socket = await connect(`ws://127.0.0.1:${port}/`, {
    perMessageDeflate: false,
    limits: { maxBufferedOutputBytes: 256 * 1024 * 1024 },
  })
  cleanups.push(() => socket.terminate())
  for (let i = 0; i < 512; i++) socket.send(Buffer.alloc(64 * 1024))
  await new Promise((resolve) => setTimeout(resolve, 200))
  // 32 MiB were sent: more than all buffers of the network hold.
  expect(socket.bufferedAmount).toBeGreaterThan(1024 * 1024)
  open()
  while (received < 512) await new Promise((resolve) => setImmediate(resolve))
})
