/**
 * A new version at the port of the old one: the successor listens beside it, and then the old process closes its connections
 * one after another, spread over a time. With `reusePort` (Node 22.12, or 23.1 and later) each process listens for itself; in
 * an older Node the primary of node:cluster hands the connections around. The client that reconnects moves over by itself.
 * After `npm run build`:
 *
 *   node examples/rolling-restart.mjs
 */
import cluster from 'node:cluster'
import { once } from 'node:events'
import { connect, WebSocketServer } from 'hawser'

const CLIENTS = 20
const [major, minor] = process.versions.node.split('.').map(Number)
const hasReusePort = major >= 24 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)

if (cluster.isPrimary) await runPrimary()
else await runVersion(process.env.VERSION)

async function runVersion(version) {
  const server = new WebSocketServer()
  server.route('/', { onOpen: (socket) => void socket.send(version) })
  const port = Number(process.env.PORT)
  const address = await server.listen(hasReusePort ? { port, reusePort: true } : port)
  process.on('SIGTERM', async () => {
    await server.close({ code: 1012, reason: 'new version', spreadMs: 1_000, timeoutMs: 5_000 })
    process.disconnect()
  })
  process.send({ port: address.port })
}

/** Starts a version, and waits until it listens. */
async function start(version, port) {
  const worker = cluster.fork({ VERSION: version, PORT: port })
  const [address] = await once(worker, 'message')
  return { worker, port: address.port }
}

async function runPrimary() {
  const old = await start('version 1', 0)
  const url = `ws://localhost:${old.port}/`
  const clients = []
  for (let i = 0; i < CLIENTS; i++) {
    const client = await connect(url, { reconnect: { minDelayMs: 100 } })
    if ((await client.receive()) === 'version 1') clients.push(client)
  }
  console.log(`${clients.length} clients at version 1`)

  // Without reusePort the workers of a cluster share a port that they ask for by the same number.
  const next = await start('version 2', hasReusePort ? old.port : 0)
  const ended = once(old.worker, 'exit')
  process.kill(old.worker.process.pid, 'SIGTERM')
  const versions = await Promise.all(clients.map((client) => client.receive({ timeoutMs: 30_000 })))
  console.log(`${versions.filter((version) => version === 'version 2').length} clients at version 2`)
  await ended

  for (const client of clients) client.terminate()
  const gone = once(next.worker, 'exit')
  process.kill(next.worker.process.pid, 'SIGTERM')
  await gone
}
