/** engine.io: text and bytes of many sizes, compression, its heartbeat, headers of the upgrade, a limit, an end from either side. */
import { createServer } from 'node:http'
import { Server } from 'engine.io'
import { Socket as Client } from 'engine.io-client'
import { bytesOf, deferred, digest, echoRate, listen, once, textOf, until, within } from '../lib/tools.mjs'

const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 300_000, 1_048_576]

async function start(options) {
  const http = createServer()
  const engine = new Server({ maxHttpBufferSize: 2_000_000, ...options })
  engine.attach(http)
  const port = await listen(http)
  return {
    engine,
    connect: async (clientOptions) => {
      const client = new Client(`ws://127.0.0.1:${String(port)}`, {
        transports: ['websocket'],
        ...clientOptions,
      })
      await within(
        new Promise((resolve, reject) => client.once('open', resolve).once('error', reject)),
        'the opening',
      )
      return client
    },
    stop: async () => {
      engine.close()
      await within(new Promise((resolve) => http.close(resolve)), 'the end of the server')
    },
  }
}

/** Each message comes back as it was, and in its order. */
async function echo(client, messages) {
  const answers = []
  const all = deferred()
  const listener = (data) => {
    answers.push(`${typeof data} ${digest(data)}`)
    if (answers.length === messages.length) all.resolve()
  }
  client.on('message', listener)
  for (const message of messages) client.send(message)
  await within(all.promise, 'all answers')
  client.off('message', listener)
  return answers
}

async function talk(options, figure) {
  const { engine, connect, stop } = await start(options)
  const seen = { headers: [], connections: 0, drained: 0, sent: 0 }
  engine.on('initial_headers', (headers) => {
    headers['x-first'] = 'yes'
  })
  engine.on('headers', (headers, request) =>
    seen.headers.push(typeof headers, request.url.startsWith('/engine.io/')),
  )
  engine.on('connection', (socket) => {
    seen.connections += 1
    socket.on('drain', () => (seen.drained = 1))
    socket.on('message', (data) => socket.send(data, { compress: true }, () => (seen.sent += 1)))
  })
  const client = await connect({ perMessageDeflate: options.perMessageDeflate })
  const result = {
    seen,
    echoes: await echo(
      client,
      SIZES.flatMap((size) => [textOf(size), bytesOf(size)]),
    ),
  }
  if (figure !== undefined) {
    figure(
      'echoes a second',
      await echoRate({
        send: () => client.send('a short text'),
        onAnswer: (answered) => client.on('message', answered),
      }),
    )
  }
  await until(() => seen.sent >= SIZES.length * 2, 'the callbacks of send')
  seen.sent = seen.sent >= SIZES.length * 2
  const ended = once(client, 'close')
  for (const socket of Object.values(engine.clients)) socket.close()
  ;[result.reason] = await ended
  await stop()
  return result
}

/** Three heartbeats, and a client that does not answer is found to be gone. */
async function heartbeat() {
  const { engine, connect, stop } = await start({ pingInterval: 60, pingTimeout: 150 })
  const reasons = []
  engine.on('connection', (socket) => socket.on('close', (reason) => reasons.push(reason)))
  const client = await connect()
  let pings = 0
  client.on('ping', () => (pings += 1))
  await until(() => pings >= 3, 'three heartbeats')
  const isOpen = client.readyState
  client.close()
  await until(() => reasons.length === 1, 'the end')
  const silent = await connect()
  // Its answer to a ping goes nowhere.
  silent._sendPacket = () => {}
  await until(() => reasons.length === 2, 'the end of the silent one')
  silent.close()
  await stop()
  return { isOpen, reasons }
}

async function tooLarge() {
  const { engine, connect, stop } = await start({ maxHttpBufferSize: 1_000 })
  const reasons = []
  engine.on('connection', (socket) => socket.on('close', (reason) => reasons.push(reason)))
  const client = await connect()
  const ended = once(client, 'close')
  client.send(bytesOf(5_000))
  const [reason, description] = await ended
  await until(() => reasons.length === 1, 'the end')
  await stop()
  return { reason, reasons, code: description?.context?.code ?? null }
}

export async function run({ figure }) {
  return {
    plain: await talk({}, figure),
    deflated: await talk({ perMessageDeflate: { threshold: 1_024 } }),
    heartbeat: await heartbeat(),
    tooLarge: await tooLarge(),
  }
}
