import type { Duplex } from 'node:stream'
import { restartTimeout } from '../native/socket-handle.js'
import { driveTls, untakenBytes, writeTls, type TlsDriver, type TlsHandle } from '../native/tls-handle.js'
import { StreamTransport, WHOLE_BYTES } from './stream-transport.js'

/**
 * A TLS socket as a stream, but for the two things that are done for each message: its handle reads into the buffer that
 * all connections share, and a write goes to the handle where the stream has nothing to write (docs/adr/0019).
 */
export class TlsTransport extends StreamTransport implements TlsDriver {
  isUnderWay = false
  isStreamBusy = false
  afterWrite: (() => void) | null = null
  private readonly handle: TlsHandle
  private isFlowing = false
  /** Of a write by the handle that the system did not take at once: its length. */
  private waitingBytes = 0

  constructor(duplex: Duplex, handle: TlsHandle) {
    super(duplex)
    this.handle = handle
    driveTls(duplex, handle, this)
  }

  /** TLS encrypts what it is given, or copies it. */
  override get freesAtOnce(): boolean {
    return true
  }

  override get pendingBytes(): number {
    const { waitingBytes } = this
    if (waitingBytes === 0 || this.duplex.destroyed) return super.pendingBytes
    return super.pendingBytes + Math.min(waitingBytes, untakenBytes(this.handle))
  }

  override write(bytes: Buffer, payload: Uint8Array | null = null): boolean {
    const { duplex } = this
    const length = payload === null ? bytes.length : bytes.length + payload.length
    const isStreamBusy = this.isStreamBusy || duplex.writableLength > 0
    if (this.isUnderWay || isStreamBusy || length > WHOLE_BYTES || !duplex.writable) {
      return super.write(bytes, payload)
    }
    const { handle } = this
    const error = writeTls(handle, this, bytes, payload)
    if (error !== null) {
      this.destroy(error)
      return false
    }
    restartTimeout(duplex)
    // It is under way until the event loop comes round, but most often the system has taken it.
    if (!this.isUnderWay || untakenBytes(handle) === 0) return true
    this.waitingBytes = length
    this.knownPendingBytes = this.pendingBytes
    return false
  }

  override resume(): void {
    this.isFlowing = true
    super.resume()
  }

  override pause(): void {
    this.isFlowing = false
    super.pause()
  }

  receiveByHandle(chunk: Buffer): boolean {
    // What comes after the stream was told to pause waits there, and so does what comes after that.
    if (!this.isFlowing || this.duplex.readableLength > 0) return this.duplex.push(Buffer.from(chunk))
    this.owner?.receive(chunk)
    return true
  }

  writtenByHandle(error: Error | null): void {
    this.waitingBytes = 0
    if (this.duplex.destroyed) return
    if (error === null) this.written()
    else this.destroy(error)
  }
}
