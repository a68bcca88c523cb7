import type { Duplex } from 'node:stream'
import { queueKey, queuedBytes, type QueueKey } from './send-queue.js'
import type { Transport, TransportOwner } from './transport.js'

/** A larger write goes to the stream in slices of this size, so that its progress can be seen. */
export const SLICE_BYTES = 64 * 1024
/** What is not much larger goes as one: a message of 64 KiB with its header costs one write. */
const WHOLE_BYTES = SLICE_BYTES + 4 * 1024

/** How the listeners below, one of each for all connections, find the transport of a stream. */
const TRANSPORT = Symbol('hawser.transport')

type DrivenDuplex = Duplex & { [TRANSPORT]?: StreamTransport }

/** What a socket of node:net or node:tls tells of its two ends, and other streams do not. */
interface Ends {
  readonly localAddress?: string
  readonly localPort?: number
  readonly remoteAddress?: string
  readonly remotePort?: number
}

function keyOf({ localAddress, localPort, remoteAddress, remotePort }: Ends): QueueKey | null {
  if (typeof localAddress !== 'string' || typeof remoteAddress !== 'string') return null
  if (typeof localPort !== 'number' || typeof remotePort !== 'number') return null
  return queueKey({ address: localAddress, port: localPort }, { address: remoteAddress, port: remotePort })
}

function onData(this: DrivenDuplex, chunk: Buffer): void {
  this[TRANSPORT]?.owner?.receive(chunk)
}
function onEnd(this: DrivenDuplex): void {
  this[TRANSPORT]?.owner?.receiveEnd()
}
function onClose(this: DrivenDuplex): void {
  this[TRANSPORT]?.owner?.transportLost()
}
function onError(this: DrivenDuplex, error: Error): void {
  this[TRANSPORT]?.owner?.transportLost(error)
}

/** Any stream, by its public methods alone: TLS, HTTP/2, a tunnel, a test's own. */
export class StreamTransport implements Transport {
  owner: TransportOwner | null = null
  /** A stream may hand on what it is given, and hold it for as long as it likes. */
  readonly freesAtOnce = false
  readonly blocksOnPeer = false
  private readonly duplex: DrivenDuplex
  private isReading = false
  private isBlocked = false
  private isEnding = false
  /** A large write of which the stream does not have everything yet, and from where on. */
  private rest: Buffer | null = null
  private restStart = 0
  /** What was pending when it was known last: a stream that is destroyed forgets it. */
  private knownPendingBytes = 0
  /** undefined: nobody asked yet. */
  private queueKey: QueueKey | null | undefined
  /** One callback for all writes: nothing but it tells of every stream that bytes have left. */
  private readonly onWritten: (error?: Error | null) => void

  /** @param duplex from now on the transport's, reading not yet started */
  constructor(duplex: Duplex) {
    this.duplex = duplex
    this.duplex[TRANSPORT] = this
    // A TLS server ends its own side at the peer's FIN unless it is told not to: what waits, and the Close frame, would be lost.
    this.duplex.allowHalfOpen = true
    this.onWritten = (error) => {
      // A stream that failed calls back for everything that it never wrote.
      if (error === undefined || error === null) this.written()
    }
  }

  get pendingBytes(): number {
    // A stream that is destroyed still tells of what it never wrote.
    if (this.duplex.destroyed) return 0
    return this.duplex.writableLength + (this.rest === null ? 0 : this.rest.length - this.restStart)
  }

  get unsentBytes(): number {
    return this.duplex.destroyed ? this.knownPendingBytes : this.pendingBytes
  }

  queuedBytes(maxAgeMs?: number): number | null {
    if (this.duplex.destroyed) return null
    if (this.queueKey === undefined) this.queueKey = keyOf(this.duplex as Ends)
    return this.queueKey === null ? null : queuedBytes(this.queueKey, maxAgeMs)
  }

  get counter(): object {
    return this.duplex
  }

  get hasRoom(): boolean {
    return this.rest === null && this.duplex.writableLength <= SLICE_BYTES
  }

  get isDestroyed(): boolean {
    return this.duplex.destroyed
  }

  get hasFailed(): boolean {
    // A stream knows its error before it is destroyed, and no longer counts the bytes of a write that failed.
    return this.duplex.destroyed || this.duplex.errored !== null
  }

  setOwner(owner: TransportOwner): void {
    const isFirst = this.owner === null
    this.owner = owner
    if (!isFirst) return
    const { duplex } = this
    duplex.on('error', onError)
    duplex.on('close', onClose)
    duplex.on('end', onEnd)
    // Ended while nobody listened; the new owner learns of it after its constructor.
    if (duplex.readableEnded) process.nextTick(() => this.owner?.receiveEnd())
  }

  write(bytes: Buffer): boolean {
    if (bytes.length <= WHOLE_BYTES) {
      this.duplex.write(bytes, this.onWritten)
    } else {
      this.rest = bytes
      this.restStart = 0
      this.feed()
    }
    this.knownPendingBytes = this.pendingBytes
    // A stream over a socket is empty again at once when the system took all.
    this.isBlocked = this.knownPendingBytes > 0
    return !this.isBlocked
  }

  resume(): void {
    if (!this.isReading) {
      this.isReading = true
      this.duplex.on('data', onData)
    }
    this.duplex.resume()
  }

  pause(): void {
    this.duplex.pause()
  }

  end(): void {
    this.isEnding = true
    if (this.rest === null) this.duplex.end()
  }

  destroy(): void {
    if (this.duplex.destroyed) return
    this.knownPendingBytes = this.pendingBytes
    this.rest = null
    this.duplex.destroy()
  }

  /** Gives the stream what it may hold: two slices, so that the next is at hand when one has left, and no two are joined. */
  private feed(): void {
    const { duplex } = this
    while (this.rest !== null && duplex.writableLength <= SLICE_BYTES && !duplex.destroyed) {
      const { rest, restStart } = this
      const end = rest.length - restStart <= WHOLE_BYTES ? rest.length : restStart + SLICE_BYTES
      this.restStart = end
      if (end === rest.length) this.rest = null
      duplex.write(rest.subarray(restStart, end), this.onWritten)
    }
    if (this.rest === null && this.isEnding) duplex.end()
  }

  private written(): void {
    if (!this.isBlocked) return
    if (this.rest !== null) this.feed()
    this.knownPendingBytes = this.pendingBytes
    this.isBlocked = this.knownPendingBytes > 0
    this.owner?.unblock(!this.isBlocked)
  }
}
