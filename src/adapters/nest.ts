/** Hawser in NestJS: a WebSocketAdapter for gateways. Of Nest it imports nothing. */
import { createServer, type IncomingMessage, type Server as HttpServer } from 'node:http'
import { contain, showValue } from '../check.js'
import { InvalidStateError } from '../errors.js'
import { showAs } from '../inspect.js'
import { serverCoreOf } from '../server/accepted-socket.js'
import { isHttpServer } from '../server/listener.js'
import type { ServerOptions } from '../server/options.js'
import type { ServerSocket } from '../server/server-socket.js'
import { accept } from '../server/server-service.js'
import { WebSocketServer } from '../server/websocket-server.js'

/** The members of a room, to send to. */
export interface NestRoom {
  /** Sends the JSON text of `{ event, data }`. */
  emit(event: string, data: unknown): void
}

/** The client of a gateway: what `@ConnectedSocket()` gives. */
export class NestSocket {
  static {
    showAs(NestSocket, 'NestSocket', ({ socket }) => ({ socket }))
  }

  /** Hawser's own socket: groups, `data`, `write`, `drained`, `close`. */
  readonly socket: ServerSocket

  /** @param socket the connection */
  constructor(socket: ServerSocket) {
    this.socket = socket
  }

  /** The id of the connection. */
  get id(): string {
    return this.socket.id
  }

  /** Sends the JSON text of `{ event, data }`. Nest's filters send the event `exception` by this. */
  emit(event: string, data: unknown): boolean {
    return this.socket.sendJson({ event, data })
  }

  /** Joins a room, which is a group of Hawser's. */
  join(room: string): boolean {
    return this.socket.join(room)
  }

  /** Leaves a room. */
  leave(room: string): boolean {
    return this.socket.leave(room)
  }

  /** The names of its rooms. */
  get rooms(): string[] {
    return this.socket.groups()
  }

  /** Sends `{ event, data }` to the other members of a room. */
  to(room: string): NestRoom {
    const group = this.socket.group(room)
    return {
      emit: (event, data) => void group.send(JSON.stringify({ event, data }), { except: this.socket }),
    }
  }
}

/** A handler of a gateway, as Nest binds it. */
export interface NestMessageHandler {
  /** The event that it subscribes to. */
  readonly message: unknown
  /** Takes the data and the name of the event. */
  callback(this: void, ...args: unknown[]): unknown
}

/** Gets what a handler answers with. */
export interface NestObserver {
  /** One response. */
  next(value: unknown): void
  /** The error that ends them. */
  error(error: unknown): void
  /** There are no more. */
  complete(): void
}

/** What Nest makes of the value of a handler: an Observable of rxjs. */
export interface NestResponses {
  /** Begins, until they end or `unsubscribe` is called. */
  subscribe(observer: NestObserver): {
    /** Ends them early. */
    unsubscribe(): void
  }
}

/** The options of a gateway: `@WebSocketGateway(port, options)`. */
export interface NestGatewayOptions extends Omit<ServerOptions, 'tls'> {
  /** The path of the gateway's connections, as for `server.route`. Default `/`. */
  readonly path?: string
}

/** What is bound to one server that the adapter made. */
interface Bound {
  readonly connect: Connected[]
  /** The HTTP server of a port of the gateway's own; null: it is the application's. */
  readonly http: HttpServer | null
}

/** What is bound to one client. */
interface BoundClient {
  readonly handlers: Map<
    unknown,
    { readonly callback: NestMessageHandler['callback']; transform: Transform }[]
  >
  readonly disconnect: ((client: NestSocket) => unknown)[]
  /** What its handlers answer with and has not ended. */
  readonly answers: Set<{ unsubscribe(): void }>
}

/** Nest's callback: it gives both to `handleConnection` of the gateway. */
type Connected = (client: NestSocket, request?: IncomingMessage) => unknown

type Transform = (data: unknown) => NestResponses

/** An application of Nest, as far as the adapter needs it. */
export interface NestApplication {
  /** The http or https server of the application. */
  getHttpServer(): unknown
}

/**
 * The adapter: `app.useWebSocketAdapter(new HawserAdapter(app))`. A message is the JSON text of `{ event, data }`. What a handler
 * returns, a promise and an Observable included, is sent as JSON; what JSON cannot hold closes the connection with 1011, and `onError`
 * of the gateway's options hears of it. Clients are {@link NestSocket}s, and a gateway's
 * `@WebSocketServer()` is Hawser's: its groups are the rooms.
 */
export class HawserAdapter {
  static {
    showAs(HawserAdapter, 'HawserAdapter', () => ({}))
  }

  readonly #app: NestApplication
  readonly #bound = new Map<WebSocketServer, Bound>()
  readonly #clients = new WeakMap<NestSocket, BoundClient>()
  readonly #ports = new Map<number, HttpServer>()

  /** @throws TypeError for what is not an application of Nest */
  constructor(app: NestApplication) {
    if (typeof (app as Partial<NestApplication> | null | undefined)?.getHttpServer !== 'function') {
      throw new TypeError(`app must be a Nest application, not ${showValue(app)}`)
    }
    this.#app = app
  }

  /**
   * Makes the server of a gateway; Nest calls it.
   * @param port 0: that of the application
   * @throws TypeError or RangeError for wrong options; TypeError for namespaces and cors, which are of Socket.IO, and for
   *   `tls`, which is of the HTTP server; InvalidStateError for an application without an http or https server
   */
  create(port: number, options: NestGatewayOptions = {}): WebSocketServer {
    const given: NestGatewayOptions & {
      readonly cors?: unknown
      readonly namespace?: unknown
      readonly tls?: unknown
    } = options
    const { path = '/', namespace, tls, cors, ...serverOptions } = given
    if (cors !== undefined && cors !== false) {
      throw new TypeError('cors is of Socket.IO: the option origins says which pages may connect')
    }
    if (namespace !== undefined) {
      throw new TypeError('namespace is of Socket.IO: give the gateway a path, and use groups for rooms')
    }
    if (tls !== undefined) {
      throw new TypeError(
        'tls is of the HTTP server: give httpsOptions to NestFactory.create, and the gateway no port',
      )
    }
    const server = new WebSocketServer(serverOptions)
    const connect: Bound['connect'] = []
    const clients = new WeakMap<object, NestSocket>()
    server.route<IncomingMessage | undefined>(path, {
      // Kept until handleConnection has seen it.
      onUpgrade: ({ raw }) => accept({ data: raw }),
      onOpen: (socket) => {
        const request = socket.data
        socket.data = undefined
        const client = new NestSocket(socket)
        clients.set(socket, client)
        this.#clients.set(client, { handlers: new Map(), disconnect: [], answers: new Set() })
        connect.forEach((callback) => callback(client, request))
      },
      onMessage: (socket, message) => {
        const client = clients.get(socket)
        if (client !== undefined) this.#dispatch(client, message)
      },
      onClose: (socket) => {
        const client = clients.get(socket)
        if (client === undefined) return
        const bound = this.#clients.get(client)
        for (const answer of bound?.answers ?? []) {
          contain(
            () => {
              answer.unsubscribe()
            },
            (error) => {
              serverCoreOf(socket).applicationFailed(error)
            },
          )
        }
        bound?.disconnect.forEach((callback) => callback(client))
      },
    })
    const http = port === 0 ? null : this.#portOf(port)
    const shared = http ?? this.#app.getHttpServer()
    if (!isHttpServer(shared)) throw new InvalidStateError('the application has no http or https server')
    server.attach(shared)
    this.#bound.set(server, { connect, http })
    return server
  }

  /** Has each new client bound; Nest calls it, once for each gateway of the server. */
  bindClientConnect(
    server: WebSocketServer,
    callback: (client: NestSocket, request?: IncomingMessage) => unknown,
  ): void {
    this.#bound.get(server)?.connect.push(callback)
  }

  /** Has the end of a client reported; Nest calls it. */
  bindClientDisconnect(client: NestSocket, callback: (client: NestSocket) => unknown): void {
    this.#clients.get(client)?.disconnect.push(callback)
  }

  /** Binds the handlers of a gateway to a client; Nest calls it. */
  bindMessageHandlers(
    client: NestSocket,
    handlers: readonly NestMessageHandler[],
    transform: (data: unknown) => NestResponses,
  ): void {
    const bound = this.#clients.get(client)
    for (const { message, callback } of handlers) {
      const others = bound?.handlers.get(message)
      if (others === undefined) bound?.handlers.set(message, [{ callback, transform }])
      else others.push({ callback, transform })
    }
  }

  /** Drops a client that came while the application started; Nest calls it. */
  closeClient(client: NestSocket): void {
    void client.socket.close(1013, 'the application starts')
  }

  /** Closes a server and its connections; Nest calls it. */
  async close(server: WebSocketServer): Promise<void> {
    await server.close()
    const http = this.#bound.get(server)?.http ?? null
    this.#bound.delete(server)
    if (http === null || [...this.#bound.values()].some((other) => other.http === http)) return
    for (const [port, known] of this.#ports) if (known === http) this.#ports.delete(port)
    await new Promise<void>((resolve) => {
      http.close(() => {
        resolve()
      })
      http.closeIdleConnections()
    })
  }

  /** Called by Nest after all servers are closed. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#bound.keys()].map((server) => this.close(server)))
  }

  /** An HTTP server for a port that is not the application's: several gateways may have it, each with its path. */
  #portOf(port: number): HttpServer {
    const known = this.#ports.get(port)
    if (known !== undefined) return known
    const http = createServer((_, response) => {
      response.writeHead(426, { Connection: 'Upgrade, close', Upgrade: 'websocket' }).end()
    })
    this.#ports.set(port, http)
    return http.listen(port)
  }

  /** Gives a message to the handlers of its event; a message that is none is ignored, as Nest's own adapter does. */
  #dispatch(client: NestSocket, message: string | Buffer): void {
    const envelope = readEnvelope(message)
    if (envelope === null) return
    const { handlers, answers } = this.#clients.get(client) as BoundClient
    for (const { callback, transform } of handlers.get(envelope.event) ?? []) {
      answer(client, transform(callback(envelope.data, envelope.event)), answers)
    }
  }
}

/** Sends what a handler answers with. @param answers has it until it ends */
function answer(client: NestSocket, responses: NestResponses, answers: BoundClient['answers']): void {
  let hasFailed = false
  let isOver = false
  let running: { unsubscribe(): void } | null = null
  const end = (): void => {
    isOver = true
    if (running !== null) answers.delete(running)
  }
  const fail = (error: unknown): void => {
    serverCoreOf(client.socket).applicationFailed(error)
  }
  const subscription = responses.subscribe({
    next: (response) => {
      if (hasFailed || response === undefined || response === null) return
      try {
        client.socket.sendJson(response)
      } catch (error) {
        // An observer that throws ends the process: rxjs throws it again, in a timer.
        hasFailed = true
        fail(error)
      }
    },
    error: (error) => {
      end()
      // Nest's filters have answered what handlers throw: this is an error of a filter.
      fail(error)
    },
    complete: end,
  })
  if (isOver as boolean) return
  running = subscription
  answers.add(subscription)
}

/** @returns null for what is not the JSON of an object with an event */
function readEnvelope(message: string | Buffer): { readonly event: unknown; readonly data: unknown } | null {
  try {
    const value: unknown = JSON.parse(message.toString())
    return typeof value === 'object' && value !== null && 'event' in value
      ? { event: value.event, data: (value as { data?: unknown }).data }
      : null
  } catch {
    return null
  }
}
