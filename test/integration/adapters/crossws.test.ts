// slow: programs of crossws and H3 are loaded, and two processes joined
/** hawser/crossws: programs of crossws and H3, by their own packages, over real sockets; beside crossws's own adapter where it can be. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { BackplaneRelay } from '../../../src/backplane/index.js'
import {
  backplaneSync,
  crosswsAdapter,
  plugin,
  type CrosswsAdapter,
  type CrosswsAdapterOptions,
  type CrosswsHooks,
  type CrosswsPeer,
  type SrvxServer,
} from '../../../src/adapters/crossws.js'
import {
  connect,
  HandshakeError,
  InvalidStateError,
  WebSocketServer,
  type ClientSocket,
} from '../../../src/index.js'
import { loadModules } from '../../helpers/es-module.js'

/** An adapter of crossws, as far as both have it. */
type AnyAdapter = Pick<CrosswsAdapter, 'publish' | 'closeAll' | 'close' | 'peers'> & {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>
}

interface Modules {
  readonly crossws: {
    defineHooks(hooks: CrosswsHooks): CrosswsHooks
    createWebSocketProxy(target: string): CrosswsHooks
  }
  readonly adapter: {
    default(options: object): AnyAdapter
    fromNodeUpgradeHandler(handler: unknown): CrosswsHooks
  }
  readonly sync: {
    broadcastChannel(options: { channel: string }): NonNullable<CrosswsAdapterOptions['sync']>
  }
  readonly h3: {
    H3: new () => {
      get(path: string, handler: unknown): unknown
      use(handler: unknown): unknown
      fetch(request: Request): Promise<Response>
    }
    defineWebSocketHandler(hooks: unknown): unknown
    serve(app: unknown, options: object): SrvxServer & { ready(): Promise<unknown>; url: string }
  }
}

const { crossws, adapter, sync, h3 } = loadModules<Modules>({
  crossws: 'crossws',
  adapter: 'crossws/adapters/node',
  sync: 'crossws/sync',
  h3: 'h3',
})

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function listen(http: Server): Promise<string> {
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  cleanups.push(() => {
    http.close()
    http.closeAllConnections()
  })
  return `ws://127.0.0.1:${String((http.address() as AddressInfo).port)}`
}

/** @returns the URL */
async function serve(made: AnyAdapter): Promise<string> {
  const http = createServer()
  http.on('upgrade', (request, socket, head) => void made.handleUpgrade(request, socket, head))
  cleanups.push(() => {
    made.closeAll(undefined, undefined, true)
    return made.close()
  })
  return listen(http)
}

async function open(url: string, options: Parameters<typeof connect>[1] = {}): Promise<ClientSocket> {
  const socket = await connect(url, options)
  cleanups.push(() => {
    socket.terminate()
  })
  return socket
}

async function refusal(url: string): Promise<HandshakeError> {
  const error: unknown = await connect(url).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(HandshakeError)
  return error as HandshakeError
}

const bodyOf = ({ response }: HandshakeError): string => Buffer.from(response?.body ?? '').toString()

/** What a template makes of a value. */
const asText = (value: unknown): string => [value as string].join()

/** A promise, and what resolves it. */
function deferred<T = void>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((resolveIt) => {
    resolve = resolveIt
  })
  return { promise, resolve }
}

const ADAPTERS: readonly (readonly [string, (options: CrosswsAdapterOptions) => AnyAdapter])[] = [
  ["crossws's own adapter", (options) => adapter.default(options)],
  ['hawser/crossws', crosswsAdapter],
]

describe.each(ADAPTERS)('A program of crossws with %s', (_name, create) => {
  it('has the hooks in their order, with the request, the context and the end', async () => {
    const seen: unknown[] = []
    const ended = deferred()
    const hooks = crossws.defineHooks({
      upgrade: (request) => {
        seen.push(['upgrade', new URL(request.url).pathname, request.headers.get('x-user'), request.method])
        return { headers: { 'x-by': 'crossws' }, context: { number: 7 } }
      },
      open: (peer) => {
        seen.push([
          'open',
          peer.context['number'],
          peer.namespace,
          peer.remoteAddress,
          peer.websocket.readyState,
        ])
        seen.push([peer.id.length, asText(peer) === peer.id, new URL(peer.request.url).search])
        peer.send(JSON.stringify({ url: peer.websocket.url?.slice(0, 5) }))
      },
      message: (peer, message) => {
        seen.push(['message', message.rawData])
        peer.send(message.rawData)
      },
      close: (peer, { code, reason }) => {
        seen.push(['close', code, reason, peer.context['number']])
        ended.resolve()
      },
    })
    const socket = await open(`${await serve(create({ hooks }))}/chat?a=1`, { headers: { 'X-User': 'ada' } })
    expect(socket.responseHeaders.get('X-By')).toBe('crossws')
    expect(await socket.receive()).toBe('{"url":"ws://"}')
    socket.send('text')
    expect(await socket.receive()).toBe('text')
    socket.send(Buffer.from([1, 2, 3]))
    expect(await socket.receive()).toEqual(Buffer.from([1, 2, 3]))
    await socket.close(4000, 'bye')
    await ended.promise
    expect(seen).toEqual([
      ['upgrade', '/chat', 'ada', 'GET'],
      ['open', 7, '/chat', '127.0.0.1', 1],
      [36, true, '?a=1'],
      ['message', 'text'],
      ['message', Buffer.from([1, 2, 3])],
      ['close', 4000, 'bye', 7],
    ])
  })

  it('reads a message as text, bytes, JSON and Blob', async () => {
    const seen: unknown[] = []
    const hooks: CrosswsHooks = {
      message: async (peer, message) => {
        seen.push(message.text(), [...message.uint8Array()], message.json(), await message.blob().text())
        seen.push(message.id.length, asText(message) === message.text(), message.data)
        peer.send('done')
      },
    }
    const socket = await open(await serve(create({ hooks })))
    for (const sent of ['[1]', Buffer.from('[1]')]) {
      socket.send(sent)
      expect(await socket.receive()).toBe('done')
    }
    const forms = ['[1]', [91, 49, 93], [1], '[1]', 36, true, Buffer.from('[1]')]
    expect(seen).toEqual([...forms, ...forms])
  })

  it('sends what is not text or bytes as crossws does, and returns what waits', async () => {
    const returned = deferred<unknown>()
    const values: unknown[] = [
      7,
      true,
      8n,
      null,
      undefined,
      { a: [1] },
      [1, 2],
      new Uint8Array([3]),
      new ArrayBuffer(1),
    ]
    const hooks: CrosswsHooks = {
      open: (peer) => {
        for (const value of values) peer.send(value)
        returned.resolve(typeof peer.send('last', { compress: false }))
      },
    }
    const socket = await open(await serve(create({ hooks })))
    const got: unknown[] = []
    for (let at = 0; at <= values.length; at++) got.push(await socket.receive())
    expect(got).toEqual([
      ...['7', 'true', '8', '', '', '{"a":[1]}', Buffer.from([1, 2]), Buffer.from([3]), Buffer.from([0])],
      'last',
    ])
    expect(await returned.promise).toBe('number')
  })

  it('publishes to the other subscribers of the namespace, and by the adapter to all', async () => {
    const hooks: CrosswsHooks = {
      open: (peer) => {
        peer.subscribe('news')
        peer.subscribe('left')
        peer.unsubscribe('left')
        peer.send([...peer.topics].join())
      },
      message: (peer, message) => {
        peer.publish('left', 'not for anybody')
        peer.publish('news', message.text(), { compress: false })
      },
    }
    const made = create({ hooks })
    const url = await serve(made)
    const [first, second, other] = [await open(`${url}/a`), await open(`${url}/a`), await open(`${url}/b`)]
    for (const socket of [first, second, other]) expect(await socket.receive()).toBe('news')
    first.send('from the first')
    expect(await second.receive()).toBe('from the first')
    made.publish('news', new Uint8Array([1]), { namespace: '/b' })
    expect(await other.receive()).toEqual(Buffer.from([1]))
    made.publish('news', { to: 'all' })
    for (const socket of [first, second, other]) expect(await socket.receive()).toBe('{"to":"all"}')
    expect([...made.peers].map(([namespace, { size }]) => [namespace, size])).toEqual([
      ['/a', 2],
      ['/b', 1],
    ])
  })

  it('ends an upgrade with the Response that a hook returns or throws, with its headers', async () => {
    const hooks: CrosswsHooks = {
      upgrade: ({ url }) => {
        if (url.endsWith('/thrown'))
          throw new Response('not you', { status: 403, headers: { 'X-Why': 'because' } })
        if (url.endsWith('/returned')) return Response.json({ a: 1 }, { status: 418 })
        throw new Error('a secret')
      },
    }
    const url = await serve(create({ hooks }))
    const thrown = await refusal(`${url}/thrown`)
    expect([
      thrown.httpStatus,
      bodyOf(thrown),
      new Headers(thrown.response?.headers as [string, string][]).get('X-Why'),
    ]).toEqual([403, 'not you', 'because'])
    const returned = await refusal(`${url}/returned`)
    expect([returned.httpStatus, bodyOf(returned)]).toEqual([418, '{"a":1}'])
  })

  it('agrees on a subprotocol by the hook, by a header and by handleProtocols', async () => {
    const hooks: CrosswsHooks = {
      upgrade: ({ url }) => {
        if (url.endsWith('/hook')) return { protocol: 'b' }
        return url.endsWith('/header') ? { headers: { 'sec-websocket-protocol': 'b' } } : undefined
      },
    }
    const made = create({ hooks, handleProtocols: (offered) => offered.has('c') && 'c' })
    const url = await serve(made)
    const protocolAt = async (path: string, protocols: readonly string[]): Promise<string> =>
      (await open(`${url}${path}`, { protocols })).protocol
    expect(await protocolAt('/hook', ['a', 'b'])).toBe('b')
    expect(await protocolAt('/header', ['a', 'b'])).toBe('b')
    expect(await protocolAt('/else', ['a', 'c'])).toBe('c')
    expect(await protocolAt('/else', ['c', 'a'])).toBe('c')
  })

  it('has hooks by request: with those of the adapter, and namespaces of its own', async () => {
    const seen: string[] = []
    const ended = deferred()
    const made = create({
      getNamespace: () => 'of all',
      hooks: { open: () => void seen.push('open of the adapter') },
      resolve: async ({ url }) => {
        await Promise.resolve()
        return {
          open: (peer: CrosswsPeer) => {
            seen.push(`open of ${new URL(url).pathname} in ${peer.namespace}`)
            peer.send('open')
          },
          close: () => {
            ended.resolve()
          },
        }
      },
    })
    const socket = await open(`${await serve(made)}/x`)
    await socket.receive()
    expect(seen).toEqual(['open of the adapter', 'open of /x in of all'])
    await socket.close()
    await ended.promise
  })

  it('reports pings and pongs, and sends pings', async () => {
    const seen: string[] = []
    const hooks: CrosswsHooks = {
      open: (peer) => {
        peer.ping('1234')
      },
      ping: (_peer, data) => void seen.push(`ping ${Buffer.from(data).toString()}`),
      pong: (peer, data) => {
        seen.push(`pong ${Buffer.from(data).toString()}`)
        if (seen.length === 2) peer.send('seen')
      },
      message: (peer) => {
        peer.ping('last')
      },
    }
    const socket = await open(await serve(create({ hooks })))
    socket.ping('hello')
    socket.send('go on')
    expect(await socket.receive()).toBe('seen')
    expect(seen.slice(0, 2).sort()).toEqual(['ping hello', 'pong 1234'])
  })

  it('proxies by crossws: text, bytes and the end', async () => {
    const upstream = new WebSocketServer()
    upstream.route('/', { onMessage: (_socket, message) => message })
    const { port } = await upstream.listen(0, '127.0.0.1')
    cleanups.push(() => upstream.terminate())
    const made = create({ hooks: crossws.createWebSocketProxy(`ws://127.0.0.1:${String(port)}/`) })
    const socket = await open(await serve(made))
    socket.send('through')
    expect(await socket.receive()).toBe('through')
    socket.send(Buffer.alloc(70_000, 1))
    expect(await socket.receive()).toEqual(Buffer.alloc(70_000, 1))
    const [atUpstream] = upstream.sockets
    void atUpstream?.close(4001, 'over')
    expect(await socket.closed).toMatchObject({ code: 4001, reason: 'over' })
  })

  it("leaves an upgrade to a handler of node's, by fromNodeUpgradeHandler", async () => {
    const other = new WebSocketServer({ directIo: false })
    cleanups.push(() => other.terminate())
    const hooks = adapter.fromNodeUpgradeHandler((request: IncomingMessage, socket: Duplex, head: Buffer) => {
      setImmediate(() => other.handleUpgrade(request, socket, head, { onMessage: () => 'by the other' }))
    })
    const made = create({ hooks })
    const http = createServer()
    http.on('upgrade', (request, socket, head) => {
      const webRequest = Object.assign(new Request('http://localhost/'), {
        runtime: { name: 'node', node: { req: request, upgrade: { socket, head } } },
      })
      void (made as CrosswsAdapter).handleUpgrade(request, socket, head, webRequest)
    })
    cleanups.push(() => made.close())
    const socket = await open(await listen(http))
    socket.send('hello')
    expect(await socket.receive()).toBe('by the other')
    expect([...made.peers].length).toBe(0)
  })
})

describe('The plugin in H3', () => {
  const { plugin: ownPlugin } = loadModules<{ server: { plugin(options?: object): unknown } }>({
    server: 'crossws/server',
  }).server
  const PLUGINS: readonly (readonly [string, (options?: object) => unknown])[] = [
    ['crossws/server', ownPlugin],
    ['hawser/crossws', plugin],
  ]

  it.each(PLUGINS)(
    'of %s upgrades the WebSocket routes of the application, and answers others as it does',
    async (_name, make) => {
      const app = new h3.H3()
      app.use((event: { readonly req: Request; readonly res: { readonly headers: Headers } }) => {
        if (event.req.headers.get('x-user') === null) return new Response('who are you?', { status: 401 })
        return undefined
      })
      app.get('/', () => 'by HTTP')
      app.get(
        '/room/:name',
        h3.defineWebSocketHandler(
          (event: { readonly context: { readonly params: { readonly name: string } } }) => ({
            open: (peer: CrosswsPeer) => {
              peer.subscribe('room')
              peer.send(`welcome to ${event.context.params.name}`)
            },
            message: (peer: CrosswsPeer, message: { text(): string }) => {
              peer.publish('room', message.text())
            },
          }),
        ),
      )
      const server = h3.serve(app, { port: 0, hostname: '127.0.0.1', silent: true, plugins: [make({})] })
      await server.ready()
      cleanups.push(() => server.close(true))
      const url = server.url.replace('http', 'ws')
      const refused = await refusal(`${url}room/dogs`)
      expect([refused.httpStatus, bodyOf(refused)]).toEqual([401, 'who are you?'])
      const headers = { 'X-User': 'ada' }
      expect(await (await fetch(server.url, { headers })).text()).toBe('by HTTP')
      const [ada, bob] = [
        await open(`${url}room/dogs`, { headers }),
        await open(`${url}room/dogs`, { headers }),
      ]
      expect([await ada.receive(), await bob.receive()]).toEqual(['welcome to dogs', 'welcome to dogs'])
      ada.send('woof')
      expect(await bob.receive()).toBe('woof')
      const none = await connect(`${url}none`, { headers }).catch((error: unknown) => error)
      expect((none as HandshakeError).httpStatus).toBe(404)
      ada.terminate()
      bob.terminate()
    },
  )

  it('closes the connections with the server, finds hooks by resolve, and takes hooks as they are', async () => {
    const app = new h3.H3()
    const hooks: CrosswsHooks = { open: (peer) => void peer.send('by hooks') }
    const byResolve = {
      resolve: () => Promise.resolve({ open: (peer: CrosswsPeer) => void peer.send('by resolve') }),
    }
    for (const [options, text] of [
      [hooks, 'by hooks'],
      [byResolve, 'by resolve'],
    ] as const) {
      const plugins = [plugin({ ...options, options: { hawser: { idleTimeout: 5 }, node: {} } })]
      const server = h3.serve(app, { port: 0, hostname: '127.0.0.1', silent: true, plugins })
      await server.ready()
      const socket = await open(server.url.replace('http', 'ws'))
      expect(await socket.receive()).toBe(text)
      await server.close()
      expect((await socket.closed).code).toBe(1001)
    }
  })

  it('refuses options that are no hooks, and a server that answers nothing', () => {
    expect(() => plugin({ mesage: () => undefined } as object)).toThrow(/mesage.*message/)
    const server = { options: {}, serve: () => undefined, close: () => Promise.resolve() }
    expect(() => {
      plugin()(server)
    }).toThrow('the server must have a function fetch')
  })
})

describe('hawser/crossws', () => {
  it('calls the hook drain when the output is below the high-water mark again, and waitForDrain waits for less', async () => {
    const seen: string[] = []
    const done = deferred()
    const waited = deferred<number>()
    const made = crosswsAdapter({
      serverOptions: { slowConsumer: 'buffer', perMessageDeflate: false },
      hooks: {
        open: (peer) => {
          expect(peer.send(Buffer.alloc(16 * 1024 * 1024))).toBeGreaterThan(0)
          peer.waitForDrain({ threshold: 10, pollInterval: 5 }).then(() => {
            waited.resolve(peer.bufferedAmount)
          }, done.resolve)
        },
        drain: (peer) => {
          seen.push(peer.bufferedAmount <= 64 * 1024 ? 'drain' : 'too early')
          done.resolve()
        },
      },
    })
    const socket = await connect(await serve(made), { limits: { maxMessageBytes: 32 * 1024 * 1024 } })
    cleanups.push(() => {
      socket.terminate()
    })
    expect(await socket.receive()).toHaveLength(16 * 1024 * 1024)
    await done.promise
    expect(seen).toEqual(['drain'])
    expect(await waited.promise).toBeLessThanOrEqual(10)
  })

  it('ends waitForDrain with the reason of its signal, and with the connection', async () => {
    const waits = deferred<readonly Promise<unknown>[]>()
    const aborter = new AbortController()
    const made = crosswsAdapter({
      serverOptions: { slowConsumer: 'buffer', perMessageDeflate: false, onError: () => undefined },
      hooks: {
        open: (peer) => {
          peer.send(Buffer.alloc(64 * 1024 * 1024))
          const aborted = peer.waitForDrain({ signal: aborter.signal }).catch((error: unknown) => error)
          waits.resolve([aborted, peer.waitForDrain()])
        },
      },
    })
    const tcp = connectTcp(Number(new URL(await serve(made)).port), '127.0.0.1')
    cleanups.push(() => tcp.destroy())
    tcp.write(
      'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    const [aborted, ended] = (await waits.promise) as [Promise<unknown>, Promise<unknown>]
    aborter.abort(new Error('enough'))
    expect(await aborted).toEqual(new Error('enough'))
    tcp.destroy()
    expect(await ended).toBeUndefined()
  })

  it('publishes to the connections of other processes by the backplane of its server, in all namespaces too', async () => {
    const hooks: CrosswsHooks = {
      open: (peer) => {
        peer.subscribe('news')
        peer.send('open')
      },
      message: (peer, message) => {
        peer.publish('news', message.text())
      },
    }
    const relay = new BackplaneRelay()
    const create = async (): Promise<[CrosswsAdapter, string]> => {
      const made = crosswsAdapter({ hooks, serverOptions: { backplane: relay.backplane() } })
      return [made, await serve(made)]
    }
    const [[one, urlOfOne], [two, urlOfTwo]] = [await create(), await create()]
    const [first, second] = [await open(`${urlOfOne}/a`), await open(`${urlOfTwo}/b`)]
    const third = await open(`${urlOfTwo}/a`)
    for (const socket of [first, second, third]) expect(await socket.receive()).toBe('open')
    while (one.group('news', '/a').sizeEverywhere < 2) await new Promise(setImmediate)
    first.send('from one to two')
    expect(await third.receive()).toBe('from one to two')
    one.publish('news', 'in all namespaces')
    for (const socket of [first, second, third]) expect(await socket.receive()).toBe('in all namespaces')
    expect(two.group('news', '/b').size).toBe(1)
    expect(() => crosswsAdapter({ sync: backplaneSync(relay.backplane()), server: one.server })).toThrow(
      'sync must not be given beside a server with a backplane',
    )
  })

  const pairs: readonly (readonly [string, () => readonly NonNullable<CrosswsAdapterOptions['sync']>[]])[] = [
    [
      "crossws's broadcastChannel",
      () => [1, 2].map(() => sync.broadcastChannel({ channel: `hawser-${String(process.pid)}` })),
    ],
    [
      'backplaneSync',
      () => {
        const relay = new BackplaneRelay()
        return [backplaneSync(relay.backplane()), backplaneSync(relay.backplane())]
      },
    ],
  ]
  it.each(pairs)(
    "reaches an instance of crossws's own adapter by %s, text and bytes, both ways",
    async (_name, drivers) => {
      const hooks: CrosswsHooks = {
        open: (peer) => {
          peer.subscribe('a\nb')
          peer.send('open')
        },
        message: (peer, { rawData }) => {
          peer.publish('a\nb', rawData)
        },
      }
      const [syncOfOurs, syncOfTheirs] = drivers()
      const ours = crosswsAdapter({ hooks, sync: syncOfOurs })
      const theirs = adapter.default({ hooks, sync: syncOfTheirs })
      const [first, second] = [await open(await serve(ours)), await open(await serve(theirs))]
      for (const socket of [first, second]) expect(await socket.receive()).toBe('open')
      for (const [from, to] of [
        [first, second],
        [second, first],
      ] as const) {
        from.send('line\nline')
        expect(await to.receive()).toBe('line\nline')
        from.send(Buffer.from([10, 0, 255]))
        expect(await to.receive()).toEqual(Buffer.from([10, 0, 255]))
      }
      ours.publish('a\nb', 'to all')
      for (const socket of [first, second]) expect(await socket.receive()).toBe('to all')
    },
  )

  it('reports what fails in a driver by its stage', async () => {
    const reported = deferred<unknown>()
    const errors: unknown[] = []
    const made = crosswsAdapter({
      onError: (error, { stage }) => {
        errors.push([stage, (error as Error).message])
        if (errors.length === 3) reported.resolve(errors)
      },
      sync: () => ({
        subscribe: (deliver) => {
          deliver({ namespace: 'x', topic: 'y'.repeat(1000), data: '' })
          throw new Error('no subscription')
        },
        publish: () => Promise.reject(new Error('no publication')),
      }),
    })
    made.publish('topic', 'data')
    await reported.promise
    expect(errors.map((entry) => (entry as string[])[0])).toEqual(['delivery', 'subscribe', 'publish'])
    await made.close()
  })

  it('reports a hook that throws or rejects to the hook error, ends the connection with 1011, and reports without it to the server', async () => {
    const errors: string[] = []
    const heard: string[] = []
    const serverOptions = { onError: (error: Error) => void errors.push(error.message) }
    const throwing: CrosswsHooks = {
      message: (_peer, message) => {
        if (message.text() === 'sync') throw new Error('a sync hook')
        return Promise.reject(new Error('an async hook'))
      },
    }
    const listening: CrosswsHooks = {
      ...throwing,
      error: (_peer, { name, message }) => void heard.push(`${name}: ${message}`),
    }
    for (const hooks of [throwing, listening]) {
      const url = await serve(crosswsAdapter({ hooks, serverOptions }))
      for (const text of ['sync', 'async']) {
        const socket = await open(url)
        socket.send(text)
        expect((await socket.closed).code).toBe(1011)
      }
    }
    expect(errors).toEqual(['a sync hook', 'an async hook'])
    expect(heard).toEqual(['WSError: a sync hook', 'WSError: an async hook'])
  })

  it('handles messages while the hook of an earlier one waits, and keeps them until the hook open is done', async () => {
    const seen: string[] = []
    const second = deferred()
    const made = crosswsAdapter({
      hooks: {
        open: async () => {
          await new Promise(setImmediate)
          seen.push('open')
        },
        message: async (peer, message) => {
          seen.push(message.text())
          if (message.text() === '2') second.resolve()
          await second.promise
          peer.send('done')
        },
      },
    })
    const socket = await open(await serve(made))
    socket.send('1')
    socket.send('2')
    expect([await socket.receive(), await socket.receive()]).toEqual(['done', 'done'])
    expect(seen).toEqual(['open', '1', '2'])
  })

  it('gives an ArrayBuffer of its own for a small message, and data by every binaryType', async () => {
    const seen: unknown[] = []
    const made = crosswsAdapter({
      hooks: {
        message: (peer, message) => {
          seen.push(message.arrayBuffer().byteLength)
          for (const type of ['text', 'uint8array', 'arraybuffer', 'blob', 'nodebuffer', 'raw']) {
            peer.websocket.binaryType = type
            const { data } = message
            seen.push((data as object).constructor.name)
          }
          peer.send('done')
        },
      },
    })
    const socket = await open(await serve(made))
    for (const sent of ['abc', Buffer.from('abc')]) {
      socket.send(sent)
      await socket.receive()
    }
    const names = ['String', 'Uint8Array', 'ArrayBuffer', 'Blob', 'Buffer']
    expect(seen).toEqual([3, ...names, 'String', 3, ...names, 'Buffer'])
  })

  it('does not report pongs of its own heartbeat, and reports data that a ping cannot carry to the hook error', async () => {
    const seen: string[] = []
    const enough = deferred()
    const made = crosswsAdapter({
      idleTimeout: 0.02,
      hooks: {
        open: (peer) => {
          peer.ping('x'.repeat(126))
        },
        error: (_peer, { message }) => void seen.push(message.slice(0, 4)),
        pong: () => void seen.push('pong'),
        close: () => {
          enough.resolve()
        },
      },
    })
    const socket = await open(await serve(made))
    // Both ends are idle for some intervals: the peer answers each ping.
    const [at] = made.server.sockets
    while (at?.rttMs === undefined) await new Promise((resolve) => setTimeout(resolve, 10))
    await socket.close()
    await enough.promise
    expect(seen).toHaveLength(1)
    expect(seen[0]).not.toBe('pong')
  })

  it('keeps no namespace that has no connection, whatever paths peers ask for', async () => {
    const made = crosswsAdapter()
    const url = await serve(made)
    for (const path of ['/a', '/b', '/c']) await (await open(`${url}${path}`)).close()
    while (made.server.connectionCount > 0) await new Promise(setImmediate)
    await new Promise(setImmediate)
    expect([...made.peers.keys()]).toEqual([])
  })

  it('answers 400 to a Host that makes no URL, and takes the host from Host alone', async () => {
    const urls: string[] = []
    const made = crosswsAdapter({
      hooks: { upgrade: ({ url }) => (urls.push(url), new Response('seen', { status: 200 })) },
    })
    const port = Number(new URL(await serve(made)).port)
    const ask = async (target: string, host: string): Promise<string> => {
      const tcp = connectTcp(port, '127.0.0.1')
      tcp.write(
        `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      )
      let answer = ''
      for await (const chunk of tcp) answer += String(chunk)
      return answer.split('\r\n', 1)[0] as string
    }
    expect(await ask('/', 'a:99999')).toBe('HTTP/1.1 400 Bad Request')
    expect(await ask('//evil.example/x', 'good.example')).toBe('HTTP/1.1 200 OK')
    expect(urls).toEqual(['http://good.example//evil.example/x'])
  })

  it('shares a server with its routes by attach, and leaves it open when the adapter closes', async () => {
    const server = new WebSocketServer()
    cleanups.push(() => server.terminate())
    server.route('/route', { onMessage: () => 'by the route' })
    const made = crosswsAdapter({ server, hooks: { message: (peer) => void peer.send('by the hook') } })
    const http = createServer()
    server.attach(http)
    made.attach(http)
    const url = await listen(http)
    const [route, hook] = [await open(`${url}/route`), await open(`${url}/hook`)]
    route.send('a')
    hook.send('a')
    expect([await route.receive(), await hook.receive()]).toEqual(['by the route', 'by the hook'])
    await made.close(4000, 'over')
    expect(await hook.closed).toMatchObject({ code: 4000, reason: 'over' })
    expect(route.readyState).toBe(1)
    expect(() => {
      made.attach(http)
    }).toThrow(InvalidStateError)
  })

  it('refuses a Response of more than 1 MiB, which it would have to keep', async () => {
    const errors: string[] = []
    const made = crosswsAdapter({
      hooks: { upgrade: () => new Response(new Uint8Array(1024 * 1024 + 1)) },
      serverOptions: { onError: ({ message }) => void errors.push(message) },
    })
    expect((await refusal(await serve(made))).httpStatus).toBe(500)
    expect(errors).toEqual(['the Response that ends an upgrade has more than 1048576 bytes in its body'])
  })

  it.each([
    [{ hooks: 7 }, 'hooks must be an object of hooks, not 7'],
    [{ hooks: { mesage: () => undefined } }, /mesage.*message/],
    [{ idleTimeout: -1 }, /idleTimeout/],
    [
      { server: new WebSocketServer(), serverOptions: {} },
      'serverOptions is for a server that the adapter makes',
    ],
    [{ server: {} }, 'server must be a WebSocketServer'],
    [{ sinc: 1 }, /sinc.*sync/],
    [{ sync: 1 }, /sync must be a function/],
  ])('refuses the options %j', (options, message) => {
    expect(() => crosswsAdapter(options as object)).toThrow(message)
  })

  it('refuses what is not an HTTP server, and what is not a backplane', () => {
    expect(() => {
      crosswsAdapter().attach({} as never)
    }).toThrow('httpServer must be an http or https server')
    expect(() => backplaneSync({} as never)).toThrow('backplane must be a backplane')
  })
})
