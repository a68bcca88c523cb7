import type { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  moveServer,
  requestIsTaken,
  socketOver,
  systemError,
  takeHandle,
  takeRequest,
  type Handle,
  type WriteRequest,
} from './handle.js'
import { StreamTransport } from './stream-transport.js'
import type { Transport, TransportOwner } from './transport.js'

/** All connections read into this one: nothing of it is kept beyond the call. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)

const TRANSPORT = Symbol('hawser.transport')

type DrivenSocket = NetSocket & { [TRANSPORT]?: HandleTransport }

/** One for all: node:net calls it as a method of the socket. */
const ONREAD = {
  buffer: READ_BUFFER,
  callback(this: DrivenSocket, length: number, buffer: Uint8Array): boolean {
    this[TRANSPORT]?.owner?.receive((buffer as Buffer).subarray(0, length), true)
    return true
  },
}

function onEnd(this: DrivenSocket): void {
  this[TRANSPORT]?.ended()
}
function onClose(this: DrivenSocket): void {
  this[TRANSPORT]?.owner?.transportLost()
}
function onError(this: DrivenSocket, error: Error): void {
  this[TRANSPORT]?.owner?.transportLost(error)
}

function onWritten(this: WriteRequest, status: number): void {
  const transport = this.owner as HandleTransport
  this.bytes = null
  transport.written(status)
}

/**
 * A TCP or Unix socket by its handle: read into a buffer that all connections share, written without a stream
 * between (docs/adr/0010). The socket of node:net that owns the handle sees to its end.
 */
export class HandleTransport implements Transport {
  owner: TransportOwner | null = null
  readonly socket: DrivenSocket
  private readonly handle: Handle
  private hasEnded = false
  /** Writes that the system did not take at once. */
  private pendingWrites = 0

  constructor(handle: Handle) {
    this.handle = handle
    this.socket = socketOver(handle, ONREAD)
    this.socket[TRANSPORT] = this
    this.socket.on('error', onError)
    this.socket.on('close', onClose)
    this.socket.on('end', onEnd)
  }

  get pendingBytes(): number {
    return this.pendingWrites === 0 || this.socket.destroyed ? 0 : this.handle.writeQueueSize
  }

  get isDestroyed(): boolean {
    return this.socket.destroyed
  }

  get counter(): object {
    return this.socket
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress ?? ''
  }

  setOwner(owner: TransportOwner): void {
    this.owner = owner
    // Told once, to whoever was there: the next one must know as well, but not inside its constructor.
    if (this.hasEnded) process.nextTick(() => this.owner?.receiveEnd())
  }

  /** @internal The peer ended its side. */
  ended(): void {
    this.hasEnded = true
    this.owner?.receiveEnd()
  }

  write(bytes: Buffer): boolean {
    // A handle that is closed cannot be written to; the end is told by 'close'.
    if (this.socket.destroyed) return false
    const request = takeRequest()
    const status = this.handle.writeBuffer(request, bytes)
    if (status !== 0) {
      this.socket.destroy(systemError('write', status))
      return false
    }
    if (this.handle.writeQueueSize === 0) return this.pendingWrites === 0
    requestIsTaken()
    request.oncomplete = onWritten
    request.bytes = bytes
    request.owner = this
    this.pendingWrites++
    return false
  }

  writeMany(pieces: readonly Buffer[]): boolean {
    let isTaken = true
    for (const bytes of pieces) isTaken = this.write(bytes)
    return isTaken
  }

  resume(): void {
    this.socket.resume()
  }

  pause(): void {
    this.socket.pause()
  }

  end(): void {
    this.socket.end()
  }

  destroy(): void {
    if (!this.socket.destroyed) this.socket.destroy()
  }

  /** @internal A write that had to wait is done. */
  written(status: number): void {
    this.pendingWrites--
    if (this.socket.destroyed) return
    if (status < 0) this.socket.destroy(systemError('write', status))
    else if (this.pendingWrites === 0) this.owner?.unblock()
  }
}

/**
 * The transport over a stream: over the handle of a plain socket that is at rest, else over the stream as it is.
 * @param directIo whether the handle may be used
 */
export function transportOver(duplex: Duplex, directIo: boolean): Transport {
  const taken = directIo ? takeHandle(duplex) : null
  if (taken === null) return new StreamTransport(duplex)
  const transport = new HandleTransport(taken.handle)
  moveServer(taken.from, transport.socket)
  return transport
}
