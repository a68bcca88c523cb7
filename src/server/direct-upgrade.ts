import type { Server as NetServer, Socket as NetSocket } from 'node:net'
import { HandshakeError } from '../errors.js'
import { DEFAULT_MAX_HEADER_COUNT, HeadScanner } from '../handshake/http1.js'
import { readUpgradeRequest } from '../handshake/server-handshake.js'
import { readWholeRequest, type WholeRequest } from '../handshake/whole-head.js'
import {
  acceptHandles,
  closeFresh,
  readFirst,
  stopFirstRead,
  type FirstReader,
  type FreshHandle,
} from '../native/accepting.js'
import type { HandshakeDeadlines } from './handshake-deadlines.js'
import { Linger, REJECTION_LINGER_MS } from '../socket/handshake-io.js'
import { HandleTransport } from '../transport/handle-transport.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { Transport, TransportOwner } from '../transport/transport.js'
import type { ServerCore } from './server-core.js'
import { EarlyData } from './early-data.js'
import { FirstTurns, type FirstBytes } from './first-turns.js'
import { Upgrade } from './upgrade.js'

const NO_BYTES = new Uint8Array(0)

/** An upgrade on a port of Hawser's own, without node:http. */
export class DirectUpgrade extends Upgrade implements TransportOwner {
  readonly raw = undefined
  readonly secure = false
  readonly certificate = undefined
  readonly remoteAddress: string
  private readonly transport: HandleTransport
  /** The bytes that were received together with the request, after it. */
  private early: Uint8Array
  /** The bytes that are received while the decision takes time. */
  private later: EarlyData | null = null
  private readonly lingerMs: number
  /** How long the peer may take to read the rejection; null before there is one. */
  private linger: Linger | null = null
  /** The bytes of the rejection that the system did not take at once. */
  private pendingBytes = 0

  /**
   * @param early the bytes that were received after the request
   * @param startedAt when the connection was accepted, of `monotonicNow`
   * @param lingerMs see {@link REJECTION_LINGER_MS}
   */
  constructor(
    core: ServerCore,
    target: string,
    transport: HandleTransport,
    early: Uint8Array,
    startedAt: number,
    lingerMs = REJECTION_LINGER_MS,
  ) {
    super(core, target, startedAt)
    this.lingerMs = lingerMs
    this.transport = transport
    this.early = early
    this.remoteAddress = transport.remoteAddress
    transport.setOwner(this)
  }

  writeRejection(response: Uint8Array): void {
    const { transport } = this
    transport.write(Buffer.from(response))
    transport.end()
    // Further bytes are discarded: a socket that is closed with bytes unread is reset, and the response is lost.
    transport.resume()
    this.pendingBytes = transport.pendingBytes
    this.linger = new Linger(this.pendingBytes === 0)
    timerWheel.schedule(this, monotonicNow() + this.lingerMs)
  }

  destroy(): void {
    this.transport.destroy()
  }

  receive(chunk: Buffer): void {
    if (this.linger !== null) return
    this.later ??= new EarlyData()
    if (!this.later.push(chunk)) this.transport.pause()
  }

  receiveEnd(): void {
    // A peer that ended its side still reads the answer; once that has left as well, the transport ends by itself.
  }

  transportLost(): void {
    timerWheel.cancel(this)
    this.closed()
  }

  unblock(): void {
    // The answer has left; nothing waits for that.
  }

  override timeIsUp(now: number): void {
    const { linger } = this
    if (linger === null) {
      super.timeIsUp(now)
      return
    }
    const { pendingBytes } = this.transport
    const goesOn = linger.goesOn(this.pendingBytes - pendingBytes, pendingBytes === 0)
    if (goesOn) timerWheel.schedule(this, now + this.lingerMs)
    else this.destroy()
  }

  protected get isClosed(): boolean {
    return this.transport.isDestroyed
  }

  /** The request is the first of its connection. */
  protected takeTurn(): void {
    if (this.remoteAddress !== '') {
      this.turnCame()
      return
    }
    this.lostBeforeTurn()
    this.destroy()
  }

  protected watch(): void {
    // Only a transport that reads sees a reset.
    this.transport.resume()
  }

  protected writeAccept(head: string): Transport {
    const { transport } = this
    // The driver gets what is received from the end of this turn on.
    transport.write(Buffer.from(head, 'latin1'))
    return transport
  }

  protected takeEarlyData(): Uint8Array {
    const { early, later } = this
    this.early = NO_BYTES
    this.later = null
    return later === null ? early : Buffer.concat([early, later.take()])
  }
}

/** Reads a head that is not in order from its first byte on, as one after an empty line. @returns null: node:http may read it */
function scanRequest(bytes: Buffer, maxHeaderBytes: number): WholeRequest | null {
  const scanner = new HeadScanner('request', { maxHeaderBytes })
  if (scanner.push(bytes) !== 'done' || scanner.head === null) return null
  return { head: scanner.head, length: bytes.length - scanner.rest.length }
}

/** A connection that has no socket and no stream: its first bytes decide which it gets. */
class FreshConnection implements FirstReader, FirstBytes, Timed {
  timerSlot = -1
  readonly startedAt = monotonicNow()
  private readonly acceptor: DirectAccept
  private readonly handle: FreshHandle
  /** Since when its first bytes wait for their turn; null: they do not, and it reads. */
  private waitsSince: number | null = null

  constructor(acceptor: DirectAccept, handle: FreshHandle) {
    this.acceptor = acceptor
    this.handle = handle
  }

  read(bytes: Buffer | null): void {
    // An empty read means nothing.
    if (bytes?.length === 0) return
    this.acceptor.forget(this)
    // Without bytes there was no request to answer.
    if (bytes === null) closeFresh(this.handle)
    else this.acceptor.turns.add(this, bytes)
  }

  wait(): boolean {
    this.waitsSince = monotonicNow()
    if (stopFirstRead(this.handle)) return true
    closeFresh(this.handle)
    return false
  }

  take(bytes: Buffer): void {
    const { startedAt, waitsSince } = this
    // The time of the handshake is the peer's: it does not run while the bytes wait here.
    const waitedMs = waitsSince === null ? 0 : monotonicNow() - waitsSince
    this.acceptor.sort(this.handle, bytes, startedAt + waitedMs, waitsSince === null)
  }

  timeIsUp(): void {
    this.close()
  }

  close(): void {
    this.acceptor.forget(this)
    closeFresh(this.handle)
  }
}

/**
 * Takes connections as the system accepts them, in place of a `net.Server`, and looks at their first bytes. A request that
 * is a correct and complete opening handshake goes on without node:http. Everything else goes to the HTTP server together
 * with the bytes that were read: node:http reads, limits and answers it as usual (docs/adr/0011).
 */
export class DirectAccept {
  private readonly server: NetServer
  private readonly core: ServerCore
  private readonly deadlines: HandshakeDeadlines
  /** Connections on which nothing was received. */
  private readonly silent = new Set<FreshConnection>()
  /** Connections whose first bytes wait for their turn. */
  readonly turns = new FirstTurns()
  private giveToServer: ((handle: FreshHandle) => void) | null = null
  /** How many connections were accepted. */
  accepted = 0

  /**
   * @param server listens already
   * @param deadlines of the connections that the server gets
   */
  constructor(server: NetServer, core: ServerCore, deadlines: HandshakeDeadlines) {
    this.server = server
    this.core = core
    this.deadlines = deadlines
  }

  /** @returns whether this Node allows it; if not, the HTTP server accepts its connections itself */
  open(): boolean {
    this.giveToServer = acceptHandles(this.server, (handle) => {
      this.admit(handle)
    })
    return this.giveToServer !== null
  }

  /** Closes the connections on which nothing was received. Those that wait for their turn get it at once. */
  close(): void {
    this.turns.finish()
    for (const connection of [...this.silent]) connection.close()
  }

  forget(connection: FreshConnection): void {
    timerWheel.cancel(connection)
    this.silent.delete(connection)
  }

  /**
   * Decides by the first bytes of a connection: an upgrade, or a connection for the HTTP server.
   * @param isReading whether the handle reads still
   */
  sort(handle: FreshHandle, bytes: Buffer, startedAt: number, isReading: boolean): void {
    const { maxHeaderBytes } = this.core.options.limits
    const whole =
      readWholeRequest(bytes, maxHeaderBytes, DEFAULT_MAX_HEADER_COUNT) ?? scanRequest(bytes, maxHeaderBytes)
    if (whole !== null) {
      const request = readUpgradeRequest(whole.head)
      // node:http rejects a second Content-Length, even if both are 0: so does Hawser.
      if (!(request instanceof HandshakeError) && request.headers.count('Content-Length') < 2) {
        // Where it reads, it goes on: to stop and to begin again costs two calls of the system, and nothing arrives in this turn.
        const transport = new HandleTransport(handle, null, isReading)
        const early = whole.length === bytes.length ? NO_BYTES : bytes.subarray(whole.length)
        new DirectUpgrade(this.core, request.target, transport, early, startedAt).start(request)
        return
      }
    }
    if (stopFirstRead(handle)) this.giveBack(handle, bytes, startedAt)
    else closeFresh(handle)
  }

  /** How many connections were accepted, and are not sorted yet. */
  get waitingCount(): number {
    return this.silent.size + this.turns.count
  }

  private admit(handle: FreshHandle): void {
    this.accepted++
    const connection = new FreshConnection(this, handle)
    if (!readFirst(handle, connection)) return
    this.silent.add(connection)
    timerWheel.schedule(connection, connection.startedAt + this.core.options.limits.handshakeTimeoutMs)
  }

  /** The HTTP server makes its own socket, which begins with the bytes that were read. */
  private giveBack(handle: FreshHandle, bytes: Buffer, startedAt: number): void {
    const giveBytes = (socket: NetSocket): void => {
      this.deadlines.accepted(socket, startedAt)
      socket.unshift(bytes)
    }
    this.server.prependOnceListener('connection', giveBytes)
    this.giveToServer?.(handle)
    // A server that refused the connection emitted no event.
    this.server.off('connection', giveBytes)
  }
}
