import type { Server as NetServer, Socket as NetSocket } from 'node:net'
import { HandshakeError } from '../errors.js'
import { HeadScanner } from '../handshake/http1.js'
import { readUpgradeRequest, type UpgradeRequest } from '../handshake/server-handshake.js'
import { handleKit, isHandle, type Handle } from '../native/socket-handle.js'
import { HandleTransport } from '../transport/handle-transport.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'

/** The handle of a server that listens, as far as it is used here. */
interface ListenHandle {
  onconnection: ((this: ListenHandle, status: number, handle: unknown) => void) | null
}

/** The handle of a connection that nobody owns yet. */
interface FreshHandle extends Handle {
  [NEWCOMER]?: Newcomer | null
}

const NEWCOMER = Symbol('hawser.newcomer')

/** Where upgrades go that came without node:http. */
export type HeadTaker = (
  request: UpgradeRequest,
  transport: HandleTransport,
  early: Uint8Array,
  /** When the system gave the connection, of `monotonicNow`. */
  startedAt: number,
) => void

const ignore = (): void => undefined

/** What is read first of a connection; one function for all of them. */
function onFirstBytes(this: Handle, bytes?: ArrayBuffer): void {
  // Without bytes: the end, or an error. There was no request, so there is nobody to answer.
  const { [NEWCOMER]: newcomer } = this as FreshHandle
  newcomer?.read(bytes === undefined ? null : Buffer.from(bytes))
}

/** A connection of which nothing has come yet. It has no socket and no stream: those are made by what comes. */
class Newcomer implements Timed {
  timerSlot = -1
  readonly startedAt = monotonicNow()
  private readonly port: OwnPort
  private readonly handle: FreshHandle

  constructor(port: OwnPort, handle: FreshHandle) {
    this.port = port
    this.handle = handle
  }

  read(bytes: Buffer | null): void {
    // An empty read says nothing.
    if (bytes?.length === 0) return
    const { handle } = this
    this.port.forget(this)
    handle.onread = ignore
    handle[NEWCOMER] = null
    if (bytes === null || handle.readStop() !== 0) handle.close(ignore)
    else this.port.sort(handle, bytes, this.startedAt)
  }

  timeIsUp(): void {
    this.close()
  }

  close(): void {
    this.port.forget(this)
    this.handle[NEWCOMER] = null
    this.handle.close(ignore)
  }
}

/**
 * Takes connections as the system accepts them, in place of a `net.Server`, and looks at their first bytes: a request
 * that is a good opening handshake, whole and first, goes on without node:http. Everything else, whatever it is, is
 * given to the server with the bytes that were read, as if nothing had happened: node:http then reads it, and bounds
 * it, and answers it (docs/adr/0011).
 */
export class OwnPort {
  private readonly server: NetServer
  private readonly take: HeadTaker
  private readonly given: (socket: NetSocket, startedAt: number) => void
  private readonly maxHeaderBytes: number
  private readonly timeoutMs: number
  private readonly newcomers = new Set<Newcomer>()
  private accept: ((status: number, handle: unknown) => void) | null = null

  /**
   * @param server listens already
   * @param take gets the upgrades
   * @param given told of each socket that the server gets, and when its connection came, of `monotonicNow`
   */
  constructor(
    server: NetServer,
    maxHeaderBytes: number,
    timeoutMs: number,
    take: HeadTaker,
    given: (socket: NetSocket, startedAt: number) => void,
  ) {
    this.server = server
    this.take = take
    this.given = given
    this.maxHeaderBytes = maxHeaderBytes
    this.timeoutMs = timeoutMs
  }

  /** @returns whether this Node lets it be done; if not, the server takes its connections itself */
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

  /** Ends the connections of which nothing has come. */
  close(): void {
    for (const newcomer of [...this.newcomers]) newcomer.close()
  }

  forget(newcomer: Newcomer): void {
    timerWheel.cancel(newcomer)
    this.newcomers.delete(newcomer)
  }

  /** The first bytes are here: are they a handshake? */
  sort(handle: Handle, bytes: Buffer, startedAt: number): void {
    const scanner = new HeadScanner('request', { maxHeaderBytes: this.maxHeaderBytes })
    if (scanner.push(bytes) === 'done' && scanner.head !== null) {
      const request = readUpgradeRequest(scanner.head)
      // A length told twice, even if it is 0 both times, is refused by node:http: here as there.
      if (!(request instanceof HandshakeError) && request.headers.count('Content-Length') < 2) {
        this.take(request, new HandleTransport(handle, null), scanner.rest, startedAt)
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
    const newcomer = new Newcomer(this, fresh)
    fresh[NEWCOMER] = newcomer
    fresh.onread = onFirstBytes
    fresh.setNoDelay?.(true)
    if (fresh.readStart() !== 0) {
      handle.close(ignore)
      return
    }
    this.newcomers.add(newcomer)
    timerWheel.schedule(newcomer, newcomer.startedAt + this.timeoutMs)
  }

  /** The server makes its own socket, and finds in it what was read. */
  private giveBack(handle: Handle, bytes: Buffer, startedAt: number): void {
    const giveBytes = (socket: NetSocket): void => {
      this.given(socket, startedAt)
      socket.unshift(bytes)
    }
    this.server.prependOnceListener('connection', giveBytes)
    this.accept?.(0, handle)
    // A server that refused the connection told nobody of it.
    this.server.off('connection', giveBytes)
  }
}
