// Hawser in `--processes=N` processes behind one port: by reusePort where this Node has it, else by node:cluster, whose primary
// accepts for all. One process is measured the same way, so that nothing but their number differs.
import cluster from 'node:cluster'
import { once } from 'node:events'
import process from 'node:process'
import { flags, MAX_BUFFERED_BYTES, MAX_MESSAGE_BYTES, ready } from './shared.mjs'

const [major, minor] = process.versions.node.split('.').map(Number)
const hasReusePort = major >= 24 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)

async function serve() {
  const { WebSocketServer } = await import(process.env.HAWSER_ENTRY ?? '../../dist/esm/index.js')
  const server = new WebSocketServer({
    perMessageDeflate: flags.deflate,
    limits: { maxMessageBytes: MAX_MESSAGE_BYTES, maxBufferedOutputBytes: MAX_BUFFERED_BYTES },
  })
  server.route('/', {
    onMessage: (socket, message) => {
      socket.send(message)
    },
  })
  const host = '127.0.0.1'
  const wanted = Number(process.env.PORT)
  const { port } = await server.listen(
    hasReusePort ? { port: wanted, host, reusePort: true } : { port: wanted, host },
  )
  process.send({ port })
}

async function start(wanted) {
  const [{ port }] = await once(cluster.fork({ PORT: wanted }), 'message')
  return port
}

if (cluster.isPrimary) {
  const count = Number(process.argv.find((text) => text.startsWith('--processes=')).slice(12))
  const port = await start(0)
  for (let i = 1; i < count; i++) await start(hasReusePort ? port : 0)
  process.on('SIGTERM', async () => {
    for (const worker of Object.values(cluster.workers)) {
      worker.process.kill('SIGKILL')
      await once(worker, 'exit')
    }
    process.exit()
  })
  ready(port, hasReusePort ? 'reusePort' : 'node:cluster')
} else {
  await serve()
}
