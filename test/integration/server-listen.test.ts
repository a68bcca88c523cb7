/** A server on a port of its own: how it begins, what it answers to what is not an upgrade, how it ends. */
import { createServer, type AddressInfo } from 'node:net'
import { connect, InvalidStateError, WebSocketServer } from '../../src/index.js'
import { isNativeOn } from '../../src/native/native-switch.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { askRaw, openRaw, requestHead, upgradeRaw, type RawPeer } from '../helpers/raw-peer.js'

const servers: WebSocketServer[] = []
const peers: RawPeer[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.terminate()
  for (const { socket } of peers.splice(0)) socket.destroy()
})

function create(options?: ConstructorParameters<typeof WebSocketServer>[0]): WebSocketServer {
  const server = new WebSocketServer(options)
  servers.push(server)
  return server
}

async function openPeer(port: number): Promise<RawPeer> {
  const peer = await openRaw(port)
  peers.push(peer)
  return peer
}

const echo = { onMessage: (_: unknown, message: string | Buffer): string | Buffer => message }

describe('listen', () => {
  it('takes a free port for 0, returns the address, and serves there', async () => {
    const server = create()
    server.route('/', echo)
    const address = await server.listen(0, '127.0.0.1')
    expect(address).toMatchObject({ address: '127.0.0.1', family: 'IPv4' })
    expect(address.port).toBeGreaterThan(0)
    const socket = await connect(`ws://127.0.0.1:${address.port}/`)
    socket.send('x')
    expect(await socket.receive()).toBe('x')
    expect(server.connectionCount).toBe(1)
    await socket.close()
  })

  it('rejects with the EADDRINUSE of the system, and may be called again', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const server = create()
    await expect(server.listen(port, '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE', port })
    await expect(server.listen(port, '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await new Promise((resolve) => other.close(resolve))
    expect((await server.listen(port, '127.0.0.1')).port).toBe(port)
  })

  it.each([
    [-1, RangeError],
    [65_536, RangeError],
    [1.5, RangeError],
    [NaN, RangeError],
    ['8080', TypeError],
    [null, TypeError],
  ])('rejects port %p with name, value and range', async (port, type) => {
    const listening = create().listen(port as number)
    await expect(listening).rejects.toThrow(type)
    await expect(listening).rejects.toThrow(/^port must be an integer from 0 to 65535, not /)
  })

  it('rejects a wrong host', async () => {
    await expect(create().listen(0, 5 as never)).rejects.toThrow('host must be a string, not 5')
    await expect(create().listen(0, 'does-not-exist.invalid')).rejects.toMatchObject({
      code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) as string,
    })
  })

  it('throws InvalidStateError when the server listens already or was closed', async () => {
    const server = create()
    await server.listen(0, '127.0.0.1')
    await expect(server.listen(0)).rejects.toThrow(InvalidStateError)
    await server.close()
    await expect(server.listen(0)).rejects.toThrow(new InvalidStateError('the server was closed'))
  })

  it('does not open the port when the server is closed meanwhile', async () => {
    const server = create()
    // A name is looked up first: the port is not yet open when close is called.
    const listening = server.listen(0, 'localhost')
    const refused = listening.catch((error: unknown) => error)
    await server.close()
    await expect(refused).resolves.toEqual(new InvalidStateError('the server was closed'))
  })

  it('serves wss with tls', async () => {
    const server = create({ tls: SERVER_TLS })
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const socket = await connect(`wss://localhost:${port}/`, { tls: TRUST_SERVER })
    expect(socket.secure).toBe(true)
    socket.send('x')
    expect(await socket.receive()).toBe('x')
    await socket.close()
  })

  it('rejects wrong tls options', async () => {
    await expect(create({ tls: { cert: 'no certificate', key: 'no key' } }).listen(0)).rejects.toThrow(
      /PEM|asn1/i,
    )
  })
})

describe('a port of its own answers a request that is not an upgrade', () => {
  let port = 0
  beforeEach(async () => {
    const server = create({ limits: { maxHeaderBytes: 4096 } })
    server.route('/chat', echo)
    port = (await server.listen(0, '127.0.0.1')).port
  })
  const plain = (line: string, fields = 'Host: localhost\r\n'): string => `${line} HTTP/1.1\r\n${fields}\r\n`

  it('with 426 on a route, and names the missing header fields', async () => {
    for (const target of ['/chat', '/chat?room=1']) {
      const { head, body } = await askRaw(port, plain(`GET ${target}`))
      expect(head.startLine).toBe('HTTP/1.1 426 Upgrade Required')
      expect(head.get('connection')).toBe('Upgrade, close')
      expect(head.get('upgrade')).toBe('websocket')
      expect(head.get('sec-websocket-version')).toBe('13')
      expect(head.get('content-type')).toBe('text/plain; charset=utf-8')
      expect(body).toBe(
        'this is a WebSocket endpoint: "Upgrade: websocket" and "Connection: Upgrade" are required\n',
      )
    }
  })

  it('with 404 on another path', async () => {
    const { head, body } = await askRaw(port, plain('GET /'))
    expect(head.startLine).toBe('HTTP/1.1 404 Not Found')
    expect(head.get('connection')).toBe('close')
    expect(body).toBe('no route for this path\n')
  })

  it('with 405 and Allow for another method, with a body', async () => {
    const { head } = await askRaw(port, `${plain('POST /chat', 'Host: x\r\nContent-Length: 3\r\n')}abc`)
    expect(head.startLine).toBe('HTTP/1.1 405 Method Not Allowed')
    expect(head.get('allow')).toBe('GET')
  })

  it('without a body for HEAD', async () => {
    const peer = await openPeer(port)
    peer.write(plain('HEAD /chat'))
    expect((await peer.readHead()).status).toBe(405)
    expect((await peer.ended()).toString()).toBe('')
  })

  it('with 431 for a head above maxHeaderBytes', async () => {
    const peer = await openPeer(port)
    peer.write(plain('GET /chat', `Host: localhost\r\nX: ${'x'.repeat(5000)}\r\n`))
    expect((await peer.readHead()).status).toBe(431)
    await peer.ended()
  })

  it('with 400 for bytes that are not HTTP', async () => {
    const peer = await openPeer(port)
    peer.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n')
    expect((await peer.readHead()).status).toBe(400)
    await peer.ended()
  })

  it('and does not keep the connection open', async () => {
    const peer = await openPeer(port)
    peer.write(plain('GET /chat', 'Host: localhost\r\nConnection: keep-alive\r\n'))
    await peer.readHead()
    expect((await peer.ended()).toString()).not.toContain('HTTP/')
  })
})

describe('handshakeTimeoutMs, on a port of its own', () => {
  it('answers 408 to a head that does not end, and ends the connection', async () => {
    const server = create({ handshakeTimeoutMs: 100 })
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const peer = await openPeer(port)
    peer.write('GET / HTTP/1.1\r\nHost: localhost\r\n')
    expect((await peer.readHead()).status).toBe(408)
    await peer.ended()
  })

  it('ends a connection that sends nothing', async () => {
    const server = create({ handshakeTimeoutMs: 100 })
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const response = (await (await openPeer(port)).ended()).toString()
    // node:http, which accepts where src/native is off, answers 408.
    expect(response.split('\r\n', 1)).toEqual([isNativeOn ? '' : 'HTTP/1.1 408 Request Timeout'])
  })

  it('ends a connection that does not begin TLS', async () => {
    const server = create({ handshakeTimeoutMs: 100, tls: SERVER_TLS })
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    await expect((await openPeer(port)).ended()).resolves.toHaveLength(0)
  })

  it('does not end a connection that is open', async () => {
    const server = create({ handshakeTimeoutMs: 100 })
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const socket = await connect(`ws://127.0.0.1:${port}/`)
    await new Promise((resolve) => setTimeout(resolve, 350))
    socket.send('x')
    expect(await socket.receive()).toBe('x')
    await socket.close()
  })
})

describe('close', () => {
  it('sends 1001 to all connections, waits for them, and frees the port', async () => {
    const server = create()
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const sockets = await Promise.all([1, 2, 3].map(() => connect(`ws://127.0.0.1:${port}/`)))
    const ends = sockets.map((socket) =>
      expect(socket.receive()).rejects.toMatchObject({ closeCode: 1001, reason: '' }),
    )
    await server.close()
    expect(server.connectionCount).toBe(0)
    await Promise.all(ends)
    await expect(connect(`ws://127.0.0.1:${port}/`)).rejects.toMatchObject({
      cause: { code: 'ECONNREFUSED' },
    })
  })

  it('sends the code and reason that the caller gives', async () => {
    const server = create()
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const socket = await connect(`ws://127.0.0.1:${port}/`)
    const end = socket.receive().catch((error: unknown) => error)
    await server.close({ code: 1012, reason: 'new version' })
    await expect(end).resolves.toMatchObject({ closeCode: 1012, reason: 'new version' })
  })

  it.each([
    [{ code: 1006 }, RangeError],
    [{ code: 999 }, RangeError],
    [{ timeoutMs: -1 }, RangeError],
    [{ timeoutMs: '1' }, TypeError],
    [{ reason: 5 }, TypeError],
  ])('rejects %p, and the server goes on', async (options, type) => {
    const server = create()
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    await expect(server.close(options as never)).rejects.toThrow(type)
    const socket = await connect(`ws://127.0.0.1:${port}/`)
    await socket.close()
  })

  it('may be called twice, before listen, and after terminate', async () => {
    const server = create()
    await server.listen(0, '127.0.0.1')
    await Promise.all([server.close(), server.close()])
    await server.close()
    await create().close()
    const other = create()
    await other.listen(0, '127.0.0.1')
    other.terminate()
    other.terminate()
    await other.close()
    await expect(other.listen(0, '127.0.0.1')).rejects.toThrow(InvalidStateError)
  })

  it('cuts connections that do not end in time', async () => {
    const server = create()
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const peer = await upgradeRaw(port)
    peers.push(peer)
    await server.close({ timeoutMs: 50 })
    expect((await peer.readFrame()).closeCode).toBe(1001)
    await peer.ended()
  })

  it('also cuts in time connections that began to close earlier with a longer timeout', async () => {
    const closing: Promise<unknown>[] = []
    const server = create()
    server.route('/', { onOpen: (socket) => void closing.push(socket.close(1000)) })
    const { port } = await server.listen(0, '127.0.0.1')
    const peer = await upgradeRaw(port)
    peers.push(peer)
    await peer.readToClose()
    await server.close({ timeoutMs: 50 })
    await expect(Promise.all(closing)).resolves.toHaveLength(1)
  })

  it.each([
    ['that says nothing', ''],
    ['in the middle of a head', 'GET / HTTP/1.1\r\nHost: x\r\n'],
    ['that was rejected and neither reads nor ends', requestHead('/nowhere')],
  ])('does not wait for a connection %s', async (_, request) => {
    const server = create()
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const peer = await openPeer(port)
    if (request !== '') peer.write(request)
    // One behind it, so that the first was seen.
    await (await connect(`ws://127.0.0.1:${port}/`)).close()
    await server.close({ timeoutMs: 50 })
    await peer.ended()
    expect(server.connectionCount).toBe(0)
  })

  it('does not wait for a connection that does not begin TLS', async () => {
    const server = create({ tls: SERVER_TLS })
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const peer = await openPeer(port)
    await (await connect(`wss://localhost:${port}/`, { tls: TRUST_SERVER })).close()
    await server.close({ timeoutMs: 50 })
    await expect(peer.ended()).resolves.toHaveLength(0)
  })

  it('answers upgrades under way with 503', async () => {
    const asked = new Promise<AbortSignal>((resolve) => {
      const server = create()
      server.route('/', {
        onUpgrade: (request) => {
          resolve(request.signal)
          return new Promise<never>(() => undefined)
        },
      })
      void server.listen(0, '127.0.0.1').then(async ({ port }) => {
        peers.push(await openRaw(port))
        peers[0]?.write(requestHead())
      })
    })
    const signal = await asked
    const [peer] = peers as [RawPeer]
    // The server waits for the end of the peer's side, and this peer ends it.
    peer.socket.once('end', () => peer.end())
    await servers[0]?.close()
    expect(signal.aborted).toBe(true)
    const { head, body } = await peer.readResponse()
    expect(head.status).toBe(503)
    expect(body).toBe('the server is closing\n')
  })

  it('await using closes the server', async () => {
    const server = create()
    server.route('/', echo)
    const { port } = await server.listen(0, '127.0.0.1')
    const socket = await connect(`ws://127.0.0.1:${port}/`)
    const end = socket.receive().catch((error: unknown) => error)
    await server[Symbol.asyncDispose]()
    await expect(end).resolves.toMatchObject({ closeCode: 1001 })
  })
})

describe('terminate', () => {
  it('cuts all connections at once, without Close frames', async () => {
    const closes: unknown[] = []
    const server = create()
    server.route('/', { onClose: (_, info) => void closes.push(info) })
    const { port } = await server.listen(0, '127.0.0.1')
    const [open, silent] = [await upgradeRaw(port), await openPeer(port)]
    peers.push(open)
    server.terminate()
    // Nothing of the application is called inside the call.
    expect(closes).toEqual([])
    await Promise.all([open.ended(), silent.ended()])
    expect(server.connectionCount).toBe(0)
    expect(closes).toEqual([
      { code: 1006, reason: '', wasClean: false, initiator: 'local', droppedMessages: 0, unsentBytes: 0 },
    ])
    expect(open.unreadBytes).toBe(0)
  })
})
