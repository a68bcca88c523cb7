import { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { HandleStream } from '../native/handle-stream.js'
import { takeHandle, type Handle } from '../native/socket-handle.js'
import { queueKey, queuedBytes, type QueueKey } from './send-queue.js'
import { tlsHandleOf } from '../native/tls-handle.js'
import { StreamTransport } from './stream-transport.js'
import { TlsTransport } from './tls-transport.js'
import type { Transport, TransportOwner } from './transport.js'

/** How a socket that gave its handle finds who has it. */
const TRANSPORT = Symbol('hawser.transport')

/**
 * What a socket becomes when its handle is taken. The application may have kept it, from the server's 'connection' for
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

/** A TCP or Unix socket by its handle, which src/native gives (docs/adr/0010). */
export class HandleTransport extends HandleStream implements Transport {
  /** The socket that the handle was taken from: told of the end. */
  private readonly from: Duplex | null
  /** undefined: nobody asked yet. */
  private queueKey: QueueKey | null | undefined

  /** @param isReading whether the handle reads already */
  constructor(handle: Handle, from: Duplex | null, isReading = false) {
    super(handle, isReading)
    this.from = from
  }

  /* eslint-disable @typescript-eslint/class-literal-property-style -- fields would take 16 bytes of each connection */
  get freesAtOnce(): boolean {
    return true
  }

  get blocksOnPeer(): boolean {
    return true
  }
  /* eslint-enable @typescript-eslint/class-literal-property-style */

  get counter(): this {
    return this
  }

  /** The peer's IP address; empty for a Unix socket. */
  get remoteAddress(): string {
    return this.nameOf('getpeername')?.address ?? ''
  }

  queuedBytes(maxAgeMs?: number): number | 'asking' | null {
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
    // The end is reported once, to the owner at that time: the next owner must know as well, but not inside its constructor.
    if (this.hasEnded) process.nextTick(() => this.owner?.receiveEnd())
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

  /** Code that follows the socket, or its server, sees it end. */
  protected override released(error: Error | undefined): void {
    this.from?.destroy(error)
  }
}

/**
 * The transport over a stream: over the handle of a plain socket that is at rest, beside a TLS socket by its handle, else over the
 * stream as it is.
 * @param directIo whether the handle may be used
 */
export function transportOver(duplex: Duplex, directIo: boolean): Transport {
  const handle = directIo ? takeHandle(duplex) : null
  if (handle === null) {
    const tls = directIo ? tlsHandleOf(duplex) : null
    return tls === null ? new StreamTransport(duplex) : new TlsTransport(duplex, tls)
  }
  const from = Object.setPrototypeOf(duplex, EmptiedSocket.prototype) as EmptiedSocket
  const transport = new HandleTransport(handle, from)
  from[TRANSPORT] = transport
  from.on('error', ignore)
  from.on('close', onEmptiedClosed)
  return transport
}
