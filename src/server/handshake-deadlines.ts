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
  private readonly late: (duplex: Duplex) => void

  constructor(
    transport: Duplex,
    answerable: Duplex | null,
    startedAt: number,
    late: (duplex: Duplex) => void,
  ) {
    this.transport = transport
    this.answerable = answerable
    this.startedAt = startedAt
    this.late = late
  }

  timeIsUp(): void {
    if (this.answerable === null) this.transport.destroy()
    else this.late(this.answerable)
  }
}

/**
 * The deadlines of handshakes on a port of Hawser's own. The time runs from the TCP accept, and covers TLS, the head and the
 * decision. Node limits each of these on its own, one after another.
 */
export class HandshakeDeadlines {
  private readonly timeoutMs: number
  private readonly late: (duplex: Duplex) => void
  private readonly deadlines = new WeakMap<Duplex, HandshakeDeadline>()
  /** Connections in their TLS handshake, by address: node:tls does not say which transport a TLS socket uses. */
  private readonly handshaking = new Map<string, HandshakeDeadline>()

  /** @param late called with a connection whose request was not received in time */
  constructor(timeoutMs: number, late: (duplex: Duplex) => void) {
    this.timeoutMs = timeoutMs
    this.late = late
  }

  /** A connection without TLS was accepted. A connection that is known already keeps its time. */
  came(socket: Duplex, startedAt = monotonicNow()): void {
    if (!this.deadlines.has(socket))
      this.note(new HandshakeDeadline(socket, socket, startedAt, this.late), socket)
  }

  /** A connection was accepted whose TLS handshake begins. */
  cameForTls(transport: NetSocket): void {
    const deadline = new HandshakeDeadline(transport, null, monotonicNow(), this.late)
    this.note(deadline, transport)
    const key = keyOf(transport)
    this.handshaking.set(key, deadline)
    transport.once('close', () => {
      if (this.handshaking.get(key) === deadline) this.handshaking.delete(key)
    })
  }

  /** A TLS handshake is done. */
  secured(socket: NetSocket): void {
    const key = keyOf(socket)
    const deadline = this.handshaking.get(key)
    if (deadline === undefined) return
    this.handshaking.delete(key)
    deadline.answerable = socket
    this.deadlines.set(socket, deadline)
  }

  /** The request of a connection was received. @returns when the connection was accepted, of `monotonicNow` */
  take(socket: Duplex): number {
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
