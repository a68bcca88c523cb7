// slow: every way in is closed for a deploy, with its spread waited for
/** A server that closes for a deploy: its connections are closed spread over a time, and upgrades are told when to come back. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import {
  connect,
  type HandshakeError,
  InvalidStateError,
  WebSocketServer,
  type ClientSocket,
  type CloseInfo,
  type ServerOptions,
  type ServerService,
  type ServerSocket,
} from '../../src/index.js'
import type { CloseOptions } from '../../src/server/close-options.js'
import { knowsReusePort } from '../../src/server/listen-options.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { closeFrame, KEY } from '../helpers/frame-builder.js'
import { openRaw, requestHead, upgradeRaw, type RawPeer } from '../helpers/raw-peer.js'

/** Longer than any test: what is to happen in its course is then caused by a further call. */
const LONG_MS = 600_000

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function create(service: ServerService, options: ServerOptions = {}): WebSocketServer {
  const server = new WebSocketServer(options)
  server.route('/', service)
  cleanups.push(() => {
    server.terminate()
  })
  return server
}

async function listen(
  service: ServerService = {},
  options: ServerOptions = {},
): Promise<{ readonly server: WebSocketServer; readonly url: string; readonly port: number }> {
  const server = create(service, options)
  const { port } = await server.listen(0, '127.0.0.1')
  return { server, port, url: `ws://127.0.0.1:${String(port)}/` }
}

const refusal = (url: string): Promise<HandshakeError> =>
  connect(url, { tls: TRUST_SERVER }).then(
    () => Promise.reject(new Error('it was accepted')),
    (error: unknown) => error as HandshakeError,
  )

const retryAfterOf = ({ response }: HandshakeError): string | undefined =>
  response?.headers.find(([name]) => name === 'Retry-After')?.[1]

const kept = (peer: RawPeer): RawPeer => {
  cleanups.push(() => peer.socket.destroy())
  return peer
}

const echo: ServerService = { onMessage: (_, message) => message }

/** The ways in: each takes a server that has a route, and returns where it is reached. */
const WAYS: readonly (readonly [string, ServerOptions, (server: WebSocketServer) => Promise<string>])[] = [
  ['on its own port, by handle', {}, onOwnPort],
  ['on its own port, by stream', { directIo: false }, onOwnPort],
  [
    'on its own port, with TLS',
    { tls: SERVER_TLS },
    async (server) => `wss://localhost:${String((await server.listen(0)).port)}/`,
  ],
  [
    'attached to an HTTP server',
    {},
    async (server) => {
      const http = createServer()
      server.attach(http)
      cleanups.push(() => http.close())
      await once(http.listen(0, '127.0.0.1'), 'listening')
      return `ws://127.0.0.1:${String((http.address() as AddressInfo).port)}/`
    },
  ],
  [
    'attached to an HTTP server at a Unix socket',
    {},
    async (server) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'hawser-deploy-'))
      const http = createServer()
      server.attach(http)
      cleanups.push(
        () => http.close(),
        () => {
          rmSync(folder, { recursive: true, force: true })
        },
      )
      await once(http.listen(path.join(folder, 'socket')), 'listening')
      return `ws+unix:${path.join(folder, 'socket')}:/`
    },
  ],
  [
    'by hand',
    {},
    async (server) => {
      const http = createServer()
      http.on('upgrade', (request, socket, head: Buffer) => {
        server.handleUpgrade(request, socket, head, echo)
      })
      cleanups.push(() => http.close())
      await once(http.listen(0, '127.0.0.1'), 'listening')
      return `ws://127.0.0.1:${String((http.address() as AddressInfo).port)}/`
    },
  ],
]

async function onOwnPort(server: WebSocketServer): Promise<string> {
  return `ws://127.0.0.1:${String((await server.listen(0, '127.0.0.1')).port)}/`
}

describe('during a spread', () => {
  it.each(WAYS)(
    'an upgrade gets 503 with a Retry-After, and open connections go on: %s',
    async (_, options, open) => {
      const server = create(echo, options)
      const url = await open(server)
      const socket = await connect(url, { tls: TRUST_SERVER })
      const closing = server.close({
        code: 1012,
        reason: 'new version',
        spreadMs: LONG_MS,
        retryAfterMs: 2_000,
      })
      const asked = new Set<string>()
      for (let i = 0; i < 5; i++) {
        const error = await refusal(url)
        expect(error.httpStatus).toBe(503)
        expect(Buffer.from(error.response?.body ?? []).toString()).toBe('the server is closing\n')
        const seconds = retryAfterOf(error) ?? ''
        expect(seconds).toMatch(/^\d+$/)
        expect(Number(seconds)).toBeGreaterThanOrEqual(2)
        expect(Number(seconds)).toBeLessThanOrEqual(602)
        asked.add(seconds)
      }
      // Not all of them at once: five times the same of 600 is no chance.
      expect(asked.size).toBeGreaterThan(1)
      socket.send('still there')
      expect(await socket.receive()).toBe('still there')

      const hastened = server.close()
      expect(await socket.closed).toMatchObject({
        code: 1012,
        reason: 'new version; retry-after-ms=2000',
        wasClean: true,
      })
      await Promise.all([closing, hastened])
      expect(server.connectionCount).toBe(0)
    },
  )

  it('a path without a route gets 503 as well: the next version may have it', async () => {
    const { server, url } = await listen()
    const socket = await connect(url)
    void server.close({ spreadMs: LONG_MS })
    const error = await refusal(`${url}new`)
    expect([error.httpStatus, Number(retryAfterOf(error)) > 0]).toEqual([503, true])
    socket.terminate()
  })

  it.each(['GET / ', 'GET /nowhere ', 'HEAD / ', 'POST / '])(
    '%s at the own port gets 503 with a Retry-After, as a check of health sees it',
    async (line) => {
      const { server, url, port } = await listen()
      await connect(url)
      void server.close({ spreadMs: LONG_MS })
      const peer = kept(await openRaw(port))
      peer.write(`${line}HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
      const head = await peer.readHead()
      expect(head.startLine).toBe('HTTP/1.1 503 Service Unavailable')
      expect(head.get('retry-after')).toMatch(/^[1-9]\d*$/)
      expect(head.get('connection')).toBe('close')
      await peer.ended()
    },
  )

  it('an upgrade that is not decided gets 503 with a Retry-After', async () => {
    let asked = (): void => undefined
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const server = create({})
    server.route('/slow', {
      onUpgrade: () => {
        asked()
        return new Promise<never>(() => undefined)
      },
    })
    const url = await onOwnPort(server)
    await connect(url)
    const refused = refusal(`${url}slow`)
    await isAsked
    void server.close({ spreadMs: LONG_MS })
    expect(Number(retryAfterOf(await refused))).toBeGreaterThan(0)
  })

  it('messages go to the groups, and connections join them', async () => {
    const { server, url } = await listen({
      onMessage: (socket, message) => {
        socket.join(String(message))
        return 'joined'
      },
    })
    const [first, second] = [await connect(url), await connect(url)]
    void server.close({ spreadMs: LONG_MS })
    for (const socket of [first, second]) {
      socket.send('news')
      expect(await socket.receive()).toBe('joined')
    }
    expect(server.group('news').send('hello')).toMatchObject({ sent: 2 })
    expect(server.broadcast('all')).toMatchObject({ sent: 2 })
    for (const socket of [first, second]) {
      expect([await socket.receive(), await socket.receive()]).toEqual(['hello', 'all'])
    }
  })

  it('a successor that is attached to the same HTTP server takes the upgrades', async () => {
    const http = createServer()
    cleanups.push(() => http.close())
    const [old, next] = [create({ onMessage: () => 'old' }), create({ onMessage: () => 'next' })]
    old.attach(http)
    await once(http.listen(0, '127.0.0.1'), 'listening')
    const url = `ws://127.0.0.1:${String((http.address() as AddressInfo).port)}/`
    const ask = async (socket: ClientSocket): Promise<unknown> => {
      socket.send('who?')
      return socket.receive()
    }
    const before = await connect(url)
    void old.close({ spreadMs: LONG_MS })
    expect((await refusal(url)).httpStatus).toBe(503)
    next.attach(http)
    expect([await ask(before), await ask(await connect(url))]).toEqual(['old', 'next'])
  })

  it('the server listens nowhere else, and its signal is not aborted', async () => {
    const { server, url } = await listen()
    await connect(url)
    const closing = server.close({ spreadMs: LONG_MS })
    expect(server.signal.aborted).toBe(false)
    await expect(server.listen(0)).rejects.toThrow(InvalidStateError)
    expect(() => server.attach(createServer())).toThrow(InvalidStateError)
    server.terminate()
    expect(server.signal.aborted).toBe(true)
    await closing
  })

  it('stats and the channel say how many wait for their turn', async () => {
    const messages: unknown[] = []
    const note = (message: unknown): void => void messages.push(message)
    subscribe('hawser:closing', note)
    cleanups.push(() => unsubscribe('hawser:closing', note))
    const server = create({})
    const route = server.route('/other', {})
    const url = await onOwnPort(server)
    const sockets = [await connect(url), await connect(url), await connect(`${url}other`)]
    expect(server.stats()).toMatchObject({ isClosing: false, waitingToClose: 0 })
    const closing = server.close({ spreadMs: LONG_MS })
    expect(server.stats()).toMatchObject({ connections: 3, isClosing: true, waitingToClose: 3 })
    expect(route.stats()).toMatchObject({ connections: 1, isClosing: true, waitingToClose: 1 })
    await sockets[2]?.close()
    while (server.connectionCount === 3) await nextTurn()
    expect(server.stats()).toMatchObject({ waitingToClose: 2 })
    expect(route.stats()).toMatchObject({ isClosing: true, waitingToClose: 0 })
    void server.close({ spreadMs: LONG_MS / 2 })
    await Promise.all([server.close(), closing])
    expect(server.stats()).toMatchObject({ connections: 0, isClosing: true, waitingToClose: 0 })
    expect(messages).toEqual([
      { server, remaining: 3, spreadMs: LONG_MS },
      { server, remaining: 2, spreadMs: LONG_MS / 2 },
      { server, remaining: 0, spreadMs: 0 },
    ])
    expect((messages[0] as { server: unknown }).server).toBe(server)
  })
})

describe('a spread', () => {
  it('closes the connections in the order of opening, and resolves after the last', async () => {
    const { server, url } = await listen()
    const order: number[] = []
    const sockets: ClientSocket[] = []
    for (let i = 0; i < 12; i++) {
      const socket = await connect(url)
      sockets.push(socket)
      void socket.closed.then(() => order.push(i))
    }
    await server.close({ code: 1012, spreadMs: 400 })
    const ends = await Promise.all(sockets.map((socket) => socket.closed))
    expect(order).toEqual(Array.from({ length: 12 }, (_, index) => index))
    expect(new Set(ends.map(({ code, reason }) => `${String(code)} ${reason}`))).toEqual(
      new Set(['1012 retry-after-ms=0']),
    )
    await expect(refusal(url)).resolves.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  })

  it('lets each connection have its timeout from its own turn on', async () => {
    let ended = (_: CloseInfo): void => undefined
    const end = new Promise<CloseInfo>((resolve) => (ended = resolve))
    const { server, port } = await listen({
      onClose: (_, info) => {
        ended(info)
      },
    })
    const peer = kept(await upgradeRaw(port))
    // The turn comes after 1.5 s: a total of 1.4 s would be over by then, and cut a peer that answers a moment later.
    const closing = server.close({ spreadMs: 3_000, timeoutMs: 1_400 })
    expect((await peer.readFrame()).closeCode).toBe(1001)
    await sleep(50)
    peer.write(closeFrame(1001, '', { key: KEY }))
    expect(await end).toMatchObject({ code: 1001, wasClean: true })
    await closing
  })

  it('cuts a peer that does not answer its Close frame, after the timeout', async () => {
    const { server, port } = await listen({})
    const peer = kept(await upgradeRaw(port))
    await server.close({ spreadMs: 50, timeoutMs: 50 })
    expect((await peer.readFrame()).closeCode).toBe(1001)
    await peer.ended()
  })

  it('sends what was sent before the Close frame, and handles what was received before it', async () => {
    const handled: unknown[] = []
    const { server, url } = await listen({
      async onMessage(_, message) {
        await nextTurn()
        handled.push(message)
      },
    })
    const socket = await connect(url)
    const large = 'x'.repeat(1_000_000)
    for (let i = 0; i < 200; i++) socket.send(String(i))
    while (server.stats().messagesReceived === 0) await nextTurn()
    server.broadcast(large)
    await server.close({ spreadMs: 1 })
    expect(await socket.receive()).toBe(large)
    expect(await socket.closed).toMatchObject({ wasClean: true })
    expect(handled).toEqual(Array.from({ length: 200 }, (_, index) => String(index)))
  })

  it('is over at once where there is no connection, and as soon as the last has left', async () => {
    const { server } = await listen({})
    await server.close({ spreadMs: LONG_MS })
    const other = await listen({})
    const sockets = [await connect(other.url), await connect(other.url)]
    const closing = other.server.close({ spreadMs: LONG_MS })
    await Promise.all(sockets.map((socket) => socket.close()))
    await closing
    expect(other.server.signal.aborted).toBe(true)
  })

  it('is hastened by a further call, which keeps what it does not give, and never put off', async () => {
    const { server, url } = await listen({})
    const sockets = await Promise.all([connect(url), connect(url)])
    const first = server.close({ code: 1012, reason: 'first', spreadMs: LONG_MS, retryAfterMs: 7 })
    await Promise.all([
      first,
      server.close({ spreadMs: 200, reason: 'second' }),
      server.close({ spreadMs: LONG_MS }),
    ])
    for (const socket of sockets) {
      expect(await socket.closed).toMatchObject({ code: 1012, reason: 'second; retry-after-ms=7' })
    }
  })

  it('has no hint where there is no code', async () => {
    const { server, url } = await listen({})
    const socket = await connect(url)
    await server.close({ code: 1005, spreadMs: 1 })
    expect(await socket.closed).toMatchObject({ code: 1005, reason: '' })
  })

  it('is ended by terminate', async () => {
    const { server, url } = await listen({})
    const socket = await connect(url)
    const closing = server.close({ spreadMs: LONG_MS })
    server.terminate()
    await closing
    expect(await socket.closed).toMatchObject({ code: 1006 })
  })

  it('gives each route its turns over the whole time', async () => {
    const order: string[] = []
    const note: ServerService = {
      onClose: (socket: ServerSocket) => void order.push(socket.url),
    }
    const server = create(note)
    server.route('/few', note)
    const url = await onOwnPort(server)
    for (const target of ['few', 'few', '', '', '', '', '', '']) await connect(`${url}${target}`)
    await server.close({ spreadMs: 400 })
    expect(order.map((one) => one.slice(1))).toEqual(['', 'few', '', '', '', 'few', '', ''])
  })

  it('answers a close without one as before: no hint, no Retry-After', async () => {
    const http = createServer()
    const server = create({})
    http.on('upgrade', (request, socket, head: Buffer) => {
      server.handleUpgrade(request, socket, head)
    })
    cleanups.push(() => http.close())
    await once(http.listen(0, '127.0.0.1'), 'listening')
    const url = `ws://127.0.0.1:${String((http.address() as AddressInfo).port)}/`
    const socket = await connect(url)
    await server.close({ reason: 'bye' })
    expect(await socket.closed).toMatchObject({ code: 1001, reason: 'bye' })
    const error = await refusal(url)
    expect([error.httpStatus, retryAfterOf(error)]).toEqual([503, undefined])
  })
})

it.each<[CloseOptions, string]>([
  [
    { retryAfterMs: 5_000 },
    'retryAfterMs needs spreadMs, without which it has no effect, and was given as 5000',
  ],
  [{ keepPort: false }, 'keepPort needs spreadMs, without which it has no effect, and was given as false'],
])('refuses %p without a spread, and stays open', async (options, message) => {
  const server = create({})
  await expect(server.close(options)).rejects.toThrow(new TypeError(message))
  expect(server.stats().isClosing).toBe(false)
  // With a spread, one of no time among them, they are taken; and so they are in a further call.
  const closing = server.close({ spreadMs: 0, ...options })
  await Promise.all([closing, server.close({ spreadMs: 0 })])
})

/** Two servers share a port, and the first closes. @returns who answers new connections, or why they cannot share it */
async function handOver(options: ServerOptions): Promise<unknown> {
  const [old, next] = ['old', 'next'].map((name) =>
    create({ onOpen: (socket) => void socket.send(name) }, options),
  )
  const where = { host: '127.0.0.1', reusePort: true }
  try {
    const { port } = await (old as WebSocketServer).listen({ ...where, port: 0 })
    const url = `ws://127.0.0.1:${String(port)}/`
    const before = await connect(url)
    await (next as WebSocketServer).listen({ ...where, port })
    void old?.close({ spreadMs: LONG_MS })
    // Those that came before the port was left are refused once.
    const reconnect = { retryFirst: true, minDelayMs: 1, maxRetryAfterMs: 5 }
    const sockets = await Promise.all(Array.from({ length: 40 }, () => connect(url, { reconnect })))
    const names = await Promise.all(sockets.map((socket) => socket.receive()))
    for (const socket of sockets) socket.terminate()
    return [await before.receive(), before.readyState, ...new Set(names)]
  } catch (error) {
    return error
  }
}

describe('the port', () => {
  it.each([
    ['by handle', {}],
    ['by stream', { directIo: false }],
  ])('is left to the successor at once where both share it %s, if this Node can', async (_, options) => {
    expect(await handOver(options)).toEqual(
      knowsReusePort(process.versions.node) ? ['old', 1, 'next'] : expect.any(RangeError),
    )
  })

  it.each([
    ['by handle', {}],
    ['by stream', { directIo: false }],
  ])(
    'is left at once with keepPort: false, and who waited in its queue is answered: %s',
    async (_, options) => {
      const { server, url, port } = await listen(echo, options)
      const socket = await connect(url)
      // On loopback they are in the queue of the port before the event loop sees one of them.
      const waiting = Array.from({ length: 50 }, () => {
        const one = connectTcp(port, '127.0.0.1')
        one.write(requestHead())
        let text = ''
        one.on('data', (chunk) => (text += chunk.toString()))
        one.on('error', (error: NodeJS.ErrnoException) => (text += error.code ?? ''))
        return once(one, 'close').then(() => text.split('\r\n', 1)[0])
      })
      await new Promise<void>((resolve) => {
        process.nextTick(resolve)
      })
      const closing = server.close({ spreadMs: LONG_MS, keepPort: false })
      expect(new Set(await Promise.all(waiting))).toEqual(new Set(['HTTP/1.1 503 Service Unavailable']))
      // It is left after a turn in which nobody came: on a busy machine the answers can arrive before it.
      let refused = await refusal(url)
      while (refused.httpStatus === 503) {
        await sleep(20)
        refused = await refusal(url)
      }
      expect(refused).toMatchObject({ cause: { code: 'ECONNREFUSED' } })
      socket.send('still there')
      expect(await socket.receive()).toBe('still there')
      await Promise.all([closing, server.close()])
    },
  )

  it.each([
    ['by handle', {}],
    ['by stream', { directIo: false }],
  ])('is left when those that are connected have sent their request: %s', async (_, options) => {
    const { server, port } = await listen({}, options)
    const peer = kept(await openRaw(port))
    // A second one after it, so that the first was accepted.
    await (await connect(`ws://127.0.0.1:${String(port)}/`)).close()
    while (server.connectionCount > 0) await nextTurn()
    const closing = server.close({ spreadMs: LONG_MS })
    await sleep(100)
    peer.write(requestHead())
    expect((await peer.readHead()).status).toBe(503)
    peer.end()
    await closing
  })

  it.each([
    ['by handle', {}],
    ['by stream', { directIo: false }],
    ['with TLS', { tls: SERVER_TLS }],
  ])(
    'is kept until the spread is over, and who waits in its queue then is answered: %s',
    async (_, options) => {
      const { server, port } = await listen({}, options)
      const scheme = (options as ServerOptions).tls === undefined ? 'ws://127.0.0.1' : 'wss://localhost'
      const url = `${scheme}:${String(port)}/`
      await connect(url, { tls: TRUST_SERVER })
      const closing = server.close({ spreadMs: LONG_MS })
      const waiting = Array.from({ length: 20 }, () => refusal(url))
      await new Promise<void>((resolve) => {
        process.nextTick(resolve)
      })
      const hastened = server.close()
      for (const { httpStatus } of await Promise.all(waiting)) expect(httpStatus).toBe(503)
      await Promise.all([closing, hastened])
      await expect(refusal(url)).resolves.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    },
  )
})
