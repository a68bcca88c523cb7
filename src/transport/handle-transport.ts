import { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  handleKit,
  systemError,
  takeHandle,
  type Handle,
  type HandleKit,
  type HandleName,
  type HandleRequest,
} from '../native/socket-handle.js'
import { queueKey, queuedBytes, type Endpoint, type QueueKey } from './send-queue.js'
import { StreamTransport } from './stream-transport.js'
import type { Transport, TransportOwner } from './transport.js'

/** All connections read into this one: nothing of it is kept beyond the call. */
const READ_BUFFER = Buffer.allocUnsafeSlow(256 * 1024)

/** A shutdown that there was nothing to wait for. */
const DONE_AT_ONCE = 1

/** The stream's state, as far as Node's function looks at it. */
const READABLE_STATE = Object.freeze({ endEmitted: false })

/** The request of the next write; those that the system takes at once all use the same. */
let spare: HandleRequest | null = null

function makeRequest(): HandleRequest | null {
  const { WriteRequest } = handleKit() as HandleKit
  spare = WriteRequest === null ? null : new WriteRequest()
  return spare
}

/** The number of a request that no call holds. */
const NOT_UNDER_WAY = -1

let isReady = false

/** Gives {@link HandleTransport} what Node's function looks for in the owner of a handle. Once. */
function getReady(kit: HandleKit): void {
  isReady = true
  const prototype = HandleTransport.prototype as unknown as Record<symbol, unknown>
  prototype[kit.bufferKey] = READ_BUFFER
  prototype[kit.generatorKey] = null
  prototype[kit.timerKey] = () => undefined
  prototype[kit.callbackKey] = function (this: HandleTransport, length: number): boolean {
    this.owner?.receive(READ_BUFFER.subarray(0, length))
    return true
  }
}

/** How a socket that gave its handle finds who has it. */
const TRANSPORT = Symbol('hawser.transport')

/**
 * What a socket becomes when its handle is taken. Somebody may have kept it, from the server's 'connection' for
 * example: to end, destroy or reset it ends the connection, as ever, and what is written to it goes nowhere. Nothing
 * that is done with it is an error that nobody hears. It is a prototype, so that a connection pays nothing for it.
 */
class EmptiedSocket extends NetSocket {
  [TRANSPORT]?: HandleTransport

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done()
  }

  override _writev(_chunks: unknown, done: () => void): void {
    done()
  }

  override _final(done: () => void): void {
    this[TRANSPORT]?.endSoon()
    done()
  }

  override resetAndDestroy(): this {
    this[TRANSPORT]?.reset()
    this.destroy()
    return this
  }
}

const ignore = (): void => undefined

function onEmptiedClosed(this: EmptiedSocket): void {
  this[TRANSPORT]?.destroy()
}

/** Of a socket that was ended: how long what was written may take to leave. */
const END_LINGER_MS = 5_000

function onWritten(this: HandleRequest, status: number): void {
  const transport = this.owner as HandleTransport
  this.bytes = null
  transport.written(status)
}

function onShutdown(this: HandleRequest): void {
  const transport = this.owner as HandleTransport
  transport.shut()
}

function onClosed(this: Handle): void {
  const { ownerKey } = handleKit() as HandleKit
  const transport = this[ownerKey] as HandleTransport
  transport.closed()
}

/**
 * A TCP or Unix socket by its handle: read into a buffer that all connections share, written without a stream
 * between, and nothing else kept (docs/adr/0010). As a socket of node:net with `allowHalfOpen` it lives until both
 * sides ended, or until it is destroyed.
 */
export class HandleTransport implements Transport {
  owner: TransportOwner | null = null
  isDestroyed = false
  readonly freesAtOnce = true
  readonly blocksOnPeer = true
  private readonly handle: Handle
  /** The socket that the handle was taken from: told of the end. */
  private readonly from: Duplex | null
  private isReading = false
  private hasEnded = false
  private isEnding = false
  private isShut = false
  /** Writes that the system did not take at once. */
  private pendingWrites = 0
  private error: Error | undefined
  /** What the handle counted, once it is closed. */
  private readBytes = 0
  private writtenBytes = 0
  private lostBytes = 0
  /** undefined: nobody asked yet. */
  private queueKey: QueueKey | null | undefined

  constructor(handle: Handle, from: Duplex | null) {
    const kit = handleKit() as HandleKit
    if (!isReady) getReady(kit)
    this.handle = handle
    this.from = from
    handle[kit.ownerKey] = this
    handle.onread = kit.onread
    handle.useUserBuffer(READ_BUFFER)
  }

  get pendingBytes(): number {
    return this.pendingWrites === 0 || this.isDestroyed ? 0 : this.handle.writeQueueSize
  }

  get unsentBytes(): number {
    return this.isDestroyed ? this.lostBytes : this.pendingBytes
  }

  get hasRoom(): boolean {
    return this.pendingWrites === 0
  }

  get counter(): this {
    return this
  }

  get bytesRead(): number {
    return this.isDestroyed ? this.readBytes : this.handle.bytesRead
  }

  get bytesWritten(): number {
    return this.isDestroyed ? this.writtenBytes : this.handle.bytesWritten
  }

  /** The peer's IP address; empty for a Unix socket. */
  get remoteAddress(): string {
    return this.nameOf('getpeername')?.address ?? ''
  }

  queuedBytes(maxAgeMs?: number): number | null {
    if (this.isDestroyed) return null
    if (this.queueKey === undefined) {
      const local = this.nameOf('getsockname')
      const remote = this.nameOf('getpeername')
      this.queueKey = local === null || remote === null ? null : queueKey(local, remote)
    }
    return this.queueKey === null ? null : queuedBytes(this.queueKey, maxAgeMs)
  }

  setOwner(owner: TransportOwner): void {
    this.owner = owner
    // Told once, to whoever was there: the next one must know as well, but not inside its constructor.
    if (this.hasEnded) process.nextTick(() => this.owner?.receiveEnd())
  }

  write(bytes: Buffer): boolean {
    // A handle that is closed cannot be written to; its end is told.
    if (this.isDestroyed || this.isEnding) return false
    const { handle } = this
    const given = spare ?? makeRequest()
    const result = handle.writeBuffer(given, bytes)
    // Not by the length of the queue: a write that had to be queued may have left by now, and is told of all the same.
    const isUnderWay = typeof result !== 'number' || (given !== null && given.getAsyncId() !== NOT_UNDER_WAY)
    if (!isUnderWay) {
      if (result === 0) return this.pendingWrites === 0
      spare = null
      this.destroy(systemError('write', result))
      return false
    }
    const request = typeof result === 'number' ? (given as HandleRequest) : result
    // The request is in the system's hands.
    spare = null
    request.oncomplete = onWritten
    request.bytes = bytes
    request.owner = this
    this.pendingWrites++
    return false
  }

  resume(): void {
    if (this.isReading || this.hasEnded || this.isDestroyed) return
    this.isReading = true
    const status = this.handle.readStart()
    if (status !== 0) this.destroy(systemError('read', status))
  }

  pause(): void {
    if (!this.isReading) return
    this.isReading = false
    this.handle.readStop()
  }

  end(): void {
    if (this.isEnding || this.isDestroyed) return
    this.isEnding = true
    const request = new (handleKit() as HandleKit).ShutdownRequest()
    request.oncomplete = onShutdown
    request.owner = this
    const status = this.handle.shutdown(request)
    if (status === DONE_AT_ONCE) this.shut()
    else if (status !== 0) this.destroy()
  }

  /** Also called by Node's function, with what went wrong at a read. */
  destroy(error?: Error): void {
    if (this.isDestroyed) return
    this.settle()
    this.error = error
    this.handle.close(onClosed)
  }

  /** As {@link destroy}, with a RST where the system can send one. */
  reset(): void {
    const { handle } = this
    // A handle that shuts down can neither be reset nor, when that was tried, be closed.
    if (this.isDestroyed || this.isEnding || typeof handle.reset !== 'function') {
      this.destroy()
      return
    }
    this.settle()
    handle.reset(onClosed)
  }

  /** Ends this side after all that was written, and then the connection: reads no more. */
  endSoon(): void {
    if (this.isDestroyed) return
    this.pause()
    this.hasEnded = true
    if (this.isShut) {
      this.destroy()
      return
    }
    this.end()
    setTimeout(() => {
      this.destroy()
    }, END_LINGER_MS).unref()
  }

  /** @returns null for a Unix socket, and at the end */
  private nameOf(call: 'getsockname' | 'getpeername'): Endpoint | null {
    const name: HandleName = {}
    if (this.isDestroyed || this.handle[call]?.(name) !== 0) return null
    const { address, port } = name
    return address === undefined || port === undefined ? null : { address, port }
  }

  private settle(): void {
    this.lostBytes = this.pendingBytes
    this.isDestroyed = true
    this.isReading = false
    this.readBytes = this.handle.bytesRead
    this.writtenBytes = this.handle.bytesWritten
  }

  /** @internal What Node's function asks for, and does at the end of what the peer sends. */
  get destroyed(): boolean {
    return this.isDestroyed
  }

  /** @internal */
  get _readableState(): typeof READABLE_STATE {
    return READABLE_STATE
  }

  /** @internal The peer ended its side. */
  push(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.pause()
    this.owner?.receiveEnd()
    if (this.isShut) this.destroy()
  }

  /** @internal */
  read(): void {
    // There is nothing behind the end.
  }

  /** @internal A write that had to wait is done. */
  written(status: number): void {
    this.pendingWrites--
    if (this.isDestroyed) return
    if (status < 0) this.destroy(systemError('write', status))
    else if (this.pendingWrites === 0) this.owner?.unblock()
  }

  /** @internal This side has ended. */
  shut(): void {
    this.isShut = true
    if (this.hasEnded) this.destroy()
  }

  /** @internal */
  closed(): void {
    const { owner, from, error } = this
    this.owner = null
    owner?.transportLost(error)
    if (from === null) return
    // Whoever follows the socket, or its server, sees it end.
    from.destroy(error)
  }
}

/**
 * The transport over a stream: over the handle of a plain socket that is at rest, else over the stream as it is.
 * @param directIo whether the handle may be used
 */
export function transportOver(duplex: Duplex, directIo: boolean): Transport {
  const handle = directIo ? takeHandle(duplex) : null
  if (handle === null) return new StreamTransport(duplex)
  const from = Object.setPrototypeOf(duplex, EmptiedSocket.prototype) as EmptiedSocket
  const transport = new HandleTransport(handle, from)
  from[TRANSPORT] = transport
  from.on('error', ignore)
  from.on('close', onEmptiedClosed)
  return transport
}
