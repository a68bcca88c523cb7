/** Backplanes in processes of their own: a relay that comes late, and a backplane that fails. */
import { Programs } from '../helpers/child.js'

const programs = new Programs()
afterAll(() => programs.remove())

const START = `
  import http from 'node:http'
  import { once } from 'node:events'
  import { WebSocketServer, connect } from './src/index.js'
  import * as backplanes from './src/backplane/index.js'
  const until = async (isSo) => { while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5)) }
`

/** A server with one member of a group; says what that gets. */
const NODE = `
  const node = async (backplane) => {
    const server = new WebSocketServer({ backplane })
    server.route('/', { onOpen: (socket) => { socket.join('dogs') } })
    // A port of its own: the workers of node:cluster share those that they listen on.
    const shared = http.createServer()
    server.attach(shared)
    await once(shared.listen({ port: 0, host: '127.0.0.1', exclusive: true }), 'listening')
    const client = await connect('ws://127.0.0.1:' + shared.address().port + '/')
    const close = async () => { await server.close(); shared.close() }
    return { server, client, close }
  }
`

it('a worker of node:cluster that joins before the primary relays sends to and receives from the others', async () => {
  const { ended } = programs.run(`${START} ${NODE}
    import cluster from 'node:cluster'
    if (cluster.isPrimary) {
      const workers = [cluster.fork(), cluster.fork()]
      let ready = 0
      for (const worker of workers) worker.on('message', (message) => {
        if (message === 'ready') ready++
        else if (typeof message.got === 'string') { console.log(message.got); ready++ }
      })
      await until(() => ready === 2)
      const relay = backplanes.relayCluster(cluster)
      await until(() => relay.size === 2)
      await until(() => ready === 4)
      relay.close()
      for (const worker of workers) worker.send('end')
    } else {
      const { server, client, close } = await node(backplanes.clusterBackplane())
      process.send('ready')
      await until(() => server.group('dogs').sizeEverywhere === 2 && server.backplaneStats.nodes === 1)
      const got = client.receive()
      server.group('dogs').send('from ' + cluster.worker.id, { except: [...server.sockets] })
      process.send({ got: await got })
      // The relay speaks over the same channel.
      await new Promise((resolve) => process.on('message', (message) => message === 'end' && resolve()))
      await close()
      process.disconnect()
    }
  `)
  const { status, lines, errors } = await ended
  expect([status, errors, [...lines].sort()]).toEqual([0, '', ['from 1', 'from 2']])
})

it('a thread that joins before its parent relays sends to and receives from the others', async () => {
  const { ended } = programs.run(`${START} ${NODE}
    import { Worker, isMainThread, parentPort } from 'node:worker_threads'
    if (isMainThread) {
      const worker = new Worker(new URL(import.meta.url))
      await once(worker, 'message')
      const relay = new backplanes.BackplaneRelay()
      const { server, client, close } = await node(backplanes.memoryBackplane(relay))
      backplanes.relayWorker(relay, worker)
      await until(() => server.group('dogs').sizeEverywhere === 2)
      const got = client.receive()
      server.group('dogs').send('from the parent', { except: [...server.sockets] })
      console.log(await got)
      await close()
      relay.close()
      worker.postMessage('end')
    } else {
      const { server, client, close } = await node(backplanes.workerBackplane())
      parentPort.postMessage('ready')
      await until(() => server.group('dogs').sizeEverywhere === 2)
      console.log(await client.receive())
      server.group('dogs').send('from the thread', { except: [...server.sockets] })
      await new Promise((resolve) => parentPort.on('message', (message) => message === 'end' && resolve()))
      await close()
      parentPort.close()
    }
  `)
  const { status, lines, errors } = await ended
  expect([status, errors, [...lines].sort()]).toEqual([0, '', ['from the parent', 'from the thread']])
})

const FAILING = `
  const fail = () => Promise.reject(new Error('no broker'))
  const backplane = { start: fail, publish: fail, watch: fail, unwatch: fail, close: fail }
  const use = async (server) => {
    server.route('/', { onOpen: (socket) => { socket.join('dogs') }, onMessage: (_, message) => message })
    const { port } = await server.listen(0, '127.0.0.1')
    const client = await connect('ws://127.0.0.1:' + port + '/')
    client.send('alive')
    console.log(await client.receive())
    await client.close()
    await server.close()
  }
`

it("a backplane whose methods reject ends no connection, and the server's onError is called once for each failure", async () => {
  const { ended } = programs.run(`${START} ${FAILING}
    let heard = 0
    const server = new WebSocketServer({ backplane, onError: (error) => { if (error.message === 'no broker') heard++ } })
    await use(server)
    console.log(heard > 5, heard === server.backplaneStats.errors)
  `)
  expect(await ended).toMatchObject({ status: 0, lines: ['alive', 'true true'], errors: '' })
})

it('a backplane whose methods reject causes one process warning when the server has no onError', async () => {
  const { ended } = programs.run(`${START} ${FAILING}
    process.on('warning', ({ code, message }) => console.log(code, message))
    await use(new WebSocketServer({ backplane }))
  `)
  const { status, lines } = await ended
  const warning = 'HAWSER_BACKPLANE_ERROR the backplane failed, and the server has no onError: no broker'
  expect([status, [...lines].sort()]).toEqual([0, [warning, 'alive']])
})

it('a backplane whose start throws does not end the process of a server that uses handleUpgrade', async () => {
  const { ended } = programs.run(`${START} ${FAILING}
    backplane.start = () => { throw new Error('no broker at all') }
    const server = new WebSocketServer({ backplane, onError: (error) => console.log(error.message) })
    const shared = http.createServer().on('upgrade', (request, socket, head) => {
      server.handleUpgrade(request, socket, head, { onMessage: (_, message) => message })
    })
    await once(shared.listen(0, '127.0.0.1'), 'listening')
    for (const text of ['alive', 'alive still']) {
      const client = await connect('ws://127.0.0.1:' + shared.address().port + '/')
      client.send(text)
      console.log(await client.receive())
      await client.close()
    }
    await server.close()
    shared.close()
    const second = new WebSocketServer({ backplane })
    await second.listen(0).catch((error) => console.log('listen: ' + error.message))
    await second.close()
  `)
  expect(await ended).toMatchObject({
    status: 0,
    lines: ['no broker at all', 'alive', 'alive still', 'listen: no broker at all'],
  })
})
