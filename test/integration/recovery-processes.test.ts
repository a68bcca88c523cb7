/** Recovery over processes of their own, behind one port, one of which is killed: their history is a third process. */
import { connect, type ClientSocket } from '../../src/index.js'
import type { RecoveryEvent } from '../../src/recovery/index.js'
import { Programs } from '../helpers/child.js'
import { until } from '../helpers/recovery-world.js'

const programs = new Programs()
const clients: ClientSocket[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate()
})
afterAll(() => programs.remove())

/** The primary has the history and the relay, and takes 'kill ID' and 'end'. A worker is told by its clients what to publish. */
const CLUSTER = `
  import cluster from 'node:cluster'
  import { createInterface } from 'node:readline'
  import { WebSocketServer } from './src/index.js'
  import { clusterBackplane, relayCluster } from './src/backplane/index.js'
  import { memoryHistory } from './src/recovery/index.js'

  if (cluster.isPrimary) {
    const relay = relayCluster(cluster)
    const history = memoryHistory()
    let ready = 0
    cluster.on('message', (worker, { port, id, method, args }) => {
      if (port !== undefined && ++ready === 2) console.log('port', port)
      if (method !== undefined && worker.isConnected()) worker.send({ id, value: history[method](...args) })
    })
    cluster.fork()
    cluster.fork()
    createInterface({ input: process.stdin }).on('line', (line) => {
      const [command, id] = line.split(' ')
      if (command === 'kill') cluster.workers[id].process.kill('SIGKILL')
      else for (const worker of Object.values(cluster.workers)) worker.send('end')
      if (command === 'end') { relay.close(); process.stdin.destroy() }
    })
  } else {
    const calls = new Map()
    let last = 0
    const ask = (method) => (...args) => {
      process.send({ id: ++last, method, args })
      return new Promise((resolve) => calls.set(last, resolve))
    }
    const server = new WebSocketServer({
      backplane: clusterBackplane(),
      recovery: { history: { append: ask('append'), read: ask('read') }, groups: ['room'], checkIntervalMs: 300 },
    })
    server.route('/', { onOpen: (socket) => {
      socket.join('room')
      socket.send('worker ' + cluster.worker.id)
    } })
    server.route('/publish', {
      onOpen: (socket) => void socket.send(String(cluster.worker.id)),
      onMessage: async (_, text) => String((await server.group('room').publish(text)).offset),
    })
    const { port } = await server.listen(0, '127.0.0.1')
    process.on('message', async (message) => {
      if (message === 'end') {
        await server.close({ timeoutMs: 100 })
        process.disconnect()
      } else if (calls.has(message.id)) {
        calls.get(message.id)(message.value)
        calls.delete(message.id)
      }
    })
    process.send({ port })
  }
`

it('a client whose process is killed gets what was published meanwhile from another one, once and in order', async () => {
  const program = programs.run(CLUSTER)
  const url = `ws://127.0.0.1:${await program.value('port')}`
  const got: string[] = []
  const workers: string[] = []
  const events: RecoveryEvent[] = []
  const reader = await connect(`${url}/`, {
    reconnect: { minDelayMs: 0, maxDelayMs: 20 },
    recovery: { onRecovered: (event) => events.push(event) },
    handlers: {
      onTextMessage: (_, text) => void (text.startsWith('worker ') ? workers : got).push(text),
    },
  })
  clients.push(reader)
  await until(() => reader.positions().length === 1 && workers.length === 1, 'the first position')
  const mine = workers[0]?.split(' ')[1] ?? ''
  const other = mine === '1' ? '2' : '1'
  // A publisher at the other worker: the cluster hands connections around.
  let publisher = await connect(`${url}/publish`)
  while ((await publisher.receive()) !== other) {
    publisher.terminate()
    publisher = await connect(`${url}/publish`)
  }
  clients.push(publisher)
  const published: string[] = []
  const publish = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const text = `m${String(published.length)}`
      published.push(text)
      publisher.send(text)
      await publisher.receive()
    }
  }
  await publish(20)
  await until(() => got.length === 20, 'the first messages')
  program.tell(`kill ${mine}`)
  await publish(30)
  await until(() => got.length === 50, 'what was published after the kill')
  await until(() => events.length === 1, 'the outcome')
  expect(got).toEqual(published)
  expect(events[0]?.recovered).toBe(true)
  expect(workers[1]).toBe(`worker ${other}`)
  for (const client of clients.splice(0)) client.terminate()
  program.tell('end')
  expect((await program.ended).errors).toBe('')
})
