import type { Socket as NetSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'

/** A connection of a port of Hawser's own from its TCP accept until its request is here. */
class Arrival implements Timed {
  timerSlot = -1
  readonly startedAt: number
  /** What an answer is written to; null: TLS is not through its handshake. */
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
 * When the connections of a port of Hawser's own came: the time of a handshake runs from the TCP accept, and covers TLS,
 * the head, and the decision. Node bounds each of these alone, one after another.
 */
export class Arrivals {
  private readonly timeoutMs: number
  private readonly late: (duplex: Duplex) => void
  private readonly arrivals = new WeakMap<Duplex, Arrival>()
  /** Those whose TLS handshake is under way, by their addresses: node:tls tells not which transport a socket is over. */
  private readonly handshaking = new Map<string, Arrival>()

  /** @param late told of a connection whose request did not come in time */
  constructor(timeoutMs: number, late: (duplex: Duplex) => void) {
    this.timeoutMs = timeoutMs
    this.late = late
  }

  /** A connection without TLS. Whoever was noted before keeps its time. */
  came(socket: Duplex, startedAt = monotonicNow()): void {
    if (!this.arrivals.has(socket)) this.note(new Arrival(socket, socket, startedAt, this.late), socket)
  }

  /** A connection whose TLS handshake begins. */
  cameForTls(transport: NetSocket): void {
    const arrival = new Arrival(transport, null, monotonicNow(), this.late)
    this.note(arrival, transport)
    const key = keyOf(transport)
    this.handshaking.set(key, arrival)
    transport.once('close', () => {
      if (this.handshaking.get(key) === arrival) this.handshaking.delete(key)
    })
  }

  /** A TLS handshake is done. */
  secured(socket: NetSocket): void {
    const key = keyOf(socket)
    const arrival = this.handshaking.get(key)
    if (arrival === undefined) return
    this.handshaking.delete(key)
    arrival.answerable = socket
    this.arrivals.set(socket, arrival)
  }

  /** The request of a connection is here. @returns when the connection came */
  take(socket: Duplex): number {
    const arrival = this.arrivals.get(socket)
    if (arrival === undefined) return monotonicNow()
    timerWheel.cancel(arrival)
    return arrival.startedAt
  }

  private note(arrival: Arrival, socket: Duplex): void {
    this.arrivals.set(socket, arrival)
    timerWheel.schedule(arrival, arrival.startedAt + this.timeoutMs)
    socket.once('close', () => {
      timerWheel.cancel(arrival)
    })
  }
}

const keyOf = ({ localAddress, localPort, remoteAddress, remotePort }: NetSocket): string =>
  [localAddress, localPort, remoteAddress, remotePort].join(' ')
