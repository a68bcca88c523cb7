// slow: peers in Java, Go and Python must be fetched and started
/** Implementations in Java and Go as peers, both ways round: Netty, Jetty, Java-WebSocket, Undertow, gorilla, gws. */
import { HandshakeError } from '../../src/errors.js'
import { connect, WebSocketServer, type ServerOptions } from '../../src/index.js'
import type { PerMessageDeflateOptions } from '../../src/deflate/options.js'
import { buildPeers, Peers } from './peers/peers.js'

const MESSAGES = 200

/** Varied JSON, of which each message repeats parts of those before it: 1 KiB to 4 KiB. */
function message(number: number): string {
  const items: Record<string, unknown> = { number }
  let state = number + 1
  for (let length = 0; length < 1024 * (1 + (number % 4)); length += 24) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    items[`key${String(length)}`] = `value ${String(state >>> 8)}`
  }
  return JSON.stringify(items)
}

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** An echo of Hawser's. */
async function echo(options: ServerOptions): Promise<string> {
  const server = new WebSocketServer(options)
  server.route('/', { onMessage: (_, text) => text })
  const { port } = await server.listen(0, '127.0.0.1')
  cleanups.push(() => server.close({ timeoutMs: 200 }))
  return `ws://127.0.0.1:${String(port)}/`
}

const LANGUAGES = [
  { language: 'java', clients: ['netty', 'jetty'], servers: ['java-websocket', 'undertow'] },
  { language: 'go', clients: ['gorilla', 'gws'], servers: ['gorilla', 'gws'] },
] as const

describe.each(LANGUAGES)('peers in $language', ({ language, clients, servers }) => {
  const command = buildPeers(language)
  if (typeof command === 'string') {
    const isLeftOut = process.env['CI'] !== 'true'
    if (isLeftOut) {
      process.stdout.write(`interop: the peers in ${language} are left out: ${command.slice(0, 500)}\n`)
    }
    test('can be built and run, or their tools are missing here', () => {
      expect(isLeftOut ? 'left out' : command).toBe('left out')
    })
    return
  }

  let peers: Peers
  beforeAll(async () => {
    peers = new Peers(command)
    await peers.ready()
  })
  afterAll(() => {
    peers.stop()
  })

  describe.each(clients)('%s as the client', (name) => {
    test.each<[string, ServerOptions]>([
      ['all defaults', {}],
      ['streams instead of handles', { directIo: false }],
      ['a server that drops its own context', { perMessageDeflate: { serverNoContextTakeover: true } }],
      ['no decompressor to lend', { perMessageDeflate: { maxSharedInflaterBytes: 0 } }],
      ['everything on the thread pool', { perMessageDeflate: { asyncThresholdBytes: 0 } }],
    ])('exchanges 200 compressed messages with the server: %s', async (_, options) => {
      await expect(peers.runClient(name, await echo(options))).resolves.toMatch(/^ok .*permessage-deflate/)
    })

    test('is served when there is no room for its context, compressed or not', async () => {
      const url = await echo({ perMessageDeflate: { maxInflateHistoryBytes: 0 } })
      await expect(peers.runClient(name, url)).resolves.toMatch(/^ok /)
    })
  })

  describe.each(servers)('%s as the server', (name) => {
    test.each<[string, PerMessageDeflateOptions]>([
      ['all defaults', {}],
      ['serverMaxWindowBits: 10', { serverMaxWindowBits: 10 }],
      ['serverNoContextTakeover', { serverNoContextTakeover: true }],
      ['clientNoContextTakeover', { clientNoContextTakeover: true }],
      ['everything on the thread pool', { asyncThresholdBytes: 0 }],
    ])('exchanges 200 compressed messages with the client: %s', async (_, options) => {
      const url = `ws://127.0.0.1:${String(peers.ports.get(name))}/`
      const socket = await connect(url, { perMessageDeflate: { thresholdBytes: 0, ...options } })
      expect(socket.extensions).toMatch(/^permessage-deflate/)
      for (let i = 0; i < MESSAGES; i++) {
        socket.send(message(i))
        // Not all at once: none of these servers reads on while it cannot write.
        if (i >= 20) expect(await socket.receive()).toBe(message(i - 20))
      }
      for (let i = MESSAGES - 20; i < MESSAGES; i++) expect(await socket.receive()).toBe(message(i))
      await expect(socket.close()).resolves.toMatchObject({ wasClean: true })
    })

    test('is refused by a strict client when it ignores the requested window', async () => {
      const url = `ws://127.0.0.1:${String(peers.ports.get(name))}/`
      const failure: unknown = await connect(url, {
        perMessageDeflate: { serverMaxWindowBits: 10, strictNegotiation: true },
      }).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(HandshakeError)
      expect(failure).toMatchObject({ code: 'HAWSER_UNEXPECTED_EXTENSION' })
    })
  })
})
