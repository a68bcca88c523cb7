import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { CodecFactory } from '../deflate/codec.js'
import { createCodecFactory } from '../deflate/zlib-codec.js'
import { checkCloseArguments, CloseCode } from '../frame/close-code.js'
import { checkNumber } from '../limits.js'
import { checkService } from '../socket/service.js'
import { checkOptionNames } from '../socket/socket-options.js'
import { Gate } from './gate.js'
import { resolveServerOptions, type ResolvedServerOptions, type ServerOptions } from './options.js'
import { Ports } from './ports.js'
import { Routes } from './routing.js'
import { ServerSocket } from './server-socket.js'
import type { ServerService } from './service.js'
import type { AcceptedUpgrade } from './upgrade.js'

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
  private readonly gate: Gate
  private readonly ports: Ports

  /** Does no I/O. @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: ServerOptions = {}) {
    this.options = resolveServerOptions(options)
    this.codecs = this.options.deflate === null ? null : createCodecFactory(this.options.deflate)
    this.gate = new Gate(this.options, this.routes, (duplex, head, service, accepted) => {
      this.open(duplex, head, service, accepted)
    })
    this.ports = new Ports(this.options, this.gate)
  }

  /** How many connections are open or closing. */
  get connectionCount(): number {
    return this.gate.connectionCount
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
  listen(port = 0, host?: string): Promise<AddressInfo> {
    return this.ports.listen(port, host)
  }

  /**
   * Shares the port of an http or https server: takes its upgrades to the paths of the routes. Other paths get 404,
   * unless somebody else listens for upgrades there, who may take them. Several of these servers may share a port.
   * Closing this server leaves the other one open.
   * @throws TypeError for what is no server, InvalidStateError if it is attached already or this one was closed
   */
  attach(httpServer: HttpServer): this {
    this.ports.attach(httpServer)
    return this
  }

  /**
   * Takes one upgrade, for those who route upgrades themselves: call it from an 'upgrade' listener, with what that got.
   * @param service default: that of the route for the request's path
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, service?: ServerService): void {
    if (service !== undefined) checkService('service', service, ['onUpgrade'])
    this.gate.upgrade(request, socket, head, service, null)
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
    this.ports.closeIdle()
    ended.push(this.gate.rejectedLeft(timeoutMs))
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
    return `WebSocketServer ${JSON.stringify({ connections: this.sockets.size, address: this.ports.address })}`
  }

  private stop(): Promise<void> {
    this.gate.stop()
    return this.ports.stop()
  }

  /** Ends the connections that are no WebSockets. */
  private cutStrays(): void {
    this.ports.cut()
    this.gate.cut()
  }

  private open(duplex: Duplex, head: Buffer, service: ServerService, accepted: AcceptedUpgrade): void {
    const { limits, slowConsumer, autoPong } = this.options
    const { request, info, data, protocol, extensions, deflate } = accepted
    const codec = deflate === null || this.codecs === null ? null : this.codecs.createCodec(deflate)
    const socket = new ServerSocket(
      duplex,
      { url: request.target, protocol, extensions, secure: info.secure, remoteAddress: info.remoteAddress },
      data,
      { role: 'server', limits, codec, autoPong },
      { limits, slowConsumer },
      service,
      (gone) => {
        this.sockets.delete(gone)
        this.gate.left(info.remoteAddress)
      },
    )
    this.sockets.add(socket)
    socket.open(head)
  }
}
