/**
 * A connection under test between an application and a peer, both by hand, with a clock of its own: what each of them
 * did is kept, and after every step it is checked against docs/backpressure.md.
 */
import { ClientSocketCore } from '../../src/client/connected-socket.js'
import { CLIENT_LIMITS, resolveLimits, SERVER_LIMITS, type Limits } from '../../src/limits.js'
import type { WebSocketServer } from '../../src/server/websocket-server.js'
import type { Socket } from '../../src/socket/socket.js'
import { ControlledCodec } from './controlled-codec.js'
import { REMOTE_ADDRESS, serveLine } from './line-server.js'
import { ModelApplication, type WorldOptions } from './model-application.js'
import { openLine, type Line } from './model-line.js'
import { ModelPeer } from './model-peer.js'
import { ModelRecord, STEP_MS, type Observed } from './model-record.js'

/** Turns of the event loop in which everything that follows from one thing has happened. */
const TURNS = 3

/** `setImmediate` is not faked. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export class World implements Observed {
  readonly options: WorldOptions
  readonly limits: Limits
  readonly line: Line
  readonly peer: ModelPeer
  readonly app: ModelApplication
  readonly record: ModelRecord
  readonly server: WebSocketServer | null
  socket!: Socket
  private readonly codec: ControlledCodec | null

  constructor(options: WorldOptions) {
    this.options = options
    this.limits = resolveLimits(options.limits, options.role === 'server' ? SERVER_LIMITS : CLIENT_LIMITS)
    this.line = openLine(options.line, options.systemBytes)
    this.peer = new ModelPeer(this.line, options.role === 'server', options.isCompressing)
    this.codec = options.isCompressing
      ? new ControlledCodec({ thresholdBytes: 100, asyncDeflateBytes: 64 * 1024, asyncInflateBytes: 200 })
      : null
    this.app = new ModelApplication(options)
    this.server = options.role === 'server' ? this.openServer() : null
    if (options.role !== 'server') this.openClient()
    this.record = new ModelRecord(this)
  }

  /** Lets everything happen that follows from what was done; no time goes by. */
  async settle(seconds = 0): Promise<void> {
    for (let i = 0; i < TURNS; i++) {
      this.peer.exchange(i === 0 ? seconds : 0)
      await nextTurn()
    }
    this.record.check()
  }

  /** Time goes by, step by step. */
  async pass(ms: number): Promise<void> {
    // A write over TLS takes a turn of the event loop, which must not look like time that the peer let it wait.
    const most = this.options.line === 'tls' ? STEP_MS / 2.5 : STEP_MS
    for (let left = ms; left > 0; left -= most) {
      const step = Math.min(left, most)
      jest.advanceTimersByTime(step)
      this.finishCodec()
      await this.settle(step / 1000)
    }
  }

  /** What is compressed or inflated off the loop is done. */
  finishCodec(): void {
    if (this.codec?.isDeflating === true) this.codec.finishDeflate()
    if (this.codec?.isInflating === true) this.codec.finishInflate()
  }

  /** `server.close()`; of a client, `close` with the same time. */
  closeServer(): void {
    const { app, server, limits } = this
    if (server === null) {
      app.close(limits.closeTimeoutMs)
      return
    }
    app.hasClosed = true
    app.isPaused = false
    app.closeDeadline = Math.min(app.closeDeadline, performance.now() + limits.closeTimeoutMs)
    app.call(() => app.promise('server.close', server.close()))
  }

  /** Whatever became of it: nothing of this world is left for the next. */
  async dispose(): Promise<void> {
    this.peer.reset()
    this.socket.terminate()
    for (let i = 0; i < 20; i++) {
      jest.advanceTimersByTime(1000)
      await nextTurn()
    }
    this.server?.terminate()
  }

  private openServer(): WebSocketServer {
    const { limits, slowConsumer } = this.options
    const { app } = this
    return serveLine(
      this.line,
      (socket) => {
        this.socket = socket
        app.begin(this.socket)
        return app.handlers
      },
      { limits, slowConsumer, onError: (error) => app.hearUnheard(error) },
      this.codec,
    )
  }

  private openClient(): void {
    const { options, limits, codec, app } = this
    const core = new ClientSocketCore(
      this.line.transport,
      {
        url: 'ws://192.0.2.1/',
        protocol: '',
        extensions: '',
        secure: false,
        remoteAddress: REMOTE_ADDRESS,
      },
      undefined,
      { role: 'client', limits, codec },
      { limits, slowConsumer: options.slowConsumer },
      app.handlers,
      { incoming: 'queue', codec: undefined },
    )
    const { socket } = core
    this.socket = socket
    app.begin(socket)
    app.promise('open', core.open(new Uint8Array(0), new AbortController().signal))
    if (options.role === 'reader') app.readAll(socket)
  }
}
