import { IncomingMessage, type Server as HttpServer } from 'node:http'
import { Socket as NetSocket } from 'node:net'
import { Duplex } from 'node:stream'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { HandshakeError, InvalidStateError } from '../errors.js'
import { HeaderFields } from '../handshake/header-fields.js'
import { DEFAULT_MAX_HEADER_COUNT } from '../handshake/http1.js'
import { readUpgradeRequest, type UpgradeRequest } from '../handshake/server-handshake.js'
import { showValue } from '../check.js'
import { ignoreErrors, StreamGuard, writeAndEnd } from '../socket/handshake-io.js'
import { transportOver } from '../transport/handle-transport.js'
import { monotonicNow } from '../transport/timer-wheel.js'
import type { Transport } from '../transport/transport.js'
import { EarlierAnswers, owedAnswer } from './pipelining.js'
import type { ServerCore } from './server-core.js'
import { NO_FIELDS, Upgrade } from './upgrade.js'

/** Reads and checks the head of a request that node:http parsed. */
export function readRequest(raw: IncomingMessage): UpgradeRequest | HandshakeError {
  if (raw.rawHeaders.length / 2 > maxFieldsOf(raw)) {
    return new HandshakeError('HAWSER_HEAD_TOO_LARGE', { detail: 'too many header fields' })
  }
  return readUpgradeRequest({
    method: raw.method ?? '',
    target: raw.url ?? '',
    httpVersion: raw.httpVersion,
    headers: HeaderFields.fromRawHeaders(raw.rawHeaders),
  })
}

/**
 * How many header fields a request may have. Node silently drops those after its server's `maxHeadersCount`. A dropped
 * field may be a second Host or the length of a body, so a request that has as many fields is rejected.
 */
function maxFieldsOf(raw: IncomingMessage): number {
  const { socket } = raw as { socket?: { server?: { maxHeadersCount?: unknown } } }
  const kept = socket?.server?.maxHeadersCount
  return typeof kept === 'number' && kept > 0
    ? Math.min(DEFAULT_MAX_HEADER_COUNT, kept - 1)
    : DEFAULT_MAX_HEADER_COUNT
}

/** Marks a stream whose upgrade is taken: no other listener may answer it. */
const TAKEN = Symbol('hawser.taken')

type Takable = Duplex & { [TAKEN]?: boolean }

/** Whether a server of Hawser's has taken the upgrade of this stream. */
export const isTaken = (duplex: Duplex): boolean => (duplex as Takable)[TAKEN] === true

/**
 * Checks the arguments of `handleUpgrade`.
 * @throws TypeError with the argument's name and value; InvalidStateError if the upgrade was taken already
 */
export function checkUpgrade(request: unknown, socket: unknown, head: unknown): void {
  if (!(request instanceof IncomingMessage)) {
    throw new TypeError(
      `request must be the IncomingMessage of an 'upgrade' event, not ${showValue(request)}`,
    )
  }
  if (!(socket instanceof Duplex)) {
    throw new TypeError(`socket must be the Duplex of an 'upgrade' event, not ${showValue(socket)}`)
  }
  if (!(head instanceof Uint8Array)) {
    throw new TypeError(`head must be the Buffer of an 'upgrade' event, not ${showValue(head)}`)
  }
  if (isTaken(socket)) throw new InvalidStateError('the upgrade on this socket was taken already')
}

const HEAD_END = Buffer.from('\r\n\r\n')

function headOf(response: Uint8Array): Uint8Array {
  const end = Buffer.from(response.buffer, response.byteOffset, response.length).indexOf(HEAD_END)
  return response.subarray(0, end + HEAD_END.length)
}

const NO_BYTES = new Uint8Array(0)

/** The servers that are attached to an HTTP server, in the order of their listeners. It holds no settings. */
const ATTACHED = new WeakMap<HttpServer, Set<ServerCore>>()

export function joinPort(httpServer: HttpServer, core: ServerCore): void {
  const cores = ATTACHED.get(httpServer)
  if (cores === undefined) ATTACHED.set(httpServer, new Set([core]))
  else cores.add(core)
}

export function leavePort(httpServer: HttpServer, core: ServerCore): void {
  ATTACHED.get(httpServer)?.delete(core)
}

/** Whether a server that is attached to an HTTP server has a route for a path. */
export function isServed(httpServer: HttpServer, path: string): boolean {
  return [...(ATTACHED.get(httpServer) ?? [])].some((core) => core.hasRoute(path))
}

/**
 * Whether a server answers an upgrade for which it has no route. Where the application listens for upgrades as well, none
 * of Hawser's servers answers, since the application may. Otherwise the last one does, unless another has a route.
 * @param path the path of the request; null: the request is not a handshake
 */
export function isToAnswer(httpServer: HttpServer, core: ServerCore, path: string | null): boolean {
  const cores = [...(ATTACHED.get(httpServer) ?? [])]
  if (httpServer.listenerCount('upgrade') > cores.length) return false
  if (cores[cores.length - 1] !== core) return false
  return path === null || !cores.some((one) => one.hasRoute(path))
}

/** Whether anything listens for upgrades beside Hawser's servers and the one listener that asks. */
export const hasOthers = (httpServer: HttpServer): boolean =>
  httpServer.listenerCount('upgrade') > (ATTACHED.get(httpServer)?.size ?? 0) + 1

/** Whether a server that is attached beside this one, and does not close, has a route for a path. */
const hasSuccessor = (httpServer: HttpServer, core: ServerCore, path: string): boolean =>
  [...(ATTACHED.get(httpServer) ?? [])].some((one) => one !== core && !one.isClosing && one.hasRoute(path))

/** An upgrade that node:http parsed. */
export class HttpUpgrade extends Upgrade {
  readonly raw: IncomingMessage | undefined
  private readonly incoming: IncomingMessage
  private readonly duplex: Duplex
  private readonly sharedWith: HttpServer | null
  /** The bytes that were received after the request. */
  private head: Uint8Array
  private guard: StreamGuard | null = null

  /**
   * @param ownSince when a port of Hawser's own accepted the connection; null if an HTTP server of the application did
   * @param sharedWith the HTTP server whose port others may share; null: the upgrade is for this server alone
   */
  constructor(
    core: ServerCore,
    incoming: IncomingMessage,
    duplex: Duplex,
    head: Uint8Array,
    ownSince: number | null,
    sharedWith: HttpServer | null,
  ) {
    super(core, incoming.url ?? '', ownSince ?? monotonicNow())
    this.incoming = incoming
    this.duplex = duplex
    this.head = head
    this.raw = ownSince === null ? incoming : undefined
    this.sharedWith = sharedWith
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress ?? ''
  }

  override isLocal(): boolean {
    // A socket that was reset still knows its own address.
    const { remoteAddress, localAddress } = this.socket
    return (remoteAddress ?? '') === '' && (localAddress ?? '') === '' && !this.duplex.destroyed
  }

  get secure(): boolean {
    return this.socket.encrypted === true
  }

  get certificate(): PeerCertificate | undefined {
    const certificate = this.secure ? this.socket.getPeerCertificate?.() : undefined
    return certificate !== undefined && Object.keys(certificate).length > 0 ? certificate : undefined
  }

  protected override get malformedHeaders(): HeaderFields {
    const { incoming } = this
    // What Node dropped may be what a proxy wrote: then the rest says nothing of the client.
    const isCut = incoming.rawHeaders.length / 2 > maxFieldsOf(incoming)
    return isCut ? NO_FIELDS : HeaderFields.fromRawHeaders(incoming.rawHeaders)
  }

  destroy(): void {
    this.duplex.destroy()
  }

  protected get isClosed(): boolean {
    return this.duplex.destroyed
  }

  protected takeTurn(): void {
    ;(this.duplex as Takable)[TAKEN] = true
    const owed = owedAnswer(this.duplex, this.incoming)
    if (owed === null) {
      this.checkAddress()
      return
    }
    new EarlierAnswers(this.duplex, this.incoming, owed, this.dueAt, (early) => {
      if (early === null) {
        this.lostBeforeTurn()
        return
      }
      if (early.length > 0) this.head = Buffer.concat([this.head, early])
      this.checkAddress()
    })
  }

  private checkAddress(): void {
    // Of a stream of the application's own nothing is known.
    const wasReset = this.remoteAddress === '' && this.duplex instanceof NetSocket && !this.isLocal()
    if (!wasReset) {
      this.turnCame()
      return
    }
    this.lostBeforeTurn()
    this.destroy()
  }

  protected override isLeftToOthers(path: string | null): boolean {
    if (this.sharedWith === null || isToAnswer(this.sharedWith, this.core, path)) return false
    // If no listener takes it, none has its errors either, and a reset would end the process.
    ignoreErrors(this.duplex)
    return true
  }

  protected override isLeftToSuccessor(path: string): boolean {
    if (this.sharedWith === null || !hasSuccessor(this.sharedWith, this.core, path)) return false
    ignoreErrors(this.duplex)
    return true
  }

  protected watch(): void {
    this.guard ??= new StreamGuard(this.duplex, () => {
      this.closed()
    })
  }

  protected writeAccept(head: string): Transport {
    const { duplex } = this
    this.guard?.release()
    // A reset while the head is written is noticed by the driver, which checks whether the stream is destroyed.
    duplex.write(head, 'latin1')
    return transportOver(duplex, this.core.options.directIo)
  }

  protected override leave(): void {
    this.guard?.release()
    ;(this.duplex as Takable)[TAKEN] = false
  }

  protected takeEarlyData(): Uint8Array {
    const { head } = this
    this.head = NO_BYTES
    return head
  }

  protected writeRejection(response: Uint8Array): void {
    // A response to HEAD ends with its head (RFC 9110 section 9.3.2).
    writeAndEnd(this.duplex, this.incoming.method === 'HEAD' ? headOf(response) : response)
  }

  /** The stream, with the members that it has if it is a socket. */
  private get socket(): Partial<TLSSocket> {
    return this.duplex as Partial<TLSSocket>
  }
}
