// slow: random histories over real sockets
/**
 * The model of liveness over real sockets, with short times and few runs: what a system does that no model has. By the
 * handle and by the stream, as a server and as a client; the peer is by hand.
 */
import fc from 'fast-check'
import type { Socket as TcpSocket } from 'node:net'
import { connect } from '../../src/client/connect.js'
import { timerWheel } from '../../src/transport/timer-wheel.js'
import { WebSocketServer } from '../../src/server/websocket-server.js'
import type { Socket } from '../../src/socket/socket.js'
import { ModelApplication, padded, type Behaviour, type WorldOptions } from '../helpers/model-application.js'
import { ModelPeer, type PeerLine, type Speed } from '../helpers/model-peer.js'
import { acceptRaw, RawServer, upgradeRaw } from '../helpers/raw-peer.js'

const RUNS = Number(process.env['HAWSER_RUNS'] ?? 1)

/** What the peer of the model does, over a real socket: it reads when it is asked to, and the system does the rest. */
class SocketLine implements PeerLine {
  readonly system: PeerLine['system']
  private readonly tcp: TcpSocket

  constructor(tcp: TcpSocket) {
    this.tcp = tcp
    tcp.removeAllListeners('data')
    tcp.pause()
    let unread = Buffer.alloc(0)
    this.system = {
      get isEnded() {
        return tcp.readableEnded
      },
      get heldBytes() {
        return unread.length + tcp.readableLength
      },
      read: (most) => {
        // In the mode that reads on demand it is this call that asks the system for more, and that sees the end.
        const next = most > unread.length ? (tcp.read() as Buffer | null) : null
        if (next !== null) unread = Buffer.concat([unread, next])
        const bytes = unread.subarray(0, Math.min(most, unread.length))
        unread = unread.subarray(bytes.length)
        return bytes
      },
    }
  }

  get isReading(): boolean {
    return !this.tcp.destroyed && this.tcp.writable
  }

  readonly receivedBytes = 0

  move(): boolean {
    return false
  }

  deliver(bytes: Buffer): void {
    this.tcp.write(bytes)
  }

  deliverEnd(): void {
    this.tcp.end()
  }

  reset(): void {
    this.tcp.resetAndDestroy()
  }
}

interface Opened {
  readonly app: ModelApplication
  readonly peer: ModelPeer
  readonly socket: Socket
  readonly server: WebSocketServer | null
  messageCount: number
  close(): Promise<void>
}

const LIMITS = {
  sendTimeoutMs: 300,
  closeTimeoutMs: 300,
  heartbeatIntervalMs: 200,
  heartbeatTimeoutMs: 200,
  maxBufferedOutputBytes: 256 * 1024,
  highWaterMarkBytes: 16 * 1024,
  maxQueuedMessages: 4,
  maxMessageBytes: 128 * 1024,
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function openServer(options: WorldOptions, directIo: boolean): Promise<Opened> {
  const app = new ModelApplication(options)
  const server = new WebSocketServer({
    limits: LIMITS,
    slowConsumer: options.slowConsumer,
    perMessageDeflate: false,
    directIo,
    onError: (error) => app.hearUnheard(error),
  })
  let made!: Socket
  server.route('/', (socket) => {
    made = socket
    app.begin(made)
    return app.handlers
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const raw = await upgradeRaw(port)
  const peer = new ModelPeer(new SocketLine(raw.socket), true, false)
  const close = async (): Promise<void> => {
    raw.socket.destroy()
    server.terminate()
    await server.close()
  }
  return { app, peer, socket: made, server, messageCount: 0, close }
}

async function openClient(options: WorldOptions, directIo: boolean): Promise<Opened> {
  const app = new ModelApplication(options)
  let peer!: ModelPeer
  const server = await RawServer.start(async (raw) => {
    await acceptRaw(raw)
    peer = new ModelPeer(new SocketLine(raw.socket), false, false)
  })
  const socket = await connect(server.url, {
    limits: LIMITS,
    slowConsumer: options.slowConsumer,
    perMessageDeflate: false,
    directIo,
    handlers: app.handlers,
  })
  app.begin(socket)
  const close = async (): Promise<void> => {
    socket.terminate()
    await server.close()
  }
  return { app, peer, socket, server: null, messageCount: 0, close }
}

/** Real time goes by. */
async function pass(peer: ModelPeer, ms: number, isDone = (): boolean => false): Promise<void> {
  const until = performance.now() + ms
  for (let last = performance.now(); last < until && !isDone();) {
    await delay(4)
    const now = performance.now()
    peer.exchange((now - last) / 1000)
    last = now
  }
}

type Act = (opened: Opened) => void | Promise<void>
interface Step {
  readonly act: Act
  toString(): string
}
const step = (name: string, act: Act): Step => ({ act, toString: () => name })

function message(opened: Opened, doing: Behaviour, length: number): void {
  const { peer } = opened
  if (peer.hasSentClose || peer.isDone) return
  const id = opened.messageCount++
  peer.sendMessage(id, padded(`${id}|${JSON.stringify(doing)}|`, length), 1, false)
}

const SPEEDS: Readonly<Record<string, Speed>> = {
  fast: 'fast',
  stalled: 'stalled',
  // Far more than 64 KiB in each sendTimeoutMs, far less than loopback.
  steady: { bytesPerSecond: 4_000_000 },
}

const behaviour = fc.constantFrom<Behaviour[]>(
  ['nothing'],
  ['wait', 20],
  ['reply', 50_000],
  ['replyLater', 20, 100],
  ['stream', 4, 20_000],
  ['drain', 60_000],
  ['pause', 20],
)

const ordinary: fc.Arbitrary<Step> = fc.oneof(
  fc
    .constantFrom(0, 100, 70_000, 3_000_000)
    .map((length) => step(`send(${length})`, ({ app }) => app.send(length, 'binary', true))),
  fc.tuple(fc.constantFrom(1, 30), behaviour, fc.constantFrom(0, 500, 60_000)).map(([count, what, length]) =>
    step(`peer.messages(${count}, ${JSON.stringify(what)}, ${length})`, (opened) => {
      for (let i = 0; i < count; i++) message(opened, i === 0 ? what : ['nothing'], length)
    }),
  ),
  fc.constantFrom('fast', 'stalled', 'steady').map((name) =>
    step(`peer.reads(${name})`, ({ peer }) => {
      peer.reading.speed = SPEEDS[name] as Speed
    }),
  ),
  fc.constantFrom(10, 100, 500).map((ms) => step(`pass(${ms})`, ({ peer }) => pass(peer, ms))),
  fc.constant(step('drained', ({ app }) => app.drained())),
  fc.constant(step('pause', ({ app }) => app.pause())),
  fc.constant(step('resume', ({ app }) => app.resume())),
)

const ending: fc.Arbitrary<Step> = fc.constantFrom(
  step('nothing', () => undefined),
  step('peer.close', ({ peer }) => peer.sendClose(1000)),
  step('peer.end', ({ peer }) => peer.end()),
  step('peer.reset', ({ peer }) => peer.reset()),
  step('close', ({ app }) => app.close()),
  step('close(100)', ({ app }) => app.close(100)),
  step('terminate', ({ app }) => app.terminate()),
  step('server.close', ({ app, server }) => {
    if (server !== null) app.promise('server.close', server.close())
  }),
)

/** What has to be true when everything is over. */
function check({ app, peer, socket }: Opened): void {
  const { closeInfo, wrongs, sent, startedCount } = app
  if (closeInfo === null) throw new Error('onClose was never called')
  peer.messages.forEach((bytes, i) => {
    if (sent[i]?.bytes.equals(bytes) !== true) app.wrong(`the peer got something else as message ${i}`)
  })
  if (startedCount > peer.sent.length) app.wrong('more messages were handled than were sent')
  if (closeInfo.wasClean && !app.hasFailed) {
    const { droppedMessages } = closeInfo
    if (startedCount + droppedMessages !== peer.sent.length) {
      app.wrong(`of ${peer.sent.length} messages ${startedCount} were handled, ${droppedMessages} dropped`)
    }
    if (peer.messages.length !== sent.length && peer.closeCode !== null) {
      app.wrong(`of ${sent.length} messages ${peer.messages.length} arrived`)
    }
  }
  if (app.pendingPromises.length > 0) app.wrong(`not settled: ${app.pendingPromises.join()}`)
  if (!socket.signal.aborted) app.wrong('socket.signal is not aborted')
  if (socket.send('late')) app.wrong('send takes something after the end')
  if (socket.bufferedAmount > 0) app.wrong(`bufferedAmount is ${socket.bufferedAmount} after the end`)
  if (wrongs.length > 0) throw new Error(wrongs.join('; '))
}

async function run(opened: Opened, steps: readonly Step[]): Promise<void> {
  const { peer, app } = opened
  try {
    for (const { act } of steps) {
      await act(opened)
      await pass(peer, 4)
    }
    peer.reading.speed = 'fast'
    app.resume()
    await pass(peer, 100, () => app.closeInfo !== null)
    peer.sendClose(1000)
    await pass(peer, 5000, () => app.closeInfo !== null)
    await pass(peer, 20)
    check(opened)
  } finally {
    await opened.close()
    await delay(0)
  }
  expect(timerWheel.size).toBe(0)
}

describe('docs/backpressure.md: any calls in any order over real sockets', () => {
  const ways = (['server', 'client'] as const).flatMap((role) =>
    [true, false].map((directIo) => ({ role, directIo, way: directIo ? 'handle' : 'stream' })),
  )
  it.each(ways)(
    'a $role by the $way: what is sent and received is whole, in order and counted, and all of it ends',
    async ({ role, directIo }) => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('close' as const, 'drop' as const),
          fc.constantFrom(1, 3),
          fc.array(ordinary, { maxLength: 10, size: 'max' }),
          ending,
          fc.array(ordinary, { maxLength: 3, size: 'max' }),
          async (slowConsumer, concurrency, before, end, after) => {
            const options: WorldOptions = {
              role,
              line: directIo ? 'handle' : 'stream',
              systemBytes: 0,
              isCompressing: false,
              slowConsumer,
              limits: LIMITS,
              concurrency,
              opening: 'at once',
            }
            const opened = await (role === 'server' ? openServer : openClient)(options, directIo)
            await run(opened, [...before, end, ...after])
          },
        ),
        { numRuns: 8 * RUNS },
      )
    },
    30_000 * RUNS,
  )
})
