import { BACKPLANE_VERSION, type Envelope } from './envelope.js'
import { PipeFlow } from './pipe-flow.js'
import { readPipeMessage, type Pipe, type PipeMessage } from './pipe.js'

/** A node that joined. */
interface JoinedNode {
  readonly id: string
  readonly pipe: Pipe
  readonly flow: PipeFlow
  /** The groups whose messages it wants. */
  readonly watched: Set<string>
  /** It wants more groups than are kept: it gets the messages of all. */
  watchesAll: boolean
}

/** How many nodes may share one pipe: the servers of one process. */
const MAX_NODES_PER_PIPE = 64
/** How many groups are kept for one node. */
const MAX_WATCHED_GROUPS = 1_000_000

/** The inside of a `BackplaneRelay`: which nodes joined over which pipe, and which envelopes each of them gets. */
export class RelayCore {
  readonly maxQueuedBytes: number
  private readonly nodes = new Map<string, JoinedNode>()
  /** The pipes that are listened to, and what ends that. */
  private readonly pipes = new Map<Pipe, () => void>()
  private readonly atClose = new Set<() => unknown>()
  private readonly maxWatchedGroups: number

  constructor(maxQueuedBytes: number, maxWatchedGroups = MAX_WATCHED_GROUPS) {
    this.maxQueuedBytes = maxQueuedBytes
    this.maxWatchedGroups = maxWatchedGroups
  }

  get size(): number {
    return this.nodes.size
  }

  close(): void {
    for (const stop of this.pipes.values()) stop()
    this.pipes.clear()
    this.nodes.clear()
    for (const call of this.atClose) call()
    this.atClose.clear()
  }

  /** Calls this when the relay closes. */
  onClose(call: () => unknown): void {
    this.atClose.add(call)
  }

  /** From now on nodes may join over this pipe. */
  addPipe(pipe: Pipe): void {
    if (this.pipes.has(pipe)) return
    const stop = pipe.listen(
      (raw) => {
        const message = readPipeMessage(raw)
        if (message !== null) this.receive(pipe, message)
      },
      () => {
        this.removePipe(pipe)
      },
    )
    this.pipes.set(pipe, stop)
  }

  /** The other end of a pipe is gone, and with it the nodes that joined over it. */
  private removePipe(pipe: Pipe): void {
    this.pipes.get(pipe)?.()
    this.pipes.delete(pipe)
    for (const node of [...this.nodes.values()]) {
      if (node.pipe !== pipe || !this.nodes.delete(node.id)) continue
      this.route(node.id, { version: BACKPLANE_VERSION, from: node.id, to: null, kind: 'left' })
    }
  }

  private receive(pipe: Pipe, message: PipeMessage): void {
    const { node: id, body } = message
    const node = this.nodes.get(id)
    if (node === undefined) {
      if (body.type === 'join') this.join(pipe, message)
      else if (body.type === 'watch' || body.type === 'envelope') {
        pipe.post({ hawserBackplane: 1, node: id, bytes: 0, body: { type: 'unknown' } })
      }
      return
    }
    if (node.pipe !== pipe || !node.flow.receive(message)) return
    if (body.type === 'join') node.flow.send({ type: 'joined', isNew: false })
    else if (body.type === 'watch' && typeof body.group === 'string') this.watch(node, body.group)
    else if (body.type === 'unwatch') node.watched.delete(body.group)
    else if (body.type === 'envelope') this.route(id, body.envelope)
    else if (body.type === 'leave') this.leave(node)
  }

  private join(pipe: Pipe, message: PipeMessage): void {
    const { node: id } = message
    const neighbours = [...this.nodes.values()].filter((node) => node.pipe === pipe)
    if (neighbours.length >= MAX_NODES_PER_PIPE) return
    const flow = new PipeFlow(id, pipe, this.maxQueuedBytes)
    flow.receive(message)
    this.nodes.set(id, { id, pipe, flow, watched: new Set(), watchesAll: false })
    flow.send({ type: 'joined', isNew: true })
  }

  private watch(node: JoinedNode, group: string): void {
    if (node.watched.size < this.maxWatchedGroups) node.watched.add(group)
    else node.watchesAll ||= !node.watched.has(group)
  }

  private leave(node: JoinedNode): void {
    this.nodes.delete(node.id)
    // Another node may join over the same pipe later, unless the pipe is for one.
    if (node.pipe.isForOne === true) this.removePipe(node.pipe)
  }

  private route(from: string, envelope: Envelope): void {
    if (typeof envelope !== 'object' || (envelope as unknown) === null) return
    const { to, kind } = envelope
    if (to !== null) {
      if (to !== from) this.nodes.get(to)?.flow.send({ type: 'envelope', envelope })
      return
    }
    for (const { id, watched, watchesAll, flow } of this.nodes.values()) {
      if (id === from || (kind === 'group' && !watchesAll && !watched.has(envelope.group))) continue
      // Where there is no room the envelope is lost, to this node alone.
      flow.send({ type: 'envelope', envelope })
    }
  }
}
