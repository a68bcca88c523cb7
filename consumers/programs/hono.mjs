/** @hono/node-server with its upgradeWebSocket: events, middleware before the upgrade, a subprotocol, refusals. */
import { serve, upgradeWebSocket } from '@hono/node-server'
import { Hono } from 'hono'
import WebSocket, { WebSocketServer } from 'ws'
import { bytesOf, close, digest, echoRate, once, textOf, until, within } from '../lib/tools.mjs'

const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_048_576]

function makeApp(seen) {
  const app = new Hono()
  app.use('/private', async (context, next) => {
    if (context.req.header('authorization') !== 'Bearer right') return context.text('not you', 401)
    await next()
  })
  const handlers = (context) => ({
    onOpen: (_event, ws) => {
      seen.push(`open ${context.req.path} ${String(ws.readyState)} ${String(ws.protocol ?? '')}`)
      ws.send('welcome')
    },
    onMessage: ({ data }, ws) => ws.send(data),
    onClose: ({ code, reason }) => seen.push(`close ${String(code)} ${reason}`),
    onError: () => seen.push('error'),
  })
  app.get('/echo', upgradeWebSocket(handlers))
  app.get('/private', upgradeWebSocket(handlers))
  app.get('/plain', (context) => context.text('by HTTP'))
  return app
}

async function open(url, ...args) {
  const socket = new WebSocket(url, ...args)
  const first = once(socket, 'message')
  await once(socket, 'open')
  return { socket, first: String((await first)[0]) }
}

async function refusal(url) {
  const socket = new WebSocket(url)
  const errors = []
  socket.on('error', ({ message }) => errors.push(message))
  const [code] = await once(socket, 'close')
  return { code, errors }
}

export async function run({ figure }) {
  const seen = []
  const wss = new WebSocketServer({ noServer: true, maxPayload: 2_000_000 })
  const server = serve({
    fetch: makeApp(seen).fetch,
    port: 0,
    hostname: '127.0.0.1',
    websocket: { server: wss },
  })
  if (!server.listening) await once(server, 'listening')
  const base = `ws://127.0.0.1:${String(server.address().port)}`

  const { socket, first } = await open(`${base}/echo`)
  const result = { first, echoes: [] }
  for (const size of SIZES) {
    for (const payload of [textOf(size), bytesOf(size)]) {
      const answer = once(socket, 'message')
      socket.send(payload)
      const [data, isBinary] = await answer
      result.echoes.push(`${isBinary ? 'binary' : 'text'} ${digest(data)}`)
    }
  }
  figure(
    'echoes a second',
    await echoRate({
      send: () => socket.send('a short text'),
      onAnswer: (answered) => socket.on('message', answered),
    }),
  )
  const ended = once(socket, 'close')
  socket.close(4_000, 'done')
  result.closed = (await ended).map(String)

  const allowed = await open(`${base}/private`, { headers: { authorization: 'Bearer right' } })
  allowed.socket.close()
  await once(allowed.socket, 'close')
  result.refused = await refusal(`${base}/private`)
  result.unknown = await refusal(`${base}/nothing`)
  result.plain = await refusal(`${base}/plain`)

  const protocols = await open(`${base}/echo`, ['chat.v2', 'chat.v1'])
  result.protocol = protocols.socket.protocol
  protocols.socket.terminate()
  const large = await open(`${base}/echo`, { perMessageDeflate: false })
  large.socket.send(bytesOf(2_000_001))
  result.tooLarge = (await once(large.socket, 'close')).map(String)

  result.http = await (await fetch(`${base.replace('ws', 'http')}/plain`)).text()
  await until(
    () => seen.filter((line) => line.startsWith('close')).length === 4,
    'the ends as the server sees them',
  )
  result.seen = seen.toSorted()
  wss.close()
  server.closeAllConnections()
  await within(close(server), 'the end')
  return result
}
