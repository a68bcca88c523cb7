/** The opening handshake of a client, as `ws` does it: by a request of node:http or node:https. */
import { createHash, randomBytes } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { connect as netConnect, isIP, type NetConnectOpts } from 'node:net'
import { unescape } from 'node:querystring'
import type { Duplex } from 'node:stream'
import { connect as tlsConnect, type ConnectionOptions } from 'node:tls'
import { checkZlibOptions } from './coerce.js'
import { extension } from './extension.js'
import { CLIENT_DEFAULTS, type ClientOptions } from './options.js'
import { PerMessageDeflate } from './permessage-deflate.js'

/** What the accepting end appends to the key (RFC 6455 section 1.3). */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const SUPPORTED_VERSIONS = [8, 13]
const TOKEN = /^[!#$%&'*+\-.0-9A-Z^_`|a-z~]+$/

const CONNECTING = 0
const CLOSING = 2

/** The accept value of a key (RFC 6455 section 4.2.2). */
export const acceptOf = (key: string): string =>
  createHash('sha1')
    .update(key + GUID)
    .digest('base64')

/** Options as they go into the request. */
type Resolved = ClientOptions & typeof CLIENT_DEFAULTS & { headers: Record<string, unknown> }

/** What a client tells the WebSocket that it connects. */
export interface ConnectingSocket extends EventEmitter {
  readonly url: string | undefined
  _readyState: number
  _errorEmitted: boolean
  _protocol: string
  _url: string | undefined
  _redirects: number
  _req: ClientRequest | null
  /** The handshake is done. @param deflate null: messages are not compressed */
  _connected(socket: Duplex, head: Buffer, options: Resolved, deflate: PerMessageDeflate | null): void
  emitClose(): void
}

/** Where the first request went, for the redirects. */
interface Origin {
  readonly isIpc: boolean
  readonly isSecure: boolean
  readonly place: string | undefined
}

/** Requests that were given up: their later events count for nothing. */
const aborted = new WeakSet()

/** The connection could not be made. */
function emitErrorAndClose(websocket: ConnectingSocket, error: Error): void {
  websocket._readyState = CLOSING
  websocket._errorEmitted = true
  websocket.emit('error', error)
  websocket.emitClose()
}

/** Gives up the opening handshake, with an error. @param by where the stack of the error begins */
export function abortHandshake(
  websocket: ConnectingSocket,
  stream: ClientRequest | Duplex | null,
  message: string,
  by: (...values: never[]) => unknown = abortHandshake,
): void {
  websocket._readyState = CLOSING
  const error = new Error(message)
  Error.captureStackTrace(error, by)
  if (stream !== null && 'setHeader' in stream) {
    aborted.add(stream)
    stream.destroy()
    // A socket that has answered is no longer the request's to destroy.
    if (stream.socket !== null && !stream.socket.destroyed) stream.socket.destroy()
    process.nextTick(emitErrorAndClose, websocket, error)
  } else if (stream !== null) {
    stream.destroy(error)
    stream.once('error', (reason: Error) => websocket.emit('error', reason))
    stream.once('close', () => websocket.emitClose())
  } else {
    process.nextTick(emitErrorAndClose, websocket, error)
  }
}

function connectPlain(options: RequestOptions & { path?: string | null }): Duplex {
  return netConnect({ ...options, path: options.socketPath } as unknown as NetConnectOpts)
}

function connectSecure(options: RequestOptions): Duplex {
  const host = options.host ?? ''
  const servername = options.servername ?? (isIP(host) === 0 ? host : '')
  return tlsConnect({ ...options, path: undefined, servername } as unknown as ConnectionOptions)
}

/** What is wrong with an address; null: nothing. */
function faultOf(url: URL): string | null {
  if (!['ws:', 'wss:', 'ws+unix:'].includes(url.protocol)) {
    return 'The URL\'s protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"'
  }
  if (url.protocol === 'ws+unix:' && url.pathname === '') return "The URL's pathname is empty"
  return url.hash === '' ? null : 'The URL contains a fragment identifier'
}

function parseUrl(address: string | URL): URL {
  let url: URL
  try {
    url = new URL(address)
  } catch {
    throw new SyntaxError(`Invalid URL: ${String(address)}`)
  }
  if (url.protocol === 'http:') url.protocol = 'ws:'
  else if (url.protocol === 'https:') url.protocol = 'wss:'
  return url
}

/** @throws SyntaxError for a name that is not a token, or there twice */
function checkProtocols(protocols: readonly string[]): Set<string> {
  const names = new Set<string>()
  for (const name of protocols) {
    if (typeof name !== 'string' || !TOKEN.test(name) || names.has(name)) {
      throw new SyntaxError('An invalid or duplicated subprotocol was specified')
    }
    names.add(name)
  }
  return names
}

/** One opening handshake; each redirect makes another. */
class Handshake {
  private readonly websocket: ConnectingSocket
  private readonly url: URL
  private readonly protocols: Set<string>
  private readonly given: ClientOptions
  private readonly origin: Origin
  private readonly options: Resolved
  private readonly key = randomBytes(16).toString('base64')
  private readonly deflate: PerMessageDeflate | null
  private request: ClientRequest | null = null

  constructor(
    websocket: ConnectingSocket,
    url: URL,
    protocols: Set<string>,
    given: ClientOptions,
    origin: Origin | null,
  ) {
    const isSecure = url.protocol === 'wss:'
    const isIpc = url.protocol === 'ws+unix:'
    this.websocket = websocket
    this.url = url
    this.protocols = protocols
    this.given = given
    const [socketPath, ...rest] = `${url.pathname}${url.search}`.split(':')
    this.origin = origin ?? { isIpc, isSecure, place: isIpc ? socketPath : url.host }
    const merged = { ...CLIENT_DEFAULTS, ...given } as typeof CLIENT_DEFAULTS & ClientOptions
    const { perMessageDeflate: deflate, maxPayload } = merged
    this.deflate = deflate
      ? new PerMessageDeflate({
          ...(typeof deflate === 'object' ? deflate : {}),
          isServer: false,
          maxPayload,
        })
      : null
    const connection = isSecure ? connectSecure : connectPlain
    this.options = {
      ...merged,
      headers: { ...(given.headers as Record<string, unknown> | undefined), ...this.headers(merged) },
      createConnection: given.createConnection ?? (connection as RequestOptions['createConnection']),
      defaultPort: given.defaultPort ?? (isSecure ? 443 : 80),
      port: url.port === '' ? (isSecure ? 443 : 80) : url.port,
      host: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
      hostname: undefined,
      protocol: undefined,
      protocols: undefined,
      method: 'GET',
      socketPath: isIpc ? socketPath : undefined,
      path: isIpc ? rest.join(':') || undefined : `${url.pathname}${url.search}`,
      timeout: given.handshakeTimeout,
    } as Resolved
    if (url.username !== '' || url.password !== '') {
      // Unlike decodeURIComponent it takes any text.
      this.options.auth = `${unescape(url.username)}:${unescape(url.password)}`
    }
  }

  private headers({
    protocolVersion,
    origin,
  }: typeof CLIENT_DEFAULTS & ClientOptions): Record<string, string | number> {
    const { deflate, protocols } = this
    const headers: Record<string, string | number> = {
      'Sec-WebSocket-Version': protocolVersion,
      'Sec-WebSocket-Key': this.key,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
    }
    if (deflate !== null) {
      headers['Sec-WebSocket-Extensions'] = extension.format({
        [PerMessageDeflate.extensionName]: { ...deflate.offer() },
      })
    }
    if (protocols.size > 0) headers['Sec-WebSocket-Protocol'] = [...protocols].join(',')
    if (origin !== undefined && origin !== '') {
      headers[protocolVersion < 13 ? 'Sec-WebSocket-Origin' : 'Origin'] = origin
    }
    return headers
  }

  start(isRedirect: boolean): void {
    const { websocket, options } = this
    const send = this.url.protocol === 'wss:' ? httpsRequest : httpRequest
    if (options.followRedirects) this.keepSecrets(isRedirect)
    const request = send(options)
    this.request = request
    websocket._req = request
    if (options.followRedirects && isRedirect) websocket.emit('redirect', websocket.url, request)
    if (options.handshakeTimeout) {
      request.on('timeout', () => {
        abortHandshake(websocket, request, 'Opening handshake has timed out')
      })
    }
    request.on('error', (error) => {
      if (this.request === null || aborted.has(request)) return
      this.request = null
      websocket._req = null
      emitErrorAndClose(websocket, error)
    })
    request.on('response', (response) => {
      this.responded(request, response)
    })
    request.on('upgrade', (response, socket, head) => {
      this.upgraded(response, socket, head)
    })
    if (options.finishRequest) options.finishRequest(request, websocket)
    else request.end()
  }

  /** Takes care that credentials go to no other place than the caller meant: as curl does. */
  private keepSecrets(isRedirect: boolean): void {
    const { options, origin, url, websocket } = this
    const headers = options.headers
    const names = Object.keys(headers)
    const drop = (name: string): void => {
      for (const header of names) if (header.toLowerCase() === name) Reflect.deleteProperty(headers, header)
    }
    const isIpc = url.protocol === 'ws+unix:'
    const place = isIpc ? options.socketPath : url.host
    const isSamePlace = isIpc === origin.isIpc && place === origin.place
    // A listener of 'redirect' looks after the headers itself.
    if (isRedirect && websocket.listenerCount('redirect') === 0) {
      if (!isSamePlace || (origin.isSecure && url.protocol !== 'wss:')) {
        drop('authorization')
        drop('cookie')
        if (!isSamePlace) drop('host')
        options.auth = undefined
      }
    }
    const hasOwn = names.some((name) => name.toLowerCase() === 'authorization')
    // So that the next request has it as well.
    if (typeof options.auth === 'string' && options.auth !== '' && !hasOwn) {
      const authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`
      this.given.headers = { ...(this.given.headers as object), authorization }
    }
  }

  private responded(request: ClientRequest, response: IncomingMessage): void {
    const { websocket, options } = this
    const { location } = response.headers
    const status = response.statusCode ?? 0
    if (location && options.followRedirects && status >= 300 && status < 400) {
      if (++websocket._redirects > options.maxRedirects) {
        abortHandshake(websocket, request, 'Maximum redirects exceeded')
        return
      }
      aborted.add(request)
      request.destroy()
      this.redirect(location)
    } else if (!websocket.emit('unexpected-response', request, response)) {
      abortHandshake(websocket, request, `Unexpected server response: ${String(status)}`)
    }
  }

  private redirect(location: string): void {
    const { websocket } = this
    let url: URL
    try {
      url = parseUrl(new URL(location, httpUrl(this.url)))
    } catch {
      emitErrorAndClose(websocket, new SyntaxError(`Invalid URL: ${location}`))
      return
    }
    websocket._url = url.href
    const fault = faultOf(url)
    if (fault !== null) {
      emitErrorAndClose(websocket, new SyntaxError(fault))
      return
    }
    new Handshake(websocket, url, this.protocols, this.given, this.origin).start(true)
  }

  private upgraded(response: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { websocket } = this
    websocket.emit('upgrade', response)
    // A listener may have closed it.
    if (websocket._readyState !== CONNECTING) return
    this.request = null
    websocket._req = null
    const fault = this.checkAnswer(response)
    if (fault !== null) {
      abortHandshake(websocket, socket, fault)
      return
    }
    const protocol = response.headers['sec-websocket-protocol']
    if (protocol !== undefined && protocol !== '') websocket._protocol = protocol
    const isCompressed = response.headers['sec-websocket-extensions'] !== undefined
    websocket._connected(socket, head, this.options, isCompressed ? this.deflate : null)
  }

  /** What is wrong with an answer; null: nothing. */
  private checkAnswer({ headers }: IncomingMessage): string | null {
    if (headers.upgrade?.toLowerCase() !== 'websocket') return 'Invalid Upgrade header'
    if (headers['sec-websocket-accept'] !== acceptOf(this.key)) return 'Invalid Sec-WebSocket-Accept header'
    const protocol = headers['sec-websocket-protocol']
    if (protocol === undefined) {
      if (this.protocols.size > 0) return 'Server sent no subprotocol'
    } else if (this.protocols.size === 0) {
      return 'Server sent a subprotocol but none was requested'
    } else if (!this.protocols.has(protocol)) {
      return 'Server sent an invalid subprotocol'
    }
    return this.checkExtensions(headers['sec-websocket-extensions'])
  }

  private checkExtensions(header: string | undefined): string | null {
    if (header === undefined) return null
    if (this.deflate === null) {
      return 'Server sent a Sec-WebSocket-Extensions header but no extension was requested'
    }
    const name = PerMessageDeflate.extensionName
    try {
      const answer = extension.parse(header)
      const names = Object.keys(answer)
      if (names.length !== 1 || names[0] !== name) {
        return 'Server indicated an extension that was not requested'
      }
      this.deflate.accept(answer[name] ?? [])
    } catch {
      return 'Invalid Sec-WebSocket-Extensions header'
    }
    return null
  }
}

/** Against `ws:` a relative location is not resolved by every version of the standard; against `http:` it is. */
function httpUrl(url: URL): URL {
  return url.protocol === 'ws+unix:' ? url : new URL(url.href.replace(/^ws/, 'http'))
}

/**
 * Connects a WebSocket.
 * @throws SyntaxError for an address or a subprotocol that is wrong; RangeError for a version that is not supported; TypeError or
 *   RangeError for options that zlib refuses
 */
export function connect(
  websocket: ConnectingSocket,
  address: string | URL,
  protocols: readonly string[],
  options: ClientOptions,
): void {
  const { protocolVersion: version } = { ...CLIENT_DEFAULTS, ...options }
  if (version === undefined || !SUPPORTED_VERSIONS.includes(version)) {
    const supported = SUPPORTED_VERSIONS.join(', ')
    throw new RangeError(
      `Unsupported protocol version: ${String(version)} (supported versions: ${supported})`,
    )
  }
  const url = parseUrl(address)
  websocket._url = url.href
  const fault = faultOf(url)
  if (fault !== null) throw new SyntaxError(fault)
  checkZlibOptions(options.perMessageDeflate)
  new Handshake(websocket, url, checkProtocols(protocols), { ...options }, null).start(false)
}
