// slow: every attack by every way into a server
/**
 * Hostile clients against a real server, through every way in: heads that lie, every violation, floods, lengths that never
 * come, resets at every stage. Others are served all the while, and memory stays.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { deflateRawSync } from 'node:zlib'
import {
  WebSocketServer,
  type ServerOptions,
  type ServerService,
  type ServerSocket,
} from '../../src/index.js'
import { keepFreedMemory } from '../../src/native/freed-memory.js'
import { SERVER_TLS } from '../helpers/certificates.js'
import { Programs } from '../helpers/child.js'
import { closeFrame, fragments, frame, frameHeader, KEY, OP, readFrames } from '../helpers/frame-builder.js'
import { listViolations } from '../helpers/hostile.js'
import { Journal } from '../helpers/journal.js'
import { acceptFor, openRaw, requestHead, SAMPLE_KEY, type RawPeer } from '../helpers/raw-peer.js'
import { openRawTls } from '../helpers/raw-tls.js'
import { journaling } from '../helpers/serving.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A way into a server. */
interface Way {
  readonly name: string
  readonly open: (port: number) => Promise<RawPeer>
  readonly listen: (server: WebSocketServer) => Promise<number>
  readonly options: ServerOptions
  /** How many connections a test makes of 100: those over TLS cost ten times as much. */
  readonly crowd: number
}

const ownPort = async (server: WebSocketServer): Promise<number> => (await server.listen(0, '127.0.0.1')).port

const attached = async (server: WebSocketServer): Promise<number> => {
  const http = createServer((_, response) => response.end('http'))
  http.on('error', () => undefined)
  server.attach(http)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    http.closeAllConnections()
    http.close()
  })
  return (http.address() as AddressInfo).port
}

const WAYS: readonly Way[] = [
  { name: 'by handle', open: openRaw, listen: ownPort, options: {}, crowd: 100 },
  { name: 'by stream', open: openRaw, listen: ownPort, options: { directIo: false }, crowd: 100 },
  {
    name: 'over TLS',
    open: (port) => openRawTls(port),
    listen: ownPort,
    options: { tls: SERVER_TLS },
    crowd: 25,
  },
  { name: 'attached to an HTTP server', open: openRaw, listen: attached, options: {}, crowd: 100 },
]

const echo: ServerService = { onMessage: (_, message) => message }
const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
// Its block counts as memory in use until it is collected.
keepFreedMemory()
collect()

async function usedBytes(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Waits for a pong. Every byte is looked at once: there may be very many before it. */
function untilPong(peer: RawPeer, payload: string): Promise<true> {
  let seen = 0
  let rest = Buffer.alloc(0)
  return peer.until(() => {
    const read = readFrames(Buffer.concat([rest, ...peer.chunks.slice(seen)]))
    seen = peer.chunks.length
    rest = Buffer.from(read.rest)
    return read.frames.some((one) => one.opcode === OP.PONG && one.text === payload) ? true : null
  })
}

const waitMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function untilEmpty(server: WebSocketServer): Promise<void> {
  const deadline = performance.now() + 10_000
  while (server.connectionCount > 0) {
    if (performance.now() > deadline) throw new Error(`${server.connectionCount} connections are left`)
    await waitMs(1)
  }
}

describe.each(WAYS.map((way) => [way.name, way] as const))('%s', (_, way) => {
  async function serve(
    service: ServerService = echo,
    options: ServerOptions = {},
  ): Promise<{ server: WebSocketServer; port: number }> {
    const server = new WebSocketServer({ ...way.options, ...options })
    server.route('/', service)
    cleanups.push(() => server.terminate())
    return { server, port: await way.listen(server) }
  }

  async function upgrade(port: number, fields: Readonly<Record<string, string>> = {}): Promise<RawPeer> {
    const peer = await way.open(port)
    peer.write(requestHead('/', fields))
    const head = await peer.readHead()
    if (head.status !== 101) throw new Error(`not upgraded: ${head.startLine}`)
    return peer
  }

  /** One connection from the handshake to a clean end. */
  async function roundTrip(port: number): Promise<void> {
    const peer = await upgrade(port)
    peer.write(text('alive'))
    expect((await peer.readFrame()).text).toBe('alive')
    peer.write(closeFrame(1000, '', { key: KEY }))
    expect((await peer.readToClose()).closeCode).toBe(1000)
    peer.end()
    await peer.closed()
  }

  describe('RFC 6455 sections 5 to 8: a violation after the handshake', () => {
    const limits = { maxMessageBytes: 100_000 }

    it.each(listViolations(KEY, limits.maxMessageBytes).map((row) => [row.name, row] as const))(
      'fails only this connection, after the messages before it: %s',
      async (_name, { bytes, closeCode, error, messages }) => {
        const journal = new Journal()
        const { port, server } = await serve(journaling<ServerSocket>(journal), { limits })
        const other = await upgrade(port)
        const peer = await upgrade(port)
        peer.write(text('before'), bytes, text('after'))
        const close = await peer.readToClose()
        expect([close.closeCode, close.key]).toEqual([closeCode, null])
        await expect(peer.ended()).resolves.toHaveLength(0)
        peer.end()
        await journal.until(/^closed/)
        expect(journal.lines).toEqual([
          'open',
          'open',
          'text before',
          ...messages.map((message) => `text ${message}`),
          ...journal.lines.filter((line) => line === 'ping '),
          `error ${error}`,
          expect.stringMatching(/^closed .*unclean engine$/),
        ])
        other.write(text('still here'))
        await journal.until('text still here')
        other.reset()
        await untilEmpty(server)
      },
    )
  })

  describe('RFC 6455 section 4.2.1: heads', () => {
    const required = ['Host', 'Upgrade', 'Connection', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version']

    /** The status that answers a request; 0 where the connection just ends. */
    async function statusOf(port: number, request: string): Promise<number> {
      const peer = await way.open(port)
      peer.write(request)
      const head = await peer.readHead().catch(() => null)
      peer.reset()
      return head === null ? 0 : head.status
    }

    it('refuses each head with a missing, doubled or malformed field, and serves the next connection', async () => {
      const { port } = await serve()
      const heads = [
        ...required.map((name) => requestHead('/', { [name]: '' })),
        ...required
          .filter((name) => name !== 'Upgrade' && name !== 'Connection')
          .map((name) => requestHead('/', { [name.toLowerCase()]: 'x' })),
        requestHead('/', { Upgrade: 'h2c' }),
        requestHead('/', { Connection: 'close' }),
        requestHead('/', { 'Sec-WebSocket-Version': '8' }),
        requestHead('/', { 'Sec-WebSocket-Version': '13, 13' }),
        ...['x', `${SAMPLE_KEY}=`, SAMPLE_KEY.slice(0, -2), SAMPLE_KEY.replace('d', '-')].map((key) =>
          requestHead('/', { 'Sec-WebSocket-Key': key }),
        ),
        requestHead('/', {}, 'POST'),
        requestHead('/', {}, 'get'),
        requestHead().replace('HTTP/1.1', 'HTTP/1.0'),
        requestHead('/', { 'Content-Length': '5' }),
        requestHead('/', { 'Transfer-Encoding': 'chunked' }),
        requestHead('/', { 'Sec-WebSocket-Extensions': 'a;;' }),
        requestHead('/', { 'Sec-WebSocket-Extensions': 'a; b="' }),
        requestHead('/', { 'Sec-WebSocket-Protocol': 'a b' }),
        ...['*', 'example.com:80', '//', 'x'].map((target) => requestHead(target)),
        requestHead('/', { 'X-Field': 'a\0b' }),
        requestHead('/', { 'X-Field': `a\rb` }),
        requestHead('/', { 'X Field': 'a' }),
        `${requestHead().slice(0, -2)} folded\r\n\r\n`,
        '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      ]
      const statuses = await Promise.all(heads.map((head) => statusOf(port, head)))
      // What asks for no upgrade is a request to the HTTP server, if there is one.
      const others = way.listen === attached ? [200] : []
      expect(statuses.filter((status) => status > 0 && status < 400 && !others.includes(status))).toEqual([])
      expect(statuses.some((status) => status === 400)).toBe(true)
      await roundTrip(port)
    })

    it('accepts unusual and valid heads', async () => {
      const { port } = await serve()
      for (const fields of [
        { Connection: 'keep-alive, Upgrade' },
        { Connection: 'foo ,\tuPgRaDe, bar' },
        { Upgrade: 'WebSocket' },
        { Connection: 'keep-alive', connection: 'Upgrade' },
      ]) {
        await expect(statusOf(port, requestHead('/', fields))).resolves.toBe(101)
      }
      await expect(statusOf(port, requestHead('http://any.example/'))).resolves.toBe(101)
    })

    it('gives no special meaning to names of Object.prototype', async () => {
      const { port } = await serve()
      const names = Object.getOwnPropertyNames(Object.prototype)
      for (const name of names) {
        const statuses = await Promise.all([
          statusOf(port, requestHead('/', { 'Sec-WebSocket-Extensions': name })),
          statusOf(port, requestHead('/', { 'Sec-WebSocket-Extensions': `permessage-deflate; ${name}` })),
          statusOf(port, requestHead('/', { 'Sec-WebSocket-Protocol': name })),
          statusOf(port, requestHead('/', { [name]: name })),
          statusOf(port, requestHead(`/?${name}=${name}`)),
          statusOf(port, requestHead(`/${name}`)),
        ])
        expect([name, ...statuses]).toEqual([name, 101, 101, 101, 101, 101, 404])
      }
    })

    it.each([
      'server_max_window_bits=7',
      'server_max_window_bits=0',
      'server_max_window_bits=16',
      'server_max_window_bits=08',
      'server_max_window_bits=-9',
      'server_max_window_bits',
      'client_max_window_bits=7',
      'client_max_window_bits=16',
      'server_no_context_takeover=1',
      'client_no_context_takeover; client_no_context_takeover',
      'unknown',
      'unknown=1; server_max_window_bits=10',
    ])('declines an invalid offer and accepts the next one: permessage-deflate; %s', async (parameters) => {
      const { port } = await serve()
      const wrong = `permessage-deflate; ${parameters}`
      const peer = await way.open(port)
      peer.write(requestHead('/', { 'Sec-WebSocket-Extensions': wrong }))
      const declined = await peer.readHead()
      expect([declined.status, declined.get('sec-websocket-extensions')]).toEqual([101, undefined])
      peer.reset()
      const next = await way.open(port)
      next.write(
        requestHead('/', {
          'Sec-WebSocket-Extensions': `${wrong}, permessage-deflate; server_max_window_bits=10`,
        }),
      )
      const taken = await next.readHead()
      expect(taken.status).toBe(101)
      expect(taken.get('sec-websocket-extensions')).toMatch(
        /^permessage-deflate\b.*server_max_window_bits=10/,
      )
      next.reset()
    })

    it('serves other clients while many heads arrive byte by byte, and ends those in time', async () => {
      const { port, server } = await serve(echo, { handshakeTimeoutMs: 400 })
      const slow = await Promise.all(Array.from({ length: way.crowd }, () => way.open(port)))
      const head = requestHead()
      for (let at = 0; at < 20; at++) for (const peer of slow) peer.write(head.slice(at, at + 1))
      await roundTrip(port)
      await untilEmpty(server)
      if (way.listen === attached) {
        // Until the upgrade arrives, the limits of the HTTP server hold.
        for (const peer of slow) peer.reset()
      } else {
        await Promise.all(slow.map((peer) => peer.left()))
        for (const peer of slow) peer.end()
      }
      await roundTrip(port)
      expect(server.stats().opened).toBe(2)
    })

    it('refuses an endless head before its end', async () => {
      const { port } = await serve()
      const peer = await way.open(port)
      peer.write('GET / HTTP/1.1\r\nHost: x\r\n')
      let sent = 0
      while (!peer.isEnded && !peer.isClosed && sent < 4_000_000) {
        peer.socket.write(`X-Field-${sent}: ${'x'.repeat(1_000)}\r\n`)
        sent += 1_000
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(sent).toBeLessThan(4_000_000)
      peer.reset()
      await roundTrip(port)
    })

    it('reads frames in the segment of the head as the first messages', async () => {
      const journal = new Journal()
      const { port } = await serve(journaling<ServerSocket>(journal))
      const peer = await way.open(port)
      peer.write(requestHead(), text('one'), fragments(OP.TEXT, ['t', 'wo'], { key: KEY }))
      const head = await peer.readHead()
      expect(head.get('sec-websocket-accept')).toBe(acceptFor(SAMPLE_KEY))
      expect(await journal.until('text two')).toEqual(['open', 'text one', 'text two'])
      peer.reset()
    })
  })

  describe('floods', () => {
    it('answers the last of 5,000 pings of a client that reads', async () => {
      const { port } = await serve()
      const peer = await upgrade(port)
      peer.chunks.length = 0
      for (let i = 0; i < 5_000; i++) peer.write(frame({ opcode: OP.PING, payload: String(i), key: KEY }))
      await expect(untilPong(peer, '4999')).resolves.toBe(true)
      await roundTrip(port)
    })

    it('holds a bounded number of pongs for a client that pings and never reads', async () => {
      let socket: ServerSocket | undefined
      const { port } = await serve({ ...echo, onOpen: (one) => void (socket = one) })
      const peer = await upgrade(port)
      peer.pause()
      const pings = Buffer.concat(
        Array.from({ length: 1_000 }, () => frame({ opcode: OP.PING, payload: 'x'.repeat(125), key: KEY })),
      )
      let most = 0
      // 100,000 pongs are 13 MB; some lie in the system.
      for (let i = 0; i < 100; i++) {
        peer.socket.write(pings)
        if (i % 10 === 0) await waitMs(10)
        most = Math.max(most, socket?.bufferedAmount ?? Infinity)
      }
      expect(most).toBeLessThan(1_000_000)
      peer.reset()
      await roundTrip(port)
    })

    it('joins 100,000 fragments of one byte, with control frames between them', async () => {
      const lengths = new Journal()
      const { port } = await serve({ onMessage: (_, message) => lengths.add(String(message.length)) })
      const peer = await upgrade(port)
      const one = frame({ opcode: OP.CONTINUATION, fin: false, payload: 'x', key: KEY })
      const controls = [
        frame({ opcode: OP.PING, payload: 'p', key: KEY }),
        frame({ opcode: OP.PONG, key: KEY }),
      ]
      const parts: Buffer[] = [frame({ opcode: OP.TEXT, fin: false, payload: 'x', key: KEY })]
      for (let i = 1; i < 99_999; i++) {
        parts.push(one)
        if (i % 100 === 0) parts.push(...controls)
      }
      parts.push(frame({ opcode: OP.CONTINUATION, payload: 'x', key: KEY }))
      peer.write(...parts)
      expect(await lengths.until(1)).toEqual(['100000'])
    })

    it('keeps no memory of 200,000 empty fragments and 50,000 empty messages', async () => {
      let count = 0
      const { port } = await serve({
        onMessage: () => {
          count++
        },
      })
      const peer = await upgrade(port)
      peer.write(frame({ opcode: OP.TEXT, fin: false, payload: 'a', key: KEY }))
      const empty = Buffer.concat(
        Array<Buffer>(10_000).fill(frame({ opcode: OP.CONTINUATION, fin: false, key: KEY })),
      )
      // The first ones are compiled for, and what V8 keeps of that is not theirs.
      for (let i = 0; i < 5; i++) peer.write(empty)
      peer.write(frame({ opcode: OP.PING, payload: 'some', key: KEY }))
      expect((await peer.readFrame()).text).toBe('some')
      const before = await usedBytes()
      for (let i = 0; i < 20; i++) peer.write(empty)
      peer.write(frame({ opcode: OP.PING, payload: 'done', key: KEY }))
      expect((await peer.readFrame()).text).toBe('done')
      expect((await usedBytes()) - before).toBeLessThan(2_000_000)
      peer.write(frame({ opcode: OP.CONTINUATION, key: KEY }))
      const none = Buffer.concat(Array<Buffer>(10_000).fill(frame({ opcode: OP.BINARY, key: KEY })))
      for (let i = 0; i < 5; i++) peer.write(none)
      peer.write(frame({ opcode: OP.PING, payload: 'done', key: KEY }))
      expect((await peer.readFrame()).text).toBe('done')
      expect(count).toBe(50_001)
      expect((await usedBytes()) - before).toBeLessThan(2_000_000)
    })

    it('stops reading while the handler is busy', async () => {
      let release: () => void = () => undefined
      const gate = new Promise<void>((resolve) => (release = resolve))
      let count = 0
      const { port } = await serve({
        async onMessage() {
          count++
          await gate
        },
      })
      const peer = await upgrade(port)
      const message = frame({ opcode: OP.BINARY, payload: Buffer.alloc(48_000, 1), key: KEY })
      for (let i = 0; i < 1_000; i++) peer.socket.write(message)
      const taken = performance.now() + 10_000
      while (count === 0 && performance.now() < taken) await waitMs(5)
      await waitMs(150)
      expect(count).toBe(1)
      // Of 48 MB the system's buffers took some, the server what its queue holds.
      expect(peer.socket.writableLength).toBeGreaterThan(20_000_000)
      release()
      const deadline = performance.now() + 15_000
      while (count < 1_000 && performance.now() < deadline) await waitMs(5)
      expect(count).toBe(1_000)
    })

    it('reserves no memory for announced payloads that never arrive', async () => {
      const { port } = await serve()
      const before = await usedBytes()
      const lie = frameHeader({ opcode: OP.BINARY, announce: 1024 * 1024, key: KEY })
      const peers = await Promise.all(Array.from({ length: way.crowd }, () => upgrade(port)))
      for (const peer of peers) peer.write(lie, Buffer.alloc(100))
      await waitMs(50)
      // 1 MiB each was announced; the connections themselves take some, over TLS most.
      expect((await usedBytes()) - before).toBeLessThan(way.crowd * 150_000)
      for (const peer of peers) peer.reset()
      await roundTrip(port)
    })
  })

  describe('RFC 7692: compressed messages of a hostile client', () => {
    const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
    const squeeze = (data: Buffer): Buffer => deflateRawSync(data, { finishFlush: 2 }).subarray(0, -4)
    const bomb = squeeze(Buffer.alloc(50_000_000))
    const compressed = (payload: Buffer): Buffer =>
      frame({ opcode: OP.BINARY, rsv1: true, payload, key: KEY })

    it.each<readonly [name: string, bytes: Buffer, closeCode: number]>([
      ['garbage', compressed(Buffer.from([0xff, 0xff, 0xff])), 1007],
      [
        'a reference before the start of the data',
        compressed(Buffer.from([0x62, 0x60, 0x00, 0xbe, 0xff])),
        1007,
      ],
      ['RSV1 on a ping', frame({ opcode: OP.PING, rsv1: true, key: KEY }), 1002],
      [
        'a text that is not UTF-8',
        frame({ opcode: OP.TEXT, rsv1: true, payload: squeeze(Buffer.from([0x61, 0xff])), key: KEY }),
        1007,
      ],
      ['a bomb of 1000 : 1', compressed(bomb), 1009],
      [
        'a bomb over 50 fragments',
        fragments(
          OP.BINARY,
          Array.from({ length: 50 }, (_, i) =>
            bomb.subarray(i * 1_000, i < 49 ? (i + 1) * 1_000 : undefined),
          ),
          { rsv1: true, key: KEY },
        ),
        1009,
      ],
    ])('fails the connection: %s', async (_name, bytes, closeCode) => {
      const { port, server } = await serve()
      const peer = await upgrade(port, fields)
      const { external } = process.memoryUsage()
      peer.write(bytes, text('after'))
      expect((await peer.readToClose()).closeCode).toBe(closeCode)
      expect(process.memoryUsage().external - external).toBeLessThan(10_000_000)
      peer.reset()
      await roundTrip(port)
      await untilEmpty(server)
    })

    it('releases a connection that is reset while its messages are on the thread pool', async () => {
      const { port, server } = await serve(echo, {
        perMessageDeflate: { asyncThresholdBytes: 0, thresholdBytes: 0 },
      })
      const message = compressed(squeeze(Buffer.from('json {"a": 1} '.repeat(20_000))))
      for (let i = 0; i < 30; i++) {
        const peer = await upgrade(port, fields)
        for (let j = 0; j < 5; j++) peer.write(message)
        if (i % 3 === 0) peer.write(closeFrame(1000, '', { key: KEY }))
        if (i % 3 !== 1) await waitMs(i % 7)
        if (i % 2 === 0) peer.reset()
        else peer.socket.destroy()
      }
      await untilEmpty(server)
      await roundTrip(port)
      await untilEmpty(server)
      expect(server.stats().closed).toBe(31)
    })
  })

  describe('a reset, a FIN or both, at every stage', () => {
    const course = Buffer.concat([
      Buffer.from(requestHead(), 'latin1'),
      text('hello'),
      fragments(OP.BINARY, [Buffer.alloc(10), Buffer.alloc(200)], { key: KEY }),
      frame({ opcode: OP.PING, payload: 'ping', key: KEY }),
      closeFrame(1000, 'bye', { key: KEY }),
    ])

    it.each<readonly [name: string, end: (peer: RawPeer) => void]>([
      ['a reset', (peer) => peer.reset()],
      ['a FIN', (peer) => peer.end()],
      ['a FIN, then a reset', (peer) => (peer.end(), peer.reset())],
    ])('leaves no connection behind: %s', async (_name, end) => {
      const journal = new Journal()
      const { port, server } = await serve({
        ...echo,
        onOpen: () => journal.add('open'),
        onClose: () => journal.add('close'),
      })
      for (let at = 0; at < course.length; at += way.crowd === 100 ? 5 : 20) {
        const peer = await way.open(port)
        peer.socket.write(course.subarray(0, at))
        // Sometimes the end arrives with the earlier bytes, sometimes after them.
        if (at % 2 === 0) await waitMs(1)
        end(peer)
        peer.socket.resume()
      }
      await roundTrip(port)
      await untilEmpty(server)
      const count = (line: string): number => journal.lines.filter((one) => one === line).length
      expect(count('open')).toBeGreaterThan(way.crowd / 10)
      expect(count('close')).toBe(count('open'))
    })
  })
})

describe('the process of a server', () => {
  const programs = new Programs(['frame-builder', 'raw-peer', 'hostile'])
  afterAll(() => programs.remove())

  it('survives every attack without a listener for errors', async () => {
    const { ended } = programs.run(`
      import { WebSocketServer } from './src/index.js'
      import { KEY } from './helpers/frame-builder.js'
      import { listViolations } from './helpers/hostile.js'
      import { openRaw, requestHead } from './helpers/raw-peer.js'

      const violations = listViolations(KEY, 100_000)
      for (const directIo of [true, false]) {
        const server = new WebSocketServer({ directIo, limits: { maxMessageBytes: 100_000 } })
        server.route('/', { onMessage: (_, message) => message })
        const { port } = await server.listen(0, '127.0.0.1')
        for (const end of ['reset', 'fin', 'late', 'wait']) {
          await Promise.all(violations.map(async ({ bytes }) => {
            const peer = await openRaw(port)
            peer.socket.resume()
            peer.write(requestHead(), bytes)
            if (end === 'late') await new Promise((resolve) => setTimeout(resolve, 5))
            if (end === 'wait') await peer.left()
            if (end === 'reset' || end === 'late') peer.reset()
            else peer.end()
            await peer.closed()
          }))
        }
        await server.close()
        console.log('left', server.connectionCount)
      }
    `)
    expect(await ended).toEqual({ status: 0, signal: null, lines: ['left 0', 'left 0'], errors: '' })
  }, 60_000)
})
