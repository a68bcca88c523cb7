/** @fastify/websocket: routes with hooks, its injected connections, errors of handlers, a stream, the end of the server. */
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import fastify from 'fastify'
import websocket from '@fastify/websocket'
import WebSocket, { createWebSocketStream } from 'ws'
import { bytesOf, digest, echoRate, once, textOf, until, within } from '../lib/tools.mjs'

const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_048_576]

async function start(options) {
  const app = fastify()
  const seen = []
  await app.register(websocket, options)
  app.register(async (routes) => {
    routes.addHook('preValidation', async (request, reply) => {
      if (request.query.token === 'wrong') await reply.code(401).send('not you')
    })
    routes.get('/echo', { websocket: true }, (socket, request) => {
      seen.push(
        `open ${request.query.token ?? '-'} ${request.headers.host === undefined ? 'no host' : 'host'}`,
      )
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
      socket.on('close', (code, reason) => seen.push(`close ${String(code)} ${String(reason)}`))
    })
    routes.get('/stream', { websocket: true }, (socket) => {
      const stream = createWebSocketStream(socket, { highWaterMark: 4_096 })
      stream.on('error', () => {})
      stream.pipe(stream)
    })
    routes.get('/fails', { websocket: true }, async () => {
      throw new Error('as asked')
    })
    routes.route({
      method: 'GET',
      url: '/both',
      handler: async () => 'by HTTP',
      wsHandler: (socket) => socket.send('by WebSocket'),
    })
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, seen, url: `ws://127.0.0.1:${String(app.server.address().port)}` }
}

async function echoes(socket) {
  const answers = []
  for (const size of SIZES) {
    for (const payload of [textOf(size), bytesOf(size)]) {
      const answer = once(socket, 'message')
      socket.send(payload)
      const [data, isBinary] = await answer
      answers.push(`${isBinary ? 'binary' : 'text'} ${digest(data)}`)
    }
  }
  return answers
}

/** A connection without a network: the plugin gives a WebSocket a duplex by setSocket. */
async function injected(app) {
  const socket = await within(
    app.injectWS('/echo?token=injected', { headers: { 'x-by': 'test' } }),
    'the injected one',
  )
  const answers = await echoes(socket)
  const state = socket.readyState
  socket.terminate()
  const early = []
  const second = await within(
    app.injectWS('/both', {}, { onInit: (ws) => ws.on('message', (data) => early.push(String(data))) }),
    'the second',
  )
  await until(() => early.length > 0, 'what the server sends at once')
  second.terminate()
  const refused = await app.injectWS('/echo?token=wrong').then(
    () => 'not refused',
    (error) => error.message,
  )
  return { answers, state, early, refused }
}

export async function run({ figure }) {
  const { app, seen, url } = await start({ options: { maxPayload: 2_000_000, perMessageDeflate: true } })
  const result = { injected: await injected(app) }

  const socket = new WebSocket(`${url}/echo?token=right`)
  await once(socket, 'open')
  result.extensions = socket.extensions
  result.echoes = await echoes(socket)
  figure(
    'echoes a second',
    await echoRate({
      count: 3_000,
      send: () => socket.send('a short text'),
      onAnswer: (answered) => socket.on('message', answered),
    }),
  )
  const ended = once(socket, 'close')
  socket.close(4_001, 'done')
  result.closed = (await ended).map(String)

  const large = new WebSocket(`${url}/echo`, { perMessageDeflate: false })
  await once(large, 'open')
  large.send(bytesOf(2_000_001))
  result.tooLarge = (await once(large, 'close')).map(String)

  const refused = new WebSocket(`${url}/echo?token=wrong`)
  const [, response] = await once(refused, 'unexpected-response')
  result.refused = response.statusCode
  refused.on('error', () => {})
  refused.terminate()
  response.resume()

  const failing = new WebSocket(`${url}/fails`)
  failing.on('error', () => {})
  result.failing = (await once(failing, 'close')).map(String)

  const streaming = createWebSocketStream(new WebSocket(`${url}/stream`), { encoding: 'latin1' })
  const parts = []
  const collected = (async () => {
    let length = 0
    for await (const part of streaming) {
      parts.push(part)
      length += part.length
      if (length === 500_000) break
    }
  })()
  await pipeline(Readable.from(Array.from({ length: 50 }, () => bytesOf(10_000))), async function (source) {
    for await (const chunk of source) if (!streaming.write(chunk)) await once(streaming, 'drain')
  })
  await within(collected, 'the stream')
  result.stream = digest(parts.join(''))
  streaming.destroy()

  const both = new WebSocket(`${url}/both`)
  result.both = [String((await once(both, 'message'))[0]), (await app.inject('/both')).body]
  const atTheEnd = once(both, 'close')
  await within(app.close(), 'the end of the server')
  result.atTheEnd = (await atTheEnd).map(String)
  result.seen = seen
  return result
}
