/** Servers with a shared history and a backplane that loses what a test wants lost, and clients that note what they get. */
import { connect, WebSocketServer, type ReconnectingSocket, type ServerOptions } from '../../src/index.js'
import { BackplaneRelay, memoryBackplane, type Backplane, type Envelope } from '../../src/backplane/index.js'
import {
  memoryHistory,
  type HistoryLimits,
  type HistoryPage,
  type HistoryStore,
  type Position,
  type RecoveryEvent,
  type RecoveryOptions,
} from '../../src/recovery/index.js'

/** Waits for what has no event. */
export async function until(isTrue: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** A history over a network that can fail, stall, be slow, lose all of its data, or its newest messages. */
export class TestHistory implements HistoryStore {
  state: 'up' | 'down' | 'stalled' = 'up'
  /** Takes a turn of the event loop for each call, as a store elsewhere does. */
  isAsync = true
  calls = { append: 0, read: 0 }
  closed = 0
  private inner = memoryHistory()

  /** All data is lost. */
  lose(): void {
    this.inner = memoryHistory()
  }

  append(group: string, data: string | Uint8Array, limits: HistoryLimits): Promise<Position> | Position {
    this.calls.append++
    return this.answer(() => this.inner.append(group, data, limits) as Position)
  }

  read(group: string, after: number, max: number, limits: HistoryLimits): Promise<HistoryPage> | HistoryPage {
    this.calls.read++
    return this.answer(() => this.inner.read(group, after, max, limits) as HistoryPage)
  }

  close(): void {
    this.closed++
  }

  private answer<T>(call: () => T): T | Promise<T> {
    if (this.state === 'down') return Promise.reject(new Error('no connection to the store'))
    if (this.state === 'stalled') return new Promise(() => undefined)
    const value = call()
    return this.isAsync ? new Promise((resolve) => setImmediate(resolve, value)) : value
  }
}

/** The server of one node. */
export interface WorldNode {
  readonly server: WebSocketServer
  readonly url: string
}

/** A client and what it got. */
export interface WorldClient {
  readonly socket: ReconnectingSocket
  /** What handlers got, in order. */
  readonly got: string[]
  readonly events: RecoveryEvent[]
}

export class World {
  readonly relay = new BackplaneRelay()
  readonly errors: string[] = []
  history: HistoryStore = memoryHistory()
  /** Whether an envelope of a node is lost. */
  isLost: (envelope: Envelope) => boolean = () => false
  private readonly servers: WebSocketServer[] = []
  private readonly clients: { terminate(): void }[] = []

  /** Starts a server whose connections join the groups of the query `?groups=a,b`, or `room:1`. */
  async node(recovery: Partial<RecoveryOptions> = {}, options: ServerOptions = {}): Promise<WorldNode> {
    const server = new WebSocketServer({
      backplane: this.lossy(memoryBackplane(this.relay)),
      onError: (error) => this.errors.push(error.message),
      recovery: { history: this.history, groups: ['room:*'], checkIntervalMs: 200, ...recovery },
      ...options,
    })
    server.route('/', {
      onOpen: (socket) => {
        for (const group of (socket.query.get('groups') ?? 'room:1').split(',')) socket.join(group)
      },
      onTextMessage: (_, text) => `echo ${text}`,
    })
    this.servers.push(server)
    const { port } = await server.listen(0, '127.0.0.1')
    return { server, url: `${options.tls === undefined ? 'ws' : 'wss'}://localhost:${String(port)}/` }
  }

  /** A client with handlers that reconnects at once, to one of these nodes after the other. */
  async client(urls: string | string[], more: object = {}): Promise<WorldClient> {
    const got: string[] = []
    const events: RecoveryEvent[] = []
    const socket = await connect(urls, {
      reconnect: { minDelayMs: 0, maxDelayMs: 5, retryFirst: true },
      recovery: { onRecovered: (event) => events.push(event) },
      handlers: {
        onMessage: (_: unknown, message: string | Buffer) => {
          got.push(typeof message === 'string' ? message : `bytes ${message.toString()}`)
        },
      },
      ...more,
    })
    this.clients.push(socket)
    return { socket, got, events }
  }

  /** The same, once it knows where its groups are: from then on nothing is lost to it. */
  async joined(urls: string | string[], more: object = {}): Promise<WorldClient> {
    const client = await this.client(urls, more)
    await until(() => client.socket.positions().length > 0, 'the first position')
    return client
  }

  /** Waits until a server has this number of members of a group. */
  members(server: WebSocketServer, count: number, group = 'room:1'): Promise<void> {
    return until(() => server.group(group).size === count, `${String(count)} members of ${group}`)
  }

  /** Waits until servers know each other's members. */
  everywhere(server: WebSocketServer, count: number, group = 'room:1'): Promise<void> {
    return until(() => server.group(group).sizeEverywhere === count, `${String(count)} members everywhere`)
  }

  end(): void {
    for (const client of this.clients) client.terminate()
    for (const server of this.servers) server.terminate()
    this.relay.close()
  }

  private lossy(inner: Backplane): Backplane {
    return {
      start: (...given) => inner.start(...given),
      publish: (envelope) => (this.isLost(envelope) ? true : inner.publish(envelope)),
      watch: (group) => inner.watch(group),
      unwatch: (group) => inner.unwatch(group),
      close: () => inner.close(),
    }
  }
}

/** Texts with numbers. */
export const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `m${String(from + i)}`)
