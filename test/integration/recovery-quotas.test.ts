/** Quotas of connections with recovery, over real sockets. */
import { connect, type ServerOptions, type WebSocketServer } from '../../src/index.js'
import { memoryHistory, type RecoveryEvent } from '../../src/recovery/index.js'
import type { QuotaOptions } from '../../src/server/quota-options.js'
import { SERVER_TLS } from '../helpers/certificates.js'
import { frame, frames, KEY, OP } from '../helpers/frame-builder.js'
import { turn, until, WAYS, type Way } from '../helpers/liveness.js'
import { openRaw, requestHead, type RawPeer } from '../helpers/raw-peer.js'
import { openRawTls } from '../helpers/raw-tls.js'
import { serve, stopServing } from '../helpers/serving.js'

const cleanups: (() => unknown)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
  stopServing()
})

const OPTIONS: Readonly<Record<Way, ServerOptions>> = {
  'by the handle': {},
  'by the stream': { directIo: false },
  'over TLS': { tls: SERVER_TLS },
}

const FEW: QuotaOptions = { messagesPerSecond: 0.001, messageBurst: 3 }
const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
/** The first message of a client with recovery, which knows no position. */
const POSITIONS = text('2{"positions":[]}')
const messages = (count: number): Buffer[] => Array.from({ length: count }, (_, i) => text(`0m${String(i)}`))

interface Served {
  readonly server: WebSocketServer
  readonly port: number
  readonly received: string[]
  readonly errors: Error[]
  /** A client with the subprotocol of recovery that writes its own frames. */
  open(): Promise<RawPeer>
}

async function served(way: Way, quotas: QuotaOptions): Promise<Served> {
  const received: string[] = []
  const errors: Error[] = []
  const { server, port } = await serve(
    {
      onOpen: (socket) => {
        socket.join('room:1')
      },
      onTextMessage: (_, message) => void received.push(message),
      onError: (_, error) => void errors.push(error),
    },
    {
      heartbeatIntervalMs: false,
      recovery: { history: memoryHistory(), groups: ['room:*'] },
      quotas,
      ...OPTIONS[way],
    },
  )
  return {
    server,
    port,
    received,
    errors,
    async open() {
      const peer = way === 'over TLS' ? await openRawTls(port) : await openRaw(port)
      cleanups.push(() => peer.socket.destroy())
      peer.write(requestHead('/', { 'Sec-WebSocket-Protocol': 'hawser.recovery' }))
      expect(await peer.readHead()).toMatchObject({ status: 101 })
      return peer
    },
  }
}

describe.each(WAYS)('%s', (way) => {
  it('a flood of messages closes a connection with recovery, whose positions count for nothing', async () => {
    const { server, received, errors, open } = await served(way, FEW)
    const peer = await open()
    peer.write(POSITIONS, ...messages(1000))
    for (;;) {
      const next = await peer.readFrame()
      if (next?.opcode !== OP.CLOSE) continue
      expect(next.payload.readUInt16BE()).toBe(1008)
      break
    }
    expect(received).toEqual(['m0', 'm1', 'm2'])
    expect(errors).toMatchObject([{ code: 'HAWSER_TOO_MANY_MESSAGES', limit: 3, actual: 4 }])
    expect(server.stats().quotas.closed).toBe(1)
  })

  it('an unfinished message closes it when it has too many bytes', async () => {
    const { received, errors, open } = await served(way, { bytesPerSecond: 0.001, byteBurst: 1000 })
    const peer = await open()
    peer.write(
      POSITIONS,
      text('0first'),
      frame({ opcode: OP.TEXT, fin: false, payload: '0'.repeat(2000), key: KEY }),
    )
    await until('the quota is exceeded', () => errors.length > 0)
    expect(errors).toMatchObject([{ code: 'HAWSER_TOO_MANY_BYTES', limit: 1000 }])
    expect(received).toEqual(['first'])
  })

  it('what is above a quota is dropped where that is wanted, and positions are not', async () => {
    const { server, received, open } = await served(way, {
      ...FEW,
      bytesPerSecond: 0.001,
      byteBurst: 20,
      onExceeded: 'drop',
    })
    const peer = await open()
    // Longer than the quota of bytes, and in two pieces.
    const long = frames({ opcode: OP.TEXT, payload: `2{"positions":[]}${' '.repeat(200)}`, key: KEY })
    peer.write(long.subarray(0, 150))
    await turn()
    peer.write(long.subarray(150), ...messages(5))
    await until('all are judged', () => server.stats().messagesReceived === 5)
    expect(received).toEqual(['m0', 'm1', 'm2'])
    expect(server.stats()).toMatchObject({ messagesDropped: 2, quotas: { droppedMessages: 2 } })
  })

  it('a pause stops messages to the server, and its messages to the client go on', async () => {
    const { server, received, open } = await served(way, { ...FEW, onExceeded: 'pause' })
    const peer = await open()
    peer.write(POSITIONS, ...messages(10))
    await until('it is paused', () => server.stats().quotas.pauses === 1)
    await server.group('room:1').publish('news')
    for (;;) {
      const next = await peer.readFrame()
      if (next?.text.endsWith('news')) break
    }
    expect(received).toEqual(['m0', 'm1', 'm2', 'm3'])
    // The close does not wait for the quota: what waits is dropped.
    await server.close({ timeoutMs: 100 })
    expect(server.stats().quotas.droppedMessages).toBe(6)
  })
})

it('a client of a service with quotas gets what it missed', async () => {
  const { server, port, received } = await served('by the handle', { messagesPerSecond: 1000 })
  const events: RecoveryEvent[] = []
  const socket = await connect(`ws://localhost:${String(port)}/`, {
    reconnect: { minDelayMs: 0, maxDelayMs: 5 },
    recovery: { onRecovered: (event) => events.push(event) },
  })
  cleanups.push(() => {
    socket.terminate()
  })
  await until('it has a position', () => socket.positions().length > 0)
  socket.send('hello')
  await until('the message is there', () => received.length === 1)
  for (const one of server.sockets) one.terminate()
  await server.group('room:1').publish('missed')
  expect(await socket.receive()).toBe('missed')
  expect(events).toEqual([{ group: 'room:1', recovered: true, count: 1 }])
  expect(received).toEqual(['hello'])
})
