/**
 * The server whose connections end in all ways (lib/ways.mjs): on ports of its own by the handle and by the stream, attached to a
 * server of node:http, and over TLS both ways. It prints its ports. For the line `collect FILE` it prints what is left, by count-left.mjs.
 */
import { createServer } from 'node:http'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { SHORT_LIMITS, SHORT_TIMES, tlsFiles } from '../lib/short.mjs'
import { countLeft } from './count-left.mjs'

const { accept, reject, WebSocketServer } = await import('../../dist/esm/index.js')

/** More than the buffers of the system take for a peer that does not read. */
const BIG = Buffer.alloc(4 * 1024 * 1024, 0x2e)
const PIECE = BIG.subarray(0, 256 * 1024)

const counts = {}
const count = (text) => (counts[text] = (counts[text] ?? 0) + 1)

/** The handlers of each path; what they throw, and what the peers do, is counted. */
const services = {
  '/': { onMessage: (_socket, message) => message },
  '/close': { onOpen: (socket) => void socket.close(4001) },
  '/close-later': { onMessage: (socket) => void socket.close(1000) },
  '/terminate': { onOpen: (socket) => socket.terminate() },
  '/terminate-later': { onMessage: (socket) => socket.terminate() },
  '/reject': { onUpgrade: () => reject(403, 'no') },
  '/decide': { onUpgrade: () => sleep(15).then(() => accept()) },
  '/wait': { onOpen: () => sleep(15), onMessage: (_socket, message) => message },
  '/throw-open': {
    onOpen: () => {
      throw new Error('in onOpen')
    },
  },
  '/throw': {
    onMessage: () => {
      throw new Error('in onMessage')
    },
  },
  '/signal': { onMessage: (socket) => once(socket.signal, 'abort').then(() => undefined) },
  '/stream': {
    async *onMessage(socket) {
      for (let i = 0; i < 1_000; i++) {
        yield `part ${i}`
        await sleep(5, undefined, { signal: socket.signal }).catch(() => undefined)
      }
    },
  },
  '/pause': { onOpen: (socket) => socket.pause(), onMessage: () => undefined },
  '/idle': { idleTimeoutMs: 30, onMessage: () => undefined },
  '/quota': { quotas: { messagesPerSecond: 1 }, onMessage: () => undefined },
  '/output': { onMessage: (socket) => void socket.send(BIG) },
  '/output-terminate': {
    onMessage: async (socket) => {
      socket.send(BIG)
      await sleep(10)
      socket.terminate()
    },
  },
  '/write': {
    onMessage: (socket) =>
      socket
        .write(BIG)
        .catch(() => undefined)
        .then(() => undefined),
  },
  '/much': {
    onMessage: (socket) => {
      for (let i = 0; i < 24; i++) socket.send(PIECE)
    },
  },
}

function makeServer(options) {
  const server = new WebSocketServer({
    ...SHORT_TIMES,
    limits: SHORT_LIMITS,
    onError: () => count('error of the server'),
    ...options,
  })
  const withGroup = {
    onOpen: (socket) => {
      for (const name of ['one', 'two', socket.id]) socket.join(name)
      server.connections.set(socket.id, socket)
    },
    onMessage: (socket) => void socket.group(socket.id).send('x'),
  }
  for (const [path, service] of Object.entries({ ...services, '/group': withGroup })) {
    server.route(path, {
      ...service,
      onError: (_socket, error) => count(error.code ?? 'error of a handler'),
      onClose: (_socket, { code }) => count(String(code)),
    })
  }
  return server
}

const tls = tlsFiles()
const servers = [
  makeServer({}),
  makeServer({ directIo: false }),
  makeServer({}),
  makeServer({ tls }),
  makeServer({ tls, directIo: false }),
]
const [byHandle, byStream, attached, tlsByHandle, tlsByStream] = servers
const portOf = async (one) => (await one.listen(0, '0.0.0.0')).port
// Its times are node:http's own until there is an upgrade.
const http = createServer(
  { headersTimeout: 300, requestTimeout: 300, keepAliveTimeout: 100, connectionsCheckingInterval: 100 },
  (_request, response) => response.writeHead(404).end(),
)
attached.attach(http)
await once(http.listen(0, '0.0.0.0'), 'listening')
const plain = [await portOf(byHandle), await portOf(byStream), http.address().port]
const secure = [await portOf(tlsByHandle), await portOf(tlsByStream)]
console.log(JSON.stringify({ plain, secure }))

const COLLECT = 'collect '
/** Connections of each server, those of node:http that are none yet among them. */
const countConnections = () => servers.reduce((sum, one) => sum + one.connectionCount, 0)
for await (const line of createInterface({ input: process.stdin })) {
  if (!line.startsWith(COLLECT)) break
  const file = line.slice(COLLECT.length)
  console.log(JSON.stringify({ left: await countLeft(countConnections, file), counts }))
}
process.exit()
