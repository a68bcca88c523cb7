// Resident memory of a server for each connection with permessage-deflate agreed: silent; after one compressed message
// of 1 KiB from each; after a second; and after one of 48 KiB, which fills the window that a context may reach back.
//
// node benchmarks/micro/context-memory.mjs [--connections 5000] [--module dist/esm/index.js] [--no-deflate]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { constants, createDeflateRaw } from 'node:zlib'

const self = fileURLToPath(import.meta.url)
const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '5000' },
    module: { type: 'string', default: path.join(path.dirname(self), '../../dist/esm/index.js') },
    'no-deflate': { type: 'boolean', default: false },
    serve: { type: 'boolean', default: false },
  },
})

async function serve() {
  const { WebSocketServer } = await import(pathToFileURL(path.resolve(values.module)))
  const server = new WebSocketServer({ perMessageDeflate: !values['no-deflate'], heartbeatIntervalMs: false })
  let messages = 0
  server.route('/', { onMessage: () => void messages++ })
  const { port } = await server.listen(0, '127.0.0.1')
  console.log(port)
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'measure') {
      // V8 gives back the room of young objects after some seconds of quiet.
      for (let i = 0; i < 4; i++) {
        globalThis.gc()
        await sleep(2000)
      }
      const { rss, arrayBuffers } = process.memoryUsage()
      console.log(JSON.stringify({ rss, arrayBuffers, messages, connections: server.connectionCount }))
    }
  }
  process.exit()
}

const HEAD =
  'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n'

/** JSON of so many bytes, another for each number. */
function json(bytes, number) {
  let state = number + 1
  let text = ''
  while (text.length < bytes) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    text += JSON.stringify({ id: state, name: `user${state % 1000}`, isActive: state % 2 === 0 })
  }
  return Buffer.from(text.slice(0, bytes))
}

/** A masked text frame with RSV1; the key is zero. */
function frame(payload) {
  const header =
    payload.length < 126 ? Buffer.from([0xc1, 0x80 | payload.length]) : Buffer.from([0xc1, 0xfe, 0, 0])
  if (payload.length >= 126) header.writeUInt16BE(payload.length, 2)
  return Buffer.concat([header, Buffer.alloc(4), payload])
}

/** The frames of one client, in order: all have the same context, and so the same bytes. */
async function makeFrames(sizes) {
  const stream = createDeflateRaw()
  const frames = []
  for (const [i, size] of sizes.entries()) {
    const chunks = []
    stream.on('data', (chunk) => chunks.push(chunk))
    stream.write(json(size, i))
    await new Promise((resolve) => stream.flush(constants.Z_SYNC_FLUSH, resolve))
    stream.removeAllListeners('data')
    frames.push(frame(Buffer.concat(chunks).subarray(0, -4)))
  }
  return frames
}

async function measure() {
  const count = Number(values.connections)
  const flags = ['--connections', values.connections, '--module', values.module]
  if (values['no-deflate']) flags.push('--no-deflate')
  const child = spawn(process.execPath, ['--expose-gc', self, '--serve', ...flags], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const port = Number((await lines.next()).value)
  const ask = async () => {
    child.stdin.write('measure\n')
    return JSON.parse((await lines.next()).value)
  }
  const sockets = []
  const open = async () => {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(HEAD)
    const [answer] = await once(socket, 'data')
    if (!answer.toString().startsWith('HTTP/1.1 101')) throw new Error(answer.toString())
    socket.resume()
    sockets.push(socket)
  }
  const openAll = async (target) => {
    while (sockets.length < target) {
      const batch = Math.min(100, target - sockets.length)
      await Promise.all(Array.from({ length: batch }, open))
    }
  }
  // The first compile what all need.
  await openAll(200)
  const before = await ask()
  await openAll(200 + count)
  const measured = sockets.slice(200)
  const report = async (label) => {
    const { rss, arrayBuffers, messages } = await ask()
    const each = (bytes, base) => String(Math.round((bytes - base) / count)).padStart(7)
    console.log(
      `${label.padEnd(40)} ${each(rss, before.rss)} B resident,${each(arrayBuffers, before.arrayBuffers)} B of it buffers, for each (${messages} messages)`,
    )
  }
  await report('silent')
  if (!values['no-deflate']) {
    const frames = await makeFrames([1024, 1024, 48 * 1024])
    for (const [i, label] of [
      'after one message of 1 KiB',
      'after a second',
      'after one of 48 KiB',
    ].entries()) {
      for (const socket of measured) socket.write(frames[i])
      await report(label)
    }
  }
  child.kill()
  process.exit()
}

await (values.serve ? serve() : measure())
