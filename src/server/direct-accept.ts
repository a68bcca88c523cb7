import type { Server as NetServer, Socket as NetSocket } from 'node:net'
import { HandshakeError } from '../errors.js'
import { HeadScanner } from '../handshake/http1.js'
import { readUpgradeRequest } from '../handshake/server-handshake.js'
import {
  acceptHandles,
  closeFresh,
  readFirst,
  stopFirstRead,
  type FirstReader,
  type FreshHandle,
} from '../native/accepting.js'
import { HandleTransport } from '../transport/handle-transport.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import { DirectUpgrade } from './direct-upgrade.js'
import type { HandshakeDeadlines } from './handshake-deadlines.js'
import type { ServerCore } from './server-core.js'

/** A connection on which nothing was received yet. It has no socket and no stream: its first bytes decide which. */
class SilentConnection implements FirstReader, Timed {
  timerSlot = -1
  readonly startedAt = monotonicNow()
  private readonly acceptor: DirectAccept
  private readonly handle: FreshHandle

  constructor(acceptor: DirectAccept, handle: FreshHandle) {
    this.acceptor = acceptor
    this.handle = handle
  }

  read(bytes: Buffer | null): void {
    // An empty read means nothing.
    if (bytes?.length === 0) return
    const { handle } = this
    this.acceptor.forget(this)
    // Without bytes there was no request to answer.
    if (!stopFirstRead(handle) || bytes === null) closeFresh(handle)
    else this.acceptor.sort(handle, bytes, this.startedAt)
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
  private readonly silent = new Set<SilentConnection>()
  private giveToServer: ((handle: FreshHandle) => void) | null = null

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

  /** Closes the connections on which nothing was received. */
  close(): void {
    for (const connection of [...this.silent]) connection.close()
  }

  forget(connection: SilentConnection): void {
    timerWheel.cancel(connection)
    this.silent.delete(connection)
  }

  /** Decides by the first bytes of a connection: an upgrade, or a connection for the HTTP server. */
  sort(handle: FreshHandle, bytes: Buffer, startedAt: number): void {
    const scanner = new HeadScanner('request', { maxHeaderBytes: this.core.options.limits.maxHeaderBytes })
    if (scanner.push(bytes) === 'done' && scanner.head !== null) {
      const request = readUpgradeRequest(scanner.head)
      // node:http rejects a second Content-Length, even if both are 0: so does Hawser.
      if (!(request instanceof HandshakeError) && request.headers.count('Content-Length') < 2) {
        const transport = new HandleTransport(handle, null)
        new DirectUpgrade(this.core, request.target, transport, scanner.rest, startedAt).start(request)
        return
      }
    }
    this.giveBack(handle, bytes, startedAt)
  }

  private admit(handle: FreshHandle): void {
    const connection = new SilentConnection(this, handle)
    if (!readFirst(handle, connection)) return
    this.silent.add(connection)
    timerWheel.schedule(connection, connection.startedAt + this.core.options.limits.handshakeTimeoutMs)
  }

  /** The HTTP server makes its own socket, which begins with the bytes that were read. */
  private giveBack(handle: FreshHandle, bytes: Buffer, startedAt: number): void {
    const giveBytes = (socket: NetSocket): void => {
      this.deadlines.came(socket, startedAt)
      socket.unshift(bytes)
    }
    this.server.prependOnceListener('connection', giveBytes)
    this.giveToServer?.(handle)
    // A server that refused the connection emitted no event.
    this.server.off('connection', giveBytes)
  }
}
