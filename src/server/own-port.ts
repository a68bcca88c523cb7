import type { Server as NetServer, Socket as NetSocket } from 'node:net'
import { HandshakeError } from '../errors.js'
import { HeadScanner } from '../handshake/http1.js'
import { readUpgradeRequest, type UpgradeRequest } from '../handshake/server-handshake.js'
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

/** Where upgrades go that came without node:http. */
export type HeadTaker = (
  request: UpgradeRequest,
  transport: HandleTransport,
  early: Uint8Array,
  /** When the system gave the connection, of `monotonicNow`. */
  startedAt: number,
) => void

/** A connection of which nothing has come yet. It has no socket and no stream: those are made by what comes. */
class Newcomer implements FirstReader, Timed {
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
    // Without bytes there was no request, so there is nobody to answer.
    if (!stopFirstRead(handle) || bytes === null) closeFresh(handle)
    else this.port.sort(handle, bytes, this.startedAt)
  }

  timeIsUp(): void {
    this.close()
  }

  close(): void {
    this.port.forget(this)
    closeFresh(this.handle)
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
  private giveToServer: ((handle: FreshHandle) => void) | null = null

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
    this.giveToServer = acceptHandles(this.server, (handle) => {
      this.admit(handle)
    })
    return this.giveToServer !== null
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
  sort(handle: FreshHandle, bytes: Buffer, startedAt: number): void {
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

  private admit(handle: FreshHandle): void {
    const newcomer = new Newcomer(this, handle)
    if (!readFirst(handle, newcomer)) return
    this.newcomers.add(newcomer)
    timerWheel.schedule(newcomer, newcomer.startedAt + this.timeoutMs)
  }

  /** The server makes its own socket, and finds in it what was read. */
  private giveBack(handle: FreshHandle, bytes: Buffer, startedAt: number): void {
    const giveBytes = (socket: NetSocket): void => {
      this.given(socket, startedAt)
      socket.unshift(bytes)
    }
    this.server.prependOnceListener('connection', giveBytes)
    this.giveToServer?.(handle)
    // A server that refused the connection told nobody of it.
    this.server.off('connection', giveBytes)
  }
}
