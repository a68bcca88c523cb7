/** hawser/express: the routing and the middleware of real applications, of Express 4 and 5, over real sockets. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import {
  accept,
  connect,
  HandshakeError,
  InvalidStateError,
  reject,
  WebSocketServer,
} from '../../../src/index.js'
import { ExpressWebSockets } from '../../../src/adapters/express.js'
import { MAX_ANSWER_BYTES } from '../../../src/adapters/answer-sink.js'
import { openRaw, requestHead } from '../../helpers/raw-peer.js'

const session = jest.requireActual<(options: object) => express.RequestHandler>('express-session')
const express4 = jest.requireActual<typeof express>('express4')

const cleanups: (() => unknown)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

const echo = { onMessage: (_: unknown, message: string | Buffer): string | Buffer => message }

function create(options?: ConstructorParameters<typeof WebSocketServer>[0]): {
  readonly server: WebSocketServer
  readonly sockets: ExpressWebSockets
} {
  const server = new WebSocketServer(options)
  cleanups.push(() => server.terminate())
  return { server, sockets: new ExpressWebSockets(server) }
}

async function listen(http: Server): Promise<string> {
  if (!http.listening) await once(http, 'listening')
  cleanups.push(() => {
    http.close()
    http.closeAllConnections()
  })
  return `127.0.0.1:${String((http.address() as AddressInfo).port)}`
}

/** Why the server refused a connection. */
async function refusal(url: string, options?: Parameters<typeof connect>[1]): Promise<HandshakeError> {
  const error: unknown = await connect(url, options).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(HandshakeError)
  return error as HandshakeError
}

/** The values of a field in the answer of a refusal. */
const fieldOf = ({ response }: HandshakeError, field: string): string[] =>
  (response?.headers ?? []).filter(([name]) => name.toLowerCase() === field).map(([, value]) => value)

const bodyOf = ({ response }: HandshakeError): string => Buffer.from(response?.body ?? '').toString()

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('%s', (name, express) => {
  it('echoes text and bytes on a WebSocket route, and answers requests on the same path', async () => {
    const { sockets } = create()
    const app = express()
    app.get('/echo', sockets.route(echo), (_, response) => void response.send('a page'))
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const host = await listen(http)
    const socket = await connect(`ws://${host}/echo`)
    socket.send('hello')
    expect(await socket.receive()).toBe('hello')
    socket.send(Buffer.from([1, 2, 3]))
    expect(await socket.receive()).toEqual(Buffer.from([1, 2, 3]))
    expect(await (await fetch(`http://${host}/echo`)).text()).toBe('a page')
    await socket.close()
  })

  it('runs middleware and routers before the upgrade, and gives their parameters and data to the socket', async () => {
    const { sockets } = create()
    const app = express()
    app.use((request, _, next) => {
      ;(request as { user?: string }).user = 'ada'
      next()
    })
    const router = express.Router({ mergeParams: true })
    router.get(
      '/rooms/:room',
      sockets.route(
        {
          onOpen: (socket) => {
            socket.send(JSON.stringify([socket.data, socket.params, socket.url]))
          },
        },
        { data: (request: IncomingMessage & { user?: string }) => request.user },
      ),
    )
    app.use('/api/:version', router)
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const socket = await connect(`ws://${await listen(http)}/api/v1/rooms/a%20b?x=1`)
    expect(JSON.parse(await socket.receiveText())).toEqual([
      'ada',
      { version: 'v1', room: 'a b' },
      '/api/v1/rooms/a%20b?x=1',
    ])
    await socket.close()
  })

  it('leaves out an optional parameter that the path does not have', async () => {
    const { sockets } = create()
    const app = express()
    const path = name === 'Express 5' ? '/chat{/:room}' : '/chat/:room?'
    app.get(path, sockets.route({ onOpen: (socket) => void socket.send(JSON.stringify(socket.params)) }))
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const host = await listen(http)
    for (const [target, params] of [
      ['/chat', '{}'],
      ['/chat/blue', '{"room":"blue"}'],
    ]) {
      const socket = await connect(`ws://${host}${String(target)}`)
      expect(await socket.receiveText()).toBe(params)
      await socket.close()
    }
  })

  it('ends the upgrade with the answer of a middleware, status, headers and body', async () => {
    const { server, sockets } = create()
    const app = express()
    const login: express.RequestHandler = (request, response, next) => {
      if (request.headers.authorization === 'secret') next()
      else response.status(401).set('WWW-Authenticate', 'Basic').cookie('tried', '1').send('who are you?')
    }
    app.get('/private', login, sockets.route(echo))
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const host = await listen(http)
    const refused = await refusal(`ws://${host}/private`)
    expect(refused.httpStatus).toBe(401)
    expect(bodyOf(refused)).toBe('who are you?')
    expect(fieldOf(refused, 'www-authenticate')).toEqual(['Basic'])
    expect(fieldOf(refused, 'set-cookie')).toEqual(['tried=1; Path=/'])
    expect(fieldOf(refused, 'connection')).toEqual(['close'])
    expect(server.stats().rejectedUpgrades).toBe(1)
    const socket = await connect(`ws://${host}/private`, { headers: { Authorization: 'secret' } })
    await socket.close()
  })

  it('puts the cookies of a session into the 101, and finds the session again', async () => {
    const { sockets } = create()
    const app = express()
    app.use(session({ secret: 'x', resave: false, saveUninitialized: true }))
    let visits = 0
    const count: express.RequestHandler = (request, _, next) => {
      const { session } = request as unknown as { session: { visits?: number } }
      session.visits = (session.visits ?? 0) + 1
      visits = session.visits
      next()
    }
    app.get('/', count, sockets.route(echo))
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const url = `ws://${await listen(http)}/`
    const first = await connect(url)
    const cookies = first.responseHeaders.getAll('Set-Cookie')
    expect(cookies).toEqual([expect.stringMatching(/^connect\.sid=/)])
    await first.close()
    const second = await connect(url, { headers: { Cookie: cookies[0]?.split(';')[0] ?? '' } })
    expect(visits).toBe(2)
    await second.close()
  })

  it('answers a path without a route with the 404 of the application, and an error of a middleware with its 500', async () => {
    const { sockets } = create()
    const app = express()
    app.set('env', 'test')
    app.get('/throws', () => {
      throw new Error('a middleware failed')
    })
    app.get('/page', (_, response) => void response.send('a page'))
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const host = await listen(http)
    const none = await refusal(`ws://${host}/nowhere`)
    expect([none.httpStatus, bodyOf(none)]).toEqual([404, expect.stringContaining('Cannot GET /nowhere')])
    const failed = await refusal(`ws://${host}/throws`)
    expect([failed.httpStatus, bodyOf(failed)]).toEqual([500, expect.stringContaining('a middleware failed')])
    const page = await refusal(`ws://${host}/page`)
    expect([page.httpStatus, bodyOf(page)]).toEqual([200, 'a page'])
  })

  it('lets the onUpgrade of the service decide after the middleware, with the parameters of the route', async () => {
    const { sockets } = create()
    const app = express()
    app.use((_, response, next) => {
      response.cookie('a', '1')
      next()
    })
    app.get(
      '/rooms/:room',
      sockets.route<{ room: string }>({
        onUpgrade: async ({ params }) =>
          params['room'] === 'closed'
            ? reject(403, 'closed\n', { 'X-Why': 'closed' })
            : accept({ data: { room: params['room'] ?? '' }, headers: { 'Set-Cookie': 'b=2' } }),
        onOpen: (socket) => {
          socket.send(socket.data.room)
        },
      }),
    )
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const host = await listen(http)
    const socket = await connect(`ws://${host}/rooms/dogs`)
    expect(await socket.receive()).toBe('dogs')
    expect(socket.responseHeaders.getAll('Set-Cookie')).toEqual(['a=1; Path=/', 'b=2'])
    await socket.close()
    const refused = await refusal(`ws://${host}/rooms/closed`)
    expect([refused.httpStatus, bodyOf(refused)]).toEqual([403, 'closed\n'])
    expect(fieldOf(refused, 'x-why')).toEqual(['closed'])
    expect(fieldOf(refused, 'set-cookie')).toEqual(['a=1; Path=/'])
  })
})

describe('upgrades through an application', () => {
  it('use the groups, the settings and the options of the server', async () => {
    const { server, sockets } = create({ origins: ['https://app.example'] })
    const app = express()
    let calls = 0
    app.use((_request, _response, next) => {
      calls++
      next()
    })
    app.get(
      '/chat/:room',
      sockets.route({
        maxMessageBytes: 10,
        protocols: ['chat'],
        onOpen: (socket) => {
          socket.join(socket.params['room'] ?? '')
        },
        onTextMessage: (socket, text) => {
          socket.group(socket.params['room'] ?? '').send(text, { except: socket })
        },
      }),
    )
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const host = await listen(http)
    const evil = await refusal(`ws://${host}/chat/dogs`, { origin: 'https://evil.example' })
    expect([evil.httpStatus, calls]).toEqual([403, 0])
    const options = { origin: 'https://app.example', protocols: ['chat'] }
    const ada = await connect(`ws://${host}/chat/dogs`, options)
    const bob = await connect(`ws://${host}/chat/dogs`, options)
    expect(ada.protocol).toBe('chat')
    bob.send('woof')
    expect(await ada.receive()).toBe('woof')
    expect(server.group('dogs').size).toBe(2)
    bob.send('longer than ten')
    expect(await bob.closed).toMatchObject({ code: 1009 })
    await ada.close()
  })

  it('end a connection whose handler throws with 1011, and report the error to the server', async () => {
    const errors: string[] = []
    const { sockets } = create({ onError: (error) => errors.push(error.message) })
    const app = express()
    app.get(
      '/',
      sockets.route({
        onMessage: () => {
          throw new Error('a handler failed')
        },
      }),
    )
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const socket = await connect(`ws://${await listen(http)}/`)
    socket.send('x')
    expect(await socket.closed).toMatchObject({ code: 1011 })
    expect(errors).toEqual(['a handler failed'])
  })

  it('close with the server, which leaves the HTTP server open', async () => {
    const { server, sockets } = create()
    const app = express()
    app.get('/', sockets.route(echo), (_, response) => void response.send('still here'))
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const host = await listen(http)
    const socket = await connect(`ws://${host}/`)
    await server.close()
    expect(await socket.closed).toMatchObject({ code: 1001 })
    expect(http.listenerCount('upgrade')).toBe(0)
    expect(await (await fetch(`http://${host}/`)).text()).toBe('still here')
    expect(() => sockets.attach(http)).toThrow(InvalidStateError)
  })

  it('get 503 while the server closes and 408 after the time of the handshake, whatever middleware waits for', async () => {
    const { server, sockets } = create({ handshakeTimeoutMs: 150 })
    const app = express()
    const closed: string[] = []
    app.get('/:name', (request, response) => {
      response.once('close', () => closed.push(request.params.name))
    })
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const host = await listen(http)
    expect((await refusal(`ws://${host}/slow`)).httpStatus).toBe(408)
    const waiting = refusal(`ws://${host}/closing`)
    await once(http, 'upgrade')
    await new Promise(setImmediate)
    await server.close()
    expect((await waiting).httpStatus).toBe(503)
    expect(closed).toEqual(['slow', 'closing'])
  })

  it('are answered after earlier requests of the same connection', async () => {
    const { sockets } = create()
    const app = express()
    let finish: () => void = () => undefined
    app.get('/first', (_, response) => (finish = () => void response.end('first')))
    app.get('/private', (_, response) => void response.status(401).end('second'))
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    const host = await listen(http)
    const peer = await openRaw(Number(host.split(':')[1]))
    peer.write(`GET /first HTTP/1.1\r\nHost: x\r\n\r\n${requestHead('/private')}`)
    await once(http, 'upgrade')
    finish()
    expect((await peer.readResponse()).body).toBe('first')
    const second = await peer.readResponse()
    expect([second.head.status, second.body]).toEqual([401, 'second'])
    await peer.ended()
    peer.end()
  })

  it('get 500 for an answer that is larger than its bound, and the error is reported', async () => {
    const errors: string[] = []
    const { sockets } = create({ onError: (error) => errors.push(error.message) })
    const app = express()
    app.get('/', (_, response) => void response.send('x'.repeat(MAX_ANSWER_BYTES)))
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    expect((await refusal(`ws://${await listen(http)}/`)).httpStatus).toBe(500)
    expect(errors).toEqual([expect.stringMatching(/more than 1048576 bytes/)])
  })

  it('get 500 for a 101 of the application, which no service is behind', async () => {
    const errors: string[] = []
    const { sockets } = create({ onError: (error) => errors.push(error.message) })
    const app = express()
    app.get('/', (_, response) => void response.writeHead(101).end())
    const http = app.listen(0, '127.0.0.1')
    sockets.attach(http)
    expect((await refusal(`ws://${await listen(http)}/`)).httpStatus).toBe(500)
    expect(errors).toEqual(['the framework answered 101, and no service was chosen'])
  })

  it('are left to the routes of an attached server, and to others where the filter says so', async () => {
    const { server, sockets } = create()
    server.route('/own', { onOpen: (socket) => void socket.send('own') })
    const http = express().listen(0, '127.0.0.1')
    sockets.attach(http, { filter: ({ url }) => url !== '/others' })
    server.attach(http)
    http.on('upgrade', (request, socket) => {
      if (request.url === '/others') socket.end('HTTP/1.1 418 other\r\nContent-Length: 0\r\n\r\n')
    })
    const host = await listen(http)
    const socket = await connect(`ws://${host}/own`)
    expect(await socket.receive()).toBe('own')
    await socket.close()
    expect((await refusal(`ws://${host}/others`)).httpStatus).toBe(418)
    expect((await refusal(`ws://${host}/nowhere`)).httpStatus).toBe(404)
  })

  it('get 500 where the filter throws, is async or returns neither true nor false, and onError hears of it', async () => {
    const errors: string[] = []
    const { sockets } = create({ onError: (error) => errors.push(error.message) })
    const http = express().listen(0, '127.0.0.1')
    const answers: Record<string, () => unknown> = {
      '/throws': () => {
        throw new Error('of the filter')
      },
      '/async': () => Promise.reject(new Error('heard by nobody')),
      '/match': () => ['match'],
      '/nothing': () => undefined,
      '/none': () => false,
    }
    sockets.attach(http, { filter: ({ url = '' }) => answers[url]?.() as boolean })
    http.on('upgrade', (request, socket) => {
      if (request.url === '/none') socket.end('HTTP/1.1 418 other\r\nContent-Length: 0\r\n\r\n')
    })
    const host = await listen(http)
    const statuses: (number | undefined)[] = []
    for (const path of Object.keys(answers)) {
      statuses.push((await refusal(`ws://${host}${path}`)).httpStatus)
    }
    expect(statuses).toEqual([500, 500, 500, 500, 418])
    expect(errors).toEqual([
      'of the filter',
      'filter must return true or false, not a promise: it must not be async',
      'filter must return true or false, not an array',
      'filter must return true or false, not undefined',
    ])
  })

  it('get 404 where no listener takes requests', async () => {
    const { sockets } = create()
    const http = createServer().listen(0, '127.0.0.1')
    sockets.attach(http)
    expect((await refusal(`ws://${await listen(http)}/`)).httpStatus).toBe(404)
  })
})

describe('ExpressWebSockets refuses', () => {
  const wrong = (call: (sockets: ExpressWebSockets) => unknown): (() => unknown) => {
    const { sockets } = create()
    return () => call(sockets)
  }

  it('what is not a server, a service, options or an HTTP server, with its name', () => {
    expect(() => new ExpressWebSockets(createServer() as never)).toThrow(
      /^server must be a WebSocketServer, not/,
    )
    expect(wrong((sockets) => sockets.route({ onMesage: 1 } as never))).toThrow(/onMesage/)
    // As written for express-ws.
    expect(
      wrong((sockets) => sockets.route(((ws: unknown, request: unknown) => [ws, request]) as never)),
    ).toThrow(
      /^service must not be a function of 2 parameters: it gets the socket alone and returns its handlers/,
    )
    expect(wrong((sockets) => sockets.route(undefined as never))).toThrow(/^service must be/)
    expect(wrong((sockets) => sockets.route(echo, { date: 1 } as never))).toThrow(/date.*data/)
    expect(wrong((sockets) => sockets.route(echo, { data: 1 } as never))).toThrow(/^data must be a function/)
    expect(wrong((sockets) => sockets.attach(express() as never))).toThrow(/^httpServer must be an http/)
    expect(wrong((sockets) => sockets.attach(createServer(), { filter: 1 } as never))).toThrow(
      /^filter must be/,
    )
  })

  it('an HTTP server that is attached already', () => {
    const http = createServer()
    const { sockets } = create()
    sockets.attach(http)
    expect(() => sockets.attach(http)).toThrow(InvalidStateError)
  })
})
