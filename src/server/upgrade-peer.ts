import { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import {
  ignoreErrors,
  Linger,
  REJECTION_LINGER_MS,
  StreamGuard,
  writeAndEnd,
} from '../socket/handshake-io.js'
import { transportOver, type HandleTransport } from '../transport/handle-transport.js'
import { InvalidStateError } from '../errors.js'
import { showValue } from '../limits.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { Transport, TransportOwner } from '../transport/transport.js'
import { EarlyBytes } from './early-bytes.js'
import { owedAnswer } from './owed-answers.js'
import { Turn } from './turn.js'

/** Whoever asks for an upgrade, and waits for the answer. */
export interface UpgradePeer {
  readonly remoteAddress: string
  readonly secure: boolean
  readonly certificate: PeerCertificate | undefined
  /** The request of node:http, where it came through an HTTP server that is not Hawser's own. */
  readonly raw: IncomingMessage | undefined
  /** When the handshake began, of `monotonicNow`: its time runs from there. */
  readonly startedAt: number
  /**
   * Whether it may be answered now: no earlier request of its connection still waits for an answer (RFC 9112 section
   * 9.3.2).
   */
  readonly isInTurn: boolean
  /**
   * Waits until it is in turn.
   * @param dueAt when the connection is cut instead
   * @param done called once; false: the connection is over, and there is nobody to answer
   */
  awaitTurn(dueAt: number, done: (isInTurn: boolean) => void): void
  /** The decision takes time: tells if the peer is gone by then. */
  watch(onGone: () => void): void
  /**
   * Answers with 101.
   * @returns what the connection goes over from now on, and what came behind the request
   */
  accept(head: string): { readonly transport: Transport; readonly early: Uint8Array }
  /** From now on it is ours to answer. */
  take(): void
  /** Answers with a rejection, and ends. A reset at any point of it harms nobody. */
  reject(response: Uint8Array): void
  /** Somebody else answers. */
  leave(): void
  /** Calls back once, when it is gone: at once if it is. */
  whenGone(onGone: () => void): void
  destroy(): void
}

const NO_BYTES = new Uint8Array(0)

/** Of a stream whose upgrade was taken: nobody else may answer it. */
const TAKEN = Symbol('hawser.taken')

type Takable = Duplex & { [TAKEN]?: true }

/** Whether a server of ours has taken the upgrade that came by this stream. */
export const isTaken = (duplex: Duplex): boolean => (duplex as Takable)[TAKEN] === true

/**
 * Checks what somebody gives who routes upgrades by hand.
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

const joined = (first: Uint8Array, second: Uint8Array): Uint8Array =>
  second.length === 0 ? first : Buffer.concat([first, second])

/** One that came through node:http. */
export class StreamPeer implements UpgradePeer {
  readonly raw: IncomingMessage | undefined
  readonly startedAt: number
  private readonly request: IncomingMessage
  private readonly duplex: Duplex
  private head: Uint8Array
  private readonly directIo: boolean
  private guard: StreamGuard | null = null

  /** @param ownSince when the connection came to a port of Hawser's own; null: to an HTTP server of the application */
  constructor(
    request: IncomingMessage,
    duplex: Duplex,
    head: Uint8Array,
    directIo: boolean,
    ownSince: number | null,
  ) {
    this.request = request
    this.duplex = duplex
    this.head = head
    this.directIo = directIo
    this.raw = ownSince === null ? request : undefined
    this.startedAt = ownSince ?? monotonicNow()
  }

  get isInTurn(): boolean {
    return owedAnswer(this.duplex, this.request) === null
  }

  awaitTurn(dueAt: number, done: (isInTurn: boolean) => void): void {
    const owed = owedAnswer(this.duplex, this.request)
    if (owed === null) {
      done(true)
      return
    }
    new Turn(this.duplex, this.request, owed, dueAt, (early) => {
      if (early !== null) this.head = joined(this.head, early)
      done(early !== null)
    })
  }

  get remoteAddress(): string {
    return this.socket.remoteAddress ?? ''
  }

  get secure(): boolean {
    return this.socket.encrypted === true
  }

  get certificate(): PeerCertificate | undefined {
    const certificate = this.secure ? this.socket.getPeerCertificate?.() : undefined
    return certificate !== undefined && Object.keys(certificate).length > 0 ? certificate : undefined
  }

  /** What it has if it is a socket. */
  private get socket(): Partial<TLSSocket> {
    return this.duplex as Partial<TLSSocket>
  }

  watch(onGone: () => void): void {
    this.guard = new StreamGuard(this.duplex, onGone)
  }

  accept(head: string): { transport: Transport; early: Uint8Array } {
    const { duplex } = this
    this.guard?.release()
    // A reset while the head is written is told to the driver, which looks whether the stream still lives.
    duplex.write(head, 'latin1')
    const early = this.head
    // The request may be kept for as long as the connection lives; these bytes not.
    this.head = NO_BYTES
    return { transport: transportOver(duplex, this.directIo), early }
  }

  take(): void {
    ;(this.duplex as Takable)[TAKEN] = true
  }

  reject(response: Uint8Array): void {
    // An answer to HEAD ends with its head (RFC 9110 section 9.3.2).
    writeAndEnd(this.duplex, this.request.method === 'HEAD' ? headOf(response) : response)
  }

  leave(): void {
    ignoreErrors(this.duplex)
  }

  whenGone(onGone: () => void): void {
    if (this.duplex.destroyed) onGone()
    else this.duplex.once('close', onGone)
  }

  destroy(): void {
    this.duplex.destroy()
  }
}

/** One that came through a port of Hawser's own, without node:http. */
export class HandlePeer implements UpgradePeer, TransportOwner, Timed {
  readonly raw = undefined
  readonly secure = false
  readonly certificate = undefined
  readonly remoteAddress: string
  readonly startedAt: number
  /** The request is the first of its connection. */
  readonly isInTurn = true
  timerSlot = -1
  private readonly transport: HandleTransport
  /** What came with the request. */
  private early: Uint8Array
  /** What came later, while the decision takes time. */
  private later: EarlyBytes | null = null
  private readonly lingerMs: number
  private isRejected = false
  /** Of the rejection. */
  private linger: Linger | null = null
  /** What of it the system did not take at once. */
  private pendingBytes = 0
  private onGone: (() => void) | null = null
  private onLeft: (() => void) | null = null

  /**
   * @param early what came behind the request
   * @param lingerMs see {@link REJECTION_LINGER_MS}
   */
  constructor(
    transport: HandleTransport,
    early: Uint8Array,
    startedAt: number,
    lingerMs = REJECTION_LINGER_MS,
  ) {
    this.lingerMs = lingerMs
    this.transport = transport
    this.early = early
    this.startedAt = startedAt
    this.remoteAddress = transport.remoteAddress
    transport.setOwner(this)
  }

  awaitTurn(_dueAt: number, done: (isInTurn: boolean) => void): void {
    done(true)
  }

  watch(onGone: () => void): void {
    this.onGone = onGone
    // A reset is seen by who reads.
    this.transport.resume()
  }

  accept(head: string): { transport: Transport; early: Uint8Array } {
    this.onGone = null
    this.transport.write(Buffer.from(head, 'latin1'))
    // Until somebody pulls: what comes before that waits in the network, not here.
    this.transport.pause()
    const { transport, later } = this
    const early = later === null ? this.early : joined(this.early, later.take())
    // The request may be kept for as long as the connection lives; these bytes not.
    this.early = NO_BYTES
    this.later = null
    return { transport, early }
  }

  reject(response: Uint8Array): void {
    this.isRejected = true
    this.onGone = null
    this.transport.write(Buffer.from(response))
    this.transport.end()
    // What still comes is discarded: a socket that is closed with bytes unread is reset, and the response lost.
    this.transport.resume()
    this.pendingBytes = this.transport.pendingBytes
    this.linger = new Linger(this.pendingBytes === 0)
    timerWheel.schedule(this, monotonicNow() + this.lingerMs)
  }

  take(): void {
    // Nobody else knows of it.
  }

  leave(): void {
    // Nobody else is there, on a port of our own.
    this.destroy()
  }

  whenGone(onGone: () => void): void {
    if (this.transport.isDestroyed) onGone()
    else this.onLeft = onGone
  }

  destroy(): void {
    this.transport.destroy()
  }

  receive(chunk: Buffer): void {
    if (this.isRejected) return
    this.later ??= new EarlyBytes()
    if (!this.later.push(chunk)) this.transport.pause()
  }

  receiveEnd(): void {
    // A peer that ended its side still reads the answer; once that has left as well, the transport ends by itself.
  }

  transportLost(): void {
    timerWheel.cancel(this)
    this.onGone?.()
    this.onGone = null
    this.onLeft?.()
    this.onLeft = null
  }

  unblock(): void {
    // The answer has left; nothing waits for that.
  }

  timeIsUp(now: number): void {
    const { pendingBytes } = this.transport
    const goesOn = this.linger?.goesOn(this.pendingBytes - pendingBytes, pendingBytes === 0)
    if (goesOn === true) timerWheel.schedule(this, now + this.lingerMs)
    else this.destroy()
  }
}
