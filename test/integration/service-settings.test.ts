/** The settings of a service go before those of its server, by every way in. */
import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import {
  accept,
  connect,
  WebSocketServer,
  type ClientSocket,
  type ConnectOptions,
  type ServerOptions,
  type ServerService,
  type ServerSocket,
  type ServiceFactory,
  type ServiceSettings,
} from '../../src/index.js'
import { json } from '../../src/json/index.js'
import { listEndpoints, serveEndpoint, trackEvents } from '../../src/endpoints/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'

type AnyService = ServerService | ServiceFactory

const servers = new Set<WebSocketServer>()
const httpServers = new Set<HttpServer>()

afterEach(() => {
  for (const server of servers) server.terminate()
  for (const server of httpServers) {
    server.close()
    server.closeAllConnections()
  }
  servers.clear()
  httpServers.clear()
})

/** Serves one service at `/own`, and one without settings at `/`. @returns the URL of the server */
type Way = (service: AnyService, options: ServerOptions) => Promise<string>

const echo = { onMessage: (_: ServerSocket, message: string | Buffer) => message }

function started(service: AnyService, options: ServerOptions): WebSocketServer {
  const server = new WebSocketServer(options)
  server.route('/', echo)
  server.route('/own', service)
  servers.add(server)
  return server
}

async function listening(server: HttpServer): Promise<number> {
  httpServers.add(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const own = async (service: AnyService, options: ServerOptions, scheme = 'ws'): Promise<string> => {
  const { port } = await started(service, options).listen(0, '127.0.0.1')
  return `${scheme}://${scheme === 'ws' ? '127.0.0.1' : 'localhost'}:${String(port)}`
}

const WAYS: Readonly<Record<string, Way>> = {
  'a port of its own, by the handle': (service, options) => own(service, options),
  'a port of its own, by the stream': (service, options) => own(service, { ...options, directIo: false }),
  'a port of its own, over TLS': (service, options) => own(service, { ...options, tls: SERVER_TLS }, 'wss'),
  'the port of an HTTP server': async (service, options) => {
    const http = createHttpServer()
    started(service, options).attach(http)
    return `ws://127.0.0.1:${String(await listening(http))}`
  },
  'the port of an HTTPS server': async (service, options) => {
    const https = createHttpsServer(SERVER_TLS)
    started(service, options).attach(https)
    return `wss://localhost:${String(await listening(https))}`
  },
  'handleUpgrade by hand': async (service, options) => {
    const server = new WebSocketServer(options)
    servers.add(server)
    const http = createHttpServer()
    http.on('upgrade', (request, socket, head) => {
      server.handleUpgrade(request, socket, head, request.url === '/own' ? service : echo)
    })
    return `ws://127.0.0.1:${String(await listening(http))}`
  },
}

const open = (url: string, options: ConnectOptions = {}): Promise<ClientSocket> =>
  connect(url, { ...options, ...(url.startsWith('wss:') ? { tls: TRUST_SERVER } : {}) })

/** What becomes of a message: the reply, or the code of the Close frame. */
async function outcome(url: string, message: string, options: ConnectOptions = {}): Promise<string | number> {
  const socket = await open(url, options)
  socket.send(message)
  const reply = socket.receive().then(
    (value) => (value as string).length,
    () => undefined,
  )
  const got = (await reply) ?? (await socket.closed).code
  socket.terminate()
  return got
}

describe.each(Object.entries(WAYS))('a service on %s', (_, start) => {
  test('has its own bounds for messages and frames, and other services have those of the server', async () => {
    const url = await start({ ...echo, maxMessageBytes: 10 }, { limits: { maxMessageBytes: 100 } })
    expect(await outcome(`${url}/own`, 'x'.repeat(10))).toBe(10)
    expect(await outcome(`${url}/own`, 'x'.repeat(11))).toBe(1009)
    expect(await outcome(`${url}/`, 'x'.repeat(100))).toBe(100)
    expect(await outcome(`${url}/`, 'x'.repeat(101))).toBe(1009)
  })

  test('may allow more than its server does, compressed or not', async () => {
    const service = { ...echo, maxMessageBytes: 1000, maxFrameBytes: false } as const
    const url = await start(service, { limits: { maxMessageBytes: 100, maxFrameBytes: 50 } })
    expect(await outcome(`${url}/own`, 'x'.repeat(1000))).toBe(1000)
    expect(await outcome(`${url}/own`, 'x'.repeat(1000), { perMessageDeflate: false })).toBe(1000)
    expect(await outcome(`${url}/`, 'x'.repeat(51), { perMessageDeflate: false })).toBe(1009)
  })

  test('has its own idle time, and closes with 1001 while a connection of another service stays', async () => {
    const url = await start({ ...echo, idleTimeoutMs: 50 }, {})
    const other = await open(`${url}/`)
    const socket = await open(`${url}/own`)
    expect(await socket.closed).toMatchObject({ code: 1001, wasClean: true })
    expect(other.readyState).toBe(1)
  })

  test('may turn off the idle time of its server', async () => {
    const url = await start({ ...echo, idleTimeoutMs: false }, { idleTimeoutMs: 50 })
    const socket = await open(`${url}/own`)
    const other = await open(`${url}/`)
    expect(await other.closed).toMatchObject({ code: 1001 })
    expect(socket.readyState).toBe(1)
  })

  test('negotiates its own subprotocols', async () => {
    const url = await start({ ...echo, protocols: ['v2', 'v1'] }, { protocols: ['a'] })
    const protocolOf = async (path: string): Promise<string> =>
      (await open(`${url}${path}`, { protocols: ['a', 'v1', 'v2'] })).protocol
    expect(await protocolOf('/own')).toBe('v1')
    expect(await protocolOf('/')).toBe('a')
  })

  test('leaves pings to its handlers where autoPong is off', async () => {
    const url = await start({ ...echo, autoPong: false }, {})
    const pongs: string[] = []
    const ping = async (path: string): Promise<void> => {
      const socket = await open(`${url}${path}`, {
        handlers: { onPong: (_socket, data) => void pongs.push(`${path} ${data.toString()}`) },
      })
      socket.ping('hi')
      socket.send('after the ping')
      await socket.receive()
    }
    await ping('/own')
    await ping('/')
    expect(pongs).toEqual(['/ hi'])
  })

  test('has the settings of the function that makes it', async () => {
    const factory: ServiceFactory = Object.assign(() => echo, {
      maxMessageBytes: 10,
      protocols: ['v1'],
    })
    const url = await start(factory, { protocols: ['a'] })
    expect(await outcome(`${url}/own`, 'x'.repeat(11))).toBe(1009)
    expect((await open(`${url}/own`, { protocols: ['a', 'v1'] })).protocol).toBe('v1')
    const idle = await start(
      Object.assign(() => echo, { idleTimeoutMs: 50 }),
      {},
    )
    expect(await (await open(`${idle}/own`)).closed).toMatchObject({ code: 1001 })
  })
})

const byHandle = WAYS['a port of its own, by the handle'] as Way

describe('the settings of a service', () => {
  test('may stand beside a codec, in a class, and in a service with trackEvents', async () => {
    class Small {
      readonly maxMessageBytes = 10
      readonly codec = json()
      onMessage(_: unknown, message: unknown): unknown {
        return message
      }
    }
    for (const service of [
      { codec: json(), onMessage: (_: unknown, message: unknown) => message, maxMessageBytes: 10 },
      new Small(),
      trackEvents({ ...echo, maxMessageBytes: 10 }),
    ]) {
      const url = await byHandle(service as AnyService, {})
      expect(await outcome(`${url}/own`, '"12345678"')).toBe(10)
      expect(await outcome(`${url}/own`, '"123456789"')).toBe(1009)
    }
  })

  test('are read once, and later changes of the service have no effect', async () => {
    const service = { ...echo, maxMessageBytes: 10, protocols: ['v1'] }
    const url = await byHandle(service, {})
    service.maxMessageBytes = 1000
    service.protocols.push('v2')
    expect(await outcome(`${url}/own`, 'x'.repeat(11))).toBe(1009)
    expect((await open(`${url}/own`, { protocols: ['v2'] })).protocol).toBe('')
  })

  test('may choose no subprotocol where the server has some, or choose one by a function', async () => {
    const none = await byHandle({ ...echo, protocols: [] }, { protocols: ['a'] })
    expect((await open(`${none}/own`, { protocols: ['a'] })).protocol).toBe('')
    const last = await byHandle(
      { ...echo, protocols: (offered, { path }) => (path === '/own' ? offered.at(-1) : undefined) },
      {},
    )
    expect((await open(`${last}/own`, { protocols: ['a', 'b'] })).protocol).toBe('b')
  })

  test('give way to the subprotocol that onUpgrade chooses', async () => {
    const service: ServerService = { ...echo, protocols: ['v1'], onUpgrade: () => accept({ protocol: 'v3' }) }
    const url = await byHandle(service, {})
    expect((await open(`${url}/own`, { protocols: ['v1', 'v3'] })).protocol).toBe('v3')
  })

  test('are refused with 1011 in a service that a function makes, and the error says where they belong', async () => {
    const errors: string[] = []
    const factory = (() => ({ ...echo, autoPong: false })) as ServiceFactory
    const url = await byHandle(factory, { onError: ({ message }) => void errors.push(message) })
    expect(await (await open(`${url}/own`)).closed).toMatchObject({ code: 1011 })
    expect(errors).toEqual([
      'handlers.autoPong comes too late, after the handshake: make autoPong a property of the function that makes the handlers',
    ])
  })
})

describe('a wrong setting', () => {
  const WRONG: readonly (readonly [settings: ServiceSettings, kind: typeof RangeError, message: string])[] = [
    [{ idleTimeoutMs: -1 }, RangeError, 'service.idleTimeoutMs must be a number from 0 to Infinity, not -1'],
    [
      { maxMessageBytes: 1.5 },
      RangeError,
      'service.maxMessageBytes must be an integer from 0 to Infinity, not 1.5',
    ],
    [
      { maxFrameBytes: '1' as never },
      TypeError,
      'service.maxFrameBytes must be an integer from 0 to Infinity, not "1"',
    ],
    [{ autoPong: 1 as never }, TypeError, 'service.autoPong must be true or false, not 1'],
    [{ protocols: 'v1' as never }, TypeError, 'service.protocols must be an array of names, not "v1"'],
    [
      { protocols: ['a b'] },
      TypeError,
      'service.protocols must hold tokens (RFC 6455 11.3.4), and service.protocols[0] is text with U+0020 at offset 1',
    ],
    [
      { protocols: ['a', 'a'] },
      TypeError,
      'service.protocols must hold each name once, and service.protocols[1] repeats one',
    ],
  ]

  test.each(WRONG)('is refused when the service is registered: %p', async (settings, kind, message) => {
    const server = new WebSocketServer()
    const error = new kind(message)
    const factory = Object.assign(() => echo, settings)
    const codec = { codec: json(), onMessage: () => undefined }
    expect(() => server.route('/a', { ...echo, ...settings })).toThrow(error)
    expect(() => server.route('/a', { ...codec, ...settings })).toThrow(error)
    expect(() => server.route('/a', factory)).toThrow(error)
    expect(() => serveEndpoint(server, 'a', { ...echo, ...settings })).toThrow(error)
    expect(() => serveEndpoint(server, 'a', factory)).toThrow(error)
    // Nothing was registered.
    expect(server.unroute('/a')).toBe(false)
    expect(listEndpoints(server)).toEqual([])

    const http = createHttpServer()
    const thrown = new Promise((resolve) => {
      http.on('upgrade', (request, socket, head) => {
        try {
          server.handleUpgrade(request, socket, head, { ...echo, ...settings })
        } catch (caught) {
          socket.destroy()
          resolve(caught)
        }
      })
    })
    await expect(open(`ws://127.0.0.1:${String(await listening(http))}/`)).rejects.toThrow()
    expect(await thrown).toEqual(error)
  })

  test('is named in the error, also when it is a typing mistake', () => {
    const server = new WebSocketServer()
    expect(() => server.route('/', { ...echo, idleTimeout: 5 } as never)).toThrow(
      /^service has no handler or option named "idleTimeout"; there are onOpen, .*autoPong; did you mean idleTimeoutMs\?$/,
    )
    const factory = Object.assign(() => echo, { idleTimeoutMS: 5 })
    expect(() => server.route('/', factory)).toThrow(
      'service has no handler or option named "idleTimeoutMS"; there are idleTimeoutMs, maxMessageBytes, ' +
        'maxFrameBytes, protocols, quotas, autoPong; did you mean idleTimeoutMs?',
    )
    class Chat {
      // A word of its own.
      protocol = 'chat'
      onMessage(): void {
        this.protocol = ''
      }
    }
    expect(() => server.route('/', new Chat())).not.toThrow()
    class Slip extends Chat {
      maxMesageBytes = 5
    }
    expect(() => server.route('/slip', new Slip())).toThrow(/did you mean maxMessageBytes\?$/)
  })

  test('is refused in the handlers of a client, which has the options of connect', () => {
    expect(() => connect('ws://127.0.0.1:1/', { handlers: { autoPong: false } as never })).toThrow(
      'handlers has no handler or option named "autoPong"',
    )
  })
})
