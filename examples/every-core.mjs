/**
 * One process for each core, behind one port: a process of Node uses one core, and Hawser starts no threads for messages. With
 * `reusePort` (Node 22.12, or 23.1 and later) each process listens for itself, and the system gives each connection to one of
 * them. In an older Node the primary of node:cluster accepts, and hands the connections around. After `npm run build`:
 *
 *   node examples/every-core.mjs
 *
 * A group that spans the processes needs a backplane: see two-workers.mjs.
 */
import cluster from 'node:cluster'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { connect, WebSocketServer } from 'hawser'

const CONNECTIONS = 32
const [major, minor] = process.versions.node.split('.').map(Number)
const hasReusePort = major >= 24 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)

if (cluster.isPrimary) await runPrimary()
else await runWorker()

async function runWorker() {
  const server = new WebSocketServer()
  server.route('/', { onMessage: () => `process ${process.pid}` })
  const wanted = Number(process.env.PORT)
  // Without reusePort the workers of a cluster share a port by themselves, also where it is 0.
  const { port } = await server.listen(hasReusePort ? { port: wanted, reusePort: true } : wanted)
  process.on('message', async () => {
    await server.close()
    process.disconnect()
  })
  process.send({ port })
}

/** Starts a process, and waits until it listens. */
async function start(wanted) {
  const worker = cluster.fork({ PORT: wanted })
  const [{ port }] = await once(worker, 'message')
  return { worker, port }
}

async function runPrimary() {
  const count = Math.max(2, Math.min(availableParallelism(), 4))
  // A real server has a port of its own; here the first process takes a free one.
  const first = await start(0)
  const others = []
  while (others.length < count - 1) others.push(await start(hasReusePort ? first.port : 0))

  const answered = new Map()
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = await connect(`ws://localhost:${first.port}/`)
    socket.send('who are you?')
    const name = await socket.receive({ timeoutMs: 10_000 })
    answered.set(name, (answered.get(name) ?? 0) + 1)
    await socket.close()
  }
  console.log(`${answered.size} processes answered ${CONNECTIONS} connections at one port`)
  console.log(hasReusePort ? 'the system spread them' : 'the primary of the cluster spread them')

  for (const { worker } of [first, ...others]) {
    worker.send('end')
    await once(worker, 'exit')
  }
}
