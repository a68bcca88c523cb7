/// <reference types="node" />

// The types of the drop-in for `ws`. What compiles against @types/ws compiles against these: the same names, overloads and
// type parameters. Beside those: closeTimeout, autoPong, blobs, setSocket, and the classes that `ws` exports without types.

import { EventEmitter } from 'node:events'
import {
  Agent,
  ClientRequest,
  ClientRequestArgs,
  IncomingMessage,
  OutgoingHttpHeaders,
  Server as HTTPServer,
} from 'node:http'
import { Server as HTTPSServer } from 'node:https'
import { createConnection } from 'node:net'
import { Duplex, DuplexOptions, Writable } from 'node:stream'
import { SecureContextOptions } from 'node:tls'
import { URL } from 'node:url'
import { ZlibOptions } from 'node:zlib'

/** What `send` takes: text, bytes, a Blob, and all that `Buffer.from` takes. */
type BufferLike =
  | string
  | Buffer
  | DataView
  | number
  | ArrayBufferView
  | Uint8Array
  | ArrayBuffer
  | SharedArrayBuffer
  | Blob
  | readonly any[]
  | readonly number[]
  | { valueOf(): ArrayBuffer }
  | { valueOf(): SharedArrayBuffer }
  | { valueOf(): Uint8Array }
  | { valueOf(): readonly number[] }
  | { valueOf(): string }
  | { [Symbol.toPrimitive](hint: string): string }

/** A WebSocket connection: of a client, or as a server has it. */
declare class WebSocket extends EventEmitter {
  /** The handshake is under way. */
  static readonly CONNECTING: 0
  /** Messages can be sent and received. */
  static readonly OPEN: 1
  /** The closing handshake is under way. */
  static readonly CLOSING: 2
  /** The connection is over. */
  static readonly CLOSED: 3

  /** How binary messages are given to listeners. */
  binaryType: 'nodebuffer' | 'arraybuffer' | 'fragments'
  /** The bytes that `send` took and that are not written. */
  readonly bufferedAmount: number
  /** The extensions in use, as in the header. */
  readonly extensions: string
  /** Whether `pause` stopped the events. */
  readonly isPaused: boolean
  /** The subprotocol, or empty. */
  readonly protocol: string
  readonly readyState:
    typeof WebSocket.CONNECTING | typeof WebSocket.OPEN | typeof WebSocket.CLOSING | typeof WebSocket.CLOSED
  /** Of a client: the URL that it was made with. */
  readonly url: string

  readonly CONNECTING: 0
  readonly OPEN: 1
  readonly CLOSING: 2
  readonly CLOSED: 3

  onopen: ((event: WebSocket.Event) => void) | null
  onerror: ((event: WebSocket.ErrorEvent) => void) | null
  onclose: ((event: WebSocket.CloseEvent) => void) | null
  onmessage: ((event: WebSocket.MessageEvent) => void) | null

  /** With null, no connection: `setSocket` gives it one. */
  constructor(
    address: null,
    protocols?: undefined,
    options?: WebSocket.ClientOptions & { isServer?: boolean | undefined },
  )
  constructor(address: string | URL, options?: WebSocket.ClientOptions | ClientRequestArgs)
  constructor(
    address: string | URL,
    protocols?: string | string[],
    options?: WebSocket.ClientOptions | ClientRequestArgs,
  )

  /** Begins the closing handshake. */
  close(code?: number, data?: string | Buffer): void
  ping(data?: any, mask?: boolean, cb?: (err: Error) => void): void
  pong(data?: any, mask?: boolean, cb?: (err: Error) => void): void
  /** Sends a message. The callback is called when it is written, or with the error. */
  send(data: BufferLike, cb?: (err?: Error) => void): void
  send(
    data: BufferLike,
    options: {
      mask?: boolean | undefined
      binary?: boolean | undefined
      compress?: boolean | undefined
      fin?: boolean | undefined
    },
    cb?: (err?: Error) => void,
  ): void
  /** Ends the connection at once. */
  terminate(): void
  /** Stops reading. Some events may still be emitted. No effect while connecting and after the end. */
  pause(): void
  /** Reads again. */
  resume(): void
  /** Makes this the WebSocket of a stream whose handshake is done. */
  setSocket(
    socket: Duplex,
    head: Buffer,
    options?: {
      allowSynchronousEvents?: boolean | undefined
      generateMask?(mask: Buffer): void
      maxPayload?: number | undefined
      maxBufferedChunks?: number | undefined
      maxFragments?: number | undefined
      skipUTF8Validation?: boolean | undefined
    },
  ): void

  addEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener:
      | ((event: WebSocket.WebSocketEventMap[K]) => void)
      | { handleEvent(event: WebSocket.WebSocketEventMap[K]): void },
    options?: WebSocket.EventListenerOptions,
  ): void
  removeEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener:
      | ((event: WebSocket.WebSocketEventMap[K]) => void)
      | { handleEvent(event: WebSocket.WebSocketEventMap[K]): void },
  ): void

  on(event: 'close', listener: (this: WebSocket, code: number, reason: Buffer) => void): this
  on(event: 'error', listener: (this: WebSocket, error: Error) => void): this
  on(event: 'upgrade', listener: (this: WebSocket, request: IncomingMessage) => void): this
  on(event: 'message', listener: (this: WebSocket, data: WebSocket.RawData, isBinary: boolean) => void): this
  on(event: 'open', listener: (this: WebSocket) => void): this
  on(event: 'ping' | 'pong', listener: (this: WebSocket, data: Buffer) => void): this
  on(event: 'redirect', listener: (this: WebSocket, url: string, request: ClientRequest) => void): this
  on(
    event: 'unexpected-response',
    listener: (this: WebSocket, request: ClientRequest, response: IncomingMessage) => void,
  ): this
  on(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this

  once(event: 'close', listener: (this: WebSocket, code: number, reason: Buffer) => void): this
  once(event: 'error', listener: (this: WebSocket, error: Error) => void): this
  once(event: 'upgrade', listener: (this: WebSocket, request: IncomingMessage) => void): this
  once(
    event: 'message',
    listener: (this: WebSocket, data: WebSocket.RawData, isBinary: boolean) => void,
  ): this
  once(event: 'open', listener: (this: WebSocket) => void): this
  once(event: 'ping' | 'pong', listener: (this: WebSocket, data: Buffer) => void): this
  once(event: 'redirect', listener: (this: WebSocket, url: string, request: ClientRequest) => void): this
  once(
    event: 'unexpected-response',
    listener: (this: WebSocket, request: ClientRequest, response: IncomingMessage) => void,
  ): this
  once(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this

  off(event: 'close', listener: (this: WebSocket, code: number, reason: Buffer) => void): this
  off(event: 'error', listener: (this: WebSocket, error: Error) => void): this
  off(event: 'upgrade', listener: (this: WebSocket, request: IncomingMessage) => void): this
  off(event: 'message', listener: (this: WebSocket, data: WebSocket.RawData, isBinary: boolean) => void): this
  off(event: 'open', listener: (this: WebSocket) => void): this
  off(event: 'ping' | 'pong', listener: (this: WebSocket, data: Buffer) => void): this
  off(event: 'redirect', listener: (this: WebSocket, url: string, request: ClientRequest) => void): this
  off(
    event: 'unexpected-response',
    listener: (this: WebSocket, request: ClientRequest, response: IncomingMessage) => void,
  ): this
  off(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this

  addListener(event: 'close', listener: (code: number, reason: Buffer) => void): this
  addListener(event: 'error', listener: (error: Error) => void): this
  addListener(event: 'upgrade', listener: (request: IncomingMessage) => void): this
  addListener(event: 'message', listener: (data: WebSocket.RawData, isBinary: boolean) => void): this
  addListener(event: 'open', listener: () => void): this
  addListener(event: 'ping' | 'pong', listener: (data: Buffer) => void): this
  addListener(event: 'redirect', listener: (url: string, request: ClientRequest) => void): this
  addListener(
    event: 'unexpected-response',
    listener: (request: ClientRequest, response: IncomingMessage) => void,
  ): this
  addListener(event: string | symbol, listener: (...args: any[]) => void): this

  removeListener(event: 'close', listener: (code: number, reason: Buffer) => void): this
  removeListener(event: 'error', listener: (error: Error) => void): this
  removeListener(event: 'upgrade', listener: (request: IncomingMessage) => void): this
  removeListener(event: 'message', listener: (data: WebSocket.RawData, isBinary: boolean) => void): this
  removeListener(event: 'open', listener: () => void): this
  removeListener(event: 'ping' | 'pong', listener: (data: Buffer) => void): this
  removeListener(event: 'redirect', listener: (url: string, request: ClientRequest) => void): this
  removeListener(
    event: 'unexpected-response',
    listener: (request: ClientRequest, response: IncomingMessage) => void,
  ): this
  removeListener(event: string | symbol, listener: (...args: any[]) => void): this
}

declare const WebSocketAlias: typeof WebSocket
interface WebSocketAlias extends WebSocket {}

declare namespace WebSocket {
  /** A message, as listeners of the emitter get it: text as a Buffer as well. */
  type RawData = Buffer | ArrayBuffer | Buffer[]

  /** A message, as a MessageEvent has it: text as a string. */
  type Data = string | Buffer | ArrayBuffer | Buffer[]

  /** A certificate or a key. */
  type CertMeta = string | string[] | Buffer | Buffer[]

  /** Decides on a handshake at once. */
  type VerifyClientCallbackSync<Request extends IncomingMessage = IncomingMessage> = (info: {
    origin: string
    secure: boolean
    req: Request
  }) => boolean

  /** Decides on a handshake by a callback. */
  type VerifyClientCallbackAsync<Request extends IncomingMessage = IncomingMessage> = (
    info: { origin: string; secure: boolean; req: Request },
    callback: (res: boolean, code?: number, message?: string, headers?: OutgoingHttpHeaders) => void,
  ) => void

  /** Changes the request of a handshake, and then must call its `end`. */
  type FinishRequestCallback = (request: ClientRequest, websocket: WebSocket) => void

  interface ClientOptions extends SecureContextOptions {
    protocol?: string | undefined
    /** Subprotocols to offer, where the constructor gets none. */
    protocols?: string | string[] | undefined
    followRedirects?: boolean | undefined
    generateMask?(mask: Buffer): void
    handshakeTimeout?: number | undefined
    maxRedirects?: number | undefined
    perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined
    localAddress?: string | undefined
    protocolVersion?: number | undefined
    headers?: { [key: string]: string } | undefined
    origin?: string | undefined
    agent?: Agent | undefined
    host?: string | undefined
    family?: number | undefined
    checkServerIdentity?(servername: string, cert: CertMeta): boolean
    rejectUnauthorized?: boolean | undefined
    allowSynchronousEvents?: boolean | undefined
    autoPong?: boolean | undefined
    /** How long the closing handshake may take, in milliseconds. Default 30000. */
    closeTimeout?: number | undefined
    maxPayload?: number | undefined
    maxBufferedChunks?: number | undefined
    maxFragments?: number | undefined
    skipUTF8Validation?: boolean | undefined
    createConnection?: typeof createConnection | undefined
    finishRequest?: FinishRequestCallback | undefined
  }

  interface PerMessageDeflateOptions {
    serverNoContextTakeover?: boolean | undefined
    clientNoContextTakeover?: boolean | undefined
    serverMaxWindowBits?: number | undefined
    clientMaxWindowBits?: number | undefined
    zlibDeflateOptions?:
      | {
          flush?: number | undefined
          finishFlush?: number | undefined
          chunkSize?: number | undefined
          windowBits?: number | undefined
          level?: number | undefined
          memLevel?: number | undefined
          strategy?: number | undefined
          dictionary?: Buffer | Buffer[] | DataView | undefined
          info?: boolean | undefined
        }
      | undefined
    zlibInflateOptions?: ZlibOptions | undefined
    threshold?: number | undefined
    concurrencyLimit?: number | undefined
  }

  interface Event {
    type: string
    target: WebSocket
  }

  interface ErrorEvent {
    error: any
    message: string
    type: string
    target: WebSocket
  }

  interface CloseEvent {
    wasClean: boolean
    code: number
    reason: string
    type: string
    target: WebSocket
  }

  interface MessageEvent {
    data: Data
    type: string
    target: WebSocket
  }

  interface WebSocketEventMap {
    open: Event
    error: ErrorEvent
    close: CloseEvent
    message: MessageEvent
  }

  interface EventListenerOptions {
    once?: boolean | undefined
  }

  interface ServerOptions<
    U extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    V extends typeof IncomingMessage = typeof IncomingMessage,
  > {
    host?: string | undefined
    port?: number | undefined
    backlog?: number | undefined
    server?: HTTPServer<V> | HTTPSServer<V> | undefined
    verifyClient?:
      VerifyClientCallbackAsync<InstanceType<V>> | VerifyClientCallbackSync<InstanceType<V>> | undefined
    handleProtocols?: (protocols: Set<string>, request: InstanceType<V>) => string | false
    path?: string | undefined
    noServer?: boolean | undefined
    allowSynchronousEvents?: boolean | undefined
    autoPong?: boolean | undefined
    clientTracking?: boolean | undefined
    /** How long the closing handshake may take, in milliseconds. Default 30000. */
    closeTimeout?: number | undefined
    perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined
    maxPayload?: number | undefined
    maxBufferedChunks?: number | undefined
    maxFragments?: number | undefined
    skipUTF8Validation?: boolean | undefined
    WebSocket?: U | undefined
  }

  interface AddressInfo {
    address: string
    family: string
    port: number
  }

  /** A WebSocket server. */
  class Server<
    T extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage,
  > extends EventEmitter {
    options: ServerOptions<T, U>
    path: string
    clients: Set<InstanceType<T>>

    constructor(options?: ServerOptions<T, U>, callback?: () => void)

    address(): AddressInfo | string | null
    close(cb?: (err?: Error) => void): void
    handleUpgrade(
      request: InstanceType<U>,
      socket: Duplex,
      upgradeHead: Buffer,
      callback: (client: InstanceType<T>, request: InstanceType<U>) => void,
    ): void
    shouldHandle(request: InstanceType<U>): boolean | Promise<boolean>

    on(
      event: 'connection',
      cb: (this: Server<T>, websocket: InstanceType<T>, request: InstanceType<U>) => void,
    ): this
    on(event: 'error', cb: (this: Server<T>, error: Error) => void): this
    on(event: 'headers', cb: (this: Server<T>, headers: string[], request: InstanceType<U>) => void): this
    on(event: 'close' | 'listening', cb: (this: Server<T>) => void): this
    on(
      event: 'wsClientError',
      cb: (this: Server<T>, error: Error, socket: Duplex, request: InstanceType<U>) => void,
    ): this
    on(event: string | symbol, listener: (this: Server<T>, ...args: any[]) => void): this

    once(
      event: 'connection',
      cb: (this: Server<T>, websocket: InstanceType<T>, request: InstanceType<U>) => void,
    ): this
    once(event: 'error', cb: (this: Server<T>, error: Error) => void): this
    once(event: 'headers', cb: (this: Server<T>, headers: string[], request: InstanceType<U>) => void): this
    once(event: 'close' | 'listening', cb: (this: Server<T>) => void): this
    once(
      event: 'wsClientError',
      cb: (this: Server<T>, error: Error, socket: Duplex, request: InstanceType<U>) => void,
    ): this
    once(event: string | symbol, listener: (this: Server<T>, ...args: any[]) => void): this

    off(
      event: 'connection',
      cb: (this: Server<T>, websocket: InstanceType<T>, request: InstanceType<U>) => void,
    ): this
    off(event: 'error', cb: (this: Server<T>, error: Error) => void): this
    off(event: 'headers', cb: (this: Server<T>, headers: string[], request: InstanceType<U>) => void): this
    off(event: 'close' | 'listening', cb: (this: Server<T>) => void): this
    off(
      event: 'wsClientError',
      cb: (this: Server<T>, error: Error, socket: Duplex, request: InstanceType<U>) => void,
    ): this
    off(event: string | symbol, listener: (this: Server<T>, ...args: any[]) => void): this

    addListener(event: 'connection', cb: (websocket: InstanceType<T>, request: InstanceType<U>) => void): this
    addListener(event: 'error', cb: (error: Error) => void): this
    addListener(event: 'headers', cb: (headers: string[], request: InstanceType<U>) => void): this
    addListener(event: 'close' | 'listening', cb: () => void): this
    addListener(
      event: 'wsClientError',
      cb: (error: Error, socket: Duplex, request: InstanceType<U>) => void,
    ): this
    addListener(event: string | symbol, listener: (...args: any[]) => void): this

    removeListener(
      event: 'connection',
      cb: (websocket: InstanceType<T>, request: InstanceType<U>) => void,
    ): this
    removeListener(event: 'error', cb: (error: Error) => void): this
    removeListener(event: 'headers', cb: (headers: string[], request: InstanceType<U>) => void): this
    removeListener(event: 'close' | 'listening', cb: () => void): this
    removeListener(
      event: 'wsClientError',
      cb: (error: Error, socket: Duplex, request: InstanceType<U>) => void,
    ): this
    removeListener(event: string | symbol, listener: (...args: any[]) => void): this
  }

  const WebSocketServer: typeof Server
  interface WebSocketServer extends Server {}
  const WebSocket: typeof WebSocketAlias
  interface WebSocket extends WebSocketAlias {}

  /** A Duplex over a WebSocket: each chunk written is a message, each message a chunk to read. */
  function createWebSocketStream(websocket: WebSocket, options?: DuplexOptions): Duplex

  /** The header Sec-WebSocket-Extensions. */
  const extension: {
    parse(header: string): Record<string, Record<string, (string | true)[]>[]>
    format(extensions: Record<string, object | readonly object[]>): string
  }

  /** The header Sec-WebSocket-Protocol. */
  const subprotocol: {
    parse(header: string): Set<string>
  }

  /** What both ends of permessage-deflate keep to. */
  interface PerMessageDeflateParameters {
    server_no_context_takeover?: true
    client_no_context_takeover?: true
    server_max_window_bits?: number | true
    client_max_window_bits?: number | true
  }

  /** permessage-deflate for one connection. */
  class PerMessageDeflate {
    static readonly extensionName: 'permessage-deflate'
    constructor(
      options?: PerMessageDeflateOptions & {
        isServer?: boolean | undefined
        maxPayload?: number | undefined
      },
    )
    params: PerMessageDeflateParameters | null
    offer(): PerMessageDeflateParameters
    accept(configurations: readonly Record<string, (string | true)[]>[]): PerMessageDeflateParameters
    cleanup(): void
    compress(
      data: string | Uint8Array,
      fin: boolean,
      callback: (err: Error | null, data?: Buffer) => void,
    ): void
    decompress(data: Uint8Array, fin: boolean, callback: (err: Error | null, data?: Buffer) => void): void
  }

  /** Reads the frames of a connection. */
  class Receiver extends Writable {
    constructor(options?: {
      allowSynchronousEvents?: boolean | undefined
      binaryType?: 'nodebuffer' | 'arraybuffer' | 'blob' | 'fragments' | undefined
      extensions?: Record<string, unknown> | undefined
      isServer?: boolean | undefined
      maxBufferedChunks?: number | undefined
      maxFragments?: number | undefined
      maxPayload?: number | undefined
      skipUTF8Validation?: boolean | undefined
    })
  }

  /** Writes the frames of a connection. */
  class Sender {
    constructor(socket: Duplex, extensions?: Record<string, unknown>, generateMask?: (mask: Buffer) => void)
    static frame(
      data: Buffer | string,
      options: {
        fin?: boolean | undefined
        generateMask?: ((mask: Buffer) => void) | undefined
        mask?: boolean | undefined
        maskBuffer?: Buffer | undefined
        opcode?: number | undefined
        readOnly?: boolean | undefined
        rsv1?: boolean | undefined
      },
    ): Buffer[]
    close(code?: number, data?: string | Buffer, mask?: boolean, cb?: (err?: Error | null) => void): void
    ping(data: any, mask?: boolean, cb?: (err?: Error | null) => void): void
    pong(data: any, mask?: boolean, cb?: (err?: Error | null) => void): void
    send(
      data: BufferLike,
      options: {
        binary?: boolean | undefined
        compress?: boolean | undefined
        fin?: boolean | undefined
        mask?: boolean | undefined
      },
      cb?: (err?: Error | null) => void,
    ): void
    sendFrame(list: readonly (string | Uint8Array)[], cb?: (err?: Error | null) => void): void
  }
}

export = WebSocket
