/**
 * Two processes, each with a server, and one group that spans both: what comes to one goes out at the other too. After
 * `npm run build`:
 *
 *   node examples/two-workers.mjs
 */
import cluster from 'node:cluster'
import { once } from 'node:events'
import { connect, WebSocketServer } from 'hawser'
import { clusterBackplane, relayCluster } from 'hawser/backplane'

if (cluster.isPrimary) await runPrimary()
else await runWorker()

async function runWorker() {
  const server = new WebSocketServer({ backplane: clusterBackplane() })
  server.route('/chat', {
    onOpen(socket) {
      socket.join('everybody')
      socket.send(`you are at worker ${cluster.worker.id}`)
    },
    onTextMessage(socket, text) {
      const group = socket.group('everybody')
      if (text === 'how many?') return String(group.sizeEverywhere)
      // Counted are the members of this process; those of others get it as well.
      const { sent } = group.send(text, { except: socket })
      return `sent to ${sent} in this process`
    },
  })
  // In a cluster all workers listen on one port, also where it is 0: the primary hands the connections around.
  const { port } = await server.listen(0)
  process.on('message', async (message) => {
    if (message !== 'end') return
    await server.close()
    process.disconnect()
  })
  process.send({ port })
}

async function runPrimary() {
  const relay = relayCluster(cluster)
  const workers = [cluster.fork(), cluster.fork()]
  const [port] = await Promise.all(workers.map(portOf))
  const ada = await connect(`ws://localhost:${port}/chat`)
  const bob = await connect(`ws://localhost:${port}/chat`)
  const read = async (who, socket) => console.log(`${who}: ${await socket.receive({ timeoutMs: 10_000 })}`)
  await read('ada', ada)
  await read('bob', bob)

  // Who joins is announced within milliseconds. A server need not wait for it; this example does, for a steady output.
  for (const socket of [ada, bob]) {
    do socket.send('how many?')
    while ((await socket.receive({ timeoutMs: 10_000 })) !== '2')
  }
  ada.send('is anybody there?')
  await read('ada', ada)
  await read('bob', bob)
  bob.send('here I am')
  await read('ada', ada)

  for (const worker of workers) {
    worker.send('end')
    await once(worker, 'exit')
  }
  relay.close()
}

/** What a worker says first of its own; the rest is the backplane's. */
function portOf(worker) {
  return new Promise((resolve) => {
    worker.on('message', ({ port }) => {
      if (port !== undefined) resolve(port)
    })
  })
}
