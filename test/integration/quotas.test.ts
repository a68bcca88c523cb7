/** Quotas of a connection over real sockets: a flood is closed, paused or dropped while a well-behaved client goes on. */
import { deflateRawSync } from 'node:zlib'
import {
  connect,
  ReadyState,
  type ServerOptions,
  type ServerService,
  type ServerSocket,
  type WebSocketServer,
} from '../../src/index.js'
import type { QuotaInfo, QuotaOptions } from '../../src/server/quota-options.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { closeFrame, frame, frames, KEY, OP } from '../helpers/frame-builder.js'
import { KIB, MIB, pause, turn, until, WAYS, type Way } from '../helpers/liveness.js'
import { openRaw, requestHead, type RawPeer } from '../helpers/raw-peer.js'
import { openRawTls } from '../helpers/raw-tls.js'
import { serve, stopServing } from '../helpers/serving.js'

const cleanups: (() => unknown)[] = []
afterEach(() => {
  stopServing()
  for (const cleanup of cleanups.splice(0)) cleanup()
})

const OPTIONS: Readonly<Record<Way, ServerOptions>> = {
  'by the handle': {},
  'by the stream': { directIo: false },
  'over TLS': { tls: SERVER_TLS },
}

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const ping = (payload = ''): Buffer => frame({ opcode: OP.PING, payload, key: KEY })

interface Served {
  readonly server: WebSocketServer
  readonly received: string[]
  readonly errors: Error[]
  /** Sends a message as a well-behaved client does, and has the answer. */
  echoed(message: string): Promise<void>
  /** Another connection. */
  open(fields?: Readonly<Record<string, string>>): Promise<RawPeer>
}

/** A server that echoes, and the messages of all connections that do not come from the well-behaved client. */
async function served(
  way: Way,
  quotas: QuotaOptions,
  service: Pick<ServerService, 'onPing' | 'onIdleTimeout' | 'quotas'> = {},
  options: ServerOptions = {},
): Promise<Served> {
  const received: string[] = []
  const errors: Error[] = []
  const { server, port } = await serve(
    {
      onMessage: (_, message) => {
        const shown = typeof message === 'string' ? message : `${String(message.length)} bytes`
        if (shown.startsWith('good')) return shown
        received.push(shown)
        return undefined
      },
      onError: (_, error) => {
        errors.push(error)
      },
      ...service,
    },
    { heartbeatIntervalMs: false, quotas, ...OPTIONS[way], ...options },
  )
  const isSecure = way === 'over TLS'
  const url = `${isSecure ? 'wss' : 'ws'}://localhost:${String(port)}/`
  const good = await connect(url, { perMessageDeflate: false, ...(isSecure ? { tls: TRUST_SERVER } : {}) })
  cleanups.push(() => good.terminate())
  return {
    server,
    received,
    errors,
    async echoed(message) {
      good.send(`good ${message}`)
      expect(await good.receive()).toBe(`good ${message}`)
    },
    async open(fields) {
      const peer = isSecure ? await openRawTls(port) : await openRaw(port)
      cleanups.push(() => peer.socket.destroy())
      peer.write(requestHead('/', fields))
      expect(await peer.readHead()).toMatchObject({ status: 101 })
      return peer
    },
  }
}

const numbered = (count: number): Buffer[] => Array.from({ length: count }, (_, i) => text(`m${String(i)}`))
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${String(i)}`)

describe.each(WAYS)('%s', (way) => {
  it("a thousand messages in one chunk above a quota close the connection with 1008, and no other client's", async () => {
    const { server, received, errors, echoed, open } = await served(way, {
      messagesPerSecond: 0.001,
      messageBurst: 100,
    })
    const peer = await open()
    peer.write(...numbered(1000))
    expect(await peer.readToClose()).toMatchObject({
      closeCode: 1008,
      closeReason: 'more messages than messagesPerSecond allows: 101 over a limit of 100',
    })
    await echoed('after the flood')
    expect(received).toEqual(names(100))
    expect(errors).toMatchObject([{ code: 'HAWSER_TOO_MANY_MESSAGES', limit: 100, actual: 101 }])
    peer.end()
    await until('the connection is over', () => server.connectionCount === 1)
    const { quotas, messagesDropped, messagesReceived } = server.stats()
    expect(quotas).toMatchObject({ closed: 1, droppedMessages: 1, pauses: 0 })
    expect([messagesReceived, messagesDropped]).toEqual([102, 1])
  })

  it('messages above a quota are dropped and counted, and the connection goes on', async () => {
    const { server, received, errors, echoed, open } = await served(way, {
      messagesPerSecond: 0.001,
      messageBurst: 100,
      onExceeded: 'drop',
    })
    const peer = await open()
    peer.write(...numbered(1000), ping('still here'))
    expect(await peer.readFrame()).toMatchObject({ opcode: OP.PONG, text: 'still here' })
    await echoed('during the flood')
    expect(received).toEqual(names(100))
    expect(server.stats()).toMatchObject({
      messagesReceived: 1001,
      messagesDropped: 900,
      quotas: { droppedMessages: 900, closed: 0, pauses: 0 },
    })
    const closed = new Promise((resolve) => {
      const [, flooding] = server.sockets
      void flooding?.closed.then(resolve)
    })
    peer.write(closeFrame(1000, '', { key: KEY }))
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1000 })
    peer.end()
    expect(await closed).toMatchObject({ wasClean: true, droppedMessages: 900 })
    expect(errors).toEqual([])
  })

  it('a connection above a quota is not read until there is room, and then loses no message', async () => {
    const { server, received, echoed, open } = await served(way, {
      messagesPerSecond: 400,
      messageBurst: 20,
      onExceeded: 'pause',
    })
    const peer = await open()
    const startedAt = performance.now()
    peer.write(...numbered(200))
    await echoed('during the pause')
    await until('all messages are received', () => received.length === 200)
    // 180 of them are above the burst, at 400 in a second.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(180 / 0.4 - 20)
    expect(received).toEqual(names(200))
    expect(server.stats()).toMatchObject({ messagesDropped: 0, quotas: { closed: 0, droppedMessages: 0 } })
    expect(server.stats().quotas.pauses).toBeGreaterThan(1)
  })

  it('a pause reaches the sender through TCP, whose bytes are taken at the pace of the quota', async () => {
    const { server, received, echoed, open } = await served(
      way,
      { bytesPerSecond: 64 * KIB, byteBurst: 256 * KIB, onExceeded: 'pause' },
      {},
      { limits: { maxMessageBytes: 256 * KIB } },
    )
    const peer = await open()
    const message = frame({ opcode: OP.BINARY, payload: Buffer.alloc(64 * KIB - 14), key: KEY })
    // More than the buffers of the system hold, of which there are two.
    const total = 32 * MIB
    let handedOver = 0
    for (; handedOver < total; handedOver += message.length) peer.socket.write(message)
    const startedAt = performance.now()
    await until('the quota was exceeded', () => server.stats().quotas.pauses > 0)
    await pause(300)
    await echoed('during the pause')
    const seconds = (performance.now() - startedAt) / 1000
    const most = 256 * KIB + (seconds + 1) * 64 * KIB + 2 * message.length
    expect(received.length * message.length).toBeLessThan(most)
    // The transport has read no more than that either: the rest waits at the sender.
    expect(server.stats().bytesReceived).toBeLessThan(most + 64 * KIB)
    expect(peer.socket.writableLength).toBeGreaterThan(MIB)
    // It goes on when there is room.
    const before = received.length
    await until('it goes on', () => received.length > before)
  })

  it('pings above a quota close the connection with 1008', async () => {
    const pinged: string[] = []
    const { echoed, open, errors, server } = await served(
      way,
      { controlFramesPerSecond: 0.001, controlFrameBurst: 10 },
      {
        onPing: (_, data) => {
          pinged.push(data.toString())
        },
      },
    )
    const peer = await open()
    peer.write(...Array.from({ length: 1000 }, (_, i) => ping(String(i))))
    expect(await peer.readToClose()).toMatchObject({
      closeCode: 1008,
      closeReason: 'more than controlFramesPerSecond allows: 11 over a limit of 10',
    })
    await echoed('after the flood')
    expect(pinged).toHaveLength(10)
    expect(errors).toMatchObject([{ code: 'HAWSER_TOO_MANY_CONTROL_FRAMES', limit: 10, actual: 11 }])
    expect(server.stats().quotas).toMatchObject({ closed: 1 })
  })

  it('fragments of a message that never ends exceed a quota of bytes', async () => {
    const { echoed, open, errors } = await served(way, { bytesPerSecond: 100, byteBurst: 16 * KIB })
    const peer = await open()
    const empty = frame({ opcode: OP.CONTINUATION, fin: false, payload: '', key: KEY })
    peer.write(frame({ opcode: OP.TEXT, fin: false, payload: 'm', key: KEY }))
    const many = Buffer.concat(new Array<Buffer>(4000).fill(empty))
    for (let i = 0; i < 10; i++) peer.write(many)
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1008 })
    await echoed('after the flood')
    expect(errors).toMatchObject([{ code: 'HAWSER_TOO_MANY_BYTES', limit: 16 * KIB }])
  })

  it('a compressed message counts what it inflates to', async () => {
    const { received, echoed, open, errors } = await served(way, {
      bytesPerSecond: 100,
      byteBurst: 100 * KIB,
    })
    const peer = await open({ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_no_context_takeover' })
    const compressed = deflateRawSync(Buffer.alloc(60 * KIB), { finishFlush: 2 }).subarray(0, -4)
    const bomb = frame({ opcode: OP.BINARY, rsv1: true, payload: compressed, key: KEY })
    expect(bomb.length).toBeLessThan(200)
    peer.write(bomb, bomb)
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1008 })
    await echoed('after it')
    expect(received).toEqual(['61440 bytes'])
    expect(errors).toMatchObject([{ code: 'HAWSER_TOO_MANY_BYTES' }])
  })
})

describe('a function as onExceeded', () => {
  it('gets the socket and what is exceeded, and decides about each', async () => {
    const asked: QuotaInfo[] = []
    const answers = ['allow', 'drop', 'allow', 'close'] as const
    const { server, received, open, errors } = await served('by the handle', {
      messagesPerSecond: 0.001,
      messageBurst: 2,
      onExceeded: (socket, info) => {
        expect(socket.remoteAddress).toBe('127.0.0.1')
        asked.push(info)
        return answers[info.excesses - 1] ?? 'close'
      },
    })
    const peer = await open()
    peer.write(...numbered(10))
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1008 })
    expect(received).toEqual(['m0', 'm1', 'm2', 'm4'])
    expect(asked).toEqual(
      [1, 2, 3, 4].map((excesses) => ({ quota: 'messages', perSecond: 0.001, burst: 2, excesses })),
    )
    expect(server.stats().quotas).toMatchObject({ allowed: 2, droppedMessages: 2, closed: 1 })
    expect(errors).toHaveLength(1)
  })

  it('may close with a code of its own', async () => {
    const { received, open, errors } = await served('by the handle', {
      messagesPerSecond: 0.001,
      messageBurst: 1,
      onExceeded: (socket) => {
        void socket.close(1013, 'later')
        return 'drop'
      },
    })
    const peer = await open()
    peer.write(...numbered(3))
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1013, closeReason: 'later' })
    expect(received).toEqual(['m0'])
    expect(errors).toEqual([])
  })

  it.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new Error('mine')
      },
      'mine',
    ],
    [
      'returns something else',
      () => true,
      "onExceeded must return 'close', 'pause', 'drop' or 'allow', not true",
    ],
    [
      'returns a promise',
      () => Promise.reject(new Error('unheard')),
      "onExceeded must return 'close', 'pause', 'drop' or 'allow', not a promise",
    ],
  ])('that %s fails its own connection, and the error is heard once', async (_what, decide, message) => {
    const { received, open, errors, echoed } = await served('by the handle', {
      messagesPerSecond: 0.001,
      messageBurst: 1,
      onExceeded: decide as () => 'close',
    })
    const peer = await open()
    peer.write(...numbered(3))
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1011 })
    expect(received).toEqual(['m0'])
    expect(errors.map((error) => error.message)).toEqual([message])
    await echoed('after it')
  })
})

describe('a pause for a quota', () => {
  const slow: QuotaOptions = { messagesPerSecond: 0.001, messageBurst: 5, onExceeded: 'pause' }

  it.each(WAYS)('does not hold back a close of this side, %s', async (way) => {
    let socket: ServerSocket | undefined
    const { server, received, open } = await served(way, slow)
    const peer = await open()
    peer.write(...numbered(1000))
    await until('the quota was exceeded', () => server.stats().quotas.pauses === 1)
    expect(received).toHaveLength(6)
    for (const one of server.sockets) socket = one
    const closed = socket?.close(1001, 'bye')
    // What waited is dropped, and the peer's answer is read after it.
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1001 })
    peer.write(closeFrame(1001, '', { key: KEY }))
    peer.end()
    expect(await closed).toMatchObject({ code: 1001, wasClean: true, droppedMessages: 994 })
    expect(received).toHaveLength(6)
  })

  it('ends with the connection when it is cut', async () => {
    let socket: ServerSocket | undefined
    const { server, received, open } = await served('by the handle', slow)
    const peer = await open()
    peer.write(...numbered(1000))
    await until('the quota was exceeded', () => server.stats().quotas.pauses === 1)
    for (const one of server.sockets) socket = one
    socket?.terminate()
    expect(await socket?.closed).toMatchObject({ code: 1006 })
    await peer.left()
    expect(received).toHaveLength(6)
  })

  it('is not silence of the peer: the connection is neither cut nor idle, and pings are still sent', async () => {
    let flooding: ServerSocket | undefined
    let wasIdle = false
    const { server, open, received } = await served(
      'by the handle',
      { messagesPerSecond: 0.001, messageBurst: 1, onExceeded: 'pause' },
      {
        onIdleTimeout: (socket) => {
          wasIdle ||= socket === flooding
        },
      },
      { heartbeatIntervalMs: 30, heartbeatTimeoutMs: 30, idleTimeoutMs: 100 },
    )
    const peer = await open()
    for (const one of server.sockets) flooding = one
    peer.write(...numbered(2))
    await until('the quota was exceeded', () => server.stats().quotas.pauses === 1)
    for (let i = 0; i < 10; i++) expect(await peer.readFrame()).toMatchObject({ opcode: OP.PING })
    expect(received).toEqual(names(2))
    expect(flooding?.readyState).toBe(ReadyState.OPEN)
    expect(wasIdle).toBe(false)
  })

  it('is apart from pause() and resume() of the application', async () => {
    let socket: ServerSocket | undefined
    const { server, received, open } = await served('by the handle', {
      messagesPerSecond: 2,
      messageBurst: 1,
      onExceeded: 'pause',
    })
    const peer = await open()
    for (const one of server.sockets) socket = one
    peer.write(...numbered(2))
    await until('the quota was exceeded', () => server.stats().quotas.pauses === 1)
    socket?.pause()
    peer.write(text('m2'))
    // Longer than the quota holds it.
    await pause(800)
    expect(received).toEqual(names(2))
    socket?.resume()
    await until('it goes on', () => received.length === 3)
  })
})

describe('the quotas of a service', () => {
  it('replace all of the server, and false turns them off', async () => {
    const strict = {
      quotas: { messagesPerSecond: 0.001, messageBurst: 2, onExceeded: 'drop' as const },
    }
    const own = await served('by the handle', { messagesPerSecond: 0.001, controlFramesPerSecond: 1 }, strict)
    const peer = await own.open()
    peer.write(...numbered(10), ...new Array<Buffer>(20).fill(ping('x')), ping('end'))
    for (let last = ''; last !== 'end';) last = (await peer.readFrame()).text
    expect(own.received).toEqual(names(2))
    const off = await served(
      'by the handle',
      { messagesPerSecond: 0.001, messageBurst: 1 },
      { quotas: false },
    )
    const other = await off.open()
    other.write(...numbered(50))
    await until('all messages are received', () => off.received.length === 50)
    await turn()
    expect(off.server.stats().quotas).toEqual({
      handshakes: 0,
      handshakesOfAddress: 0,
      closed: 0,
      pauses: 0,
      droppedMessages: 0,
      droppedControlFrames: 0,
      allowed: 0,
    })
  })
})

it('pings above a quota are answered where they are dropped, and reach no handler', async () => {
  const pinged: string[] = []
  const { server, open } = await served(
    'by the handle',
    { controlFramesPerSecond: 0.001, controlFrameBurst: 3, onExceeded: 'drop' },
    {
      onPing: (_, data) => {
        pinged.push(data.toString())
      },
    },
  )
  const peer = await open()
  peer.write(frames(...[0, 1, 2, 3, 4].map((i) => ({ opcode: OP.PING, payload: String(i), key: KEY }))))
  for (let i = 0; i < 5; i++)
    expect(await peer.readFrame()).toMatchObject({ opcode: OP.PONG, text: String(i) })
  expect(pinged).toEqual(['0', '1', '2'])
  expect(server.stats().quotas).toMatchObject({ droppedControlFrames: 2 })
})

it('text that is above a quota by its bytes alone reaches its handler, counts, and drops no later message', async () => {
  const { server, received, echoed, open } = await served('by the handle', {
    bytesPerSecond: 1000,
    byteBurst: 200,
    onExceeded: 'drop',
  })
  const peer = await open()
  // 92 characters with the header, and 182 bytes beside.
  const long = '\u3042'.repeat(90)
  peer.write(text(long))
  await until('it is judged', () => server.stats().messagesReceived === 1)
  await echoed('meanwhile')
  // It owes 72 bytes, which take 72 ms, and this has 102.
  await pause(300)
  peer.write(text('later'.repeat(20)))
  await until('the other has come', () => server.stats().messagesReceived === 3)
  expect(received).toEqual([long, 'later'.repeat(20)])
  expect(server.stats().quotas).toMatchObject({ droppedMessages: 0 })
})
