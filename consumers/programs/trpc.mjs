/** tRPC: queries and subscriptions over a socket, their end, a server that asks its clients to come back, a silent client. */
import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { initTRPC, tracked } from '@trpc/server'
import { applyWSSHandler } from '@trpc/server/adapters/ws'
import WebSocket, { WebSocketServer } from 'ws'
import { close, deferred, once, sleep, textOf, until, within } from '../lib/tools.mjs'

const text = (value) => {
  if (typeof value !== 'string') throw new TypeError('a text is expected')
  return value
}

function makeRouter(ended) {
  const t = initTRPC.context().create()
  return t.router({
    hello: t.procedure.input(text).query(({ input, ctx }) => `Hello ${input}, ${ctx.token ?? 'stranger'}`),
    length: t.procedure.input(text).mutation(({ input }) => input.length),
    fails: t.procedure.query(() => {
      throw new Error('as asked')
    }),
    count: t.procedure.input(Number).subscription(async function* ({ input }) {
      for (let count = 1; count <= input; count += 1) yield tracked(String(count), count)
    }),
    forever: t.procedure.subscription(async function* ({ signal }) {
      try {
        for (let number = 0; !signal.aborted; number += 1) {
          yield number
          await sleep(5)
        }
      } finally {
        ended.forever += 1
      }
    }),
  })
}

async function start(options) {
  const ended = { forever: 0 }
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(wss, 'listening')
  const handler = applyWSSHandler({
    wss,
    router: makeRouter(ended),
    createContext: ({ info }) => ({ token: info.connectionParams?.token }),
    ...options,
  })
  return { wss, handler, ended, url: `ws://127.0.0.1:${String(wss.address().port)}` }
}

function connect(url, events, options) {
  const socket = createWSClient({
    url,
    WebSocket,
    connectionParams: () => ({ token: 'right' }),
    retryDelayMs: () => 10,
    onOpen: () => events.push('open'),
    onClose: (cause) => events.push(`close ${String(cause?.code)}`),
    ...options,
  })
  return { socket, api: createTRPCClient({ links: [wsLink({ client: socket })] }) }
}

/** All results of a subscription, with how many a second. */
async function collect(procedure, input) {
  const done = deferred()
  const results = []
  const began = performance.now()
  procedure.subscribe(input, {
    onData: ({ data }) => results.push(data),
    onError: done.reject,
    onComplete: done.resolve,
  })
  await within(done.promise, 'the end of the subscription', 60_000)
  return { results, perSecond: Math.round(results.length / ((performance.now() - began) / 1000)) }
}

export async function run({ figure }) {
  const { wss, handler, ended, url } = await start({
    keepAlive: { enabled: true, pingMs: 100, pongWaitMs: 2_000 },
  })
  const events = []
  const { socket, api } = connect(url, events)
  const result = {
    hello: await api.hello.query('wörld'),
    large: await api.length.mutate(textOf(300_000)),
    fails: await api.fails.query().catch(({ message }) => message),
    wrong: await api.hello.query(7).catch(({ message }) => message),
    count: (await collect(api.count, 5)).results,
  }
  const many = await collect(api.count, 5_000)
  result.many = many.results.length
  figure('results a second', many.perSecond)

  let seen = 0
  const forever = api.forever.subscribe(undefined, { onData: () => (seen += 1) })
  await until(() => seen >= 5, 'five results')

  // The server asks for it: the client opens another connection, and its subscription goes on there.
  handler.broadcastReconnectNotification()
  await until(() => events.filter((event) => event === 'open').length === 2, 'the second connection')
  const before = seen
  await until(() => seen >= before + 5, 'results on the second connection')
  for (const client of wss.clients) client.terminate()
  await until(() => events.filter((event) => event === 'open').length === 3, 'the third connection')
  const later = seen
  await until(() => seen >= later + 5, 'results on the third connection')
  forever.unsubscribe()
  await until(() => ended.forever === 3, 'the end of the generators')
  await socket.close()
  await until(() => wss.clients.size === 0, 'the end of the client')
  result.opened = events.filter((event) => event === 'open').length

  // A client that answers no ping is cut off.
  const strict = await start({ keepAlive: { enabled: true, pingMs: 50, pongWaitMs: 50 } })
  const silent = new WebSocket(strict.url, { autoPong: false })
  await once(silent, 'open')
  result.silent = (await once(silent, 'close')).map(String)
  const notJson = new WebSocket(strict.url)
  await once(notJson, 'open')
  notJson.send('not JSON')
  result.notJson = JSON.parse(String((await once(notJson, 'message'))[0])).error.data.code
  notJson.close()
  for (const server of [wss, strict.wss]) await close(server)
  return result
}
