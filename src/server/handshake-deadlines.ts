import type { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'

/** A connection on a port of Hawser's own, from its TCP accept until its request is received. */
class HandshakeDeadline implements Timed {
  timerSlot = -1
  readonly startedAt: number
  /** The stream for a response; null: the TLS handshake is not done. */
  answerable: Duplex | null
  private readonly transport: Duplex
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
  private readonly deadlines = new WeakMap<Duplex, HandshakeDeadline>()
  /** Connections in their TLS handshake, by address: node:tls does not say which transport a TLS socket uses. */
  private readonly handshaking = new Map<string, HandshakeDeadline>()

  /** @param onLate called with a connection whose request was not received in time */
  constructor(timeoutMs: number, onLate: (duplex: Duplex) => void) {
    this.timeoutMs = timeoutMs
    this.onLate = onLate
  }

  /** A connection without TLS was accepted. A connection that is known already keeps its time. */
  accepted(socket: Duplex, startedAt = monotonicNow()): void {
    if (!this.deadlines.has(socket))
      this.note(new HandshakeDeadline(socket, socket, startedAt, this.onLate), socket)
  }

  /** A connection was accepted whose TLS handshake begins. */
  acceptedForTls(transport: NetSocket): void {
    const deadline = new HandshakeDeadline(transport, null, monotonicNow(), this.onLate)
    this.note(deadline, transport)
    const key = keyOf(transport)
    this.handshaking.set(key, deadline)
    transport.once('close', () => {
      if (this.handshaking.get(key) === deadline) this.handshaking.delete(key)
    })
  }

  /** A TLS handshake is done. */
  tlsDone(socket: NetSocket): void {
    const key = keyOf(socket)
    const deadline = this.handshaking.get(key)
    if (deadline === undefined) return
    this.handshaking.delete(key)
    deadline.answerable = socket
    this.deadlines.set(socket, deadline)
  }

  /** The request of a connection was received. @returns when the connection was accepted, of `monotonicNow` */
  requestReceived(socket: Duplex): number {
    const deadline = this.deadlines.get(socket)
    if (deadline === undefined) return monotonicNow()
    timerWheel.cancel(deadline)
    return deadline.startedAt
  }

  private note(deadline: HandshakeDeadline, socket: Duplex): void {
    this.deadlines.set(socket, deadline)
    timerWheel.schedule(deadline, deadline.startedAt + this.timeoutMs)
    socket.once('close', () => {
      timerWheel.cancel(deadline)
    })
  }
}

const keyOf = ({ localAddress, localPort, remoteAddress, remotePort }: NetSocket): string =>
  [localAddress, localPort, remoteAddress, remotePort].join(' ')
