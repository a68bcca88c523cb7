/** wss in both roles: certificates of both sides, names, and what goes wrong below the handshake. */
import { Agent } from 'node:https'
import { checkServerIdentity, createSecureContext, type SecureContext } from 'node:tls'
import {
  accept,
  connect,
  HandshakeError,
  reject,
  WebSocketServer,
  type ClientSocket,
  type CloseInfo,
  type ConnectOptions,
  type ServerOptions,
  type ServerService,
} from '../../src/index.js'
import { CLIENT_TLS, DEMAND_CLIENT, SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { closeFrame, frame, KEY, OP } from '../helpers/frame-builder.js'
import { Journal } from '../helpers/journal.js'
import { acceptRaw, openRaw, RawServer, requestHead } from '../helpers/raw-peer.js'
import { listenRawTls, openRawTls, type RawTlsPeer } from '../helpers/raw-tls.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const echo: ServerService = { onMessage: (_, message) => message }

async function serve(
  service: ServerService = echo,
  options: ServerOptions = {},
): Promise<{ server: WebSocketServer; port: number; url: string }> {
  const server = new WebSocketServer({ tls: SERVER_TLS, ...options })
  server.route('/', service)
  cleanups.push(() => server.terminate())
  const { port } = await server.listen(0, '127.0.0.1')
  return { server, port, url: `wss://localhost:${port}/` }
}

async function open(url: string, options: ConnectOptions<undefined> = {}): Promise<ClientSocket> {
  const socket = await connect(url, { tls: TRUST_SERVER, ...options })
  cleanups.push(() => socket.terminate())
  return socket
}

const failureOf = async (attempt: Promise<unknown>): Promise<HandshakeError> => {
  const error: unknown = await attempt.then(
    () => new Error('it connected'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(HandshakeError)
  return error as HandshakeError
}

describe('both ends of a TLS connection', () => {
  it('exchange messages, and report that they are secure', async () => {
    const seen = new Journal()
    const { url } = await serve({
      ...echo,
      onUpgrade: ({ secure, certificate }) => {
        seen.add(`upgrade ${secure} ${certificate?.subject.CN}`)
        return accept()
      },
      onOpen: ({ secure, remoteAddress }) => seen.add(`open ${secure} ${remoteAddress}`),
    })
    const socket = await open(url)
    expect([socket.secure, socket.remoteAddress]).toEqual([true, '127.0.0.1'])
    socket.send('κόσμε')
    await expect(socket.receive()).resolves.toBe('κόσμε')
    await expect(socket.close(3000, 'bye')).resolves.toMatchObject({ code: 3000, wasClean: true })
    expect(seen.lines).toEqual(['upgrade true undefined', 'open true 127.0.0.1'])
  })

  it('accept https: in the URL, and an address as the host', async () => {
    const { url, port } = await serve()
    for (const one of [url.replace('wss:', 'https:'), `wss://127.0.0.1:${port}/`]) {
      const socket = await open(one)
      socket.send(Buffer.from([1, 2, 3]))
      await expect(socket.receive()).resolves.toEqual(Buffer.from([1, 2, 3]))
    }
  })

  it.each([65_535, 65_536, 1_000_000, 8_000_000])('carry %i bytes there and back', async (size) => {
    const limits = { maxMessageBytes: 16_000_000, maxBufferedOutputBytes: 64_000_000 }
    const { url } = await serve(echo, { limits, perMessageDeflate: false })
    const socket = await open(url, { limits })
    const bytes = Buffer.from(Array.from({ length: 1_000 }, (_, i) => (i * 7_919) & 0xff))
    const message = Buffer.alloc(size, bytes)
    socket.send(message)
    const back = await socket.receive()
    expect(Buffer.compare(back as Buffer, message)).toBe(0)
  })

  it('carry 2,000 messages in order, compressed and not', async () => {
    const { url } = await serve(echo, { perMessageDeflate: { thresholdBytes: 100 } })
    const socket = await open(url)
    const texts = Array.from({ length: 2_000 }, (_, i) => `${i} `.repeat(i % 100))
    let next = 0
    for (const one of texts) {
      socket.send(one)
      if (socket.bufferedAmount > 32_768) await socket.drained()
      if (next % 7 === 0 && next < texts.length) expect(await socket.receive()).toBe(texts[next++])
    }
    while (next < texts.length) expect(await socket.receive()).toBe(texts[next++])
  })
})

describe('certificates of clients', () => {
  const demanding = { tls: { ...SERVER_TLS, ...DEMAND_CLIENT } }

  it('are given to onUpgrade, which decides by them', async () => {
    const { url } = await serve(
      {
        onUpgrade: ({ certificate }) => {
          const name = certificate?.subject.CN
          return typeof name === 'string' ? accept({ data: { name } }) : reject(403)
        },
        onMessage: (socket) => (socket.data as { name: string }).name,
      },
      demanding,
    )
    const socket = await open(url, { tls: { ...TRUST_SERVER, ...CLIENT_TLS } })
    socket.send('who am I?')
    await expect(socket.receive()).resolves.toBe('ada')
  })

  it('are demanded: without one there is no connection, and the next client is served', async () => {
    const opened = new Journal()
    const { url, server } = await serve({ ...echo, onOpen: () => opened.add('open') }, demanding)
    const without = await failureOf(connect(url, { tls: TRUST_SERVER }))
    expect(without.code).toBe('HAWSER_CONNECTION_FAILED')
    // Signed by another CA than the server trusts: the server's own is such a one.
    const wrong = await failureOf(connect(url, { tls: { ...TRUST_SERVER, ...SERVER_TLS } }))
    expect(wrong.code).toBe('HAWSER_CONNECTION_FAILED')
    const socket = await open(url, { tls: { ...TRUST_SERVER, ...CLIENT_TLS } })
    expect(opened.lines).toEqual(['open'])
    expect(server.connectionCount).toBe(1)
    await expect(socket.close()).resolves.toMatchObject({ wasClean: true })
  })

  it('may be asked for and not given', async () => {
    const names: unknown[] = []
    const { url } = await serve(
      { onUpgrade: ({ certificate }) => (names.push(certificate?.subject.CN), accept()) },
      { tls: { ...SERVER_TLS, ...DEMAND_CLIENT, rejectUnauthorized: false } },
    )
    await open(url)
    await open(url, { tls: { ...TRUST_SERVER, ...CLIENT_TLS } })
    expect(names).toEqual([undefined, 'ada'])
  })
})

describe('the certificate of the server', () => {
  it('fails connect when it is not trusted, before anything is sent', async () => {
    const requests = new Journal()
    const server = await listenRawTls(async (peer) => requests.add((await peer.readHead()).startLine))
    cleanups.push(() => server.close())
    const error = await failureOf(connect(server.url))
    expect(error).toMatchObject({ code: 'HAWSER_CONNECTION_FAILED', httpStatus: undefined })
    expect((error.cause as NodeJS.ErrnoException).code).toMatch(/UNABLE_TO_|SELF_SIGNED|CERT_/)
    expect(requests.lines).toEqual([])
  })

  it('fails connect when it is for another name', async () => {
    const { url } = await serve()
    const error = await failureOf(connect(url, { tls: { ...TRUST_SERVER, servername: 'other.example' } }))
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
  })

  it('is chosen by the name in the URL (SNI), and none is sent for an address', async () => {
    const asked: string[] = []
    const { port } = await serve(echo, {
      tls: {
        ...SERVER_TLS,
        SNICallback: (name: string, done: (error: null, context: SecureContext) => void) => {
          asked.push(name)
          done(null, createSecureContext(SERVER_TLS))
        },
      },
    })
    await open(`wss://localhost:${port}/`)
    expect(asked).toEqual(['localhost'])
    await open(`wss://127.0.0.1:${port}/`)
    expect(asked).toEqual(['localhost'])
    await open(`wss://127.0.0.1:${port}/`, {
      tls: {
        ...TRUST_SERVER,
        servername: 'chosen.example',
        checkServerIdentity: (_, certificate) => checkServerIdentity('localhost', certificate),
      },
    })
    expect(asked).toEqual(['localhost', 'chosen.example'])
  })

  it.each<[string, () => unknown, string]>([
    ['returns an error', () => new Error('not that one'), 'not that one'],
    [
      'throws',
      () => {
        throw new Error('not that one')
      },
      'not that one',
    ],
    [
      'throws nothing',
      () => {
        throw undefined
      },
      'undefined',
    ],
    [
      'is async',
      () => Promise.reject(new Error('later')),
      'tls.checkServerIdentity must return an Error or undefined, not a promise: it must not be async',
    ],
    ['returns a no', () => false, 'tls.checkServerIdentity must return an Error or undefined, not false'],
    ['returns a yes', () => true, 'tls.checkServerIdentity must return an Error or undefined, not true'],
    ['returns a text', () => 'no', 'tls.checkServerIdentity must return an Error or undefined, not "no"'],
  ])('with a checkServerIdentity that %s rejects connect', async (name, check, message) => {
    const { port } = await serve(echo, { tls: SERVER_TLS })
    if (name !== 'returns an error') {
      // node:tls then takes no notice of an answer, and this is none.
      const careless = { ...TRUST_SERVER, rejectUnauthorized: false, checkServerIdentity: check as never }
      const agent = new Agent({ maxSockets: 1 })
      for (const options of [{ tls: careless }, { tls: careless, agent }]) {
        const error = await open(`wss://127.0.0.1:${port}/`, options).catch((failed: unknown) => failed)
        expect(error).toMatchObject({ code: 'HAWSER_CONNECTION_FAILED', cause: { message } })
      }
    }
    const tls = { ...TRUST_SERVER, checkServerIdentity: check as never }
    const error = await open(`wss://127.0.0.1:${port}/`, { tls }).catch((failed: unknown) => failed)
    expect(error).toMatchObject({ code: 'HAWSER_CONNECTION_FAILED', cause: { message } })
    await open(`wss://127.0.0.1:${port}/`, {
      tls: { ...TRUST_SERVER, checkServerIdentity: (() => null) as never },
    })
  })

  it('comes with an ALPN of http/1.1', async () => {
    const { port } = await serve(echo, { tls: { ...SERVER_TLS, ALPNProtocols: ['http/1.1'] } })
    const socket = await open(`wss://localhost:${port}/`)
    socket.send('agreed')
    await expect(socket.receive()).resolves.toBe('agreed')
    // Who offers h2 alone has nothing in common with the server.
    await expect(openRawTls(port, { ALPNProtocols: ['h2'] })).rejects.toThrow()
    const again = await open(`wss://localhost:${port}/`)
    expect(again.readyState).toBe(1)
  })
})

describe('a peer that does not speak TLS', () => {
  it('gets an error as a ws: client at a wss: port, which serves the next client', async () => {
    const { port, url } = await serve()
    const error = await failureOf(connect(`ws://127.0.0.1:${port}/`))
    expect(['HAWSER_CONNECTION_FAILED', 'HAWSER_MALFORMED_RESPONSE']).toContain(error.code)
    await expect((await open(url)).close()).resolves.toMatchObject({ wasClean: true })
  })

  it.each([true, false])(
    'makes connect fail for wss: at a ws: port, which serves the next client: directIo %p',
    async (directIo) => {
      const server = new WebSocketServer({ directIo })
      server.route('/', echo)
      cleanups.push(() => server.terminate())
      const { port } = await server.listen(0, '127.0.0.1')
      const error = await failureOf(connect(`wss://127.0.0.1:${port}/`, { tls: TRUST_SERVER }))
      expect(error.code).toBe('HAWSER_CONNECTION_FAILED')
      await expect((await open(`ws://127.0.0.1:${port}/`)).close()).resolves.toMatchObject({ wasClean: true })
    },
  )

  it.each<readonly [name: string, bytes: Buffer | string]>([
    ['a request in the clear', requestHead()],
    ['zeros', Buffer.alloc(1_000)],
    ['a ClientHello cut off', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
    ['nothing', ''],
  ])('does not end the server by bytes that are not TLS: %s', async (_, bytes) => {
    const { port, url, server } = await serve()
    for (const end of ['reset', 'end'] as const) {
      const peer = await openRaw(port)
      peer.write(bytes)
      await new Promise((resolve) => setTimeout(resolve, 10))
      peer[end]()
      peer.socket.resume()
    }
    const socket = await open(url)
    socket.send('alive')
    await expect(socket.receive()).resolves.toBe('alive')
    expect(server.connectionCount).toBe(1)
  })

  it('makes connect reject by a reset during the TLS handshake', async () => {
    const server = await RawServer.start(async (peer) => {
      await peer.until(() => (peer.unreadBytes > 0 ? true : null))
      peer.reset()
    })
    cleanups.push(() => server.close())
    const error = await failureOf(connect(server.url.replace('ws:', 'wss:'), { tls: TRUST_SERVER }))
    expect(error.code).toBe('HAWSER_CONNECTION_FAILED')
  })

  it('makes connect reject in time when it never answers the TLS handshake', async () => {
    const server = await RawServer.start(() => undefined)
    cleanups.push(() => server.close())
    const attempt = connect(server.url.replace('ws:', 'wss:'), { tls: TRUST_SERVER, handshakeTimeoutMs: 100 })
    expect((await failureOf(attempt)).code).toBe('HAWSER_HANDSHAKE_TIMEOUT')
    await server.peers[0]?.left()
  })
})

describe('RFC 6455 section 7: the end, over TLS', () => {
  /** A served connection: the raw peer, and how the server saw its end. */
  async function served(): Promise<{ peer: RawTlsPeer; info: Promise<CloseInfo>; port: number }> {
    let closed: (info: CloseInfo) => void = () => undefined
    const info = new Promise<CloseInfo>((resolve) => (closed = resolve))
    const { port } = await serve({ ...echo, onClose: (_, one) => closed(one) })
    const peer = await openRawTls(port)
    cleanups.push(() => peer.socket.destroy())
    peer.write(requestHead())
    await peer.readHead()
    return { peer, info, port }
  }

  it('answers a Close frame, ends with close_notify, and reports a clean end', async () => {
    const { peer, info } = await served()
    peer.write(closeFrame(3210, 'bye', { key: KEY }))
    expect((await peer.readToClose()).closeCode).toBe(3210)
    await peer.ended()
    peer.end()
    await expect(info).resolves.toMatchObject({
      code: 3210,
      reason: 'bye',
      wasClean: true,
      initiator: 'remote',
    })
  })

  it('reports 1006 for a close_notify without a Close frame', async () => {
    const { peer, info } = await served()
    peer.end()
    await expect(info).resolves.toMatchObject({ code: 1006, wasClean: false })
    await peer.closed()
  })

  it('reports 1006 for a FIN without close_notify', async () => {
    const { peer, info } = await served()
    peer.below.end()
    await expect(info).resolves.toMatchObject({ code: 1006, wasClean: false })
  })

  it('reports 1006 for a reset', async () => {
    const { peer, info } = await served()
    peer.reset()
    await expect(info).resolves.toMatchObject({ code: 1006, wasClean: false })
  })

  it('delivers messages that come before a close_notify in the same segment', async () => {
    const seen = new Journal()
    const { port } = await serve({
      onMessage: (_, message) => seen.add(String(message)),
      onClose: (_, { code }) => seen.add(`closed ${code}`),
    })
    const peer = await openRawTls(port)
    peer.write(
      requestHead(),
      ...['a', 'b', 'c'].map((payload) => frame({ opcode: OP.TEXT, payload, key: KEY })),
    )
    peer.end()
    expect(await seen.until(/^closed/)).toEqual(['a', 'b', 'c', 'closed 1006'])
  })

  it('ends a client whose server ends its side, after the answer to the Close frame', async () => {
    const answered = new Journal()
    const server = await listenRawTls(async (peer) => {
      await acceptRaw(peer, {}, frame({ opcode: OP.TEXT, payload: 'last' }), closeFrame(1001, 'going'))
      peer.end()
      // The client's side stays open for its answer.
      answered.add(`close ${(await peer.readToClose()).closeCode}`)
      await peer.left()
    })
    cleanups.push(() => server.close())
    const infos = new Journal()
    await open(server.url, {
      handlers: {
        onMessage: (_, message) => infos.add(String(message)),
        onClose: (_, { code, wasClean }) => infos.add(`closed ${code} ${wasClean}`),
      },
    })
    expect(await infos.until(/^closed/)).toEqual(['last', 'closed 1001 true'])
    expect(await answered.until(1)).toEqual(['close 1001'])
  })
})
