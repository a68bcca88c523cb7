import type { Server as NetServer, Socket as NetSocket } from 'node:net'
import { HandshakeError } from '../errors.js'
import { HeadScanner } from '../handshake/http1.js'
import { readUpgradeRequest } from '../handshake/server-handshake.js'
import { handleKit, isHandle, type Handle } from '../native/socket-handle.js'
import { HandleTransport } from '../transport/handle-transport.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import { DirectUpgrade } from './direct-upgrade.js'
import type { HandshakeDeadlines } from './handshake-deadlines.js'
import type { ServerCore } from './server-core.js'

/** The handle of a server that listens, as far as it is used here. */
interface ListenHandle {
  onconnection: ((this: ListenHandle, status: number, handle: unknown) => void) | null
}

/** The handle of a connection that nobody owns yet. */
interface FreshHandle extends Handle {
  [SILENT_CONNECTION]?: SilentConnection | null
}

const SILENT_CONNECTION = Symbol('hawser.connection')

const ignore = (): void => undefined

/** Reads the first bytes of a connection; one function for all connections. */
function onFirstBytes(this: Handle, bytes?: ArrayBuffer): void {
  // Without bytes this is the end or an error: there was no request to answer.
  const { [SILENT_CONNECTION]: connection } = this as FreshHandle
  connection?.read(bytes === undefined ? null : Buffer.from(bytes))
}

/** A connection on which nothing was received yet. It has no socket and no stream: its first bytes decide which. */
class SilentConnection implements Timed {
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
    handle.onread = ignore
    handle[SILENT_CONNECTION] = null
    if (bytes === null || handle.readStop() !== 0) handle.close(ignore)
    else this.acceptor.sort(handle, bytes, this.startedAt)
  }

  timeIsUp(): void {
    this.close()
  }

  close(): void {
    this.acceptor.forget(this)
    this.handle[SILENT_CONNECTION] = null
    this.handle.close(ignore)
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
  private accept: ((status: number, handle: unknown) => void) | null = null

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
    if (handleKit() === null) return false
    const listening = (this.server as unknown as { _handle: ListenHandle | null })._handle
    const accept = listening?.onconnection
    if (listening === null || typeof accept !== 'function') return false
    this.accept = accept.bind(listening)
    listening.onconnection = (status, handle) => {
      if (status === 0 || (status as number | undefined) === undefined) this.admit(handle)
      else this.accept?.(status, handle)
    }
    return true
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
  sort(handle: Handle, bytes: Buffer, startedAt: number): void {
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

  private admit(handle: unknown): void {
    if (!isHandle(handle)) {
      this.accept?.(0, handle)
      return
    }
    const fresh = handle as FreshHandle
    const connection = new SilentConnection(this, fresh)
    fresh[SILENT_CONNECTION] = connection
    fresh.onread = onFirstBytes
    fresh.setNoDelay?.(true)
    if (fresh.readStart() !== 0) {
      handle.close(ignore)
      return
    }
    this.silent.add(connection)
    timerWheel.schedule(connection, connection.startedAt + this.core.options.limits.handshakeTimeoutMs)
  }

  /** The HTTP server makes its own socket, which begins with the bytes that were read. */
  private giveBack(handle: Handle, bytes: Buffer, startedAt: number): void {
    const giveBytes = (socket: NetSocket): void => {
      this.deadlines.came(socket, startedAt)
      socket.unshift(bytes)
    }
    this.server.prependOnceListener('connection', giveBytes)
    this.accept?.(0, handle)
    // A server that refused the connection emitted no event.
    this.server.off('connection', giveBytes)
  }
}
