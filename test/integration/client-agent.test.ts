/** Connections that an Agent makes, and what `connect` passes to node:net. */
import { once } from 'node:events'
import { Agent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { connect as connectTcp, Socket as TcpSocket, type LookupFunction } from 'node:net'
import { Duplex, type Readable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { connect, WebSocketServer, type ConnectOptions, type HandshakeError } from '../../src/index.js'
import { isNativeOn } from '../../src/native/native-switch.js'
import { coreOf } from '../../src/socket/base-socket.js'
import { HandleTransport } from '../../src/transport/handle-transport.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function serve(secure = false): Promise<number> {
  const server = new WebSocketServer(secure ? { tls: SERVER_TLS } : {})
  server.route('/', { onOpen: (socket) => socket.send(`hello ${socket.remoteAddress}`) })
  cleanups.push(() => {
    server.terminate()
  })
  return (await server.listen(0, '127.0.0.1')).port
}

async function hello(url: string, options: ConnectOptions<undefined>): Promise<string> {
  const socket = await connect(url, { tls: TRUST_SERVER, ...options })
  cleanups.push(() => {
    socket.terminate()
  })
  expect(socket.secure).toBe(url.startsWith('wss:'))
  return (await socket.receive({ timeoutMs: 5_000 })) as string
}

const failure = (url: string, options: ConnectOptions<undefined>): Promise<HandshakeError> =>
  hello(url, options).then(
    () => Promise.reject(new Error('it connected')),
    (error: unknown) => error as HandshakeError,
  )

const withConnection = (createConnection: (options: never, done: never) => unknown): Agent =>
  Object.assign(new Agent(), { createConnection })

describe('an agent', () => {
  it('of node:http makes the connection, which goes by its handle, and forgets it', async () => {
    const port = await serve()
    const agent = new Agent({ keepAlive: true })
    const socket = await connect(`ws://127.0.0.1:${String(port)}/`, { agent })
    expect(await socket.receive()).toBe('hello 127.0.0.1')
    const { transport } = (coreOf(socket) as unknown as { driver: { transport: object } }).driver
    expect(transport instanceof HandleTransport).toBe(isNativeOn)
    agent.destroy()
    expect(Object.keys(agent.sockets)).toEqual([])
    socket.ping()
    expect(await socket.close(1000)).toMatchObject({ code: 1000, wasClean: true })
  })

  it('of node:https makes the connection with TLS, whose certificate is checked', async () => {
    const port = await serve(true)
    expect(await hello(`wss://localhost:${String(port)}/`, { agent: new HttpsAgent() })).toBe(
      'hello 127.0.0.1',
    )
    const error = await failure(`wss://localhost:${String(port)}/`, { agent: new HttpsAgent(), tls: {} })
    expect(error).toMatchObject({ code: 'HAWSER_CONNECTION_FAILED', httpStatus: undefined })
  })

  it('that gives a plain stream for wss gets TLS over it: nothing goes out unencrypted', async () => {
    const port = await serve(true)
    expect(await hello(`wss://localhost:${String(port)}/`, { agent: new Agent() })).toBe('hello 127.0.0.1')
    const agent = withConnection(() => connectTcp(port, '127.0.0.1'))
    const error = await failure('wss://server.test/', { agent })
    expect(error.cause).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    expect(await hello('wss://localhost/', { agent })).toBe('hello 127.0.0.1')
  })

  it('may answer later, with a stream that is connected, and gets where to go', async () => {
    const port = await serve(true)
    const seen: object[] = []
    const agent = withConnection((options, done: (error: null, stream: TcpSocket) => void) => {
      seen.push(options)
      const stream = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ...TRUST_SERVER }, () => {
        done(null, stream)
      })
    })
    expect(await hello('wss://localhost:81/', { agent, family: 4 })).toBe('hello 127.0.0.1')
    expect(seen).toMatchObject([
      { host: 'localhost', port: 81, protocol: 'https:', servername: 'localhost', family: 4 },
    ])
  })

  it('that needs no more than createConnection may be an object of its own', async () => {
    const port = await serve()
    const agent = { createConnection: () => connectTcp(port, '127.0.0.1') } as unknown as Agent
    expect(await hello('ws://server.test/', { agent })).toBe('hello 127.0.0.1')
  })

  it('that connects in createSocket, as the package agent-base does, is used by it', async () => {
    const port = await serve()
    class BaseAgent extends Agent {
      createSocket(
        request: NodeJS.EventEmitter,
        _: object,
        done: (error: null, stream: TcpSocket) => void,
      ): void {
        const socket = connectTcp(port, '127.0.0.1', () => {
          request.once('socket', () => socket.resume())
          done(null, socket)
        })
      }
    }
    expect(await hello('ws://server.test/', { agent: new BaseAgent() })).toBe('hello 127.0.0.1')
  })

  it('that was refused by its proxy gives the response to read, also for wss', async () => {
    // As https-proxy-agent has it: a socket that cannot be written to.
    class RefusedAgent extends Agent {
      createSocket(
        request: NodeJS.EventEmitter,
        _: object,
        done: (error: null, stream: TcpSocket) => void,
      ): void {
        const replay = new TcpSocket({ writable: false })
        ;(replay as Readable).readable = true
        request.once('socket', () => {
          if (replay.listenerCount('data') === 0) throw new Error('nobody reads')
          replay.push('HTTP/1.1 407 Who\r\nContent-Length: 2\r\n\r\nno')
          replay.push(null)
        })
        done(null, replay)
      }
    }
    for (const url of ['ws://server.test/', 'wss://server.test/']) {
      const error = await failure(url, { agent: new RefusedAgent() })
      expect(error).toMatchObject({ code: 'HAWSER_UNEXPECTED_STATUS', httpStatus: 407 })
      expect(Buffer.from(error.response?.body ?? []).toString()).toBe('no')
    }
  })

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no way')
      },
    ],
    [
      'throws no error',
      () => {
        throw 'no way'
      },
    ],
    ['gives a stream that fails', () => new TcpSocket().destroy(new Error('no way'))],
  ])('that %s rejects the promise, with the cause', async (_, make) => {
    const error = await failure('ws://server.test/', { agent: withConnection(make) })
    expect(error).toMatchObject({ code: 'HAWSER_CONNECTION_FAILED', httpStatus: undefined })
    expect(error.message).toMatch(/ [(]ws:\/\/server[.]test\/[)]$/)
  })

  it('whose listener at the request throws rejects the promise, with the cause', async () => {
    const port = await serve()
    class ThrowingAgent extends Agent {
      createSocket(
        request: NodeJS.EventEmitter,
        _: object,
        done: (error: null, stream: TcpSocket) => void,
      ): void {
        request.once('socket', () => {
          throw new Error('no way')
        })
        done(null, connectTcp(port, '127.0.0.1'))
      }
    }
    const error = await failure('ws://server.test/', { agent: new ThrowingAgent() })
    expect(error).toMatchObject({ code: 'HAWSER_CONNECTION_FAILED', cause: { message: 'no way' } })
  })

  it('that gives no stream rejects with a TypeError', async () => {
    const agent = { createConnection: () => 5 } as unknown as Agent
    expect(await failure('ws://server.test/', { agent })).toBeInstanceOf(TypeError)
  })

  it.each<[string, unknown]>([
    ['an error', new Error('no way')],
    ['no error', undefined],
    ['null', null],
  ])('whose createSocket is async and rejects with %s rejects the promise at once', async (_, thrown) => {
    const agent = {
      createConnection: () => undefined,
      createSocket: () => Promise.reject(thrown),
    } as unknown as Agent
    const error = await failure('ws://server.test/', { agent })
    const text = thrown instanceof Error ? 'no way' : String(thrown)
    expect(error).toMatchObject({ code: 'HAWSER_CONNECTION_FAILED', cause: { message: text } })
    expect(error.message).toBe(`could not connect: ${text} (ws://server.test/)`)
  })

  it('whose createSocket is async and answers by its callback is used', async () => {
    const port = await serve()
    const agent = {
      createConnection: () => undefined,
      async createSocket(_: object, __: object, done: (error: null, stream: TcpSocket) => void) {
        await Promise.resolve()
        done(null, connectTcp(port, '127.0.0.1'))
        throw new Error('too late to be of use')
      },
    } as unknown as Agent
    expect(await hello('ws://server.test/', { agent })).toBe('hello 127.0.0.1')
  })

  it('whose createConnection is async is refused, and the stream that it makes is destroyed', async () => {
    const port = await serve()
    const message =
      'agent must make a stream, not a promise: createConnection must return it, or give it to its callback'
    const made = connectTcp(port, '127.0.0.1')
    const makers = [
      () => Promise.resolve(made),
      () => Promise.reject(new Error('no way')),
      (_: never, done: (error: null, stream: unknown) => void) => {
        done(null, Promise.reject(new Error('no way')))
      },
    ]
    for (const make of makers) {
      const error = await failure('ws://server.test/', { agent: withConnection(make) })
      expect(error).toEqual(new TypeError(message))
    }
    if (!made.closed) await once(made, 'close')
    expect(made.destroyed).toBe(true)
  })

  it.each([['text'], [Symbol('text')], [5]])(
    'whose stream fails with %p, which is no error, rejects the promise',
    async (reason) => {
      for (const delayMs of [0, 20]) {
        const agent = withConnection(() => {
          const stream = new Duplex({ read: () => undefined, write: () => undefined })
          setTimeout(() => stream.destroy(reason as never), delayMs)
          return stream
        })
        const error = await failure('ws://server.test/', { agent })
        expect(error).toMatchObject({
          code: 'HAWSER_CONNECTION_FAILED',
          cause: { message: String(reason), cause: reason },
        })
      }
    },
  )

  it('that never answers, or too late, is left in time, and its stream is destroyed', async () => {
    const port = await serve()
    const streams: TcpSocket[] = []
    const agent = withConnection((_, done: (error: null, stream: TcpSocket) => void) => {
      setTimeout(() => {
        streams.push(connectTcp(port, '127.0.0.1'))
        done(null, streams[0] as TcpSocket)
      }, 150)
    })
    const error = await failure('ws://server.test/', { agent, handshakeTimeoutMs: 50 })
    expect([error.code, error.httpStatus]).toEqual(['HAWSER_HANDSHAKE_TIMEOUT', undefined])
    expect(error.message).toMatch(/handshakeTimeoutMs: the agent made no connection in time: 50 ms [(]ws:/)
    while (streams.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    if (!(streams[0] as TcpSocket).closed) await once(streams[0] as TcpSocket, 'close')
    expect(streams[0]?.destroyed).toBe(true)
  })
})

describe('options of node:net', () => {
  it('choose the address of the host, the family and the address of this machine', async () => {
    const port = await serve()
    const asked: string[] = []
    const lookup: LookupFunction = (host, { family }, done) => {
      asked.push(`${host} ${String(family)}`)
      done(null, [{ address: '127.0.0.1', family: 4 }])
    }
    const url = `ws://server.test:${String(port)}/`
    const options = { lookup, family: 4, localAddress: '127.0.0.7' } as const
    const one: LookupFunction = (host, given, done) => {
      lookup(host, given, (error, found) => {
        if (given.all === true) done(error, found)
        else done(error, '127.0.0.1', 4)
      })
    }
    expect(await hello(url, { ...options, lookup: one })).toBe('hello 127.0.0.7')
    expect(asked).toEqual(['server.test 4'])
    const error = await failure(`ws://127.0.0.1:${String(port)}/`, { localAddress: '203.0.113.1' })
    expect(error.cause).toMatchObject({ code: 'EADDRNOTAVAIL' })
  })

  const CALLS_BACK =
    /^lookup must call back with a list of { address, family }, since options.all is true, not (undefined|an array|an empty one|"127.0.0.1")$/
  it.each<[string, (done: (...answer: unknown[]) => void) => unknown, RegExp]>([
    ['calls back with a text', (done) => [done('no name')], /^no name$/],
    ['calls back later with a text', (done) => setTimeout(done, 5, 'no name'), /^no name$/],
    ['calls back with nothing', (done) => setTimeout(done, 5), CALLS_BACK],
    ['calls back with one', (done) => setTimeout(done, 5, null, '127.0.0.1', 4), CALLS_BACK],
    ['calls back with texts', (done) => setTimeout(done, 5, null, ['127.0.0.1']), CALLS_BACK],
    ['calls back with no address', (done) => setTimeout(done, 5, null, []), CALLS_BACK],
    ['calls back with addresses that are none', (done) => setTimeout(done, 5, null, [null]), CALLS_BACK],
    [
      'returns its answer',
      () => '127.0.0.1',
      /^lookup must call back with an address: it returned "127.0.0.1"$/,
    ],
    [
      'is that of dns.promises',
      () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
      /^lookup must call back with an address: it returned an array$/,
    ],
    ['calls back twice', (done) => [done(new Error('no name')), done(new Error('again'))], /^no name$/],
    ['rejects', () => Promise.reject(new Error('no name')), /^no name$/],
    ['rejects with nothing', () => Promise.reject(), /^undefined$/],
    [
      'throws',
      () => {
        throw new Error('no name')
      },
      /^no name$/,
    ],
    [
      'throws null',
      () => {
        throw null
      },
      /^null$/,
    ],
  ])('with a lookup that %s reject connect, with it as the cause', async (_, find, message) => {
    const lookup = ((__: string, ___: object, done: () => void) => find(done)) as LookupFunction
    const error = await failure('ws://server.test/', { lookup })
    expect(error).toMatchObject({ code: 'HAWSER_CONNECTION_FAILED', httpStatus: undefined })
    expect((error.cause as Error).message).toMatch(message)
  })
})
