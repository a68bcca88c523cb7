/** hawser/hono: a real Hono on @hono/node-server, over real sockets. */
import { EventEmitter, once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import { connect, HandshakeError, InvalidStateError, WebSocketServer } from '../../../src/index.js'
import { HonoWebSockets, type HonoWebSocket } from '../../../src/adapters/hono.js'

// Its types name those of a browser, which these tests do not have.
const { serve } = jest.requireActual<{
  serve(options: { fetch: unknown; port: number; hostname: string }): Server
}>('@hono/node-server')

const cleanups: (() => unknown)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

function create(options?: ConstructorParameters<typeof WebSocketServer>[0]): {
  readonly server: WebSocketServer
  readonly sockets: HonoWebSockets
} {
  const server = new WebSocketServer(options)
  cleanups.push(() => server.terminate())
  return { server, sockets: new HonoWebSockets(server) }
}

/** @returns host and port */
async function listen(app: { readonly fetch: unknown }, sockets: HonoWebSockets): Promise<string> {
  const http = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  if (!http.listening) await once(http, 'listening')
  cleanups.push(() => {
    http.close()
    http.closeAllConnections()
  })
  sockets.attach(http)
  return `127.0.0.1:${String((http.address() as AddressInfo).port)}`
}

async function refusal(url: string): Promise<HandshakeError> {
  const error: unknown = await connect(url).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(HandshakeError)
  return error as HandshakeError
}

const bodyOf = ({ response }: HandshakeError): string => Buffer.from(response?.body ?? '').toString()

describe('upgradeWebSocket of hawser/hono', () => {
  it('gives text and bytes to onMessage, and the events of the connection in order', async () => {
    const { sockets } = create()
    const { upgradeWebSocket } = sockets
    const events: unknown[] = []
    const app = new Hono()
    const closed = new EventEmitter()
    app.get(
      '/echo',
      upgradeWebSocket(() => ({
        onOpen: (event, ws) => {
          events.push([event.type, ws.readyState, ws.protocol, ws.url?.pathname])
        },
        onMessage: (event, ws) => {
          events.push(event.data instanceof ArrayBuffer ? event.data.byteLength : event.data)
          ws.send(event.data as string | ArrayBuffer, { compress: false })
          return 'not a reply'
        },
        onClose: ({ type, code, reason, wasClean }) => {
          events.push([type, code, reason, wasClean])
          closed.emit('close')
        },
      })),
      (c) => c.text('a page'),
    )
    const host = await listen(app, sockets)
    const socket = await connect(`ws://${host}/echo`)
    socket.send('hello')
    expect(await socket.receive()).toBe('hello')
    socket.send(Buffer.from([1, 2, 3]))
    expect(await socket.receive()).toEqual(Buffer.from([1, 2, 3]))
    await Promise.all([once(closed, 'close'), socket.close(1000, 'bye')])
    expect(events).toEqual([['open', 1, '', '/echo'], 'hello', 3, ['close', 1000, 'bye', true]])
    expect(await (await fetch(`http://${host}/echo`)).text()).toBe('a page')
  })

  it('runs middleware before it, with c.req and what middleware set, and puts headers into the 101', async () => {
    const { sockets } = create()
    const app = new Hono<{ Variables: { user: string } }>()
    app.use(async (c, next) => {
      c.set('user', 'ada')
      c.header('Set-Cookie', 'a=1', { append: true })
      await next()
      c.header('Set-Cookie', 'b=2', { append: true })
    })
    app.get(
      '/rooms/:room',
      sockets.upgradeWebSocket((c) => {
        const said = [c.get('user' as never), c.req.param('room'), c.req.query('x'), c.req.header('X-Y')]
        return {
          onOpen: (_, ws) => {
            ws.send(JSON.stringify([said, ws.raw.params]))
          },
        }
      }),
    )
    const socket = await connect(`ws://${await listen(app, sockets)}/rooms/a%20b?x=1`, {
      headers: { 'X-Y': 'z' },
    })
    expect(JSON.parse(await socket.receiveText())).toEqual([['ada', 'a b', '1', 'z'], { room: 'a b' }])
    expect(socket.responseHeaders.getAll('Set-Cookie')).toEqual(['a=1', 'b=2'])
    await socket.close()
  })

  it('ends the upgrade with the answer of a middleware, an error handler or notFound', async () => {
    const { sockets } = create()
    const app = new Hono()
    app.onError((error, c) => c.text(`handled: ${error.message}`, 418))
    app.use('/private', (c) => Promise.resolve(c.json({ error: 'who are you?' }, 401)))
    app.get(
      '/private',
      sockets.upgradeWebSocket(() => ({})),
    )
    app.get(
      '/throws',
      sockets.upgradeWebSocket(() => {
        throw new Error('no events')
      }),
    )
    app.get(
      '/nothing',
      sockets.upgradeWebSocket(() => undefined as never),
    )
    app.get(
      '/wrong',
      sockets.upgradeWebSocket(() => ({ onMesage: 1 }) as never),
    )
    app.use('/late', async (c, next) => {
      await next()
      c.res = c.text('changed my mind', 403)
    })
    app.get(
      '/late',
      sockets.upgradeWebSocket(() => ({})),
    )
    const host = await listen(app, sockets)
    for (const [path, status, body] of [
      ['/private', 401, '{"error":"who are you?"}'],
      ['/throws', 418, 'handled: no events'],
      ['/nothing', 418, 'handled: events must be an object of handlers, not undefined'],
      ['/wrong', 418, expect.stringMatching(/onMesage.*onMessage/)],
      ['/late', 403, 'changed my mind'],
      ['/nowhere', 404, '404 Not Found'],
    ] as const) {
      const refused = await refusal(`ws://${host}${path}`)
      expect([refused.httpStatus, bodyOf(refused)]).toEqual([status, body])
    }
  })

  it('upgrades in a handler, with settings and groups of the server', async () => {
    const { server, sockets } = create()
    const app = new Hono()
    const settings = { protocols: ['chat'], maxMessageBytes: 10 }
    app.get('/chat', (c) =>
      sockets.upgradeWebSocket(
        c,
        {
          onOpen: (_, ws) => void ws.raw.join('all'),
          onMessage: (event, ws) => {
            ws.raw.group('all').send(event.data as string, { except: ws.raw })
          },
        },
        settings,
      ),
    )
    const host = await listen(app, sockets)
    const options = { protocols: ['chat'] }
    const [ada, bob] = [
      await connect(`ws://${host}/chat`, options),
      await connect(`ws://${host}/chat`, options),
    ]
    expect(ada.protocol).toBe('chat')
    bob.send('woof')
    expect(await ada.receive()).toBe('woof')
    expect(server.group('all').size).toBe(2)
    bob.send('longer than ten')
    expect(await bob.closed).toMatchObject({ code: 1009 })
    await ada.close()
    app.onError((error, c) => c.text(error.message, 500))
    const plain = await fetch(`http://${host}/chat`)
    expect([plain.status, await plain.text()]).toEqual([
      500,
      expect.stringMatching(/^upgradeWebSocket\(c, events\) needs/),
    ])
  })

  it('ends a connection whose handler throws with 1011, and gives the error to onError or to the server', async () => {
    const errors: string[] = []
    const { sockets } = create({ onError: (error) => errors.push(`server ${error.message}`) })
    const app = new Hono()
    const onMessage = async (): Promise<void> => {
      await Promise.resolve()
      throw new Error('a handler failed')
    }
    app.get(
      '/unheard',
      sockets.upgradeWebSocket(() => ({ onMessage })),
    )
    app.get(
      '/heard',
      sockets.upgradeWebSocket(() => ({
        onMessage,
        onError: (event) => void errors.push(`${event.type} ${event.message}`),
      })),
    )
    const host = await listen(app, sockets)
    for (const path of ['/unheard', '/heard']) {
      const socket = await connect(`ws://${host}${path}`)
      socket.send('x')
      expect(await socket.closed).toMatchObject({ code: 1011 })
    }
    expect(errors).toEqual(['server a handler failed', 'error a handler failed'])
  })

  it('waits for an async onMessage before the next message, and gives bytes as a Blob where binaryType says so', async () => {
    const { sockets } = create()
    const app = new Hono()
    app.get(
      '/',
      sockets.upgradeWebSocket(() => ({
        onOpen: (_, ws) => {
          ws.binaryType = 'blob'
        },
        onMessage: async (event, ws) => {
          ws.send(await (event.data as Blob).text())
        },
      })),
    )
    const socket = await connect(`ws://${await listen(app, sockets)}/`)
    for (const text of ['a', 'b', 'c']) socket.send(Buffer.from(text))
    expect([await socket.receive(), await socket.receive(), await socket.receive()]).toEqual(['a', 'b', 'c'])
    await socket.close()
  })

  it('closes with its server, with 1001', async () => {
    const { server, sockets } = create()
    const app = new Hono()
    let ws: HonoWebSocket | undefined
    app.get(
      '/',
      sockets.upgradeWebSocket(() => ({ onOpen: (_, opened) => void (ws = opened) })),
    )
    const socket = await connect(`ws://${await listen(app, sockets)}/`)
    await server.close()
    expect(await socket.closed).toMatchObject({ code: 1001 })
    expect(ws?.readyState).toBe(3)
  })

  it('attaches by a function that may be taken from the object', () => {
    const { sockets } = create()
    const { attach } = sockets
    const http = serve({ fetch: new Hono().fetch, port: 0, hostname: '127.0.0.1' })
    cleanups.push(() => http.close())
    expect(attach(http)).toBe(sockets)
  })

  it('refuses wrong arguments with their names', async () => {
    const { server, sockets } = create()
    expect(() => new HonoWebSockets({ server } as never)).toThrow(/^server must be a WebSocketServer/)
    expect(() => sockets.upgradeWebSocket(() => ({}), { maxMessageBytes: -1 })).toThrow(
      /service\.maxMessageBytes/,
    )
    expect(() => sockets.upgradeWebSocket(() => ({}), { maxMesageBytes: 1 } as never)).toThrow(
      /maxMesageBytes/,
    )
    expect(() => sockets.attach({} as never)).toThrow(/^httpServer must be/)
    for (const wrong of [undefined, { onMessage: () => undefined }, 'x']) {
      expect(() => sockets.upgradeWebSocket(wrong as never)).toThrow(/^createEvents must be a function/)
    }
    expect(() => sockets.upgradeWebSocket(() => ({}), { maxMesage: 1 } as never)).toThrow(
      /^settings has no option "maxMesage"/,
    )
    expect(() => sockets.upgradeWebSocket(() => ({}), null as never)).toThrow(/^settings must be an object/)
    await expect(sockets.upgradeWebSocket({ req: {} } as never, {})).rejects.toThrow(
      /needs the context of an upgrade/,
    )
    await server.close()
    const http = serve({ fetch: new Hono().fetch, port: 0, hostname: '127.0.0.1' })
    cleanups.push(() => http.close())
    expect(() => sockets.attach(http)).toThrow(InvalidStateError)
  })
})
