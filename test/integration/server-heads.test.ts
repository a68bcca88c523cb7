/** RFC 6455 section 4.2 and RFC 9110: heads get the same answer whichever way they come in. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createNetServer, type AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, createServer as createPlainTlsServer } from 'node:tls'
import { accept, InvalidStateError, WebSocketServer, type ServerOptions } from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { openRaw, RawPeer, requestHead, SAMPLE_KEY, upgradeRaw } from '../helpers/raw-peer.js'

const cleanups: (() => unknown)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

async function listen(http: Server): Promise<number> {
  await once(http.listen(0, '127.0.0.1'), 'listening')
  cleanups.push(() => {
    http.close()
    http.closeAllConnections()
  })
  return (http.address() as AddressInfo).port
}

const WAYS = [
  'own by handle',
  'own by stream',
  'own with TLS',
  'attach',
  'attach to https',
  'by hand',
] as const
type Way = (typeof WAYS)[number]

async function start(
  way: Way,
  options: ServerOptions = {},
): Promise<{ server: WebSocketServer; open(): Promise<RawPeer> }> {
  const isTls = way === 'own with TLS' || way === 'attach to https'
  const server = new WebSocketServer({
    ...options,
    directIo: way !== 'own by stream',
    ...(way === 'own with TLS' ? { tls: SERVER_TLS } : {}),
  })
  cleanups.push(() => server.terminate())
  let port: number
  if (way.startsWith('own')) port = (await server.listen(0, '127.0.0.1')).port
  else {
    const http = isTls ? createTlsServer(SERVER_TLS) : createServer()
    if (way === 'by hand')
      http.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head))
    else server.attach(http)
    port = await listen(http)
  }
  const open = async (): Promise<RawPeer> => {
    if (!isTls) return openRaw(port)
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ...TRUST_SERVER })
    await once(socket, 'secureConnect')
    return new RawPeer(socket)
  }
  const opened = async (): Promise<RawPeer> => {
    const peer = await open()
    cleanups.push(() => peer.socket.destroy())
    return peer
  }
  return { server, open: opened }
}

const fields = (count: number): string =>
  Array.from({ length: count }, (_, i) => `a${String(i)}:\r\n`).join('')
const having = (lines: string): string => requestHead().replace('\r\n\r\n', `\r\n${lines}\r\n`)

describe.each(WAYS)('%s', (way) => {
  it.each([
    ['a second Host', 'Host: elsewhere\r\n'],
    ['a second key', `Sec-WebSocket-Key: ${SAMPLE_KEY}\r\n`],
    ['a body', 'Content-Length: 5\r\n'],
    ['nothing', ''],
  ])('refuses a head of 2,100 fields with %s at its end, which node:http would drop', async (_, line) => {
    const { server, open } = await start(way)
    server.route('/', {})
    const peer = await open()
    peer.write(having(`${fields(2_100)}${line}`))
    expect([400, 431]).toContain((await peer.readHead()).status)
  })

  it('accepts 250 fields, and refuses 257 with 431', async () => {
    const { server, open } = await start(way)
    server.route('/', {})
    // The handshake has five of its own.
    for (const [count, status] of [
      [245, 101],
      [252, 431],
    ] as const) {
      const peer = await open()
      peer.write(having(fields(count)))
      expect((await peer.readHead()).status).toBe(status)
    }
  })

  it.each([
    [405, '/'],
    [405, '/nowhere'],
  ])('answers HEAD with %i at %s, without a body', async (status, path) => {
    const { server, open } = await start(way)
    server.route('/', {})
    const peer = await open()
    peer.write(requestHead(path, {}, 'HEAD'))
    const head = await peer.readHead()
    expect(head.status).toBe(status)
    expect((await peer.ended()).toString()).toBe('')
  })

  it.each([1, 200])(
    'gives request.raw by the configuration alone, however the head of %i more fields is cut',
    async (count) => {
      const { server, open } = await start(way)
      const seen: boolean[] = []
      server.route('/', {
        onUpgrade: ({ raw }) => {
          seen.push(raw !== undefined)
          return accept()
        },
      })
      const head = having(fields(count))
      for (const cut of [head.length, 40]) {
        const peer = await open()
        peer.write(head.slice(0, cut))
        await new Promise((resolve) => setTimeout(resolve, 10))
        peer.write(head.slice(cut))
        expect((await peer.readHead()).status).toBe(101)
      }
      expect(seen).toEqual(way.startsWith('own') ? [false, false] : [true, true])
    },
  )

  it.each([
    ['empty', 'Sec-WebSocket-Extensions: \r\n'],
    ['empty twice', 'Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions:  \r\n'],
  ])('treats a Sec-WebSocket-Extensions field that is %s as absent', async (_, lines) => {
    const { server, open } = await start(way)
    server.route('/', {})
    const peer = await open()
    peer.write(having(lines))
    const head = await peer.readHead()
    expect([head.status, head.get('sec-websocket-extensions')]).toEqual([101, undefined])
  })
})

describe('the maxHeadersCount of the application', () => {
  it.each(['attach', 'by hand'])(
    'makes Hawser refuse a request that may have lost fields: %s',
    async (way) => {
      const http = createServer()
      http.maxHeadersCount = 20
      const server = new WebSocketServer()
      server.route('/', {})
      cleanups.push(() => server.terminate())
      if (way === 'attach') server.attach(http)
      else http.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head))
      const port = await listen(http)
      for (const [count, status] of [
        [10, 101],
        [60, 431],
      ] as const) {
        const peer = await openRaw(port)
        cleanups.push(() => peer.socket.destroy())
        peer.write(having(fields(count)))
        expect((await peer.readHead()).status).toBe(status)
      }
    },
  )
})

describe('arguments of the caller', () => {
  it('attach refuses servers that never emit an upgrade', () => {
    const server = new WebSocketServer()
    for (const wrong of [createNetServer(), createPlainTlsServer(), new Duplex()]) {
      expect(() => server.attach(wrong as never)).toThrow(/^httpServer must be an http or https server, not /)
    }
  })

  it('handleUpgrade names the wrong argument', async () => {
    const server = new WebSocketServer()
    server.route('/', {})
    cleanups.push(() => server.terminate())
    const http = createServer()
    const given = new Promise<[IncomingMessage, Duplex, Buffer]>((resolve) => {
      http.once('upgrade', (request, socket, head) => resolve([request, socket, head]))
    })
    const port = await listen(http)
    const peer = await openRaw(port)
    cleanups.push(() => peer.socket.destroy())
    peer.write(requestHead())
    const [request, socket, head] = await given
    const call =
      (...list: unknown[]) =>
      () =>
        (server.handleUpgrade as (...all: unknown[]) => void).apply(server, list)
    expect(call()).toThrow(
      new TypeError("request must be the IncomingMessage of an 'upgrade' event, not undefined"),
    )
    expect(call({}, socket, head)).toThrow(/^request must be the IncomingMessage of an 'upgrade' event, not /)
    expect(call(request, null, head)).toThrow(
      new TypeError("socket must be the Duplex of an 'upgrade' event, not null"),
    )
    expect(call(request, socket)).toThrow(
      new TypeError("head must be the Buffer of an 'upgrade' event, not undefined"),
    )
    expect(call(request, socket, 'x')).toThrow(
      new TypeError('head must be the Buffer of an \'upgrade\' event, not "x"'),
    )
    call(request, socket, head)()
    expect(call(request, socket, head)).toThrow(InvalidStateError)
    const other = new WebSocketServer()
    expect(() => other.handleUpgrade(request, socket, head)).toThrow(InvalidStateError)
    expect((await peer.readHead()).status).toBe(101)
    expect(peer.unreadBytes).toBe(0)
  })

  it('an upgrade that a listener took by hand is left to it by an attached server', async () => {
    const http = createServer()
    const [byHand, attached] = [new WebSocketServer(), new WebSocketServer()]
    for (const server of [byHand, attached]) {
      server.route('/', {})
      cleanups.push(() => server.terminate())
    }
    http.on('upgrade', (request, socket, head) => byHand.handleUpgrade(request, socket, head))
    attached.attach(http)
    const peer = await upgradeRaw(await listen(http))
    cleanups.push(() => peer.socket.destroy())
    expect([byHand.connectionCount, attached.connectionCount]).toEqual([1, 0])
    expect(peer.unreadBytes).toBe(0)
  })
})
