/** graphql-ws: queries, subscriptions, an end from either side, close codes, subprotocols, the server's keepalive. */
import { createServer } from 'node:http'
import { buildSchema } from 'graphql'
import { createClient } from 'graphql-ws'
import { useServer } from 'graphql-ws/use/ws'
import WebSocket, { WebSocketServer } from 'ws'
import { close, deferred, listen, once, sleep, textOf, until, within } from '../lib/tools.mjs'

const schema = buildSchema(`
  type Query { hello(name: String!): String!, text(length: Int!): String!, fails: String }
  type Subscription { count(to: Int!): Int!, forever: Int! }
`)

async function start({ keepAlive, ...options } = {}) {
  const http = createServer()
  const wss = new WebSocketServer({ server: http, path: '/graphql' })
  const ended = { forever: 0 }
  const roots = {
    query: {
      hello: ({ name }) => `Hello ${name}`,
      text: ({ length }) => textOf(length),
      fails: () => {
        throw new Error('as asked')
      },
    },
    subscription: {
      async *count({ to }) {
        for (let count = 1; count <= to; count += 1) yield { count }
      },
      async *forever() {
        try {
          for (let forever = 0; ; forever += 1) {
            yield { forever }
            await sleep(5)
          }
        } finally {
          ended.forever += 1
        }
      },
    },
  }
  const disposable = useServer({ schema, roots, ...options }, wss, keepAlive)
  const port = await listen(http)
  return {
    wss,
    ended,
    url: `ws://127.0.0.1:${String(port)}/graphql`,
    stop: async () => {
      await within(Promise.resolve(disposable.dispose()), 'the end of graphql-ws')
      await close(http)
    },
  }
}

const clientOf = (url, options) =>
  createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, lazyCloseTimeout: 500, ...options })

/** All results of an operation, or how it failed. */
function all(client, query, variables) {
  const results = []
  return within(
    new Promise((resolve) => {
      client.subscribe(
        { query, variables },
        {
          next: ({ data, errors }) => results.push(errors?.map(({ message }) => message) ?? data),
          error: (error) =>
            resolve({ results, error: { code: error.code, reason: error.reason, message: error.message } }),
          complete: () => resolve({ results }),
        },
      )
    }),
    'the end of the operation',
  )
}

async function operations(figure) {
  const { url, ended, stop, wss } = await start()
  const events = []
  const client = clientOf(url, {
    on: {
      connected: (socket) => events.push(`connected ${socket.protocol} ${String(socket.readyState)}`),
      closed: ({ code, reason, wasClean }) =>
        events.push(`closed ${String(code)} ${reason} ${String(wasClean)}`),
    },
  })
  const result = {
    hello: await all(client, 'query ($name: String!) { hello(name: $name) }', { name: 'wörld' }),
    large: (await all(client, '{ text(length: 300000) }')).results[0].text.length,
    fails: await all(client, '{ fails }'),
    wrong: (await all(client, '{ nothing }')).error !== undefined,
    count: await all(client, 'subscription { count(to: 5) }'),
    events,
  }
  const enough = deferred()
  let seen = 0
  const unsubscribe = client.subscribe(
    { query: 'subscription { forever }' },
    { next: () => (seen += 1) === 5 && enough.resolve(), error: enough.reject, complete: () => {} },
  )
  await within(enough.promise, 'five results')
  unsubscribe()
  await until(() => ended.forever === 1, 'the end of the generator')
  await all(client, 'subscription { count(to: 200) }')
  const began = performance.now()
  const results = await all(client, 'subscription { count(to: 10000) }')
  figure('results a second', Math.round(results.results.length / ((performance.now() - began) / 1000)))
  result.many = results.results.length
  await client.dispose()
  await until(
    () => wss.clients.size === 0 && events.some((event) => event.startsWith('closed')),
    'the end of the client',
  )
  await stop()
  return result
}

/** What the server refuses, and how the client sees it. */
async function refusals() {
  const { url, stop } = await start({
    onConnect: ({ connectionParams }) => connectionParams?.token === 'right',
  })
  const right = clientOf(url, { connectionParams: { token: 'right' } })
  const wrong = clientOf(url, { connectionParams: { token: 'wrong' } })
  const result = {
    right: await all(right, '{ hello(name: "a") }'),
    wrong: await all(wrong, '{ hello(name: "a") }'),
  }
  const old = new WebSocket(url, 'graphql-ws')
  old.on('error', ({ message }) => (result.oldError = message))
  result.oldProtocol = (await once(old, 'close')).map(String)
  const none = new WebSocket(url, 'unheard-of')
  none.on('error', ({ message }) => (result.noError = message))
  result.noProtocol = (await once(none, 'close')).map(String)
  const bad = new WebSocket(url, 'graphql-transport-ws')
  await once(bad, 'open')
  bad.send('not JSON')
  result.notJson = (await once(bad, 'close')).map(String)
  await right.dispose()
  await wrong.dispose()
  await stop()
  return result
}

/** A client that does not answer pings is cut off; one that does stays. */
async function keepalive() {
  const { url, stop, wss } = await start({ keepAlive: 60 })
  const answers = new WebSocket(url, 'graphql-transport-ws')
  await once(answers, 'open')
  let pings = 0
  answers.on('ping', () => (pings += 1))
  await until(() => pings >= 3, 'three pings')
  const silent = new WebSocket(url, 'graphql-transport-ws', { autoPong: false })
  await once(silent, 'open')
  const [code] = await once(silent, 'close')
  await until(() => wss.clients.size === 1, 'the end of the silent one')
  const ended = once(answers, 'close')
  await stop()
  return { code, atTheEnd: (await ended).map(String) }
}

export async function run({ figure }) {
  return { operations: await operations(figure), refusals: await refusals(), keepalive: await keepalive() }
}
