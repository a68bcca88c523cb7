/** permessage-deflate at the defaults, over real sockets, in every way in: whose context is kept, and who waits. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect, WebSocketServer, type ClientSocket, type ServerOptions } from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { HAS_UNIX_SOCKETS } from '../helpers/systems.js'
import { json, noise } from '../unit/deflate/codec-pair.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Way {
  readonly options?: ServerOptions
  /** Makes the server reachable. @returns its URL */
  listen(server: WebSocketServer): Promise<string>
}

const onPort: Way['listen'] = async (server) => {
  const { port } = await server.listen(0, '127.0.0.1')
  return `ws://127.0.0.1:${String(port)}/`
}

/** @param file of a Unix socket, in place of a port */
async function onHttp(prepare: (http: Server) => void, file?: string): Promise<string> {
  const http = createServer()
  prepare(http)
  if (file === undefined) http.listen(0, '127.0.0.1')
  else http.listen(file)
  await once(http, 'listening')
  cleanups.push(() => http.close())
  if (file !== undefined) return file
  return `ws://127.0.0.1:${String((http.address() as AddressInfo).port)}/`
}

const ALL_WAYS: readonly (readonly [string, Way])[] = [
  ['its own port, by the handle', { listen: onPort }],
  ['its own port, by the stream', { options: { directIo: false }, listen: onPort }],
  [
    'TLS',
    {
      options: { tls: SERVER_TLS },
      listen: async (server) =>
        (await onPort(server)).replace('ws:', 'wss:').replace('127.0.0.1', 'localhost'),
    },
  ],
  [
    'a Unix socket',
    {
      listen: async (server) => {
        const folder = mkdtempSync(path.join(tmpdir(), 'hawser-'))
        cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
        const file = path.join(folder, 's')
        await onHttp((http) => server.attach(http), file)
        return `ws+unix:${file}:/`
      },
    },
  ],
  ['attach', { listen: (server) => onHttp((http) => server.attach(http)) }],
  [
    'handleUpgrade',
    {
      listen: (server) =>
        onHttp((http) =>
          http.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head)),
        ),
    },
  ],
]
const WAYS = ALL_WAYS.filter(([name]) => HAS_UNIX_SOCKETS || name !== 'a Unix socket')

async function serve(
  way: Way,
  options: ServerOptions = {},
): Promise<{ server: WebSocketServer; url: string }> {
  const server = new WebSocketServer({ ...way.options, ...options })
  server.route('/', { onMessage: (_, message) => message })
  const url = await way.listen(server)
  cleanups.push(() => server.close({ timeoutMs: 200 }))
  return { server, url }
}

async function dial(url: string): Promise<ClientSocket> {
  const socket = await connect(url, { tls: TRUST_SERVER, perMessageDeflate: { thresholdBytes: 0 } })
  cleanups.push(() => socket.close())
  return socket
}

async function echo(socket: ClientSocket, messages: readonly string[]): Promise<void> {
  for (const message of messages) socket.send(message)
  for (const message of messages) expect(await socket.receive()).toBe(message)
}

const MESSAGES = Array.from({ length: 40 }, (_, i) =>
  json(100 + ((i * 997) % 3000) * (i % 9 === 0 ? 40 : 1), i % 5).toString(),
)

describe.each(WAYS)('permessage-deflate over %s', (_, way) => {
  test('demands nothing of the client, and both sides keep their context', async () => {
    const { url } = await serve(way)
    const socket = await dial(url)
    expect(socket.extensions).toBe('permessage-deflate')
    await echo(socket, MESSAGES)
  })

  test('is declined while there is no room for more contexts, and agreed to again later', async () => {
    const { url } = await serve(way, { perMessageDeflate: { maxInflateHistoryBytes: 1000 } })
    const first = await dial(url)
    await echo(first, [json(1500).toString()])
    const second = await dial(url)
    expect([first.extensions, second.extensions]).toEqual(['permessage-deflate', ''])
    await echo(second, MESSAGES)
    await echo(first, MESSAGES)
    await first.close()
    const third = await dial(url)
    expect(third.extensions).toBe('permessage-deflate')
    await echo(third, MESSAGES)
  })

  test('compresses a large broadcast in the thread pool, in order with other messages, and skips connections that ended', async () => {
    // All of it waits at first.
    const { server, url } = await serve(way, { limits: { maxBufferedOutputBytes: 8 * 1024 * 1024 } })
    const sockets = await Promise.all([dial(url), dial(url), dial(url)])
    const large = json(300_000).toString()
    const other = json(200_000, 5).toString()
    for (let i = 0; i < 3; i++) {
      server.broadcast(large)
      server.broadcast(`between ${String(i)}`)
      server.broadcast(noise(100_000))
      server.broadcast(other)
    }
    sockets[2].terminate()
    for (const socket of sockets.slice(0, 2)) {
      for (let i = 0; i < 3; i++) {
        expect((await socket.receive()) === large).toBe(true)
        expect(await socket.receive()).toBe(`between ${String(i)}`)
        expect(noise(100_000).equals((await socket.receive()) as Buffer)).toBe(true)
        expect((await socket.receive()) === other).toBe(true)
      }
      await echo(socket, MESSAGES.slice(0, 5))
    }
  })
})
