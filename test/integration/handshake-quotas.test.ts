/** Quotas of handshakes, connections of one address, and the address of a client behind proxies, by every way in. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server as HttpServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { accept, WebSocketServer, type ServerOptions, type ServerService } from '../../src/index.js'
import { SERVER_TLS } from '../helpers/certificates.js'
import { until } from '../helpers/liveness.js'
import { openRaw, requestHead, type RawHead, type RawPeer } from '../helpers/raw-peer.js'
import { openRawTls } from '../helpers/raw-tls.js'
import { HAS_UNIX_SOCKETS } from '../helpers/systems.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

type WayIn =
  | 'its own port by handle'
  | 'its own port by stream'
  | 'its own port with TLS'
  | 'attach'
  | 'attach to https'
  | 'handleUpgrade'
  | 'a Unix socket'
const WAYS_IN: readonly WayIn[] = [
  'its own port by handle',
  'its own port by stream',
  'its own port with TLS',
  'attach',
  'attach to https',
  'handleUpgrade',
  ...(HAS_UNIX_SOCKETS ? (['a Unix socket'] as const) : []),
]

interface Listening {
  readonly server: WebSocketServer
  /** Sends a handshake, to `/` unless another target is given. @returns the peer, and the head of the answer */
  ask(fields?: Readonly<Record<string, string>>, target?: string): Promise<{ peer: RawPeer; head: RawHead }>
}

async function listen(way: WayIn, options: ServerOptions, service: ServerService = {}): Promise<Listening> {
  const own = way.startsWith('its own port')
  const isSecure = way === 'its own port with TLS' || way === 'attach to https'
  const server = new WebSocketServer({
    ...options,
    ...(way === 'its own port by stream' ? { directIo: false } : {}),
    ...(way === 'its own port with TLS' ? { tls: SERVER_TLS } : {}),
  })
  cleanups.push(() => server.terminate())
  server.route('/', service)
  server.route('/rooms/:room', service)
  let target: number | string
  if (own) {
    target = (await server.listen(0, '127.0.0.1')).port
  } else {
    const http: HttpServer = isSecure ? createTlsServer(SERVER_TLS) : createServer()
    if (way === 'handleUpgrade') {
      http.on('upgrade', (request, socket, head: Buffer) => {
        server.handleUpgrade(request, socket, head)
      })
    } else server.attach(http)
    cleanups.push(() => http.close())
    if (way === 'a Unix socket') {
      const directory = await mkdtemp(path.join(tmpdir(), 'hawser-quotas-'))
      cleanups.push(() => rm(directory, { recursive: true }))
      target = path.join(directory, 'socket')
      http.listen(target)
      await once(http, 'listening')
    } else {
      http.listen(0, '127.0.0.1')
      await once(http, 'listening')
      target = (http.address() as AddressInfo).port
    }
  }
  return {
    server,
    async ask(fields, path = '/') {
      const peer = isSecure && typeof target === 'number' ? await openRawTls(target) : await openRaw(target)
      cleanups.push(() => peer.socket.destroy())
      peer.write(requestHead(path, fields))
      return { peer, head: await peer.readHead() }
    },
  }
}

describe.each(WAYS_IN)('by %s', (way) => {
  it('a handshake above the quota of all gets 503 with Retry-After, before onUpgrade, and is counted', async () => {
    let asked = 0
    const { server, ask } = await listen(
      way,
      { handshakeQuotas: { perSecond: 0.01, burst: 3 } },
      {
        onUpgrade: () => {
          asked++
          return accept()
        },
      },
    )
    for (let i = 0; i < 3; i++) expect((await ask()).head.status).toBe(101)
    const { head } = await ask()
    expect(head.status).toBe(503)
    const seconds = Number(head.get('Retry-After'))
    expect(seconds).toBeGreaterThanOrEqual(90)
    expect(seconds).toBeLessThanOrEqual(110)
    expect(asked).toBe(3)
    const [route] = server.routes()
    for (const stats of [server.stats(), route?.stats()]) {
      expect(stats).toMatchObject({ opened: 3, rejectedUpgrades: 1, quotas: { handshakes: 1 } })
    }
  })

  it.each([
    ['to a path without a route', '/nowhere', {}, 404],
    ['whose parameter is malformed', '/rooms/%zz', {}, 400],
    ['of another version', '/', { 'Sec-WebSocket-Version': '12' }, 426],
    ['without a route and malformed', '/nowhere', { 'Sec-WebSocket-Key': 'x' }, 400],
  ] as const)('a handshake %s counts for its client, and is refused above the quota', async (...row) => {
    const [, target, wrong, status] = row
    const { server, ask } = await listen(way, {
      trustedProxies: ['loopback', 'unix'],
      handshakeQuotas: { perSecondPerAddress: 0.01, burstPerAddress: 2 },
    })
    const from = { ...wrong, 'X-Forwarded-For': '203.0.113.7' }
    for (let i = 0; i < 2; i++) expect((await ask(from, target)).head.status).toBe(status)
    expect((await ask(from, target)).head.status).toBe(429)
    // A handshake that is in order comes too late as well; another client has its own quota.
    expect((await ask({ 'X-Forwarded-For': '203.0.113.7' })).head.status).toBe(429)
    expect((await ask({ 'X-Forwarded-For': '203.0.113.8' })).head.status).toBe(101)
    expect(server.stats()).toMatchObject({ rejectedUpgrades: 4, quotas: { handshakesOfAddress: 2 } })
  })

  it('a client behind a trusted proxy is the one that the proxy reports, whatever it writes before that', async () => {
    const addresses: unknown[] = []
    const { server, ask } = await listen(
      way,
      {
        trustedProxies: ['loopback', 'unix'],
        handshakeQuotas: { perSecondPerAddress: 0.01, burstPerAddress: 2 },
        maxConnectionsPerAddress: 1,
      },
      {
        onUpgrade: (request) => accept({ data: [request.clientAddress, request.remoteAddress] }),
        onOpen: (socket) => {
          addresses.push([...(socket.data as string[]), socket.clientAddress, socket.remoteAddress])
        },
      },
    )
    const peerAddress = way === 'a Unix socket' ? '' : '127.0.0.1'
    const from = (...entries: readonly string[]): Promise<{ peer: RawPeer; head: RawHead }> =>
      ask({ 'X-Forwarded-For': entries.join(', ') })
    const first = await from('9.9.9.1', '203.0.113.7')
    expect(first.head.status).toBe(101)
    // A second connection of the same client, which lies otherwise.
    expect((await from('9.9.9.2', '203.0.113.7')).head.status).toBe(503)
    // A third handshake.
    const third = (await from('9.9.9.3', '203.0.113.7')).head
    expect(third.status).toBe(429)
    expect(Number(third.get('Retry-After'))).toBeGreaterThan(90)
    expect(Number(third.get('Retry-After'))).toBeLessThanOrEqual(100)
    expect((await from('203.0.113.8')).head.status).toBe(101)
    // All of a /64 are one client.
    expect((await from('2001:db8::1')).head.status).toBe(101)
    expect((await from('2001:db8::2')).head.status).toBe(503)
    expect((await from('2001:db8::3')).head.status).toBe(429)
    // The proxy reports nothing of use: its own address counts, where it has one.
    expect((await from('unknown')).head.status).toBe(101)
    const reported = (client: string): string[] => [client, peerAddress, client, peerAddress]
    expect(addresses).toEqual(['203.0.113.7', '203.0.113.8', '2001:db8::1', peerAddress].map(reported))
    expect(server.stats().quotas).toMatchObject({ handshakes: 0, handshakesOfAddress: 2 })
    // The place of a connection that is over is free again.
    first.peer.socket.destroy()
    await until('it is over', () => server.connectionCount === 3)
    expect((await from('203.0.113.7')).head.status).toBe(429)
  })

  it('without trusted proxies nobody is believed', async () => {
    const addresses: string[] = []
    const { ask } = await listen(
      way,
      {},
      {
        onOpen: (socket) => {
          addresses.push(socket.clientAddress)
        },
      },
    )
    const fields = { 'X-Forwarded-For': '203.0.113.7', Forwarded: 'for=203.0.113.7' }
    expect((await ask(fields)).head.status).toBe(101)
    expect(addresses).toEqual([way === 'a Unix socket' ? '' : '127.0.0.1'])
  })
})

it('an address above its quota gets 429 with the time until it has room, and room then', async () => {
  const { ask } = await listen('its own port by handle', {
    handshakeQuotas: { perSecondPerAddress: 1, burstPerAddress: 1 },
  })
  let { peer, head } = await ask()
  expect(head.status).toBe(101)
  while (head.status === 101) ({ peer, head } = await ask())
  expect([head.status, head.get('Retry-After')]).toEqual([429, '1'])
  expect(await peer.readText(Number(head.get('Content-Length')))).toBe(
    'too many handshakes from this address\n',
  )
  let { status } = (await ask()).head
  while (status !== 101) ({ status } = (await ask()).head)
  expect(status).toBe(101)
})

if (HAS_UNIX_SOCKETS)
  it('a Unix socket has no address, so that only the quota of all counts its handshakes', async () => {
    const { ask } = await listen('a Unix socket', { handshakeQuotas: { perSecondPerAddress: 0.01 } })
    for (let i = 0; i < 5; i++) expect((await ask()).head.status).toBe(101)
  })

it('maxConnectionsPerAddress counts IPv4 and the same mapped into IPv6 as one', async () => {
  const { ask } = await listen('its own port by handle', {
    trustedProxies: 1,
    maxConnectionsPerAddress: 1,
  })
  expect((await ask({ 'X-Forwarded-For': '::ffff:203.0.113.7' })).head.status).toBe(101)
  expect((await ask({ 'X-Forwarded-For': '203.0.113.7' })).head.status).toBe(503)
})

it('Forwarded is read where it is set, and X-Forwarded-For is not', async () => {
  const addresses: string[] = []
  const { ask } = await listen(
    'its own port by handle',
    { trustedProxies: 1, forwardedHeader: 'Forwarded' },
    {
      onOpen: (socket) => {
        addresses.push(socket.clientAddress)
      },
    },
  )
  await ask({ Forwarded: 'for="[2001:db8::1]:4711";proto=https', 'X-Forwarded-For': '9.9.9.9' })
  await ask({ 'X-Forwarded-For': '9.9.9.9' })
  expect(addresses).toEqual(['2001:db8::1', '127.0.0.1'])
})

it.each(['its own port by handle', 'attach'] as const)(
  'a function as trustedProxies that fails gives 500, and the error is heard once, by %s',
  async (way) => {
    const errors: string[] = []
    const { server, ask } = await listen(way, {
      maxConnectionsPerAddress: 1,
      trustedProxies: () => {
        throw new Error('mine')
      },
      onError: (error) => errors.push(error.message),
    })
    expect((await ask()).head.status).toBe(500)
    expect((await ask()).head.status).toBe(500)
    expect(errors).toEqual(['mine', 'mine'])
    expect(server.stats().rejectedUpgrades).toBe(2)
  },
)

it('a connection holds the address of its client when it is over', async () => {
  const closed: string[] = []
  const { ask } = await listen(
    'its own port by handle',
    { trustedProxies: 1 },
    {
      onClose: (socket) => {
        closed.push(socket.clientAddress)
      },
    },
  )
  const { peer } = await ask({ 'X-Forwarded-For': '203.0.113.7' })
  peer.socket.destroy()
  await until('it is over', () => closed.length === 1)
  expect(closed).toEqual(['203.0.113.7'])
})

test('a head of which node:http may have dropped what the proxy wrote is refused, and counts for the proxy, not for whom it names', async () => {
  const addresses: unknown[] = []
  const hear = (message: unknown): void => {
    addresses.push((message as { readonly clientAddress: unknown }).clientAddress)
  }
  subscribe('hawser:upgrade', hear)
  cleanups.push(() => unsubscribe('hawser:upgrade', hear))
  const http = createServer()
  http.maxHeadersCount = 12
  const server = new WebSocketServer({ trustedProxies: ['loopback'] })
  server.route('/', {})
  server.attach(http)
  cleanups.push(() => http.close())
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const peer = await openRaw((http.address() as AddressInfo).port)
  cleanups.push(() => peer.socket.destroy())
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`X-${String(i)}`, 'x']))
  peer.write(requestHead('/', { 'X-Forwarded-For': '203.0.113.7', ...many }))
  expect((await peer.readHead()).status).toBe(431)
  expect(addresses).toEqual(['127.0.0.1'])
})
