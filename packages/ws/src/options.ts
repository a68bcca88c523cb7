/** The options of `ws`, and their defaults. */
import type { EventEmitter } from 'node:events'
import type { ClientRequest, IncomingMessage, Server as HttpServer } from 'node:http'
import type { RequestOptions, Server as HttpsServer } from 'node:https'
import type { PerMessageDeflateOptions } from './deflate-parameters.js'

/** Options of a client and of a server alike. */
export interface CommonOptions {
  /** Whether several of the events 'message', 'ping' and 'pong' may be emitted in one turn of the event loop. Default true. */
  allowSynchronousEvents?: boolean | undefined
  /** Whether pings are answered. Default true. */
  autoPong?: boolean | undefined
  /** Milliseconds that the closing handshake may take before the socket is destroyed. Default 30,000. */
  closeTimeout?: number | undefined
  /** For the class Receiver. A connection copies what it keeps into one buffer, so that no number of chunks waits. */
  maxBufferedChunks?: number | undefined
  /** The most frames of one message; 0: no limit. Default 16,384. */
  maxFragments?: number | undefined
  /** The most bytes of one message; 0: no limit. Default 100 MiB. */
  maxPayload?: number | undefined
  /** The most answers to pings that wait to be written: a peer that sends more is cut off. Default 60. */
  maxPendingAutoPongs?: number | undefined
  /** Whether text is taken as it is, even if it is not UTF-8. Default false. */
  skipUTF8Validation?: boolean | undefined
  /** Whether messages are compressed: true, false, or how. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined
}

/** Options of a client, those of `http.request` and `https.request` among them. */
export interface ClientOptions extends CommonOptions, RequestOptions {
  /** Called with the request before it is sent; it then has to call its `end()`. */
  finishRequest?: ((request: ClientRequest, websocket: EventEmitter) => void) | undefined
  /** Whether redirects are followed. Default false. */
  followRedirects?: boolean | undefined
  /** Fills the masking key of each frame. Default: random bytes. */
  generateMask?: ((mask: Buffer) => void) | undefined
  /** Milliseconds that the opening handshake may take. Default: no limit. */
  handshakeTimeout?: number | undefined
  /** The most redirects that are followed. Default 10. */
  maxRedirects?: number | undefined
  /** The value of the header Origin. */
  origin?: string | undefined
  /** Subprotocols to offer, where the second argument of the constructor names none. */
  protocols?: string | readonly string[] | undefined
  /** 13, or 8. Default 13. */
  protocolVersion?: number | undefined
}

/** How a message is sent: by the names of `ws`. */
export interface SendOptions {
  /** Whether it is binary. Default: unless the data are a string. */
  binary?: boolean | undefined
  /** Whether to compress it, where that is agreed. Default true. */
  compress?: boolean | undefined
  /** Whether it is the last fragment of its message. Default true. */
  fin?: boolean | undefined
  /** Whether to mask it. Default: as the role demands. */
  mask?: boolean | undefined
}

const OWN = Object.hasOwn

/** Whether only the type of a message may be named: how nearly all programs send. */
export const namesTypeOnly = (given: SendOptions): boolean =>
  !('fin' in given) && !('compress' in given) && !('mask' in given)

/** The type of a message. @param other where none is named: a type that is named as undefined is text, as for `ws` */
export const isBinaryBy = (given: SendOptions, other: boolean): boolean =>
  'binary' in given && OWN(given, 'binary') ? Boolean(given.binary) : other

/** An option, and what holds where it is not given: one that is given as undefined is false, as for `ws`. */
export const optionOf = (given: SendOptions, name: keyof SendOptions, other: boolean): boolean =>
  OWN(given, name) ? Boolean(given[name]) : other

/** How a socket becomes a connection: see `setSocket`. */
export interface SocketOptions {
  readonly allowSynchronousEvents?: boolean | undefined
  readonly generateMask?: ((mask: Buffer) => void) | undefined
  readonly maxFragments?: number | undefined
  readonly maxPayload?: number | undefined
  readonly skipUTF8Validation?: boolean | undefined
}

/** What `verifyClient` is told of a request. */
export interface ClientInfo {
  readonly origin: string | undefined
  readonly secure: boolean
  readonly req: IncomingMessage
}

/** The answer of an asynchronous `verifyClient`. */
export type Verified = (
  isAccepted: boolean,
  code?: number | null,
  message?: string | null,
  headers?: Record<string, string | number | readonly string[]>,
) => void

export type VerifyClient = ((info: ClientInfo) => boolean) | ((info: ClientInfo, verified: Verified) => void)

/** Options of a server. They are read at each upgrade: an application may change them. */
export interface ServerOptions extends CommonOptions {
  backlog?: number | null | undefined
  /** Whether `clients` has the connections. Default true. */
  clientTracking?: boolean | undefined
  /** Chooses among the subprotocols that a client offers; false: none. */
  handleProtocols?: ((protocols: Set<string>, request: IncomingMessage) => string | false) | null | undefined
  host?: string | null | undefined
  /** Whether upgrades are handed over by `handleUpgrade` alone. */
  noServer?: boolean | undefined
  /** Only requests for this path are accepted. */
  path?: string | null | undefined
  port?: number | null | undefined
  /** A server of node:http or node:https whose upgrades are accepted. */
  server?: HttpServer | HttpsServer | null | undefined
  verifyClient?: VerifyClient | null | undefined
  /** The class of the connections: a subclass of WebSocket. */
  WebSocket?: unknown
}

const COMMON_DEFAULTS = {
  allowSynchronousEvents: true,
  autoPong: true,
  maxBufferedChunks: 256 * 1024,
  maxFragments: 16 * 1024,
  maxPayload: 100 * 1024 * 1024,
  maxPendingAutoPongs: 60,
  skipUTF8Validation: false,
}
const CLOSE_TIMEOUT_MS = 30_000

export const CLIENT_DEFAULTS = {
  ...COMMON_DEFAULTS,
  closeTimeout: CLOSE_TIMEOUT_MS,
  perMessageDeflate: true as boolean | PerMessageDeflateOptions,
  protocolVersion: 13,
  followRedirects: false,
  maxRedirects: 10,
}

export const SERVER_DEFAULTS = {
  ...COMMON_DEFAULTS,
  perMessageDeflate: false as boolean | PerMessageDeflateOptions,
  handleProtocols: null,
  clientTracking: true,
  closeTimeout: CLOSE_TIMEOUT_MS,
  verifyClient: null,
  noServer: false,
  backlog: null,
  server: null,
  host: null,
  path: null,
  port: null,
}
