/**
 * What many connections cost beside their own memory in a process: the kernel's part of a socket, and what a node keeps of the
 * names and groups of another node. Prints a line of JSON, all in bytes for each.
 *
 * node --expose-gc benchmarks/brokers/memory.mjs [COUNT]
 */
import cluster from 'node:cluster'
import { on, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const COUNT = Number(process.argv[2] ?? 100_000)
const SOCKETS = Math.min(4000, COUNT)

const { connect, WebSocketServer } = await import('../../dist/esm/index.js')
const { clusterBackplane, relayCluster } = await import('../../dist/esm/backplane/index.js')

const named = (kind, index) => `${kind}-${String(index).padStart(10, '0')}`
const heapAfter = () => {
  for (let i = 0; i < 4; i++) globalThis.gc()
  return process.memoryUsage().heapUsed
}

/** A node that hears of the names or groups of another one. */
async function hear(kind) {
  const server = new WebSocketServer({ backplane: clusterBackplane() })
  // It listens to nothing: workers of a cluster would share the port.
  server.attach(createServer())
  const before = heapAfter()
  process.send({ measured: 'nothing' })
  const last = named(kind, COUNT - 1)
  const knows = () =>
    kind === 'name' ? server.connections.has(last) : server.group(last).sizeEverywhere === 1
  while (!knows()) await sleep(50)
  await sleep(500)
  process.send({ measured: (heapAfter() - before) / COUNT })
}

/** A node that has them all. */
async function say(kind) {
  const hubLimits = { maxNamesPerConnection: false, maxGroupsPerConnection: false }
  const server = new WebSocketServer({ backplane: clusterBackplane(), hubLimits })
  const opened = new Promise((resolve) => server.route('/', { onOpen: resolve }))
  const { port } = await server.listen(0, '127.0.0.1')
  await connect(`ws://127.0.0.1:${port}/`)
  const socket = await opened
  for (let i = 0; i < COUNT; i++) {
    if (kind === 'name') server.connections.set(named(kind, i), socket)
    else socket.join(named(kind, i))
    // A turn for what is announced.
    if (i % 2000 === 1999) await sleep(20)
  }
}

/** What a worker says itself, and not what its backplane sends. */
async function said(worker) {
  for await (const [message] of on(worker, 'message')) if ('measured' in message) return message.measured
}

async function measurePresence(kind) {
  const hearer = cluster.fork({ ROLE: 'hear', KIND: kind })
  await said(hearer)
  const sayer = cluster.fork({ ROLE: 'say', KIND: kind })
  const bytes = await said(hearer)
  for (const worker of [hearer, sayer]) {
    worker.process.kill('SIGKILL')
    await once(worker, 'exit')
  }
  return bytes
}

const slabBytes = () => Number(/^Slab:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))[1]) * 1024

/** Both ends of each connection are here: the growth of the kernel's memory is that of two sockets. */
async function measureKernel() {
  const held = []
  const server = net.createServer((socket) => void held.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const open = async (count) => {
    for (let i = 0; i < count; i++) {
      const socket = net.connect(server.address().port, '127.0.0.1')
      await once(socket, 'connect')
      held.push(socket)
    }
    while (held.length % 2 !== 0) await sleep(5)
  }
  await open(200)
  const before = slabBytes()
  await open(SOCKETS)
  await sleep(300)
  const bytes = (slabBytes() - before) / (2 * SOCKETS)
  for (const socket of held) socket.destroy()
  server.close()
  return bytes
}

if (process.env.ROLE === 'hear') await hear(process.env.KIND)
else if (process.env.ROLE === 'say') await say(process.env.KIND)
else {
  relayCluster(cluster)
  const result = {
    kernelSocketBytes: await measureKernel(),
    remoteNameBytes: await measurePresence('name'),
    remoteGroupBytes: await measurePresence('group'),
  }
  console.log(JSON.stringify(result))
  process.exit()
}
