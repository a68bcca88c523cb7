/**
 * A stream by the handle of a TCP or Unix socket: read into a buffer that all connections share, written without a stream of
 * Node's between, and nothing else kept (docs/adr/0010). It is the owner that Node's own function finds of the handle.
 */
import {
  handleKit,
  systemError,
  type Handle,
  type HandleKit,
  type HandleName,
  type HandleRequest,
} from './socket-handle.js'
import { lane } from './simd.js'

/** Receives the events of a {@link HandleStream}. Must not throw. */
export interface HandleStreamOwner {
  /** @param chunk valid during the call only */
  receive(chunk: Buffer): void
  /** The peer ended its side (a FIN). */
  receiveEnd(): void
  /** The connection is over, both ways. */
  transportLost(error?: Error): void
  /** The system has taken a write that had to wait. @param isAll whether no other write waits */
  unblock(isAll: boolean): void
}

/** A shutdown that there was nothing to wait for. */
const DONE_AT_ONCE = 1

/** Of an end of a connection that has no port. */
const NO_PORT = -1

/** The stream's state, as far as Node's function looks at it. */
const READABLE_STATE = Object.freeze({ endEmitted: false })

/** The request of the next write; those that the system takes at once all use the same. */
let spare: HandleRequest | null = null

function makeRequest(): HandleRequest | null {
  const { WriteRequest } = handleKit() as HandleKit
  spare = WriteRequest === null ? null : new WriteRequest()
  return spare
}

/** Writes two pieces by one call of the system: what this Node cannot write like that is copied together. */
function writeBoth(
  handle: Handle,
  request: HandleRequest | null,
  bytes: Buffer,
  payload: Uint8Array,
): number | HandleRequest {
  if (typeof handle.writev === 'function' && (handleKit() as HandleKit).hasWritev) {
    return handle.writev(request, [bytes, payload], true)
  }
  return handle.writeBuffer(request, Buffer.concat([bytes, payload]))
}

/** What the system says of an end of a connection: one for all, for Node takes longer to add a field than to set one. */
const NAME: HandleName = { address: '', family: '', port: NO_PORT }

/** The number of a request that no call holds. */
const NOT_UNDER_WAY = -1

/**
 * Writes at a handle.
 * @param payload follows `bytes` in the same call of the system
 * @returns 0: the system took all; an error of the system, negative; or the request that is under way, whose `oncomplete`
 *   and `owner` the caller sets
 */
export function beginWrite(
  handle: Handle,
  bytes: Buffer,
  payload: Uint8Array | null,
): number | HandleRequest {
  const given = spare ?? makeRequest()
  const result =
    payload === null ? handle.writeBuffer(given, bytes) : writeBoth(handle, given, bytes, payload)
  // Not by the length of the queue: a write that had to be queued may have left by now, and is told of all the same.
  const isUnderWay = typeof result !== 'number' || (given !== null && given.getAsyncId() !== NOT_UNDER_WAY)
  if (!isUnderWay) {
    if (result !== 0) spare = null
    return result
  }
  const request = typeof result === 'number' ? (given as HandleRequest) : result
  // The request is in the system's hands.
  spare = null
  request.bytes = payload === null ? bytes : [bytes, payload]
  return request
}

let isReady = false

/** Gives {@link HandleStream} what Node's function looks for in the owner of a handle. Once. */
function getReady(kit: HandleKit): void {
  isReady = true
  const prototype = HandleStream.prototype as unknown as Record<symbol, unknown>
  // All connections read into this one: nothing of it is kept beyond the call.
  prototype[kit.bufferKey] = lane.readBuffer
  prototype[kit.generatorKey] = null
  prototype[kit.timerKey] = () => undefined
  prototype[kit.callbackKey] = function (this: HandleStream, length: number): boolean {
    this.owner?.receive(lane.lend(length))
    return true
  }
}

function onWritten(this: HandleRequest, status: number): void {
  const transport = this.owner as HandleStream
  this.bytes = null
  transport.written(status)
}

function onShutdown(this: HandleRequest): void {
  const transport = this.owner as HandleStream
  transport.shut()
}

function onClosed(this: Handle): void {
  const { ownerKey } = handleKit() as HandleKit
  const transport = this[ownerKey] as HandleStream
  transport.closed()
}

/** What the handle counted until it was closed, and why it was. */
interface LastCount {
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly lostBytes: number
  readonly error: Error | undefined
}

/**
 * A TCP or Unix socket by its handle. As a socket of node:net with `allowHalfOpen` it lives until both sides have ended, or
 * until it is destroyed.
 */
export class HandleStream {
  owner: HandleStreamOwner | null = null
  isDestroyed = false
  private readonly handle: Handle
  private isReading: boolean
  protected hasEnded = false
  private isEnding = false
  protected isShut = false
  /** Writes that the system did not take at once. */
  private pendingWrites = 0
  private last: LastCount | null = null

  /** @param handle from now on the stream's, reading or not */
  constructor(handle: Handle, isReading = false) {
    const kit = handleKit() as HandleKit
    if (!isReady) getReady(kit)
    this.handle = handle
    this.isReading = isReading
    handle[kit.ownerKey] = this
    handle.onread = kit.onread
    handle.useUserBuffer(lane.readBuffer)
  }

  get pendingBytes(): number {
    return this.pendingWrites === 0 || this.isDestroyed ? 0 : this.handle.writeQueueSize
  }

  get unsentBytes(): number {
    return this.last === null ? this.pendingBytes : this.last.lostBytes
  }

  /** Whether the system has taken everything that was written. */
  get hasRoom(): boolean {
    return this.pendingWrites === 0
  }

  get hasFailed(): boolean {
    return this.isDestroyed
  }

  get failure(): Error | null {
    return this.last?.error ?? null
  }

  get bytesRead(): number {
    return (this.last ?? this.handle).bytesRead
  }

  get bytesWritten(): number {
    return (this.last ?? this.handle).bytesWritten
  }

  /** @param payload follows `bytes` in the same call of the system */
  write(bytes: Buffer, payload: Uint8Array | null = null): boolean {
    // A handle that is closed cannot be written to; its end is told.
    if (this.isDestroyed || this.isEnding) return false
    const request = beginWrite(this.handle, bytes, payload)
    if (typeof request === 'number') {
      if (request === 0) return this.pendingWrites === 0
      this.destroy(systemError('write', request))
      return false
    }
    request.oncomplete = onWritten
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
    this.settle(error)
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
    this.settle(undefined)
    handle.reset(onClosed)
  }

  /** @returns null for a Unix socket, and at the end */
  protected nameOf(call: 'getsockname' | 'getpeername'): { address: string; port: number } | null {
    NAME.port = NO_PORT
    if (this.isDestroyed || this.handle[call]?.(NAME) !== 0) return null
    const { address, port } = NAME
    return port === NO_PORT ? null : { address, port }
  }

  private settle(error: Error | undefined): void {
    const { bytesRead, bytesWritten } = this.handle
    this.last = { bytesRead, bytesWritten, lostBytes: this.pendingBytes, error }
    this.isDestroyed = true
    this.isReading = false
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
    else this.owner?.unblock(this.pendingWrites === 0)
  }

  /** @internal This side has ended. */
  shut(): void {
    this.isShut = true
    if (this.hasEnded) this.destroy()
  }

  /** @internal The handle is closed. */
  closed(): void {
    const { owner, last } = this
    this.owner = null
    owner?.transportLost(last?.error)
    this.released(last?.error)
  }

  /** The owner knows of the end. */
  protected released(_error: Error | undefined): void {
    // Nothing else is to be told.
  }
}
