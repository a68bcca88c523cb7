import { EventEmitter } from 'node:events'
import type { ClientRequest } from 'node:http'
import type { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { CloseCode } from '../../../src/frame/close-code.js'
import { MAX_CONTROL_PAYLOAD_BYTES } from '../../../src/frame/header.js'
import { Opcode } from '../../../src/frame/opcode.js'
import { ConnectionEnds } from './connection-ends.js'
import { codecFor } from './compression.js'
import { isNotOff, toLimit } from './coerce.js'
import { abortHandshake, connect, type ConnectingSocket } from './connect.js'
import { defineEventTarget } from './event-target.js'
import { Link } from './link.js'
import { EVENTS, type LinkedWebSocket } from './link-events.js'
import { CLIENT_DEFAULTS, isBinaryBy, namesTypeOnly, optionOf } from './options.js'
import type { ClientOptions, CommonOptions, SendOptions, SocketOptions } from './options.js'
import { callbackOf, callLater, type SendCallback } from './callbacks.js'
import { PerMessageDeflate } from './permessage-deflate.js'
import type { Receiver } from './receiver.js'
import type { Sender } from './sender.js'
import { BINARY_TYPES, closePayload, lengthOf, notOpen, OPENED } from './values.js'
import { EMPTY, NO_EXTENSIONS, READY_STATES, type BinaryType } from './values.js'

export type { BinaryType }

const { CONNECTING, OPEN, CLOSING, CLOSED } = READY_STATES

const NOT_ESTABLISHED = 'WebSocket was closed before the connection was established'
const NO_OPTIONS: SendOptions = Object.freeze({})
const TEXT = Object.freeze({ binary: false, compress: true, fin: true })
const BINARY = Object.freeze({ binary: true, compress: true, fin: true })

/** A WebSocket connection with the face of that of `ws`. */
export class WebSocket extends EventEmitter implements ConnectingSocket {
  declare static readonly CONNECTING: 0
  declare static readonly OPEN: 1
  declare static readonly CLOSING: 2
  declare static readonly CLOSED: 3
  declare readonly CONNECTING: 0
  declare readonly OPEN: 1
  declare readonly CLOSING: 2
  declare readonly CLOSED: 3

  _binaryType: BinaryType = 'nodebuffer'
  _closeCode: number = CloseCode.ABNORMAL_CLOSURE
  _closeFrameReceived = false
  _closeFrameSent = false
  _closeMessage: Buffer = EMPTY
  _closeTimer: NodeJS.Timeout | null = null
  _errorEmitted = false
  _extensions: Readonly<Record<string, PerMessageDeflate>> = NO_EXTENSIONS
  _paused = false
  _protocol = ''
  _readyState: number = CONNECTING
  /** How it receives and sends; null before the handshake is done. */
  _link: Link<LinkedWebSocket> | null = null
  _isServer: boolean
  _autoPong: boolean
  _pendingAutoPongs = 0
  _maxPendingAutoPongs = 0
  _closeTimeout: number | undefined
  _redirects = 0
  _url: string | undefined
  _req: ClientRequest | null = null
  /** Bytes that were given before there is a socket, and after its end. */
  _bufferedAmount = 0
  /** What the application said of compression. */
  _deflateOptions: CommonOptions['perMessageDeflate'] = true
  /** What programs find at `_sender` and `_receiver`. */
  _ends: ConnectionEnds | null = null
  /** The server that forgets the connection before 'close'. */
  _trackedBy: { _untrack(websocket: WebSocket): void } | null = null

  /**
   * @param address of the server; null: the connection is given by {@link setSocket}
   * @param protocols subprotocols to offer, or the options
   * @throws SyntaxError for an address or a subprotocol that is wrong
   */
  constructor(
    address: string | URL | null,
    protocols?: string | readonly string[] | ClientOptions,
    options?: ClientOptions,
  ) {
    super()
    const areOptions = typeof protocols === 'object' && !Array.isArray(protocols) && protocols !== null
    const given = (areOptions ? (protocols as ClientOptions) : options) ?? {}
    const resolved: ClientOptions = address === null ? given : { ...CLIENT_DEFAULTS, ...given }
    this._isServer = address === null
    this._autoPong = Boolean(resolved.autoPong)
    this._maxPendingAutoPongs = resolved.maxPendingAutoPongs ?? 0
    this._closeTimeout = resolved.closeTimeout ?? CLIENT_DEFAULTS.closeTimeout
    if (address === null) return
    this._deflateOptions = resolved.perMessageDeflate
    const names = areOptions || protocols === undefined ? (given.protocols ?? []) : protocols
    connect(this, address, Array.isArray(names) ? (names as string[]) : [names as string], given)
  }

  get binaryType(): BinaryType {
    return this._binaryType
  }

  set binaryType(type: BinaryType) {
    if (BINARY_TYPES.includes(type)) this._binaryType = type
  }

  /** Bytes that were sent and that the system has not taken. */
  get bufferedAmount(): number {
    const { _link: link } = this
    if (link === null) return this._bufferedAmount
    const { outgoing } = link
    if (!outgoing.compresses) outgoing.flush()
    return outgoing.bufferedAmount
  }

  /** The extensions in use: 'permessage-deflate', or empty. */
  get extensions(): string {
    return Object.keys(this._extensions).join(',')
  }

  get isPaused(): boolean {
    return this._paused
  }

  /** The subprotocol that was chosen; empty for none. */
  get protocol(): string {
    return this._protocol
  }

  get readyState(): number {
    return this._readyState
  }

  /** The address of the server; undefined for connections of a server. */
  get url(): string | undefined {
    return this._url
  }

  /** The socket, whole and in use; null before the handshake is done. */
  get _socket(): Duplex | null {
    // The caller may write to it, or end it: after all that was sent.
    this._link?.outgoing.flush()
    return this._link?.socket ?? null
  }

  /** What sends, as an object of its own; null before the handshake is done. */
  get _sender(): Sender | null {
    return this._bothEnds?.sender ?? null
  }

  /** What receives, as an object of its own; null before the handshake is done. */
  get _receiver(): Receiver | null {
    return this._bothEnds?.receiver ?? null
  }

  get _bothEnds(): ConnectionEnds | null {
    const { _link: link } = this
    if (link === null) return null
    return (this._ends ??= new ConnectionEnds(link, {
      ...link.receives,
      isServer: this._isServer,
      binaryType: this._binaryType,
      extensions: this._extensions,
    }))
  }

  /**
   * Makes a connection of a socket on which the handshake is done.
   * @param head bytes that came after the handshake
   */
  setSocket(socket: Duplex, head: Buffer, options: SocketOptions): void {
    const { _isServer: isServer } = this
    const deflate = this._extensions[PerMessageDeflate.extensionName]
    const codec =
      deflate === undefined
        ? null
        : codecFor(deflate, this._deflateOptions ?? true, isServer ? 'server' : 'client')
    const link = new Link<LinkedWebSocket>(socket, this, EVENTS, {
      isServer,
      codec,
      allowSynchronousEvents: isNotOff(options.allowSynchronousEvents),
      maxFragments: toLimit(options.maxFragments),
      maxPayload: toLimit(options.maxPayload),
      skipUTF8Validation: Boolean(options.skipUTF8Validation),
    })
    link.outgoing.generateMask = options.generateMask
    this._link = link
    // A Duplex need not have them.
    const tcp = socket as Partial<Pick<NetSocket, 'setNoDelay' | 'setTimeout'>>
    tcp.setTimeout?.(0)
    tcp.setNoDelay?.()
    link.start(head)
    this._readyState = OPEN
    if (OPENED.hasSubscribers) OPENED.publish({ socket: this })
    this.emit('open')
  }

  /** The handshake of a client is done. */
  _connected(socket: Duplex, head: Buffer, options: ClientOptions, deflate: PerMessageDeflate | null): void {
    if (deflate !== null) this._extensions = { [PerMessageDeflate.extensionName]: deflate }
    this.setSocket(socket, head, options)
  }

  /** Reports the end: 'close', with the code and the reason of the peer's Close frame. */
  emitClose(): void {
    this._readyState = CLOSED
    this._trackedBy?._untrack(this)
    this.emit('close', this._closeCode, this._closeMessage)
  }

  /**
   * Starts the closing handshake.
   * @throws TypeError for a code that must not be sent, RangeError for a reason of more than 123 bytes
   */
  close(code?: number, reason?: string | Buffer): void {
    if (this._readyState === CLOSED) return
    if (this._readyState === CONNECTING) {
      abortHandshake(this, this._req, NOT_ESTABLISHED, this.close.bind(this))
      return
    }
    if (this._readyState === CLOSING) {
      if (this._closeFrameSent) this._endIfDone()
      return
    }
    const payload = closePayload(code, reason)
    this._readyState = CLOSING
    const link = this._link as Link<LinkedWebSocket>
    link.outgoing.close(payload, (error) => {
      if (error) return
      this._closeFrameSent = true
      this._endIfDone()
    })
    this._limitClosing()
  }

  _limitClosing(): void {
    this._closeTimer = setTimeout(() => this._link?.socket.destroy(), this._closeTimeout)
  }

  /** Cuts the connection at once. */
  terminate(): void {
    if (this._readyState === CLOSED) return
    if (this._readyState === CONNECTING) {
      abortHandshake(this, this._req, NOT_ESTABLISHED, this.terminate.bind(this))
      return
    }
    const { _link: link } = this
    if (link === null) return
    this._readyState = CLOSING
    link.outgoing.cut()
    link.socket.destroy()
  }

  /** Receives nothing more until {@link resume}: TCP slows the peer down. */
  pause(): void {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return
    this._paused = true
    this._link?.pause()
  }

  resume(): void {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return
    this._paused = false
    this._link?.resume()
  }

  /**
   * Sends a message, or a fragment of one.
   * @param data text; bytes in any form; a number, as text; a Blob
   * @param callback called once: with nothing when the message is written, else with the error
   * @throws Error before the handshake is done; TypeError for data that no bytes can be made of
   */
  send(data: unknown, options?: SendOptions | SendCallback, callback?: SendCallback): void {
    if (this._readyState === CONNECTING) throw notOpen(CONNECTING)
    const given = typeof options === 'object' ? (options ?? NO_OPTIONS) : NO_OPTIONS
    const done = callbackOf(typeof options === 'function' ? options : callback)
    const message = typeof data === 'number' ? String(data) : data
    if (this._readyState !== OPEN) {
      this._sendAfterClose(message, done)
      return
    }
    const { outgoing } = this._link as Link<LinkedWebSocket>
    const { generateMask } = outgoing
    const isText = typeof message === 'string'
    const binary = isBinaryBy(given, !isText)
    if (generateMask === undefined && namesTypeOnly(given)) {
      outgoing.send(message, binary ? BINARY : TEXT, done)
      return
    }
    const mask = optionOf(given, 'mask', !this._isServer)
    const compress = optionOf(given, 'compress', true)
    const fin = optionOf(given, 'fin', true)
    const sent = fin && compress ? (binary ? BINARY : TEXT) : { binary, fin, compress }
    if (generateMask !== undefined || mask === this._isServer) {
      outgoing.sendMasked(message, sent, { mask, generateMask }, done)
    } else {
      outgoing.send(message, sent, done)
    }
  }

  /** Sends a ping. @throws Error before the handshake is done; RangeError for more than 125 bytes */
  ping(data?: unknown, mask?: unknown, callback?: SendCallback): void {
    this._sendControl(Opcode.PING, data, mask, callback)
  }

  /** Sends a pong. @throws as {@link ping} */
  pong(data?: unknown, mask?: unknown, callback?: SendCallback): void {
    this._sendControl(Opcode.PONG, data, mask, callback)
  }

  _sendControl(
    opcode: typeof Opcode.PING | typeof Opcode.PONG,
    data: unknown,
    mask: unknown,
    callback: SendCallback | undefined,
  ): void {
    if (this._readyState === CONNECTING) throw notOpen(CONNECTING)
    const isCallback = typeof data === 'function'
    let payload = isCallback ? undefined : data
    const done = callbackOf(isCallback ? data : typeof mask === 'function' ? mask : callback)
    const isDefault = isCallback || mask === undefined || typeof mask === 'function'
    if (typeof payload === 'number') payload = String(payload)
    if (this._readyState !== OPEN) {
      this._sendAfterClose(payload, done)
      return
    }
    if (lengthOf(payload) > MAX_CONTROL_PAYLOAD_BYTES) {
      throw new RangeError('The data size must not be greater than 125 bytes')
    }
    const { outgoing } = this._link as Link<LinkedWebSocket>
    const { generateMask } = outgoing
    const isMasked = isDefault ? !this._isServer : Boolean(mask)
    if (generateMask === undefined && isMasked !== this._isServer) outgoing.control(opcode, payload, done)
    else outgoing.controlMasked(opcode, payload, { mask: isMasked, generateMask }, done)
  }

  /** What is sent now goes nowhere: it counts as buffered, and the callback gets an error. */
  _sendAfterClose(data: unknown, callback: SendCallback | undefined): void {
    const { _link: link } = this
    const length = lengthOf(data)
    if (link === null) this._bufferedAmount += length
    else link.outgoing.lostBytes += length
    if (callback !== undefined) callLater(callback, notOpen(this._readyState))
  }

  /** Ends the socket once both Close frames are exchanged, or the peer broke the protocol. */
  _endIfDone(): void {
    if (this._closeFrameReceived || this._errorEmitted) this._link?.socket.end()
  }
}

for (const [name, value] of Object.entries(READY_STATES)) {
  const constant = { enumerable: true, value }
  Object.defineProperty(WebSocket, name, constant)
  Object.defineProperty(WebSocket.prototype, name, constant)
}
// As those of the DOM: programs enumerate them.
for (const name of [
  'binaryType',
  'bufferedAmount',
  'extensions',
  'isPaused',
  'protocol',
  'readyState',
  'url',
]) {
  Object.defineProperty(WebSocket.prototype, name, { enumerable: true })
}
defineEventTarget(WebSocket.prototype)
