import type { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { socketBelow } from '../native/tls-handle.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'

/** A connection on a port of Hawser's own, from its TCP accept until its request is received. */
class HandshakeDeadline implements Timed {
  timerSlot = -1
  readonly startedAt: number
  /** The stream for a response; null: the TLS handshake is not done. */
  answerable: Duplex | null
  /** Its key in {@link HandshakeDeadlines}, while it has one. */
  key: string | null = null
  readonly transport: Duplex
  private readonly onLate: (duplex: Duplex) => void

  constructor(
    transport: Duplex,
    answerable: Duplex | null,
    startedAt: number,
    onLate: (duplex: Duplex) => void,
  ) {
    this.transport = transport
    this.answerable = answerable
    this.startedAt = startedAt
    this.onLate = onLate
  }

  timeIsUp(): void {
    if (this.answerable === null) this.transport.destroy()
    else this.onLate(this.answerable)
  }
}

/**
 * The deadlines of handshakes on a port of Hawser's own. The time runs from the TCP accept, and covers TLS, the head and the
 * decision. Node limits each of these on its own, one after another.
 */
export class HandshakeDeadlines {
  private readonly timeoutMs: number
  private readonly onLate: (duplex: Duplex) => void
  /** Until the request is received: a connection with TLS by its transport, and then by the TLS socket as well. */
  private readonly deadlines = new WeakMap<Duplex, HandshakeDeadline>()
  /** Connections in their TLS handshake, by address, until {@link tellsBelow}. */
  private readonly handshaking = new Map<string, HandshakeDeadline>()
  /** Whether a TLS socket tells its transport, as the first one of this port did. */
  private tellsBelow = false
  /** The transports of connections with TLS, those in their TLS handshake included: node:http does not know of these. */
  private readonly transports = new Set<Duplex>()
  /** One listener for all connections. */
  private readonly onClose: (this: Duplex) => void
  /** Connections whose request has not been received. */
  private readonly waiting = new Set<HandshakeDeadline>()

  /** @param onLate called with a connection whose request was not received in time */
  constructor(timeoutMs: number, onLate: (duplex: Duplex) => void) {
    this.timeoutMs = timeoutMs
    this.onLate = onLate
    const closed = (duplex: Duplex): void => {
      this.transports.delete(duplex)
      const deadline = this.deadlines.get(duplex)
      if (deadline !== undefined) this.end(deadline)
    }
    this.onClose = function () {
      closed(this)
    }
  }

  /** How many connections have not sent their request yet. */
  get waitingCount(): number {
    return this.waiting.size
  }

  /** A connection without TLS was accepted. A connection that is known already keeps its time. */
  accepted(socket: Duplex, startedAt = monotonicNow()): void {
    if (!this.deadlines.has(socket))
      this.note(new HandshakeDeadline(socket, socket, startedAt, this.onLate), socket)
  }

  /** A connection was accepted whose TLS handshake begins. */
  acceptedForTls(transport: NetSocket): void {
    const deadline = new HandshakeDeadline(transport, null, monotonicNow(), this.onLate)
    this.transports.add(transport)
    this.note(deadline, transport)
    // A socket that was asked for its addresses keeps them: 350 bytes of each connection.
    if (this.tellsBelow) return
    deadline.key = keyOf(transport)
    this.handshaking.set(deadline.key, deadline)
  }

  /** A TLS handshake is done. */
  tlsDone(socket: NetSocket): void {
    const below = socketBelow(socket)
    const deadline = this.tellsBelow
      ? below && this.deadlines.get(below)
      : this.handshaking.get(keyOf(socket))
    if (!deadline) return
    if (deadline.transport === below) this.tellsBelow = true
    this.dropKey(deadline)
    deadline.answerable = socket
    this.deadlines.set(socket, deadline)
  }

  /** The request of a connection was received. @returns when the connection was accepted, of `monotonicNow` */
  requestReceived(socket: Duplex): number {
    const deadline = this.deadlines.get(socket)
    if (deadline === undefined) return monotonicNow()
    this.end(deadline)
    return deadline.startedAt
  }

  /** Cuts all connections with TLS. */
  cutTls(): void {
    for (const duplex of [...this.transports]) duplex.destroy()
  }

  private note(deadline: HandshakeDeadline, socket: Duplex): void {
    this.deadlines.set(socket, deadline)
    this.waiting.add(deadline)
    timerWheel.schedule(deadline, deadline.startedAt + this.timeoutMs)
    socket.on('close', this.onClose)
  }

  private end(deadline: HandshakeDeadline): void {
    timerWheel.cancel(deadline)
    this.waiting.delete(deadline)
    this.dropKey(deadline)
    this.deadlines.delete(deadline.transport)
    if (deadline.answerable !== null) this.deadlines.delete(deadline.answerable)
  }

  private dropKey(deadline: HandshakeDeadline): void {
    const { key } = deadline
    deadline.key = null
    if (key !== null && this.handshaking.get(key) === deadline) this.handshaking.delete(key)
  }
}

const keyOf = ({ localAddress, localPort, remoteAddress, remotePort }: NetSocket): string =>
  [localAddress, localPort, remoteAddress, remotePort].join(' ')
