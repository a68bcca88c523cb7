/** The class WebSocketServer, each case over `ws` and over the drop-in. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Duplex } from 'node:stream'
import type { ServerOptions, WebSocket } from 'ws'
import { answerTo, BOTH, closed, closeServer, connectRaw, listen, open, urlOf } from './both.js'

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n'
const UPGRADE = `Host: x\nUpgrade: websocket\nConnection: Upgrade\n`
const REQUEST = `GET / HTTP/1.1\n${UPGRADE}${KEY}Sec-WebSocket-Version: 13\n`

const certificate = (name: string): Buffer =>
  readFileSync(path.join(__dirname, '../helpers/certificates', name))

describe.each(BOTH)('WebSocketServer of %s', (_name, face) => {
  it.each([[undefined], [{}], [{ port: 0, noServer: true }], [{ server: createServer(), port: 0 }]])(
    'refuses the options %#',
    (options) => {
      expect(() => new face.Server(options as ServerOptions)).toThrow(
        'One and only one of the "port", "server", or "noServer" options must be specified',
      )
    },
  )

  it('has its options, with defaults, where programs read and change them', () => {
    const server = new face.Server({ noServer: true, perMessageDeflate: true, maxPayload: 5 })
    expect(server.options).toEqual({
      allowSynchronousEvents: true,
      autoPong: true,
      backlog: null,
      clientTracking: true,
      closeTimeout: 30_000,
      handleProtocols: null,
      host: null,
      maxBufferedChunks: 262_144,
      maxFragments: 16_384,
      maxPayload: 5,
      maxPendingAutoPongs: 60,
      noServer: true,
      path: null,
      perMessageDeflate: {},
      port: null,
      server: null,
      skipUTF8Validation: false,
      verifyClient: null,
      WebSocket: face,
    })
    expect(server.clients).toBeInstanceOf(Set)
    expect(new face.Server({ noServer: true, clientTracking: false }).clients).toBeUndefined()
    expect(() => server.address()).toThrow('The server is operating in "noServer" mode')
  })

  it('listens by itself, and answers 426 to other requests', async () => {
    const server = await listen(face)
    const { port } = server.address() as AddressInfo
    const answer = await answerTo(port, 'GET / HTTP/1.1\nHost: x\nConnection: close\n\n')
    expect(answer).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/)
    expect(answer).toMatch(/Upgrade Required$/)
    await closeServer(server)
  })

  it.each([
    ['another method', REQUEST.replace('GET', 'POST')],
    ['no key', REQUEST.replace(KEY, '')],
    ['a key that is too short', REQUEST.replace('dGhlIHNhbXBsZSBub25jZQ==', 'dGhl')],
    ['no version', REQUEST.replace('Sec-WebSocket-Version: 13\n', '')],
    ['version 9', REQUEST.replace('13', '9')],
    ['a subprotocol that is not a token', `${REQUEST}Sec-WebSocket-Protocol: a,,b\n`],
    ['an extension header that is malformed', `${REQUEST}Sec-WebSocket-Extensions: permessage-deflate; =\n`],
    ['another path', REQUEST.replace('GET /', 'GET /elsewhere')],
  ])('refuses a handshake with %s, as ws does', async (_what, request) => {
    const answers: string[] = []
    for (const [, each] of BOTH) {
      const server = await listen(each, { path: '/', perMessageDeflate: true })
      const { port } = server.address() as AddressInfo
      answers.push(await answerTo(port, `${request}\n`))
      await closeServer(server)
    }
    expect(answers[0]).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(answers[1]).toBe(answers[0])
  })

  it('gives handshakes that are refused to listeners of wsClientError', async () => {
    const server = await listen(face)
    const { port } = server.address() as AddressInfo
    const heard: unknown[] = []
    server.on('wsClientError', (error: Error, socket: Duplex, request: IncomingMessage) => {
      heard.push([error.message, request.url])
      socket.end('HTTP/1.1 400 Of my own\r\n\r\n')
    })
    expect(await answerTo(port, `${REQUEST.replace(KEY, '')}\n`)).toBe('HTTP/1.1 400 Of my own\r\n\r\n')
    expect(heard).toEqual([['Missing or invalid Sec-WebSocket-Key header', '/']])
    await closeServer(server)
  })

  it('asks verifyClient, which answers at once or later', async () => {
    const verifications: unknown[] = [
      ({ req, secure, origin }: { req: IncomingMessage; secure: boolean; origin: string }) =>
        req.url === '/yes' && !secure && origin === 'https://example.com',
      ({ req }: { req: IncomingMessage }, verified: (...values: unknown[]) => void) => {
        setImmediate(() => {
          if (req.url === '/yes') verified(true)
          else verified(false, 403, 'not you', { 'X-Why': 'because' })
        })
      },
    ]
    const answers: string[] = []
    for (const verifyClient of verifications) {
      const server = await listen(face, { verifyClient } as ServerOptions)
      const { port } = server.address() as AddressInfo
      answers.push(await answerTo(port, `${REQUEST}\n`))
      const client = new face(`${urlOf(server)}/yes`, { origin: 'https://example.com' })
      await once(client, 'open')
      await closeServer(server)
    }
    expect(answers[0]).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/)
    expect(answers[1]).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/)
    expect(answers[1]).toMatch(/X-Why: because\r\n/)
    expect(answers[1]).toMatch(/not you$/)
  })

  it('chooses the first subprotocol, or what handleProtocols says, also when it is set later', async () => {
    const server = await listen(face)
    const connect = async (): Promise<string> => {
      const client = new face(urlOf(server), ['one', 'two'])
      await once(client, 'open')
      const { protocol } = client
      client.terminate()
      return protocol
    }
    expect(await connect()).toBe('one')
    server.options.handleProtocols = (protocols) => [...protocols].at(-1) ?? false
    expect(await connect()).toBe('two')
    await closeServer(server)
  })

  it('emits headers inside the handshake, with the request of the connection, and sends what is added', async () => {
    const server = await listen(face)
    const requests: IncomingMessage[] = []
    server.on('headers', (lines, request) => {
      expect(lines[0]).toBe('HTTP/1.1 101 Switching Protocols')
      lines.push('X-Mine: yes')
      requests.push(request)
    })
    server.on('connection', (_socket, request) => requests.push(request))
    const client = new face(urlOf(server))
    const opened = once(client, 'open')
    const [response] = (await once(client, 'upgrade')) as [IncomingMessage]
    await opened
    expect(response.headers['x-mine']).toBe('yes')
    expect(requests).toHaveLength(2)
    expect(requests[0]).toBe(requests[1])
    await closeServer(server)
  })

  it('has its connections in clients until they are closed, and closes when the last is gone', async () => {
    const server = createServer()
    const sockets = new face.Server({ server })
    server.listen(0, '127.0.0.1')
    await once(sockets, 'listening')
    const connection = once(sockets, 'connection')
    const client = new face(`ws://127.0.0.1:${String((server.address() as AddressInfo).port)}`)
    await once(client, 'open')
    const [accepted] = (await connection) as [WebSocket]
    expect([...sockets.clients]).toEqual([accepted])
    const order: string[] = []
    sockets.close((error) => order.push(`closed ${String(error)}`))
    accepted.on('close', () => order.push('connection closed'))
    await turn()
    expect(order).toEqual([])
    client.close()
    await once(sockets, 'close')
    expect(order).toEqual(['connection closed', 'closed undefined'])
    expect(sockets.clients.size).toBe(0)
    const again = await new Promise((resolve) => {
      sockets.close(resolve)
    })
    expect(String(again)).toBe('Error: The server is not running')
    server.close()
    server.closeAllConnections()
  })

  it('refuses with 503 when it is closed, and refuses the same socket twice', async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const sockets = new face.Server({ noServer: true })
    const thrown: unknown[] = []
    server.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, () => undefined)
      try {
        sockets.handleUpgrade(request, socket, head, () => undefined)
      } catch (error) {
        thrown.push((error as Error).message)
      }
      socket.destroy()
    })
    const { port } = server.address() as AddressInfo
    await answerTo(port, `${REQUEST}\n`)
    expect(thrown).toEqual([
      'server.handleUpgrade() was called more than once with the same socket, possibly due to a misconfiguration',
    ])
    sockets.close()
    server.removeAllListeners('upgrade')
    server.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, () => undefined)
    })
    expect(await answerTo(port, `${REQUEST}\n`)).toMatch(/^HTTP\/1\.1 503 /)
    server.close()
  })

  it('makes connections of the class that the option WebSocket has', async () => {
    class Mine extends face {
      isMine(): boolean {
        return this.readyState === 1
      }
    }
    const { accepted, close } = await open(face, { WebSocket: Mine })
    expect(accepted).toBeInstanceOf(Mine)
    expect((accepted as unknown as { isMine(): boolean }).isMine()).toBe(true)
    await close()
  })

  it('compresses where both ends want it', async () => {
    const server = await listen(face, { perMessageDeflate: { threshold: 0 } })
    server.on('connection', (socket) => {
      socket.send('compressed '.repeat(200))
    })
    const peer = await connectRaw(server, 'Sec-WebSocket-Extensions: permessage-deflate\r\n')
    while (peer.received().length < 4) await turn()
    expect(peer.received()[0]).toBe(0xc1)
    expect(peer.received().length).toBeLessThan(200)
    await closeServer(server)
  })

  it('cuts off a peer that sends more pings than maxPendingAutoPongs at once', async () => {
    const server = await listen(face, { maxPendingAutoPongs: 2 } as ServerOptions)
    const connection = once(server, 'connection')
    const peer = await connectRaw(server)
    const [accepted] = (await connection) as [WebSocket]
    const end = once(accepted, 'close')
    peer.socket.write(Buffer.concat(Array<Buffer>(5).fill(Buffer.from([0x89, 0x80, 0, 0, 0, 0]))))
    expect((await end).map(String)).toEqual(['1006', ''])
    await closeServer(server)
  })

  it('serves TLS', async () => {
    const server = createSecureServer({ key: certificate('server-key.pem'), cert: certificate('server.pem') })
    const sockets = new face.Server({ server })
    sockets.on('connection', (socket) => {
      socket.on('message', (data, isBinary) => {
        socket.send(data, { binary: isBinary })
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = `wss://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    const client = new face(address, { rejectUnauthorized: false, perMessageDeflate: false })
    await once(client, 'open')
    for (const length of [0, 5, 70_000, 500_000]) {
      const sent = Buffer.alloc(length, 'x')
      client.send(sent)
      const [data] = (await once(client, 'message')) as [Buffer]
      expect(data.equals(sent)).toBe(true)
    }
    const end = closed(client)
    client.close()
    await end
    server.close()
  })
})
