/**
 * The way between a connection under test and its peer, for models: a "system" that takes so many bytes and no more,
 * by a transport as that of a handle, or by a stream. Nothing happens by itself: the driver of the model moves the bytes.
 */
import { Duplex } from 'node:stream'
import { StreamTransport } from '../../src/transport/stream-transport.js'
import type { Transport, TransportOwner } from '../../src/transport/transport.js'

/** The buffers of the system, on their way to the peer. */
export class System {
  /** Bytes that it took, in all. */
  takenBytes = 0
  /** The connection ended its side, after all that it wrote. */
  isEnded = false
  private chunks: Buffer[] = []
  private length = 0
  private readonly capacityBytes: number

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  get heldBytes(): number {
    return this.length
  }

  /** @returns how many bytes of it there was room for; they are copied */
  accept(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.capacityBytes - this.length)
    if (count === 0) return 0
    this.chunks.push(Buffer.from(bytes.subarray(0, count)))
    this.length += count
    this.takenBytes += count
    return count
  }

  /** The peer reads at most so many bytes. */
  read(most: number): Buffer {
    const all = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks)
    const count = Math.min(most, this.length)
    this.length -= count
    this.chunks = count === all.length ? [] : [all.subarray(count)]
    return all.subarray(0, count)
  }
}

export interface Line {
  readonly transport: Transport
  readonly system: System
  /** Bytes that the connection handed to the transport and the system did not take. */
  readonly waitingBytes: number
  /** How often the last byte of a write was taken that had to wait. */
  readonly emptiedCount: number
  /** Bytes that the system took after they had to wait. */
  readonly movedBytes: number
  /** Bytes of the peer that the connection was given. */
  readonly receivedBytes: number
  /** Whether the connection reads. */
  readonly isReading: boolean
  /** The connection destroyed the transport, or the end of both sides did. */
  readonly isDestroyed: boolean
  /** Offers what waits to the system. @returns whether it took anything */
  move(): boolean
  /** Bytes of the peer, while the connection reads. */
  deliver(bytes: Buffer): void
  /** The peer's FIN. */
  deliverEnd(): void
  reset(): void
}

/** A transport as that of a handle: what is left of a write is known to the byte, and what is read is lent. */
export class HandleLine implements Line, Transport {
  readonly system: System
  readonly freesAtOnce = true
  readonly blocksOnPeer = true
  readonly counter = { bytesRead: 0, bytesWritten: 0 }
  readonly remoteAddress = '192.0.2.1'
  isReading = false
  isDestroyed = false
  hasFailed = false
  failure: Error | null = null
  emptiedCount = 0
  movedBytes = 0
  private owner: TransportOwner | null = null
  private pieces: Buffer[] = []
  private isEnding = false
  private hasEnded = false

  constructor(system: System) {
    this.system = system
  }

  get transport(): this {
    return this
  }

  get pendingBytes(): number {
    return this.isDestroyed ? 0 : this.waitingBytes
  }

  get unsentBytes(): number {
    return this.waitingBytes
  }

  get hasRoom(): boolean {
    return this.pieces.length === 0
  }

  get receivedBytes(): number {
    return this.counter.bytesRead
  }

  queuedBytes(): null {
    return null
  }

  get waitingBytes(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0)
  }

  setOwner(owner: TransportOwner): void {
    this.owner = owner
  }

  write(bytes: Buffer, payload: Uint8Array | null = null): boolean {
    if (this.isDestroyed || this.isEnding) return false
    if (this.pieces.length > 0) throw new Error('a write before the one before it was taken')
    const pieces =
      payload === null ? [bytes] : [bytes, Buffer.from(payload.buffer, payload.byteOffset, payload.length)]
    this.pieces.push(...pieces)
    this.counter.bytesWritten += this.waitingBytes
    this.take()
    return this.pieces.length === 0
  }

  resume(): void {
    if (!this.hasEnded && !this.isDestroyed) this.isReading = true
  }

  pause(): void {
    this.isReading = false
  }

  end(): void {
    if (this.isDestroyed) return
    this.isEnding = true
    this.endIfEmpty()
  }

  destroy(error?: Error): void {
    if (this.isDestroyed) return
    this.isDestroyed = true
    this.failure = error ?? null
    this.isReading = false
    // As a handle tells of its close: never inside the call.
    setImmediate(() => {
      const { owner } = this
      this.owner = null
      owner?.transportLost(error)
    })
  }

  move(): boolean {
    if (this.isDestroyed || this.pieces.length === 0) return false
    const takenBefore = this.system.takenBytes
    const moved = this.take()
    this.movedBytes += this.system.takenBytes - takenBefore
    if (this.pieces.length === 0) {
      this.emptiedCount++
      this.endIfEmpty()
      this.owner?.unblock(true)
    }
    return moved
  }

  deliver(bytes: Buffer): void {
    // Lent, as the buffer that all handles read into: rubbish after the call.
    this.counter.bytesRead += bytes.length
    this.owner?.receive(bytes)
    bytes.fill(0xdd)
  }

  deliverEnd(): void {
    this.hasEnded = true
    this.isReading = false
    this.owner?.receiveEnd()
    if (this.system.isEnded) this.destroy()
  }

  reset(): void {
    this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  }

  private take(): boolean {
    let moved = false
    for (let piece = this.pieces[0]; piece !== undefined; piece = this.pieces[0]) {
      const count = this.system.accept(piece)
      moved ||= count > 0
      if (count < piece.length) {
        this.pieces[0] = piece.subarray(count)
        break
      }
      this.pieces.shift()
    }
    return moved
  }

  private endIfEmpty(): void {
    if (!this.isEnding || this.pieces.length > 0) return
    this.system.isEnded = true
    if (this.hasEnded) this.destroy()
  }
}

/** A stream may be asynchronous for a moment although the system has room: what waited longer waited for the peer. */
const ASYNC_WRITE_MS = 100

/** As a socket by its stream: a write is done when the system took the last of it. */
class SystemDuplex extends Duplex {
  emptiedCount = 0
  movedBytes = 0
  isWanted = false
  pushedBytes = 0
  /** What was not read when it was destroyed. */
  private lostBytes = 0
  private readonly system: System
  private rest: Buffer | null = null
  private writtenAt = 0
  private done: (() => void) | null = null

  /** @param encrypted as a TLS socket: no write is ever done inside the call */
  constructor(
    system: System,
    readonly encrypted: boolean,
  ) {
    super({ allowHalfOpen: true })
    this.system = system
  }

  get receivedBytes(): number {
    return this.pushedBytes - (this.destroyed ? this.lostBytes : this.readableLength)
  }

  get waitingBytes(): number {
    return this.rest === null ? 0 : this.writableLength
  }

  move(): boolean {
    if (this.rest === null || this.destroyed) return false
    const count = this.system.accept(this.rest)
    if (performance.now() - this.writtenAt >= ASYNC_WRITE_MS) this.movedBytes += count
    this.rest = this.rest.subarray(count)
    if (this.rest.length > 0) return count > 0
    const { done } = this
    this.rest = null
    this.done = null
    this.emptiedCount++
    done?.()
    return true
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.rest = chunk
    this.done = done
    this.writtenAt = performance.now()
    if (!this.encrypted) this.move()
  }

  override _writev(chunks: { readonly chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', done)
  }

  override _final(done: () => void): void {
    this.system.isEnded = true
    done()
  }

  override _read(): void {
    this.isWanted = true
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.lostBytes = this.readableLength
    done(error)
  }
}

export class StreamLine implements Line {
  readonly system: System
  readonly transport: StreamTransport
  private readonly duplex: SystemDuplex

  constructor(system: System, encrypted: boolean) {
    this.system = system
    this.duplex = new SystemDuplex(system, encrypted)
    this.transport = new StreamTransport(this.duplex)
  }

  get waitingBytes(): number {
    return this.duplex.waitingBytes
  }

  get emptiedCount(): number {
    return this.duplex.emptiedCount
  }

  get receivedBytes(): number {
    return this.duplex.receivedBytes
  }

  get movedBytes(): number {
    return this.duplex.movedBytes
  }

  get isReading(): boolean {
    return this.duplex.isWanted && !this.duplex.destroyed && this.duplex.readableFlowing === true
  }

  get isDestroyed(): boolean {
    return this.duplex.destroyed
  }

  move(): boolean {
    return this.duplex.move()
  }

  deliver(bytes: Buffer): void {
    this.duplex.isWanted = false
    this.duplex.pushedBytes += bytes.length
    this.duplex.push(bytes)
  }

  deliverEnd(): void {
    this.duplex.push(null)
  }

  reset(): void {
    this.duplex.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  }
}

export type LineKind = 'handle' | 'stream' | 'tls'

export function openLine(kind: LineKind, capacityBytes: number): Line {
  const system = new System(capacityBytes)
  return kind === 'handle' ? new HandleLine(system) : new StreamLine(system, kind === 'tls')
}
