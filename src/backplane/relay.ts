import { BACKPLANE_VERSION, type Backplane, type Envelope } from '../hub/backplane.js'
import { checkBackplaneOptions, PipeBackplane, type BackplaneOptions } from './pipe-backplane.js'
import { memoryPipes } from './memory-pipe.js'
import { Conversation, readWireMessage, type Pipe, type WireMessage } from './wire.js'

/** A node that joined. */
interface Seat {
  readonly node: string
  readonly pipe: Pipe
  readonly conversation: Conversation
  readonly groups: Set<string>
}

/** So many nodes may be at the other end of one pipe: servers of one process. */
const MAX_NODES_PER_PIPE = 64

/**
 * Passes envelopes on between nodes: each to the node that it is for, those of a group to the nodes that have members of
 * it, the others to all but their sender. It keeps nothing but who is there. A node whose process dies is reported as gone
 * at once; one that joined before the relay listened, or by another relay that was closed, is asked to join again.
 */
export class BackplaneRelay {
  private readonly seats = new Map<string, Seat>()
  private readonly stops = new Map<Pipe, () => void>()
  private readonly maxQueuedBytes: number
  private readonly atClose = new Set<() => unknown>()

  /** @param options `maxQueuedBytes`: what may wait for one node before more is lost to it */
  constructor(options: BackplaneOptions = {}) {
    this.maxQueuedBytes = checkBackplaneOptions(options)
  }

  /** How many nodes have joined. */
  get size(): number {
    return this.seats.size
  }

  /** A backplane for a server in this process. */
  backplane(options: BackplaneOptions = {}): Backplane {
    const maxQueuedBytes = checkBackplaneOptions(options)
    const [here, there] = memoryPipes()
    this.addPipe(there)
    return new PipeBackplane(here, maxQueuedBytes)
  }

  /** Lets go of all nodes, and listens to nobody any more. */
  close(): void {
    for (const stop of this.stops.values()) stop()
    this.stops.clear()
    this.seats.clear()
    for (const stop of this.atClose) stop()
    this.atClose.clear()
  }

  /** @internal */
  onClose(stop: () => unknown): void {
    this.atClose.add(stop)
  }

  /** @internal Nodes may join by this pipe. */
  addPipe(pipe: Pipe): void {
    if (this.stops.has(pipe)) return
    const stop = pipe.listen(
      (raw) => {
        const message = readWireMessage(raw)
        if (message !== null) this.take(pipe, message)
      },
      () => {
        this.removePipe(pipe)
      },
    )
    this.stops.set(pipe, stop)
  }

  /** @internal Whoever joined by this pipe is gone. */
  removePipe(pipe: Pipe): void {
    this.stops.get(pipe)?.()
    this.stops.delete(pipe)
    for (const seat of [...this.seats.values()]) {
      if (seat.pipe !== pipe || !this.seats.delete(seat.node)) continue
      this.route(seat.node, { version: BACKPLANE_VERSION, from: seat.node, to: null, kind: 'left' })
    }
  }

  private take(pipe: Pipe, message: WireMessage): void {
    const { node, body } = message
    const seat = this.seats.get(node)
    if (seat === undefined) {
      if (body.type === 'join') this.join(pipe, message)
      else if (body.type === 'watch' || body.type === 'envelope') {
        pipe.post({ hawserBackplane: 1, node, bytes: 0, body: { type: 'unknown' } })
      }
      return
    }
    if (seat.pipe !== pipe || !seat.conversation.take(message)) return
    if (body.type === 'join') seat.conversation.send({ type: 'joined', isNew: false })
    else if (body.type === 'watch' && typeof body.group === 'string') seat.groups.add(body.group)
    else if (body.type === 'unwatch') seat.groups.delete(body.group)
    else if (body.type === 'envelope') this.route(node, body.envelope)
    else if (body.type === 'leave') this.leave(seat)
  }

  private join(pipe: Pipe, message: WireMessage): void {
    const { node } = message
    const neighbours = [...this.seats.values()].filter((seat) => seat.pipe === pipe)
    if (neighbours.length >= MAX_NODES_PER_PIPE) return
    const conversation = new Conversation(node, pipe, this.maxQueuedBytes)
    conversation.take(message)
    this.seats.set(node, { node, pipe, conversation, groups: new Set() })
    conversation.send({ type: 'joined', isNew: true })
  }

  private leave(seat: Seat): void {
    this.seats.delete(seat.node)
    // What is at the other end may come back as another node: unless it is a pipe of memory, which is let go of.
    if (seat.pipe.isForOne === true) this.removePipe(seat.pipe)
  }

  private route(from: string, envelope: Envelope): void {
    if (typeof envelope !== 'object' || (envelope as unknown) === null) return
    const { to, kind } = envelope
    if (to !== null) {
      const seat = this.seats.get(to)
      if (to !== from) seat?.conversation.send({ type: 'envelope', envelope })
      return
    }
    for (const { node, groups, conversation } of this.seats.values()) {
      if (node === from || (kind === 'group' && !groups.has(envelope.group))) continue
      // What does not fit any more is lost to that one alone.
      conversation.send({ type: 'envelope', envelope })
    }
  }
}
