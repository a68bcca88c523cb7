import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { CodecFactory } from '../deflate/codec.js'
import { createCodecFactory } from '../deflate/zlib-codec.js'
import { HandshakeError, InvalidStateError } from '../errors.js'
import { checkCloseArguments, CloseCode } from '../frame/close-code.js'
import { checkNumber, showValue } from '../limits.js'
import { ignoreErrors } from '../socket/handshake-io.js'
import { checkService } from '../socket/service.js'
import { checkOptionNames } from '../socket/socket-options.js'
import { Waiters } from '../socket/waiters.js'
import { resolveServerOptions, type ResolvedServerOptions, type ServerOptions } from './options.js'
import { Routes } from './routing.js'
import { ServerSocket } from './server-socket.js'
import type { ServerService } from './service.js'
import { isToAnswer, joinPort, leavePort, type Claimant } from './shared-port.js'
import { readRequest, rejectWith, Upgrade, type AcceptedUpgrade } from './upgrade.js'

export interface CloseOptions {
  /** The Close frame's code. Default 1001. */
  readonly code?: number
  readonly reason?: string
  /** Connections that have not ended by then are cut. Default `limits.closeTimeoutMs`. */
  readonly timeoutMs?: number
}

const CLOSE_OPTIONS: ReadonlySet<string> = new Set([
  'code',
  'reason',
  'timeoutMs',
] satisfies (keyof CloseOptions)[])

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/**
 * A WebSocket server: on a port of its own (`listen`), on that of an HTTP server (`attach`), or behind whatever
 * routes upgrades (`handleUpgrade`). Nothing that a peer does throws, and a handler that throws harms its own
 * connection alone.
 */
export class WebSocketServer {
  private readonly options: ResolvedServerOptions
  private readonly codecs: CodecFactory | null
  private readonly routes = new Routes()
  private readonly sockets = new Set<ServerSocket>()
  private readonly upgrades = new Set<Upgrade>()
  private readonly perAddress = new Map<string, number>()
  private readonly attached = new Map<HttpServer, UpgradeListener>()
  /** Connections that are rejected and still read why, and who waits until there are none. */
  private readonly rejected = new Set<Duplex>()
  private readonly rejectedGone = new Waiters<void>()
  /** Of a server with TLS: also those that are not through its handshake, which node:http does not know of. */
  private readonly transports = new Set<Duplex>()
  private readonly claimant: Claimant = { claims: (path) => this.routes.find(path) !== undefined }
  private own: HttpServer | null = null
  private isClosing = false

  /** Does no I/O. @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: ServerOptions = {}) {
    this.options = resolveServerOptions(options)
    this.codecs = this.options.deflate === null ? null : createCodecFactory(this.options.deflate)
  }

  /** How many connections are open or closing. */
  get connectionCount(): number {
    return this.sockets.size
  }

  /**
   * Binds a service to a path.
   * @param path exact, without query
   * @throws TypeError for a wrong path or service, and for a path that has a service already
   */
  route<Data = unknown>(path: string, service: ServerService<Data>): this {
    checkService('service', service, ['onUpgrade'])
    this.routes.add(path, service as ServerService)
    return this
  }

  /**
   * Takes a path out; its connections stay.
   * @returns whether there was one
   */
  unroute(path: string): boolean {
    return this.routes.delete(path)
  }

  /**
   * Listens on a port of its own. Requests that are no upgrade get 426 on the path of a route, else 404.
   * @param port 0 takes a free one
   * @param host default: all addresses
   * @returns the address, once the server listens
   * @throws the system's error, such as EADDRINUSE; InvalidStateError if it listens already or was closed
   */
  async listen(port = 0, host?: string): Promise<AddressInfo> {
    checkNumber('port', port, { min: 0, max: 65_535, integer: true })
    if (host !== undefined && typeof host !== 'string')
      throw new TypeError(`host must be a string, not ${showValue(host)}`)
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
        server.listen(port, host, () => {
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
    server.on('error', this.options.onError)
    server.on('upgrade', this.upgradeOwn)
    return server.address() as AddressInfo
  }

  /**
   * Shares the port of an http or https server: takes its upgrades to the paths of the routes. Other paths get 404,
   * unless somebody else listens for upgrades there, who may take them. Several of these servers may share a port.
   * Closing this server leaves the other one open.
   * @throws TypeError for what is no server, InvalidStateError if it is attached already or this one was closed
   */
  attach(httpServer: HttpServer): this {
    if (
      typeof httpServer !== 'object' ||
      (httpServer as unknown) === null ||
      typeof httpServer.on !== 'function'
    ) {
      throw new TypeError(`httpServer must be an http or https server, not ${showValue(httpServer)}`)
    }
    if (this.isClosing) throw new InvalidStateError('the server was closed')
    if (this.attached.has(httpServer)) throw new InvalidStateError('this HTTP server is attached already')
    const listener: UpgradeListener = (request, socket, head) => {
      this.upgrade(request, socket, head, undefined, httpServer)
    }
    httpServer.on('upgrade', listener)
    joinPort(httpServer, this.claimant)
    this.attached.set(httpServer, listener)
    return this
  }

  /**
   * Takes one upgrade, for those who route upgrades themselves: call it from an 'upgrade' listener, with what that got.
   * @param service default: that of the route for the request's path
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, service?: ServerService): void {
    if (service !== undefined) checkService('service', service, ['onUpgrade'])
    this.upgrade(request, socket, head, service, null)
  }

  /**
   * Stops to accept, closes every connection, waits, and cuts what is left. Nothing keeps the process alive after it.
   * @throws TypeError or RangeError for a code that must not be sent
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkOptionNames('CloseOptions', options, CLOSE_OPTIONS)
    const {
      code = CloseCode.GOING_AWAY,
      reason = '',
      timeoutMs = this.options.limits.closeTimeoutMs,
    } = options
    checkCloseArguments(code, reason)
    checkNumber('timeoutMs', timeoutMs, { min: 0, integer: false })
    const stopped = this.stop()
    const ended: Promise<unknown>[] = [...this.sockets].map((socket) =>
      socket.close(code, reason, { timeoutMs }),
    )
    this.own?.closeIdleConnections()
    if (this.rejected.size > 0) ended.push(this.rejectedGone.wait({ timeoutMs }).catch(() => undefined))
    await Promise.all(ended)
    this.cutStrays()
    await stopped
  }

  /** Cuts every connection, and stops to accept. */
  terminate(): void {
    void this.stop()
    for (const socket of [...this.sockets]) socket.terminate()
    this.cutStrays()
  }

  /** `await using`: closes and waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What a log shows: nothing of the options, which may hold a private key. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `WebSocketServer ${JSON.stringify({ connections: this.sockets.size, address: this.own?.address() ?? null })}`
  }

  private stop(): Promise<void> {
    this.isClosing = true
    for (const [server, listener] of this.attached) {
      server.off('upgrade', listener)
      leavePort(server, this.claimant)
    }
    this.attached.clear()
    for (const upgrade of [...this.upgrades]) upgrade.fail(new HandshakeError('HAWSER_SERVER_CLOSING'))
    const { own } = this
    if (!own?.listening) return Promise.resolve()
    return new Promise((resolve) => {
      own.close(() => {
        resolve()
      })
    })
  }

  /** Ends the connections that are no WebSockets: node:http knows some of them only. */
  private cutStrays(): void {
    this.own?.closeAllConnections()
    for (const duplex of [...this.rejected, ...this.transports]) duplex.destroy()
  }

  private createHttpServer(): HttpServer {
    const { limits, tls } = this.options
    const timeoutMs = limits.handshakeTimeoutMs === Infinity ? 0 : Math.ceil(limits.handshakeTimeoutMs)
    const http = {
      maxHeaderSize: Math.min(limits.maxHeaderBytes, 0x7fff_ffff),
      headersTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      // Node looks at its timeouts this often; its own default, 30 s, would make ours 40.
      connectionsCheckingInterval: timeoutMs === 0 ? 30_000 : Math.min(Math.max(timeoutMs / 4, 100), 5_000),
      keepAliveTimeout: 1_000,
    }
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.answerPlainRequest(request, response)
    }
    if (tls === undefined) return createServer(http, listener)
    const server = createTlsServer(
      { ...http, handshakeTimeout: timeoutMs === 0 ? 0x7fff_ffff : timeoutMs, ...tls },
      listener,
    )
    server.on('connection', (transport: Duplex) => {
      this.transports.add(transport)
      transport.once('close', () => this.transports.delete(transport))
    })
    return server
  }

  private readonly upgradeOwn: UpgradeListener = (request, socket, head) => {
    this.upgrade(request, socket, head, undefined, null)
  }

  /** A request without an upgrade: whoever sends it is told what there is here. */
  private answerPlainRequest(request: IncomingMessage, response: ServerResponse): void {
    const read = readRequest(request)
    const path = (request.url ?? '').split('?', 1)[0] as string
    let error = this.routes.find(path) === undefined ? new HandshakeError('HAWSER_NOT_FOUND') : read
    if (!(error instanceof HandshakeError)) error = new HandshakeError('HAWSER_UPGRADE_REQUIRED')
    response.shouldKeepAlive = false
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
    response.writeHead(error.httpStatus)
    response.end(body)
  }

  private upgrade(
    raw: IncomingMessage,
    duplex: Duplex,
    head: Buffer,
    service: ServerService | undefined,
    sharedWith: HttpServer | null,
  ): void {
    const request = readRequest(raw)
    if (request instanceof HandshakeError) {
      // Wrong as it is, a request for a path of ours is nobody else's.
      const isOurs = this.routes.find((raw.url ?? '').split('?', 1)[0] as string) !== undefined
      this.decline(duplex, request, isOurs ? null : sharedWith, null)
      return
    }
    const found = service ?? this.routes.find(request.path)
    if (found === undefined) {
      this.decline(duplex, new HandshakeError('HAWSER_NOT_FOUND'), sharedWith, request.path)
      return
    }
    const address = (duplex as { remoteAddress?: string }).remoteAddress ?? ''
    const refusal = this.refusal(address)
    if (refusal !== null) {
      this.reject(duplex, refusal)
      return
    }
    this.count(address, 1)
    const upgrade = new Upgrade(raw, duplex, request, this.options, (accepted) => {
      this.upgrades.delete(upgrade)
      if (accepted !== null) {
        this.open(duplex, head, found, accepted, address)
        return
      }
      this.count(address, -1)
      this.letGo(duplex)
    })
    this.upgrades.add(upgrade)
    upgrade.decide(found)
  }

  /** Answers what nobody here takes, unless others are there to take it. */
  private decline(
    duplex: Duplex,
    error: HandshakeError,
    sharedWith: HttpServer | null,
    path: string | null,
  ): void {
    if (sharedWith === null || isToAnswer(sharedWith, this.claimant, path)) this.reject(duplex, error)
    // If they do not take it either, nobody listens for its errors, and a reset would end the process.
    else ignoreErrors(duplex)
  }

  private reject(duplex: Duplex, error: HandshakeError): void {
    rejectWith(duplex, error)
    this.letGo(duplex)
  }

  /** Keeps in mind what was rejected, until it is gone. */
  private letGo(duplex: Duplex): void {
    if (duplex.destroyed) return
    this.rejected.add(duplex)
    duplex.once('close', () => {
      this.rejected.delete(duplex)
      if (this.rejected.size === 0) this.rejectedGone.resolveAll()
    })
  }

  private refusal(address: string): HandshakeError | null {
    if (this.isClosing) return new HandshakeError('HAWSER_SERVER_CLOSING')
    const { maxConnections, maxConnectionsPerAddress } = this.options
    if (this.sockets.size + this.upgrades.size >= maxConnections) {
      return new HandshakeError('HAWSER_TOO_MANY_CONNECTIONS')
    }
    if ((this.perAddress.get(address) ?? 0) >= maxConnectionsPerAddress) {
      return new HandshakeError('HAWSER_TOO_MANY_CONNECTIONS')
    }
    return null
  }

  /** Counts connections by address, only where there is a limit to keep. */
  private count(address: string, change: 1 | -1): void {
    if (this.options.maxConnectionsPerAddress === Infinity) return
    const count = (this.perAddress.get(address) ?? 0) + change
    if (count === 0) this.perAddress.delete(address)
    else this.perAddress.set(address, count)
  }

  private open(
    duplex: Duplex,
    head: Buffer,
    service: ServerService,
    accepted: AcceptedUpgrade,
    address: string,
  ): void {
    const { limits, slowConsumer, autoPong } = this.options
    const { request, info, data, protocol, extensions, deflate } = accepted
    const codec = deflate === null || this.codecs === null ? null : this.codecs.createCodec(deflate)
    const socket = new ServerSocket(
      duplex,
      { url: request.target, protocol, extensions, secure: info.secure, remoteAddress: address },
      data,
      { role: 'server', limits, codec, autoPong },
      { limits, slowConsumer },
      service,
      (gone) => {
        this.sockets.delete(gone)
        this.count(address, -1)
      },
    )
    this.sockets.add(socket)
    socket.open(head)
  }
}
