/** What functions of an application throw or answer wrongly in a framework: heard once, and never a yes. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { accept, connect, HandshakeError, reject, WebSocketServer } from '../../../src/index.js'
import { ExpressWebSockets } from '../../../src/adapters/express.js'
import { fastifyWebSockets } from '../../../src/adapters/fastify.js'
import { HonoWebSockets } from '../../../src/adapters/hono.js'

const express4 = jest.requireActual<typeof express>('express4')
const { serve } = jest.requireActual<{
  serve(options: { fetch: unknown; port: number; hostname: string }): Server
}>('@hono/node-server')

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** @returns a server, and what its `onError` heard */
function create(options: { readonly handshakeTimeoutMs?: number } = {}): {
  readonly server: WebSocketServer
  readonly errors: Error[]
} {
  const errors: Error[] = []
  const server = new WebSocketServer({ ...options, onError: (error) => errors.push(error) })
  cleanups.push(() => server.terminate())
  return { server, errors }
}

async function listen(http: Server): Promise<string> {
  if (!http.listening) await once(http, 'listening')
  cleanups.push(() => {
    http.close()
    http.closeAllConnections()
  })
  return `ws://127.0.0.1:${String((http.address() as AddressInfo).port)}`
}

/** The status and the body with which an upgrade is refused. */
async function refusal(url: string): Promise<(number | string | undefined)[]> {
  const error: unknown = await connect(url).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(HandshakeError)
  const { httpStatus, response } = error as HandshakeError
  return [httpStatus, Buffer.from(response?.body ?? '').toString()]
}

const turn = (): Promise<void> => new Promise(setImmediate)

/** Of a service: each decides nothing. */
const NO_DECISIONS: readonly (readonly [name: string, onUpgrade: () => unknown, shown: string])[] = [
  ['nothing, where return was forgotten', () => void reject(401), 'undefined'],
  ['nothing, where await was', async () => void reject(401), 'undefined'],
  ['null', () => null, 'null'],
  ['a promise of null', () => Promise.resolve(null), 'null'],
  ['false', () => false, 'false'],
  ['true', () => true, 'true'],
  ['a status', () => 401, '401'],
  ['an object as accept makes it', () => ({ ...accept() }), 'an object'],
]

const wrongDecision = (shown: string): string =>
  `onUpgrade must return accept(...) or reject(...), not ${shown}`

/** As a middleware or a hook throws; and what the error handling of the framework gets of it. */
const OBJECT = { status: 403 }
const THROWN: readonly (readonly [name: string, thrown: unknown, heard: unknown])[] = [
  ['undefined', undefined, expect.objectContaining({ message: 'undefined' })],
  ['null', null, expect.objectContaining({ message: 'null' })],
  ["'route'", 'route', expect.objectContaining({ message: 'route', cause: 'route' })],
  ["'router'", 'router', expect.objectContaining({ message: 'router' })],
  ['a symbol', Symbol('x'), expect.objectContaining({ message: 'Symbol(x)' })],
  ['an object', OBJECT, OBJECT],
]

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('%s', (_, express) => {
  /** @returns the address, and what error middleware heard; a handler after the route answers 404 */
  async function start(
    server: WebSocketServer,
    service: object,
    options?: object,
  ): Promise<{ url: string; caught: unknown[] }> {
    const caught: unknown[] = []
    const app = express()
    const sockets = new ExpressWebSockets(server)
    app.get('/', sockets.route(service, options))
    app.use((_request, response) => void response.status(404).send('the next handler'))
    app.use((error: unknown, _request: unknown, response: express.Response, _next: unknown) => {
      caught.push(error)
      response.status(500).send('by error middleware')
    })
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    return { url: await listen(http), caught }
  }

  it.each(NO_DECISIONS)(
    'refuses with 500 where onUpgrade returns %s, and onError hears it once',
    async (_, onUpgrade, shown) => {
      const { server, errors } = create()
      const { url, caught } = await start(server, { onUpgrade, onMessage: () => 'a secret' })
      expect(await refusal(url)).toEqual([500, 'the upgrade failed\n'])
      await turn()
      expect(errors).toEqual([new TypeError(wrongDecision(shown))])
      expect(errors[0]).toBeInstanceOf(TypeError)
      expect(caught).toEqual([])
      expect(server.connectionCount).toBe(0)
    },
  )

  it.each(THROWN)(
    'hands what data and onUpgrade throw to error middleware, as an error: %s',
    async (_, thrown, heard) => {
      const fails = [
        () => {
          throw thrown
        },

        () => Promise.reject(thrown),
      ]
      for (const fail of fails) {
        const { server, errors } = create()
        const byData = await start(server, {}, { data: fail })
        expect(await refusal(byData.url)).toEqual([500, 'by error middleware'])
        const byService = await start(server, { onUpgrade: fail })
        expect(await refusal(byService.url)).toEqual([500, 'by error middleware'])
        expect([byData.caught, byService.caught]).toEqual([[heard], [heard]])
        expect(errors).toEqual([])
      }
    },
  )
})

/** What was meant as a no, where nothing asks for a decision. */
const MISPLACED: readonly (readonly [name: string, made: () => unknown, message: RegExp])[] = [
  ['reject(...)', () => reject(401), /must not be reject\(\.\.\.\): onUpgrade of a service decides/],
  ['accept(...)', () => accept(), /must not be accept\(\.\.\.\): onUpgrade of a service decides/],
  ['a Response', () => new Response('no', { status: 401 }), /Response/],
]

describe.each(MISPLACED)('%s in the wrong place lets nobody in:', (_, made, message) => {
  it('data and websocketData, and the handler of a WebSocket route of Fastify', async () => {
    const { server } = create()
    const caught: unknown[] = []
    const app = express()
    const sockets = new ExpressWebSockets(server)
    app.get('/', sockets.route({}, { data: made }))
    app.use((error: unknown, _request: unknown, response: express.Response, _next: unknown) => {
      caught.push(error)
      response.status(500).end()
    })
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    expect((await refusal(await listen(http)))[0]).toBe(500)
    const fastify = Fastify()
    cleanups.push(() => fastify.close())
    fastify.setErrorHandler((error, _request, reply) => {
      caught.push(error)
      return reply.code(500).send('no')
    })
    await fastify.register(fastifyWebSockets, { server })
    fastify.get('/data', { websocket: {}, websocketData: made }, () => undefined)
    fastify.get('/handler', { websocket: true }, () => made())
    const url = (await fastify.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws')
    for (const place of ['data', 'handler']) expect((await refusal(`${url}/${place}`))[0]).toBe(500)
    const heard = expect.objectContaining({ message: expect.stringMatching(message) as unknown }) as unknown
    expect(caught).toEqual([heard, heard, heard])
  })

  it('the events of Hono', async () => {
    const { server } = create()
    const sockets = new HonoWebSockets(server)
    const caught: unknown[] = []
    const app = new Hono()
    app.onError((error, c) => {
      caught.push(error)
      return c.text('no', 500)
    })
    app.get('/', sockets.upgradeWebSocket(made as never))
    const http = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
    const url = await listen(http)
    sockets.attach(http)
    expect(await refusal(url)).toEqual([500, 'no'])
    expect(caught).toEqual([expect.objectContaining({ message: expect.stringMatching(message) as unknown })])
  })

  it('a service, and what makes the handlers of a connection', async () => {
    const { server, errors } = create()
    expect(() => server.route('/at-once', made() as never)).toThrow(TypeError)
    server.route('/later', (() => made()) as never)
    const port = (await server.listen(0, '127.0.0.1')).port
    const socket = await connect(`ws://127.0.0.1:${String(port)}/later`)
    expect((await socket.closed).code).toBe(1011)
    expect(errors).toHaveLength(1)
  })
})

it('what throws a decision gets 500, and the error says to return it', async () => {
  const { server, errors } = create()
  const throws = {
    onUpgrade: () => {
      throw reject(401) as unknown as Error
    },
  }
  server.route('/', throws)
  const { port } = await server.listen(0, '127.0.0.1')
  expect((await refusal(`ws://127.0.0.1:${String(port)}/`))[0]).toBe(500)
  expect(errors).toEqual([
    new TypeError('onUpgrade must return accept(...) and reject(...), and not throw them'),
  ])
})

it('an upgrade that the filter leaves to others gets 404 where nobody else listens', async () => {
  const { server } = create()
  for (const isAttached of [false, true]) {
    const sockets = new ExpressWebSockets(server)
    const http = express().listen(0, '127.0.0.1')
    sockets.attach(http, { filter: () => false })
    if (isAttached) server.attach(http)
    expect((await refusal(await listen(http)))[0]).toBe(404)
  }
})

describe('a handler of Express without a framework', () => {
  type Next = (error?: unknown) => unknown

  async function start(server: WebSocketServer, next: (response: ServerResponse) => Next): Promise<string> {
    const sockets = new ExpressWebSockets(server)
    const data = (): never => {
      throw new Error('of data')
    }
    const handler = sockets.route({}, { data })
    const http = createServer((request: IncomingMessage, response) => {
      handler(request, response, next(response))
    }).listen(0, '127.0.0.1')
    sockets.attach(http)
    return listen(http)
  }

  it.each<[name: string, next: (response: ServerResponse) => Next]>([
    [
      'throws',
      () => (error) => {
        throw error
      },
    ],
    ['rejects', () => (error) => Promise.reject(error)],
    [
      'throws after it has answered',
      (response) => (error) => {
        response.writeHead(200).end('a page')
        throw error
      },
    ],
  ])('refuses with 500 where next %s, and onError hears it once', async (_, next) => {
    const { server, errors } = create({ handshakeTimeoutMs: 5_000 })
    expect(await refusal(await start(server, next))).toEqual([500, 'the upgrade failed\n'])
    await turn()
    expect(errors).toEqual([new Error('of data')])
  })

  it('reports what next throws after the time of the handshake as well', async () => {
    const { server, errors } = create({ handshakeTimeoutMs: 50 })
    let throwNow: (error: Error) => void = () => undefined
    const late = new Promise<never>((_, reject) => (throwNow = reject))
    expect(await refusal(await start(server, () => () => late))).toEqual([408, expect.any(String)])
    throwNow(new Error('late'))
    await turn()
    expect(errors).toEqual([new Error('late')])
  })
})

describe('Fastify', () => {
  it.each(NO_DECISIONS)(
    'refuses with 500 where onUpgrade returns %s, and onError hears it once',
    async (_, onUpgrade, shown) => {
      for (const isReturned of [false, true]) {
        const { server, errors } = create()
        const caught: unknown[] = []
        const service = { onUpgrade, onMessage: () => 'a secret' } as object
        const app = Fastify()
        cleanups.push(() => app.close())
        app.setErrorHandler((error, _request, reply) => {
          caught.push(error)
          return reply.code(500).send('by the error handler')
        })
        await app.register(fastifyWebSockets, { server })
        app.get('/', { websocket: isReturned ? true : (service as never) }, () => service)
        const url = await app.listen({ port: 0, host: '127.0.0.1' })
        expect(await refusal(url.replace('http', 'ws'))).toEqual([500, 'the upgrade failed\n'])
        await turn()
        expect(errors).toEqual([new TypeError(wrongDecision(shown))])
        expect(caught).toEqual([])
        expect(server.connectionCount).toBe(0)
      }
    },
  )

  it.each(THROWN)(
    'hands what data and onUpgrade throw to its error handler, as an error: %s',
    async (_, thrown, heard) => {
      const { server, errors } = create()
      const caught: unknown[] = []
      const fail = (): never => {
        throw thrown
      }
      const app = Fastify()
      cleanups.push(() => app.close())
      app.setErrorHandler((error, _request, reply) => {
        caught.push(error)
        return reply.code(500).send('by the error handler')
      })
      await app.register(fastifyWebSockets, { server })
      app.get('/data', { websocket: {}, websocketData: fail }, () => 'a page')
      app.get('/service', { websocket: { onUpgrade: fail } }, () => 'a page')
      const url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws')
      for (const path of ['data', 'service']) {
        expect(await refusal(`${url}/${path}`)).toEqual([500, 'by the error handler'])
      }
      expect(caught).toEqual([heard, heard])
      expect(errors).toEqual([])
    },
  )

  it('with a log whose warn throws still answers, and onError hears of the log', async () => {
    const { server, errors } = create()
    const quiet = (): void => undefined
    const log = {
      level: 'info',
      fatal: quiet,
      error: quiet,
      warn: () => {
        throw new Error('of the log')
      },
      info: quiet,
      debug: quiet,
      trace: quiet,
      silent: quiet,
      child: () => log,
    }
    const app = Fastify({ loggerInstance: log })
    cleanups.push(() => app.close())
    app.get('/early', () => 'a page')
    await app.register(fastifyWebSockets, { server })
    const url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws')
    expect(await refusal(`${url}/early`)).toEqual([200, 'a page'])
    expect(errors).toEqual([new Error('of the log')])
  })
})

describe('Hono', () => {
  it.each(THROWN)("hands what createEvents throws to Hono's onError, as an error: %s", async (_, thrown) => {
    const { server, errors } = create()
    const sockets = new HonoWebSockets(server)
    const caught: unknown[] = []
    const app = new Hono()
    app.onError((error, c) => {
      caught.push(error)
      return c.text('by onError of Hono', 500)
    })
    const throws = (): never => {
      throw thrown
    }
    app.get('/throws', sockets.upgradeWebSocket(throws))
    app.get(
      '/rejects',

      sockets.upgradeWebSocket(() => Promise.reject(thrown)),
    )
    const http = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
    const url = await listen(http)
    sockets.attach(http)
    for (const path of ['throws', 'rejects']) {
      expect(await refusal(`${url}/${path}`)).toEqual([500, 'by onError of Hono'])
    }
    const heard = expect.objectContaining({ cause: thrown }) as unknown
    expect(caught).toEqual([heard, heard])
    expect(errors).toEqual([])
  })
})
