import type { Duplex } from 'node:stream'
import type { Transport, TransportOwner } from './transport.js'

const NO_BYTES = Buffer.alloc(0)

/** How the listeners below, one of each for all connections, find the transport of a stream. */
const TRANSPORT = Symbol('hawser.transport')

type DrivenDuplex = Duplex & { [TRANSPORT]?: StreamTransport; readonly encrypted?: boolean }

function onData(this: DrivenDuplex, chunk: Buffer): void {
  this[TRANSPORT]?.owner?.receive(chunk, false)
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
function onDrain(this: DrivenDuplex): void {
  this[TRANSPORT]?.checkUnblocked()
}

/** Any stream, by its public methods alone: TLS, HTTP/2, a tunnel, a test's own. */
export class StreamTransport implements Transport {
  owner: TransportOwner | null = null
  /** A stream may hand on what it is given, and hold it for as long as it likes. */
  readonly freesAtOnce = false
  private readonly duplex: DrivenDuplex
  private isReading = false
  private isBlocked = false
  /** Under TLS nothing ever leaves at once, and each write is told of; one callback for all of them. */
  private readonly onWritten: (() => void) | undefined

  /** @param duplex from now on the transport's, reading not yet started */
  constructor(duplex: Duplex) {
    this.duplex = duplex
    this.duplex[TRANSPORT] = this
    this.onWritten =
      this.duplex.encrypted === true
        ? () => {
            this.checkUnblocked()
          }
        : undefined
  }

  get pendingBytes(): number {
    return this.duplex.writableLength
  }

  get counter(): object {
    return this.duplex
  }

  get isDestroyed(): boolean {
    return this.duplex.destroyed
  }

  setOwner(owner: TransportOwner): void {
    const isFirst = this.owner === null
    this.owner = owner
    if (!isFirst) return
    const { duplex } = this
    duplex.on('error', onError)
    duplex.on('close', onClose)
    duplex.on('end', onEnd)
    duplex.on('drain', onDrain)
    // Ended while nobody listened; told when the new owner is made.
    if (duplex.readableEnded) process.nextTick(() => this.owner?.receiveEnd())
  }

  write(bytes: Buffer): boolean {
    this.duplex.write(bytes, this.onWritten)
    return this.wasTaken()
  }

  writeMany(pieces: readonly Buffer[]): boolean {
    const { duplex } = this
    duplex.cork()
    const last = pieces.length - 1
    pieces.forEach((bytes, index) => duplex.write(bytes, index === last ? this.onWritten : undefined))
    duplex.uncork()
    return this.wasTaken()
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
    this.duplex.end()
  }

  destroy(): void {
    if (!this.duplex.destroyed) this.duplex.destroy()
  }

  checkUnblocked(): void {
    if (!this.isBlocked || this.duplex.writableLength > 0) return
    this.isBlocked = false
    this.owner?.unblock()
  }

  /** A stream over a socket is empty again at once when the system took all. */
  private wasTaken(): boolean {
    const { duplex } = this
    if (duplex.writableLength === 0) return true
    this.isBlocked = true
    if (this.onWritten === undefined && !duplex.writableNeedDrain) {
      // Too little for a 'drain': a callback behind it tells instead.
      duplex.write(NO_BYTES, () => {
        this.checkUnblocked()
      })
    }
    return false
  }
}
