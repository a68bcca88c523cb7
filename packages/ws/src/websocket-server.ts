import { EventEmitter } from 'node:events'
import { createServer, STATUS_CODES, type IncomingMessage, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { acceptOf } from './connect.js'
import { checkZlibOptions } from './coerce.js'
import { extension } from './extension.js'
import { SERVER_DEFAULTS, type ClientInfo, type ServerOptions, type Verified } from './options.js'
import { PerMessageDeflate } from './permessage-deflate.js'
import { subprotocol } from './subprotocol.js'
import { WebSocket } from './websocket.js'

const KEY = /^[+/0-9A-Za-z]{22}==$/

const RUNNING = 0
const CLOSING = 1
const CLOSED = 2

type Headers = Record<string, string | number | readonly string[]>

/** Called with a connection and its request, once the handshake is done. */
export type UpgradeCallback = (websocket: WebSocket, request: IncomingMessage) => void

/** The options as they are kept: what is not given has its default. */
type Options = Omit<ServerOptions, 'WebSocket'> & { WebSocket: typeof WebSocket }

/** A socket that breaks while it is upgraded is destroyed: nothing else hears it. */
function destroySocket(this: Duplex): void {
  this.destroy()
}

/** Answers a handshake that is refused, and ends the connection. */
function refuse(socket: Duplex, code: number, message?: string | null, headers?: Headers): void {
  const isGiven = message !== undefined && message !== null && message !== ''
  const body = isGiven ? message : (STATUS_CODES[code] ?? '')
  const fields: Headers = {
    Connection: 'close',
    'Content-Type': 'text/html',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  }
  socket.once('finish', destroySocket)
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${String(value)}`)
  socket.end(`HTTP/1.1 ${String(code)} ${STATUS_CODES[code] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** Whether a connection came by TLS; without a client's certificate it is encrypted and not authorized. */
function isSecure(socket: object | undefined): boolean {
  const { authorized, encrypted } = (socket ?? {}) as { authorized?: unknown; encrypted?: unknown }
  return Boolean(authorized) || Boolean(encrypted)
}

/** What a handshake asks for. */
interface Upgrade {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
  readonly key: string
  readonly protocols: Set<string>
  readonly deflate: PerMessageDeflate | null
}

/** A WebSocket server with the face of that of `ws`. */
export class WebSocketServer extends EventEmitter {
  declare clients: Set<WebSocket> | undefined
  options: Options
  declare _server: HttpServer | null | undefined
  declare _removeListeners: (() => void) | undefined
  _shouldEmitClose = false
  _state: number = RUNNING
  /** `path`, where an application sets it. */
  declare path: string | undefined

  /**
   * @param options with one of `port`, `server` and `noServer`
   * @param callback a listener of 'listening' where a port is listened to
   * @throws TypeError for options without, or with several, of the three; TypeError or RangeError for options that zlib refuses
   */
  constructor(options?: ServerOptions, callback?: () => void) {
    super()
    const given = { ...SERVER_DEFAULTS, WebSocket, ...options } as Options
    const hasPort = typeof given.port === 'number' || typeof given.port === 'string'
    const ways = [hasPort, Boolean(given.server), Boolean(given.noServer)]
    if (ways.filter(Boolean).length !== 1) {
      throw new TypeError('One and only one of the "port", "server", or "noServer" options must be specified')
    }
    checkZlibOptions(given.perMessageDeflate)
    if (hasPort) {
      this._server = createServer((_request, response) => {
        const body = STATUS_CODES[426] ?? ''
        response.writeHead(426, { 'Content-Length': body.length, 'Content-Type': 'text/plain' })
        response.end(body)
      })
      this._server.listen(
        given.port ?? undefined,
        given.host ?? undefined,
        given.backlog ?? undefined,
        callback,
      )
    } else if (given.server) {
      this._server = given.server
    }
    if (this._server) this._removeListeners = this._listenTo(this._server)
    if (given.perMessageDeflate === true) given.perMessageDeflate = {}
    if (given.clientTracking) {
      this.clients = new Set()
    }
    this.options = given
  }

  /**
   * The address that the server listens to, as `address()` of node:net gives it.
   * @throws Error without a server
   */
  address(): AddressInfo | string | null {
    if (this.options.noServer) throw new Error('The server is operating in "noServer" mode')
    return this._server?.address() ?? null
  }

  /**
   * Stops accepting connections; those that are open stay. 'close' follows when they are gone.
   * @param callback a listener of 'close'; called with an error if the server was closed before
   */
  close(callback?: (error?: Error) => void): void {
    if (this._state === CLOSED) {
      if (callback) {
        this.once('close', () => {
          callback(new Error('The server is not running'))
        })
      }
      process.nextTick(emitClose, this)
      return
    }
    if (callback) this.once('close', callback)
    if (this._state === CLOSING) return
    this._state = CLOSING
    const server = this._server
    if (this.options.noServer || this.options.server) {
      this._removeListeners?.()
      this._removeListeners = undefined
      this._server = null
      this._closeWhenEmpty()
    } else {
      this._removeListeners?.()
      this._removeListeners = undefined
      this._server = null
      server?.close(() => {
        emitClose(this)
      })
    }
  }

  /** Whether a request is for this server: by the option `path`. May be replaced. */
  shouldHandle(request: IncomingMessage): boolean | Promise<boolean> {
    const { path } = this.options
    if (!path) return true
    const url = request.url ?? ''
    const end = url.indexOf('?')
    return (end === -1 ? url : url.slice(0, end)) === path
  }

  /**
   * Does the handshake on a connection that an HTTP server gave up by 'upgrade'.
   * @param head the bytes after the request
   * @param callback called with the connection, if the handshake succeeds
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, callback: UpgradeCallback): void {
    socket.on('error', destroySocket)
    const upgrade = this._readUpgrade(request, socket, head)
    if (upgrade === null) return
    const { verifyClient } = this.options
    if (!verifyClient) {
      this._completeUpgrade(upgrade, callback)
      return
    }
    const version = Number(request.headers['sec-websocket-version'])
    const info: ClientInfo = {
      origin: request.headers[version === 8 ? 'sec-websocket-origin' : 'origin'] as string | undefined,
      secure: isSecure(request.socket),
      req: request,
    }
    if (verifyClient.length === 2) {
      const verified: Verified = (isAccepted, code, message, headers) => {
        if (isAccepted) this._completeUpgrade(upgrade, callback)
        else refuse(socket, code === 0 ? 401 : (code ?? 401), message, headers)
      }
      verifyClient(info, verified)
    } else if ((verifyClient as (info: ClientInfo) => boolean)(info)) {
      this._completeUpgrade(upgrade, callback)
    } else {
      refuse(socket, 401)
    }
  }

  /** Emits 'close' once no connection is left. */
  _closeWhenEmpty(): void {
    if (this.clients === undefined || this.clients.size === 0) process.nextTick(emitClose, this)
    else this._shouldEmitClose = true
  }

  /** @returns what removes the listeners */
  _listenTo(server: HttpServer): () => void {
    const onConnection: UpgradeCallback = (websocket, request) => {
      this.emit('connection', websocket, request)
    }
    const listeners = {
      listening: () => this.emit('listening'),
      error: (error: Error) => this.emit('error', error),
      upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        this.handleUpgrade(request, socket, head, onConnection)
      },
    }
    for (const [event, listener] of Object.entries(listeners)) server.on(event, listener)
    return () => {
      for (const [event, listener] of Object.entries(listeners)) server.removeListener(event, listener)
    }
  }

  /** Checks a request. @returns null: it was answered */
  _readUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Upgrade | null {
    const { headers } = request
    const key = headers['sec-websocket-key']
    const version = Number(headers['sec-websocket-version'])
    const fail = (code: number, message: string, fields?: Headers): null => {
      this._refuseOrReport(request, socket, code, message, fields)
      return null
    }
    if (request.method !== 'GET') return fail(405, 'Invalid HTTP method')
    if (headers.upgrade?.toLowerCase() !== 'websocket') return fail(400, 'Invalid Upgrade header')
    if (key === undefined || !KEY.test(key)) return fail(400, 'Missing or invalid Sec-WebSocket-Key header')
    if (version !== 13 && version !== 8) {
      return fail(400, 'Missing or invalid Sec-WebSocket-Version header', {
        'Sec-WebSocket-Version': '13, 8',
      })
    }
    if (!this.shouldHandle(request)) {
      refuse(socket, 400)
      return null
    }
    let protocols = new Set<string>()
    const offered = headers['sec-websocket-protocol']
    if (offered !== undefined) {
      try {
        protocols = subprotocol.parse(offered)
      } catch {
        return fail(400, 'Invalid Sec-WebSocket-Protocol header')
      }
    }
    const deflate = this._negotiate(headers['sec-websocket-extensions'])
    if (deflate === undefined) return fail(400, 'Invalid or unacceptable Sec-WebSocket-Extensions header')
    return { request, socket, head, key, protocols, deflate }
  }

  /** @returns null: no compression; undefined: the header cannot be accepted */
  _negotiate(header: string | undefined): PerMessageDeflate | null | undefined {
    const { perMessageDeflate, maxPayload } = this.options
    if (!perMessageDeflate || header === undefined) return null
    const given = typeof perMessageDeflate === 'object' ? perMessageDeflate : {}
    const deflate = new PerMessageDeflate({ ...given, isServer: true, maxPayload })
    try {
      const offers = extension.parse(header)[PerMessageDeflate.extensionName]
      if (offers === undefined) return null
      deflate.accept(offers)
      return deflate
    } catch {
      return undefined
    }
  }

  _refuseOrReport(
    request: IncomingMessage,
    socket: Duplex,
    code: number,
    message: string,
    headers: Headers | undefined,
  ): void {
    if (this.listenerCount('wsClientError') === 0) {
      refuse(socket, code, message, headers)
      return
    }
    const error = new Error(message)
    Error.captureStackTrace(error, this._refuseOrReport.bind(this))
    this.emit('wsClientError', error, socket, request)
  }

  /** Answers 101, and makes the connection. */
  _completeUpgrade(upgrade: Upgrade, callback: UpgradeCallback): void {
    const { request, socket, head, key, protocols, deflate } = upgrade
    const { options } = this
    // The peer may be gone, while the application made up its mind.
    if (!socket.readable || !socket.writable) {
      socket.destroy()
      return
    }
    if (sockets.has(socket)) {
      throw new Error(
        'server.handleUpgrade() was called more than once with the same socket, possibly due to a misconfiguration',
      )
    }
    if (this._state > RUNNING) {
      refuse(socket, 503)
      return
    }
    sockets.add(socket)
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${acceptOf(key)}`,
    ]
    const websocket = new options.WebSocket(null, undefined, options)
    if (protocols.size > 0) {
      const [first] = protocols
      const chosen = options.handleProtocols ? options.handleProtocols(protocols, request) : first
      if (chosen) {
        lines.push(`Sec-WebSocket-Protocol: ${chosen}`)
        websocket._protocol = chosen
      }
    }
    if (deflate !== null) {
      const name = PerMessageDeflate.extensionName
      lines.push(`Sec-WebSocket-Extensions: ${extension.format({ [name]: [{ ...deflate.params }] })}`)
      websocket._extensions = { [name]: deflate }
      websocket._deflateOptions = options.perMessageDeflate
    }
    // The application may add lines.
    this.emit('headers', lines, request)
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    socket.removeListener('error', destroySocket)
    websocket.setSocket(socket, head, options)
    this._track(websocket)
    callback(websocket, request)
  }

  _track(websocket: WebSocket): void {
    const { clients } = this
    if (clients === undefined) return
    clients.add(websocket)
    websocket._trackedBy = this
  }

  _untrack(websocket: WebSocket): void {
    const { clients } = this
    if (clients === undefined) return
    clients.delete(websocket)
    if (this._shouldEmitClose && clients.size === 0) process.nextTick(emitClose, this)
  }
}

/** Sockets that are WebSockets already. */
const sockets = new WeakSet<Duplex>()

function emitClose(server: WebSocketServer): void {
  server._state = CLOSED
  server.emit('close')
}
