import cluster from 'node:cluster'
import { createServer, Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, Server as HttpsServer } from 'node:https'
import type { AddressInfo, ListenOptions, Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Server as TlsServer } from 'node:tls'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { HandshakeError, InvalidStateError } from '../errors.js'
import { showValue } from '../check.js'
import { ignoreErrors, REJECTION_LINGER_MS, writeAndEnd } from '../socket/handshake-io.js'
import { DirectAccept } from './direct-upgrade.js'
import { HandshakeDeadlines } from './handshake-deadlines.js'
import { HttpUpgrade, isTaken, joinPort, leavePort, readRequest } from './http-upgrade.js'
import type { ResolvedListenOptions } from './listen-options.js'
import { watchOwedAnswers } from './pipelining.js'
import type { ServerCore } from './server-core.js'

/** Whether a value is an HTTP server. The class of HTTP/2 servers with TLS is not public; only they have `updateSettings`. */
export const isHttpServer = (server: unknown): server is HttpServer =>
  server instanceof HttpServer ||
  server instanceof HttpsServer ||
  (server instanceof TlsServer && 'updateSettings' in server)

/** So many connections are accepted before a port is closed, at most: a flood must not keep it open. */
const MAX_LAST_CONNECTIONS = 4_096
/** The port is best closed after a turn of the event loop that was at most this long; only so many longer ones are waited for. */
const SHORT_TURN_MS = 0.3
const MAX_LONG_TURNS = 200
/** How often {@link Listener.lastRequests} looks. */
const LAST_REQUESTS_LOOK_MS = 5
/** What a timer of Node holds. */
const MAX_TIMER_MS = 0x7fff_ffff

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Listens for upgrades: on a port of the server's own, and on the HTTP servers that it is attached to. */
export class Listener {
  private readonly core: ServerCore
  private readonly deadlines: HandshakeDeadlines
  private readonly attached = new Map<HttpServer, UpgradeListener>()
  private own: HttpServer | null = null
  private direct: DirectAccept | null = null
  /** Connections of the own port that got their last response: nothing after it is a request (RFC 9112 9.6). */
  private readonly answered = new WeakSet<Duplex>()
  private isClosing = false
  /** Whether other processes take the connections that come to the port after this one has left it. */
  isShared = false
  /** How many connections node:http accepted at the own port. */
  private accepted = 0
  private portLeft: Promise<void> | null = null
  private portClosed: Promise<void> | null = null

  constructor(core: ServerCore) {
    this.core = core
    this.deadlines = new HandshakeDeadlines(core.options.limits.handshakeTimeoutMs, (socket) => {
      this.answered.add(socket)
      writeAndEnd(socket, core.rejectionOf(new HandshakeError('HAWSER_HANDSHAKE_TIMEOUT')))
    })
    watchOwedAnswers()
  }

  get address(): AddressInfo | null {
    return (this.own?.address() ?? null) as AddressInfo | null
  }

  /** See `WebSocketServer.listen`. */
  async listen({ port, host, reusePort }: ResolvedListenOptions): Promise<AddressInfo> {
    if (this.isClosing) throw new InvalidStateError('the server was closed')
    if (this.own !== null) throw new InvalidStateError('the server listens already')
    const server = this.createHttpServer()
    this.own = server
    try {
      await new Promise<void>((resolve, fail) => {
        const closed = (): void => {
          fail(new InvalidStateError('the server was closed'))
        }
        server.once('error', fail)
        server.once('close', closed)
        const where: ListenOptions & { reusePort?: boolean } = {
          port,
          ...(host === undefined ? {} : { host }),
          ...(reusePort ? { reusePort } : {}),
        }
        server.listen(where, () => {
          server.off('error', fail)
          server.off('close', closed)
          resolve()
        })
      })
    } catch (error) {
      this.own = null
      throw error
    }
    // Closed while the name of the host was looked up.
    if (this.isClosing as boolean) {
      server.close()
      throw new InvalidStateError('the server was closed')
    }
    server.on('error', (error) => {
      this.core.reportError(error, 'the server')
    })
    server.on('upgrade', this.upgradeOwn)
    this.isShared = reusePort || cluster.isWorker
    this.openDirectly(server)
    return server.address() as AddressInfo
  }

  /** See `WebSocketServer.attach`. */
  attach(httpServer: HttpServer): void {
    if (!isHttpServer(httpServer)) {
      throw new TypeError(`httpServer must be an http or https server, not ${showValue(httpServer)}`)
    }
    if (this.isClosing) throw new InvalidStateError('the server was closed')
    if (this.attached.has(httpServer)) throw new InvalidStateError('this HTTP server is attached already')
    const listener: UpgradeListener = (request, socket, head) => {
      this.upgrade(request, socket, head, httpServer)
    }
    httpServer.on('upgrade', listener)
    joinPort(httpServer, this.core)
    this.attached.set(httpServer, listener)
  }

  /** From now on it listens nowhere else; where it listens, requests are answered on. */
  retire(): void {
    this.isClosing = true
  }

  /**
   * Takes no further connections at the own port, when those that wait in its queue have been accepted: the system resets what
   * is in the queue of a port that is closed.
   */
  leavePort(): Promise<void> {
    this.portLeft ??= this.acceptLast().then(() => {
      // From some Node on `close` also ends connections that have sent nothing yet: these get an answer first.
      if (this.own !== null) this.own.closeIdleConnections = () => undefined
      void this.closePort()
    })
    return this.portLeft
  }

  /** Waits until the accepted connections have sent their requests, for at most this long. */
  async lastRequests(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (this.awaitedRequests > 0 && performance.now() < deadline) await sleep(LAST_REQUESTS_LOOK_MS)
    // What was received in time is answered.
    this.direct?.turns.finish()
  }

  /**
   * Stops accepting.
   * @param isSlow after the connections in the queue of the port
   * @returns a promise that resolves when the own port and its connections are closed
   */
  stop(isSlow: boolean): Promise<void> {
    this.isClosing = true
    for (const [server, listener] of this.attached) {
      server.off('upgrade', listener)
      leavePort(server, this.core)
    }
    this.attached.clear()
    return isSlow ? this.leavePort().then(() => this.closePort()) : this.closePort()
  }

  private get awaitedRequests(): number {
    return (this.direct?.waitingCount ?? 0) + this.deadlines.waitingCount
  }

  private get acceptedCount(): number {
    return this.accepted + (this.direct?.accepted ?? 0)
  }

  /** Resolves right after the event loop found no connection in the queue of the port. */
  private async acceptLast(): Promise<void> {
    const first = this.acceptedCount
    // From the first turn on the loop polls once between two of them, and accepts one connection or all of them.
    await nextTurn()
    let turns = 0
    while (this.own?.listening === true) {
      const before = this.acceptedCount
      const startedAt = performance.now()
      await nextTurn()
      const accepted = this.acceptedCount
      if (accepted - first > MAX_LAST_CONNECTIONS) return
      // What came to the queue while a long turn was busy with other things is not seen.
      const isShort = performance.now() - startedAt < SHORT_TURN_MS || turns > MAX_LONG_TURNS
      if (accepted === before && isShort) return
      // Turns are long while connections that came together have theirs: those are bounded by their number.
      if ((this.direct?.turns.count ?? 0) === 0) turns++
    }
  }

  private closePort(): Promise<void> {
    const { own } = this
    if (!own?.listening) return this.portClosed ?? Promise.resolve()
    this.portClosed = new Promise((resolve) => {
      own.close(() => {
        resolve()
      })
    })
    return this.portClosed
  }

  /** Closes the connections without a request. */
  closeIdle(): void {
    this.direct?.close()
    this.own?.closeIdleConnections()
  }

  /** Cuts the connections that are not WebSockets: node:http knows only some of them. */
  cut(): void {
    this.direct?.close()
    this.own?.closeAllConnections()
    this.deadlines.cutTls()
  }

  private createHttpServer(): HttpServer {
    const { limits, tls } = this.core.options
    const timeoutMs = limits.handshakeTimeoutMs === Infinity ? 0 : Math.ceil(limits.handshakeTimeoutMs)
    const http = {
      maxHeaderSize: Math.min(limits.maxHeaderBytes, 0x7fff_ffff),
      // Only for what the time from the accept on, which is bounded here, does not end.
      headersTimeout: timeoutMs === 0 ? 0 : timeoutMs + REJECTION_LINGER_MS,
      requestTimeout: timeoutMs === 0 ? 0 : timeoutMs + REJECTION_LINGER_MS,
      // Node looks at its timeouts this often; its own default, 30 s, would make ours 40.
      connectionsCheckingInterval: timeoutMs === 0 ? 30_000 : Math.min(Math.max(timeoutMs / 4, 100), 5_000),
      keepAliveTimeout: 1_000,
    }
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.answerPlainRequest(request, response)
    }
    if (tls === undefined) {
      const server = createServer(http, listener)
      server.on('connection', (socket: NetSocket) => {
        this.accepted++
        this.deadlines.accepted(socket)
      })
      return server
    }
    // The time from the accept on bounds TLS as well, and is patient with what arrived while the event loop was blocked.
    const tlsTimeoutMs =
      timeoutMs === 0 ? MAX_TIMER_MS : Math.min(timeoutMs + REJECTION_LINGER_MS, MAX_TIMER_MS)
    const server = createTlsServer({ ...http, handshakeTimeout: tlsTimeoutMs, ...tls }, listener)
    server.on('secureConnection', (socket) => {
      this.deadlines.tlsDone(socket)
    })
    server.on('connection', (transport: NetSocket) => {
      this.accepted++
      this.deadlines.acceptedForTls(transport)
    })
    return server
  }

  /** Takes the connections before node:http does, where this is possible. */
  private openDirectly(server: HttpServer): void {
    const { directIo, tls } = this.core.options
    if (!directIo || tls !== undefined) return
    const direct = new DirectAccept(server, this.core, this.deadlines)
    if (direct.open()) this.direct = direct
  }

  private readonly upgradeOwn: UpgradeListener = (request, socket, head) => {
    // node:http ends it after the response.
    if (this.answered.has(request.socket)) {
      ignoreErrors(socket)
      return
    }
    const startedAt = this.deadlines.requestReceived(request.socket)
    const upgrade = new HttpUpgrade(this.core, request, socket, head, startedAt, null)
    upgrade.start(readRequest(request))
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, sharedWith: HttpServer): void {
    // Another listener for upgrades took it by hand.
    if (isTaken(socket)) return
    new HttpUpgrade(this.core, request, socket, head, null, sharedWith).start(readRequest(request))
  }

  /** Answers a request that is not an upgrade: 426 on the path of a route, else 404. */
  private answerPlainRequest(request: IncomingMessage, response: ServerResponse): void {
    const read = readRequest(request)
    const path = (request.url ?? '').split('?', 1)[0] as string
    let error = !this.core.hasRoute(path) ? new HandshakeError('HAWSER_NOT_FOUND') : read
    if (!(error instanceof HandshakeError)) error = new HandshakeError('HAWSER_UPGRADE_REQUIRED')
    // A check of health, for one: there is no upgrade here any more.
    const retryAfter = this.core.retryAfterSeconds()
    if (retryAfter !== undefined) {
      error = new HandshakeError('HAWSER_SERVER_CLOSING')
      response.setHeader('Retry-After', retryAfter)
    }
    response.shouldKeepAlive = false
    this.deadlines.requestReceived(request.socket)
    this.answered.add(request.socket)
    response.setHeader('Content-Type', 'text/plain; charset=utf-8')
    if (error.httpStatus === 426) {
      response.setHeader('Connection', 'Upgrade, close')
      response.setHeader('Upgrade', 'websocket')
      response.setHeader('Sec-WebSocket-Version', '13')
    } else if (error.httpStatus === 405) {
      response.setHeader('Allow', 'GET')
    }
    const body = `${error.message}\n`
    response.setHeader('Content-Length', Buffer.byteLength(body))
    response.writeHead(error.httpStatus ?? 500)
    response.end(body)
  }
}
