/**
 * A conversation (talks.ts) in real runs: a server and a client of Hawser, or one of them and a peer by hand, and between
 * them a proxy that does something at one byte. Many runs at once, over one server.
 */
import {
  connect,
  WebSocketServer,
  type ConnectOptions,
  type ServerOptions,
  type Service,
  type Socket,
} from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from './certificates.js'
import { ConnectProxy } from './connect-proxy.js'
import type { Sender } from './fault-flow.js'
import { FaultProxy } from './fault-proxy.js'
import { openRaw, RawServer, type RawPeer } from './raw-peer.js'
import { listenRawTls, openRawTls } from './raw-tls.js'
import type { NarrowLimits, NarrowLine } from './small-buffers.js'
import { isStuck, Run, type Plan } from './talk-run.js'
import { marksOf, readPlain, TlsWire, type Marks, type Whole } from './talk-wire.js'
import { decide, type Talk } from './talks.js'

/** How the bytes go. */
export interface Way {
  readonly name: string
  readonly directIo: boolean
  readonly isTls: boolean
}

export const BY_HANDLE: Way = { name: 'by the handle', directIo: true, isTls: false }
export const BY_STREAM: Way = { name: 'by the stream', directIo: false, isTls: false }
export const TLS_BY_HANDLE: Way = { name: 'over TLS by the handle', directIo: true, isTls: true }
export const TLS_BY_STREAM: Way = { name: 'over TLS by the stream', directIo: false, isTls: true }

/** What both ends take. */
export type Times = Pick<
  ServerOptions & ConnectOptions,
  'handshakeTimeoutMs' | 'closeTimeoutMs' | 'sendTimeoutMs' | 'heartbeatIntervalMs' | 'heartbeatTimeoutMs'
>

/** Nothing ends by a timer of these: what hangs is found by what does not move. */
export const PATIENT: Times = {
  handshakeTimeoutMs: 120_000,
  closeTimeoutMs: 120_000,
  sendTimeoutMs: 120_000,
  heartbeatIntervalMs: false,
}
/** For lines that stall: long enough for a handshake on a machine that does many other things. */
export const IMPATIENT: Times = {
  handshakeTimeoutMs: 8_000,
  closeTimeoutMs: 5_000,
  sendTimeoutMs: 5_000,
  heartbeatIntervalMs: 3_000,
  heartbeatTimeoutMs: 3_000,
}

export interface PlayOptions {
  /** How many runs at once. Default 64. */
  readonly width?: number
  /** Over which time the first of them begin, one after another, so that the work of many is spread. Default 0. */
  readonly spreadMs?: number
  /** Called when each run of kind `hold` is held, or over; then all are released. `width` has to be all of them. */
  readonly whenHeld?: () => void | Promise<void>
  /** Puts something between an end and the proxy. @param port that the line leads to */
  readonly narrow?: (port: number, limits: NarrowLimits) => Promise<NarrowLine>
  /** A run in which nothing moves for so long hangs, beside what the timers take of a line that stalls. Default {@link QUIET_MS}. */
  readonly quietMs?: number
}

/** A process that has its turns does something in less. */
const QUIET_MS = 10_000

/** What was recorded of an undisturbed run. */
export interface Recording {
  readonly run: Run
  readonly marks: Readonly<Record<Sender, Marks>>
  /** How many bytes each end sent, those of TLS among them. */
  readonly lengths: Readonly<Record<Sender, number>>
}

const HANDLERS = [
  'onOpen',
  'onTextMessage',
  'onBinaryMessage',
  'onPing',
  'onPong',
  'onError',
  'onClose',
] as const

const SENDERS = ['client', 'server'] as const

export class TalkWorld {
  readonly talk: Talk
  readonly way: Way
  readonly server: WebSocketServer | null
  private readonly options: Times & { readonly perMessageDeflate: boolean; readonly directIo: boolean }
  /** The handlers of the server's ends, by the paths of their runs. */
  private readonly handlers = new Map<string, Service<Socket>>()
  private rawServer: { readonly port: number; close(): Promise<void> } | null = null
  private connectProxy: ConnectProxy | null = null
  private port = 0
  private runs = 0
  private wires: Readonly<Record<Sender, TlsWire>> | null = null
  private recorded: Recording | null = null

  private constructor(talk: Talk, way: Way, times: Times) {
    this.talk = talk
    this.way = way
    this.options = { ...times, perMessageDeflate: talk.isCompressed === true, directIo: way.directIo }
    const tls = way.isTls ? { tls: SERVER_TLS } : {}
    this.server = talk.server === null ? null : new WebSocketServer({ ...this.options, ...tls })
  }

  /** Listens, and records the conversation in an undisturbed run. */
  static async start(talk: Talk, way: Way, times: Times = PATIENT): Promise<TalkWorld> {
    const world = new TalkWorld(talk, way, times)
    try {
      await world.listen()
      await world.record()
    } catch (error) {
      await world.stop()
      throw error
    }
    return world
  }

  async stop(): Promise<void> {
    this.connectProxy?.close()
    await this.rawServer?.close()
    await this.server?.close({ timeoutMs: 0 })
  }

  get recording(): Recording {
    if (this.recorded === null) throw new Error('nothing was recorded')
    return this.recorded
  }

  /** Plays the conversation once for each plan; null: undisturbed. */
  async play(plans: readonly (Plan | null)[], options: PlayOptions = {}): Promise<Run[]> {
    const { width = 64, spreadMs = 0, whenHeld, quietMs = QUIET_MS } = options
    const runs: Run[] = []
    let notHeld = plans.length
    const held = async (): Promise<void> => {
      if (--notHeld > 0) return
      await whenHeld?.()
      for (const run of runs) run.release()
    }
    let next = 0
    const work = async (index: number, count: number): Promise<void> => {
      if (spreadMs > 0) await new Promise((resolve) => setTimeout(resolve, (index * spreadMs) / count))
      while (next < plans.length) {
        const plan = plans[next++] ?? null
        const waitMs = plan !== null && isStuck(plan) ? quietMs + this.timersMs : quietMs
        const run = new Run(this.talk, plan, this.read, waitMs, () => void held())
        runs.push(run)
        await this.run(run, options)
      }
    }
    const count = Math.min(width, plans.length)
    await Promise.all(Array.from({ length: count }, (_, index) => work(index, count)))
    return runs
  }

  /** All timers, one after another. */
  private get timersMs(): number {
    const { handshakeTimeoutMs = 0, closeTimeoutMs = 0, sendTimeoutMs = 0 } = this.options
    const { heartbeatIntervalMs = 0, heartbeatTimeoutMs = 0 } = this.options
    const all = [handshakeTimeoutMs, closeTimeoutMs, sendTimeoutMs, heartbeatIntervalMs, heartbeatTimeoutMs]
    return all.reduce<number>((sum, ms) => sum + Number(ms), 0)
  }

  private readonly read = (sender: Sender, bytes: Buffer): Whole =>
    this.wires === null ? readPlain(bytes, this.talk) : this.wires[sender].read(bytes)

  private async run(run: Run, { narrow }: PlayOptions): Promise<void> {
    const path = `/${String(this.runs++).padStart(5, '0')}`
    if (run.server !== null && this.talk.server !== null) {
      this.handlers.set(path, run.server.handlers(this.talk.server))
    }
    const target = this.connectProxy?.port ?? this.port
    const { sender, at } = run.stalls
    const far = await narrow?.(target, sender === 'server' ? { made: at } : {})
    const proxy = await FaultProxy.to(far?.port ?? target, { faults: run.faults(), keepsBytes: true })
    const near = await narrow?.(proxy.port, sender === 'client' ? { accepted: at } : {})
    run.relays = [far, near].filter((line) => line !== undefined)
    run.whenStalled = (stalled) => {
      if (stalled === 'client') near?.stop('accepted')
      else far?.stop('made')
    }
    this.begin(run, path, near?.port ?? proxy.port)
    await run.finish(proxy)
  }

  private async listen(): Promise<void> {
    const { server, talk, way } = this
    if (server === null) {
      const serve = (peer: RawPeer): Promise<void> => this.playByHand(peer, '')
      this.rawServer = way.isTls ? await listenRawTls(serve) : await RawServer.start(serve)
      this.port = this.rawServer.port
      return
    }
    const isLater = talk.isRefused === true || talk.decidesLater === true
    server.route('/:run', { ...(isLater ? { onUpgrade: () => decide(talk) } : {}), ...this.service() })
    this.port = (await server.listen(0, '127.0.0.1')).port
    if (talk.isTunnelled === true) this.connectProxy = await ConnectProxy.listen()
  }

  /** The handlers of each connection are those of its end. */
  private service(): Service<Socket> {
    const call =
      (name: (typeof HANDLERS)[number]) =>
      (socket: Socket, ...values: unknown[]): void => {
        const handler = this.handlers.get(socket.url)?.[name] as ((...all: unknown[]) => void) | undefined
        handler?.(socket, ...values)
      }
    return Object.fromEntries(HANDLERS.map((name) => [name, call(name)]))
  }

  private async record(): Promise<void> {
    const { talk, way } = this
    const [run] = await this.play([null])
    if (run?.problem !== '') throw new Error(`${talk.name}: ${String(run?.problem)}`)
    const bytes = { client: run.bytesOf('client'), server: run.bytesOf('server') }
    const lengths = { client: bytes.client.length, server: bytes.server.length }
    if (!way.isTls) {
      const marks = { client: marksOf(bytes.client, talk), server: marksOf(bytes.server, talk) }
      this.recorded = { run, marks, lengths }
      return
    }
    const plain = await TalkWorld.start(talk, { ...way, isTls: false })
    await plain.stop()
    const { marks } = plain.recording
    const [client, server] = SENDERS.map((sender) => new TlsWire(bytes[sender], marks[sender], sender))
    this.wires = { client: client as TlsWire, server: server as TlsWire }
    this.recorded = { run, marks, lengths }
  }

  private begin(run: Run, path: string, port: number): void {
    const { talk, way } = this
    if (run.client === null || talk.client === null) {
      void this.openByHand(port, path)
      return
    }
    const isTunnelled = talk.isTunnelled === true
    const scheme = way.isTls ? 'wss://localhost' : 'ws://127.0.0.1'
    const promise = connect<unknown>(`${scheme}:${String(isTunnelled ? this.port : port)}${path}`, {
      ...this.options,
      handlers: run.client.handlers(talk.client),
      ...(way.isTls ? { tls: { ...TRUST_SERVER, host: '127.0.0.1' } } : {}),
      ...(isTunnelled ? { proxy: `http://127.0.0.1:${String(port)}` } : {}),
    })
    run.client.follow('connect', promise)
  }

  /** The end by hand: what it throws is the end of it, and it ends when the other end does. */
  private async playByHand(peer: RawPeer, path: string): Promise<void> {
    try {
      await this.talk.byHand?.(peer, path)
    } catch {
      // The line was disturbed.
    }
    peer.end()
  }

  private async openByHand(port: number, path: string): Promise<void> {
    try {
      await this.playByHand(await (this.way.isTls ? openRawTls(port) : openRaw(port)), path)
    } catch {
      // The line was disturbed before the connection was there.
    }
  }
}
