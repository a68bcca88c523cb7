/** Groups and names over processes and threads of their own, with real sockets: one port, several workers. */
import { connect, type ClientSocket } from '../../src/index.js'
import { Programs, type Program } from '../helpers/child.js'

const programs = new Programs()
const clients: ClientSocket[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate()
})
afterAll(() => programs.remove())

/** A server whose clients say what to do: `join`, `send`, `name`, `tell`, `size`, `nodes`, `who`. */
const SERVE = `
  import { WebSocketServer } from './src/index.js'
  import * as backplanes from './src/backplane/index.js'

  export async function serve(id, backplane, port) {
    const server = new WebSocketServer({ backplane, presenceTtlMs: 30_000 })
    const commands = {
      who: () => String(id),
      join: (socket, group) => String(socket.join(group)),
      send: (socket, group, text) => JSON.stringify(server.group(group).send(text, { except: socket })),
      bytes: (socket, group) => void server.group(group).send(new Uint8Array([1, 2, 255]), { except: socket }),
      all: (socket, text) => void server.broadcast(text),
      name: (socket, name) => String(server.connections.set(name, socket)),
      has: (socket, name) => String(server.connections.has(name)),
      tell: (socket, name, text) => { try { return String(server.connections.send(name, text)) } catch (error) { return error.code } },
      size: (socket, group) => String(server.group(group).sizeEverywhere),
      nodes: () => String(server.backplaneStats.nodes),
    }
    server.route('/', {
      onMessage(socket, message) {
        const [command, ...rest] = message.split(' ')
        const reply = commands[command](socket, ...rest)
        return reply === undefined ? undefined : command + ' ' + reply
      },
    })
    return { server, port: (await server.listen(port, '127.0.0.1')).port }
  }
`

/** Two workers behind one port; the primary takes 'kill ID' and 'end'. */
const CLUSTER = `
  import cluster from 'node:cluster'
  import { createInterface } from 'node:readline'
  ${SERVE}
  if (cluster.isPrimary) {
    const relay = backplanes.relayCluster(cluster)
    const ports = []
    cluster.on('message', (worker, message) => {
      if (message.port !== undefined && ports.push(message.port) === 2) console.log('ports', ports.join())
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
    const { server, port } = await serve(cluster.worker.id, backplanes.clusterBackplane(), 0)
    process.send({ port })
    process.on('message', async (message) => {
      if (message !== 'end') return
      await server.close({ timeoutMs: 100 })
      process.disconnect()
    })
  }
`

/** Two threads and the main thread, each with a port. */
const THREADS = `
  import { isMainThread, threadId, parentPort, Worker } from 'node:worker_threads'
  import { createInterface } from 'node:readline'
  ${SERVE}
  if (isMainThread) {
    const relay = new backplanes.BackplaneRelay()
    const main = await serve(0, relay.backplane(), 0)
    const workers = [1, 2].map(() => new Worker(new URL(import.meta.url)))
    const ports = await Promise.all(workers.map((worker) => {
      backplanes.relayWorker(relay, worker)
      return new Promise((resolve) => worker.on('message', ({ port }) => { if (port !== undefined) resolve(port) }))
    }))
    console.log('ports', [...ports, main.port].join())
    createInterface({ input: process.stdin }).on('line', async (line) => {
      if (line === 'kill') { await workers[0].terminate(); return }
      for (const worker of workers) worker.postMessage('end')
      await main.server.close({ timeoutMs: 100 })
      relay.close()
      process.stdin.destroy()
    })
  } else {
    const { server, port } = await serve(threadId, backplanes.workerBackplane(), 0)
    parentPort.postMessage({ port })
    parentPort.on('message', async function end(message) {
      if (message !== 'end') return
      await server.close({ timeoutMs: 100 })
      parentPort.off('message', end)
    })
  }
`

async function open(port: number): Promise<ClientSocket> {
  const client = await connect(`ws://127.0.0.1:${port}/`)
  clients.push(client)
  return client
}

/** Asks, and reads up to the answer: what comes before it is given as well. */
async function ask(client: ClientSocket, question: string): Promise<string> {
  client.send(question)
  const answer = String(await client.receive())
  return answer.slice(answer.indexOf(' ') + 1)
}

async function until(client: ClientSocket, question: string, wanted: string): Promise<void> {
  while ((await ask(client, question)) !== wanted) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** A client of each worker, whichever the system gives it to. */
async function openEach(port: number): Promise<[ClientSocket, ClientSocket]> {
  const found = new Map<string, ClientSocket>()
  while (found.size < 2) {
    const client = await open(port)
    found.set(await ask(client, 'who'), client)
  }
  return [found.get('1')!, found.get('2')!]
}

const CLEAN = { status: 0, signal: null, errors: '' }

async function talk(a: ClientSocket, b: ClientSocket, nodes: string): Promise<void> {
  await until(a, 'nodes', nodes)
  await until(b, 'nodes', nodes)
  expect([await ask(a, 'join dogs'), await ask(b, 'join dogs')]).toEqual(['true', 'true'])
  await until(a, 'size dogs', '2')
  await until(b, 'size dogs', '2')
  expect(await ask(a, 'send dogs wuff')).toBe('{"sent":0,"dropped":0,"failed":0}')
  a.send('bytes dogs')
  a.send('send dogs again')
  expect(await b.receive()).toBe('wuff')
  expect(await b.receive()).toEqual(Buffer.from([1, 2, 255]))
  expect(await b.receive()).toBe('again')
  await a.receive()

  await ask(b, 'name ann')
  await until(a, 'has ann', 'true')
  expect(await ask(a, 'tell ann hello')).toBe('true')
  expect(await b.receive()).toBe('hello')
  expect(await ask(a, 'tell bob hello')).toBe('HAWSER_UNKNOWN_CONNECTION')

  a.send('all everybody')
  expect([await a.receive(), await b.receive()]).toEqual(['everybody', 'everybody'])
}

async function end(program: Program): Promise<void> {
  program.tell('end')
  expect(await program.ended).toMatchObject(CLEAN)
}

describe('two worker processes behind one port', () => {
  test('reach the members of a group, a named connection and a broadcast of each other', async () => {
    const program = programs.run(CLUSTER)
    const [port, samePort] = (await program.value('ports')).split(',')
    expect(samePort).toBe(port)
    const [a, b] = await openEach(Number(port))
    await talk(a, b, '1')
    await end(program)
  })

  test('forget the names and members of a worker that is killed, long before presenceTtlMs', async () => {
    const program = programs.run(CLUSTER)
    const [port] = (await program.value('ports')).split(',')
    const [a, b] = await openEach(Number(port))
    await ask(b, 'name ann')
    await ask(b, 'join dogs')
    await until(a, 'has ann', 'true')
    await until(a, 'size dogs', '1')
    program.tell('kill 2')
    await until(a, 'has ann', 'false')
    await until(a, 'size dogs', '0')
    expect(await ask(a, 'nodes')).toBe('0')
    expect(await ask(a, 'tell ann x')).toBe('HAWSER_UNKNOWN_CONNECTION')
    await end(program)
  })
})

describe('threads', () => {
  test('and the main thread reach each other, and forget a thread that ended', async () => {
    const program = programs.run(THREADS)
    const [first, second, main] = (await program.value('ports')).split(',').map(Number)
    const [a, b, c] = [await open(first!), await open(second!), await open(main!)]
    await talk(a, b, '2')
    expect(await c.receive()).toBe('everybody')
    expect(await ask(c, 'tell ann you')).toBe('true')
    expect(await b.receive()).toBe('you')
    await ask(c, 'join cats')
    await ask(a, 'name zoe')
    await until(c, 'has zoe', 'true')
    program.tell('kill')
    await until(c, 'has zoe', 'false')
    expect(await ask(c, 'nodes')).toBe('1')
    await end(program)
  })
})
