// slow: every combination of parameters, at both ends
/** RFC 7692 with `ws` as the peer, both ways round: every combination of parameters that it takes, many messages in a row. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  WebSocket as WsSocket,
  WebSocketServer as WsServer,
  type PerMessageDeflateOptions as WsDeflate,
} from 'ws'
import { connect, WebSocketServer, type ClientSocket } from '../../src/index.js'
import type { PerMessageDeflateOptions } from '../../src/deflate/options.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const LIMITS = { maxMessageBytes: 32 * 1024 * 1024, maxBufferedOutputBytes: 64 * 1024 * 1024 }

type Message = string | Buffer

const digest = (message: Message): string =>
  `${typeof message} ${String(message.length)} ${createHash('sha256').update(message).digest('hex')}`

/** The same numbers in each run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    yield state / 4_294_967_296
  }
}

/** JSON as services send it: 200 messages that repeat one another in part, of 20 bytes to 3 KB, text and bytes. */
const MESSAGES: readonly Message[] = (() => {
  const random = numbers(1)
  const pick = (count: number): number => Math.floor(random.next().value * count)
  const names = ['ada', 'grace', 'κόσμε', '😀 barbara', 'edsger']
  return Array.from({ length: 200 }, (_, id) => {
    const row = (): object => ({
      user: names[pick(5)],
      price: pick(1_000_000) / 100,
      tags: ['a', 'b'].slice(pick(2)),
    })
    const text = JSON.stringify({ id, type: 'update', rows: Array.from({ length: 1 + pick(40) }, row) })
    return id % 5 === 4 ? Buffer.from(text) : text
  })
})()
const TOTAL_BYTES = MESSAGES.reduce((sum, message) => sum + Buffer.byteLength(message), 0)

interface HawserServer {
  readonly server: WebSocketServer
  readonly url: string
}

async function hawserEcho(perMessageDeflate: boolean | PerMessageDeflateOptions): Promise<HawserServer> {
  const server = new WebSocketServer({ perMessageDeflate, limits: LIMITS })
  server.route('/', { onMessage: (_, message) => message })
  const { port } = await server.listen(0, '127.0.0.1')
  cleanups.push(() => server.terminate())
  return { server, url: `ws://127.0.0.1:${String(port)}/` }
}

interface WsEcho {
  readonly url: string
  readonly sockets: WsSocket[]
}

async function wsEcho(perMessageDeflate: boolean | WsDeflate): Promise<WsEcho> {
  const server = new WsServer({ port: 0, host: '127.0.0.1', perMessageDeflate })
  const sockets: WsSocket[] = []
  server.on('connection', (socket) => {
    sockets.push(socket)
    socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }))
  })
  await once(server, 'listening')
  cleanups.push(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  return { sockets, url: `ws://127.0.0.1:${String((server.address() as AddressInfo).port)}/` }
}

/** A `ws` client that is open, and what it receives. */
async function openWs(
  url: string,
  perMessageDeflate: boolean | WsDeflate,
): Promise<{ socket: WsSocket; received: Message[]; until(count: number): Promise<void> }> {
  const socket = new WsSocket(url, { perMessageDeflate, maxPayload: LIMITS.maxMessageBytes })
  const received: Message[] = []
  socket.on('message', (data: Buffer, isBinary) => received.push(isBinary ? data : data.toString()))
  cleanups.push(() => socket.terminate())
  await once(socket, 'open')
  return {
    socket,
    received,
    until: async (count) => {
      while (received.length < count) await once(socket, 'message')
    },
  }
}

async function openHawser(
  url: string,
  perMessageDeflate: boolean | PerMessageDeflateOptions,
): Promise<ClientSocket> {
  const socket = await connect(url, { perMessageDeflate, limits: LIMITS })
  cleanups.push(() => socket.terminate())
  return socket
}

/** What `ws` takes: both sides with and without context, windows of its own. */
const WS_OPTIONS: readonly WsDeflate[] = [true, false].flatMap((serverNoContextTakeover) =>
  [true, false].flatMap((clientNoContextTakeover) =>
    [
      {},
      { serverMaxWindowBits: 9 },
      { clientMaxWindowBits: 9 },
      { serverMaxWindowBits: 11, clientMaxWindowBits: 10 },
    ].map((bits) => ({
      threshold: 0,
      // `ws` takes false for "never", which would decline offers that ask for it.
      ...(serverNoContextTakeover && { serverNoContextTakeover }),
      ...(clientNoContextTakeover && { clientNoContextTakeover }),
      ...bits,
    })),
  ),
)

const HAWSER_OPTIONS: readonly PerMessageDeflateOptions[] = [
  {},
  { thresholdBytes: 0, serverNoContextTakeover: true },
  { thresholdBytes: 0, clientNoContextTakeover: true, serverMaxWindowBits: 11 },
  {
    thresholdBytes: 0,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 12,
    level: 9,
  },
]

const name = (options: object): string => {
  const { threshold: _, ...rest } = options as { threshold?: number }
  return Object.keys(rest).length === 0 ? 'defaults' : JSON.stringify(rest).replaceAll('"', '')
}

const PAIRS = HAWSER_OPTIONS.flatMap((own) =>
  WS_OPTIONS.map((others) => [name(own), name(others), own, others] as const),
)

describe('200 messages in a row, there and back', () => {
  it.each(PAIRS)('reach a Hawser server (%s) from a ws client (%s)', async (_own, _others, own, others) => {
    const { server, url } = await hawserEcho(own)
    const { socket, received, until } = await openWs(url, others)
    expect(socket.extensions).toContain('permessage-deflate')
    for (const message of MESSAGES) socket.send(message)
    await until(MESSAGES.length)
    expect(received.map(digest)).toEqual(MESSAGES.map(digest))
    const { bytesReceived, bytesSent } = server.stats()
    expect(bytesReceived).toBeLessThan(TOTAL_BYTES / 2)
    expect(bytesSent).toBeLessThan(TOTAL_BYTES / 1.5)
  })

  // A server of ws declines offers whose window is smaller than its own.
  const asked = PAIRS.filter(
    ([, , own, { serverMaxWindowBits = 0 }]) => serverMaxWindowBits <= (own.serverMaxWindowBits ?? 15),
  )

  it.each(asked)(
    'reach a ws server from a Hawser client (%s), ws (%s)',
    async (_own, _others, own, others) => {
      const { sockets, url } = await wsEcho(others)
      const socket = await openHawser(url, own)
      expect(socket.extensions).toContain('permessage-deflate')
      for (const message of MESSAGES) socket.send(message)
      for (const message of MESSAGES) expect(digest(await socket.receive())).toBe(digest(message))
      const { bytesRead, bytesWritten } = (
        sockets[0] as unknown as { _socket: { bytesRead: number; bytesWritten: number } }
      )._socket
      expect(bytesRead).toBeLessThan(TOTAL_BYTES / 1.5)
      expect(bytesWritten).toBeLessThan(TOTAL_BYTES / 2)
    },
  )
})

describe('a context that is kept', () => {
  it('makes the second of two equal messages small, both ways', async () => {
    const { server, url } = await hawserEcho({ clientNoContextTakeover: false, thresholdBytes: 0 })
    const { socket, until } = await openWs(url, { threshold: 0 })
    const random = numbers(2)
    const noise = Buffer.from(Array.from({ length: 4_000 }, () => Math.floor(random.next().value * 256)))
    socket.send(noise)
    await until(1)
    const first = server.stats()
    socket.send(noise)
    await until(2)
    const second = server.stats()
    expect(second.bytesReceived - first.bytesReceived).toBeLessThan(300)
    // What the server sends shrinks too, where it has a context to lend.
    socket.send(noise)
    await until(3)
    expect(server.stats().bytesSent - second.bytesSent).toBeLessThan(4_100)
  })

  it('survives uncompressed and empty messages in between', async () => {
    const { url } = await hawserEcho({ clientNoContextTakeover: false, thresholdBytes: 0 })
    const { socket, received, until } = await openWs(url, { threshold: 0 })
    const sent: Message[] = []
    for (let i = 0; i < 100; i++) {
      const message = i % 10 === 3 ? '' : `message ${String(i % 4)} `.repeat(30)
      sent.push(message)
      socket.send(message, { compress: i % 3 !== 0 })
    }
    await until(100)
    expect(received).toEqual(sent)
  })

  it('survives uncompressed and empty messages from Hawser in between', async () => {
    const { url } = await wsEcho({ threshold: 0 })
    const socket = await openHawser(url, { thresholdBytes: 0 })
    for (let i = 0; i < 100; i++) {
      socket.send(i % 10 === 3 ? '' : `message ${String(i % 4)} `.repeat(30), { compress: i % 3 !== 0 })
    }
    for (let i = 0; i < 100; i++) {
      await expect(socket.receive()).resolves.toBe(i % 10 === 3 ? '' : `message ${String(i % 4)} `.repeat(30))
    }
  })
})

describe('fragments', () => {
  it.each([true, false])(
    'of one compressed message are joined, with pings between them: context %p',
    async (kept) => {
      const { url } = await hawserEcho({ clientNoContextTakeover: !kept, thresholdBytes: 0 })
      const { socket, received, until } = await openWs(url, { threshold: 0 })
      const pongs: string[] = []
      socket.on('pong', (data) => pongs.push(data.toString()))
      for (let round = 0; round < 20; round++) {
        for (let part = 0; part < 10; part++) {
          socket.send(`round ${String(round)} part ${String(part)} `.repeat(part * 20), { fin: part === 9 })
          if (part === 4) socket.ping(String(round))
        }
      }
      await until(20)
      expect(received).toEqual(
        Array.from({ length: 20 }, (_, round) =>
          Array.from({ length: 10 }, (__, part) =>
            `round ${String(round)} part ${String(part)} `.repeat(part * 20),
          ).join(''),
        ),
      )
      // RFC 6455 section 5.5.3: of pings that come together, the newest may be answered alone.
      expect(pongs.at(-1)).toBe('19')
    },
  )

  it('of a ws server reach a Hawser client', async () => {
    const { sockets, url } = await wsEcho({ threshold: 0 })
    const socket = await openHawser(url, true)
    while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const [other] = sockets
    for (let part = 0; part < 50; part++) other?.send(`part ${String(part)} `, { fin: part === 49 })
    await expect(socket.receive()).resolves.toBe(
      Array.from({ length: 50 }, (_, part) => `part ${String(part)} `).join(''),
    )
  })
})

describe('large messages', () => {
  const random = numbers(3)
  const noise = Buffer.from(Array.from({ length: 1_000_000 }, () => Math.floor(random.next().value * 256)))
  const large: readonly Message[] = [
    'json {"a": 1} '.repeat(300_000),
    noise,
    'κόσμε 😀 '.repeat(100_000),
    Buffer.alloc(10_000_000),
    'and a short one',
  ]

  it.each<readonly [string, PerMessageDeflateOptions]>([
    ['on the loop', { asyncThresholdBytes: Infinity }],
    ['off the loop', { asyncThresholdBytes: 0 }],
    ['by default', {}],
  ])('keep their order and their bytes, both ways: %s', async (_, own) => {
    const { url } = await hawserEcho(own)
    const { socket, received, until } = await openWs(url, {})
    for (const message of large) socket.send(message)
    await until(large.length)
    expect(received.map(digest)).toEqual(large.map(digest))
    const echo = await wsEcho({})
    const client = await openHawser(echo.url, own)
    for (const message of large) client.send(message)
    for (const message of large) expect(digest(await client.receive())).toBe(digest(message))
  })
})

describe('parameters that the peers do not agree on', () => {
  it.each<readonly [string, boolean | PerMessageDeflateOptions, boolean | WsDeflate]>([
    ['Hawser has it off', false, true],
    ['ws has it off', true, false],
  ])('leave messages unchanged: %s', async (_, own, others) => {
    const { url } = await hawserEcho(own)
    const { socket, received, until } = await openWs(url, others)
    expect(socket.extensions).toBe('')
    for (const message of MESSAGES) socket.send(message)
    await until(MESSAGES.length)
    expect(received.map(digest)).toEqual(MESSAGES.map(digest))
    const client = await openHawser((await wsEcho(others)).url, own)
    expect(client.extensions).toBe('')
    for (const message of MESSAGES) client.send(message)
    for (const message of MESSAGES) expect(digest(await client.receive())).toBe(digest(message))
  })

  it('close with 1009 for a client of ws whose small message inflates above the limit', async () => {
    const server = new WebSocketServer({ limits: { maxMessageBytes: 100_000 } })
    server.route('/', {})
    const { port } = await server.listen(0, '127.0.0.1')
    cleanups.push(() => server.terminate())
    const { socket } = await openWs(`ws://127.0.0.1:${String(port)}/`, { threshold: 0 })
    socket.send(Buffer.alloc(10_000_000))
    const [code] = (await once(socket, 'close')) as [number]
    expect(code).toBe(1009)
  })

  it('close with 1009 for a server of ws whose small message inflates above the limit of the client', async () => {
    const { sockets, url } = await wsEcho({ threshold: 0 })
    const socket = await connect(url, { limits: { maxMessageBytes: 100_000 } })
    cleanups.push(() => socket.terminate())
    while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const closed = once(sockets[0] as WsSocket, 'close')
    sockets[0]?.send(Buffer.alloc(10_000_000))
    await expect(socket.receive()).rejects.toMatchObject({ cause: { code: 'HAWSER_MESSAGE_TOO_BIG' } })
    const [code] = (await closed) as [number]
    expect(code).toBe(1009)
  })
})
