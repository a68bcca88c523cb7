/** hawser/fastify: routes, hooks and plugins of a real Fastify over real sockets. */
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { accept, connect, HandshakeError, reject, WebSocketServer } from '../../../src/index.js'
import { json } from '../../../src/json/index.js'
import { fastifyWebSockets, withCodec, type FastifyService } from '../../../src/adapters/fastify.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const echo: FastifyService = { onMessage: (_, message) => message }

async function create(server?: WebSocketServer): Promise<FastifyInstance> {
  const app = Fastify()
  cleanups.push(() => {
    app.websocketServer.terminate()
    return app.close()
  })
  await app.register(fastifyWebSockets, server === undefined ? {} : { server })
  return app
}

/** @returns the address, for ws: */
const listen = async (app: FastifyInstance): Promise<string> =>
  (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws')

async function refusal(url: string): Promise<HandshakeError> {
  const error: unknown = await connect(url).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(HandshakeError)
  return error as HandshakeError
}

const bodyOf = ({ response }: HandshakeError): string => Buffer.from(response?.body ?? '').toString()
const fieldOf = ({ response }: HandshakeError, field: string): string[] =>
  (response?.headers ?? []).filter(([name]) => name.toLowerCase() === field).map(([, value]) => value)

describe('a route of Fastify', () => {
  it('upgrades to its service, and answers other requests with its handler', async () => {
    const app = await create()
    app.get('/echo', { websocket: echo }, () => 'a page')
    const url = await listen(app)
    const socket = await connect(`${url}/echo`)
    socket.send('hello')
    expect(await socket.receive()).toBe('hello')
    expect(await (await fetch(`${url.replace('ws', 'http')}/echo`)).text()).toBe('a page')
    expect(app.websocketServer.connectionCount).toBe(1)
    await socket.close()
  })

  it('upgrades to the service that its handler returns, and answers other requests with 426', async () => {
    const app = await create()
    app.get('/rooms/:room', { websocket: true }, async (request): Promise<FastifyService> => {
      const { room } = request.params as { room: string }
      return {
        onOpen: (socket) => {
          socket.send(`${room} ${socket.params['room'] ?? ''} ${socket.url}`)
        },
      }
    })
    const url = await listen(app)
    const socket = await connect(`${url}/rooms/a%20b?x=1`)
    expect(await socket.receive()).toBe('a b a b /rooms/a%20b?x=1')
    await socket.close()
    const plain = await fetch(`${url.replace('ws', 'http')}/rooms/dogs`)
    expect([plain.status, plain.headers.get('Upgrade')]).toEqual([426, 'websocket'])
  })

  it('runs onRequest, preValidation and preHandler before, in the scopes of their plugins', async () => {
    const app = await create()
    const calls: string[] = []
    await app.register(
      async (scope) => {
        scope.addHook('onRequest', async () => void calls.push('onRequest'))
        scope.addHook('preValidation', async () => void calls.push('preValidation'))
        scope.decorateRequest('user', '')
        scope.addHook('preHandler', async (request) => {
          calls.push('preHandler')
          ;(request as FastifyRequest & { user: string }).user = 'ada'
        })
        scope.addHook(
          'onResponse',
          async (_, reply) => void calls.push(`onResponse ${String(reply.statusCode)}`),
        )
        scope.get(
          '/me',
          {
            websocket: {
              onOpen: (socket) => {
                socket.send(String(socket.data))
              },
            },
            websocketData: (request) => (request as FastifyRequest & { user: string }).user,
          },
          () => 'a page',
        )
      },
      { prefix: '/inner' },
    )
    app.get('/outer', { websocket: echo }, () => 'a page')
    const url = await listen(app)
    const outer = await connect(`${url}/outer`)
    expect(calls).toEqual([])
    const inner = await connect(`${url}/inner/me`)
    expect(await inner.receive()).toBe('ada')
    expect(calls).toEqual(['onRequest', 'preValidation', 'preHandler', 'onResponse 101'])
    await Promise.all([inner.close(), outer.close()])
  })

  it.each(['onRequest', 'preValidation', 'preHandler'] as const)(
    'ends the upgrade with the reply of a hook: %s',
    async (hook) => {
      const app = await create()
      const refuse = async (_: unknown, reply: { code(status: number): { send(body: object): unknown } }) =>
        reply.code(401).send({ error: 'who are you?' })
      app.get('/', { websocket: echo, [hook]: refuse }, () => 'a page')
      const refused = await refusal(await listen(app))
      expect([refused.httpStatus, bodyOf(refused)]).toEqual([401, '{"error":"who are you?"}'])
      expect(fieldOf(refused, 'content-type')).toEqual(['application/json; charset=utf-8'])
    },
  )

  it('puts headers of the reply into the 101, those of onSend included, where plugins set cookies', async () => {
    const app = await create()
    app.addHook(
      'onRequest',
      async (_, reply) => void reply.header('X-Trace', '7').header('Set-Cookie', 'a=1'),
    )
    app.addHook('onSend', async (_, reply) => void reply.header('Set-Cookie', 'b=2'))
    app.get('/', { websocket: echo }, () => 'a page')
    const socket = await connect(await listen(app))
    expect(socket.responseHeaders.getAll('Set-Cookie')).toEqual(['a=1', 'b=2'])
    expect(socket.responseHeaders.get('X-Trace')).toBe('7')
    expect(socket.responseHeaders.getAll('Content-Length')).toEqual([])
    await socket.close()
  })

  it('lets the onUpgrade of the service decide after the hooks', async () => {
    const app = await create()
    app.addHook('onRequest', async (_, reply) => void reply.header('X-Trace', '7'))
    const service: FastifyService = {
      onUpgrade: ({ params }) =>
        params['room'] === 'closed' ? reject(403, 'closed\n') : accept({ data: 5 }),
      onOpen: (socket) => {
        socket.send(String(socket.data))
      },
    }
    app.get('/:room', { websocket: service }, () => 'a page')
    const url = await listen(app)
    const socket = await connect(`${url}/dogs`)
    expect(await socket.receive()).toBe('5')
    await socket.close()
    const refused = await refusal(`${url}/closed`)
    expect([refused.httpStatus, bodyOf(refused), fieldOf(refused, 'x-trace')]).toEqual([
      403,
      'closed\n',
      ['7'],
    ])
  })

  it('takes a service with a codec', async () => {
    const app = await create()
    app.get(
      '/',
      {
        websocket: withCodec({
          codec: json(),
          onMessage: (_, message: { n: number }) => ({ twice: 2 * message.n }),
        }),
      },
      () => 'a page',
    )
    const socket = await connect(await listen(app))
    socket.sendJson({ n: 21 })
    expect(await socket.receive()).toBe('{"twice":42}')
    await socket.close()
  })

  it('answers with the 404, the schema errors and the error handler of the application', async () => {
    const app = await create()
    app.setErrorHandler((error: Error, _, reply) => reply.code(418).send(`handled: ${error.message}`))
    app.get('/throws', { websocket: true }, () => {
      throw new Error('a handler failed')
    })
    app.get('/nothing', { websocket: true }, async () => undefined)
    app.get('/replies', { websocket: true }, (_, reply) => reply.code(402).send('pay first'))
    const schema = {
      querystring: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } },
    }
    app.get('/schema', { websocket: echo, schema }, () => 'a page')
    const url = await listen(app)
    expect((await refusal(`${url}/nowhere`)).httpStatus).toBe(404)
    for (const [path, status, body] of [
      ['/throws', 418, 'handled: a handler failed'],
      ['/nothing', 418, expect.stringMatching(/^handled: service must be/)],
      ['/replies', 402, 'pay first'],
      ['/schema', 418, expect.stringMatching(/must have required property 'n'/)],
    ] as const) {
      const refused = await refusal(`${url}${path}`)
      expect([refused.httpStatus, bodyOf(refused)]).toEqual([status, body])
    }
    const socket = await connect(`${url}/schema?n=1`)
    await socket.close()
  })
})

describe('the plugin', () => {
  it('gives the routes the groups of its server', async () => {
    const server = new WebSocketServer()
    const app = await create(server)
    app.get(
      '/chat',
      {
        websocket: {
          onOpen: (socket) => {
            socket.join('all')
          },
          onTextMessage: (socket, text) => {
            socket.group('all').send(text, { except: socket })
          },
        },
      },
      () => 'a page',
    )
    const url = await listen(app)
    const [ada, bob] = [await connect(`${url}/chat`), await connect(`${url}/chat`)]
    bob.send('woof')
    expect(await ada.receive()).toBe('woof')
    expect(server.group('all').size).toBe(2)
    await Promise.all([ada.close(), bob.close()])
  })

  it('closes the connections with 1001 when the application closes', async () => {
    const app = await create()
    app.get('/', { websocket: echo }, () => 'a page')
    const socket = await connect(await listen(app))
    await app.close()
    expect(await socket.closed).toMatchObject({ code: 1001 })
    expect(app.websocketServer.signal.aborted).toBe(true)
  })

  it('ends a connection whose handler throws with 1011, and writes the error into the log of the application', async () => {
    const lines: string[] = []
    const app = Fastify({
      logger: { level: 'error', stream: { write: (line: string) => void lines.push(line) } },
    })
    cleanups.push(() => app.close())
    await app.register(fastifyWebSockets)
    const service: FastifyService = {
      onMessage: () => {
        throw new Error('a handler failed')
      },
    }
    app.get('/', { websocket: service }, () => 'a page')
    const socket = await connect(await listen(app))
    socket.send('x')
    expect(await socket.closed).toMatchObject({ code: 1011 })
    expect(lines).toEqual([expect.stringContaining('a handler failed')])
  })

  it('refuses websocketData without websocket, and a WebSocket of another method than GET, with the route', async () => {
    const app = await create()
    expect(() => app.get('/a', { websocketData: () => 1 }, () => 'a page')).toThrow(
      /^websocketData of GET \/a needs websocket/,
    )
    expect(() => app.post('/b', { websocket: true }, () => echo)).toThrow(
      /^websocket of POST \/b must be of a route for GET/,
    )
    app.route({ method: ['GET', 'POST'], url: '/c', websocket: echo, handler: () => 'a page' })
    const socket = await connect(`${await listen(app)}/c`)
    await socket.close()
  })

  it('warns in the log where an upgrade is answered by a route that was added before the plugin', async () => {
    const lines: string[] = []
    const app = Fastify({
      logger: { level: 'warn', stream: { write: (line: string) => void lines.push(line) } },
    })
    cleanups.push(() => app.close())
    app.get('/early', { websocket: echo }, () => 'a page')
    await app.register(fastifyWebSockets)
    app.get('/late', { websocket: echo }, () => 'a page')
    app.get('/refuses', { websocket: true }, (_, reply) => reply.code(403).send('no'))
    const url = await listen(app)
    expect((await refusal(`${url}/early`)).httpStatus).toBe(200)
    expect((await refusal(`${url}/refuses`)).httpStatus).toBe(403)
    await (await connect(`${url}/late`)).close()
    expect(lines).toEqual([
      expect.stringContaining('an upgrade to /early was answered with 200 by a route without a WebSocket'),
    ])
  })

  it('refuses wrong options, a wrong service and a second registration, with their names', async () => {
    const register = async (options: object): Promise<unknown> =>
      Fastify().register(fastifyWebSockets, options)
    await expect(register({ sever: 1 })).rejects.toThrow(/sever.*server/)
    await expect(register({ server: 1 })).rejects.toThrow(/^server must be a WebSocketServer, not 1/)
    await expect(register({ server: {} })).rejects.toThrow(/^server must be a WebSocketServer/)
    const app = await create()
    expect(() => app.get('/a', { websocket: { onMesage: 1 } as never }, () => '')).toThrow(/onMesage/)
    expect(() => app.get('/b', { websocket: echo, websocketData: 1 as never }, () => '')).toThrow(
      /^websocketData must be a function/,
    )
    await expect(app.register(fastifyWebSockets)).rejects.toThrow(/register it once/)
  })
})
