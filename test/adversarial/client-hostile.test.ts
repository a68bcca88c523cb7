// slow: every attack by every way into a client
/**
 * A hostile server against `connect`: every wrong answer to a handshake, every violation after it, floods, lengths that
 * lie, ends at every stage. The promises settle, memory stays, and nothing of it reaches the process.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { deflateRawSync } from 'node:zlib'
import {
  connect,
  ConnectionClosedError,
  HandshakeError,
  type CloseInfo,
  type ConnectOptions,
  type ClientSocket,
} from '../../src/index.js'
import { keepFreedMemory } from '../../src/native/freed-memory.js'
import { Programs } from '../helpers/child.js'
import { TRUST_SERVER } from '../helpers/certificates.js'
import { closeFrame, fragments, frame, frameHeader, OP, readFrames } from '../helpers/frame-builder.js'
import { listViolations, WRONG_RESPONSES } from '../helpers/hostile.js'
import { Journal } from '../helpers/journal.js'
import { acceptFor, acceptRaw, RawServer, responseHead, type RawPeer } from '../helpers/raw-peer.js'
import { listenRawTls } from '../helpers/raw-tls.js'
import { journaling } from '../helpers/serving.js'

type Listen = (serve: (peer: RawPeer) => unknown) => Promise<{ url: string; close(): Promise<void> }>

const WAYS: readonly (readonly [name: string, listen: Listen, options: ConnectOptions])[] = [
  ['by handle', (serve) => RawServer.start(serve), {}],
  ['by stream', (serve) => RawServer.start(serve), { directIo: false }],
  ['over TLS', listenRawTls, { tls: TRUST_SERVER }],
]

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload })
const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }

/** What a promise rejects with; a value makes the test fail. */
const reasonOf = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    (value) => Promise.reject(new Error(`it did not reject: ${String(value)}`)),
    (error: unknown) => error as Error,
  )

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
// Its block counts as memory in use until it is collected.
keepFreedMemory()
collect()

/** Memory in use: garbage is collected before. */
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

describe.each(WAYS)('%s', (_, listen, options) => {
  /** Starts a hostile server that is stopped after the test. */
  async function hostile(serve: (peer: RawPeer) => unknown): Promise<string> {
    const server = await listen(serve)
    cleanups.push(() => server.close())
    return server.url
  }

  /** Connects and cuts the connection after the test. */
  async function open(url: string, more: ConnectOptions = {}): Promise<ClientSocket> {
    const socket = await connect(url, { ...options, ...more } as ConnectOptions<undefined>)
    cleanups.push(() => socket.terminate())
    return socket
  }

  /** Handlers that write down everything, and the connection that has them. */
  async function openWithHandlers(
    url: string,
    more: ConnectOptions = {},
  ): Promise<{ journal: Journal; socket: ClientSocket }> {
    const journal = new Journal()
    const socket = await open(url, { ...more, handlers: journaling(journal) })
    return { journal, socket }
  }

  describe('RFC 6455 section 4.1: an invalid answer to the handshake', () => {
    it.each(WRONG_RESPONSES.map((row) => [row.name, row] as const))(
      'rejects connect and ends the connection: %s',
      async (_name, { answer, error }) => {
        const peers: RawPeer[] = []
        const url = await hostile(async (peer) => {
          peers.push(peer)
          const request = await peer.readHead()
          peer.write(answer(acceptFor(request.get('sec-websocket-key') ?? '')), text('not for you'))
        })
        const journal = new Journal()
        const reasons = await Promise.all([
          reasonOf(connect(url, options)),
          reasonOf(connect(url, { ...options, handlers: journaling(journal) })),
        ])
        expect(reasons.map((reason) => (reason as { code?: string }).code)).toEqual([error, error])
        expect(reasons.every((reason) => reason instanceof HandshakeError)).toBe(true)
        expect(journal.lines).toEqual([])
        await Promise.all(peers.map((peer) => peer.left()))
        // The client sent nothing after the request.
        expect(peers.map(({ unreadBytes }) => unreadBytes)).toEqual([0, 0])
      },
    )

    it('rejects when an answer without permessage-deflate in the offer accepts it', async () => {
      const url = await hostile((peer) => acceptRaw(peer, fields))
      const reason = await reasonOf(connect(url, { ...options, perMessageDeflate: false }))
      expect(reason).toMatchObject({ code: 'HAWSER_UNEXPECTED_EXTENSION' })
    })

    it('accepts an unusual and valid answer', async () => {
      const url = await hostile(async (peer) => {
        const request = await peer.readHead()
        const accept = acceptFor(request.get('sec-websocket-key') ?? '')
        peer.write(
          'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 \r\nuPGRADE:\tWebSocket \r\n' +
            `connection: keep-alive\r\nCONNECTION: foo , uPgRaDe\r\nsec-websocket-accept:${accept}\r\n` +
            '__proto__: 1\r\nconstructor: 2\r\n\r\n',
          text('welcome'),
        )
      })
      const socket = await open(url)
      await expect(socket.receive()).resolves.toBe('welcome')
    })
  })

  describe('RFC 6455 sections 5 to 8: a violation after the handshake', () => {
    const limits = { maxMessageBytes: 100_000 }

    it.each(listViolations(undefined, limits.maxMessageBytes).map((row) => [row.name, row] as const))(
      'fails the connection after the messages before it: %s',
      async (_name, { bytes, closeCode, error, messages }) => {
        const closes = new Journal()
        const url = await hostile(async (peer) => {
          await acceptRaw(peer)
          peer.write(text('before'), bytes, text('after'))
          const close = await peer.readToClose()
          const rest = await peer.ended().catch(() => Buffer.alloc(0))
          closes.add(`${close.closeCode} ${close.key === null ? 'bare' : 'masked'} ${rest.length}`)
          peer.end()
        })
        const pulled = await open(url, { limits, perMessageDeflate: false })
        const { journal } = await openWithHandlers(url, { limits, perMessageDeflate: false })
        for (const message of ['before', ...messages]) await expect(pulled.receive()).resolves.toBe(message)
        const reason = await reasonOf(pulled.receive())
        expect(reason).toBeInstanceOf(ConnectionClosedError)
        expect((reason.cause as { code: string }).code).toBe(error)
        expect(await journal.until(/^closed/)).toEqual([
          'open',
          'text before',
          ...messages.map((message) => `text ${message}`),
          // Pings before the violation are emitted as well.
          ...journal.lines.filter((line) => line === 'ping '),
          `error ${error}`,
          expect.stringMatching(/^closed .*unclean engine$/),
        ])
        const told = `${closeCode} masked 0`
        expect(await closes.until(2)).toEqual([told, told])
      },
    )

    it('ignores everything after the violation', async () => {
      const url = await hostile(async (peer) => {
        await acceptRaw(peer)
        const junk = frame({ opcode: 3 })
        for (let i = 0; i < 1_000; i++) peer.write(junk, text('more'), closeFrame(1000, 'bye'))
        await peer.left()
        peer.end()
      })
      const { journal } = await openWithHandlers(url)
      await journal.until(/^closed/)
      await waitMs(20)
      expect(journal.lines).toEqual([
        'open',
        'error HAWSER_RESERVED_OPCODE',
        expect.stringMatching(/^closed .*unclean engine$/),
      ])
    })
  })

  describe('RFC 7692: compressed messages of a hostile server', () => {
    const limits = { maxMessageBytes: 100_000 }
    const squeeze = (data: Buffer): Buffer => deflateRawSync(data, { finishFlush: 2 }).subarray(0, -4)
    const compressed = (payload: Buffer): Buffer => frame({ opcode: OP.BINARY, rsv1: true, payload })

    const bomb = squeeze(Buffer.alloc(50_000_000))
    const pieceBytes = Math.ceil(bomb.length / 50)
    const pieces = Array.from({ length: 50 }, (__, i) => bomb.subarray(i * pieceBytes, (i + 1) * pieceBytes))

    it.each<readonly [name: string, bytes: Buffer, error: string]>([
      ['garbage', compressed(Buffer.from([0xff, 0xff, 0xff])), 'HAWSER_INVALID_DEFLATE'],
      [
        'a reference before the start of the data',
        compressed(Buffer.from([0x62, 0x60, 0x00, 0xbe, 0xff])),
        'HAWSER_INVALID_DEFLATE',
      ],
      ['RSV1 on a continuation', fragments(OP.TEXT, ['a', 'b']).fill(0xc0, 3, 4), 'HAWSER_RESERVED_BITS'],
      ['RSV1 on a ping', frame({ opcode: OP.PING, rsv1: true }), 'HAWSER_RESERVED_BITS'],
      [
        'a compressed text that is not UTF-8',
        frame({ opcode: OP.TEXT, rsv1: true, payload: squeeze(Buffer.from([0x61, 0xff])) }),
        'HAWSER_INVALID_UTF8',
      ],
      ['a bomb of 1000 : 1', compressed(bomb), 'HAWSER_MESSAGE_TOO_BIG'],
      ['a bomb over 50 fragments', fragments(OP.BINARY, pieces, { rsv1: true }), 'HAWSER_MESSAGE_TOO_BIG'],
    ])('fails the connection: %s', async (_name, bytes, error) => {
      const url = await hostile(async (peer) => {
        await acceptRaw(peer, fields, bytes, text('after'))
        await peer.readToClose()
        peer.end()
      })
      const { external } = process.memoryUsage()
      const socket = await open(url, { limits })
      const reason = await reasonOf(socket.receive())
      expect((reason.cause as { code: string }).code).toBe(error)
      // The bombs are 50 MB, which nothing may hold, not even as garbage.
      expect(process.memoryUsage().external - external).toBeLessThan(10_000_000)
    })

    it('survives 1,000 messages that inflate a thousandfold, each within the limit', async () => {
      const message = squeeze(Buffer.alloc(99_000))
      const url = await hostile(async (peer) => {
        await acceptRaw(peer, {
          'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover',
        })
        for (let i = 0; i < 1_000; i++) peer.write(compressed(message))
      })
      const before = await usedBytes()
      const socket = await open(url, { limits })
      await waitMs(100)
      // Nobody reads: 99 MB would be what has come.
      expect((await usedBytes()) - before).toBeLessThan(20_000_000)
      for (let i = 0; i < 1_000; i++) expect((await socket.receive()).length).toBe(99_000)
    })
  })

  describe('floods', () => {
    it('answers the last of 5,000 pings of a server that reads', async () => {
      const url = await hostile(async (peer) => {
        await acceptRaw(peer)
        peer.chunks.length = 0
        for (let i = 0; i < 5_000; i++) peer.write(frame({ opcode: OP.PING, payload: String(i) }))
        await untilPong(peer, '4999')
        peer.write(text('answered'))
      })
      const socket = await open(url)
      await expect(socket.receive()).resolves.toBe('answered')
    })

    it('holds a bounded number of pongs for a server that pings and never reads', async () => {
      const url = await hostile(async (peer) => {
        await acceptRaw(peer)
        peer.pause()
        const pings = Buffer.concat(
          Array.from({ length: 1_000 }, () => frame({ opcode: OP.PING, payload: 'x'.repeat(125) })),
        )
        for (let i = 0; i < 100; i++) peer.socket.write(pings)
      })
      const socket = await open(url)
      let most = 0
      for (let i = 0; i < 20; i++) {
        await waitMs(20)
        most = Math.max(most, socket.bufferedAmount)
      }
      // 100,000 pongs are 13 MB; some lie in the system.
      expect(most).toBeLessThan(1_000_000)
    })

    it('joins 100,000 fragments of one byte, with control frames between them', async () => {
      const one = frame({ opcode: OP.CONTINUATION, fin: false, payload: 'x' })
      const controls = [frame({ opcode: OP.PING, payload: 'p' }), frame({ opcode: OP.PONG })]
      const parts: Buffer[] = [frame({ opcode: OP.TEXT, fin: false, payload: 'x' })]
      for (let i = 1; i < 99_999; i++) {
        parts.push(one)
        if (i % 100 === 0) parts.push(...controls)
      }
      parts.push(frame({ opcode: OP.CONTINUATION, payload: 'x' }))
      const url = await hostile((peer) => acceptRaw(peer, {}, ...parts))
      const socket = await open(url)
      await expect(socket.receive()).resolves.toHaveLength(100_000)
    })

    it('keeps no memory of 500,000 empty fragments', async () => {
      const empty = Buffer.concat(Array<Buffer>(10_000).fill(frame({ opcode: OP.CONTINUATION, fin: false })))
      const url = await hostile(async (peer) => {
        await acceptRaw(peer, {}, frame({ opcode: OP.TEXT, fin: false, payload: 'a' }))
        for (let i = 0; i < 50; i++) peer.write(empty)
        peer.write(frame({ opcode: OP.PING, payload: 'done' }))
        await peer.readFrame()
        sent.add('all')
        await go.until('on')
        peer.write(frame({ opcode: OP.CONTINUATION, payload: 'b' }))
      })
      const sent = new Journal()
      const go = new Journal()
      const before = await usedBytes()
      const socket = await open(url)
      await sent.until('all')
      expect((await usedBytes()) - before).toBeLessThan(2_000_000)
      go.add('on')
      await expect(socket.receive()).resolves.toBe('ab')
    })

    it('stops reading if the application does not take 48 MB of messages, and delivers each later', async () => {
      const message = frame({ opcode: OP.BINARY, payload: Buffer.alloc(48_000, 1) })
      const writing = new Journal()
      let peerOf: RawPeer | undefined
      const url = await hostile(async (peer) => {
        peerOf = peer
        await acceptRaw(peer)
        for (let i = 0; i < 1_000; i++) peer.socket.write(message)
        writing.add('all')
      })
      const socket = await open(url)
      await writing.until('all')
      await waitMs(100)
      // The system's buffers took some of it, the client what its queue holds.
      expect(peerOf?.socket.writableLength).toBeGreaterThan(20_000_000)
      for (let i = 0; i < 1_000; i++) expect((await socket.receive()).length).toBe(48_000)
    })

    it('reserves no memory for announced payloads that never arrive', async () => {
      const url = await hostile((peer) =>
        acceptRaw(
          peer,
          {},
          frameHeader({ opcode: OP.BINARY, announce: 16 * 1024 * 1024 }),
          Buffer.alloc(100),
        ),
      )
      const before = await usedBytes()
      await Promise.all(Array.from({ length: 30 }, () => open(url)))
      await waitMs(50)
      // 480 MB were announced.
      expect((await usedBytes()) - before).toBeLessThan(10_000_000)
    })
  })

  describe('the end of a connection', () => {
    it.each<readonly [name: string, bytes: Buffer]>([
      ['right after the handshake', Buffer.alloc(0)],
      ['in the header of a frame', frame({ opcode: OP.BINARY, payload: Buffer.alloc(300) }).subarray(0, 3)],
      ['in a payload', frame({ opcode: OP.BINARY, payload: Buffer.alloc(300) }).subarray(0, 100)],
      ['between fragments', frame({ opcode: OP.TEXT, fin: false, payload: 'a' })],
    ])('reports a FIN without a Close frame as 1006: %s', async (_name, bytes) => {
      const url = await hostile(async (peer) => {
        await acceptRaw(peer)
        peer.write(text('last'), bytes)
        peer.end()
      })
      const socket = await open(url)
      const { journal } = await openWithHandlers(url)
      await expect(socket.receive()).resolves.toBe('last')
      await expect(reasonOf(socket.receive())).resolves.toMatchObject({ closeCode: 1006 })
      expect((await journal.until(/^closed/)).at(-1)).toMatch(/^closed 1006 .*unclean/)
      expect(journal.lines.filter((line) => line === 'text last')).toHaveLength(1)
    })

    it('reports a Close frame and a FIN in one segment as a clean end, after the messages before them', async () => {
      const url = await hostile(async (peer) => {
        await acceptRaw(peer, {}, text('last'), closeFrame(4321, 'bye'))
        peer.end()
      })
      const socket = await open(url)
      await expect(socket.receive()).resolves.toBe('last')
      await expect(reasonOf(socket.receive())).resolves.toMatchObject({ closeCode: 4321, reason: 'bye' })
      const { journal } = await openWithHandlers(url)
      expect(await journal.until(/^closed/)).toEqual(['open', 'text last', 'closed 4321 "bye" clean remote'])
    })

    it.each<readonly [name: string, serve: (peer: RawPeer) => unknown]>([
      ['that never answers the Close frame', () => undefined],
      [
        'that answers it and never ends the connection',
        async (peer) => peer.write(closeFrame((await peer.readToClose()).closeCode)),
      ],
      [
        'that sends messages without end instead',
        async (peer) => {
          await peer.readToClose()
          while (!peer.isClosed) {
            peer.write(text('more'))
            await waitMs(5)
          }
        },
      ],
    ])('cuts a server after closeTimeoutMs: one %s', async (_name, serve) => {
      const peers: RawPeer[] = []
      const url = await hostile(async (peer) => {
        peers.push(peer)
        await acceptRaw(peer)
        await serve(peer)
      })
      const socket = await open(url, { closeTimeoutMs: 100 })
      const info: CloseInfo = await socket.close(1000)
      expect([1000, 1006]).toContain(info.code)
      await peers[0]?.left()
      expect(socket.readyState).toBe(3)
    })
  })

  describe('a reset or a FIN at every stage', () => {
    /** What a server says in the course of a connection, cut at every few bytes. */
    const course = (request: Parameters<typeof responseHead>[0]): Buffer =>
      Buffer.concat([
        Buffer.from(responseHead(request), 'latin1'),
        frame({ opcode: OP.TEXT, payload: 'hello' }),
        fragments(OP.BINARY, [Buffer.alloc(10), Buffer.alloc(200)]),
        frame({ opcode: OP.PING, payload: 'ping' }),
        closeFrame(1000, 'bye'),
      ])

    it.each<readonly [name: string, end: (peer: RawPeer) => void]>([
      ['a reset', (peer) => peer.reset()],
      ['a FIN', (peer) => peer.end()],
    ])('settles every promise: %s', async (_name, end) => {
      const url = await hostile(async (peer) => {
        const request = await peer.readHead()
        const bytes = course(request)
        const at = Number(request.startLine.split(/[ /]+/)[1])
        peer.write(bytes.subarray(0, at))
        // Sometimes the end arrives with the earlier bytes, sometimes after them.
        if (at % 2 === 0) await waitMs(1)
        end(peer)
      })
      const outcomes = new Map<string, number>()
      const count = (name: string): unknown => outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
      const positions = Array.from({ length: 100 }, (_, i) => i * 4)
      for (let i = 0; i < positions.length; i += 10) {
        await Promise.all(
          positions.slice(i, i + 10).map(async (at) => {
            try {
              const socket = await connect(`${url}${String(at)}`, options)
              try {
                for await (const message of socket) count(typeof message)
                count('ended')
              } catch (error) {
                count((error as ConnectionClosedError).code)
              }
            } catch (error) {
              count((error as HandshakeError).code)
            }
          }),
        )
      }
      expect([...outcomes.keys()]).toEqual(
        expect.arrayContaining(['HAWSER_CONNECTION_FAILED', 'HAWSER_CONNECTION_CLOSED']),
      )
      const ends = ['HAWSER_CONNECTION_FAILED', 'HAWSER_CONNECTION_CLOSED', 'ended']
      expect(ends.reduce((sum, name) => sum + (outcomes.get(name) ?? 0), 0)).toBe(100)
    })
  })
})

describe('the process of a client', () => {
  const programs = new Programs(['frame-builder', 'raw-peer', 'hostile'])
  afterAll(() => programs.remove())

  it('survives every attack without a listener for errors', async () => {
    const { ended } = programs.run(`
      import { connect } from './src/index.js'
      import { frame, OP } from './helpers/frame-builder.js'
      import { listViolations, WRONG_RESPONSES } from './helpers/hostile.js'
      import { acceptFor, RawServer, responseHead } from './helpers/raw-peer.js'

      const violations = listViolations(undefined, 100_000)
      const stages = [...WRONG_RESPONSES, ...violations]
      const server = await RawServer.start(async (peer) => {
        const request = await peer.readHead()
        const [, number, end] = request.startLine.split(/[ /]+/)[1].match(/(\\d+)-(\\w+)/)
        const row = stages[Number(number)]
        if (row.answer) peer.write(row.answer(acceptFor(request.get('sec-websocket-key'))))
        else peer.write(responseHead(request), frame({ opcode: OP.TEXT, payload: 'x' }), row.bytes)
        if (end === 'reset') peer.reset()
        if (end === 'fin') peer.end()
        if (end === 'late') setTimeout(() => peer.reset(), 5)
        if (end === 'wait') setTimeout(() => peer.end(), 50)
      })
      let settled = 0
      for (const directIo of [true, false]) {
        for (const end of ['reset', 'fin', 'late', 'wait']) {
          await Promise.all(stages.map(async (_, number) => {
            const options = { directIo, limits: { maxMessageBytes: 100_000 }, perMessageDeflate: number % 2 === 0 }
            // A promise that is never awaited, beside one that is.
            const socket = await connect(server.url + number + '-' + end, options).catch(() => null)
            if (socket !== null) await socket.close().catch(() => null)
            settled++
          }))
        }
      }
      await server.close()
      console.log('settled', settled === 8 * stages.length)
    `)
    expect(await ended).toEqual({ status: 0, signal: null, lines: ['settled true'], errors: '' })
  }, 60_000)
})

it('the tables of hostile input also accept valid input', () => {
  // The builder of the tables is the judge: each violation is a whole frame, or announces more than it has.
  const rows = listViolations(undefined, 100_000)
  expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
  expect(rows.every(({ bytes }) => bytes.length >= 2)).toBe(true)
  expect(readFrames(rows[0]?.bytes ?? Buffer.alloc(0)).frames[0]?.rsv1).toBe(true)
})
