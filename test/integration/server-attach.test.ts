/** A server that shares the port of an HTTP server, and upgrades that are routed by hand. */
import { once } from 'node:events'
import { createServer, request as httpRequest, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import { connect, InvalidStateError, WebSocketServer } from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { frame, KEY, OP, readFrames } from '../helpers/frame-builder.js'
import { askRaw, openRaw, requestHead, upgradeRaw } from '../helpers/raw-peer.js'

const cleanups: (() => unknown)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

const echo = { onMessage: (_: unknown, message: string | Buffer): string | Buffer => message }

async function listen(http: Server): Promise<number> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    http.close()
    http.closeAllConnections()
  })
  return (http.address() as AddressInfo).port
}

function create(options?: ConstructorParameters<typeof WebSocketServer>[0]): WebSocketServer {
  const server = new WebSocketServer(options)
  cleanups.push(() => server.terminate())
  return server
}

describe('attach', () => {
  it('serves beside REST on an http server', async () => {
    const http = createServer((_, response) => response.end('rest'))
    const server = create()
    server.route('/ws', echo)
    server.attach(http)
    const port = await listen(http)
    const socket = await connect(`ws://127.0.0.1:${port}/ws`)
    socket.send('x')
    expect(await socket.receive()).toBe('x')
    const response = await fetch(`http://127.0.0.1:${port}/ws`)
    expect(await response.text()).toBe('rest')
    expect(server.connectionCount).toBe(1)
    await socket.close()
  })

  it('serves beside REST on an https server', async () => {
    const https = createTlsServer(SERVER_TLS, (_, response) => response.end('rest'))
    create().attach(https).route('/ws', echo)
    const port = await listen(https)
    const socket = await connect(`wss://localhost:${port}/ws`, { tls: TRUST_SERVER })
    expect(socket.secure).toBe(true)
    socket.send('x')
    expect(await socket.receive()).toBe('x')
    await socket.close()
  })

  it('one server may be attached to several HTTP servers, and listen as well', async () => {
    const [first, second] = [createServer(), createServer()]
    const server = create()
    server.route('/', echo)
    server.attach(first)
    server.attach(second)
    const ports = [await listen(first), await listen(second), (await server.listen(0, '127.0.0.1')).port]
    const sockets = await Promise.all(ports.map((port) => connect(`ws://127.0.0.1:${port}/`)))
    expect(server.connectionCount).toBe(3)
    await Promise.all(sockets.map((socket) => socket.close()))
  })

  it('answers 404 for a path without a route, and 405, 400 or 426 for a request that is not a handshake', async () => {
    const http = createServer()
    create().attach(http).route('/ws', echo)
    const port = await listen(http)
    expect((await askRaw(port, requestHead('/'))).head.status).toBe(404)
    expect((await askRaw(port, requestHead('/ws', {}, 'POST'))).head.get('allow')).toBe('GET')
    expect((await askRaw(port, requestHead('/ws', { 'Sec-WebSocket-Key': 'short' }))).head.status).toBe(400)
    const old = await askRaw(port, requestHead('/ws', { 'Sec-WebSocket-Version': '8' }))
    expect(old.head.status).toBe(426)
    expect(old.head.get('sec-websocket-version')).toBe('13')
  })

  it('leaves other paths and other protocols to another listener for upgrades', async () => {
    const http = createServer()
    create().attach(http).route('/ws', echo)
    http.on('upgrade', (request, socket) => {
      if (request.url !== '/ws') socket.end('HTTP/1.1 101 Other\r\nUpgrade: other\r\n\r\n')
    })
    const port = await listen(http)
    for (const [path, fields] of [
      ['/other', {}],
      ['/', { Upgrade: 'other' }],
    ] as const) {
      const peer = await openRaw(port)
      peer.write(requestHead(path, fields))
      expect((await peer.readHead()).startLine).toBe('HTTP/1.1 101 Other')
      peer.end()
    }
    const socket = await connect(`ws://127.0.0.1:${port}/ws`)
    await socket.close()
  })

  it('two servers share one port, each with its routes, and other paths get 404', async () => {
    const http = createServer()
    create()
      .attach(http)
      .route('/a', { onOpen: (socket) => void socket.send('a') })
    create()
      .attach(http)
      .route('/b', { onOpen: (socket) => void socket.send('b') })
    const port = await listen(http)
    for (const name of ['a', 'b']) {
      const socket = await connect(`ws://127.0.0.1:${port}/${name}`)
      expect(await socket.receive()).toBe(name)
      await socket.close()
    }
    const { head } = await askRaw(port, requestHead('/c'))
    expect(head.status).toBe(404)
    const { head: plain } = await askRaw(port, requestHead('/a', { 'Sec-WebSocket-Key': '' }))
    expect(plain.status).toBe(400)
  })

  it('throws for a value that is not a server, and throws InvalidStateError for the same server twice or after close', async () => {
    const server = create()
    for (const wrong of [null, undefined, 8080, {}, { on: 'x' }]) {
      expect(() => server.attach(wrong as never)).toThrow(/^httpServer must be an http or https server, not /)
    }
    const http = createServer()
    server.attach(http)
    expect(() => server.attach(http)).toThrow(InvalidStateError)
    await server.close()
    expect(() => server.attach(createServer())).toThrow(InvalidStateError)
  })

  it('close detaches, closes its own connections, and leaves the HTTP server unchanged', async () => {
    const http = createServer((_, response) => response.end('rest'))
    const server = create()
    server.route('/', echo)
    server.attach(http)
    const port = await listen(http)
    const socket = await connect(`ws://127.0.0.1:${port}/`)
    const end = socket.receive().catch((error: unknown) => error)
    await server.close()
    await expect(end).resolves.toMatchObject({ closeCode: 1001 })
    expect(http.listenerCount('upgrade')).toBe(0)
    expect(http.listening).toBe(true)
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('rest')
    // With no listener left, node:http takes an upgrade for a request.
    expect((await askRaw(port, requestHead('/', { Connection: 'close' }))).body).toBe('rest')
  })

  it('unroute removes the path and leaves its connections open', async () => {
    const http = createServer()
    const server = create()
    server.route('/', echo)
    server.attach(http)
    const port = await listen(http)
    const socket = await connect(`ws://127.0.0.1:${port}/`)
    expect(server.unroute('/')).toBe(true)
    expect(server.unroute('/')).toBe(false)
    await expect(connect(`ws://127.0.0.1:${port}/`)).rejects.toMatchObject({ httpStatus: 404 })
    socket.send('x')
    expect(await socket.receive()).toBe('x')
    server.route('/', { onOpen: (socket) => void socket.send('new') })
    expect(await (await connect(`ws://127.0.0.1:${port}/`)).receive()).toBe('new')
    await socket.close()
  })
})

describe('handleUpgrade', () => {
  it('uses the route of the path, or a service that the caller gives', async () => {
    const server = create()
    server.route('/a', { onOpen: (socket) => void socket.send('route') })
    const http = createServer()
    http.on('upgrade', (request, socket, head) => {
      if (request.url === '/own')
        server.handleUpgrade(request, socket, head, { onOpen: (socket) => void socket.send('own') })
      else server.handleUpgrade(request, socket, head)
    })
    const port = await listen(http)
    expect(await (await connect(`ws://127.0.0.1:${port}/a`)).receive()).toBe('route')
    expect(await (await connect(`ws://127.0.0.1:${port}/own`)).receive()).toBe('own')
    await expect(connect(`ws://127.0.0.1:${port}/b`)).rejects.toMatchObject({ httpStatus: 404 })
    expect(server.connectionCount).toBe(2)
  })

  it('works some turns later, with all bytes that arrived until then', async () => {
    const server = create()
    server.route('/', echo)
    const http = createServer()
    http.on('upgrade', (request, socket, head) => {
      setTimeout(() => server.handleUpgrade(request, socket, head), 30)
    })
    const port = await listen(http)
    const peer = await openRaw(port)
    peer.write(requestHead(), frame({ opcode: OP.TEXT, payload: 'with the head', key: KEY }))
    setTimeout(() => peer.write(frame({ opcode: OP.TEXT, payload: 'behind it', key: KEY })), 10)
    expect((await peer.readHead()).status).toBe(101)
    expect((await peer.readFrame()).text).toBe('with the head')
    expect((await peer.readFrame()).text).toBe('behind it')
    peer.reset()
  })

  it('of a connection that has ended does not throw and keeps nothing', async () => {
    const server = create({ maxConnections: 5 })
    server.route('/', echo)
    const http = createServer()
    const done = new Promise<void>((resolve) => {
      http.on('upgrade', (request, socket, head) => {
        socket.on('error', () => undefined)
        socket.on('close', () => {
          server.handleUpgrade(request, socket, head)
          setImmediate(resolve)
        })
        socket.resume()
      })
    })
    const port = await listen(http)
    const peer = await openRaw(port)
    peer.write(requestHead())
    setTimeout(() => peer.reset(), 20)
    await done
    expect(server.connectionCount).toBe(0)
  })

  it('answers 503 once the server is closed', async () => {
    const server = create()
    server.route('/', echo)
    const http = createServer()
    http.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head))
    const port = await listen(http)
    await server.close()
    const { head, body } = await askRaw(port, requestHead())
    expect(head.status).toBe(503)
    expect(body).toBe('the server is closing\n')
  })

  it('throws for a value that is not a service, before it touches the socket', async () => {
    const server = create()
    const socket = new Duplex()
    for (const wrong of [null, 5, { onOpen: 'x' }, { onMesage: () => 0 }]) {
      expect(() => server.handleUpgrade({} as never, socket, Buffer.alloc(0), wrong as never)).toThrow(
        TypeError,
      )
    }
    expect(socket.eventNames()).toEqual([])
  })

  it('works over any stream', async () => {
    const server = create({ perMessageDeflate: false })
    server.route('/', echo)
    const written: Buffer[] = []
    const stream: Duplex = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _, done) {
        written.push(chunk)
        done()
      },
    })
    const http = createServer()
    http.on('upgrade', (request, socket) => {
      server.handleUpgrade(request, stream, Buffer.alloc(0))
      socket.destroy()
    })
    const port = await listen(http)
    const asking = httpRequest({ port, host: '127.0.0.1', headers: { ...upgradeFields } })
    asking.on('error', () => undefined).end()
    await once(http, 'upgrade')
    stream.push(frame({ opcode: OP.TEXT, payload: 'over anything', key: KEY }))
    await new Promise((resolve) => setImmediate(resolve))
    const all = Buffer.concat(written)
    const end = all.indexOf('\r\n\r\n') + 4
    expect(all.toString('latin1', 0, 12)).toBe('HTTP/1.1 101')
    expect(readFrames(all.subarray(end)).frames.map(({ text }) => text)).toEqual(['over anything'])
    stream.push(null)
  })
})

const upgradeFields = {
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
}

describe('an upgrade that no listener takes', () => {
  it('does not end the process by its reset, because the error has a listener', async () => {
    const http = createServer()
    create().attach(http).route('/a', echo)
    let unclaimed: Duplex | undefined
    http.on('upgrade', (_, socket) => (unclaimed = socket))
    const port = await listen(http)
    const peer = await openRaw(port)
    peer.write(requestHead('/nobody'))
    await once(http, 'upgrade')
    expect(unclaimed?.listenerCount('error')).toBeGreaterThan(0)
    peer.reset()
  })

  it('does not disturb another upgrade that was taken', async () => {
    const http = createServer()
    create().attach(http).route('/', echo)
    const port = await listen(http)
    const peer = await upgradeRaw(port)
    peer.write(frame({ opcode: OP.TEXT, payload: 'x', key: KEY }))
    expect((await peer.readFrame()).text).toBe('x')
    peer.reset()
  })
})
