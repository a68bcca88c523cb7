/** mqtt.js against aedes over WebSockets: every quality of service, retained and last messages, large ones, a client that comes back. */
import { createServer } from 'node:http'
import { Aedes } from 'aedes'
import mqtt from 'mqtt'
import { WebSocketServer, createWebSocketStream } from 'ws'
import { bytesOf, close, deferred, digest, listen, once, until, within } from '../lib/tools.mjs'

const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_048_576]
const PUBLISHED = 5_000

async function start() {
  const broker = await Aedes.createBroker()
  const http = createServer()
  const wss = new WebSocketServer({
    server: http,
    handleProtocols: (protocols) => (protocols.has('mqtt') ? 'mqtt' : false),
  })
  wss.on('connection', (socket, request) => broker.handle(createWebSocketStream(socket), request))
  const url = `ws://127.0.0.1:${String(await listen(http))}`
  return {
    broker,
    wss,
    connect: async (options) => {
      const client = mqtt.connect(url, { reconnectPeriod: 20, ...options })
      await once(client, 'connect')
      return client
    },
    stop: async () => {
      await within(new Promise((resolve) => broker.close(resolve)), 'the end of the broker')
      wss.close()
      await close(http)
    },
  }
}

/** Payloads of each size and quality of service, as the other client gets them. */
async function exchange(sender, receiver) {
  const received = []
  const all = deferred()
  const listener = (topic, payload, { qos }) => {
    received.push(`${topic} ${String(qos)} ${digest(payload)}`)
    if (received.length === SIZES.length * 3) all.resolve()
  }
  receiver.on('message', listener)
  await receiver.subscribeAsync('sizes/#', { qos: 2 })
  for (const size of SIZES) {
    for (const qos of [0, 1, 2]) await sender.publishAsync(`sizes/${String(size)}`, bytesOf(size), { qos })
  }
  await within(all.promise, 'all messages')
  receiver.off('message', listener)
  return received.toSorted()
}

async function flood(sender, receiver) {
  const all = deferred()
  let received = 0
  receiver.on('message', () => (received += 1) === PUBLISHED && all.resolve())
  await receiver.subscribeAsync('flood')
  const began = performance.now()
  for (let index = 0; index < PUBLISHED; index += 1) sender.publish('flood', 'a short text')
  await within(all.promise, 'the flood')
  return Math.round(PUBLISHED / ((performance.now() - began) / 1000))
}

export async function run({ figure }) {
  const { broker, wss, connect, stop } = await start()
  const first = await connect({ clientId: 'first' })
  const second = await connect({
    clientId: 'second',
    will: { topic: 'last', payload: Buffer.from('second is gone'), qos: 1, retain: false },
  })
  const result = { exchange: await exchange(first, second) }
  figure('messages a second', await flood(first, second))

  await first.publishAsync('kept', 'a retained text', { retain: true, qos: 1 })
  const late = await connect({ clientId: 'late' })
  const kept = once(late, 'message')
  await late.subscribeAsync('kept')
  const [topic, payload, { retain }] = await kept
  result.kept = [topic, String(payload), retain]

  await late.subscribeAsync('last')
  const last = once(late, 'message')
  second.options.reconnectPeriod = 0
  second.stream.destroy()
  result.last = String((await last)[1])
  await second.endAsync(true)

  // The broker's sockets end: the clients come back, and what was subscribed is subscribed again.
  const back = Promise.all([once(first, 'connect'), once(late, 'connect')])
  for (const socket of wss.clients) socket.terminate()
  await back
  const news = once(late, 'message')
  await until(() => broker.connectedClients === 2, 'two clients')
  await first.publishAsync('kept', 'news', { qos: 1 })
  result.news = String((await news)[1])
  result.protocols = [...wss.clients].map(({ protocol }) => protocol)
  for (const client of [first, late]) await client.endAsync()
  await until(() => wss.clients.size === 0, 'the end of the clients')
  await stop()
  return result
}
